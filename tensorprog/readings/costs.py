"""What a sample costs in time and memory by either reading, and which of them `auto` takes.

The constants are measured (benchmarks/costs.py fits them again); they matter where the two readings cost about the
same, and there only their ratio does.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

from tensorprog.program import Free, Matrix, Program, Vector, operands
from tensorprog.readings.draws import shape
from tensorprog.readings.spectral import depends_on

DRAW = 5.5e-9  # seconds for a fresh Gaussian, two threads at work
READ = 0.08e-9  # for an entry of a dense matrix in a product, several vectors at a time
AGAIN = 1.0e-9  # for an entry in a product of an iteration, one vector at a time
PROJECT = 2.2e-9  # for a coordinate of a vector against one vector of a span, all passes of a revealed product together
CALL = 220e-6  # of a revealed product, whatever its width, shared by the samples of a batch
STREAM = 4.5e-6  # of the random stream of a revealed product, or of a matrix
ITERATIONS = 20  # of a spectral norm, typically
BYTES = 8


@dataclass(frozen=True)
class Use:
    """How a matrix of a program is used: its shape at one width, products with it, and with its transpose.

    Those of a spectral norm count as often as it repeats them, typically; `iterated` are all of these.
    """

    rows: int
    cols: int
    products: int
    returned: int
    iterated: int

    @property
    def total(self) -> int:
        return self.products + self.returned

    @property
    def once(self) -> int:
        return self.total - self.iterated

    @property
    def spans(self) -> tuple[int, int]:
        """Sizes of the two spans when all products are done."""
        return min(self.products, self.cols), min(self.returned, self.rows)


def uses(program: Program, width: int, d0: int) -> list[Use]:
    """The matrices of a program."""
    nodes = program.nodes
    moving = depends_on(nodes, set(program.free.values()), lambda x: operands(nodes[x]))
    counts: Counter[tuple[str, bool]] = Counter()
    iterated: Counter[str] = Counter()
    for name, node in program.products.items():
        if not isinstance(nodes[node.matrix], Free):
            counts[node.matrix, node.transpose] += ITERATIONS if name in moving else 1
            iterated[node.matrix] += ITERATIONS if name in moving else 0
    found = []
    for name in program.parameters:
        if isinstance(program.types[name], Matrix):
            rows, cols = shape(program, name, width, d0)
            found.append(Use(rows, cols, counts[name, False], counts[name, True], iterated[name]))
    return found


def seconds(program: Program, width: int, d0: int, batch: int) -> Mapping[str, float]:
    """Time of the products of one sample by each reading; what both share is left out."""
    dense = exact = 0.0
    for use in uses(program, width, d0):
        dense += STREAM + use.rows * use.cols * (DRAW + READ * use.once + AGAIN * use.iterated)
        (right, left), both = use.spans, (use.rows + use.cols) / 2
        exact += DRAW * (right * use.rows + left * use.cols) + STREAM * (right + left) + CALL * use.total / batch
        exact += PROJECT * both * (right + left) ** 2 / 2
    return {"dense": dense, "exact": exact}


def fastest(program: Program, width: int, d0: int, batch: int) -> str:
    """The reading that `auto` takes."""
    found = seconds(program, width, d0, batch)
    return min(found, key=found.__getitem__)


def memory(program: Program, width: int, d0: int, method: str) -> int:
    """Bytes that one sample needs at the peak, about: its matrices or spans, and its vectors."""
    if method == "dense":
        sizes = Counter(kind.width for kind in program.types.values() if isinstance(kind, Vector))
        vectors = sum(count * side.at(width, d0) for side, count in sizes.items())
        return BYTES * (sum(use.rows * use.cols for use in uses(program, width, d0)) + vectors)
    spans = sum(sum(use.spans) * (use.rows + use.cols) for use in uses(program, width, d0))
    stored = sum(prod(shape(program, node.vector, width, d0)) for node in program.products.values())
    return BYTES * (spans + 3 * stored)


def free_memory() -> int:
    """Bytes that a new process may use without swapping, as the system tells; all physical memory where it does not."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

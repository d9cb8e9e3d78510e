"""What a sample costs in time and memory by either reading, and which of them `auto` takes.

The constants are measured (benchmarks/costs.py fits them again); they matter where the two readings cost about the
same, and there only their ratio does.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import numpy as np

from tensorprog.program import Free, Matrix, Program, operands
from tensorprog.readings.dense import entries
from tensorprog.readings.dense import sharing as sharing_dense
from tensorprog.readings.draws import shape
from tensorprog.readings.exact import LARGE
from tensorprog.readings.exact import sharing as sharing_exact
from tensorprog.readings.joint import Joint
from tensorprog.readings.spectral import depends_on
from tensorprog.readings.storage import Side, side
from tensorprog.readings.sweep import BLOCK
from tensorprog.readings.team import MANY, cores

DRAW = 7.7e-9  # seconds for a fresh Gaussian, two threads at work
READ = 0.041e-9  # for an entry of a dense matrix in a product, several vectors at a time
AGAIN = 0.49e-9  # for an entry in a product of an iteration, one vector at a time
PROJECT = 1.0e-9  # for a coordinate of a vector against one vector of a span, all passes of a revealed product together
CALL = 40e-6  # of a revealed product, whatever its width, shared by the samples of a batch
REPEAT = 1.3e-3  # of one in an iteration, shared by `NORMS` samples
STREAM = 9e-6  # of the random stream of a revealed product, or of a matrix
NORMS = 16  # samples whose spectral norms are computed together, typically
ITERATIONS = 20  # of a spectral norm, typically
SETTLED = 28  # iterations that the slowest of a batch of samples needs, typically
SWEPT = 16  # vectors of a block that a thread has in the cache
DOUBLE = np.dtype(np.float64)
SYSTEM = Path("/proc/meminfo")
CONTAINER = Path("/sys/fs/cgroup")


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


def uses(program: Program, width: int, d0: int, iterations: int = ITERATIONS) -> dict[str, Use]:
    """The matrices of a program, by name."""
    nodes = program.nodes
    moving = depends_on(nodes, set(program.free.values()), lambda x: operands(nodes[x]))
    counts: Counter[tuple[str, bool]] = Counter()
    iterated: Counter[str] = Counter()
    for name, node in program.products.items():
        if not isinstance(nodes[node.matrix], Free):
            counts[node.matrix, node.transpose] += iterations if name in moving else 1
            iterated[node.matrix] += iterations if name in moving else 0
    found = {}
    for name in program.parameters:
        if isinstance(program.types[name], Matrix):
            rows, cols = shape(program, name, width, d0)
            found[name] = Use(rows, cols, counts[name, False], counts[name, True], iterated[name])
    return found


def seconds(program: Program, width: int, d0: int, batch: int) -> Mapping[str, float]:
    """Time of the products of one sample by each reading; what both share is left out."""
    dense = exact = 0.0
    for use in uses(program, width, d0).values():
        dense += STREAM + use.rows * use.cols * (DRAW + READ * use.once + AGAIN * use.iterated)
        (right, left), both = use.spans, (use.rows + use.cols) / 2
        exact += DRAW * (right * use.rows + left * use.cols) + PROJECT * both * (right + left) ** 2 / 2
        exact += STREAM * (right + left) + CALL * use.once / batch + REPEAT * use.iterated / min(batch, NORMS)
    return {"dense": dense, "exact": exact}


def fastest(program: Program, width: int, d0: int, batch: int) -> str:
    """The reading that `auto` takes."""
    found = seconds(program, width, d0, batch)
    return min(found, key=found.__getitem__)


def memory(
    joint: Joint,
    width: int,
    d0: int,
    method: str,
    samples: int = MANY,
    threads: int | None = None,
    dtype: np.dtype[np.floating] = DOUBLE,
    most: int = MANY,
) -> int:
    """Bytes that a run of so many samples needs at the peak, about: of the samples that its threads hold at once.

    threads, most: as the readings take them, which hold fewer samples at once where there are fewer. Parts follow each
    other in the same memory.
    """
    team = threads or cores()
    if method == "dense":
        shared, batch = sharing_dense(joint, width, d0, samples, team, most, dtype)
        kept = min(shared * batch, samples) * entries(joint, width, d0)
        return dtype.itemsize * (
            kept + max(min(shared * batch, samples) * _own(part, width, d0, False) for part in joint.parts)
        )
    swept = team * BLOCK * SWEPT if width >= LARGE else 0
    spans = _spans(joint, width, d0)
    found = []
    for part in joint.parts:
        shared, batch = sharing_exact(part, width, samples, team, most)
        found.append(min(shared * batch, samples) * (spans + _vectors(part, width, d0) + _own(part, width, d0, True)))
    return dtype.itemsize * (swept + max(found))


def fitting(
    joint: Joint,
    width: int,
    d0: int,
    method: str,
    limit: int,
    samples: int = MANY,
    threads: int | None = None,
    dtype: np.dtype[np.floating] = DOUBLE,
) -> int:
    """Samples to hold at once so that a run needs at most `limit` bytes; 0 where not even one fits."""
    if memory(joint, width, d0, method, samples, threads, dtype) <= limit:
        return MANY
    return limit // memory(joint, width, d0, method, 1, threads, dtype)


def _vectors(part: Joint, width: int, d0: int) -> int:
    """Numbers of the parameters that are drawn in the exact reading."""
    program = part.program
    names = [name for name in program.parameters if not isinstance(program.types[name], Matrix)]
    return sum(prod(shape(program, name, width, d0)) for name in names)


def _own(part: Joint, width: int, d0: int, exact: bool) -> int:
    """Numbers that a sample of a part needs at the peak beside its weights: families, vectors, what a norm iterates."""
    program, fusion = part.program, part.fusion
    kept = 0
    if fusion is not None:
        kept += len(fusion.places) + sum(len(names) * side.at(width, d0) for side, names in fusion.families)
    alive = _coordinates(part.alive_in_stages if exact and width >= LARGE else part.alive, width, d0)
    stays = _coordinates(Counter(side(program.types, name) for name in part.wanted), width, d0)
    norms = [_operator(part, i, width, d0) for i, output in enumerate(part.outputs) if output is None]
    return kept + max(alive, stays + max(norms, default=0))


def _spans(joint: Joint, width: int, d0: int) -> int:
    """Numbers in the spans of all matrices, which have room for what any part asks of them.

    One that iterations make longer is copied once it is full.
    """
    room: dict[str, Use] = {}
    copied = 0
    for part in joint.parts:
        for name, use in uses(part.program, width, d0, SETTLED).items():
            known = room.get(name, use)
            most = max(use.products, known.products), max(use.returned, known.returned)
            room[name] = replace(use, products=most[0], returned=most[1])
            if use.iterated:
                copied = max(copied, max(use.spans) * max(use.rows, use.cols))
    return copied + sum(sum(use.spans) * (use.rows + use.cols) for use in room.values())


def _operator(joint: Joint, index: int, width: int, d0: int) -> int:
    """Numbers that the norm of one operator needs: its Lanczos basis twice, directions, and vectors that move."""
    size = directions = 0
    for slot in joint.slots[index]:
        sides = shape(joint.program, slot.parameter, width, d0)
        if len(sides) < 2:
            size += prod(sides)
            directions += prod(sides)
        else:
            rows, cols = sides
            right = min(cols, len({r for _, left, r in slot.terms if left in joint.moving}))
            left = min(rows, len({left for _, left, _ in slot.terms if left not in joint.moving}))
            size += rows * right + cols * left
            directions += (rows + cols) * (right + left)
    moving = _coordinates(joint.alive_in_operators[index], width, d0)
    return size * (2 * min(size, SETTLED) + 4) + 3 * directions + moving


def _coordinates(vectors: Mapping[Side, int], width: int, d0: int) -> int:
    return sum(count * (1 if side is None else side.at(width, d0)) for side, count in vectors.items())


def free_memory() -> int:
    """Bytes that a new process may use without swapping or being killed: the system's or the container's, the smaller.

    All physical memory where neither tells.
    """
    told = [free for free in (_free_of_system(), _free_of_container()) if free is not None]
    return min(told, default=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def _free_of_system() -> int | None:
    found = re.search(r"^MemAvailable:\s*(\d+)", _text(SYSTEM), re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _free_of_container() -> int | None:
    """What a control group leaves (version 2); files in its cache make way."""
    limit, current = (_text(CONTAINER / name).strip() for name in ("memory.max", "memory.current"))
    if not (limit.isdecimal() and current.isdecimal()):
        return None
    cached = re.search(r"^inactive_file (\d+)", _text(CONTAINER / "memory.stat"), re.MULTILINE)
    return max(0, int(limit) - int(current) + (int(cached[1]) if cached else 0))


def _text(path: Path) -> str:
    """Of a file of the system, empty where there is none."""
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""

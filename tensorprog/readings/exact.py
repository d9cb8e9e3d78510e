"""The exact reading: the law of the dense one at every width, without ever building a matrix.

Cost O(n k) a product after k products instead of O(n²), memory O(n k): widths of a million fit a laptop. Matrices of
another law than the Gaussian one are refused (`auto.reading_of`); vectors may have any law, they are drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from functools import partial
from threading import local

import numpy as np
from numpy.typing import NDArray

from tensorprog.program import Matrix, Program
from tensorprog.readings.arena import Arena
from tensorprog.readings.blockwise import Blockwise
from tensorprog.readings.bulk import Bulk
from tensorprog.readings.draws import Array, entry_scale, shape, stream
from tensorprog.readings.evaluate import Value
from tensorprog.readings.joint import Joint
from tensorprog.readings.realise import cut, realise
from tensorprog.readings.revealed import Draw, Products, Revealed
from tensorprog.readings.sweep import run_stages
from tensorprog.readings.team import MANY, Team, blas, cores

BATCH_NUMBERS = 131_072  # coordinates of a vector batch
BATCH_OF_NORMS = 16_384  # the same where spectral norms are iterated, which keep many vectors as long as all parameters
LARGE = 32_768  # from this width on samples go one by one, in blocks of coordinates that threads share


def batch_size(width: int, norms: bool = False) -> int:
    """Samples computed together: many at small widths, one by one at large ones; `norms`: with spectral norms."""
    return 1 if width >= LARGE else max(1, (BATCH_OF_NORMS if norms else BATCH_NUMBERS) // width)


def sharing(joint: Joint, width: int, samples: int, threads: int, most: int) -> tuple[int, int]:
    """Threads at work on samples of their own, and samples that each holds at once: at most `most` together."""
    team = 1 if width >= LARGE else min(threads, most, samples)
    return team, max(1, min(batch_size(width, bool(joint.moving)), most // team, -(-samples // team)))


class Memory(local):
    """Matrices and large arrays of each thread, allocated once for all samples that it is handed to.

    Of each parameter that of the last batch is kept: the spans of every length that a batch has had would add up.
    """

    def __init__(self) -> None:
        self.arena = Arena()
        self._matrices: dict[str, tuple[object, Revealed]] = {}

    def matrix(self, name: str, key: object, products: Products, make: Callable[[Products], Revealed]) -> Revealed:
        """One with room for so many products, to be made to forget what it was; `key`: its shape and law."""
        known, kept = self._matrices.pop(name, (None, None))
        if kept is None or known != key or not kept.holds(products):
            room = products if kept is None or known != key else kept.room(products)
            kept = None  # let go before there is another
            kept = make(room)
        self._matrices[name] = key, kept
        return kept


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a reading beside programs, data, width and samples: `seed` is of all random streams.

    threads: at work; all cores by default. memory: of earlier calls, to be used again. most: samples to hold at once.
    """

    seed: int
    dtype: np.dtype[np.floating]
    threads: int | None = None
    memory: Memory | None = None
    most: int = MANY


def sample_exact(joint: Joint, data: NDArray[np.float64], width: int, samples: range, request: Request) -> Array:
    """Values of every program of `joint` at these sample indices, (programs, len(samples)); see `realise`.

    Each part reveals the matrices for itself. Threads share the samples, or the coordinates of large widths.
    """
    memory, threads = request.memory or Memory(), request.threads or cores()
    shared = max(sharing(part, width, len(samples), threads, request.most)[0] for part in joint.parts)
    with Team(threads if width >= LARGE else shared) as team, blas().limit(limits=1, user_api="blas"):
        rows = [_part(part, data, width, samples, request, team, memory) for part in joint.parts]
    return rows[0] if len(rows) == 1 else np.concatenate(rows)


def _part(
    part: Joint,
    data: NDArray[np.float64],
    width: int,
    samples: range,
    request: Request,
    team: Team,
    memory: Memory,
) -> Array:
    program, d0, seed, dtype = part.program, data.shape[-1], request.seed, request.dtype
    expected = products(program)
    places = {x: i for i, x in enumerate(program.products)}

    def matrices(batch: range) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for name, parameter in program.parameters.items():
            if isinstance(program.types[name], Matrix):
                rows, cols = shape(program, name, width, d0)
                fresh = partial(_fresh, seed, width, batch, name, places)
                key = len(batch), rows, cols, entry_scale(parameter, width, d0), dtype
                found[name] = matrix = memory.matrix(name, key, expected[name], partial(make, *key[:4], fresh))
                matrix.forget(fresh, part.moving)
                if isinstance(matrix, Blockwise):
                    matrix.team = team
        return found

    def make(batch: int, rows: int, cols: int, std: float, draw: Draw, room: Products) -> Revealed:
        if width >= LARGE:
            return Blockwise(team, memory.arena, rows, cols, std, draw, room, dtype)
        return Revealed(batch, rows, cols, std, draw, room, dtype)

    def execute(values: MutableMapping[str, Value]) -> None:
        fused, arena = part.fusion, memory.arena
        arena.reset()
        bulk = None if fused is None else Bulk(fused, 1, width, d0, dtype, arena.empty)
        run_stages(part.operations, program.types, part.planned, values, width, d0, team, arena, bulk)

    shared, length = sharing(part, width, len(samples), team.size, request.most)
    parts = cut(samples, length, shared)
    if width < LARGE:
        return realise(part, data, width, parts, seed, dtype, matrices, team)
    return realise(part, data, width, parts, seed, dtype, matrices, team, execute, memory.arena)


def products(program: Program) -> dict[str, Products]:
    """How many products with each matrix, and with its transpose, a program has."""
    found = {name: [0, 0] for name in program.leaves if isinstance(program.types[name], Matrix)}
    for node in program.products.values():
        if node.matrix in found:
            found[node.matrix][node.transpose] += 1
    return {name: (counts[0], counts[1]) for name, counts in found.items()}


def _fresh(
    seed: int,
    width: int,
    batch: range,
    name: str,
    places: Mapping[str, int],
    node: str,
    again: NDArray[np.intp],
    target: Array,
) -> None:
    """The Gaussians of one product, a stream of its own for each (seed, width, sample, matrix, product, repetition)."""
    for row, sample, turn in zip(target, batch, again.tolist(), strict=True):
        if turn >= 0:
            stream(seed, width, sample, name, places[node], turn).standard_normal(dtype=target.dtype, out=row)

"""The exact reading: the law of the dense one at every width, without ever building a matrix.

Cost O(n k) a product after k products instead of O(n²), memory O(n k): widths of a million fit a laptop. Gaussian
entries are needed, which every matrix of the language has.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tensorprog.program import MatMul, Matrix, Program
from tensorprog.readings.draws import Array, entry_scale, shape, stream
from tensorprog.readings.evaluate import Value
from tensorprog.readings.joint import Joint
from tensorprog.readings.realise import realise
from tensorprog.readings.revealed import Revealed

BATCH_NUMBERS = 16_384  # coordinates of a vector batch


def batches(width: int, samples: range) -> Iterator[range]:
    """Consecutive runs of samples: many at small widths, one by one at large ones."""
    size = max(1, BATCH_NUMBERS // width)
    for first in range(samples.start, samples.stop, size):
        yield range(first, min(first + size, samples.stop))


def sample_exact(
    joint: Joint, data: NDArray[np.float64], width: int, samples: range, seed: int, dtype: np.dtype[np.floating]
) -> Array:
    """Values of every program of `joint` at these sample indices, (programs, len(samples)); see `realise`."""
    program, d0 = joint.program, data.shape[-1]
    expected = products(program)

    def matrices(batch: range) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for name, parameter in program.parameters.items():
            if isinstance(program.types[name], Matrix):
                rows, cols = shape(program, name, width, d0)
                fresh = partial(_fresh, seed, width, batch, name, dtype)
                std = entry_scale(parameter, width, d0)
                found[name] = Revealed(len(batch), rows, cols, std, fresh, expected[name], dtype)
        return found

    return realise(joint, data, width, batches(width, samples), seed, dtype, matrices)


def products(program: Program) -> dict[str, tuple[int, int]]:
    """How many products with each matrix, and with its transpose, a program has."""
    found = {name: [0, 0] for name, kind in program.types.items() if isinstance(kind, Matrix)}
    for node in program.nodes.values():
        if isinstance(node, MatMul) and node.matrix in found:
            found[node.matrix][node.transpose] += 1
    return {name: (counts[0], counts[1]) for name, counts in found.items()}


def _fresh(
    seed: int,
    width: int,
    batch: range,
    name: str,
    dtype: np.dtype[np.floating],
    product: int,
    transpose: bool,
    length: int,
) -> Array:
    """The Gaussians of one product, a stream of its own for each (seed, width, sample, matrix, side, product)."""
    values = np.empty((len(batch), length), dtype)
    for row, sample in enumerate(batch):
        stream(seed, width, sample, name, int(transpose), product).standard_normal(length, dtype=dtype, out=values[row])
    return values

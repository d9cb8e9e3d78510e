"""The dense reading: draw every matrix at width n and run the program in numpy, many samples at a time.

Limit: a matrix takes n² numbers a sample, so widths end near 10⁴.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tensorprog.program import Program
from tensorprog.readings.draws import Array, shape
from tensorprog.readings.joint import Joint
from tensorprog.readings.realise import realise

BATCH_NUMBERS = 16_384  # coordinates of a vector batch: fits the cache, and is large enough to hide the interpreter
BATCH_BYTES = 400_000_000  # matrices held at once


def batches(program: Program, width: int, samples: range, d0: int) -> Iterator[range]:
    """Consecutive runs of samples that fit the cache and the memory."""
    entries = sum(int(np.prod(shape(program, name, width, d0))) for name in program.parameters)
    size = max(1, min(BATCH_NUMBERS // width, BATCH_BYTES // (16 * entries + 1)))
    for first in range(samples.start, samples.stop, size):
        yield range(first, min(first + size, samples.stop))


def sample_dense(
    joint: Joint,
    data: NDArray[np.float64],
    width: int,
    samples: range,
    seed: int,
    dtype: np.dtype[np.floating],
    threads: int | None = None,
) -> Array:
    """Values of every program of `joint` at these sample indices, (programs, len(samples)); see `realise`.

    threads: of BLAS, as the caller has set them; nothing else runs in parallel here.
    """
    parts = batches(joint.program, width, samples, data.shape[-1])
    return realise(joint, data, width, parts, seed, dtype, lambda batch: {})

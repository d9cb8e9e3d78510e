"""The dense reading: draw every matrix at width n and run the program in numpy, many samples at a time.

Limit: a matrix takes n² numbers a sample, so widths end near 10⁴.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tensorprog.readings.draws import Array, shape
from tensorprog.readings.joint import Joint
from tensorprog.readings.realise import cut, realise
from tensorprog.readings.team import Team, cores

BATCH_NUMBERS = 16_384  # coordinates of a vector batch: fits the cache, and is large enough to hide the interpreter
BATCH_BYTES = 400_000_000  # matrices that one thread holds


def sample_dense(
    joint: Joint,
    data: NDArray[np.float64],
    width: int,
    samples: range,
    seed: int,
    dtype: np.dtype[np.floating],
    threads: int | None = None,
    memory: object = None,
) -> Array:
    """Values of every program of `joint` at these sample indices, (programs, len(samples)); see `realise`.

    threads: share the samples, each with matrices of its own; all cores by default. memory: not used.
    """
    program, d0 = joint.program, data.shape[-1]
    needed = dtype.itemsize * sum(int(np.prod(shape(program, name, width, d0))) for name in program.parameters)
    size = max(1, min(BATCH_NUMBERS // width, BATCH_BYTES // max(needed, 1)))
    with Team(1 if needed > BATCH_BYTES else threads or cores()) as team:
        parts = cut(samples, size, team.size)
        return realise(joint, data, width, parts, seed, dtype, lambda batch: {}, team)

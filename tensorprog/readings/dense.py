"""The dense reading: draw every matrix at width n and run the program in numpy, many samples at a time.

Every part of a joint program is run by itself on the same matrices.

Limit: a matrix takes n² numbers a sample, so widths end near 10⁴.
"""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from tensorprog.readings.draws import Array, shape
from tensorprog.readings.exact import Request
from tensorprog.readings.joint import Joint
from tensorprog.readings.realise import cut, realise
from tensorprog.readings.team import Team, cores

BATCH_NUMBERS = 16_384  # coordinates of a vector batch: fits the cache, and is large enough to hide the interpreter
BATCH_BYTES = 64_000_000  # matrices that one thread draws together: with larger batches nothing gets faster
ALONE_BYTES = 400_000_000  # from here on samples go one by one, with all threads at the products of one


def sharing(
    joint: Joint, width: int, d0: int, samples: int, threads: int, most: int, dtype: np.dtype[np.floating]
) -> tuple[int, int]:
    """Threads at work, and samples that each holds at once: at most `most` together."""
    needed = dtype.itemsize * entries(joint, width, d0)
    team = min(1 if needed > ALONE_BYTES else threads, most, samples)
    size = min(BATCH_NUMBERS // width, BATCH_BYTES // max(needed, 1), most // team, -(-samples // team))
    return team, max(1, size)


def entries(joint: Joint, width: int, d0: int) -> int:
    """Of all parameters, which are drawn once for all parts."""
    return sum(prod(shape(part.program, name, width, d0)) for name, (_, part) in joint.drawn.items())


def sample_dense(joint: Joint, data: NDArray[np.float64], width: int, samples: range, request: Request) -> Array:
    """Values of every program of `joint` at these sample indices, (programs, len(samples)); see `realise`.

    Threads share the samples, each with matrices of its own; the memory of earlier calls is not used.
    """
    threads = request.threads or cores()
    shared = sharing(joint, width, data.shape[-1], len(samples), threads, request.most, request.dtype)
    with Team(shared[0]) as team:
        parts = cut(samples, shared[1], team.size)
        return realise(joint, data, width, parts, request.seed, request.dtype, lambda batch: {}, team)

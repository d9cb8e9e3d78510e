"""Which reading computes what: by what a program costs by itself, whatever else is asked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tensorprog.errors import SamplingError
from tensorprog.program import GAUSSIAN, Matrix, Program
from tensorprog.readings.costs import DOUBLE, fastest, fitting, memory, seconds
from tensorprog.readings.dense import sample_dense
from tensorprog.readings.draws import Array
from tensorprog.readings.exact import Request, batch_size, sample_exact
from tensorprog.readings.joint import Joint
from tensorprog.readings.team import MANY

MIXED = "mixed"
"""The name of taking for each program of a list the reading that it would have by itself."""


def sample_mixed(joint: Joint, data: NDArray[np.float64], width: int, samples: range, request: Request) -> Array:
    """Values of every program by the reading that `auto` takes for it; parameters as in `sample_exact`."""
    found = np.empty((len(joint.programs), len(samples)), request.dtype)
    for reading, (rows, part) in apart(joint, width, data.shape[-1]).items():
        found[rows] = READINGS[reading](part, data, width, samples, request)
    return found


READINGS = {"dense": sample_dense, "exact": sample_exact, MIXED: sample_mixed}


def apart(joint: Joint, width: int, d0: int) -> dict[str, tuple[list[int], Joint]]:
    """The programs that `auto` reads in one way, by that way: their numbers, and themselves."""
    found: dict[str, list[int]] = {}
    for number, part in enumerate(joint.parts):
        found.setdefault(_reading(part.program, width, d0, "auto"), []).append(number)
    return {way: (rows, Joint.of([joint.programs[i] for i in rows])) for way, rows in found.items()}


def at_once(
    joint: Joint,
    width: int,
    d0: int,
    reading: str,
    limit: int,
    samples: int = MANY,
    threads: int | None = None,
    dtype: np.dtype[np.floating] = DOUBLE,
) -> int:
    """Samples to hold at once so that a run needs at most `limit` bytes; 0 where not even one fits."""
    return min(
        fitting(one, width, d0, way, limit, samples, threads, dtype) for way, one in _ways(joint, width, d0, reading)
    )


def needed(
    joint: Joint,
    width: int,
    d0: int,
    reading: str,
    threads: int | None = None,
    dtype: np.dtype[np.floating] = DOUBLE,
) -> int:
    """Bytes that one sample needs."""
    return max(memory(one, width, d0, way, 1, threads, dtype) for way, one in _ways(joint, width, d0, reading))


def _ways(joint: Joint, width: int, d0: int, reading: str) -> list[tuple[str, Joint]]:
    if reading != MIXED:
        return [(reading, joint)]
    return [(way, one) for way, (_, one) in apart(joint, width, d0).items()]


def expected(joint: Joint, width: int, d0: int, method: str) -> float:
    """Seconds that a sample of all programs takes, about."""
    batch = batch_size(width)
    return sum(
        seconds(part.program, width, d0, batch)[_reading(part.program, width, d0, method)] for part in joint.parts
    )


def reading_of(what: Program | Joint, width: int, d0: int, method: str) -> str:
    """The reading that a method means at this width, "dense" or "exact"; SamplingError where it cannot be taken.

    "mixed" for several programs that have several of them: what reads one does not depend on the others.
    """
    if isinstance(what, Joint):
        found = {_reading(part.program, width, d0, method) for part in what.parts}
        return found.pop() if len(found) == 1 else MIXED
    return _reading(what, width, d0, method)


def _reading(program: Program, width: int, d0: int, method: str) -> str:
    matrices = [name for name in program.parameters if isinstance(program.types[name], Matrix)]
    for name in matrices:
        law = program.parameters[name].law
        if law != GAUSSIAN and method == "exact":
            raise SamplingError(
                f"the exact reading is for Gaussian matrices, and the entries of {name!r} are {law}; take "
                'method="dense", which builds the matrices, or "auto"'
            )
        if law != GAUSSIAN:
            return "dense"
    return fastest(program, width, d0, batch_size(width)) if method == "auto" else method

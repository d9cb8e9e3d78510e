"""What rounding leaves of a correlation that vanishes: the size below which samples say nothing.

Terms that cancel leave errors of the order of the precision times the terms, and those have a power of n of their own.
A few samples in float32 tell: where a correlation is really there, they are as large as in float64; where it cancels,
they are larger by the ratio of the two precisions, 2²⁹ (by its root, where a squared norm is what cancels). So float32
samples times that ratio bound what rounding leaves in float64, whatever the reading, and it takes no list of what was
subtracted.

Known limit: operators (D = 2) whose terms cancel number by number leave the same in float32, and are not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

import numpy as np
from numpy.typing import ArrayLike

from tensorprog.errors import SamplingError
from tensorprog.program import Measure, Program
from tensorprog.readings import READINGS, as_norms
from tensorprog.readings.exact import Request
from tensorprog.readings.team import MANY
from tensorprog.scaling.jobs import Task
from tensorprog.scaling.measure import prepared
from tensorprog.scaling.quantiles import Array

SAMPLES = 4
RATIO = float(np.finfo(np.float64).eps / np.finfo(np.float32).eps)
SAFETY = 32.0  # of rounding errors over their median, in either precision
FAR = 1e-4  # of the smallest width's float32 samples: larger ones have lost nothing to rounding


def rounding_floors(
    programs: Sequence[Program],
    data: ArrayLike,
    widths: Sequence[int],
    values: Sequence[Sequence[Array]],
    seed: int = 0,
    *,
    method: str = "auto",
    memory: int | None = None,
) -> list[tuple[float, ...]]:
    """For each program and width, the ‖C‖ up to which a sample is 0 to rounding; 0 where float32 is no help.

    Parameters
    ----------
    values: the samples of each program at each width, as `measure` returns them.
    programs, data, widths, seed, method, memory: as in `measure`.

    Takes four samples at the smallest width, and at others only where samples are so small that rounding matters.
    """
    apart = [SAMPLES + bool(program.slots) for program in programs]
    task, groups = prepared(programs, data, widths, apart, seed, 1, method, memory, None)
    single = replace(task, dtype=np.dtype(np.float32))
    scale = _medians(programs, single, groups, widths[0])
    floors = {widths[0]: scale}
    for k, width in enumerate(widths[1:], start=1):
        small = any(np.median(row[k]) < FAR * most for row, most in zip(values, scale, strict=True))
        floors[width] = _medians(programs, single, groups, width) if small else floors[widths[k - 1]]
    factors = [_share(program) for program in programs]
    return [tuple(factor * floors[width][i] for width in widths) for i, factor in enumerate(factors)]


def _share(program: Program) -> float:
    """Of a float32 sample: at most so much of it is rounding in float64."""
    match program.measure:
        case Measure.SQUARED_NORM:
            return float(np.sqrt(SAFETY * RATIO))
        case Measure.VALUE | Measure.OPERATOR:
            return SAFETY * RATIO
        case never:
            assert_never(never)


def _medians(programs: Sequence[Program], single: Task, groups: Sequence[Sequence[int]], width: int) -> list[float]:
    """Of ‖C‖ in float32, for each program; 0 where it overflows, or a norm does not settle."""
    found: dict[int, float] = {}
    for group, members in enumerate(groups):
        joint = single.joints[group]
        read = READINGS[single.reading(group, width)]
        most = single.most.get((group, width), MANY)
        request = Request(single.seed, single.dtype, single.threads, most=most)
        with np.errstate(all="ignore"):
            try:
                rows = read(joint, single.data, width, range(SAMPLES), request)
            except (np.linalg.LinAlgError, SamplingError):
                rows = np.full((len(members), SAMPLES), np.nan)
        for row, i in zip(rows, members, strict=True):
            middle = float(np.median(np.abs(as_norms(programs[i], row))))
            found[i] = middle if np.isfinite(middle) else 0.0
    return [found[i] for i in range(len(programs))]

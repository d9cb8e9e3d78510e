"""What would settle an inconclusive verdict: the cheapest extension of the run that narrows the interval enough.

A forecast, not a promise: it assumes that the exponent is where it is measured now, that errors of logarithms of
quantiles stay what they are, scaled by 1/√samples, and that drift widens the interval by the same factor as now.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy import stats

from tensorprog.scaling.fit import line
from tensorprog.scaling.quantiles import Points

DOUBLINGS = range(9)
MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
CONFIDENCE = 0.95
CLOSE = 0.02  # an exponent this near the end of the margin is not told from it by any reasonable run
AIM = 0.5  # of the margin: a half-width below which there is no point in asking for less
SAFETY = 1.5  # by which the forecast interval must be narrower than the room
COST = 2.0  # of a sample, as a power of n


def advise(found: Points, slope: float, interval: tuple[float, float], low: float, high: float, margin: float) -> str:
    """In words: the widths and samples at which the interval would fit the room between the slope and the margin."""
    ends = [end for end in (low, high) if np.isfinite(end)]
    room = min(abs(slope - end) for end in ends)
    inside = low <= slope <= high
    seen = f"the interval [{interval[0]:.2f}, {interval[1]:.2f}] reaches {'out of' if inside else 'into'} the margin"
    if _decides(interval, low, high):
        seen = f"the slope {slope:.2f} is outside the margin, but a correction in 1/n that fits the data allows the law"
    half_width = (interval[1] - interval[0]) / 2
    if room < CLOSE and half_width < AIM * margin:
        return f"{seen}; the slope is within {CLOSE} of the margin's end: use another margin, or much larger widths"
    plan = _cheapest(found, max(room, AIM * margin), half_width)
    if plan is None:
        return f"{seen}; widths beyond {_plain(found.widths[-1] * 2 ** DOUBLINGS[-1])} would be needed"
    widths, samples = plan
    shown = ", ".join(_plain(w) for w in widths)
    return f"{seen}; about {_plain(samples)} samples at widths {shown} should settle it"


def _decides(interval: tuple[float, float], low: float, high: float) -> bool:
    """Whether the interval alone would refute."""
    return interval[1] < low or interval[0] > high


def _cheapest(found: Points, room: float, half_width: float) -> tuple[list[float], float] | None:
    """The plan of least cost whose interval, that of an extrapolation in 1/n times today's excess, fits `room`."""
    excess = max(1.0, half_width / _half_width(found)) if len(found.widths) > 2 else 1.0
    best: tuple[float, list[float], float] | None = None
    for doublings, multiple in product(DOUBLINGS, MULTIPLES):
        count = len(found.widths) + doublings
        if count < 3 or (doublings == 0 and multiple == 1):
            continue
        widths = np.concatenate([found.widths, found.widths[-1] * 2.0 ** np.arange(1, doublings + 1)])
        covariance = np.concatenate([found.covariance, np.repeat(found.covariance[-1:], doublings, axis=0)]) / multiple
        counts = np.full(count, found.counts.max() * multiple)
        plan = Points(widths, np.zeros((count, found.logs.shape[1])), covariance, counts)
        cost = float(counts[0] * (widths**COST).sum())
        if SAFETY * excess * _half_width(plan) <= room and (best is None or cost < best[0]):
            best = cost, list(widths), float(counts[0])
    return None if best is None else (best[1], best[2])


def _half_width(plan: Points) -> float:
    """Of the 95 % interval of an extrapolation in 1/n."""
    critical = float(stats.t.ppf((1 + CONFIDENCE) / 2, plan.freedom))
    return critical * line(plan, "", [plan.widths[0] / plan.widths]).error


def _plain(value: float) -> str:
    return f"{value:.0f}"

"""Why a verdict is open, and what would settle it: the cheapest extension of the run that narrows what is allowed.

A forecast, not a promise: it assumes that the exponent is where it is measured now, that errors of logarithms of
quantiles stay what they are, scaled by 1/√samples, and that drift widens the interval by the same factor as now.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import assert_never

import numpy as np
from scipy import stats

from tensorprog.scaling.corrections import CONFIRMING, REFUTING, Interval, families_of, forecast
from tensorprog.scaling.fit import line
from tensorprog.scaling.quantiles import Points

DOUBLINGS = range(9)
MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
CONFIDENCE = 0.95
CLOSE = 0.02  # an exponent this near the end of the margin is not told from it by any reasonable run
AIM = 0.5  # of the margin: a half-width below which there is no point in asking for less
SAFETY = 1.5  # by which the forecast interval must be narrower than the room
COST = 2.0  # of a sample, as a power of n


class Reason(Enum):
    """Why a verdict is open."""

    LOGARITHM = auto()
    """The law has a factor n^o(1)."""
    FEW_SAMPLES = auto()
    MOSTLY_ZERO = auto()
    ROUNDING = auto()
    """All that was sampled is rounding errors."""
    REACHES_OUT = auto()
    """The interval contains exponents in and out of the margin, the slope is within it."""
    REACHES_IN = auto()
    """The same, and the slope is not."""
    CORRECTION_ALLOWS = auto()
    """The interval lies outside, and a finite-width correction could still hide the law."""
    CORRECTION_FORBIDS = auto()
    """The interval lies inside, and a finite-width correction could still imitate the law."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Widths, and samples at each."""

    widths: tuple[float, ...]
    samples: float


@dataclass(frozen=True, slots=True)
class Advice:
    """Why a verdict is open: measured slope and interval where there are any, `limit` a number that the reason names.

    plan: what should settle it. close: the slope is too near the end of the margin. largest: the width up to which
    no plan would do.
    """

    reason: Reason
    slope: float = float("nan")
    interval: Interval = (float("nan"), float("nan"))
    limit: float = 0.0
    plan: Plan | None = None
    close: bool = False
    largest: float | None = None

    def words(self, samples: str = "samples") -> str:
        """In English; `samples` says samples of what."""
        seen, low, high = self.reason, *self.interval
        match seen:
            case Reason.LOGARITHM:
                return "a factor n^o(1) cannot be told from a small power at any width"
            case Reason.FEW_SAMPLES:
                return f"fewer than {self.limit:g} {samples} at a width decide nothing; use at least {self.limit:g}"
            case Reason.MOSTLY_ZERO:
                return f"most {samples} are exactly 0; use more {samples}, or larger widths"
            case Reason.ROUNDING:
                return f"{samples} of at most {self.limit:.1g} are 0 to rounding; there is no exponent to read"
            case Reason.REACHES_OUT:
                told = f"the interval [{low:.2f}, {high:.2f}] reaches out of the margin"
            case Reason.REACHES_IN:
                told = f"the interval [{low:.2f}, {high:.2f}] reaches into the margin"
            case Reason.CORRECTION_ALLOWS:
                slope = f"the slope {self.slope:.2f} is outside the margin"
                told = f"{slope}, but a correction that fits the data allows the law"
            case Reason.CORRECTION_FORBIDS:
                told = (
                    f"the interval [{low:.2f}, {high:.2f}] lies within the margin, but a correction that fits the data "
                    f"allows exponents off by more than {self.limit:g}"
                )
            case _:
                assert_never(seen)
        if self.close:
            return f"{told}; the slope is within {CLOSE} of the margin's end: use another margin, or much larger widths"
        if self.plan is None:
            return told if self.largest is None else f"{told}; widths beyond {self.largest:.0f} would be needed"
        shown = ", ".join(f"{width:.0f}" for width in self.plan.widths)
        return f"{told}; about {self.plan.samples:.0f} {samples} at widths {shown} should settle it"

    def __str__(self) -> str:
        return self.words()


def advise(
    found: Points,
    levels: list[int],
    slope: float,
    interval: Interval,
    low: float,
    high: float,
    margin: float,
    reach: float,
) -> Advice:
    """For points whose verdict on [low, high] is open; `reach`: what corrections may allow beyond it, see `verdict`."""
    room = min(abs(slope - end) for end in (low, high) if np.isfinite(end))
    inside = low <= slope <= high
    if interval[1] < low or interval[0] > high:
        reason = Reason.CORRECTION_ALLOWS
    elif low <= interval[0] and interval[1] <= high:
        reason = Reason.CORRECTION_FORBIDS
    else:
        reason = Reason.REACHES_OUT if inside else Reason.REACHES_IN
    seen = Advice(reason, slope, interval, limit=margin + reach)
    half_width = (interval[1] - interval[0]) / 2
    if room < CLOSE and half_width < AIM * margin:
        return replace(seen, close=True)

    families = families_of(found, CONFIRMING if inside else REFUTING)

    def settles(plan: Points) -> bool:
        """Whether a run without drift whose slope is that of today would be decided, errors larger by `SAFETY`."""
        critical = SAFETY * _student(plan)
        least, most = forecast(plan, levels, critical, families)
        if inside:
            return low - reach <= slope + least and slope + most <= high + reach
        return slope + most < low or slope + least > high

    excess = max(1.0, half_width / _half_width(found)) if len(found.widths) > 2 else 1.0
    best: tuple[float, Plan] | None = None
    for doublings in DOUBLINGS:
        count = len(found.widths) + doublings
        widths = np.concatenate([found.widths, found.widths[-1] * 2.0 ** np.arange(1, doublings + 1)])
        covariance = np.concatenate([found.covariance, np.repeat(found.covariance[-1:], doublings, axis=0)])
        for multiple in MULTIPLES:
            samples = float(found.counts.max() * multiple)
            cost = samples * float((widths**COST).sum())
            if count < 3 or (doublings == 0 and multiple == 1) or (best is not None and cost >= best[0]):
                continue
            flat = np.zeros((count, found.logs.shape[1]))
            plan = Points(widths, flat, covariance / multiple, np.full(count, samples))
            narrow = SAFETY * excess * _half_width(plan) <= max(room, AIM * margin)
            if narrow and settles(plan):
                best = cost, Plan(tuple(widths), samples)
    if best is None:
        return replace(seen, largest=float(found.widths[-1] * 2 ** DOUBLINGS[-1]))
    return replace(seen, plan=best[1])


def _student(plan: Points) -> float:
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, plan.freedom))


def _half_width(plan: Points) -> float:
    """Of the 95 % interval of an extrapolation in 1/n."""
    return _student(plan) * line(plan, "", [plan.widths[0] / plan.widths]).error

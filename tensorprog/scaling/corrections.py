"""Families of finite-width corrections, and the exponents that each of them allows.

A size q_n = A n^s (1 + what vanishes) looks like another power over a few octaves where the correction is large and
slow. No fit can tell how it goes on; what can be told is which exponents s some correction *of moderate size* makes
compatible with the samples. With n_1 the smallest width and z = (n_1/n)^a, a quantile is multiplied by

- *sum*: 1 + β z, as where a term that is smaller by n^(-a) adds up, or cancels;
- *inverse*: 1/(1 + β z), as where it saturates;
- *exponential*: exp(b z), whose slope drifts like n^(-a), as of averages whose summands have a heavy tail.

Each is worth at most a factor `largest` either way at n_1: unbounded, a sum in its limit β → ∞ is another power law,
and fits every exponent. Each quantile has a coefficient of its own, and where a size concentrates a power of its own.

`allowed` is the profile interval of s over such a family, on a grid over the coefficients; intercepts and s are solved
for. Logarithms get an error of `RESOLUTION` more: corrections of another shape are not followed any better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import assert_never

import numpy as np
from scipy import special

from tensorprog.scaling.fit import Projection
from tensorprog.scaling.quantiles import LEVELS, Array, Points

Interval = tuple[float, float]
GRID = 257
COARSE = 33  # grid of a forecast
RESOLUTION = 0.005  # of a logarithm: half a step of the grid, and what a correction of another shape leaves
REJECTED = 1e-3  # below this p-value a family says nothing about s


class Form(Enum):
    """How a correction depends on z."""

    SUM = auto()
    INVERSE = auto()
    EXPONENTIAL = auto()


@dataclass(frozen=True, slots=True)
class Family:
    """Corrections of one form in (n_1/n)^a with a of the median and of the 0.9 quantile, up to a factor `largest`."""

    form: Form
    powers: tuple[float, float]
    largest: float

    def logs(self, ratio: Array, level: int, grid: int) -> Array:
        """(grid, K): logarithms of the correction of a quantile at widths n, `ratio` = n_1/n."""
        z = ratio ** self.powers[level]
        steps = np.sinh(np.linspace(-2.0, 2.0, grid)) / np.sinh(2.0)  # finer where corrections are small
        at_first = steps[:, None] * np.log(self.largest)
        match self.form:
            case Form.SUM:
                return np.asarray(np.log1p(np.expm1(at_first) * z))
            case Form.INVERSE:
                return np.asarray(-np.log1p(np.expm1(at_first) * z))
            case Form.EXPONENTIAL:
                return np.asarray(at_first * z)
            case _:
                assert_never(self.form)


FAMILIES = (
    Family(Form.SUM, (1.0, 1.0), 16.0),
    Family(Form.INVERSE, (1.0, 1.0), 16.0),
    Family(Form.SUM, (0.5, 0.5), 9.0),
    Family(Form.INVERSE, (0.5, 0.5), 9.0),
    Family(Form.SUM, (1.0, 0.5), 9.0),
    Family(Form.SUM, (0.75, 0.75), 7.0),
    Family(Form.INVERSE, (0.75, 0.75), 7.0),
)
"""Of every size; the fifth where fluctuations of order 1/√n move a median by 1/n only, the last two as of terms in 1/√n
and in 1/n of one sign together."""
MODERATE = tuple(replace(family, largest=5.0) for family in FAMILIES[:4])
"""Of sizes about which something is proved already."""
SLOW = (0.25, 0.125)
"""Powers of exponential corrections, see `families_of`."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How large the corrections are that a verdict must survive.

    root: the largest factor of corrections in 1/√n. tail: see `families_of`.
    """

    root: float
    tail: float


CONFIRMING = Reach(root=12.0, tail=2.0)  # three widths within a factor 4 hide an eightfold one in their noise
REFUTING = Reach(root=9.0, tail=4.0)
UNKNOWN = 100.0  # their largest factor where the spread of a size is not known


@dataclass(frozen=True, slots=True)
class Profile:
    """What one family says: χ² of its best fit with `freedom` degrees of freedom, and an interval."""

    chi2: float
    freedom: int
    interval: Interval

    @property
    def p_value(self) -> float:
        """Probability of a larger χ²; 1 where nothing is left to test."""
        return float(special.chdtrc(self.freedom, self.chi2)) if self.freedom > 0 else 1.0


def profile(points: Points, family: Family, levels: Sequence[int], critical: float, grid: int = GRID) -> Profile:
    """{s : min over the coefficients of χ² - χ²_min ≤ critical²}.

    levels: which quantile each column of the logarithms is, 0 the median, 1 the 0.9 quantile.
    """
    algebra = Projection.of(points)
    kinds = points.logs.shape[1]
    left = algebra.residual @ algebra.white(points.logs)
    moved, costs, slopes = [], [], []
    for column, level in enumerate(levels):
        logs = family.logs(points.widths[0] / points.widths, level, grid)
        white = (logs[:, :, None] * algebra.whitening[:, :, column]).reshape(grid, -1)
        residual = white @ algebra.residual.T
        moved.append(residual)
        costs.append(np.sum(residual**2, axis=1) - 2 * residual @ left)
        slopes.append(white @ algebra.slope_of)
    if kinds == 2:
        chi2 = 2 * moved[0] @ moved[1].T
        chi2 += costs[0][:, None]
        chi2 += costs[1]
    else:
        chi2 = costs[0]
    least = float(chi2.min())
    inside = np.nonzero(chi2 <= least + critical**2)  # few of the grid
    slope = algebra.slope(points.logs) - sum(part[place] for part, place in zip(slopes, inside, strict=True))
    spread = algebra.error * np.sqrt(critical**2 + least - chi2[inside])
    interval = float((slope - spread).min()), float((slope + spread).max())
    best = float(left @ left) + least
    return Profile(best, points.logs.size - 1 - 2 * kinds, interval)


def families_of(points: Points, reach: Reach = CONFIRMING) -> list[Family]:
    """`FAMILIES`, and corrections of averages of heavy tails, which grow until they see the tail.

    A lognormal size of log-spread τ has a mean exp(τ²/2) times its median: what the tail can still add. They are worth
    at most `reach.tail` times that in logarithms, with the τ that the two quantiles show at the smallest width.
    """
    largest = UNKNOWN
    if points.logs.shape[1] == 2:
        spread = float(points.logs[0, 1] - points.logs[0, 0]) / special.ndtri(LEVELS[1])
        largest = float(np.exp(reach.tail * np.clip(spread, 0.1, 5.0) ** 2 / 2))
    roots = [replace(family, largest=reach.root) if family.powers == (0.5, 0.5) else family for family in FAMILIES]
    return [*roots, *(Family(Form.EXPONENTIAL, (power, power), largest) for power in SLOW)]


def allowed(points: Points, levels: Sequence[int], critical: float, families: Sequence[Family]) -> Interval:
    """From the least to the largest s that a family which the data do not reject allows.

    Where the data reject all of them, errors grow until the best one fits.
    """
    coarse = _coarse(points)
    profiles = [profile(coarse, family, levels, critical) for family in families]
    best = max(profiles, key=lambda found: found.p_value)
    if best.p_value < REJECTED:
        wider = replace(coarse, covariance=coarse.covariance * (best.chi2 / best.freedom))
        profiles = [profile(wider, family, levels, critical) for family in families]
    return union([found.interval for found in profiles if found.p_value >= REJECTED])


def forecast(points: Points, levels: Sequence[int], critical: float, families: Sequence[Family]) -> Interval:
    """What the families allow about the slope of a run without noise that has the errors of these points."""
    coarse = _coarse(points)
    return union([profile(coarse, family, levels, critical, COARSE).interval for family in families])


def _coarse(points: Points) -> Points:
    return replace(points, covariance=points.covariance + RESOLUTION**2 * np.eye(points.logs.shape[1]))


def union(intervals: Sequence[Interval]) -> Interval:
    """The smallest interval that contains all."""
    return min(low for low, _ in intervals), max(high for _, high in intervals)

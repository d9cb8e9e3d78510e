"""Fits of log q_n = a + s log n + (what a finite width adds), and what they say together about s.

Every fit is a generalised least-squares fit of the logarithms of both quantiles at all widths with one slope s and an
intercept for each quantile (if |C_n| n^(-s) converges in law, its quantiles share s). They differ in what they add:

- *straight line*, over all widths or without the smallest ones;
- *extrapolation in 1/n*, in 1/√n: b/n, b/√n, with a b for each quantile; and b/n with b'/√n for the 0.9 quantile alone,
  as where a size concentrates: fluctuations of order 1/√n move its median by 1/n only.

`average` weighs them by exp(-AIC/2), AIC = χ² + 2 (parameters) + 2 (points left out), with variance
Σ w σ² + Σ w (s - s̄)² (Jay and Neil, Phys. Rev. D 103, 114502, 2021; Buckland, Burnham and Augustin, Biometrics 53,
1997): drift that the data show widens it. Drift that they do not show, but allow, is left to `corrections`.

Known limit: the average trusts odd powers of n^(-1/2) less than whole powers of 1/n (`HALF_POWER_PRIOR`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from tensorprog.scaling.quantiles import Array, Points

HALF_POWER_PRIOR = 0.1
POOR_FIT = 0.05  # below this p-value of the best fit, errors of the average are scaled by √(χ²/ν)


@dataclass(frozen=True, slots=True)
class Fit:
    """One fit: slope s ± error, χ² with `freedom` degrees of freedom, and the Akaike criterion."""

    name: str
    slope: float
    error: float
    chi2: float
    freedom: int
    aic: float
    prior: float = 1.0

    @property
    def p_value(self) -> float:
        """Probability of a larger χ² were the model true; 1 where nothing is left to test."""
        return float(special.chdtrc(self.freedom, self.chi2)) if self.freedom > 0 else 1.0


@dataclass(frozen=True, slots=True)
class Average:
    """Slope ± error over several fits, their weights, and the factor by which a poor best fit scaled the error."""

    slope: float
    error: float
    weights: tuple[tuple[str, float], ...]
    scale: float

    def describe(self) -> str:
        """Which fits carry the average, in words."""
        if len(self.weights) == 1:
            words = self.weights[0][0]
        else:
            shown = sorted(self.weights, key=lambda pair: -pair[1])
            words = "average of " + ", ".join(f"{name} {weight:.0%}" for name, weight in shown if weight >= 0.05)
        return words if self.scale == 1 else f"{words}; no fit is good, errors scaled by {self.scale:.2g}"


@dataclass(frozen=True, slots=True)
class Projection:
    """The linear algebra of a design (slope first): slope = `slope_of`·y, residuals = `residual` y, both whitened."""

    whitening: Array
    slope_of: Array
    residual: Array
    error: float
    parameters: int

    def white(self, logs: Array) -> Array:
        """(…, K, J) to (…, K·J)."""
        white: Array = np.einsum("kij,...kj->...ki", self.whitening, logs)
        return white.reshape(*logs.shape[:-2], -1)

    def slope(self, logs: Array) -> Array:
        """(…, K, J) to (…): the fitted slopes."""
        return np.asarray(self.white(logs) @ self.slope_of)

    @classmethod
    def of(cls, points: Points, corrections: Sequence[Array] = ()) -> Projection:
        """Slope, an intercept for each quantile, and the corrections.

        One of shape (K,) has a coefficient for each quantile, one of shape (K, J) a single coefficient.
        """
        kinds = points.logs.shape[1]
        each = np.eye(kinds)
        columns = [np.repeat(np.log(points.widths)[:, None, None], kinds, axis=1)]
        for shape in [np.ones_like(points.widths), *corrections]:
            columns.append(shape[:, None, None] * each if shape.ndim == 1 else shape[:, :, None])
        whitening = points.whitening()
        design = np.einsum("kij,kjp->kip", whitening, np.concatenate(columns, axis=2))
        design = design.reshape(-1, design.shape[2])
        inverse = np.linalg.pinv(design)
        residual = np.eye(len(design)) - design @ inverse
        return cls(whitening, inverse[0], residual, float(np.linalg.norm(inverse[0])), design.shape[1])


def line(points: Points, name: str, corrections: Sequence[Array] = (), *, left_out: int = 0, prior: float = 1.0) -> Fit:
    """The generalised least-squares fit with corrections as `Projection.of` takes; `left_out` counts points dropped."""
    algebra = Projection.of(points, corrections)
    chi2 = float(np.sum((algebra.residual @ algebra.white(points.logs)) ** 2))
    aic = chi2 + 2 * algebra.parameters + 2 * left_out
    freedom = points.logs.size - algebra.parameters
    return Fit(name, float(algebra.slope(points.logs)), algebra.error, chi2, freedom, aic, prior)


def linear_fits(points: Points) -> list[Fit]:
    """Straight lines over all widths and over the larger ones, and extrapolations in 1/n and 1/√n.

    At least three widths stay in a line that leaves some out; extrapolations need three widths.
    """
    count, kinds = points.logs.shape
    fits = [line(points, "straight line")]
    for first in range(1, min(count // 2, count - 3) + 1):
        name = f"straight line from n = {points.widths[first]:g}"
        fits.append(line(points.from_width(first), name, left_out=first * kinds))
    if count >= 3:
        inverse = points.widths[0] / points.widths
        fits.append(line(points, "extrapolation in 1/n", [inverse]))
        fits.append(line(points, "extrapolation in 1/√n", [np.sqrt(inverse)], prior=HALF_POWER_PRIOR))
    if count >= 5:
        if kinds == 2:
            upper = np.sqrt(inverse)[:, None] * np.array([0.0, 1.0])
            fits.append(line(points, "extrapolation in 1/n, and in 1/√n of the 0.9 quantile", [inverse, upper]))
        rest = points.from_width(1)
        name = f"extrapolation in 1/n from n = {rest.widths[0]:g}"
        fits.append(line(rest, name, [rest.widths[0] / rest.widths], left_out=kinds))
    return fits


def average(fits: Sequence[Fit]) -> Average:
    """Akaike-weighted slope with variance within and between fits; scaled up when even the best fit is poor."""
    aic = np.array([fit.aic for fit in fits])
    weights = np.array([fit.prior for fit in fits]) * np.exp(-(aic - aic.min()) / 2)
    weights /= weights.sum()
    slopes = np.array([fit.slope for fit in fits])
    errors = np.array([fit.error for fit in fits])
    slope = float(weights @ slopes)
    variance = float(weights @ (errors**2 + (slopes - slope) ** 2))
    best = max(fits, key=lambda fit: fit.p_value)
    scale = float(np.sqrt(best.chi2 / best.freedom)) if best.p_value < POOR_FIT else 1.0
    names = tuple((fit.name, float(weight)) for fit, weight in zip(fits, weights, strict=True))
    return Average(slope, float(np.sqrt(variance)) * max(scale, 1.0), names, max(scale, 1.0))


def local_slopes(points: Points) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Slopes between consecutive widths, both quantiles combined, and their standard errors."""
    fits = [
        line(Points(*(part[k : k + 2] for part in (points.widths, points.logs, points.covariance, points.counts))), "")
        for k in range(len(points.widths) - 1)
    ]
    return tuple(fit.slope for fit in fits), tuple(fit.error for fit in fits)

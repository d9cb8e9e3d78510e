"""Quantiles of a random size at several widths, and their bootstrap, without sorting a single resample.

A growth class of a random tensor is a statement in probability, not about moments, so it is read off quantiles of the
norm. Resampling m sorted values x_(1) ≤ … ≤ x_(m) with replacement and sorting again gives x_(⌊m U_(r)⌋+1) at rank r,
where U_(1) < … < U_(m) are ordered uniforms; those are partial sums of Gamma variables over their total (Rényi's
representation). A few Gammas per resample therefore draw from the ordinary bootstrap exactly, for any m.

Known limit: the bootstrap variance of a quantile has itself a relative error of order m^(-1/4) (Hall and Martin,
Probab. Theory Relat. Fields 80, 1988). Errors are therefore smoothed over the widths, and `Points.freedom` turns
what is left into degrees of freedom of Student's t.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEVELS = (0.5, 0.9)
SMALLEST_ERROR = 1e-8  # of a logarithm: samples that do not fluctuate still carry rounding errors
LARGEST_CORRELATION = 0.99
ZERO_DRAWS = 0.05  # a quantile that vanishes in more resamples than this has no usable logarithm


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Sample quantiles: `values` (K, 2) at K widths and the two `LEVELS`, `draws` (resamples, K, 2), `counts` (K,)."""

    values: Array
    draws: Array
    counts: Array

    @property
    def errors(self) -> Array:
        """(K, 2), bootstrap standard errors."""
        return np.asarray(self.draws.std(axis=0, ddof=1))

    def usable(self) -> list[int]:
        """Which levels are positive at every width, in nearly every resample, so that a logarithm makes sense."""
        zeros = (self.draws <= 0).mean(axis=0)
        return [j for j in range(len(LEVELS)) if (self.values[:, j] > 0).all() and (zeros[:, j] <= ZERO_DRAWS).all()]


@dataclass(frozen=True, slots=True)
class Points:
    """What is fitted: logarithms (K, J) of J quantiles at K widths, and their covariance (K, J, J) at each width."""

    widths: Array
    logs: Array
    covariance: Array
    counts: Array

    def from_width(self, first: int) -> Points:
        """Without the `first` smallest widths."""
        return Points(self.widths[first:], self.logs[first:], self.covariance[first:], self.counts[first:])

    def whitening(self) -> Array:
        """(K, J, J): W with W covariance Wᵀ = 1."""
        return np.linalg.inv(np.linalg.cholesky(self.covariance))

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the estimated errors: relative variance 2/ν = m^(-1/2) a width, pooled over widths."""
        return float(2 * np.sqrt(self.counts).sum())


def _positions(count: int) -> tuple[Array, Array, Array]:
    """Lower rank, upper rank and weight of the upper one: the median-unbiased quantile (Hyndman and Fan's number 8)."""
    place = np.clip((count + 1 / 3) * np.array(LEVELS) + 1 / 3, 1, count)
    lower = np.floor(place)
    return lower, np.minimum(lower + 1, count), place - lower


def quantiles(samples: Sequence[Array], resamples: int, generator: np.random.Generator) -> Quantiles:
    """The 0.5 and 0.9 quantiles of each array of `samples`, with bootstrap draws; checked input is assumed."""
    values = np.empty((len(samples), len(LEVELS)))
    draws = np.empty((resamples, *values.shape))
    for k, sample in enumerate(samples):
        ordered = np.sort(sample)
        count = ordered.size
        lower, upper, weight = _positions(count)

        def blend(below: Array, above: Array, weight: Array = weight) -> Array:
            return (1 - weight) * below + weight * above

        values[k] = blend(ordered[lower.astype(int) - 1], ordered[upper.astype(int) - 1])
        ranks = np.unique(np.concatenate([lower, upper]))
        shapes = np.diff(np.concatenate([[0.0], ranks, [count + 1.0]]))
        sums = np.cumsum(generator.standard_gamma(shapes, size=(resamples, shapes.size)), axis=1)
        uniforms = sums[:, :-1] / sums[:, -1:]
        drawn = ordered[np.minimum((count * uniforms).astype(int), count - 1)]
        draws[:, k] = blend(drawn[:, np.searchsorted(ranks, lower)], drawn[:, np.searchsorted(ranks, upper)])
    return Quantiles(values, draws, np.array([sample.size for sample in samples], dtype=np.float64))


def log_draws(found: Quantiles, usable: Sequence[int]) -> Array:
    """(resamples, K, J): logarithms of the resampled quantiles; the rare zeros count as the smallest positive draw."""
    draws = found.draws[:, :, list(usable)]
    smallest = np.where(draws > 0, draws, np.inf).min(axis=0)
    logs: Array = np.log(np.maximum(draws, smallest))
    return logs


def points(widths: Array, found: Quantiles, usable: Sequence[int]) -> Points:
    """Logarithms of the usable quantiles, with errors smoothed over the widths where they vary smoothly.

    At three widths or more, log(√m error) is replaced by its least-squares line in log n unless an error is off that
    line by more than a factor 2, and the correlation of the quantiles by its mean.
    """
    drawn = log_draws(found, usable)
    centred = drawn - drawn.mean(axis=0)
    covariance = np.einsum("rki,rkj->kij", centred, centred) / (len(drawn) - 1)
    errors = np.maximum(np.sqrt(np.einsum("kii->ki", covariance)), SMALLEST_ERROR)
    correlation = covariance / (errors[:, :, None] * errors[:, None, :])
    if len(widths) >= 3:
        root = np.sqrt(found.counts)[:, None]
        line = np.stack([np.ones_like(widths), np.log(widths)], axis=1)
        smooth = np.exp(line @ np.linalg.lstsq(line, np.log(errors * root), rcond=None)[0]) / root
        if (np.abs(np.log(errors / smooth)) < np.log(2)).all():
            errors = smooth
            correlation = np.broadcast_to(correlation.mean(axis=0), correlation.shape)
    correlation = np.clip(correlation, -LARGEST_CORRELATION, LARGEST_CORRELATION)
    diagonal = np.arange(len(usable))
    correlation[:, diagonal, diagonal] = 1.0
    logs = np.log(found.values[:, list(usable)])
    return Points(widths, logs, correlation * errors[:, :, None] * errors[:, None, :], found.counts)

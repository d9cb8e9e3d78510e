"""Randomised quasi-Monte Carlo, for more dimensions than the quadratures take.

The mean over independently scrambled Sobol sequences (Owen 1995; scipy.stats.qmc.Sobol) is unbiased. The error is
three standard errors of that mean: an estimate, which one case in a hundred or so exceeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy import special, stats

from tensorprog.functions import Function
from tensorprog.functions.base import Array, Order
from tensorprog.limits.factors import Factor
from tensorprog.limits.trapezoid import EPS

SCRAMBLINGS = 16
STANDARD_ERRORS = 3
DIMENSIONS = 4  # that points are kept of
Memory = dict[tuple[Function, Order, bytes, bytes], Array]
"""Values of factors by function, order, and the law of their arguments."""


def quasi_monte_carlo(
    factors: Sequence[Factor], mean: Array, root: Array, points: int, memory: Memory
) -> tuple[Array, Array, Array]:
    """E Π_f ∂ψ_f(m + L w) for means (elements, k) and roots L (elements, k, r): mean, rounding error, and deviations.

    The last are those of every scrambling from the mean, (elements, scramblings). All expectations have the scramblings
    in common, so that the deviations of a sum are the sums of deviations. A single element's factors are remembered.
    """
    results = np.empty((len(mean), SCRAMBLINGS))
    w = _gaussian_points(root.shape[-1], points)
    for i in range(len(mean)):
        value = np.ones(())
        for factor in factors:
            value = value * _values(factor, mean[i], root[i], w, memory if len(mean) == 1 else {})
        results[i] = np.broadcast_to(value, w.shape[1:]).mean(-1)
    average = results.mean(1)
    return average, 8 * EPS * np.abs(results).max(1), results - average[:, None]


def standard_errors(deviations: Array) -> Array:
    """Three standard errors of the mean over the scramblings, the last axis."""
    return np.asarray(STANDARD_ERRORS * np.sqrt((deviations**2).sum(-1) / (SCRAMBLINGS * (SCRAMBLINGS - 1))))


def _values(factor: Factor, mean: Array, root: Array, w: Array, memory: Memory) -> Array:
    """∂ψ at m + L w, (scramblings, points)."""
    function, order, arguments = factor
    places = list(arguments)
    key = function, order, root[places].tobytes(), mean[places].tobytes()
    known = memory.get(key)
    if known is None:
        z = (mean[i] + np.tensordot(root[i], w, 1) for i in places)
        known = memory[key] = np.asarray(function.evaluate(order, *z))
    return known


@lru_cache(maxsize=DIMENSIONS)
def _gaussian_points(dimension: int, points: int) -> Array:
    """Standard Gaussian points (dimension, scramblings, points), the same at every call."""
    result = np.empty((dimension, SCRAMBLINGS, points))
    for seed in range(SCRAMBLINGS):
        uniform = stats.qmc.Sobol(dimension, scramble=True, rng=seed).random(points).T
        result[:, seed] = special.ndtri(np.clip(uniform, 2.0**-40, 1 - 2.0**-40))
    result.setflags(write=False)
    return result

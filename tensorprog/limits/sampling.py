"""Randomised quasi-Monte Carlo, for more dimensions than the quadratures take.

The mean over independently scrambled Sobol sequences (Owen 1995; scipy.stats.qmc.Sobol) is unbiased. The error is
three standard errors of that mean: an estimate, which one case in a hundred or so exceeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy import special, stats

from tensorprog.functions.base import Array
from tensorprog.limits.factors import Factor, product
from tensorprog.limits.trapezoid import BLOCK, EPS, blocks

SCRAMBLINGS = 16
STANDARD_ERRORS = 3


def quasi_monte_carlo(factors: Sequence[Factor], mean: Array, root: Array, points: int) -> tuple[Array, Array]:
    """E Π_f ∂ψ_f(m + L w) and its error, for means (elements, k) and roots L (elements, k, r)."""
    results = np.zeros((SCRAMBLINGS, len(mean)))
    for seed in range(SCRAMBLINGS):
        w = _gaussian_points(root.shape[-1], points, seed)
        for some in blocks(len(mean), BLOCK // points):
            z = [mean[some, i, None] + root[some, i] @ w for i in range(root.shape[1])]
            results[seed, some] = product(factors, z).mean(-1)
    error = STANDARD_ERRORS * results.std(0, ddof=1) / np.sqrt(SCRAMBLINGS)
    return results.mean(0), error + 8 * EPS * np.abs(results).max(0)


@lru_cache(maxsize=SCRAMBLINGS)
def _gaussian_points(dimension: int, points: int, seed: int) -> Array:
    """Standard Gaussian points (dimension, points), the same at every call."""
    uniform = stats.qmc.Sobol(dimension, scramble=True, rng=seed).random(points).T
    result = special.ndtri(np.clip(uniform, 2.0**-40, 1 - 2.0**-40))
    result.setflags(write=False)
    return np.asarray(result)

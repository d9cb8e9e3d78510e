"""Averages at small variances by Taylor series: nothing cancels in 1 - cos z or z - tanh z but what truly does.

For functions of one coordinate A_m = E f^{(m)}(z) is a sum of moments, and E[f(x) g(y)] = Σ_m Σ_xy^m/m! A_m B_m
(Price 1958). Where the variance is not small against the square of the radius of convergence the series diverges: two
lengths of it are compared, and their difference is in the error. The caller sees to it that nothing thin, of which the
series knows little, is within reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import factorial

import numpy as np
import numpy.typing as npt

from tensorprog.functions.base import Array
from tensorprog.functions.series import COUNT, taylor
from tensorprog.limits.factors import Factor
from tensorprog.limits.trapezoid import EPS, SAFETY

LARGEST = 0.1
CONVERGED = 1e-13
ROUNDINGS = 16
SHORTER = COUNT - 12


def series_of(factors: Sequence[Factor], size: int) -> list[Array] | None:
    """Taylor coefficients of the product of the factors of each coordinate; None where they are not known."""
    result = [np.eye(1, COUNT)[0] for _ in range(size)]
    for function, order, arguments in factors:
        found = taylor(function, order) if function.arity == 1 else None
        if found is None:
            return None
        (i,) = arguments
        result[i] = np.convolve(result[i], found)[:COUNT]
    return result


def expanded(
    series: Sequence[Array], variances: Sequence[Array], covariance: Array | None
) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
    """Value and error of E[f(x)], or of E[f(x) g(y)], from coefficients, and where the series has converged."""
    long, size = _sum(series, variances, covariance, COUNT)
    short, _ = _sum(series, variances, covariance, SHORTER)
    rest = SAFETY * np.abs(long - short)
    return long, rest + ROUNDINGS * EPS * size, np.isfinite(size) & (size > 0) & (rest <= CONVERGED * size)


def _sum(
    series: Sequence[Array], variances: Sequence[Array], covariance: Array | None, count: int
) -> tuple[Array, Array]:
    """The sum, and that of the sizes of its terms."""
    total, size = np.zeros((2, *variances[0].shape))
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        power: Array = np.ones_like(total)
        for m in range(count if covariance is not None else 1):
            value, sizes = power.copy(), np.abs(power)
            for c, v in zip(series, variances, strict=True):
                mean, much = _moments(c[:count], v, m)
                value, sizes = value * mean, sizes * much
            total, size = total + value, size + sizes
            if covariance is not None:
                power = power * (covariance / (m + 1))
    return total, size


def _moments(coefficients: Array, variance: Array, m: int) -> tuple[Array, Array]:
    """Σ_n c_{m+n} (m+n)!/n! E z^n for even n, and the same of sizes."""
    value, size = np.zeros((2, *variance.shape))
    moment: Array = np.ones_like(variance)
    for n in range(0, len(coefficients) - m, 2):
        term = moment * (coefficients[m + n] * float(factorial(m + n) // factorial(n)))
        value, size = value + term, size + np.abs(term)
        moment = moment * ((n + 1) * variance)
    return value, size

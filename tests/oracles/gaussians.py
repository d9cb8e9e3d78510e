"""Averages by plain means: formulas written out, Gauss–Legendre panels, numpy's Cholesky factor."""

from __future__ import annotations

from collections.abc import Callable
from math import pi, sqrt

import numpy as np
from scipy.special import erf, expit, ndtr

from tensorprog import functions as tp

Array = np.ndarray
Formula = Callable[[Array], Array]


def density(z: Array) -> Array:
    return np.exp(-z * z / 2) / sqrt(2 * pi)


SILU, BUMP, MIXED = (
    tp.expression(text) for text in ("z*sigmoid(z)", "exp(-z**2)*cos(3*z)", "sqrt(2)*erf(z/2) + z*sin(z)")
)
CUBIC, LEAKY = tp.polynomial(1, -0.5, 0, 2), tp.leaky_relu(0.1)

FORMULAS: dict[tp.Function, tuple[Formula, Formula, Formula]] = {
    tp.erf: (
        erf,
        lambda z: 2 / sqrt(pi) * np.exp(-z * z),
        lambda z: -4 / sqrt(pi) * z * np.exp(-z * z),
    ),
    tp.gelu: (
        lambda z: z * ndtr(z),
        lambda z: ndtr(z) + z * density(z),
        lambda z: (2 - z * z) * density(z),
    ),
    tp.sin: (np.sin, np.cos, lambda z: -np.sin(z)),
    tp.cos: (np.cos, lambda z: -np.sin(z), lambda z: -np.cos(z)),
    tp.exp: (np.exp, np.exp, np.exp),
    tp.identity: (lambda z: z, np.ones_like, np.zeros_like),
    CUBIC: (lambda z: 1 - z / 2 + 2 * z**3, lambda z: 6 * z * z - 0.5, lambda z: 12 * z),
    tp.tanh: (
        np.tanh,
        lambda z: np.cosh(z) ** -2.0,
        lambda z: -2 * np.tanh(z) * np.cosh(z) ** -2.0,
    ),
    tp.sigmoid: (
        expit,
        lambda z: expit(z) * expit(-z),
        lambda z: expit(z) * expit(-z) * (1 - 2 * expit(z)),
    ),
    tp.softplus: (lambda z: np.logaddexp(0, z), expit, lambda z: expit(z) * expit(-z)),
    SILU: (
        lambda z: z * expit(z),
        lambda z: expit(z) * (1 + z * expit(-z)),
        lambda z: expit(z) * expit(-z) * (2 + z * (1 - 2 * expit(z))),
    ),
    BUMP: (
        lambda z: np.exp(-z * z) * np.cos(3 * z),
        lambda z: -np.exp(-z * z) * (2 * z * np.cos(3 * z) + 3 * np.sin(3 * z)),
        lambda z: np.exp(-z * z) * ((4 * z * z - 11) * np.cos(3 * z) + 12 * z * np.sin(3 * z)),
    ),
    MIXED: (
        lambda z: sqrt(2) * erf(z / 2) + z * np.sin(z),
        lambda z: sqrt(2 / pi) * np.exp(-z * z / 4) + np.sin(z) + z * np.cos(z),
        lambda z: -z / sqrt(2 * pi) * np.exp(-z * z / 4) + 2 * np.cos(z) - z * np.sin(z),
    ),
}


def panels(start: float, end: float, count: int) -> tuple[Array, Array]:
    """Gauss–Legendre points and weights on [start, end]."""
    x, w = np.polynomial.legendre.leggauss(16)
    ends = np.linspace(start, end, count + 1)
    half = np.diff(ends)[:, None] / 2
    return ((ends[1:] + ends[:-1])[:, None] / 2 + half * x).ravel(), (half * w).ravel()


def average(formulas: list[tuple[Formula, int]], covariance: Array, mean: Array | None = None, count: int = 0) -> float:
    """E Π f(z_i) for (f, i), by a tensor rule; covariances of full rank, up to three coordinates."""
    size = len(covariance)
    x, w = panels(-13, 13, count or (24 if size < 3 else 8))
    grids = np.meshgrid(*[x] * size, indexing="ij")
    weights = np.ones(())
    for axis in range(size):
        weights = weights * (w * density(x)).reshape([-1 if i == axis else 1 for i in range(size)])
    lower = np.linalg.cholesky(covariance)
    z = [(0 if mean is None else mean[i]) + sum(lower[i, j] * grids[j] for j in range(size)) for i in range(size)]
    for formula, i in formulas:
        weights = weights * formula(z[i])
    return float(weights.sum())

"""The trapezoidal rule in one to three dimensions, for integrands analytic near the real axis times a Gaussian.

On the whole line its error falls like e^{-2πa/h}, a the distance of the nearest pole (Trefethen & Weideman, SIAM
Review 56, 2014, theorem 5.1). The step shrinks by √2 until two results agree; four times their difference is
the error, and it is infinite where the nodes allowed are too few for two steps.

Known limits: an integrand much narrower than it is said to be can be missed by both steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product as choices
from math import pi, sqrt

import numpy as np

from tensorprog.errors import ExpressionError
from tensorprog.functions.base import Array
from tensorprog.limits.factors import Factor, parity, product

EPS = float(np.finfo(float).eps)
TOLERANCE = 1e-11
SAFETY = 4
TAIL = 1e-16
NEAREST = 9
FARTHEST = 38
WIDEST = 0.5
BLOCK = 2**14  # nodes at a time: larger arrays cost a system call each
MOST_NODES = 2**21
KEPT_NODES = 2**18  # of a grid that is remembered
PROBED = 32


def trapezoid(factors: Sequence[Factor], mean: Array, root: Array, octave: float) -> tuple[Array, Array, Array]:
    """E Π_f ∂ψ_f(m + L w), its error, and E |Π_f ∂ψ_f|, for means (elements, k) and roots L (elements, k, r), r ≤ 3.

    2^octave is the largest standard deviation in units of the scale of the functions.
    """
    radius = reach(factors, mean, root)
    half = parity(factors) == 1 and not mean.any()
    dimension = root.shape[-1]
    finest = 2 * radius / (MOST_NODES ** (1 / dimension) - 1)
    step = max(min(WIDEST, 2.0**-octave), finest)
    value, error, size = np.zeros(len(mean)), np.full(len(mean), np.inf), np.zeros(len(mean))
    before, _ = _sums(factors, mean, root, _nodes(radius, step, dimension, half))
    left = np.arange(len(mean))
    while left.size and step >= finest * sqrt(2):
        step /= sqrt(2)
        now, scale = _sums(factors, mean[left], root[left], _nodes(radius, step, dimension, half))
        change = np.abs(now - before)
        value[left], error[left], size[left] = now, SAFETY * change + 8 * EPS * scale, scale
        going_on = ~(change <= TOLERANCE * scale)
        left, before = left[going_on], now[going_on]
    return value, error, size


def spread(root: Array) -> float:
    """The largest standard deviation."""
    return float(spreads(root).max(initial=0))


def spreads(root: Array) -> Array:
    """The largest standard deviation of every element."""
    return np.asarray(np.sqrt((root**2).sum(-1).max(-1, initial=0)))


def resolved(octave: float, dimension: int) -> bool:
    """Whether the nodes suffice for functions of unit scale at standard deviations up to 2^octave."""
    step = min(WIDEST, 2.0**-octave)
    return bool((2 * NEAREST * 2 / step) ** dimension <= MOST_NODES)


def reach(factors: Sequence[Factor], mean: Array, root: Array) -> float:
    """A radius outside of which the integrand is nothing, looked for along rays; that of a bounded one at least.

    The rays are the axes, their diagonals, and the directions in which coordinates, or all of them, grow; of many
    elements those with the largest variances and means are tried. Raises ExpressionError when none is found.
    """
    if len(mean) > 2 * PROBED:
        order = np.concatenate([np.argsort((root**2).sum((1, 2)))[-PROBED:], np.argsort(np.abs(mean).sum(1))[-PROBED:]])
        mean, root = mean[order], root[order]
    dimension = root.shape[-1]
    fixed = np.array([d for d in choices((-1.0, 0.0, 1.0), repeat=dimension) if any(d)])
    rows = np.concatenate([root, root.sum(1, keepdims=True)], 1)
    rays = np.concatenate([np.broadcast_to(fixed, (len(mean), *fixed.shape)), rows, -rows], 1)
    rays = rays / np.maximum(np.linalg.norm(rays, axis=-1, keepdims=True), 1e-300)
    radii = np.arange(FARTHEST + 1.0)
    z = mean[:, None, :, None] + np.einsum("eij,enj->eni", root, rays)[..., None] * radii
    with np.errstate(over="ignore", invalid="ignore"):
        height = np.abs(product(factors, [z[:, :, i] for i in range(root.shape[1])])) * np.exp(-(radii**2) / 2)
    height = np.broadcast_to(np.nan_to_num(height, nan=0, posinf=1e300), z[:, :, 0].shape)
    seen = height > TAIL * height.max((1, 2), keepdims=True)
    radius = float((seen * radii).max()) + 1
    if radius > FARTHEST:
        names = ", ".join(sorted({function.spec for function, _, _ in factors}))
        raise ExpressionError(
            f"the average of {names} at arguments of standard deviation {spread(root):.3g} is infinite or too large"
        )
    return max(radius, NEAREST)


def _nodes(radius: float, step: float, dimension: int, half: bool) -> tuple[Array, Array]:
    """Points (r, n) of a grid in a ball and Gaussian weights (n); one of each two opposite points if `half`."""
    kept = (2 * radius / step + 1) ** dimension <= KEPT_NODES
    return (_kept_grid if kept else _grid)(radius, step, dimension, half)


def _grid(radius: float, step: float, dimension: int, half: bool) -> tuple[Array, Array]:
    count = int(radius / step)
    line = np.arange(-count, count + 1) * step
    points = np.stack([x.ravel() for x in np.meshgrid(*[line] * dimension, indexing="ij")])
    weights = np.full(points.shape[1], (step / sqrt(2 * pi)) ** dimension)
    if half:
        middle = points.shape[1] // 2
        points, weights = points[:, : middle + 1], weights[: middle + 1]
        weights[:middle] *= 2
    square = (points**2).sum(0)
    inside = square <= radius**2
    return points[:, inside], (weights * np.exp(-square / 2))[inside]


_kept_grid = lru_cache(8)(_grid)


def blocks(length: int, size: int) -> Iterator[slice]:
    """Slices of at most this size."""
    for start in range(0, length, max(size, 1)):
        yield slice(start, start + max(size, 1))


def _sums(factors: Sequence[Factor], mean: Array, root: Array, nodes: tuple[Array, Array]) -> tuple[Array, Array]:
    """Weighted sums of the integrand and of its absolute value."""
    points, weights = nodes
    total, scale = np.zeros((2, len(mean)))
    for some in blocks(len(mean), BLOCK // len(weights)):
        for part in blocks(len(weights), BLOCK):
            z = [mean[some, i, None] + root[some, i] @ points[:, part] for i in range(root.shape[1])]
            with np.errstate(over="ignore", invalid="ignore"):
                values = np.broadcast_to(product(factors, z), z[0].shape)
                total[some] += values @ weights[part]
                scale[some] += np.abs(values) @ weights[part]
    return total, scale

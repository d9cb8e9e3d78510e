"""Gauss–Legendre panels in one and two dimensions for integrands with kinks on known lines.

In two dimensions, given the first variable the second is integrated between its kinks. What is left is smooth in the
first, except where two kinks cross, and fast where a kink runs through the range of the second: panels end there.
Panels are halved until two results agree; four times their difference is the error.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import ceil, pi, sqrt

import numpy as np

from tensorprog.functions.base import Array
from tensorprog.limits.factors import Factor, kinks, product
from tensorprog.limits.law import quotient
from tensorprog.limits.trapezoid import BLOCK, EPS, SAFETY, TOLERANCE, blocks, reach

POINTS = 16
PANEL = 3.0
HALVINGS = 2
MOST = 8.0


def panels(factors: Sequence[Factor], mean: Array, root: Array, octave: float) -> tuple[Array, Array, Array]:
    """E Π_f ∂ψ_f(m + L w), its error, and E |Π_f ∂ψ_f|, for means (elements, k) and roots L (elements, k, r), r ≤ 2.

    2^octave is the largest standard deviation in units of the scale of the functions.
    """
    radius = reach(factors, mean, root)
    lines = kinks(factors, mean.shape[-1])
    forms, places = np.array([c for c, _ in lines]), np.array([b for _, b in lines])
    offsets, slopes = mean @ forms.T - places, np.einsum("ci,eij->ecj", forms, root)
    smooth = any(function.smoothness is None for function, _, _ in factors)
    count = ceil(2 * radius / PANEL * (min(2.0**octave, MOST) if smooth else 1))
    value, error, size = np.zeros(len(mean)), np.full(len(mean), np.inf), np.zeros(len(mean))
    before, left = np.full(len(mean), np.inf), np.arange(len(mean))
    for halving in range(HALVINGS + 1):
        grids = tuple(
            np.linspace(-radius, radius, pieces * 2**halving + 1) for pieces in (count, ceil(2 * radius / PANEL))
        )
        now, scale = _sums(factors, mean[left], root[left], (offsets[left], slopes[left]), grids)
        change = np.abs(now - before)
        value[left], error[left], size[left] = now, SAFETY * change + 8 * EPS * scale, scale
        going_on = ~(change <= TOLERANCE * scale)
        left, before = left[going_on], now[going_on]
    return value, error, size


def _sums(
    factors: Sequence[Factor], mean: Array, root: Array, lines: tuple[Array, Array], grids: tuple[Array, ...]
) -> tuple[Array, Array]:
    """Integrals of the integrand and of its absolute value, with panels that end on the grid and at the kinks."""
    (offsets, slopes), (grid, passing) = lines, grids
    total, scale = np.zeros((2, len(mean)))
    inner = POINTS * (len(grid) + offsets.shape[1])
    for some in blocks(len(mean), BLOCK // inner):
        along = slopes[some, None, :, -1]
        if root.shape[-1] == 1:
            outer, outer_weight = np.zeros((len(mean[some]), 1)), np.ones((1, 1))
            shifted = offsets[some, None]
        else:
            outer, outer_weight = _legendre(_outer(offsets[some], slopes[some], grid, passing))
            shifted = offsets[some, None] + outer[..., None] * slopes[some, None, :, 0]
        for part in blocks(outer.shape[1], BLOCK // (inner * len(outer))):
            w, weight = _legendre(_ends(grid, _crossings(shifted[:, part], along)))
            at = [outer[:, part, None], w][-root.shape[-1] :]
            values = product(factors, _places(mean[some], root[some], at))
            values = values * weight * outer_weight[:, part, None]
            total[some] += values.sum((1, 2))
            scale[some] += np.abs(values).sum((1, 2))
    return total, scale


def _places(mean: Array, root: Array, at: Sequence[Array]) -> list[Array]:
    """z = m + L w, coordinate by coordinate, at points w given direction by direction."""
    shift, factor = mean[:, :, None, None], root[:, :, :, None, None]
    return [np.asarray(shift[:, i] + sum(factor[:, i, d] * x for d, x in enumerate(at))) for i in range(mean.shape[1])]


def _crossings(offsets: Array, slopes: Array) -> Array:
    """Where offset + slope · w = 0, at most a range's end away; parallel lines cross at 0, where it does no harm."""
    with np.errstate(over="ignore"):
        return np.nan_to_num(quotient(-offsets, slopes + 0 * offsets))


def _outer(offsets: Array, slopes: Array, grid: Array, passing: Array) -> Array:
    """Ends of panels in the first variable: the grid, where a kink passes points of the second, where two cross."""
    ends = [_crossings(offsets + t * slopes[..., 1], slopes[..., 0]) for t in passing]
    for i, j in combinations(range(offsets.shape[1]), 2):
        determinant = slopes[:, i, 0] * slopes[:, j, 1] - slopes[:, j, 0] * slopes[:, i, 1]
        across = slopes[:, i, 1] * offsets[:, j] - slopes[:, j, 1] * offsets[:, i]
        ends.append(_crossings(-across, determinant)[:, None])
    return _ends(grid, np.concatenate(ends, -1))


def _ends(grid: Array, more: Array) -> Array:
    """Sorted ends of panels: the grid and these, which are clipped to its range."""
    fixed = np.broadcast_to(grid, (*more.shape[:-1], len(grid)))
    return np.sort(np.concatenate([fixed, np.clip(more, grid[0], grid[-1])], -1), -1)


def _legendre(ends: Array) -> tuple[Array, Array]:
    """Points and weights, the standard Gaussian density included, of all panels in a row."""
    x, weight = np.polynomial.legendre.leggauss(POINTS)
    half, middle = np.diff(ends) / 2, (ends[..., 1:] + ends[..., :-1]) / 2
    points = (middle[..., None] + half[..., None] * x).reshape(*ends.shape[:-1], -1)
    weights = (half[..., None] * weight).reshape(points.shape)
    return points, weights * np.exp(-(points**2) / 2) / sqrt(2 * pi)

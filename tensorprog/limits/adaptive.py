"""Averages over one or two independent Gaussians at every scale: panels that end where the factors' meshes do.

With z = m + L w, given w_0 the second integral runs between the mesh points of all coordinates. What it leaves varies
in w_0 where coordinates of w_0 alone do, and where a mesh point of the others crosses the range of w_1: panels end
there too. Rules of two orders are compared, four times their difference is the error; panels are halved where it is
large. Elements are computed one by one: this is for those that the cheap rules leave, thin against their Gaussian.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import pi, sqrt

import numpy as np

from tensorprog.functions.base import Array
from tensorprog.limits.factors import Factor, product
from tensorprog.limits.meshes import mesh
from tensorprog.limits.trapezoid import EPS, FARTHEST, NEAREST, SAFETY, TOLERANCE, blocks, reach

ORDERS = (12, 16)
PANEL = 2.0
HALVINGS = 2
BLOCK = 2**18
PASSING = np.array([-9.0, -4, -2, -1, -0.5, 0, 0.5, 1, 2, 4, 9])


@dataclass(frozen=True, eq=False)
class _Marks:
    """Mesh points of all factors at a coordinate, and the kinks among them."""

    ends: Array
    kinks: Array
    range: float


def adaptive(factors: Sequence[Factor], mean: Array, root: Array) -> tuple[Array, Array, Array]:
    """E Π_f ∂ψ_f(m + L w), its error, and E |Π_f ∂ψ_f|, for means (elements, k) and roots L (elements, k, r), r ≤ 2.

    The error is infinite where a mesh ends before the Gaussian does.
    """
    marks = _marks(factors, mean.shape[-1])
    value, error, size = np.empty((3, len(mean)))
    for i in range(len(mean)):
        radius = reach(factors, mean[i : i + 1], root[i : i + 1])
        value[i], error[i], size[i] = _element(factors, mean[i], root[i], marks, radius)
    return value, error, size


def _marks(factors: Sequence[Factor], size: int) -> list[_Marks]:
    found = []
    for i in range(size):
        meshes = [mesh(f, order) for f, order, arguments in factors if i in arguments]
        ends, kinks = (np.unique(np.concatenate(x)) for x in ([m.ends for m in meshes], [m.kinks for m in meshes]))
        found.append(_Marks(ends, kinks, min(m.range for m in meshes)))
    return found


def _element(
    factors: Sequence[Factor], mean: Array, root: Array, marks: Sequence[_Marks], radius: float
) -> tuple[float, float, float]:
    one = root.shape[1] == 1
    spread = np.sqrt((root**2).sum(1))
    known = all(abs(m) + NEAREST * s <= x.range for m, s, x in zip(mean, spread, marks, strict=True))
    integral = _Line(factors, mean, root[:, 0], marks) if one else _Plane(factors, mean, root, marks)
    value, error, scale = 0.0, np.inf, 0.0
    for far in sorted({radius, float(FARTHEST)}) if one else [radius]:
        ends = integral.ends(far)
        for halving in range(HALVINGS + 1):
            if halving:
                ends = np.sort(np.concatenate([ends, (ends[1:] + ends[:-1]) / 2]))
            (rough, _), (value, scale) = (integral(ends, far, order) for order in ORDERS)
            change = abs(value - rough)
            error = SAFETY * change + 8 * EPS * scale
            if change <= TOLERANCE * scale:
                break
        if scale > 0:
            break
    return value, error if known else np.inf, scale


def _crossed(points: Array, offset: float | Array, slope: float, radius: float) -> Array:
    """Where offset + slope · w meets the points, between −radius and radius."""
    if slope == 0:
        return np.empty(0)
    with np.errstate(over="ignore"):
        w = (points - offset) / slope
    return w[np.abs(w) < radius]


@dataclass(frozen=True, eq=False)
class _Line:
    """∫ Π ψ(m + l w) dγ(w)."""

    factors: Sequence[Factor]
    mean: Array
    slope: Array
    marks: Sequence[_Marks]

    def ends(self, radius: float) -> Array:
        found = [_grid(radius)]
        for m, s, x in zip(self.mean, self.slope, self.marks, strict=True):
            found.append(_crossed(x.ends, m, s, radius))
        return np.unique(np.concatenate(found))

    def __call__(self, ends: Array, radius: float, order: int) -> tuple[float, float]:
        w, weight = points_of(ends, order)
        values = product(self.factors, [m + s * w for m, s in zip(self.mean, self.slope, strict=True)]) * weight
        return float(values.sum()), float(np.abs(values).sum())


@dataclass(frozen=True, eq=False)
class _Plane:
    """∫∫ Π ψ(m + L w) dγ(w_1) dγ(w_0)."""

    factors: Sequence[Factor]
    mean: Array
    root: Array
    marks: Sequence[_Marks]

    def ends(self, radius: float) -> Array:
        """Of the panels in w_0."""
        found = [_grid(radius)]
        for m, (s, t), x in zip(self.mean, self.root, self.marks, strict=True):
            if t == 0:
                found.append(_crossed(x.ends, m, s, radius))
            elif abs(t) < 4 * abs(s):  # otherwise smooth at the scale of w_0
                thin = _thinned(x.ends, x.kinks, abs(t) / 4)
                found += [_crossed(thin, m, s, radius), *(_crossed(x.kinks, m + t * p, s, radius) for p in PASSING)]
                found += [_crossed(_clusters(x.ends, abs(t) / 4), m + t * p, s, radius) for p in PASSING]
        lines = [(m, s, t, x.kinks) for m, (s, t), x in zip(self.mean, self.root, self.marks, strict=True) if t]
        for i, (m, s, t, kinks) in enumerate(lines):  # where two kinks cross
            for n, u, v, others in lines[:i]:
                for b in kinks:
                    found.append(_crossed((b - m) * v - (others - n) * t, 0.0, s * v - u * t, radius))
        return np.unique(np.concatenate(found))

    def inner(self, radius: float) -> list[tuple[float, float, float, Array]]:
        """(m, L_0, L_1, mesh) of the coordinates that w_1 moves, their meshes cut to what is within its reach."""
        found = []
        for m, (s, t), x in zip(self.mean, self.root, self.marks, strict=True):
            if t:
                widest = abs(m) + radius * (abs(s) + abs(t))
                found.append((m, s, t, x.ends[np.abs(x.ends) < widest]))
        return found

    def __call__(self, ends: Array, radius: float, order: int) -> tuple[float, float]:
        outer, outer_weight = points_of(ends, order)
        still = [(f, o, a) for f, o, a in self.factors if not any(self.root[i, 1] for i in a)]
        moving = [f for f in self.factors if f not in still]
        places = [m + s * outer for m, s in zip(self.mean, self.root[:, 0], strict=True)]
        outer_weight = outer_weight * product(still, places)
        kept = outer_weight != 0
        outer, outer_weight = outer[kept], outer_weight[kept]
        grid, inner = _grid(radius), self.inner(radius)
        count = order * (len(grid) + sum(len(x) for _, _, _, x in inner))
        total = scale = 0.0
        for some in blocks(len(outer), BLOCK // count):
            w0 = outer[some, None]
            found = [np.broadcast_to(grid, (len(w0), len(grid)))]
            with np.errstate(over="ignore"):
                found += [np.clip((x - m - s * w0) / t, -radius, radius) for m, s, t, x in inner]
            w1, weight = points_of(np.sort(np.concatenate(found, 1), 1), order)
            used = weight.any(0)
            w1, weight = w1[:, used], weight[:, used]
            z = [m + s * w0 + t * w1 for m, (s, t) in zip(self.mean, self.root, strict=True)]
            values = product(moving, z) * weight
            total += float(values.sum(1) @ outer_weight[some])
            scale += float(np.abs(values).sum(1) @ np.abs(outer_weight[some]))
        return total, scale


def _thinned(points: Array, kept: Array, gap: float) -> Array:
    """Points at least this gap apart, and those to keep."""
    if not gap or not len(points):
        return points
    places = np.floor(points / gap)
    first = np.concatenate([[True], np.diff(places) > 0])
    return np.unique(np.concatenate([points[first], kept]))


def _clusters(points: Array, gap: float) -> Array:
    """Middles of gaps that hold more than one point."""
    if not gap:
        return np.empty(0)
    places, counts = np.unique(np.round(points / gap), return_counts=True)
    return np.asarray(places[counts > 1] * gap)


def _grid(radius: float) -> Array:
    return np.linspace(-radius, radius, 2 * int(np.ceil(radius / PANEL)) + 1)


@lru_cache
def _rule(order: int) -> tuple[Array, Array]:
    x, weight = np.polynomial.legendre.leggauss(order)
    return x, weight


def points_of(ends: Array, order: int) -> tuple[Array, Array]:
    """Points and weights, the standard Gaussian density included, of all panels in a row, on the last axis."""
    x, weight = _rule(order)
    half, middle = np.diff(ends) / 2, (ends[..., 1:] + ends[..., :-1]) / 2
    points = (middle[..., None] + half[..., None] * x).reshape(*ends.shape[:-1], -1)
    weights = (half[..., None] * weight).reshape(points.shape)
    return points, weights * np.exp(-(points**2) / 2) / sqrt(2 * pi)

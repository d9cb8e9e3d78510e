"""Averages over one or two independent Gaussians of what has kinks or jumps on curves: found, and panels end there.

Nested factors tell what changes sign at their kinks. Its zeros on a line are bracketed on a grid, turning points that
come near 0 between grid points included, and halved to the last bit; Gauss–Legendre panels end there. Over two
Gaussians the inner integral is done so for every node of the outer one. What is left, as where curves turn, two rules
disagree about: panels are halved until they agree. Errors are `SAFETY` times all differences that are left.

Known limit: what changes sign twice within `PANEL/FINER` without turning like a parabola there is not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tensorprog.functions.base import Array
from tensorprog.limits.adaptive import points_of
from tensorprog.limits.factors import Factor, product
from tensorprog.limits.nested import Nested
from tensorprog.limits.trapezoid import EPS, SAFETY, reach

ORDERS = (11, 16)
PANEL = 0.5
FINER = 16  # points of the grid to a panel
LEVELS = 60
GOLDEN = (np.sqrt(5) - 1) / 2
TARGET = 1e-12  # differences that are let be, in units of the average of sizes
INNER = 1e-15  # the same of an inner integral, by the weight of its node; never more than the next
COARSEST = 1e-3
MOST_NODES = 2**25  # of an element; what is left then enters the error

Rows = NDArray[np.intp]
Sized = tuple[Array, Array, Array]
Integrand = Callable[[Rows, Array, Array], Sized]
"""Values, errors and sizes (panels, nodes) at rows (panels,) and nodes of these weights."""
Breaks = Callable[[Rows, Array], Sequence[Array]]
"""What changes sign at kinks: (rows, nodes) each."""


def bisected(factors: Sequence[Factor], mean: Array, root: Array) -> Sized:
    """E Π_f ∂ψ_f(m + L w), its error, and E |Π_f ∂ψ_f|, for means (elements, k) and roots L (elements, k, r), r ≤ 2."""
    value, error, size = np.empty((3, len(mean)))
    for i in range(len(mean)):
        radius = reach(factors, mean[i : i + 1], root[i : i + 1])
        with np.errstate(over="ignore", invalid="ignore"):
            value[i], error[i], size[i] = _Element(factors, mean[i], root[i], radius)()
    return value, np.where(np.isfinite(error), error, np.inf), size


class _Element:
    """One average; `nodes` counts what it took."""

    def __init__(self, factors: Sequence[Factor], mean: Array, root: Array, radius: float) -> None:
        self.mean, self.root, self.radius, self.nodes = mean, root, radius, 0
        moved = [any(root[i, -1] for i in a) for _, _, a in factors]
        self.moving = [f for f, x in zip(factors, moved, strict=True) if x]
        self.still = [f for f, x in zip(factors, moved, strict=True) if not x]

    def __call__(self) -> tuple[float, float, float]:
        if self.root.shape[1] == 1:
            whole = self.halved(self.line, self.breaks_of_line, np.array([TARGET]))
        else:
            whole = self.halved(self.plane, self.breaks_of_plane, np.array([TARGET]))
        return float(whole[0, 0]), float(whole[1, 0] + 8 * EPS * whole[2, 0]), float(whole[2, 0])

    def places(self, first: Array) -> list[Array]:
        return [m + s * first for m, s in zip(self.mean, self.root[:, 0], strict=True)]

    def line(self, _: Rows, w: Array, __: Array) -> Sized:
        self.nodes += w.size
        value = np.broadcast_to(product([*self.still, *self.moving], self.places(w)), w.shape)
        return value, np.zeros(()), np.abs(value)

    def breaks_of_line(self, _: Rows, w: Array) -> Sequence[Array]:
        return _breaks(self.moving, self.places(w))

    def plane(self, _: Rows, w: Array, weight: Array) -> Sized:
        """The inner integrals at all nodes, as if each were a row."""
        outer = w.ravel()

        def places(rows: Rows, inner: Array) -> list[Array]:
            return [x + t * inner for x, t in zip(self.places(outer[rows][:, None]), self.root[:, 1], strict=True)]

        def inside(rows: Rows, inner: Array, _: Array) -> Sized:
            self.nodes += inner.size
            value = np.broadcast_to(product(self.moving, places(rows, inner)), inner.shape)
            return value, np.zeros(()), np.abs(value)

        target = np.minimum(INNER / np.maximum(weight.ravel(), INNER), COARSEST)
        found = self.halved(inside, lambda rows, inner: _breaks(self.moving, places(rows, inner)), target)
        before = product(self.still, self.places(w))
        value, error, size = found.reshape(3, *w.shape)
        return value * before, error * np.abs(before), size * np.abs(before)

    def breaks_of_plane(self, _: Rows, w: Array) -> Sequence[Array]:
        return _breaks(self.still, self.places(w))

    def halved(self, integrand: Integrand, breaks: Breaks, target: Array) -> Array:
        """(3, rows): Gaussian averages of the integrand, their errors, and averages of its size; a target a row."""
        rows = len(target)
        row, ends = self.panels(breaks, rows)
        whole = np.zeros((3, rows))
        for level in range(LEVELS + 1):
            (rough, _, _), (value, error, size) = (self.sums(integrand, row, ends, order) for order in ORDERS)
            change = np.abs(value - rough)
            far = change > target[row] * (whole[2].max() + np.bincount(row, size, rows).max())
            if level == LEVELS or self.nodes > MOST_NODES:
                far[:] = False
            for total, part in zip(whole, (value, SAFETY * change + error, size), strict=True):
                total += np.bincount(row[~far], part[~far], rows)
            if not far.any():
                break
            middle = ends[far].mean(1)
            ends = np.concatenate([np.stack([ends[far, 0], middle], 1), np.stack([middle, ends[far, 1]], 1)])
            row = np.tile(row[far], 2)
        return whole

    def sums(self, integrand: Integrand, row: Rows, ends: Array, order: int) -> Sized:
        """Value, error and size of the integral over every panel (panels, 2)."""
        w, weight = points_of(ends, order)
        w, weight = w.reshape(len(ends), -1), weight.reshape(len(ends), -1)
        value, error, size = (np.broadcast_to(x, w.shape) for x in integrand(row, w, weight))
        return (value * weight).sum(1), (error * weight).sum(1), (size * weight).sum(1)

    def panels(self, breaks: Breaks, rows: int) -> tuple[Rows, Array]:
        """Rows and ends (panels, 2) of what lies between grid points and zeros."""
        count = 2 * int(np.ceil(self.radius / PANEL))
        grid = np.linspace(-self.radius, self.radius, count * FINER + 1)
        found = [(np.repeat(np.arange(rows), count + 1), np.tile(grid[::FINER], rows))]
        for index, values in enumerate(breaks(np.arange(rows), np.broadcast_to(grid, (rows, len(grid))))):
            found.append(self.zeros(partial(_one, breaks, index), values, grid))
        row, end = (np.concatenate(x) for x in zip(*found, strict=True))
        order = np.lexsort((end, row))
        row, end = row[order], end[order]
        kept = (row[1:] == row[:-1]) & (end[1:] > end[:-1])
        return row[:-1][kept], np.stack([end[:-1], end[1:]], 1)[kept]

    def zeros(self, at: Callable[[Rows, Array], Array], values: Array, grid: Array) -> tuple[Rows, Array]:
        """Rows and places of sign changes of a function with these values (rows, grid)."""
        below = np.broadcast_to(values, (len(values), len(grid))) < 0
        row, place = np.nonzero(below[:, 1:] != below[:, :-1])
        low, high = grid[place], grid[place + 1]
        sign = np.where(below, -1.0, 1.0)
        before, here, after = (sign[:, 1:-1] * values[:, part] for part in (slice(-2), slice(1, -1), slice(2, None)))
        turns = (here >= 0) & (here <= before) & (here <= after) & (here <= before - 2 * here + after)
        turning, place = np.nonzero(turns & (before > 0) & (after > 0))
        if turning.size:
            left, right = grid[place], grid[place + 2]
            least = _lowest(at, turning, left, right, sign[turning, place + 1])
            crossed = (at(turning, least) < 0) != below[turning, place + 1]
            turning, left, least, right = (x[crossed] for x in (turning, left, least, right))
            row, low, high = (
                np.concatenate(x) for x in ((row, turning, turning), (low, left, least), (high, least, right))
            )
        first = at(row, low) < 0 if row.size else np.zeros(0, dtype=bool)
        for _ in range(LEVELS if row.size else 0):
            middle = (low + high) / 2
            same = (at(row, middle) < 0) == first
            low, high = np.where(same, middle, low), np.where(same, high, middle)
        return row, high


def _lowest(at: Callable[[Rows, Array], Array], row: Rows, low: Array, high: Array, sign: Array) -> Array:
    """Where sign · f is least in each interval, by golden sections."""
    for _ in range(LEVELS):
        one, other = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        down = sign * at(row, one) < sign * at(row, other)
        low, high = np.where(down, low, one), np.where(down, other, high)
    return np.asarray((low + high) / 2)


def _one(breaks: Breaks, index: int, row: Rows, w: Array) -> Array:
    """One of the functions at one place a row."""
    return breaks(row, w[:, None])[index][:, 0]


def _breaks(factors: Sequence[Factor], places: Sequence[Array]) -> list[Array]:
    found: list[Array] = []
    for function, _, arguments in factors:
        z = [places[i] for i in arguments]
        if isinstance(function, Nested):
            found += function.breaks(z)
        else:
            for c, b in function.lines:
                found.append(np.asarray(sum((float(s) * x for s, x in zip(c, z, strict=True) if s), -float(b))))
    shape = np.broadcast_shapes(*(x.shape for x in places))
    return [np.broadcast_to(x, shape) for x in found]

"""Errors of whole kernel matrices, entry (i, j) bounded by a_i b_j, from what is known of rows and of columns alone.

The sum of two such bounds is below one of their kind by Cauchy and Schwarz, a product of two is one. For an average of
f(u) g(v), with Hermite expansions in the correlation r of u and v,

    |∂E/∂Cov(u, v)| = |E f' g'| ≤ (E f'²)^½ (E g'²)^½,    |∂E/∂Var(u)| = ½ |E f'' g| ≤ ½ (E f''²)^½ (E g²)^½,

of f, g and their derivatives in one Gaussian each. Where f jumps by J at p, f' has a point mass, and the average of two
has the density at (p, q) in place of E f' g': at most e^{-p²/4s²} e^{-q²/4t²}/(2π s t (1-r²)^½), s and t the standard
deviations. (Price, IRE Trans. Inf. Theory 4, 1958)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from tensorprog.errors import TensorProgramError
from tensorprog.functions import Function, identity
from tensorprog.limits.estimates import EPS, Estimate
from tensorprog.limits.expectations import average
from tensorprog.limits.scalars import Affine, Equations, Expectation, Number, Product, Scalar, Sum, Symbol, Value

Array = NDArray[np.float64]
TINY = 1e-30  # of 1 - r²


@dataclass(frozen=True, slots=True)
class Envelope:
    """Entry (i, j) of something is at most left_i · right_j: shapes (rows, 1) and (1, columns), or broadcast."""

    left: Array
    right: Array

    def __mul__(self, other: Envelope) -> Envelope:
        return Envelope(self.left * other.left, self.right * other.right)


NOTHING = Envelope(np.zeros((1, 1)), np.zeros((1, 1)))


def united(parts: Sequence[Envelope]) -> Envelope:
    """Above the sum: Σ a b ≤ (Σ a²)^½ (Σ b²)^½, the parts scaled so that their two sides are of one size."""
    left: Array = np.zeros((1, 1))
    right: Array = np.zeros((1, 1))
    for part in parts:
        a, b = (float(np.max(x, initial=0, where=np.isfinite(x))) for x in (part.left, part.right))
        if np.any(part.left) and np.any(part.right):
            balance = np.sqrt(b / a) if a > 0 and b > 0 else 1.0  # of what is infinite, or not known, there is no size
            left = left + (part.left * balance) ** 2
            right = right + (part.right / balance) ** 2
    return Envelope(np.sqrt(left), np.sqrt(right))


@dataclass(frozen=True, slots=True)
class Side:
    """One factor of an average of two: its Gaussian's variance and mean as estimates, what it is averaged with."""

    function: Function
    order: int
    variance: Estimate
    mean: Estimate


@dataclass(frozen=True, slots=True)
class Moments:
    """Of a factor f by rows: (E f²)^½; (E f'²)^½ and the mass of f'; what errors of its own law make of it, masses too.

    deviation: that of its argument. turn: by how much of itself the correlation moves where the variance moves alone.
    """

    size: Array
    slope: Array
    slope_mass: Array
    spread: Array
    spread_mass: Array
    deviation: Array
    turn: Array

    def whole_slope(self, near: float) -> Array:
        return self.slope + near * self.slope_mass

    def whole_spread(self, near: float) -> Array:
        return self.spread + near * self.spread_mass


@dataclass(frozen=True, slots=True)
class Seen:
    """What the blocks of a matrix have shown of an average: its own errors, and the largest |correlation|."""

    rounding: Envelope
    correlation: float


class UnboundedError(Exception):
    """The equations have a part whose error cannot be bounded by rows and columns."""


class Envelopes:
    """The errors of the nodes that depend on both inputs.

    rows: estimates of all nodes that depend on one input or none. symbols: sizes and errors of averages over both.
    seen: of every average over both.
    """

    def __init__(
        self,
        equations: Equations,
        rows: Mapping[int, Estimate],
        symbols: Mapping[str, tuple[Envelope, Envelope]],
        seen: Mapping[int, Seen],
    ) -> None:
        self.equations, self.rows, self.symbols, self.seen = equations, rows, symbols, seen
        self._moments: dict[tuple[Function, int, Value, Value], Moments] = {}

    def __call__(self, nodes: Sequence[int], mixed: set[int]) -> tuple[Envelope, Envelope]:
        """Size and error of the last of the nodes; `mixed` are those that depend on both inputs."""
        found: dict[int, tuple[Envelope, Envelope]] = {}
        for here in nodes:
            found[here] = self._of(here, found) if here in mixed else self._row(here)
        return found[nodes[-1]]

    def _row(self, here: int) -> tuple[Envelope, Envelope]:
        estimate = self.rows[here]
        return _sided(np.abs(estimate.value)), _sided(estimate.whole_error)

    def _of(self, here: int, found: Mapping[int, tuple[Envelope, Envelope]]) -> tuple[Envelope, Envelope]:
        node = self.equations.nodes[here]
        match node:
            case Symbol(name):
                return self.symbols[name]
            case Sum(terms):
                sizes = [_times(abs(float(c)), found[x][0]) for c, x in terms]
                errors = [_times(abs(float(c)), found[x][1]) for c, x in terms]
                size = united(sizes)
                return size, united([*errors, *(_times(len(terms) * EPS, x) for x in sizes)])
            case Product(factors):
                return self._product([found[x] for x in factors])
            case Expectation():
                return self._average(here, node, found)
            case Scalar():
                raise UnboundedError
            case Number():
                return self._row(here)
            case _:
                assert_never(node)

    def _product(self, parts: Sequence[tuple[Envelope, Envelope]]) -> tuple[Envelope, Envelope]:
        size, error = parts[0]
        for more, off in parts[1:]:
            error = united([error * more, size * off, error * off])
            size = size * more
        return size, united([error, _times(EPS * len(parts), size)])

    def _average(
        self, here: int, node: Expectation, found: Mapping[int, tuple[Envelope, Envelope]]
    ) -> tuple[Envelope, Envelope]:
        """Of f(u) g(v), u of one input and v of the other."""
        one, other = sides(node)
        f, g = self._moments_of(node, one, 0), self._moments_of(node, other, 1)
        both = node.covariance[1]
        covariance = NOTHING if both is None else found[both][1]
        seen = self.seen[here]
        near = max(1 - seen.correlation**2, TINY) ** -0.25
        slopes = f.whole_slope(near), g.whole_slope(near)
        turn = _crossed(f.deviation * slopes[0], g.deviation * slopes[1])
        parts = [
            seen.rounding,
            _crossed(*slopes) * covariance,
            _crossed(f.whole_spread(near), g.size),
            _crossed(f.size, g.whole_spread(near)),
            _sided(f.turn) * turn,
            _sided(g.turn) * turn,
        ]
        return _crossed(f.size, g.size), united(parts)

    def _moments_of(self, node: Expectation, side: tuple[Function, int], i: int) -> Moments:
        function, order = side
        entry, centre = node.covariance[2 * i], node.mean[i]
        key = function, order, entry, centre
        if key not in self._moments:
            variance, mean = (Estimate(0.0, 0.0) if x is None else self.rows[x] for x in (entry, centre))
            self._moments[key] = moments(Side(function, order, variance, mean))
        return self._moments[key]


def sides(node: Expectation) -> tuple[tuple[Function, int], tuple[Function, int]]:
    """The functions and orders of an average of f(u) g(v); raises UnboundedError for another one."""
    if len(node.mean) != 2 or len(node.factors) != 2:
        raise UnboundedError
    found: dict[int, tuple[Function, int]] = {}
    for factor in node.factors:
        match factor.args:
            case (Affine(index),) if index not in found:
                found[index] = factor.function, factor.order[0]
            case _:
                raise UnboundedError
    return found[0], found[1]


def moments(side: Side) -> Moments:
    """By averages in one dimension; raises UnboundedError where one cannot be taken."""
    f, k = side.function, side.order
    variance, mean = np.asarray(side.variance.value, dtype=float), np.asarray(side.mean.value, dtype=float)
    off, shift = np.asarray(side.variance.whole_error), np.asarray(side.mean.whole_error)
    shape = np.broadcast_shapes(variance.shape, mean.shape)
    deviation = np.sqrt(np.maximum(variance, 0))

    def root(order: int, lever: bool = False) -> Array:
        """(E f^{(order)}²)^½, of (u - E u) f^{(order)} for a lever."""
        factors = [(f, (order,), (0,))] * 2 + [(identity, (0,), (1,))] * (2 * lever)
        entries = {(0, 0): variance, (0, 1): variance, (1, 1): variance}
        try:
            value = average(factors, shape, entries, [mean, np.zeros_like(mean)]).value
        except TensorProgramError:
            raise UnboundedError from None
        return np.asarray(np.sqrt(np.maximum(value, 0)))

    def mass(order: int, lever: bool = False) -> Array:
        """Σ |J| e^{-(p-m)²/(4s²)}/√(2π s²) over the jumps of f^{(order)}, of |p - m| |J| for a lever."""
        total: Array = np.zeros(shape)
        for kink, jump in _jumps(f, order):
            away = float(kink) - mean
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                density = np.exp(-(away**2) / (4 * variance)) / (np.sqrt(2 * np.pi) * deviation)
            density = np.where(deviation > 0, density, np.where(off > 0, np.inf, 0))
            total = total + abs(float(jump)) * density * (np.abs(away) if lever else 1)
        return total

    slope, slope_mass = root(k + 1), mass(k)
    turn: Array = np.zeros(shape)
    if np.any(slope_mass):  # the variance moves the scale of the argument, at one correlation, and the correlation
        with np.errstate(divide="ignore", invalid="ignore"):
            turn = np.where(off == 0, 0, off / (2 * variance))
        spread, spread_mass = _weighted(turn, root(k + 1, lever=True)), _weighted(turn, mass(k, lever=True))
    else:
        spread, spread_mass = _weighted(off / 2, root(k + 2)), _weighted(off / 2, mass(k + 1))
    spread, spread_mass = spread + _weighted(shift, slope), spread_mass + _weighted(shift, slope_mass)
    return Moments(root(k), slope, slope_mass, spread, spread_mass, deviation, turn)


def _weighted(weight: Array, size: Array) -> Array:
    """Weight times size; nothing where the weight is nothing, whatever the size."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(weight == 0, 0, weight * size))


def _jumps(f: Function, order: int) -> Sequence[tuple[Fraction, Fraction]]:
    try:
        return f.jumps(order)
    except TensorProgramError:
        raise UnboundedError from None


def _times(factor: float, part: Envelope) -> Envelope:
    return Envelope(factor * part.left, part.right)


def _sided(array: Array | float) -> Envelope:
    """Something that depends on rows (rows, 1), on columns (1, columns), or on neither."""
    whole = np.atleast_2d(np.asarray(array, dtype=float))
    one = np.ones((1, 1))
    return Envelope(one, whole) if whole.shape[0] == 1 and whole.shape[1] > 1 else Envelope(whole, one)


def _crossed(one: Array, other: Array) -> Envelope:
    """Of two sides, one by rows and the other by columns, in whatever order."""
    return _sided(one) * _sided(other)

"""Functions written with abs, sign, heaviside, max or min, as max(-1, min(z, 1)): smooth between rational kinks.

Derivatives are those almost everywhere, and at a kink the mean of both sides; `jumps` tells what sits there.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import pairwise
from math import inf
from typing import final

import numpy as np
import sympy

from tensorprog.errors import ExpressionError
from tensorprog.functions import analysis, trees
from tensorprog.functions.base import Array, Degree, Interval, Order, Univariate, rational

MAX_ORDER = 64
DIGITS = 50
NOTHING = 1e-40


@final
@dataclass(frozen=True, eq=False, repr=False)
class Piecewise(Univariate):
    """A function of z0 by its canonical text, its kinks, and the trees between them; make one with `expression`."""

    text: str
    ends: tuple[Fraction, ...]
    pieces: tuple[sympy.Expr, ...]
    z: sympy.Symbol

    @property
    def spec(self) -> str:
        return f"expression({self.text})"

    @property
    def kinks(self) -> tuple[Fraction, ...]:  # type: ignore[override]  # a constant of other classes, here a field of the record
        return self.ends

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """Those of the pieces."""
        ends = [-inf, *map(float, self.ends), inf]
        return tuple(pairwise(ends))

    @cached_property
    def smoothness(self) -> int:  # type: ignore[override]  # a constant of other classes, here read off the pieces
        for order in range(MAX_ORDER):
            if self.jumps(order):
                return order + 1
        raise ExpressionError(f"{self.spec} is smoother at its kinks than derivatives of order {MAX_ORDER} tell")

    @cached_property
    def regular(self) -> bool:  # type: ignore[override]  # a constant of other classes, here read off the pieces
        pairs = zip(self.pieces, self.intervals, strict=True)
        return all(analysis.is_regular(piece, (self.z,), (interval,)) for piece, interval in pairs)

    @cached_property
    def exponential(self) -> bool:  # type: ignore[override]  # a constant of other classes, here read off the pieces
        return all(analysis.exponential_type(piece, (self.z,)) for piece in self.pieces)

    def piece_trees(self, k: int) -> tuple[sympy.Expr, ...]:
        """The k-th derivative between the kinks."""
        return tuple(trees.differentiate(piece, (self.z,), (k,)) for piece in self.pieces)

    def jumps(self, order: int) -> tuple[tuple[Fraction, Fraction], ...]:
        return _jumps(self, order)

    def derivative(self, k: int, z: Array) -> Array:
        kinks = np.array([float(x) for x in self.kinks], z.dtype)
        place, after = np.searchsorted(kinks, z, "left"), np.searchsorted(kinks, z, "right")
        result = np.empty_like(z)
        for i, tree in enumerate(self.piece_trees(k)):
            some = place == i
            if some.any():
                result[some] = trees.evaluate_tree(tree, {self.z: z[some]})
            other = (after == i) & ~some
            if other.any():  # on a kink, and the left side is there already
                result[other] = (result[other] + trees.evaluate_tree(tree, {self.z: z[other]})) / 2
        return result

    def rounding(self, order: Order, *args: Array) -> Array:
        (z,) = args
        place = np.searchsorted(np.array([float(x) for x in self.kinks], z.dtype), z)
        result = np.zeros_like(z)
        for i, tree in enumerate(self.piece_trees(order[0])):
            if (some := place == i).any():
                result[some] = trees.rounding_of(tree, {self.z: z[some]})
        return result

    def growth(self, k: int) -> Degree:
        """Of the two unbounded pieces; the others are bounded where the function is regular."""
        if not self.regular:
            return None
        found, intervals = self.piece_trees(k), self.intervals
        ends = [analysis.growth(found[i], (self.z,), (intervals[i],))[0] for i in (0, -1)]
        return None if None in ends else max(t for t in ends if t is not None)

    def symmetry_of(self, k: int) -> int | None:
        if tuple(-x for x in reversed(self.kinks)) != self.kinks:
            return None
        found = self.piece_trees(k)
        for sign in (1, -1):
            mirrored = [sign * tree.xreplace({self.z: -self.z}) for tree in reversed(found)]
            if all(analysis.vanishes(a - b) for a, b in zip(found, mirrored, strict=True)):
                return sign
        return None

    def constant_of(self, k: int) -> Fraction | None:
        values = {sympy.expand(tree) if tree.free_symbols else tree for tree in self.piece_trees(k)}
        if len(values) > 1:
            return None
        (value,) = values
        return Fraction(int(value.p), int(value.q)) if value.is_Rational else None

    def formula(self, z: sympy.Symbol) -> sympy.Expr:
        between = [trees.standard(piece).xreplace({self.z: z}) for piece in self.pieces]
        cases = [(piece, z < rational(kink)) for piece, kink in zip(between, self.kinks, strict=False)]
        return sympy.Piecewise(*cases, (between[-1], True))


@lru_cache(maxsize=1024)
def _jumps(function: Piecewise, order: int) -> tuple[tuple[Fraction, Fraction], ...]:
    found = []
    between = [trees.standard(tree) for tree in function.piece_trees(order)]
    for kink, left, right in zip(function.kinks, between[:-1], between[1:], strict=True):
        at = {function.z: rational(kink)}
        try:
            jump = sympy.simplify(right.xreplace(at) - left.xreplace(at))
        except ZeroDivisionError:
            jump = sympy.nan
        if not jump.is_finite:
            raise ExpressionError(f"{function.spec} is not bounded at its kink {kink}; use one that is")
        if jump.is_Rational:
            size = Fraction(int(jump.p), int(jump.q))
        else:
            number = jump.evalf(DIGITS)
            size = Fraction(float(number)) if abs(number) > NOTHING else Fraction(0)
        if size:
            found.append((kink, size))
    return tuple(found)

"""Weak derivatives of functions that jump: point masses, and functions whose derivatives bring them.

A function f that jumps by [f] at a has the derivative f' + [f] δ(z - a): what Stein's lemma and the Poincaré–Mehler
formula ask for, and what a gradient of a program, taken almost everywhere, leaves out. Of a product of two functions
that jump at one place D(f g) = f̄ Dg + ḡ Df, with the mean f̄ of both sides; of more the parts depend on each other, and
are refused.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import prod
from typing import final

import numpy as np
import sympy

from tensorprog.errors import ExpressionError
from tensorprog.functions import Function
from tensorprog.functions.base import Array, Degree, Univariate, rational

EXACT = 10**9


@final
class PointMass(Univariate):
    """δ(z - at), as a factor of an expectation; no function, so it has no values.

    at: None where the place is no number, or the mass meets what is not defined there; `reason` says why.
    """

    def __init__(self, at: Fraction | None, reason: str = "") -> None:
        self.at, self.reason = at, reason
        self._spec = f"point_mass({reason if at is None else at})"

    @property
    def spec(self) -> str:
        return self._spec

    def derivative(self, k: int, z: Array) -> Array:
        raise ExpressionError(f"{self.spec} has no values, only averages")

    def growth(self, k: int) -> Degree:
        return None

    def formula(self, z: sympy.Symbol) -> sympy.Expr:
        return sympy.DiracDelta(z - rational(self.at or Fraction(0)))


@final
class Weak(Function):
    """The derivative ψ^{(base)} of a function of one argument that jumps; its own derivatives are weak ones."""

    def __init__(self, function: Function, base: int) -> None:
        self.function, self.base = function, base
        self.smoothness = 1
        self.kinks = function.kinks
        self.exponential, self.regular = function.exponential, function.regular

    @property
    def spec(self) -> str:
        return f"weak({self.function.spec}, {self.base})"

    @property
    def arity(self) -> int:
        return 1

    def jumps(self, order: int) -> tuple[tuple[Fraction, Fraction], ...]:
        return self.function.jumps(self.base + order)

    def is_zero(self, order: tuple[int, ...]) -> bool:
        return self.function.is_zero((self.base + order[0],)) and not any(map(self.jumps, range(order[0])))

    def constant(self, order: tuple[int, ...]) -> Fraction | None:
        return None if any(map(self.jumps, range(order[0]))) else self.function.constant((self.base + order[0],))

    def degrees(self, order: tuple[int, ...]) -> tuple[Degree, ...]:
        return self.function.degrees((self.base + order[0],))

    def parity(self, order: tuple[int, ...], argument: int) -> int | None:
        return self.function.parity((self.base + order[0],), argument)

    def sympy(self, *symbols: sympy.Symbol) -> sympy.Expr:
        return self.function.sympy(*symbols)

    def _derivative(self, order: tuple[int, ...], *args: Array) -> Array:
        if any(map(self.jumps, range(order[0]))):
            raise ExpressionError(f"{self.spec}: a weak derivative has point masses, and no values")
        return self.function.evaluate((self.base + order[0],), *args)


@final
class Middle(Function):
    """A function of one argument whose derivatives, where they jump, take the mean of both sides.

    Beside a point mass at p, a function of q jumps at the mean of q where p and q are one: for equal inputs. What q → p
    tends to, and a product of two asks for, is that mean, not the value there.
    """

    def __init__(self, function: Function) -> None:
        self.function = function
        self.smoothness, self.kinks = function.smoothness, function.kinks
        self.exponential, self.regular = function.exponential, function.regular

    @property
    def spec(self) -> str:
        return f"middle({self.function.spec})"

    @property
    def arity(self) -> int:
        return 1

    def jumps(self, order: int) -> tuple[tuple[Fraction, Fraction], ...]:
        return self.function.jumps(order)

    def is_zero(self, order: tuple[int, ...]) -> bool:
        return self.function.is_zero(order)

    def constant(self, order: tuple[int, ...]) -> Fraction | None:
        return self.function.constant(order)

    def degrees(self, order: tuple[int, ...]) -> tuple[Degree, ...]:
        return self.function.degrees(order)

    def parity(self, order: tuple[int, ...], argument: int) -> int | None:
        return self.function.parity(order, argument)

    def sympy(self, *symbols: sympy.Symbol) -> sympy.Expr:
        return self.function.sympy(*symbols)

    def _derivative(self, order: tuple[int, ...], *args: Array) -> Array:
        (z,) = args
        value = self.function.evaluate(order, z)
        for at, _ in self.function.jumps(order[0]):
            value = np.where(z == float(at), z.dtype.type(float(middle(self.function, order, at))), value)
        return value


@final
class OverVariance(Univariate):
    """v^{-p} of a variance; infinite where nothing varies, or rounding leaves a negative number."""

    regular = False

    def __init__(self, power: Fraction) -> None:
        self.power = power

    @property
    def spec(self) -> str:
        return f"over_variance({self.power})"

    def derivative(self, k: int, z: Array) -> Array:
        factor = prod((-self.power - j for j in range(k)), start=Fraction(1))
        varies = z > 0
        value = np.power(np.where(varies, z, 1), float(-self.power - k)) * float(factor)
        return np.asarray(np.where(varies, value, np.inf))

    def growth(self, k: int) -> Degree:
        return None

    def formula(self, z: sympy.Symbol) -> sympy.Expr:
        return z ** rational(-self.power)


def jumping(function: Function, order: tuple[int, ...]) -> dict[Fraction, Fraction] | None:
    """The places where a derivative jumps, and by how much; None where that is not known as numbers."""
    if function.smoothness is None:
        return {}
    if function.arity > 1:
        return None if sum(order) + 1 >= function.smoothness else {}
    try:
        return dict(function.jumps(order[0]))
    except ExpressionError:
        return None


def middle(function: Function, order: tuple[int, ...], at: Fraction) -> Fraction:
    """The mean of both one-sided values of a derivative of a function of one argument."""
    place = float(at)
    sides = function.evaluate(order, np.array([np.nextafter(place, -np.inf), np.nextafter(place, np.inf)]))
    mean = float(sides.sum()) / 2
    near = Fraction(mean).limit_denominator(EXACT)
    return near if abs(float(near) - mean) <= 4 * np.finfo(float).eps * abs(mean) else Fraction(mean)


@lru_cache(maxsize=1024)
def vanishes_at(function: Function, order: tuple[int, ...], at: Fraction) -> bool:
    """Whether a function of one argument is exactly 0 at a rational place; not decided for its derivatives."""
    if function.is_zero(order):
        return True
    return sum(order) == 0 and function.sympy(rational(at)) == 0

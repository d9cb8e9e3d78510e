"""Taylor coefficients of expression trees at 0, in fifty digits: what is 0 there is told apart from what is small."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import factorial
from typing import Any

import mpmath
import numpy as np
import sympy

from tensorprog.functions import trees
from tensorprog.functions.base import Array, Function, Order

DIGITS = 50
NOTHING = 1e-40
COUNT = 48
CONTEXT = mpmath.MPContext()
CONTEXT.dps = DIGITS
Series = list[Any]


class _NoSeries(Exception):
    """The tree is not analytic at 0, or not shown to be."""


@lru_cache(maxsize=1024)
def taylor(function: Function, order: Order) -> Array | None:
    """f^{(k+j)}(0)/j! for j below `COUNT`, k the order; None for kinks, singularities and several arguments."""
    if function.arity != 1 or function.smoothness is not None or not function.regular:
        return None
    z = sympy.Symbol("z", real=True)
    k = order[0]
    try:
        found = _Expansion(z, COUNT + k)(function.sympy(z))
    except _NoSeries:
        return None
    scaled = [c * (factorial(j + k) // factorial(j)) for j, c in enumerate(found[k:])]
    largest = max(map(abs, found))
    return np.array([float(s) if abs(c) > NOTHING * largest else 0.0 for s, c in zip(scaled, found[k:], strict=True)])


class _Expansion:
    """Series of trees in z, each distinct subtree once; functions by the differential equations they solve."""

    def __init__(self, z: sympy.Symbol, count: int) -> None:
        self.z, self.count = z, count
        self.known: dict[sympy.Expr, Series] = {}

    def __call__(self, tree: sympy.Expr) -> Series:
        if tree not in self.known:
            self.known[tree] = self.expand(tree)
        return self.known[tree]

    def constant(self, value: Any) -> Series:
        return [CONTEXT.mpf(value), *[CONTEXT.mpf(0)] * (self.count - 1)]

    def expand(self, tree: sympy.Expr) -> Series:
        if not tree.free_symbols:
            number = tree.evalf(DIGITS)
            if not number.is_real:
                raise _NoSeries
            return self.constant(str(number))
        if tree == self.z:
            return [CONTEXT.mpf(j == 1) for j in range(self.count)]
        if tree.is_Add:
            return [CONTEXT.fsum(column) for column in zip(*map(self, tree.args), strict=True)]
        if tree.is_Mul:
            result = self.constant(1)
            for factor in tree.args:
                result = self.times(result, self(factor))
            return result
        if tree.is_Pow and tree.exp.is_Rational:
            return self.power(self(tree.base), tree.exp)
        rule = RULES.get(tree.func)
        if rule is None:
            raise _NoSeries
        return rule(self, self(tree.args[0]))

    def times(self, u: Series, v: Series) -> Series:
        return [CONTEXT.fdot(u[: n + 1], v[n::-1]) for n in range(self.count)]

    def power(self, u: Series, exponent: sympy.Rational) -> Series:
        """u h′ = p u′ h where u(0) is not 0, products otherwise."""
        if exponent.is_Integer and 0 < exponent <= 4 * self.count and not u[0]:
            result = self.constant(1)
            for _ in range(int(exponent)):
                result = self.times(result, u)
            return result
        if not u[0] or (u[0] < 0 and not exponent.is_Integer):
            raise _NoSeries
        p = CONTEXT.mpf(int(exponent.p)) / int(exponent.q)
        h = [u[0] ** p]
        for n in range(1, self.count):
            h.append(CONTEXT.fsum((p * k - (n - k)) * u[k] * h[n - k] for k in range(1, n + 1)) / (n * u[0]))
        return h

    def solve(self, start: Any, u: Series, slope: Callable[[Series], Any]) -> Series:
        """h with h′ = s u′ and h(0) given; slope tells the next coefficient of s from those of h."""
        h, s = [start], []
        for n in range(1, self.count):
            s.append(slope(h))
            h.append(CONTEXT.fsum(k * u[k] * s[n - k] for k in range(1, n + 1)) / n)
        return h

    def integral(self, start: Any, u: Series, slope: Series) -> Series:
        return self.solve(start, u, lambda h: slope[len(h) - 1])


def _square(h: Series) -> Any:
    """The last coefficient of h²."""
    return CONTEXT.fdot(h, h[::-1])


def _exp(of: _Expansion, u: Series) -> Series:
    return of.solve(CONTEXT.exp(u[0]), u, lambda h: h[-1])


def _tanh(of: _Expansion, u: Series) -> Series:
    return of.solve(CONTEXT.tanh(u[0]), u, lambda h: (len(h) == 1) - _square(h))


def _sigmoid(of: _Expansion, u: Series) -> Series:
    return of.solve(1 / (1 + CONTEXT.exp(-u[0])), u, lambda h: h[-1] - _square(h))


def _log(of: _Expansion, u: Series) -> Series:
    if u[0] <= 0:
        raise _NoSeries
    return of.integral(CONTEXT.log(u[0]), u, of.power(u, sympy.S.NegativeOne))


def _atan(of: _Expansion, u: Series) -> Series:
    square = of.times(u, u)
    return of.integral(CONTEXT.atan(u[0]), u, of.power([1 + square[0], *square[1:]], sympy.S.NegativeOne))


def _erf(of: _Expansion, u: Series) -> Series:
    bell = _exp(of, [-x for x in of.times(u, u)])
    return of.integral(CONTEXT.erf(u[0]), u, [2 / CONTEXT.sqrt(CONTEXT.pi) * x for x in bell])


def _waves(of: _Expansion, u: Series, sign: int) -> tuple[Series, Series]:
    """(sin, cos) of u, or (sinh, cosh) for sign 1."""
    first, second = (CONTEXT.sin, CONTEXT.cos) if sign < 0 else (CONTEXT.sinh, CONTEXT.cosh)
    s, c = [first(u[0])], [second(u[0])]
    for n in range(1, of.count):
        s.append(CONTEXT.fsum(k * u[k] * c[n - k] for k in range(1, n + 1)) / n)
        c.append(sign * CONTEXT.fsum(k * u[k] * s[n - k] for k in range(1, n + 1)) / n)
    return s, c


def _softplus(of: _Expansion, u: Series) -> Series:
    return of.integral(CONTEXT.log1p(CONTEXT.exp(u[0])), u, _sigmoid(of, u))


def _distribution(of: _Expansion, u: Series) -> Series:
    half = [x / 2 for x in _erf(of, [x / CONTEXT.sqrt(2) for x in u])]
    return [half[0] + CONTEXT.mpf(1) / 2, *half[1:]]


RULES: dict[Any, Callable[[_Expansion, Series], Series]] = {
    sympy.exp: _exp,
    sympy.log: _log,
    sympy.sin: lambda of, u: _waves(of, u, -1)[0],
    sympy.cos: lambda of, u: _waves(of, u, -1)[1],
    sympy.sinh: lambda of, u: _waves(of, u, 1)[0],
    sympy.cosh: lambda of, u: _waves(of, u, 1)[1],
    sympy.tanh: _tanh,
    sympy.atan: _atan,
    sympy.erf: _erf,
    trees.tanh: _tanh,
    trees.sigmoid: _sigmoid,
    trees.softplus: _softplus,
    trees.Phi: _distribution,
}

"""abs, sign, heaviside, max and min in trees: told apart into smooth pieces between rational kinks.

Each is a switch on the sign of an inner tree u. Where u changes sign is found exactly: u is taken to be a product of
polynomials with rational roots, of tanh, erf, sinh, atan of such, and of what has no zero; anything else is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import sympy

from tensorprog.errors import ExpressionError
from tensorprog.functions import trees
from tensorprog.functions.analysis import bounded_below

MAX_KINKS = 64
Pieces = tuple[tuple[Fraction, ...], tuple[sympy.Expr, ...]]
"""Kinks, rising, and the trees between them."""


class Switch(sympy.Function):  # type: ignore[misc]  # sympy has no types, so that its classes are Any
    """A function that is smooth but where an inner tree changes sign."""

    is_real = True


class Abs(Switch):
    @classmethod
    def eval(cls, u: sympy.Expr) -> sympy.Expr | None:
        return sympy.Abs(u) if u.is_number else None


class Sign(Switch):
    @classmethod
    def eval(cls, u: sympy.Expr) -> sympy.Expr | None:
        return sympy.sign(u) if u.is_number else None


class Heaviside(Switch):
    @classmethod
    def eval(cls, u: sympy.Expr) -> sympy.Expr | None:
        return (1 + sympy.sign(u)) / 2 if u.is_number else None


class Max(Switch):
    @classmethod
    def eval(cls, u: sympy.Expr, v: sympy.Expr) -> sympy.Expr | None:
        return sympy.Max(u, v) if u.is_number and v.is_number else _ordered(cls, u, v)


class Min(Switch):
    @classmethod
    def eval(cls, u: sympy.Expr, v: sympy.Expr) -> sympy.Expr | None:
        return sympy.Min(u, v) if u.is_number and v.is_number else _ordered(cls, u, v)


def _ordered(function: Any, u: sympy.Expr, v: sympy.Expr) -> sympy.Expr | None:
    if u == v:
        return u
    first, second = sorted((u, v), key=sympy.default_sort_key)
    return None if (u, v) == (first, second) else function(first, second)


NAMES: Mapping[str, Any] = {"abs": Abs, "sign": Sign, "heaviside": Heaviside, "max": Max, "min": Min}
for _name, _function in NAMES.items():
    _function.__name__ = _name  # as texts have it


def pieces(tree: sympy.Expr, z: sympy.Symbol) -> Pieces:
    """A tree of one argument as smooth trees between kinks; kinks that turn out to be none are left out.

    Raises ExpressionError where an inner tree may change sign at a point that is not known exactly.
    """
    kinks, found = _split(tree, z)
    kept: list[Fraction] = []
    result = [found[0]]
    for kink, piece in zip(kinks, found[1:], strict=True):
        if piece != result[-1] and sympy.expand(piece - result[-1]) != 0:
            kept.append(kink)
            result.append(piece)
    return tuple(kept), tuple(result)


def _split(tree: sympy.Expr, z: sympy.Symbol) -> Pieces:
    if not tree.has(Switch):
        return (), (tree,)
    parts = [_split(x, z) for x in tree.args]
    kinks = tuple(sorted({k for part, _ in parts for k in part}))
    ends: list[Fraction] = []
    result: list[sympy.Expr] = []
    for low, high in zip((None, *kinks), (*kinks, None), strict=True):
        args = [between[sum(1 for k in part if low is not None and k <= low)] for part, between in parts]
        inner: list[Fraction] = []
        if isinstance(tree, Switch):
            condition = args[0] - args[1] if len(args) == 2 else args[0]
            inner = [r for r in zeros(condition, z) if (low is None or r > low) and (high is None or r < high)]
        for start, end in zip((low, *inner), (*inner, high), strict=True):
            result.append(_chosen(tree, args, z, _within(start, end)))
        ends += [*inner, *(() if high is None else (high,))]
        if len(ends) > MAX_KINKS:
            raise ExpressionError(f"{str(tree)[:72]!r} has more than {MAX_KINKS} kinks; use a function of fewer")
    return tuple(ends), tuple(result)


def _within(low: Fraction | None, high: Fraction | None) -> Fraction:
    if low is None:
        return Fraction(0) if high is None else high - 1
    return low + 1 if high is None else (low + high) / 2


def _chosen(tree: sympy.Expr, args: list[sympy.Expr], z: sympy.Symbol, point: Fraction) -> sympy.Expr:
    """The smooth tree that stands for this one around a point at which nothing switches."""
    if not isinstance(tree, Switch):
        return tree.func(*args)
    condition = args[0] - args[1] if len(args) == 2 else args[0]
    if condition.is_zero or sympy.expand(condition) == 0:
        sign = 0
    else:
        value = trees.standard(condition).xreplace({z: sympy.Rational(point.numerator, point.denominator)}).evalf(30)
        if not value.is_real:
            raise ExpressionError(f"{str(condition)[:72]!r} is not real at {point}, and a kink depends on its sign")
        sign = int(sympy.sign(value))
    if isinstance(tree, Abs):
        return sign * args[0]
    if isinstance(tree, Sign):
        return sympy.Integer(sign)
    if isinstance(tree, Heaviside):
        return sympy.Rational(1 + sign, 2)
    larger, smaller = (args[0], args[1]) if sign >= 0 else (args[1], args[0])
    return larger if isinstance(tree, Max) else smaller


ODD = (trees.tanh, sympy.erf, sympy.sinh, sympy.atan)
POSITIVE = (sympy.exp, sympy.cosh, trees.sigmoid, trees.softplus, trees.Phi)


def zeros(tree: sympy.Expr, z: sympy.Symbol) -> list[Fraction]:
    """Where a smooth tree vanishes, rising; an identical 0 vanishes nowhere.

    Raises ExpressionError where that is no rational number, or is not seen.
    """
    return sorted(set(_zeros(sympy.factor_terms(tree), z)))


def _zeros(tree: sympy.Expr, z: sympy.Symbol) -> list[Fraction]:
    if z not in tree.free_symbols or isinstance(tree, POSITIVE):
        return []
    if tree.is_Mul:
        return [r for factor in tree.args for r in _zeros(factor, z)]
    if tree.is_Pow and (tree.exp.is_positive or bounded_below(tree.base)):
        return _zeros(tree.base, z)
    if isinstance(tree, ODD):
        return zeros(tree.args[0], z)
    if bounded_below(tree) or bounded_below(-tree):
        return []
    if tree.is_polynomial(z):
        return _roots(tree, z)
    raise ExpressionError(
        f"where {str(tree)[:72]!r} changes sign is not known exactly, so that a kink of the expression is not either; "
        "abs, sign, heaviside, max and min take polynomials with rational roots, and tanh, erf, sinh, atan of these"
    )


def _roots(tree: sympy.Expr, z: sympy.Symbol) -> list[Fraction]:
    polynomial = sympy.Poly(tree, z)
    found: list[Fraction] = []
    if polynomial.domain.is_QQ or polynomial.domain.is_ZZ:
        for factor, _ in polynomial.factor_list()[1]:
            if factor.degree() == 1:
                root = sympy.Rational(-factor.eval(0), factor.LC())
                found.append(Fraction(int(root.p), int(root.q)))
            elif factor.count_roots():
                raise ExpressionError(
                    f"{str(tree)[:72]!r} changes sign at an irrational number, a root of {str(factor.as_expr())[:48]}; "
                    "kinks are rational numbers: write a rational one near it"
                )
        return found
    raise ExpressionError(
        f"{str(tree)[:72]!r} has coefficients that are not rational, and may change sign where kinks are not known "
        "exactly; kinks are rational numbers"
    )

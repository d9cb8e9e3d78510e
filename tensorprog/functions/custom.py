"""Functions written as expressions: `expression("z*tanh(z)")`, `expression("z0/sqrt(1 + z1**2)")`.

The canonical text is the record; trees are rebuilt from it through the whitelist of `grammar`, and derivatives are
taken symbolically and cached.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import prod
from typing import final

import numpy as np
import sympy

from tensorprog.errors import ExpressionError
from tensorprog.functions import analysis, switches, trees
from tensorprog.functions.base import Array, Degree, Function, Interval, Order
from tensorprog.functions.gaussian import erf, gelu
from tensorprog.functions.grammar import build
from tensorprog.functions.kinked import leaky_relu
from tensorprog.functions.logistic import sigmoid, softplus, tanh
from tensorprog.functions.piecewise import Piecewise
from tensorprog.functions.polynomials import MAX_DEGREE, polynomial
from tensorprog.functions.powers import power
from tensorprog.functions.waves import cos, exp, sin

MAX_ARITY = 16
BLOCK = 2**16
ARGUMENTS = tuple(sympy.Symbol(f"z{i}", real=True) for i in range(MAX_ARITY))
NAMES = {"z": ARGUMENTS[0]} | {s.name: s for s in ARGUMENTS}
PLAIN = (erf, gelu, sigmoid, softplus, tanh, cos, exp, sin)


@lru_cache(maxsize=1024)
def tree_of(text: str) -> sympy.Expr:
    """The tree of a canonical text."""
    return build(text, NAMES)


@final
@dataclass(frozen=True, eq=False, repr=False)
class Expression(Function):
    """A function of z0, z1, … given by its canonical text; make one with `expression`."""

    text: str
    arguments: int

    @property
    def spec(self) -> str:
        return f"expression({self.text})"

    @property
    def arity(self) -> int:
        return self.arguments

    @property
    def tree(self) -> sympy.Expr:
        return tree_of(self.text)

    @property
    def symbols(self) -> tuple[sympy.Symbol, ...]:
        return ARGUMENTS[: self.arguments]

    @property
    def factorial_growth(self) -> bool | None:  # type: ignore[override]  # a constant of other classes, here read off the tree
        return analysis.holomorphic_beyond_one(self.tree) or None

    @property
    def regular(self) -> bool:  # type: ignore[override]  # a constant of other classes, here read off the tree
        return analysis.is_regular(self.tree)

    def regular_on(self, domain: Sequence[Interval]) -> bool:
        return analysis.is_regular(self.tree, self.symbols, tuple(domain))

    @property
    def exponential(self) -> bool:  # type: ignore[override]  # a constant of other classes, here read off the tree
        return self.exponential_in((True,) * self.arity)

    def exponential_in(self, moving: Sequence[bool]) -> bool:
        return analysis.exponential_type(self.tree, tuple(s for s, m in zip(self.symbols, moving, strict=True) if m))

    def derivative_tree(self, order: Order) -> sympy.Expr:
        """The partial derivative as a tree over z0, z1, …"""
        self._check_order(order)
        return trees.differentiate(self.tree, self.symbols, order)

    def is_zero(self, order: Order) -> bool:
        return self.constant(order) == 0

    def constant(self, order: Order) -> Fraction | None:
        return _constant(self.derivative_tree(order))

    def degrees(self, order: Order) -> tuple[Degree, ...]:
        return analysis.growth(self.derivative_tree(order), self.symbols)

    def degrees_on(self, order: Order, domain: Sequence[Interval]) -> tuple[Degree, ...]:
        return analysis.growth(self.derivative_tree(order), self.symbols, tuple(domain))

    def parity(self, order: Order, argument: int) -> int | None:
        if not 0 <= argument < self.arity:
            raise ExpressionError(f"{self.spec} has arguments 0 to {self.arity - 1}; {argument} was asked for")
        sign = analysis.parity(self.tree, self.symbols, argument)
        if sign is not None:
            return sign if order[argument] % 2 == 0 else -sign
        return analysis.parity(self.derivative_tree(order), self.symbols, argument)

    def sympy(self, *symbols: sympy.Symbol) -> sympy.Expr:
        tree = trees.standard(self.tree)
        if not symbols:
            return tree.xreplace({self.symbols[0]: sympy.Symbol("z", real=True)}) if self.arity == 1 else tree
        self._check_arity(symbols)
        return tree.xreplace(dict(zip(self.symbols, symbols, strict=True)))

    def rounding(self, order: Order, *args: Array) -> Array:
        tree = self.derivative_tree(order)
        return np.broadcast_to(trees.rounding_of(tree, dict(zip(self.symbols, args, strict=True))), args[0].shape)

    def _derivative(self, order: Order, *args: Array) -> Array:
        tree, shape = self.derivative_tree(order), np.broadcast_shapes(*(a.shape for a in args))
        if prod(shape) <= BLOCK:
            return trees.evaluate_tree(tree, dict(zip(self.symbols, args, strict=True)))
        flat = [np.broadcast_to(a, shape).reshape(-1) for a in args]
        result = np.empty(prod(shape), args[0].dtype)
        for start in range(0, result.size, BLOCK):  # intermediate values stay few and in cache
            part = slice(start, start + BLOCK)
            result[part] = trees.evaluate_tree(tree, {s: a[part] for s, a in zip(self.symbols, flat, strict=True)})
        return result.reshape(shape)


@lru_cache(maxsize=4096)
def _constant(tree: sympy.Expr) -> Fraction | None:
    if tree.free_symbols and analysis.terms(tree) <= analysis.MAX_TERMS:
        tree = sympy.expand(tree)
    return Fraction(int(tree.p), int(tree.q)) if tree.is_Rational else None


def expression(formula: str | sympy.Expr) -> Function:
    """A function of z (or of z0, z1, …) from a text or a sympy expression.

    Texts are read by `parse_expression`'s grammar and never executed. What has a name keeps it.

    Raises ExpressionError, naming the part that is not accepted.

    >>> expression("z*tanh(z)")
    expression(z0*tanh(z0))
    >>> expression("1 - z**2/2")
    polynomial(1, 0, -1/2)
    """
    text = formula if isinstance(formula, str) else str(formula) if isinstance(formula, sympy.Expr) else None
    if text is None:
        raise ExpressionError(f"{formula!r} is neither a text nor a sympy expression")
    if re.search(r"\bz\b", text) and re.search(r"\bz\d", text):
        raise ExpressionError(f"{text!r} mixes z with numbered arguments; write z0 for z")
    return _made(_canonical(text))


def _canonical(text: str) -> str:
    """The text of the tree of the text, repeated until it stays."""
    for _ in range(5):
        before, text = text, str(build(text, NAMES))
        if before == text:
            return text
    raise ExpressionError(f"{text!r} has no stable canonical form; write it in another way")


@lru_cache(maxsize=1024)
def _made(text: str) -> Function:
    tree = tree_of(text)
    used = {ARGUMENTS.index(s) for s in tree.free_symbols}
    arity = max(used, default=0) + 1
    missing = set(range(arity)) - used
    if missing and used:
        absent = ", ".join(f"z{i}" for i in sorted(missing))
        raise ExpressionError(f"{text!r} does not depend on {absent}; number its arguments z0, z1, … without gaps")
    if tree.has(switches.Switch):
        return _kinked(text, tree, arity)
    if arity == 1:
        return _named(tree) or Expression(text, 1)
    return Expression(text, arity)


def _kinked(text: str, tree: sympy.Expr, arity: int) -> Function:
    """A function with abs, sign, heaviside, max or min in it."""
    if arity != 1:
        raise ExpressionError(
            f"{text[:72]!r} has kinks and {arity} arguments; abs, sign, heaviside, max and min are for functions of "
            "one: apply such a function to a vector of its own, and combine the results"
        )
    z = ARGUMENTS[0]
    kinks, pieces = switches.pieces(tree, z)
    if not kinks:
        return expression(str(pieces[0]))
    if kinks == (Fraction(0),) and pieces[1] == z:
        slope = pieces[0] / z
        if slope.is_Rational:
            return leaky_relu(Fraction(int(slope.p), int(slope.q)))
    result = Piecewise(text, kinks, pieces, z)
    result.jumps(0)  # is bounded
    return result


def _named(tree: sympy.Expr) -> Function | None:
    z = ARGUMENTS[0]
    for function in PLAIN:
        if tree == tree_of(f"{function.spec}(z0)"):
            return function
    if tree.is_Pow and tree.base == z:
        return power(Fraction(int(tree.exp.p), int(tree.exp.q)))
    monomials = [term.as_coeff_exponent(z) for term in sympy.Add.make_args(tree)]
    if all(c.is_Rational and e.is_Integer and 0 <= e <= MAX_DEGREE for c, e in monomials):
        found = {int(e): Fraction(int(c.p), int(c.q)) for c, e in monomials}
        return polynomial(*(found.get(j, 0) for j in range(max(found) + 1)))
    return None


NONLINEARITIES = (expression,)

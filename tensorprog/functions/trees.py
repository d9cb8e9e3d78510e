"""Expression trees: the few functions sympy lacks, and evaluation on arrays without generated code.

sigmoid, Φ, softplus and tanh are functions of their own here, with derivatives written as products that keep their
exponential tails: tanh' = 4 σ(2u) σ(-2u) rather than 1 - tanh². `standard` turns them into sympy's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, reduce
from itertools import islice
from operator import mul
from typing import Any

import numpy as np
import sympy
from scipy import special
from sympy.core.evalf import prec_to_dps

from tensorprog.errors import ExpressionError
from tensorprog.functions.base import Array

MAX_NODES = 10_000
MAX_DERIVATIVE = 100_000  # nodes of a derivative before anything is simplified


class Own(sympy.Function):  # type: ignore[misc]  # sympy has no types, so that its classes are Any
    """A function whose numbers at constants are those of its standard form."""

    def _eval_evalf(self, prec: int) -> sympy.Expr:
        return STANDARD[self.func](self.args[0]).evalf(prec_to_dps(prec))


class sigmoid(Own):
    """σ(u) = 1/(1 + e^{-u})."""

    is_positive = True

    @classmethod
    def eval(cls, u: sympy.Expr) -> sympy.Expr | None:
        return sympy.Rational(1, 2) if u.is_zero else None

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return sigmoid(self.args[0]) * sigmoid(-self.args[0])


class tanh(Own):
    """tanh(u), with derivative 4 σ(2u) σ(-2u)."""

    is_real = True

    @classmethod
    def eval(cls, u: sympy.Expr) -> sympy.Expr | None:
        if u.is_zero:
            return sympy.S.Zero
        return -cls(-u) if u.could_extract_minus_sign() else None

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return 4 * sigmoid(2 * self.args[0]) * sigmoid(-2 * self.args[0])


class Phi(Own):
    """Φ(u), the distribution function of a standard Gaussian."""

    is_positive = True

    @classmethod
    def eval(cls, u: sympy.Expr) -> sympy.Expr | None:
        return sympy.Rational(1, 2) if u.is_zero else None

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return sympy.exp(-(self.args[0] ** 2) / 2) / sympy.sqrt(2 * sympy.pi)


class softplus(Own):
    """log(1 + e^u)."""

    is_positive = True

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return sigmoid(self.args[0])


def reciprocal_of_logistic(base: sympy.Expr, exponent: sympy.Rational) -> sympy.Expr | None:
    """(1 + e^u)^{-m} as σ(-u)^m, which does not overflow; None for other powers."""
    if exponent < 0 and base.is_Add and len(base.args) == 2 and base.args[0] is sympy.S.One:
        other = base.args[1]
        if isinstance(other, sympy.exp):
            return sigmoid(-other.args[0]) ** -exponent
    return None


STANDARD: Mapping[Any, Callable[[sympy.Expr], sympy.Expr]] = {
    sigmoid: lambda u: 1 / (1 + sympy.exp(-u)),
    tanh: sympy.tanh,
    Phi: lambda u: (1 + sympy.erf(u / sympy.sqrt(2))) / 2,
    softplus: lambda u: sympy.log(1 + sympy.exp(u)),
}

NUMERIC: Mapping[Any, Callable[[Any], Any]] = {
    sigmoid: special.expit,
    tanh: np.tanh,
    Phi: special.ndtr,
    softplus: lambda u: np.logaddexp(u.dtype.type(0), u),
    sympy.erf: special.erf,
    sympy.exp: np.exp,
    sympy.log: np.log,
    sympy.sin: np.sin,
    sympy.cos: np.cos,
    sympy.sinh: np.sinh,
    sympy.cosh: np.cosh,
    sympy.atan: np.arctan,
}


def standard(tree: sympy.Expr) -> sympy.Expr:
    """The same expression in sympy's own functions."""
    for ours, theirs in STANDARD.items():
        tree = tree.replace(ours, theirs)
    return tree


@lru_cache(maxsize=4096)
def differentiate(tree: sympy.Expr, symbols: tuple[sympy.Symbol, ...], order: tuple[int, ...]) -> sympy.Expr:
    """The partial derivative of this order, built from the one below it.

    Raises ExpressionError when the trees outgrow `MAX_NODES`.
    """
    for i, k in enumerate(order):
        if k:
            below = differentiate(tree, symbols, (*order[:i], k - 1, *order[i + 1 :]))
            if not smaller_than(MAX_NODES, below) or derivative_size(below) > MAX_DERIVATIVE:
                raise ExpressionError(
                    f"the derivative of order {order} of {str(tree)[:72]} has more than {MAX_NODES} terms; "
                    "write the expression in a simpler form, or ask for lower orders"
                )
            return sympy.diff(below, symbols[i])
    return tree


def derivative_size(tree: sympy.Expr) -> int:
    """About how many nodes the derivative of a tree has before anything is simplified, by the product rule."""
    known: dict[sympy.Expr, tuple[int, int]] = {}  # nodes of a subtree, and of its derivative
    for node in sympy.postorder_traversal(tree):
        if node not in known:
            parts = [known[part] for part in node.args]
            size = 1 + sum(each for each, _ in parts)
            grown = sum(each for _, each in parts)
            factors = sum(part.free_symbols != set() for part in node.args) if node.is_Mul else 1
            known[node] = size, 1 + grown + (0 if node.is_Add or not parts else factors * size)
    return known[tree][1]


def smaller_than(limit: int, tree: sympy.Expr) -> bool:
    """Whether a tree has fewer nodes than a limit; counting stops there."""
    return next(islice(sympy.preorder_traversal(tree), limit, None), None) is None


def evaluate_tree(tree: sympy.Expr, values: Mapping[sympy.Symbol, Array]) -> Array:
    """The value of a tree at arrays, each distinct subtree computed once; constants come out as 0-d arrays."""
    dtype = np.result_type(*values.values())
    known: dict[sympy.Expr, Array] = dict(values)

    def value(node: sympy.Expr) -> Array:
        if node not in known:
            known[node] = compute(node)
        return known[node]

    def compute(node: sympy.Expr) -> Array:
        if not node.free_symbols:
            number = node.evalf(25)
            if not number.is_real:
                raise ExpressionError(f"the constant {node} is {number}, not a real number")
            return np.asarray(float(number), dtype)
        if node.is_Add:
            return reduce(np.add, map(value, node.args))
        if node.is_Mul:
            return reduce(mul, map(value, node.args))
        if node.is_Pow:
            return raised(value(node.base), node.exp)
        if node.func in NUMERIC:
            return np.asarray(NUMERIC[node.func](value(node.args[0])))
        raise ExpressionError(f"{node} cannot be evaluated; use {', '.join(f.__name__ for f in NUMERIC)}")

    return value(tree)


def rounding_of(tree: sympy.Expr, values: Mapping[sympy.Symbol, Array]) -> Array:
    """What `evaluate_tree` may be off by, to first order: that of every operation, carried on by those that follow."""
    eps = np.finfo(np.result_type(*values.values())).eps
    known: dict[sympy.Expr, Array] = {symbol: np.zeros_like(x) for symbol, x in values.items()}

    def error(node: sympy.Expr) -> Array:
        if node not in known:
            known[node] = np.asarray(carried(node) + eps * np.abs(evaluate_tree(node, values)))
        return known[node]

    def carried(node: sympy.Expr) -> Array:
        if not node.free_symbols:
            return np.zeros(())
        if node.is_Add:
            return reduce(np.add, map(error, node.args))
        if node.is_Mul:
            sizes = [np.abs(evaluate_tree(x, values)) for x in node.args]
            rests = [reduce(mul, [y for j, y in enumerate(sizes) if j != i], np.ones(())) for i in range(len(sizes))]
            return reduce(np.add, [error(x) * rest for x, rest in zip(node.args, rests, strict=True)])
        inner = node.base if node.is_Pow else node.args[0]
        place = sympy.Dummy(real=True)
        slope = sympy.diff(place**node.exp if node.is_Pow else node.func(place), place)
        return np.abs(evaluate_tree(slope, {place: evaluate_tree(inner, values)})) * error(inner)

    return error(tree)


def raised(base: Array, exponent: sympy.Rational) -> Array:
    """base ** (p/q), small integer powers by repeated squaring."""
    if exponent < 0:
        return np.reciprocal(raised(base, -exponent))
    if exponent == sympy.Rational(1, 2):
        return np.sqrt(base)
    if not exponent.is_Integer or exponent > 16:
        return np.asarray(np.power(base, float(exponent)))
    power, left, result = base, int(exponent), None
    while True:
        if left % 2:
            result = power if result is None else result * power
        left //= 2
        if not left:
            return np.ones_like(base) if result is None else result
        power = power * power

"""What a tree tells of its function: growth, parity, singularities, and how fast its derivatives grow.

Every rule is sound and none is complete: a growth bound may be loose, and None means "not shown".
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from math import comb, inf

import numpy as np
import sympy

from tensorprog.functions.base import ANYTHING, Degree, Function, Interval
from tensorprog.functions.ranges import POSITIVE, enclosure, excludes_zero
from tensorprog.functions.trees import Phi, evaluate_tree, sigmoid, softplus, tanh

Symbols = tuple[sympy.Symbol, ...]
Box = tuple[Interval, ...]
"""An interval for each symbol; empty for the whole space."""
Growth = Fraction | float | None  # -inf: falls faster than any power; None: not bounded by a power
ZERO = Fraction(0)
ENTIRE = (sympy.erf, sympy.exp, sympy.sin, sympy.cos, sympy.sinh, sympy.cosh, Phi)
SATURATING = (sympy.erf, sympy.sin, sympy.cos, sympy.atan, tanh, sigmoid, Phi)
MAX_TERMS = 500
MANY = 10**6
MAX_OPERATIONS = 40
MAX_BALANCED = 2_000


def growth(tree: sympy.Expr, symbols: Symbols, domain: Box = ()) -> tuple[Degree, ...]:
    """τ with |f| ≤ C Π (1 + |z_i|)^{τ_i} on a box, everywhere by default; None where no power is shown to do."""
    return tuple(None if t is None else Fraction(max(t, 0)) for t in _growth(tree, symbols, domain))


@lru_cache(maxsize=16_384)
def _growth(tree: sympy.Expr, symbols: Symbols, domain: Box = ()) -> tuple[Growth, ...]:
    none: tuple[Growth, ...] = tuple(None if s in tree.free_symbols else ZERO for s in symbols)
    flat: tuple[Growth, ...] = (ZERO,) * len(symbols)
    if not tree.free_symbols or isinstance(tree, SATURATING):
        return flat
    if tree.is_Symbol:
        return tuple(Fraction(int(s == tree)) for s in symbols)
    if tree.is_Mul and (saturated := _with_tanh(tree)) != tree:
        return _growth(saturated, symbols, domain)
    inner = [_growth(x, symbols, domain) for x in tree.args]
    if tree.is_Add:
        return tuple(
            None if None in column else max(x for x in column if x is not None) for column in zip(*inner, strict=True)
        )
    if tree.is_Mul:
        columns = zip(_tails(tree, symbols), *inner, strict=True)
        return tuple(None if None in column else sum((x for x in column if x is not None), ZERO) for column in columns)
    if tree.is_Pow:
        e = Fraction(int(tree.exp.p), int(tree.exp.q))
        if e > 0:
            return tuple(None if t is None else t * e for t in inner[0])
        if not _away_from_zero(tree, symbols, domain):
            return none
        if len(tree.base.free_symbols) == 1 and tree.base.is_polynomial():
            return tuple(t * e if t else ZERO for t in inner[0])  # a positive polynomial is at least c (1 + |z|)^degree
        return flat
    if isinstance(tree, sympy.exp):
        return _exponential(tree.args[0], symbols, domain)
    if isinstance(tree, softplus):
        return tuple(None if t is None else max(t, ZERO) for t in inner[0])
    if isinstance(tree, sympy.log) and _away_from_zero(tree, symbols, domain):
        return tuple(None if t is None else min(max(t, ZERO), Fraction(1)) for t in inner[0])
    if isinstance(tree, sympy.sinh | sympy.cosh) and all(t is not None and t <= 0 for t in inner[0]):
        return flat
    return none


def _away_from_zero(tree: sympy.Expr, symbols: Symbols, domain: Box) -> bool:
    """Whether the base of a power, or the argument of a logarithm, keeps a distance from 0 on the box."""
    base = tree.args[0]
    if bounded_below(base):
        return True
    interval = enclosure(base, dict(zip(symbols, domain, strict=True))) if domain else ANYTHING
    return excludes_zero(interval) if tree.is_Pow and tree.exp.is_Integer else interval[0] > 0


def range_of(function: Function, order: tuple[int, ...], domain: Sequence[Interval]) -> Interval:
    """An interval that holds the values of ψ on a box; those of derivatives are not looked for."""
    if any(order):
        return ANYTHING
    symbols = tuple(sympy.Symbol(f"z{i}", real=True) for i in range(function.arity))
    tree = function.sympy(*symbols)
    low, high = enclosure(tree, dict(zip(symbols, domain, strict=True)))
    low = max(low, 0.0) if tree.is_nonnegative else low
    return (POSITIVE[0], high) if low <= 0 and bounded_below(tree) else (low, high)


def is_positive(function: Function, order: tuple[int, ...], positive: Sequence[bool]) -> bool:
    """Whether ψ > 0 everywhere that some of its arguments are positive."""
    if any(order):
        return False
    symbols = tuple(sympy.Symbol(f"z{i}", real=True, positive=True if p else None) for i, p in enumerate(positive))
    return bool(function.sympy(*symbols).is_positive)


def _exponential(u: sympy.Expr, symbols: Symbols, domain: Box = ()) -> tuple[Growth, ...]:
    """Growth of e^u, u a sum of bounded terms, of terms that are never positive, and of polynomials in one argument."""
    result: list[Growth] = [ZERO] * len(symbols)
    alone: dict[sympy.Symbol, list[sympy.Expr]] = {}
    for term in sympy.Add.make_args(u):
        free = term.free_symbols
        if len(free) == 1 and term.is_polynomial(*free):
            alone.setdefault(next(iter(free)), []).append(term)
        elif not (term.is_nonpositive or all(t is not None and t <= 0 for t in _growth(term, symbols, domain))):
            result = [None if s in free else t for s, t in zip(symbols, result, strict=True)]
    for symbol, terms in alone.items():
        if symbol not in symbols:
            continue
        polynomial = sympy.Poly(sympy.Add(*terms), symbol)
        falls = polynomial.degree() % 2 == 0 and polynomial.LC().is_negative
        i = symbols.index(symbol)
        result[i] = None if not falls or result[i] is None else -inf
    return tuple(result)


def _with_tanh(product: sympy.Expr) -> sympy.Expr:
    """With tanh(u) for sinh(u)/cosh(u), as in the derivatives of log(cosh(u))."""
    powers = dict(factor.as_base_exp() for factor in product.args)
    for base, power in powers.items():
        if isinstance(base, sympy.sinh) and power.is_positive:
            (u,) = base.args
            if (powers.get(sympy.cosh(u), ZERO) + power) <= 0:
                product = product * (sympy.cosh(u) / base * tanh(u)) ** power
    return product


def _tails(product: sympy.Expr, symbols: Symbols) -> tuple[Growth, ...]:
    """-inf for an argument in which a factor σ(u) σ(-u), u a polynomial of it alone, falls exponentially."""
    inside = {
        base.args[0]
        for base, power in (factor.as_base_exp() for factor in product.args)
        if isinstance(base, sigmoid) and power.is_positive
    }
    paired = [u for u in inside if -u in inside and len(u.free_symbols) == 1 and u.is_polynomial(*u.free_symbols)]
    return tuple(-inf if any(s in u.free_symbols for u in paired) else ZERO for s in symbols)


def bounded_below(tree: sympy.Expr) -> bool:
    """Whether the value is at least some positive constant everywhere (shown by its form)."""
    if not tree.free_symbols:
        return bool(tree.is_positive)
    if isinstance(tree, sympy.cosh):
        return True
    if len(tree.free_symbols) == 1 and tree.is_polynomial() and terms(tree) <= MAX_TERMS:
        polynomial = sympy.Poly(tree, *tree.free_symbols)
        if polynomial.domain.is_QQ or polynomial.domain.is_ZZ:
            return bool(polynomial.eval(0) > 0 and polynomial.count_roots() == 0)
    if tree.is_Add and all(t.is_nonnegative for t in tree.args) and any(bounded_below(t) for t in tree.args):
        return True
    if tree.is_Mul:
        return all(bounded_below(t) for t in tree.args) or enclosure(tree, {})[0] > 0
    if tree.is_Pow:
        return (bool(tree.exp.is_positive) and bounded_below(tree.base)) or enclosure(tree, {})[0] > 0
    return enclosure(tree, {})[0] > 0


def total_growth(tree: sympy.Expr, symbols: Symbols) -> Degree:
    """T with |f| ≤ C (1 + Σ|z_i|)^T, the sum over these symbols, locally uniformly in the others; None: not shown.

    Of all of them together: z0 z1 has T = 2, for it grows like a square where both do.
    """
    alone = _growth(tree, symbols)
    separate = None if None in alone else sum((Fraction(max(t, ZERO)) for t in alone if t is not None), ZERO)
    together = _together(tree, symbols)
    return min((t for t in (separate, together) if t is not None), default=None)


def _together(tree: sympy.Expr, symbols: Symbols) -> Degree:
    if tree.is_Symbol:
        return Fraction(int(tree in symbols))
    if not tree.free_symbols.intersection(symbols) or isinstance(tree, SATURATING):
        return ZERO
    inner = [total_growth(x, symbols) for x in tree.args]
    known = [t for t in inner if t is not None]
    if len(known) < len(inner):
        return None
    if tree.is_Add:
        return max(known)
    if tree.is_Mul:
        return sum(known, ZERO)
    if tree.is_Pow and tree.exp.is_Rational:
        return known[0] * Fraction(int(tree.exp.p), int(tree.exp.q)) if tree.exp.is_positive else None
    if isinstance(tree, softplus):
        return known[0]
    return min(known[0], Fraction(1)) if isinstance(tree, sympy.log) and bounded_below(tree.args[0]) else None


@lru_cache(maxsize=4096)
def exponential_type(tree: sympy.Expr, symbols: Symbols) -> bool:
    """Whether f and its derivatives are at most C e^{C Σ|z_i|}, as `total_growth` counts (shown by its form)."""
    if not tree.free_symbols or tree.is_Symbol:
        return True
    if isinstance(tree, sympy.exp | sympy.sinh | sympy.cosh):
        degree = total_growth(tree.args[0], symbols)
        return degree is not None and degree <= 1 and is_regular(tree)
    if tree.is_Pow and not (tree.exp.is_Integer and tree.exp > 0) and not bounded_below(tree.base):
        return False
    known = tree.is_Add or tree.is_Mul or tree.is_Pow or isinstance(tree, (*SATURATING, softplus))
    return known and all(exponential_type(x, symbols) for x in tree.args)


def is_regular(tree: sympy.Expr, symbols: Symbols = (), domain: Box = ()) -> bool:
    """Whether f and its derivatives are bounded on bounded parts of a box, everywhere by default.

    So it is where every base of a root, quotient or logarithm keeps a distance from 0 there.
    """
    singular = (tree.is_Pow and not (tree.exp.is_Integer and tree.exp > 0)) or isinstance(tree, sympy.log)
    if singular and not (tree.args[0].is_positive or _away_from_zero(tree, symbols, domain)):
        return False
    return all(is_regular(x, symbols, domain) for x in tree.args)


def holomorphic_beyond_one(tree: sympy.Expr) -> bool:
    """Whether f is holomorphic where every |Im z_i| < R, for some R > 1.

    Cauchy's estimate on circles of radius 1 then gives |∂^k f| ≤ k! sup |f|, locally uniformly in z. Entire
    functions of such functions qualify, and tanh, σ, softplus at c z_i + d with |c| ≤ 1, whose poles are at |Im| ≥ π/2.
    """
    if not tree.free_symbols or tree.is_Symbol:
        return True
    if tree.is_Add or tree.is_Mul or isinstance(tree, ENTIRE):
        return all(holomorphic_beyond_one(x) for x in tree.args)
    if tree.is_Pow:
        return bool(tree.exp.is_Integer and tree.exp > 0) and holomorphic_beyond_one(tree.base)
    if isinstance(tree, tanh | sigmoid | softplus):
        slopes = [tree.args[0].diff(s) for s in tree.args[0].free_symbols]
        return len(slopes) == 1 and not slopes[0].free_symbols and abs(float(slopes[0])) <= 1
    return False


@lru_cache(maxsize=4096)
def parity(tree: sympy.Expr, symbols: Symbols, argument: int) -> int | None:
    """+1 or -1 when f(…, -z_i, …) = ±f is shown; points refute a sign first, then algebra proves it."""
    z = symbols[argument]
    if z not in tree.free_symbols:
        return 1
    points = np.random.default_rng(0).uniform(0.3, 1.7, (len(symbols), 16))
    flipped = points * np.where(np.arange(len(symbols)) == argument, -1, 1)[:, None]
    with np.errstate(all="ignore"):
        here, there = (evaluate_tree(tree, dict(zip(symbols, x, strict=True))) for x in (points, flipped))
    known = np.isfinite(here) & np.isfinite(there)
    if not known.any():  # a domain on one side of 0 only
        return None
    for sign in (1, -1):
        if not np.allclose(there[known], sign * here[known], rtol=1e-8, atol=1e-12):
            continue
        if _balanced_size(tree) > MAX_BALANCED:
            return None
        form = _balanced(tree)
        if vanishes(form.xreplace({z: -z}) - sign * form):
            return sign
    return None


def _balanced(tree: sympy.Expr) -> sympy.Expr:
    """The same function with its odd and even parts told apart: σ(u) = (1 + tanh(u/2))/2 and the like."""
    tree = tree.replace(sigmoid, lambda u: (1 + sympy.tanh(u / 2)) / 2)
    tree = tree.replace(Phi, lambda u: (1 + sympy.erf(u / sympy.sqrt(2))) / 2)
    tree = tree.replace(softplus, lambda u: u / 2 + sympy.log(2 * sympy.cosh(u / 2)))
    return tree.replace(tanh, sympy.tanh)


def _balanced_size(tree: sympy.Expr) -> int:
    """How many nodes `_balanced` makes: softplus has its argument twice, so that nests of it grow as powers of two."""
    known: dict[sympy.Expr, int] = {}
    for node in sympy.postorder_traversal(tree):
        if node not in known:
            below = sum(known[part] for part in node.args)
            known[node] = 1 + (2 * below if isinstance(node, softplus) else below)
    return known[tree]


def vanishes(tree: sympy.Expr) -> bool:
    """Whether a tree is shown to be 0 by expansion, over a common denominator when it is small."""
    if tree.is_zero:
        return True
    if terms(tree) > MAX_TERMS:
        return False
    if sympy.expand(tree) == 0:
        return True
    return bool(tree.count_ops() <= MAX_OPERATIONS and sympy.expand(sympy.numer(sympy.together(tree))) == 0)


def terms(tree: sympy.Expr) -> int:
    """How many terms expansion may produce, as a bound; counting stops at `MANY`."""
    if tree.is_Add:
        return min(sum(map(terms, tree.args)), MANY)
    if tree.is_Pow and tree.exp.is_Integer:
        power = abs(int(tree.exp))
        return min(comb(terms(tree.base) + power - 1, power), MANY)
    result = 1
    for x in tree.args:
        result = min(result * terms(x), MANY)
    return result

"""Enclosures: an interval that holds every value of a function where its arguments lie in given intervals.

Interval arithmetic over the tree, outwards by two units in the last place at each step; an argument that occurs twice
is taken for two. Sound, not complete: (-∞, ∞) where nothing is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from math import inf, nextafter, pi

import sympy

from tensorprog.functions import trees
from tensorprog.functions.base import ANYTHING, Interval

Domain = Mapping[sympy.Symbol, Interval]
POSITIVE: Interval = (1e-300, inf)
"""Of what is above some positive number, whatever it is."""

FIXED: Mapping[type, Interval] = {
    sympy.erf: (-1.0, 1.0),
    sympy.sin: (-1.0, 1.0),
    sympy.cos: (-1.0, 1.0),
    sympy.tanh: (-1.0, 1.0),
    trees.tanh: (-1.0, 1.0),
    trees.sigmoid: (0.0, 1.0),
    trees.Phi: (0.0, 1.0),
    sympy.atan: (-pi / 2, pi / 2),
    sympy.cosh: (1.0, inf),
}
"""Ranges on the whole line."""


def enclosure(tree: sympy.Expr, domain: Domain) -> Interval:
    """Where the values of a tree lie; symbols that the domain does not name are any real number.

    >>> from sympy import sin, Symbol
    >>> [round(end, 9) for end in enclosure(2 + sin(Symbol("z")), {})]
    [1.0, 3.0]
    """
    if tree.is_Symbol:
        return domain.get(tree, ANYTHING)
    if tree.is_number:
        return _number(tree)
    parts = [enclosure(x, domain) for x in tree.args]
    if tree.is_Add:
        return added(parts)
    if tree.is_Mul:
        return multiplied(parts)
    if tree.is_Pow and tree.exp.is_Rational:
        return powered(parts[0], int(tree.exp.p), int(tree.exp.q))
    for kind, known in FIXED.items():
        if isinstance(tree, kind):
            return _outwards(known)
    if isinstance(tree, sympy.Max):
        return max(low for low, _ in parts), max(high for _, high in parts)
    low, high = parts[0]
    if isinstance(tree, sympy.exp):
        return _outwards((_exp(low), _exp(high)))
    if isinstance(tree, trees.softplus):
        return max(0.0, low), _outwards((low, max(high, 0.0) + math.log(2)))[1]
    if isinstance(tree, sympy.log) and low > 0:
        return _outwards((math.log(low), inf if high == inf else math.log(high)))
    return ANYTHING


def excludes_zero(interval: Interval) -> bool:
    return interval[0] > 0 or interval[1] < 0


def added(parts: Sequence[Interval]) -> Interval:
    """Of a sum."""
    low = high = 0.0
    for a, b in parts:
        low, high = _outwards((low + a, high + b))
    return low, high


def multiplied(parts: Sequence[Interval]) -> Interval:
    """Of a product of independent factors."""
    found = (1.0, 1.0)
    for part in parts:
        ends = [_times(a, b) for a in found for b in part]
        found = _outwards((min(ends), max(ends)))
        if min(ends) >= 0:  # what is not negative stays so
            found = (max(found[0], 0.0), found[1])
    return found


def powered(base: Interval, p: int, q: int = 1) -> Interval:
    """Of x^{p/q}, q > 0, wherever it is defined; (-∞, ∞) where that is nowhere."""
    low, high = base
    if q == 1 and p > 0 and p % 2 == 0:
        least = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
        return max(0.0, _outwards((_power(least, p), 0.0))[0]), _outwards((0.0, _power(max(-low, high), p)))[1]
    if q == 1 and p > 0:
        return _outwards((_power(low, p), _power(high, p)))
    if q == 1 and high < 0:
        mirrored = powered((-high, -low), p)
        return mirrored if p % 2 == 0 else (-mirrored[1], -mirrored[0])
    if q == 1 and low <= 0:
        return (0.0, inf) if p % 2 == 0 else ANYTHING
    if high < 0:
        return ANYTHING
    low = max(low, 0.0)  # elsewhere a root is not real
    ends = sorted((_power(low, p / q), _power(high, p / q)))
    return max(0.0, _outwards((ends[0], ends[1]))[0]), _outwards((ends[0], ends[1]))[1]


def _number(tree: sympy.Expr) -> Interval:
    try:
        value = float(tree) if tree.is_real else math.nan
    except OverflowError:
        return ANYTHING
    return ANYTHING if math.isnan(value) else _outwards((value, value))


def _outwards(interval: Interval) -> Interval:
    """Two units in the last place wider: an elementary function is off by less than one. An exact 0 stays."""
    low, high = interval
    low = low if low in (0.0, -inf) else nextafter(nextafter(low, -inf), -inf)
    high = high if high in (0.0, inf) else nextafter(nextafter(high, inf), inf)
    return low, high


def _times(a: float, b: float) -> float:
    return 0.0 if a == 0 or b == 0 else a * b


def _exp(x: float) -> float:
    return _guarded(math.exp, x)


def _power(x: float, p: float) -> float:
    if x == 0:
        return 0.0 if p > 0 else inf
    if abs(x) == inf:
        return 0.0 if p < 0 else math.copysign(inf, x) if p % 2 == 1 else inf
    return _guarded(lambda y: math.pow(y, p), x)


def _guarded(function: Callable[[float], float], x: float) -> float:
    try:
        return function(x)
    except OverflowError:
        return math.copysign(inf, x) if function is not math.exp else inf

"""Exact powers of the width, norm triples of vectors, and their closure.

An `Exponent` is the class n^power (log n)^log, ordered as n grows. Everything is rational; there are no
floats here except an infinite `log`, which stands for a factor n^{o(1)} larger than any power of log n
(the largest of n exponentials of Gaussians, e^{sqrt(2 log n)}).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from numbers import Complex, Real
from typing import Any

from tensorprog.errors import ExpressionError
from tensorprog.notation import law

Rational = int | Fraction
UNBOUNDED_LOG = float("inf")
HALF = Fraction(1, 2)


def exact(number: Any) -> Fraction:
    """The rational a number is written as: 0.1 is one tenth, not the nearest double.

    Raises ExpressionError for anything that is not a finite real number.

    >>> exact(0.1)
    Fraction(1, 10)
    """
    if isinstance(number, Fraction | int) and not isinstance(number, bool):
        return Fraction(number)
    try:
        if isinstance(number, str | bytes | bool) or (isinstance(number, Complex) and not isinstance(number, Real)):
            raise TypeError
        return Fraction(repr(float(number)))
    except (TypeError, ValueError):
        raise ExpressionError(f"{number!r} is not a finite real number; use an int, a Fraction or a float") from None


@dataclass(frozen=True, order=True, slots=True)
class Exponent:
    """The growth class n^power (log n)^log; compared as n goes to infinity.

    >>> Exponent(Fraction(-1)) + Exponent(Fraction(1, 2), Fraction(1, 2))
    Exponent(power=Fraction(-1, 2), log=Fraction(1, 2))
    >>> str(max(Exponent(-1), Exponent(-1, Fraction(1))))
    'n^-1 (log n)^1'
    """

    power: Rational = Fraction(0)
    log: Rational | float = Fraction(0)

    def __add__(self, other: Exponent) -> Exponent:
        power, log = self.power, self.log  # most are 0, and adding fractions is dear
        return Exponent(
            (power + other.power if power else other.power) if other.power else power,
            (log + other.log if log else other.log) if other.log else log,
        )

    def shift(self, power: Rational) -> Exponent:
        """Multiply the class by n^power."""
        return Exponent(self.power + power, self.log) if power else self

    def __str__(self) -> str:
        return law(self)


@dataclass(frozen=True, slots=True)
class Norms:
    """Exponents of (l1, l2, l-infinity) norms of a vector of length n^growing (growing is 0 or 1)."""

    l1: Exponent
    l2: Exponent
    linf: Exponent
    growing: int = 1

    def shift(self, exponent: Exponent) -> Norms:
        """All three norms multiplied by one scalar of the class given."""
        return Norms(self.l1 + exponent, self.l2 + exponent, self.linf + exponent, self.growing)


def known_norms(size: Exponent, growing: int) -> Norms:
    """Norms of a delocalised vector with coordinates O(n^c); the logarithm enters the largest one only."""
    return Norms(Exponent(size.power + growing), Exponent(size.power + growing * HALF), size, growing)


def closed(l1: Exponent | None, l2: Exponent, linf: Exponent | None, growing: int = 1) -> Norms:
    """Close a triple of upper bounds under the inequalities every vector obeys; None is 'no bound given'.

    linf <= l2 <= l1 <= l2 n^{1/2}, l2 <= linf n^{1/2}, l2 <= (l1 linf)^{1/2}.
    """
    half = growing * HALF
    linf = l2 if linf is None else min(linf, l2)
    l2 = min(l2, linf.shift(half))
    l1 = l2.shift(half) if l1 is None else min(l1, l2.shift(half))
    linf = min(linf, l1)
    mean = Exponent((l1.power + linf.power) / Fraction(2), (l1.log + linf.log) / 2)
    l2 = min(l2, l1, mean)
    return Norms(l1, l2, min(linf, l2), growing)


def product(a: Norms, b: Norms) -> Norms:
    """Norms of the coordinatewise product, by every Hoelder pairing."""
    l1 = min(a.l2 + b.l2, a.l1 + b.linf, a.linf + b.l1)
    l2 = min(a.l2 + b.linf, a.linf + b.l2)
    return closed(l1, l2, a.linf + b.linf, max(a.growing, b.growing))


def union(a: Norms, b: Norms) -> Norms:
    """Norms of a sum."""
    return Norms(max(a.l1, b.l1), max(a.l2, b.l2), max(a.linf, b.linf), max(a.growing, b.growing))

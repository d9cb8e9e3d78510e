"""Exact numbers as texts: rationals, coefficients value·n^power, widths."""

from __future__ import annotations

import re
from fractions import Fraction

from tensorprog.errors import ExpressionError
from tensorprog.program.types import DATA, Coefficient, Width

MAX_DIGITS = 4000

RATIONAL = r"-?\d+(?:/\d+)?"
FACTOR = rf"{RATIONAL}\*n\^(?:\d+|\({RATIONAL}\))|{RATIONAL}|n\^(?:\d+|\({RATIONAL}\))"
WIDTH = r"d0|n|\d+(?:/\d+)?n"
COEFFICIENT = re.compile(rf"(?:({RATIONAL})(?:\*|\Z))?(?:n\^(\d+|\({RATIONAL}\)))?")


def read_fraction(text: str) -> Fraction:
    """An exact rational such as -3/2."""
    if not re.fullmatch(RATIONAL, text, re.ASCII) or len(text) > MAX_DIGITS:
        raise ExpressionError(f"{shown(text)} is no exact number; write it as 2, -3/2 or 1/10")
    try:
        return Fraction(text)
    except ZeroDivisionError:
        raise ExpressionError(f"{shown(text)} divides by zero; give another denominator") from None


def read_coefficient(text: str) -> Coefficient:
    """value·n^power, as in 1/2*n^(-1/2)."""
    found = COEFFICIENT.fullmatch(text)
    if found is None or not text or text.endswith("*"):
        raise ExpressionError(f"{shown(text)} is no coefficient; write it as 2, n^1 or 1/2*n^(-1/2)")
    value, power = found.groups()
    return Coefficient(read_fraction(value or "1"), read_fraction((power or "0").strip("()")))


def read_side(text: str) -> Width | None:
    """One side of a parameter's shape: n, 2n, 1/2n, d0, or 1 for none."""
    if text == "1":
        return None
    if text == "d0":
        return DATA
    if not re.fullmatch(WIDTH, text, re.ASCII):
        raise ExpressionError(f"{shown(text)} is no width; write it as n, 2n, 1/2n or d0")
    ratio = read_fraction(text.removesuffix("n") or "1")
    if not ratio:
        raise ExpressionError(f"{shown(text)} is an empty width; give a positive multiple of n")
    return Width(ratio)


def read_integer(text: str) -> int:
    """A number without a sign."""
    if len(text) > 9:
        raise ExpressionError(f"{shown(text)} is too large; use a number of at most nine digits")
    return int(text)


def shown(text: str) -> str:
    """A text for a message, shortened."""
    return repr(text if len(text) <= 100 else f"{text[:97]}...")

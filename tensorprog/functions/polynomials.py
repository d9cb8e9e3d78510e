"""identity and polynomials with rational coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import final

import sympy

from tensorprog.errors import ExpressionError
from tensorprog.exponents import exact
from tensorprog.functions.base import (
    Array,
    Degree,
    Function,
    Univariate,
    differentiated,
    horner,
    rational,
    written,
)

MAX_DEGREE = 64


@final
@dataclass(frozen=True, eq=False, repr=False)
class Polynomial(Univariate):
    """Σ_j c_j z^j; `coefficients` start at c_0 and end at a coefficient that is not 0."""

    coefficients: tuple[Fraction, ...]

    factorial_growth = True

    @property
    def homogeneity(self) -> Fraction | None:
        return Fraction(len(self.coefficients) - 1) if sum(map(bool, self.coefficients)) == 1 else None

    @cached_property
    def spec(self) -> str:
        if self.coefficients == (Fraction(0), Fraction(1)):
            return "identity"
        return written("polynomial", self.coefficients or (Fraction(0),))

    def derivative(self, k: int, z: Array) -> Array:
        return horner(differentiated(self.coefficients, k), z)

    def growth(self, k: int) -> Degree:
        return Fraction(max(0, len(self.coefficients) - 1 - k))

    def symmetry_of(self, k: int) -> int | None:
        parities = {j % 2 for j, c in enumerate(differentiated(self.coefficients, k)) if c}
        if len(parities) > 1:
            return None
        return -1 if parities == {1} else 1

    def constant_of(self, k: int) -> Fraction | None:
        left = differentiated(self.coefficients, k)
        if len(left) > 1:
            return None
        return left[0] if left else Fraction(0)

    def formula(self, z: sympy.Symbol) -> sympy.Expr:
        return sympy.Add(*(rational(c) * z**j for j, c in enumerate(self.coefficients)))


def polynomial(*coefficients: object) -> Function:
    """Σ_j c_j z^j, lowest coefficient first.

    >>> polynomial(0, 1, 0.5)
    polynomial(0, 1, 1/2)
    >>> polynomial(0, 1)
    identity
    """
    if len(coefficients) > MAX_DEGREE + 1:
        raise ExpressionError(f"a polynomial of degree {len(coefficients) - 1}; at most {MAX_DEGREE} is supported")
    return Polynomial(differentiated([exact(c) for c in coefficients], 0))


identity = Polynomial((Fraction(0), Fraction(1)))

NONLINEARITIES = (identity, polynomial)

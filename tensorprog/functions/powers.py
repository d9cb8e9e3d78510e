"""z^p with a rational p, as 1/s and 1/√s of a normalisation. Singular at 0 unless p is 0, 1, 2, …"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import prod
from typing import final

import numpy as np
import sympy

from tensorprog.exponents import exact
from tensorprog.functions.base import (
    BOUNDED,
    Array,
    Degree,
    Function,
    Interval,
    Order,
    Univariate,
    rational,
    written,
)
from tensorprog.functions.polynomials import polynomial


@final
@dataclass(frozen=True, eq=False, repr=False)
class Power(Univariate):
    """z^p, with k-th derivative p (p-1) … (p-k+1) z^{p-k}; z > 0 unless p is an integer."""

    exponent: Fraction

    regular = False

    @property
    def homogeneity(self) -> Fraction:
        return self.exponent

    @cached_property
    def spec(self) -> str:
        return written("power", [self.exponent])

    def derivative(self, k: int, z: Array) -> Array:
        factor = prod((self.exponent - j for j in range(k)), start=Fraction(1))
        return np.power(z, float(self.exponent - k)) * float(factor)

    def growth(self, k: int) -> Degree:
        return self.exponent - k if self.exponent >= k else None

    def regular_on(self, domain: Sequence[Interval]) -> bool:
        ((low, high),) = domain
        return low > 0 or (high < 0 and self.exponent.denominator == 1)

    def degrees_on(self, order: Order, domain: Sequence[Interval]) -> tuple[Degree, ...]:
        """Away from the pole a negative power is bounded."""
        return (max(self.exponent - order[0], BOUNDED),) if self.regular_on(domain) else self.degrees(order)

    def symmetry_of(self, k: int) -> int | None:
        if self.exponent.denominator != 1:
            return None
        return -1 if (self.exponent - k) % 2 else 1

    def formula(self, z: sympy.Symbol) -> sympy.Expr:
        return z ** rational(self.exponent)


def power(p: object) -> Function:
    """z^p; a polynomial when p is 0, 1, 2, …

    >>> power(-0.5)
    power(-1/2)
    >>> power(2)
    polynomial(0, 0, 1)
    """
    exponent = exact(p)
    if exponent.denominator == 1 and exponent >= 0:
        return polynomial(*[0] * min(int(exponent), 10**4), 1)
    return Power(exponent)


NONLINEARITIES = (power,)

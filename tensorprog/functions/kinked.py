"""relu and leaky_relu: one kink at the origin.

The second derivative is a point mass at the kink; almost everywhere it is 0, and that is what is computed; `jumps`
tells the mass. Orders D + d ≤ 2 are offered, no further.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import final

import numpy as np
import sympy

from tensorprog.exponents import exact
from tensorprog.functions.base import BOUNDED, LINEAR, Array, Degree, Function, Univariate, rational, written
from tensorprog.functions.polynomials import identity


@final
@dataclass(frozen=True, eq=False, repr=False)
class LeakyRelu(Univariate):
    """z for z > 0, slope · z otherwise; slope 0 is relu (the value of the derivative at 0 is the slope)."""

    slope: Fraction

    smoothness = 2
    kinks = (Fraction(0),)

    @property
    def homogeneity(self) -> Fraction:
        return Fraction(1)

    @cached_property
    def spec(self) -> str:
        return written("leaky_relu", [self.slope]) if self.slope else "relu"

    def symmetry_of(self, k: int) -> int | None:
        return (-1) ** k if self.slope == -1 else None

    def derivative(self, k: int, z: Array) -> Array:
        slope = z.dtype.type(float(self.slope))
        if k == 0:
            return np.asarray(np.where(z > 0, z, slope * z))
        if k == 1:
            return np.asarray(np.where(z > 0, z.dtype.type(1), slope))
        return np.zeros_like(z)

    def growth(self, k: int) -> Degree:
        return BOUNDED if k else LINEAR

    def constant_of(self, k: int) -> Fraction | None:
        return Fraction(0) if k >= 2 else None

    def jumps(self, order: int) -> tuple[tuple[Fraction, Fraction], ...]:
        return ((Fraction(0), 1 - self.slope),) if order == 1 else ()

    def formula(self, z: sympy.Symbol) -> sympy.Expr:
        slope = rational(self.slope)
        return sympy.Piecewise((z, z > 0), (slope * z, True)) if self.slope else sympy.Max(z, 0)


def leaky_relu(slope: object) -> Function:
    """z for z > 0, slope · z otherwise (Maas, Hannun & Ng 2013).

    >>> leaky_relu(0.1)
    leaky_relu(1/10)
    """
    value = exact(slope)
    return identity if value == 1 else LeakyRelu(value)


relu = LeakyRelu(Fraction(0))

NONLINEARITIES = (relu, leaky_relu)

"""sin, cos and exp: the functions that differentiation only shifts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import sympy

from tensorprog.functions.base import BOUNDED, Array, Degree, Univariate


def shifted_sine(quarters: int, z: Array) -> Array:
    """sin(z + quarters π/2), exactly periodic in `quarters`."""
    wave = np.cos(z) if quarters % 2 else np.sin(z)
    return -wave if quarters % 4 >= 2 else wave


@final
@dataclass(frozen=True, eq=False, repr=False)
class Sin(Univariate):
    """sin^{(k)}(z) = sin(z + kπ/2)."""

    spec = "sin"
    symmetry = -1
    factorial_growth = True

    def derivative(self, k: int, z: Array) -> Array:
        return shifted_sine(k, z)

    def growth(self, k: int) -> Degree:
        return BOUNDED

    def formula(self, z: sympy.Symbol) -> sympy.Expr:
        return sympy.sin(z)


@final
@dataclass(frozen=True, eq=False, repr=False)
class Cos(Univariate):
    """cos^{(k)}(z) = sin(z + (k+1)π/2)."""

    spec = "cos"
    symmetry = 1
    factorial_growth = True

    def derivative(self, k: int, z: Array) -> Array:
        return shifted_sine(k + 1, z)

    def growth(self, k: int) -> Degree:
        return BOUNDED

    def formula(self, z: sympy.Symbol) -> sympy.Expr:
        return sympy.cos(z)


@final
@dataclass(frozen=True, eq=False, repr=False)
class Exp(Univariate):
    """e^z, its own derivative; it grows faster than any power."""

    spec = "exp"
    factorial_growth = True
    exponential = True

    def derivative(self, k: int, z: Array) -> Array:
        return np.exp(z)

    def growth(self, k: int) -> Degree:
        return None

    def formula(self, z: sympy.Symbol) -> sympy.Expr:
        return sympy.exp(z)


sin = Sin()
cos = Cos()
exp = Exp()

NONLINEARITIES = (sin, cos, exp)

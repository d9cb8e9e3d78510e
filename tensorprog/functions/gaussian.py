"""erf and GELU: derivatives are Hermite polynomials times a Gaussian.

The recursion of the Hermite polynomials is run on their products with the Gaussian, which stay bounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, sqrt
from typing import final

import numpy as np
import sympy
from scipy import special

from tensorprog.functions.base import BOUNDED, LINEAR, Array, Degree, Univariate


@final
@dataclass(frozen=True, eq=False, repr=False)
class Erf(Univariate):
    """erf(z) = (2/√π) ∫₀^z e^{-t²} dt, with erf^{(k)}(z) = (2/√π) (-1)^{k-1} H_{k-1}(z) e^{-z²}.

    H_j are the physicists' Hermite polynomials (Abramowitz & Stegun 7.1.19).
    """

    spec = "erf"
    symmetry = -1
    factorial_growth = True

    def derivative(self, k: int, z: Array) -> Array:
        if k == 0:
            return np.asarray(special.erf(z))
        before, now = np.zeros_like(z), np.exp(-z * z) * (2 / sqrt(pi))
        for j in range(k - 1):  # (-1)^j H_j e^{-z²}
            before, now = now, -2 * (z * now + j * before)
        return np.asarray(now)

    def growth(self, k: int) -> Degree:
        return BOUNDED

    def formula(self, z: sympy.Symbol) -> sympy.Expr:
        return sympy.erf(z)


@final
@dataclass(frozen=True, eq=False, repr=False)
class Gelu(Univariate):
    """z Φ(z), Φ the Gaussian distribution function (Hendrycks & Gimpel, arXiv 1606.08415; not its tanh approximation).

    gelu' = Φ + z Φ', gelu^{(k)} = k Φ^{(k-1)} + z Φ^{(k)}. As z Φ(z) = z/2 + even, derivatives from the second have a
    parity.
    """

    spec = "gelu"
    factorial_growth = True

    def derivative(self, k: int, z: Array) -> Array:
        if k == 0:
            return np.asarray(z * special.ndtr(z))
        before, now = np.asarray(special.ndtr(z)), np.exp(-z * z / 2) * (1 / sqrt(2 * pi))  # Φ^{(k-1)}, Φ^{(k)}
        for j in range(1, k):
            before, now = now, -(z * now + (j - 1) * before if j > 1 else z * now)
        return k * before + z * now

    def growth(self, k: int) -> Degree:
        return BOUNDED if k else LINEAR

    def symmetry_of(self, k: int) -> int | None:
        return (-1) ** k if k >= 2 else None

    def formula(self, z: sympy.Symbol) -> sympy.Expr:
        return z * (1 + sympy.erf(z / sympy.sqrt(2))) / 2


erf = Erf()
gelu = Gelu()

NONLINEARITIES = (erf, gelu)

"""sigmoid, tanh and softplus: derivatives are those of the logistic function, without cancellation in the tails.

With s = σ(z) σ(-z) and t = tanh(z/2), s' = -s t and t' = (1 - t²)/2, so σ^{(k)} = s Q_k(t) with polynomials
Q_1 = 1, Q_{k+1} = -t Q_k + Q_k' (1 - t²)/2. The product s carries the exponential tail exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import final

import numpy as np
import sympy
from scipy import special

from tensorprog.functions.base import BOUNDED, LINEAR, Array, Degree, Univariate, differentiated, horner


@cache
def logistic_polynomial(k: int) -> tuple[Fraction, ...]:
    """Coefficients of Q_k, k ≥ 1, lowest first; Q_k has the parity of k - 1.

    >>> [str(c) for c in logistic_polynomial(3)]
    ['-1/2', '0', '3/2']
    """
    if k == 1:
        return (Fraction(1),)
    q = logistic_polynomial(k - 1)
    result = [Fraction(0)] * (len(q) + 1)
    for j, c in enumerate(q):
        result[j + 1] -= c
    for j, c in enumerate(differentiated(q)):
        result[j] += c / 2
        result[j + 2] -= c / 2
    return tuple(result)


def logistic(k: int, z: Array) -> Array:
    """σ^{(k)}(z)."""
    if k == 0:
        return np.asarray(special.expit(z))
    value = np.asarray(np.abs(z))
    np.exp(np.negative(value, out=value), out=value)
    below = 1 + value
    value /= below * below
    if k > 1:
        value *= horner(logistic_polynomial(k), np.tanh(z / 2))
    return value


@final
@dataclass(frozen=True, eq=False, repr=False)
class Sigmoid(Univariate):
    """σ(z) = 1/(1 + e^{-z}); derivatives in the module's formula. σ - 1/2 is odd, so every derivative has a parity."""

    spec = "sigmoid"
    factorial_growth = True

    def derivative(self, k: int, z: Array) -> Array:
        return logistic(k, z)

    def growth(self, k: int) -> Degree:
        return BOUNDED

    def symmetry_of(self, k: int) -> int | None:
        return (-1) ** (k - 1) if k else None

    def formula(self, z: sympy.Symbol) -> sympy.Expr:
        return 1 / (1 + sympy.exp(-z))


@final
@dataclass(frozen=True, eq=False, repr=False)
class Tanh(Univariate):
    """tanh(z) = 2 σ(2z) - 1, so tanh^{(k)}(z) = 2^{k+1} σ^{(k)}(2z)."""

    spec = "tanh"
    symmetry = -1
    factorial_growth = True

    def derivative(self, k: int, z: Array) -> Array:
        if k == 0:
            return np.asarray(np.tanh(z))
        value = logistic(k, 2 * z)
        value *= 2.0 ** (k + 1)
        return value

    def growth(self, k: int) -> Degree:
        return BOUNDED

    def formula(self, z: sympy.Symbol) -> sympy.Expr:
        return sympy.tanh(z)


@final
@dataclass(frozen=True, eq=False, repr=False)
class Softplus(Univariate):
    """log(1 + e^z), with softplus^{(k)} = σ^{(k-1)}; z/2 plus an even function."""

    spec = "softplus"
    factorial_growth = True

    def derivative(self, k: int, z: Array) -> Array:
        return logistic(k - 1, z) if k else np.logaddexp(z.dtype.type(0), z)

    def growth(self, k: int) -> Degree:
        return BOUNDED if k else LINEAR

    def symmetry_of(self, k: int) -> int | None:
        return (-1) ** k if k >= 2 else None

    def formula(self, z: sympy.Symbol) -> sympy.Expr:
        return sympy.log(1 + sympy.exp(z))


sigmoid = Sigmoid()
tanh = Tanh()
softplus = Softplus()

NONLINEARITIES = (sigmoid, tanh, softplus)

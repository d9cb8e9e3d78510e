"""Averages of monomials times smoothed signs g_s(z) = erf(z/√s) under a joint Gaussian law, by Stein's lemma.

g_s' = (2/√(πs)) e^{-z²/s} changes the law to another Gaussian one, so that Stein's lemma
E[z_i f] = m_i E f + Σ_j Σ_ij E[∂_j f] lowers the number of factors until none or two smoothed signs are left; for
these, E[g_s(x) g_t(y)] is an arcsine (Williams 1997, eq. 11; for s = t = 0 Sheppard's formula, which is behind the
arc-cosine kernels of Cho & Saul 2009).

Every average comes with the sum of the sizes of its parts, which bounds the rounding error of the sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations_with_replacement
from math import pi, sqrt

import numpy as np
from scipy import special

from tensorprog.functions.base import Array
from tensorprog.limits.atoms import Widths

SPLITTER = 2.0**27 + 1
SMALLEST = float(np.nextafter(0, 1))
Sized = tuple[Array, Array]
ZERO: Sized = (np.zeros(()), np.zeros(()))
ONE: Sized = (np.ones(()), np.ones(()))


def minor(a: Array, d: Array, b: Array, c: Array) -> Array:
    """a d - b c to full relative precision, cancellation included (Dekker 1971, exact products)."""
    first = a * d
    second = b * c
    result: Array = first - second
    close = np.abs(result) < np.abs(first) / 16
    if close.any():
        a, d, b, c, first, second = (x[close] for x in np.broadcast_arrays(a, d, b, c, first, second))
        result[close] += _product_error(a, d, first) - _product_error(b, c, second)
    return result


def _product_error(x: Array, y: Array, product: Array) -> Array:
    """x y - product, exactly."""
    (x1, x0), (y1, y0) = _halves(x), _halves(y)
    return np.asarray(((x1 * y1 - product) + x1 * y0 + x0 * y1) + x0 * y0)


def _halves(x: Array) -> tuple[Array, Array]:
    large = SPLITTER * x
    high = large - (large - x)
    return high, x - high


def quotient(numerator: Array, denominator: Array) -> Array:
    """numerator / denominator, and 0 where the denominator is 0."""
    zero = denominator == 0
    if zero.any():
        return np.where(zero, 0, numerator / np.where(zero, 1, denominator))
    return numerator / denominator


class Law:
    """A Gaussian law: covariance entries, computed when they are first asked for, and means, None for 0.

    `entries` is asked for (i, j) with i ≤ j only. Means may be complex, as after a tilt by e^{iz}. Averages and
    reweighted laws are remembered.
    """

    def __init__(
        self, coordinates: Sequence[int], entries: Callable[[int, int], Array], mean: dict[int, Array] | None = None
    ) -> None:
        self.coordinates, self.mean = coordinates, mean
        self._entries = entries
        self._known: dict[tuple[int, int], Array] = {}
        self._averages: dict[tuple[tuple[int, ...], Widths], Sized] = {}
        self._sharpened: dict[tuple[int, float], tuple[Array, Law]] = {}

    def entry(self, i: int, j: int) -> Array:
        """Σ_ij."""
        pair = (i, j) if i <= j else (j, i)
        if pair not in self._known:
            self._known[pair] = self._entries(*pair)
        return self._known[pair]

    def sharpened(self, i: int, s: float) -> tuple[Array, Law]:
        """E[g_s'(z_i)], and the law reweighted by g_s'(z_i); for s = 0 it is conditioned on z_i = 0.

        Σ ↦ Σ - 2 Σ_i Σ_iᵀ/(s + 2Σ_ii), written by minors, which do not cancel. For a constant z_i = 0 and s = 0 the
        average, infinite, is returned as 0: Stein's lemma multiplies it by the covariance 0.
        """
        known = self._sharpened.get((i, s))
        if known is None:
            known = self._sharpened[i, s] = self._sharpen(i, s)
        return known

    def _sharpen(self, i: int, s: float) -> tuple[Array, Law]:
        spread = s + 2 * self.entry(i, i)

        def entries(j: int, k: int) -> Array:
            value = s * self.entry(j, k)
            if i not in (j, k):
                value = value + 2 * minor(self.entry(j, k), self.entry(i, i), self.entry(i, j), self.entry(i, k))
            return quotient(np.maximum(value, 0) if j == k else value, spread)

        weight = quotient(np.asarray(2 / sqrt(pi)), np.sqrt(spread))
        if self.mean is None:
            return weight, Law(self.coordinates, entries)
        shift = quotient(self.mean[i], spread)
        mean = {j: self.mean[j] - 2 * self.entry(i, j) * shift for j in self.coordinates}
        return weight * np.exp(-self.mean[i] * shift), Law(self.coordinates, entries, mean)

    def tilted(self, exponent: tuple[complex, ...]) -> tuple[Array, Law]:
        """log E[e^{a·z}] = a·m + aᵀΣa/2, and the law reweighted by e^{a·z}, of mean m + Σa."""
        used = [i for i in self.coordinates if exponent[i]]
        logarithm: Array = np.asarray(self.quadratic(exponent) / 2)
        mean = {
            j: (0 if self.mean is None else self.mean[j])
            + np.asarray(sum(_plain(exponent[i]) * self.entry(i, j) for i in used))
            for j in self.coordinates
        }
        if self.mean is not None:
            logarithm = logarithm + sum(_plain(exponent[i]) * self.mean[i] for i in used)
        return logarithm, Law(self.coordinates, self.entry, mean)

    def pairs(self) -> Iterator[tuple[int, int]]:
        """All (i, j) with i ≤ j."""
        return combinations_with_replacement(self.coordinates, 2)

    def quadratic(self, exponent: tuple[complex, ...]) -> Array:
        """aᵀΣa."""
        total: Array = np.zeros(())
        for i, j in self.pairs():
            coefficient = exponent[i] * exponent[j] * (1 if i == j else 2)
            if coefficient:
                total = total + _plain(coefficient) * self.entry(i, j)
        return total

    def average(self, powers: tuple[int, ...], steps: Widths) -> Sized:
        """E[Π z_i^{n_i} Π g_s(z_j)], with the size of its parts. At most two g, or three around mean 0."""
        if self.mean is None and (sum(powers) + len(steps)) % 2:
            return ZERO
        known = self._averages.get((powers, steps))
        if known is None:
            known = self._averages[powers, steps] = self._average(powers, steps)
        return known

    def _average(self, powers: tuple[int, ...], steps: Widths) -> Sized:
        i = next((i for i, n in enumerate(powers) if n), None)
        if i is None:
            return self._signs(steps)
        rest = _lowered(powers, i)
        parts: list[tuple[Array, Sized]] = []
        if self.mean is not None:
            parts.append((self.mean[i], self.average(rest, steps)))
        for j, n in enumerate(rest):
            if n:
                parts.append((n * self.entry(i, j), self.average(_lowered(rest, j), steps)))
        for position, (j, s) in enumerate(steps):
            weight, law = self.sharpened(j, s)
            parts.append((weight * self.entry(i, j), law.average(rest, steps[:position] + steps[position + 1 :])))
        return added([(factor * value, np.abs(factor) * size) for factor, (value, size) in parts])

    def _signs(self, steps: Widths) -> Sized:
        if not steps:
            return ONE
        value = self._one_sign(*steps[0]) if len(steps) == 1 else self._two_signs(*steps[0], *steps[1])
        return value, np.abs(value)

    def _one_sign(self, i: int, s: float) -> Array:
        """E g_s(z) = erf(m/√(s + 2Σ))."""
        if self.mean is None:
            return np.zeros(())
        return np.asarray(special.erf(quotient(self.mean[i], np.sqrt(s + 2 * self.entry(i, i)))))

    def _two_signs(self, i: int, s: float, j: int, t: float) -> Array:
        """(2/π) arcsin(2Σ_ij/√((s + 2Σ_ii)(t + 2Σ_jj))), as an arctangent that is exact near ±1."""
        x, y, both = self.entry(i, i), self.entry(j, j), self.entry(i, j)
        rest = minor(x, y, both, both)
        rest *= 4
        if s or t:
            rest += (2 * t) * x
            rest += (2 * s) * y + s * t
        np.maximum(rest, SMALLEST, out=rest)  # so that ±1 is met where nothing is left, and 0/0 is 0
        np.sqrt(rest, out=rest)
        np.divide(2 * both, rest, out=rest)
        np.arctan(rest, out=rest)
        rest *= 2 / pi
        return rest


def added(parts: list[Sized]) -> Sized:
    """The sum of values and of sizes."""
    value, size = parts[0] if parts else ZERO
    for more, much in parts[1:]:
        value, size = value + more, size + much
    return value, size


def _lowered(powers: tuple[int, ...], i: int) -> tuple[int, ...]:
    return (*powers[:i], powers[i] - 1, *powers[i + 1 :])


def _plain(number: complex) -> complex | float:
    """A real number without its zero imaginary part."""
    return number if number.imag else number.real

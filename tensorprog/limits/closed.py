"""Closed forms: products of sums of atoms, averaged atom by atom.

Known limit: at most two smoothed signs may be left beside a polynomial around mean 0 (three when the total is odd), one
elsewhere; more are orthant probabilities without a formula.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from math import pi, prod, sqrt

import numpy as np

from tensorprog.functions.base import Array
from tensorprog.limits.atoms import Atom, atoms, constant_atom
from tensorprog.limits.factors import Factor
from tensorprog.limits.law import Law, Sized, added

EPS = float(np.finfo(float).eps)
ROUNDINGS = 16
MAX_TERMS = 2000


@lru_cache(maxsize=2**10)
def terms_of(factors: tuple[Factor, ...], size: int, centred: bool) -> tuple[Atom, ...] | None:
    """The product as a sum of atoms whose averages are known; None where it is no such sum."""
    sums: list[list[Atom]] = []
    for function, order, arguments in factors:
        read = atoms(function, order)
        if read is None:
            return None
        sums.append([atom.placed(arguments, size) for atom in read])
    if prod(map(len, sums)) > MAX_TERMS:
        return None
    total: dict[Atom, complex] = {constant_atom(1, size): 1}
    for found in sums:
        product: dict[Atom, complex] = {}
        for atom, coefficient in total.items():
            for other in found:
                made = atom * other
                product[made.unit] = product.get(made.unit, 0) + coefficient * made.coefficient
        total = {atom: c for atom, c in product.items() if c}
    result = tuple(replace(atom, coefficient=c) for atom, c in total.items())
    return result if all(_is_known(atom, centred) for atom in result) else None


def _is_known(atom: Atom, centred: bool) -> bool:
    if not centred or any(atom.exponent):
        return len(atom.steps) <= 1
    return len(atom.steps) <= 2 or (len(atom.steps) == 3 and sum(atom.powers) % 2 == 0) or _is_odd(atom)


def _is_odd(atom: Atom) -> bool:
    return not any(atom.exponent) and (sum(atom.powers) + len(atom.steps)) % 2 == 1


def closed_form(terms: Sequence[Atom], law: Law) -> tuple[Array, Array]:
    """Value and rounding error of Σ E[atom]."""
    waves = _opposite_waves(terms, law)
    if waves is not None:
        return waves
    value, size = added([_average(atom, law) for atom in terms if not _is_conjugate(atom)])
    return value, ROUNDINGS * EPS * size


def _is_conjugate(atom: Atom) -> bool:
    """Of two conjugate terms the one that is left out."""
    return next((a.imag < 0 for a in atom.exponent if a.imag), False)


def _average(atom: Atom, law: Law) -> Sized:
    """Re E[atom], twice of it for an atom that stands for its conjugate too."""
    factor: Array = np.ones(())
    for i, s in atom.bells:
        weight, law = law.sharpened(i, s)
        factor = factor * (weight * (sqrt(pi * s) / 2))
    coefficient: complex | float = atom.coefficient.real
    precision: Array = np.ones(())
    if any(atom.exponent):
        twice = 2 if any(a.imag for a in atom.exponent) else 1
        coefficient = atom.coefficient * twice
        logarithm, tilted = law.tilted(atom.exponent)
        factor = factor * np.exp(logarithm + atom.shift)
        precision = 1 + np.abs(logarithm) + abs(atom.shift)
        law = tilted if any(atom.powers) or atom.steps else law
    elif atom.shift:
        factor, precision = factor * np.exp(atom.shift), precision + abs(atom.shift)
    plain = not any(atom.powers) and not atom.steps
    value, size = (np.ones(()), np.ones(())) if plain else law.average(atom.powers, atom.steps)
    factor = factor * coefficient
    return np.real(factor * value), (np.abs(factor) * precision) * size


def _opposite_waves(terms: Sequence[Atom], law: Law) -> tuple[Array, Array] | None:
    """Re c (E e^{a·z} - E e^{b·z}) without cancellation, as in E[sin x sin y] = e^{-(Σ_xx + Σ_yy)/2} sinh Σ_xy."""
    kept = [atom for atom in terms if not _is_conjugate(atom)]
    if law.mean is not None or len(kept) != 2 or kept[0].coefficient != -kept[1].coefficient:
        return None
    if any(any(a.powers) or a.steps or a.bells or a.shift or any(e.real for e in a.exponent) for a in kept):
        return None
    first, second = kept
    if not any(first.exponent) or not any(second.exponent):
        return None
    low = np.maximum(law.quadratic(first.exponent), law.quadratic(second.exponent)) / 2
    gap = np.zeros(())
    for i, j in law.pairs():
        change = first.exponent[i] * first.exponent[j] - second.exponent[i] * second.exponent[j]
        if change:
            gap = gap + change.real * (0.5 if i == j else 1) * law.entry(i, j)
    result = -2 * first.coefficient.real * np.sign(gap) * np.exp(low) * np.expm1(-np.abs(gap))
    return result, ROUNDINGS * EPS * np.abs(result) * (1 + np.abs(low))

"""Norm triples: every rule is an inequality that vectors obey."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tensorprog.exponents import Exponent, closed, known_norms, product, union

HALF = Fraction(1, 2)


def power(value: Fraction | int) -> Exponent:
    return Exponent(Fraction(value))


def test_order_is_lexicographic():
    assert Exponent(-1, HALF) > Exponent(-1) > Exponent(Fraction(-3, 2), 5)


def test_known_vectors_are_delocalised():
    norms = known_norms(Exponent(Fraction(-1, 2), HALF), 1)
    assert (norms.l1, norms.l2, norms.linf) == (power(HALF), power(0), Exponent(-HALF, HALF))


def test_a_unit_vector_of_length_n():
    norms = closed(None, power(0), None)
    assert (norms.l1, norms.l2, norms.linf) == (power(HALF), power(0), power(0))
    square = product(norms, norms)
    assert (square.l1, square.l2, square.linf) == (power(0), power(0), power(0))


def test_ones_times_a_unit_vector_are_the_unit_vector():
    unit = closed(None, power(0), None)
    assert product(unit, known_norms(power(0), 1)) == unit


def test_closing_keeps_the_better_bound_and_its_logarithm():
    """A largest entry below the l2 norm is kept; √(l1 l∞) bounds l2 with half of both logarithms."""
    assert closed(None, power(0), power(-HALF)).linf == power(-HALF)
    assert closed(Exponent(HALF, Fraction(1)), power(1), power(0)).l2 == Exponent(HALF / 2, HALF)


sparse = st.tuples(st.fractions(0, 1), st.fractions(-2, 2))


@given(sparse, sparse)
def test_rules_hold_on_flat_vectors_of_any_sparsity(one, other):
    """Vectors with n^s equal entries n^c: their exact norms are inside every bound."""
    n = 2.0**40
    first, second = ((float(s), float(c)) for s, c in (one, other))
    overlap = min(first[0], second[0])
    triples = [
        closed(power(c + s), power(c + s / 2), power(c))
        for s, c in ((Fraction(a), Fraction(b)) for a, b in (one, other))
    ]
    bound = product(*triples)
    c = first[1] + second[1]
    for exact, found in ((c + overlap, bound.l1), (c + overlap / 2, bound.l2), (c, bound.linf)):
        assert exact <= float(found.power) + 1e-9
    total = union(*triples)
    norm2 = np.log(n ** (2 * first[1] + first[0]) + n ** (2 * second[1] + second[0])) / np.log(n) / 2
    assert norm2 <= float(total.l2.power) + 1 / 40

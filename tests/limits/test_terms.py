"""What is known of sums and products as n → ∞, and what is only bounded."""

from __future__ import annotations

from fractions import Fraction
from itertools import product as choices
from math import prod

import pytest

from tensorprog.limits.terms import Term, largest, leading, product, times, total

ZERO, HALF, ONE = Fraction(0), Fraction(1, 2), Fraction(1)


def term(power, payload=None, rest=None):
    return Term(Fraction(power), payload, rest if rest is None else (Fraction(rest[0]), rest[1]))


def add(values):
    return sum(values) or None


def multiply(values):
    return prod(values) or None


def test_bounds_compare_as_size_classes():
    """o(n^p) is below O(n^p), which is below every larger power."""
    assert (HALF, 0) < (HALF, 1) < (ONE, 0) < (ONE, 1)
    assert largest([None, (ZERO, 1), (HALF, 0), (ZERO, 0)]) == (HALF, 0)
    assert largest([None, None]) is None
    assert largest([]) is None


def test_bounds_multiply():
    """One small factor makes the product small; an exact zero makes it zero."""
    assert times([(HALF, 1), (ONE, 1)]) == (HALF + ONE, 1)
    assert times([(HALF, 1), (ONE, 0)]) == (HALF + ONE, 0)
    assert times([(HALF, 0), None]) is None
    assert times([]) == (ZERO, 1)


def test_size_is_the_leading_part_or_the_rest():
    assert term(1, 3, (0, 1)).size == (ONE, 1)
    assert term(1, None, (0, 0)).size == (ZERO, 0)
    assert term(1).size is None


def test_scaling_moves_the_rest_too():
    assert term(1, 3, (HALF, 0)).scaled(-HALF) == term(HALF, 3, (0, 0))
    assert term(0, 3).scaled(HALF) == term(HALF, 3)
    assert term(0).scaled(HALF).size is None


def test_leading_parts_are_larger_than_what_is_left_out():
    """o(n^p) leaves n^p a limit, O(n^p) does not."""
    assert leading(ONE, 3, (ONE, 0)) == term(1, 3, (1, 0))
    assert leading(ONE, 3, (HALF, 1)) == term(1, 3, (HALF, 1))
    assert leading(ONE, 3, (ONE, 1)) == term(1, None, (1, 1))
    assert leading(ONE, 3, (Fraction(2), 0)) == term(1, None, (2, 0))
    assert leading(ONE, None, (Fraction(2), 0)) == term(1, None, (2, 0))
    assert leading(ONE, 3, None) == term(1, 3)


def test_sums_keep_the_largest_power():
    found = total([term(0, 5), term(1, 3), term(1, 4), term(-1, 7)], add)
    assert found == term(1, 7, (0, 1))


def test_sums_keep_the_largest_rest():
    found = total([term(1, 3, (-1, 1)), term(0, 5, (-2, 0)), term(-1, None, (HALF, 0))], add)
    assert found == term(1, 3, (HALF, 0))


def test_what_cannot_be_dropped_leaves_no_limit():
    """An unknown part of the same power, or of a larger one."""
    assert total([term(1, 3), term(0, None, (1, 1))], add) == term(1, None, (1, 1))
    assert total([term(1, 3), term(0, None, (2, 0))], add) == term(1, None, (2, 0))
    assert total([term(1, 3), term(0, None, (1, 0))], add) == term(1, 3, (1, 0))


def test_cancellation_leaves_a_bound():
    """3n - 3n + 5 is o(n) only: the limits do not know how fast they are reached."""
    assert total([term(1, 3), term(1, -3), term(0, 5)], add).size == (ONE, 0)
    assert total([term(1, 3, (HALF, 1)), term(1, -3)], add).size == (ONE, 0)
    assert total([term(1, 3), term(1, -3)], add).payload is None


def test_sums_of_unknown_parts_and_of_nothing():
    assert total([term(0, None, (HALF, 1)), term(3, None, (ONE, 0))], add).size == (ONE, 0)
    assert total([term(0), term(2)], add).size is None
    assert total([term(0), term(1, 3)], add) == term(1, 3)
    assert total([], add).size is None


def test_products_multiply_leading_parts():
    assert product([term(1, 3), term(HALF, 5)], multiply) == term(1 + HALF, 15)


def test_the_rest_of_a_product_is_one_rest_times_the_others():
    found = product([term(1, 3, (0, 1)), term(1, 5, (HALF, 0)), term(0, 2)], multiply)
    assert found == term(2, 30, (1 + HALF, 0))


def test_unknown_factors_bound_a_product():
    """O(n^½) times n² is O(n^2.5); the rest of the known factor is smaller still."""
    found = product([term(0, None, (HALF, 1)), term(2, 3, (1, 1))], multiply)
    assert found.payload is None
    assert found.size == (2 + HALF, 1)
    assert product([term(0, None, (HALF, 0)), term(2, 3)], multiply).size == (2 + HALF, 0)
    assert product([term(0, None, (HALF, 1)), term(-1, None, (-HALF, 0))], multiply).size == (ZERO, 0)


def test_an_exact_zero_makes_a_product_zero():
    assert product([term(5), term(2, 3)], multiply).size is None
    assert product([term(5), term(2, None, (7, 1))], multiply).size is None


def test_a_product_whose_limit_vanishes_is_bounded():
    found = product([term(1, 3, (0, 1)), term(1, 5)], lambda values: None)
    assert found.payload is None
    assert found.size == (Fraction(2), 0)


@pytest.mark.parametrize("signs", list(choices((-1, 1), repeat=3)))
def test_bounds_hold_for_numbers(signs):
    """Σ and Π of a_i n^p_i + b_i n^q_i stay within what terms promise, at n = 10^8."""
    n = 1e8
    parts = [(1, 2.0, ZERO, 1.5), (1, -2.0, HALF, 0.5), (0, 3.0, -HALF, 2.0)]
    terms = [term(p, a, (q, 1)) for p, a, q, _ in parts]
    values = [a * n**p + s * b * n ** float(q) for (p, a, q, b), s in zip(parts, signs, strict=True)]
    for found, value in ((total(terms[1:], add), sum(values[1:])), (product(terms, multiply), prod(values))):
        power, _ = found.rest
        assert abs(value - found.payload * n ** float(found.power)) < 50 * n ** float(power)
    found = total(terms, add)
    assert found.payload is None
    assert abs(sum(values)) < n ** float(found.size[0])

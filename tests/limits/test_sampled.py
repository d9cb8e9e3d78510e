"""Sampled expectations: factors are remembered without a change, deviations add up where errors would."""

from __future__ import annotations

import numpy as np
import pytest
from limits.cases import five

from tensorprog.functions import power, relu, sigmoid, tanh
from tensorprog.limits import expectation
from tensorprog.limits.evaluate import Evaluation, in_order
from tensorprog.limits.expectations import SAMPLING
from tensorprog.limits.sampling import SCRAMBLINGS, STANDARD_ERRORS
from tensorprog.limits.scalars import Affine, Equations, Expectation, Factor

LAW = five()[:4, :4]
FACTORS = [(tanh, (0,), (0,)), (tanh, (1,), (1,)), (sigmoid, (0,), (2,)), (relu, (0,), (3,))]


def test_what_is_remembered_changes_nothing():
    memory = {}
    plain = expectation(FACTORS, LAW, points=2**8)
    found = [expectation(FACTORS, LAW, points=2**8, memory=memory) for _ in range(2)]
    assert len(memory) == len(FACTORS)
    for one in found:
        assert one.method == SAMPLING
        assert np.array_equal(one.deviations, plain.deviations)
    swapped = [(relu, (0,), (2,)), *FACTORS[:2], (sigmoid, (0,), (3,))]
    other = expectation(swapped, LAW, points=2**8, memory=memory)
    assert len(memory) == len(FACTORS) + 2
    assert other.value == expectation(swapped, LAW, points=2**8).value != plain.value


def test_the_error_is_that_of_the_scramblings():
    found = expectation(FACTORS, LAW, points=2**8)
    assert found.deviations.shape == (SCRAMBLINGS,)
    assert found.deviations.sum() == pytest.approx(0, abs=1e-12)
    spread = found.deviations.std(ddof=1) / np.sqrt(SCRAMBLINGS)
    assert found.error == pytest.approx(STANDARD_ERRORS * spread + found.rounding, rel=1e-12)
    several = expectation(FACTORS, np.array([LAW, 2 * LAW, LAW]), points=2**8)
    assert several.deviations.shape == (3, SCRAMBLINGS)
    assert np.array_equal(several.deviations[2], found.deviations)


def graph():
    """The same expectation as two nodes."""
    e = Equations()
    symbols = {f"s{i}{j}": LAW[i, j] for i in range(4) for j in range(i + 1)}
    entries = tuple(e.symbol(name) for name in symbols)
    factors = [Factor(f, order, (Affine(i),)) for f, order, (i,) in FACTORS]
    one, other = (e.expectation(Expectation(tuple(x), entries, (None,) * 4)) for x in (factors, factors[::-1]))
    return e, symbols, one, other


def test_errors_of_a_difference_cancel():
    e, symbols, one, other = graph()
    difference = e.add([(1, one), (-1, other)])
    evaluation = Evaluation(e, symbols, points=2**8)
    whole, none = evaluation(one), evaluation(difference)
    assert abs(none.value) <= none.error < 1e-12 < whole.error
    assert evaluation(e.add([(1, one), (1, other)])).error == pytest.approx(2 * whole.error, rel=1e-9)


def test_errors_of_products_and_functions():
    """E E' and 1/E, to first order."""
    e, symbols, one, other = graph()
    evaluation = Evaluation(e, symbols, points=2**8)
    whole = evaluation(one)
    square, inverse = evaluation(e.multiply(one, other)), evaluation(e.apply(power(-1), (0,), (one,)))
    assert square.error == pytest.approx(2 * abs(whole.value) * whole.error, rel=1e-9)
    assert inverse.error == pytest.approx(whole.error / whole.value**2, rel=1e-9)


def test_expectations_of_one_law_follow_each_other():
    e, symbols, one, other = graph()
    scaled = tuple(e.add([(2, e.symbol(name))]) for name in symbols)
    factors = tuple(Factor(f, order, (Affine(i),)) for f, order, (i,) in FACTORS)
    between = e.expectation(Expectation(factors, scaled, (None,) * 4))
    late = e.expectation(Expectation(factors[::-1][:3], e.nodes[one].covariance, (None,) * 4))
    order = in_order(e, range(len(e.nodes)))
    averages = [x for x in order if isinstance(e.nodes[x], Expectation)]
    assert averages in ([one, other, late, between], [between, one, other, late])
    assert sorted(order) == list(range(len(e.nodes)))

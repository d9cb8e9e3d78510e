"""Equations and their errors: what is not known never counts as 0."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from tensorprog.functions import parse_function, power
from tensorprog.limits.envelopes import Envelope, united
from tensorprog.limits.evaluate import Evaluation, operands
from tensorprog.limits.scalars import Equations, Expectation, Factor


@dataclass(frozen=True)
class Foreign:
    args: tuple[int, ...] = (0,)


def test_a_node_or_an_argument_of_another_kind_is_refused():
    factor = Factor(power(2), (0,), (Foreign(),))
    for node in (Foreign(), Expectation((factor,), (0,), (None,))):
        with pytest.raises(AssertionError, match="Foreign"):
            operands(node)


@pytest.mark.parametrize("function", [power(-1), power(-3), parse_function("expression(1/sinh(z0))")], ids=str)
def test_an_odd_function_with_a_pole_at_zero_is_not_zero_there(function):
    equations = Equations()
    found = equations.apply(function, (0,), (None,))
    assert found is not None
    with np.errstate(all="ignore"):
        assert not np.isfinite(Evaluation(equations, {})(found).value)


@pytest.mark.parametrize("side", [[[np.inf]], [[np.inf], [np.inf]], [[np.inf], [0.0]], [[np.nan]]], ids=str)
def test_an_error_that_is_infinite_or_unknown_everywhere_stays_in_a_sum(side):
    lost, known = Envelope(np.array(side), np.ones((1, 2))), Envelope(np.ones((1, 1)), np.ones((1, 1)))
    for one, other in ((lost, known), (Envelope(np.ones((2, 1)), np.array(side).T), known)):
        found = united([one, other])
        assert not np.isfinite(found.left * found.right).all()


def test_the_sum_of_envelopes_is_above_that_of_their_entries():
    rng = np.random.default_rng(0)
    parts = [Envelope(rng.exponential(size=(4, 1)) * scale, rng.exponential(size=(1, 5))) for scale in (1e-9, 1, 1e6)]
    nothing = Envelope(np.zeros((4, 1)), np.ones((1, 5)))
    found = united([*parts, nothing])
    assert (found.left * found.right >= (1 - 1e-12) * sum(x.left * x.right for x in parts)).all()

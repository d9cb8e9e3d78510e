"""Equations and their errors: what is not known never counts as 0."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from tensorprog.functions import parse_function, power
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

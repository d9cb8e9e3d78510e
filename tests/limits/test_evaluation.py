"""Equations and their errors: what is not known never counts as 0."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tensorprog.functions import power
from tensorprog.limits.evaluate import operands
from tensorprog.limits.scalars import Expectation, Factor


@dataclass(frozen=True)
class Foreign:
    args: tuple[int, ...] = (0,)


def test_a_node_or_an_argument_of_another_kind_is_refused():
    factor = Factor(power(2), (0,), (Foreign(),))
    for node in (Foreign(), Expectation((factor,), (0,), (None,))):
        with pytest.raises(AssertionError, match="Foreign"):
            operands(node)

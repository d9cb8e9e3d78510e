"""Enclosures hold all values, and are narrow enough to tell a sign; positivity and regularity follow."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
import sympy

from tensorprog.functions import expression, power, softplus
from tensorprog.functions.analysis import is_positive, range_of
from tensorprog.functions.base import ANYTHING
from tensorprog.functions.custom import ARGUMENTS, tree_of
from tensorprog.functions.ranges import enclosure

TEXTS = [
    "2 + sin(z0)",
    "1/(2 + sin(z0))",
    "z0**2 - 3*z0*z1",
    "z0**3*exp(-z1)",
    "sqrt(1 + z0**2)/(3 + cos(z1))",
    "log(2 + tanh(z0))*softplus(z1)",
    "(1 - z0)**-2",
    "Phi(z0)*sigmoid(z1) - 1/3",
    "cosh(z0) - atan(z1)",
    "z0**4 - z1**5",
    "1/(z0 - 5)",
]
BOXES = [((-2.0, 1.5), (-1.0, 0.5)), ((0.25, 0.75), (-0.1, 0.1)), ((-3.0, -2.0), (1.0, 4.0))]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("box", BOXES)
def test_enclosures_hold_all_values(text, box):
    tree = tree_of(text)
    low, high = enclosure(tree, dict(zip(ARGUMENTS, box, strict=False)))
    points = np.random.default_rng(1).uniform(*np.transpose(box), (2000, 2))
    corners = np.array([(a, b) for a in box[0] for b in box[1]])
    function = expression(text)
    values = function.evaluate((0,) * function.arity, *np.vstack([points, corners]).T[: function.arity])
    assert low <= values.min() and values.max() <= high


@pytest.mark.parametrize(
    ("text", "least"),
    [
        ("2 + sin(z)", 1),
        ("exp(z) + 1/3", 1 / 3),
        ("sqrt(1 + z**2)", 1),
        ("1 + tanh(z)**2", 1),
        ("1/(3 - cos(z))", 1 / 4),
    ],
)
def test_enclosures_tell_the_least_value(text, least):
    assert enclosure(tree_of(text.replace("z", "z0")), {})[0] == pytest.approx(least, rel=1e-12)


@pytest.mark.parametrize("text", ["sqrt(-1 - z**2)", "1/(2 + sqrt(-1 - z**2))", "log(3 + (-2 - tanh(z))**(-1/3))"])
def test_of_a_root_that_is_real_nowhere_nothing_is_known(text):
    assert enclosure(tree_of(text.replace("z", "z0")), {}) == ANYTHING
    assert not expression(text).regular


def test_regular_where_a_base_keeps_its_distance():
    for text in ("1/(2 + sin(z))", "sqrt(2 + cos(z))", "log(1/2 + sigmoid(z))", "1/(3 - tanh(z)*sin(z))"):
        assert expression(text).regular
        assert expression(text).degrees((0,)) == (0,)
    for text in ("1/(1 + sin(z))", "log(sigmoid(z))", "sqrt(1 - tanh(z)**2 - 1/2)"):
        assert not expression(text).regular or text == "log(sigmoid(z))"
    far, across = [(1.5, inf)], [(0.5, inf)]
    pole = expression("1/(1 - z)")
    assert pole.regular_on(far) and not pole.regular_on(across) and not pole.regular_on([ANYTHING])
    assert pole.degrees_on((2,), far) == (0,) and pole.degrees_on((0,), across) == (None,)
    assert power(-1).regular_on([(-3.0, -1.0)]) and not power(-0.5).regular_on([(-3.0, -1.0)])
    assert power(-0.5).degrees_on((1,), far) == (0,) and power(-0.5).degrees_on((1,), [ANYTHING]) == (None,)


def test_positive_functions():
    assert is_positive(softplus, (0,), [False]) and not is_positive(softplus, (1,), [False])
    cube = expression("z**3 + z")
    assert is_positive(cube, (0,), [True]) and not is_positive(cube, (0,), [False])
    assert range_of(expression("1 - z + z**2"), (0,), [ANYTHING])[0] > 0
    assert enclosure(sympy.Symbol("z"), {}) == ANYTHING

"""Zeros, constants, growth, parity, smoothness, identity of functions: each against the values themselves."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError
from fractions import Fraction

import numpy as np
import pytest
import sympy

from tensorprog import functions
from tensorprog.errors import ExpressionError
from tensorprog.functions import (
    Function,
    cos,
    erf,
    exp,
    expression,
    gelu,
    identity,
    leaky_relu,
    parse_function,
    polynomial,
    power,
    relu,
    sigmoid,
    sin,
    softplus,
    tanh,
)

NAMED = [erf, tanh, sigmoid, gelu, softplus, sin, cos, exp, relu, identity]
TEXTS = [
    "z*tanh(z)",
    "z*sigmoid(z)",
    "exp(-z**2/2)*z**3",
    "sigmoid(z) - 1/2",
    "sinh(z)",
    "1/(1 + z**2)",
    "1/sqrt(z**2 + z + 1)",
    "log(1 + z**2)",
    "softplus(z) + gelu(z) - z",
    "sin(z)**2*tanh(z)",
    "exp(tanh(z))*sqrt(pi)",
    "1/(1 + exp(-z))**2",
    "z*(1/2 + Phi(z))",
    "cosh(z)*cos(z)/E",
]
MADE = [leaky_relu(0.1), leaky_relu(-1), polynomial(0, 1, 0.5), polynomial(), power(-1), power(-0.5)]
EVERY = [*NAMED, *MADE, *map(expression, TEXTS), expression("z0*tanh(z1) + z2**2"), expression("z0/sqrt(1 + z1**2)")]
ONE = [f for f in EVERY if f.arity == 1]


class Traced:
    def apply_function(self, function: Function, args: tuple[object, ...]) -> tuple[str, int]:
        return function.spec, len(args)


@pytest.mark.parametrize("function", EVERY, ids=str)
def test_specs_round_trip(function: Function) -> None:
    again = parse_function(function.spec)
    assert again == function and hash(again) == hash(function) and again.spec == function.spec
    copied = pickle.loads(pickle.dumps(function))
    assert copied == function and copied.arity == function.arity
    assert again.degrees((1,) * again.arity) == function.degrees((1,) * again.arity)


def test_specs_are_the_documented_ones() -> None:
    specs = ["leaky_relu(1/10)", "leaky_relu(-1)", "polynomial(0, 1, 1/2)", "polynomial(0)", "power(-1)", "power(-1/2)"]
    assert [f.spec for f in MADE] == specs
    assert [f.spec for f in NAMED] == [
        "erf",
        "tanh",
        "sigmoid",
        "gelu",
        "softplus",
        "sin",
        "cos",
        "exp",
        "relu",
        "identity",
    ]
    assert all(parse_function(f"phi={f.spec}") is f and getattr(functions, f.spec) is f for f in NAMED)


def test_equal_functions_have_one_spec() -> None:
    assert expression("tanh(z)") == tanh and expression("z*Phi(z)") == gelu and expression("1/(1+exp(-z))") == sigmoid
    assert expression("z") == identity == polynomial(0, 1) == leaky_relu(1) == power(1)
    assert expression("z**2 - 1") == polynomial(-1, 0, 1) and expression("1/sqrt(z)") == power(Fraction(-1, 2))
    assert expression("z0*z1 + z1") == expression("z1*z0 + z1") != expression("z0*z1 + z0")
    z = sympy.Symbol("z")
    assert expression(z * sympy.tanh(z)) == expression("z*tanh(z)")
    assert tanh != sin and tanh != "tanh" and len({tanh, sin, parse_function("tanh")}) == 2


def test_functions_are_immutable() -> None:
    with pytest.raises(FrozenInstanceError):
        polynomial(1, 2).coefficients = ()


def test_traced_arguments_are_recorded() -> None:
    assert tanh(Traced()) == ("tanh", 1)
    assert expression("z0*z1")(2.0, Traced()) == ("expression(z0*z1)", 2)
    with pytest.raises(ExpressionError, match="takes 1 argument"):
        tanh(Traced(), Traced())


@pytest.mark.parametrize("function", ONE, ids=str)
def test_parity_zeros_and_constants_agree_with_values(function: Function) -> None:
    z = np.linspace(0.15, 3, 20)
    half_power = function == power(-0.5)
    for k in range(6):
        value = function.evaluate((k,), z)
        mirrored = value if half_power else function.evaluate((k,), -z)
        sign, size = function.parity((k,), 0), np.abs(value).max()
        if sign is not None:
            np.testing.assert_allclose(mirrored, sign * value, rtol=1e-9, atol=1e-11 * (size + 1))
        if not half_power and sign is None and function.smoothness is None:
            assert all(np.abs(mirrored - s * value).max() > 1e-6 for s in (1, -1)), "a parity was missed"
        constant = function.constant((k,))
        assert function.is_zero((k,)) == (constant == 0) == (size == 0)
        if constant is not None:
            np.testing.assert_array_equal(value, float(constant))


@pytest.mark.parametrize("function", [f for f in ONE if f.regular], ids=str)
def test_values_stay_below_the_growth_degree(function: Function) -> None:
    near, far = np.linspace(-5, 5, 2001), np.linspace(-300, 300, 20_001)
    for k in range(4):
        (degree,) = function.degrees((k,))
        if degree is None:
            continue
        bound = 1.5 * (np.abs(function.evaluate((k,), near)) / (1 + np.abs(near)) ** float(degree)).max() + 1e-12
        with np.errstate(over="ignore"):
            ratio = np.abs(function.evaluate((k,), far)) / (1 + np.abs(far)) ** float(degree)
        assert ratio.max() <= 4 * bound


@pytest.mark.parametrize(
    ("function", "degrees"),
    [
        (erf, [0, 0, 0]),
        (tanh, [0, 0, 0]),
        (sigmoid, [0, 0, 0]),
        (gelu, [1, 0, 0]),
        (softplus, [1, 0, 0]),
        (sin, [0, 0, 0]),
        (exp, [None, None, None]),
        (relu, [1, 0, 0]),
        (identity, [1, 0, 0]),
        (polynomial(1, 2, 0, 4), [3, 2, 1]),
        (power(-1), [None, None, None]),
        (power(1.5), [Fraction(3, 2), Fraction(1, 2), None]),
        (expression("z*tanh(z)"), [1, 0, 0]),
        (expression("z*sigmoid(z)"), [1, 0, 0]),
        (expression("exp(-z**2/2)*z**3"), [0, 0, 0]),
        (expression("exp(z - z**4)"), [0, 0, 0]),
        (expression("exp(z**3)"), [None, None, None]),
        (expression("exp(-z**3)"), [None, None, None]),
        (expression("exp(sqrt(1 + z**2))"), [None, None, None]),
        (expression("1/(1 - z**2)"), [None, None, None]),
        (expression("1/(1 + 2*sin(z))"), [None, None, None]),
        (expression("exp(sin(z))"), [0, 0, 0]),
        (expression("sqrt(1 + z**2)"), [1, 0, 0]),
        (expression("1/(1 + z**2)"), [0, 0, 0]),
        (expression("1/(z**2 - 1)"), [None, None, None]),
        (expression("z**2*sin(z)"), [2, 2, 2]),
    ],
    ids=str,
)
def test_growth_degrees(function: Function, degrees: list[Fraction | None]) -> None:
    assert [function.degrees((k,))[0] for k in range(3)] == degrees


def test_several_arguments() -> None:
    f = expression("z0*tanh(z1)")
    assert f.arity == 2 and f.degrees((0, 0)) == (1, 0) and f.degrees((0, 3)) == (1, 0)
    assert [f.parity((0, 0), i) for i in (0, 1)] == [-1, -1] and [f.parity((1, 1), i) for i in (0, 1)] == [1, 1]
    assert f.is_zero((2, 0)) and f.constant((1, 0)) is None and f.constant((2, 1)) == 0
    assert expression("z0*z1").constant((1, 1)) == 1
    assert expression("exp(z0)*z1").degrees((0, 0)) == (None, 1)
    with pytest.raises(ExpressionError, match="arguments 0 to 1"):
        f.parity((0, 0), 2)
    with pytest.raises(ExpressionError, match="one argument"):
        tanh.parity((0,), 1)


@pytest.mark.parametrize(
    ("text", "tame"),
    [
        ("exp(z0 + z1)", True),
        ("z0**3*exp(z1 - 2*z0)", True),
        ("exp(sqrt(1 + z0**2 + z1**2))", True),
        ("exp(sqrt(1 + z0**2)*tanh(z1))", True),
        ("exp(log(1 + z0**2*z1**2))", True),
        ("exp(z0*z1)", False),
        ("sinh(z0*z1)*z0", False),
        ("tanh(exp(z0*z1))", False),
        ("exp(z0*softplus(z1))", False),
        ("exp(z0*sqrt(1 + z1**2))", False),
        ("exp(sqrt(1 + z0**2*z1**2))", False),
        ("exp(z0*z1*z2/sqrt(1 + z0**2))", False),
        ("exp(z0**2/4)", False),
    ],
)
def test_exponential_type_is_of_all_arguments_together(text: str, tame: bool) -> None:
    """|ψ| ≤ C e^{C Σ|z_i|} along every ray, not only along the axes."""
    assert expression(text).exponential is tame


def test_exponential_type_in_the_arguments_that_move() -> None:
    """e^{z₀ z₁} is of exponential type in each argument at a fixed other one."""
    function = expression("exp(z0*z1)")
    moving = [(True, True), (True, False), (False, True)]
    assert [function.exponential_in(m) for m in moving] == [False, True, True]


def test_smoothness_regularity_and_factorial_growth() -> None:
    assert relu.smoothness == leaky_relu(0.1).smoothness == 2
    assert all(f.smoothness is None for f in EVERY if "relu" not in f.spec)
    assert all(f.factorial_growth for f in NAMED if f is not relu) and relu.factorial_growth is None
    assert expression("z*tanh(z)*exp(sin(z))").factorial_growth is True
    for text in ("tanh(3*z)", "tanh(3*z/2)", "1/(1 + z**2)", "log(2 + z)", "tanh(z**2)"):
        assert expression(text).factorial_growth is None
    assert expression("1/(1 + z**2)").regular and expression("sqrt(1 + exp(z))").regular and tanh.regular
    assert not any(f.regular for f in (power(-1), power(0.5), expression("log(z)*z"), expression("z0/z1")))
    assert not any(expression(text).regular for text in ("1/(1 - z**2)", "1/(1 + 2*sin(z))", "log(1 + 2*sin(z))"))


@pytest.mark.parametrize("function", [erf, tanh, sigmoid, gelu, softplus, sin, cos], ids=str)
def test_derivatives_grow_like_factorials_at_most(function: Function) -> None:
    z, factorial = np.linspace(-6, 6, 601), 1.0
    for k in range(12):
        factorial *= k + 1
        assert np.abs(function.evaluate((k,), z)).max() <= 7 * factorial


@pytest.mark.parametrize("function", NAMED, ids=str)
def test_sympy_form_has_the_same_values(function: Function) -> None:
    (z,) = function.sympy().free_symbols
    for x in (-1.5, 0.3, 2.0):
        assert float(function.sympy().subs(z, x)) == pytest.approx(float(function(x)), rel=1e-12)
    assert function.sympy(sympy.Symbol("h")).free_symbols == {sympy.Symbol("h")}

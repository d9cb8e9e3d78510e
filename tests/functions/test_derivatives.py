"""Derivatives to order 8 against 120-digit arithmetic, far into the tails; no overflow, dtypes kept."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy

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
    polynomial,
    power,
    relu,
    sigmoid,
    sin,
    softplus,
    tanh,
)

SMOOTH = [erf, tanh, sigmoid, gelu, softplus, sin, cos, exp, identity, polynomial(1, -0.5, 0, 2, 0, 0, 1, 3, 0, 1)]
CUSTOM = [
    expression(text)
    for text in (
        "z*tanh(z)",
        "z*sigmoid(z)",
        "exp(-z**2)*cos(3*z)",
        "sqrt(2)*erf(z/2) + Phi(z)",
        "softplus(z)*sin(z)",
        "1/(1 + z**2)",
        "log(1 + z**2)",
        "atan(z)/3 + gelu(z)",
    )
]
POINTS = np.array([-50, -5, -1.25, -0.3, 0, 0.7, 2, 5, 50], dtype=float)
ORDERS = range(9)
TINY = 1e-290  # e^{-50²} is below the smallest float, so tails are compared down to here only


def precise(formula: sympy.Expr, symbols: tuple[sympy.Symbol, ...], points: tuple[float, ...]) -> float:
    with mpmath.workdps(120):
        return float(mpmath.re(sympy.lambdify(symbols, formula, "mpmath")(*map(mpmath.mpf, points))))


@pytest.mark.parametrize("function", SMOOTH + CUSTOM, ids=str)
def test_derivatives_match_high_precision(function: Function) -> None:
    z = sympy.Symbol("z", real=True)
    formula = function.sympy(z)
    with np.errstate(all="raise"):
        for k in ORDERS:
            expected = np.array([precise(formula, (z,), (x,)) for x in POINTS.tolist()])
            scale = np.abs(expected).max()  # a custom tree sums terms of this size
            floor = (
                1e-14 * scale if function in CUSTOM else max(TINY, 1e-14 * scale * (function.spec in {"sin", "cos"}))
            )
            np.testing.assert_allclose(
                function.evaluate((k,), POINTS), expected, rtol=1e-9, atol=floor, err_msg=f"k={k}"
            )
            formula = sympy.diff(formula, z)


@pytest.mark.parametrize("p", ["-1", "-1/2", "1/2", "-2", "3/2"])
def test_derivatives_of_powers(p: str) -> None:
    z = sympy.Symbol("z", positive=True)
    function, formula = power(Fraction(p)), z ** sympy.Rational(p)
    points = np.array([0.01, 0.5, 1, 7, 50])
    for k in ORDERS:
        expected = np.array([precise(formula, (z,), (x,)) for x in points.tolist()])
        np.testing.assert_allclose(function.evaluate((k,), points), expected, rtol=1e-12)
        formula = sympy.diff(formula, z)


@pytest.mark.parametrize("text", ["z0*tanh(z1)", "z0/sqrt(1 + z1**2)", "exp(-z0**2)*sin(z1) + z0*z1**2*gelu(z0)"])
def test_partial_derivatives(text: str) -> None:
    function = expression(text)
    a, b = sympy.symbols("a b", real=True)
    x, y = np.array([-1.5, 0.25, 3.0]), np.array([0.5, -2.0, 1.0])
    for order in [(0, 0), (1, 0), (0, 1), (1, 1), (2, 1), (1, 3), (3, 2)]:
        formula = sympy.diff(function.sympy(a, b), a, order[0], b, order[1])
        expected = [precise(formula, (a, b), point) for point in zip(x.tolist(), y.tolist(), strict=True)]
        np.testing.assert_allclose(function.evaluate(order, x, y), expected, rtol=1e-11, atol=1e-13)
    column = x[:, None]
    assert function.evaluate((2, 1), column, y).shape == (3, 3)
    assert function.evaluate((2, 1), column, y)[1, 2] == pytest.approx(function.evaluate((2, 1), x[1], y[2]))


@pytest.mark.parametrize("function", [*SMOOTH, *CUSTOM, relu, leaky_relu(0.1)], ids=str)
def test_tails_are_finite_and_dtypes_kept(function: Function) -> None:
    z = np.linspace(-50, 50, 401)
    with np.errstate(all="raise"):
        for k in ORDERS:
            double = function.evaluate((k,), z)
            single = function.evaluate((k,), z.astype(np.float32))
            assert double.dtype == np.float64 and single.dtype == np.float32
            assert np.isfinite(double).all() and np.isfinite(single).all()
            near = np.abs(z) < 3  # beyond, z itself is rounded too coarsely for a comparison of e^z
            scale = np.abs(double[near]).max() + 1e-30
            assert np.abs(double - single)[near].max() < 2e-4 * scale
    assert function.evaluate((0,), 1).dtype == np.float64
    assert function(np.ones((2, 3), dtype=np.float32)).shape == (2, 3)


def test_exponential_tails_keep_their_size() -> None:
    assert sigmoid.evaluate((1,), -50.0) == pytest.approx(np.exp(-50.0), rel=1e-12)
    assert sigmoid.evaluate((1,), 50.0) == pytest.approx(np.exp(-50.0), rel=1e-12)
    assert tanh.evaluate((1,), 50.0) == pytest.approx(4 * np.exp(-100.0), rel=1e-12)
    assert expression("z*tanh(z)").evaluate((2,), 20.0) == pytest.approx(-152 * np.exp(-40.0), rel=1e-9)


def test_kinks_are_differentiated_almost_everywhere() -> None:
    z = np.array([-2.0, 0.0, 3.0])
    np.testing.assert_array_equal(relu(z), [0, 0, 3])
    np.testing.assert_array_equal(relu.evaluate((1,), z), [0, 0, 1])
    np.testing.assert_array_equal(relu.evaluate((2,), z), [0, 0, 0])
    np.testing.assert_allclose(leaky_relu(0.1)(z), [-0.2, 0, 3])
    np.testing.assert_allclose(leaky_relu(0.1).evaluate((1,), z), [0.1, 0.1, 1])


def test_large_arrays_are_done_in_blocks() -> None:
    function = expression("z0*tanh(z1)")
    z = np.random.default_rng(1).normal(size=(3, 50_000))
    np.testing.assert_allclose(function(z, z[:1]), z * np.tanh(z[:1]), rtol=1e-14)


def test_python_numbers_take_the_dtype_of_the_arrays() -> None:
    z = np.ones(3, dtype=np.float32)
    assert expression("z0*tanh(z1)")(z, 0.5).dtype == np.float32


@pytest.mark.parametrize(
    ("order", "args", "said"),
    [((0,), (1.0, 2.0), "1 argument"), ((0, 0), (1.0,), "order"), ((-1,), (1.0,), "order"), ((0,), (1j,), "real")],
)
def test_wrong_calls_are_refused(order: tuple[int, ...], args: tuple[complex, ...], said: str) -> None:
    with pytest.raises(ExpressionError, match=said):
        tanh.evaluate(order, *args)


def test_jumps_are_those_of_the_values() -> None:
    """ψ^{(k)}(kink + ε) - ψ^{(k)}(kink - ε), for every order; smooth functions have none."""
    for function in (relu, leaky_relu(0.1), leaky_relu(-1)):
        assert function.kinks == (0,) and function.lines == (((1,), 0),)
        for k in range(4):
            up, down = function.evaluate((k,), [1e-12, -1e-12])
            jumps = dict(function.jumps(k))
            assert abs(up - down - float(jumps.get(Fraction(0), 0))) < 1e-11
            assert (k >= function.smoothness - 1) or not jumps
    for function in (*SMOOTH, *CUSTOM):
        assert function.kinks == () and function.lines == () and function.jumps(1) == () and function.smoothness is None

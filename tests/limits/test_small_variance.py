"""Small variances: leading orders and fifty digits, for functions whose terms cancel near 0."""

from __future__ import annotations

from math import factorial

import mpmath
import numpy as np
import pytest
from limits.cases import pair

import tensorprog as tp
from tensorprog.architectures import mlp
from tensorprog.functions import cos, erf, exp, expression, gelu, polynomial, relu, sigmoid, sin, softplus, tanh
from tensorprog.functions.series import COUNT, taylor
from tensorprog.limits import expectation

CANCELLING = {
    "1 - cos(z)": lambda z: 2 * mpmath.sin(z / 2) ** 2,
    "exp(z) - 1": mpmath.expm1,
    "z - sin(z)": lambda z: z - mpmath.sin(z),
    "z - tanh(z)": lambda z: z - mpmath.tanh(z),
    "sqrt(1 + z**2) - 1": lambda z: mpmath.sqrt(1 + z * z) - 1,
    "sigmoid(z) - 1/2": lambda z: mpmath.tanh(z / 2) / 2,
    "log(1 + z**2)": lambda z: mpmath.log1p(z * z),
    "softplus(z) - log(2) - z/2": lambda z: mpmath.log(mpmath.cosh(z / 2)),
    "cosh(z) + cos(z) - 2": lambda z: mpmath.cosh(z) + mpmath.cos(z) - 2,
    "atan(z) - erf(z)*sqrt(pi)/2": lambda z: mpmath.atan(z) - mpmath.erf(z) * mpmath.sqrt(mpmath.pi) / 2,
}


def precise(formula, variance):
    """E formula(σw) in 120 digits, by the trapezoidal rule."""
    with mpmath.workdps(120):
        sigma, step = mpmath.sqrt(mpmath.mpf(variance)), mpmath.mpf(1) / 4
        total = mpmath.fsum(formula(sigma * j * step) * mpmath.exp(-((j * step) ** 2) / 2) for j in range(-64, 65))
        return float(total * step / mpmath.sqrt(2 * mpmath.pi))


@pytest.mark.parametrize("text", CANCELLING)
def test_full_accuracy(text):
    f, formula = expression(text), CANCELLING[text]
    for variance in (1e-20, 1e-8, 1e-3, 0.02):
        for factors, integrand in (
            ([(f, (0,), (0,))], formula),
            ([(f, (0,), (0,)), (f, (0,), (0,))], lambda z: formula(z) ** 2),
        ):
            truth = precise(integrand, variance)
            found = expectation(factors, [[variance]])
            assert abs(found.value - truth) <= found.error + 1e-15 * abs(truth), variance
            assert found.value == pytest.approx(truth, rel=1e-11, abs=0), variance


@pytest.mark.parametrize("correlation", [-1.0, -0.3, 0.0, 1e-6, 0.5, 1 - 1e-9, 1.0])
@pytest.mark.parametrize("variance", [1e-20, 1e-6, 1e-2])
def test_pairs_of_one_minus_cosine(variance, correlation):
    """E (1 - cos x)(1 - cos y) = (1 - e^{-v/2})² + e^{-v} (cosh c - 1)."""
    f = expression("1 - cos(z)")
    c = correlation * variance
    truth = np.expm1(-variance / 2) ** 2 + 2 * np.exp(-variance) * np.sinh(c / 2) ** 2
    found = expectation(pair(f, 0, f, 0), [[variance, c], [c, variance]])
    assert found.value == pytest.approx(truth, rel=1e-13, abs=0)
    assert abs(found.value - truth) <= found.error + 1e-15 * truth


@pytest.mark.parametrize("correlation", [-0.9, 0.0, 1e-9, 0.5, 1.0])
def test_pairs_of_exponentials_less_one(correlation):
    """E (e^x - 1)(e^y - 1) = e^v (e^c - 1) + (e^{v/2} - 1)²."""
    f = expression("exp(z) - 1")
    for variance in (1e-20, 1e-10, 1e-4):
        c = correlation * variance
        truth = np.exp(variance) * np.expm1(c) + np.expm1(variance / 2) ** 2
        found = expectation(pair(f, 0, f, 0), [[variance, c], [c, variance]])
        assert found.value == pytest.approx(truth, rel=1e-12, abs=0)


@pytest.mark.parametrize(("f", "square"), [(sin, 1e-20), (erf, 4e-20 / np.pi), (tanh, 1e-20)], ids=str)
def test_one_coordinate_twice(f, square):
    found = expectation([(f, (0,), (0,)), (f, (0,), (0,))], [[1e-20]])
    assert found.value == pytest.approx(square, rel=1e-12, abs=0)


def test_kernels_at_small_inputs():
    def nngp(depth, phi, x):
        return float(tp.kernel(tp.trace(mlp, inputs=2, depth=depth, phi=phi), [[x]], which="nngp")[0, 0])

    assert nngp(2, sin, 1e-8) == pytest.approx(1e-16, rel=1e-10)
    assert nngp(3, sin, 1e-5) == pytest.approx(1e-10, rel=1e-6)
    assert nngp(1, expression("1-cos(z)"), 1e-4) == pytest.approx(0.75e-16, rel=1e-7)
    assert nngp(1, expression("exp(z)-1"), 1e-6) == pytest.approx(1e-12, rel=1e-9)
    assert nngp(2, expression("z - tanh(z)"), 1e-2) > 0


@pytest.mark.parametrize("f", [tanh, sin, cos, exp, erf, gelu, sigmoid, softplus, polynomial(1, 0, 2)], ids=str)
def test_taylor_coefficients_are_derivatives_at_zero(f):
    for k in (0, 1, 3):
        found = taylor(f, (k,))
        assert found is not None and len(found) == COUNT
        for j in range(6):
            assert found[j] * factorial(j) == pytest.approx(float(f.evaluate((k + j,), 0.0)), abs=1e-13)


def test_what_has_no_series():
    assert taylor(relu, (0,)) is None
    assert taylor(expression("z0*z1"), (0, 0)) is None
    assert taylor(expression("1/z"), (0,)) is None


KINKED = {
    "abs(z)-tanh(abs(z))": lambda u: abs(u) - mpmath.tanh(abs(u)),
    "tanh(max(z,0))-max(z,0)": lambda u: mpmath.tanh(u) - u if u > 0 else mpmath.mpf(0),
    "sign(z)*(1-cos(z))": lambda u: mpmath.sign(u) * (1 - mpmath.cos(u)),
    "heaviside(z)*(z-sin(z))": lambda u: u - mpmath.sin(u) if u > 0 else mpmath.mpf(0),
    "max(z,0)+exp(min(z,0))-1": lambda u: u if u > 0 else mpmath.expm1(u),
    "1-exp(-abs(z))": lambda u: -mpmath.expm1(-abs(u)),
}


@pytest.mark.parametrize("scale", [0.1, 1e-3, 1e-6, 1e-8])
@pytest.mark.parametrize("text", KINKED)
def test_what_kinked_terms_lose_to_each_other_is_stated(text, scale):
    """No series through a kink: the digits that cancel are lost, and the error says so."""
    f, x = KINKED[text], mpmath.mpf(scale)
    with mpmath.workdps(60):
        truth = mpmath.quad(
            lambda w: (f(x * w) ** 2 + f(-x * w) ** 2) * mpmath.exp(-w * w / 2) / mpmath.sqrt(2 * mpmath.pi),
            [0, 1, 3, 6, 12, 25],
        )
    program = tp.trace(mlp, inputs=1, depth=1, phi=tp.expression(text))
    value, error = (float(a[0, 0]) for a in tp.kernel(program, [[scale]], which="nngp", errors=True))
    assert abs(value - truth) <= error
    if scale >= 1e-3:
        assert error < 1e-8 * value

"""Degenerate Gaussian laws, shapes and refusals."""

from __future__ import annotations

from math import pi

import mpmath
import numpy as np
import pytest
from limits.cases import COVARIANCE, MEAN, assert_honest, five, pair
from oracles.gaussians import CUBIC, FORMULAS, LEAKY, SILU

import tensorprog as tp
from tensorprog.errors import DataError, ExpressionError, SamplingError
from tensorprog.functions import (
    erf,
    exp,
    expression,
    gelu,
    power,
    relu,
    sin,
    softplus,
    tanh,
)
from tensorprog.functions.base import Univariate
from tensorprog.limits import expectation
from tensorprog.limits.expectations import CLOSED, QUADRATURE, SAMPLING
from tensorprog.limits.law import minor
from tensorprog.limits.roots import root


class _Reflected(Univariate):
    """z ↦ f(-z)."""

    def __init__(self, f):
        self.f, self.smoothness = f, f.smoothness

    @property
    def spec(self):
        return f"reflected {self.f.spec}"

    def derivative(self, k, z):
        return (-1) ** k * self.f.evaluate((k,), -z)

    def growth(self, k):
        return self.f.growth(k)

    def formula(self, z):
        return self.f.formula(-z)


@pytest.mark.parametrize("f", [erf, gelu, LEAKY, relu, tanh, SILU, sin, CUBIC])
@pytest.mark.parametrize("k", [0, 1])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("mean", [None, 0.3])
def test_full_correlation_is_one_dimensional(f, k, sign, mean):
    covariance = 1.7 * np.array([[1, sign], [sign, 1]])
    centre = None if mean is None else [mean, mean * sign]
    found = expectation(pair(f, k, f, k), covariance, centre)
    reflected = f if sign == 1 else _Reflected(f)
    factors = [(f, (k,), (0,)), (reflected, (k,), (0,))]
    truth = (-1 if sign < 0 and k else 1) * expectation(factors, [[1.7]], [mean or 0.0], method=QUADRATURE).value
    assert_honest(found, truth, slack=1e-11)


@pytest.mark.parametrize("gap", [1e-15, 3e-12, 1e-7])
@pytest.mark.parametrize("sign", [1, -1])
def test_almost_full_correlation_keeps_its_digits(gap, sign):
    a, d = 1.3, 0.7
    b = sign * np.sqrt(a * d) * (1 - gap)
    covariance = np.array([[a, b], [b, d]])
    with mpmath.workdps(40):
        correlation = mpmath.mpf(b) / mpmath.sqrt(mpmath.mpf(a) * mpmath.mpf(d))
        truth = float((mpmath.pi - mpmath.acos(min(max(correlation, -1), 1))) / (2 * mpmath.pi))
    for method in (CLOSED, QUADRATURE):
        found = expectation(pair(relu, 1, relu, 1), covariance, method=method)
        assert_honest(found, truth, slack=1e-15)
    for f, method in ((tanh, QUADRATURE), (erf, CLOSED), (gelu, CLOSED), (gelu, QUADRATURE), (softplus, QUADRATURE)):
        b = sign * np.sqrt(a * d)
        full = expectation(pair(f, 0, f, 0), [[a, b], [b, d]], method=method).value
        assert expectation(pair(f, 0, f, 0), covariance, method=method).value == pytest.approx(full, abs=gap + 1e-14)


@pytest.mark.parametrize("f", [erf, gelu, relu, LEAKY, tanh, sin, exp, CUBIC])
@pytest.mark.parametrize("k", [0, 1])
def test_zero_variance_is_the_value_at_the_mean(f, k):
    for covariance in (np.zeros((2, 2)), np.diag([0, 1.2])):
        for mean in (None, MEAN):
            found = expectation(pair(f, k, f, k), covariance, mean)
            constant = f.evaluate((k,), 0.0 if mean is None else mean[0])
            other = expectation([(f, (k,), (1,))], covariance, mean).value
            assert found.value == pytest.approx(constant * other, abs=1e-14)
            if not covariance.any():
                assert other == f.evaluate((k,), 0.0 if mean is None else mean[1])


@pytest.mark.parametrize("f", [erf, tanh, gelu])
def test_a_sum_of_two_coordinates(f):
    """Rank 2 in three dimensions: z_2 = z_0 + z_1 by Gauss–Legendre."""
    rows = np.array([[1.0, 0, 0], [0, 1, 0], [1, 1, 0]])
    covariance = rows @ np.block([[COVARIANCE, np.zeros((2, 1))], [np.zeros((1, 3))]]) @ rows.T
    lower, formulas = np.linalg.cholesky(COVARIANCE), FORMULAS[f]
    found = expectation([(f, (1,), (0,)), (f, (0,), (1,)), (f, (0,), (2,))], covariance)
    x = np.arange(-12, 12, 0.1)
    w = np.exp(-x * x / 2) * 0.1 / np.sqrt(2 * pi)
    a, b = lower[0, 0] * x[:, None] + 0 * x, lower[1, 0] * x[:, None] + lower[1, 1] * x
    truth = (w[:, None] * w * formulas[1](a) * formulas[0](b) * formulas[0](a + b)).sum()
    assert_honest(found, truth, slack=1e-10)


def test_five_coordinates_of_rank_two():
    """By a rule in two dimensions, not by sampling in five."""
    rows = np.random.default_rng(3).normal(size=(5, 2))
    factors = [(tanh, (i % 2,), (i,)) for i in range(4)] + [(softplus, (1,), (4,))]
    found = expectation(factors, rows @ rows.T)
    sampled = expectation(factors, rows @ rows.T, method=SAMPLING)
    assert found.method == QUADRATURE
    assert found.error < 1e-11
    assert abs(found.value - sampled.value) <= sampled.error


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_roots_have_the_rank(rank):
    rows = np.random.default_rng(rank).normal(size=(50, 6, rank))
    covariance = rows @ rows.swapaxes(1, 2)
    lower = root(covariance)
    np.testing.assert_allclose(lower @ lower.swapaxes(1, 2), covariance, atol=1e-12)
    assert set(lower.any(1).sum(-1)) <= ({1, 2} if rank == 1 else {rank})


def test_kinks_that_cross():
    """Two steps whose kinks cross away from the origin, in both orders of integration."""
    rows, mean = np.array([[1.0, 0.3], [0.5, 1], [-0.8, 0.6]]), np.array([0.2, -0.5, 0.7])
    factors = [(tanh, (0,), (0,)), (relu, (1,), (1,)), (relu, (1,), (2,))]
    found = expectation(factors, rows @ rows.T, mean)
    order = [1, 2, 0]
    turned = [(f, k, (order.index(i),)) for f, k, (i,) in factors]
    other = expectation(turned, (rows @ rows.T)[np.ix_(order, order)], mean[order])
    assert max(found.error, other.error) < 1e-10
    assert found.value == pytest.approx(other.value, abs=1e-10)


@pytest.mark.parametrize("f", [erf, gelu, relu, tanh])
def test_repeated_coordinates(f):
    """The same variable under one name or under two."""
    once = expectation([(f, (0,), (0,)), (f, (1,), (0,)), (f, (0,), (1,))], COVARIANCE)
    rows = np.array([[1, 0], [1, 0], [0, 1]])
    thrice = expectation([(f, (0,), (0,)), (f, (1,), (1,)), (f, (0,), (2,))], rows @ COVARIANCE @ rows.T)
    assert thrice.value == pytest.approx(once.value, rel=1e-11)


@pytest.mark.parametrize("method", [CLOSED, QUADRATURE, SAMPLING])
def test_vectorised_equals_looped(method):
    rng = np.random.default_rng(1)
    roots = rng.normal(size=(2, 3, 2, 2))
    roots[0, 1, 1] = 0
    roots[1, 1, 1] = roots[1, 1, 0]
    covariance, mean = roots @ roots.swapaxes(-1, -2), rng.normal(size=(3, 2))
    f = gelu if method == CLOSED else SILU
    for centre in (None, mean):
        second = f if centre is None else sin
        together = expectation(pair(f, 0, second, 1), covariance, centre, method=method, points=2**6)
        for place in np.ndindex(2, 3):
            here = None if centre is None else centre[place[1]]
            alone = expectation(pair(f, 0, second, 1), covariance[place], here, method=method, points=2**6)
            np.testing.assert_allclose(together.value[place], alone.value, rtol=1e-10, atol=1e-14)


def test_minor_does_not_cancel():
    a, b = np.array([1 + 2.0**-30]), np.array([1.0])
    assert minor(a, np.array([1 - 2.0**-30]), b, b)[0] == -(2.0**-60)


def test_overflow_is_infinite_not_nan():
    for f in (exp, expression("z*sinh(z)")):
        found = expectation(pair(f, 0, f, 0), 1e4 * COVARIANCE)
        assert found.value == found.error == np.inf


def test_refusals():
    with pytest.raises(DataError, match="not finite"):
        expectation(pair(erf, 0, erf, 0), [[1, np.nan], [np.nan, 1]])
    with pytest.raises(DataError, match="not finite"):
        expectation(pair(erf, 0, erf, 0), np.eye(2), [0, np.inf])
    with pytest.raises(DataError, match="variance -1"):
        expectation(pair(erf, 0, erf, 0), [[-1, 0], [0, 1]])
    with pytest.raises(DataError, match="below"):
        expectation(pair(erf, 0, erf, 0), np.eye(2) * 1e200)
    with pytest.raises(DataError, match="scale the arguments"):
        expectation(pair(relu, 1, relu, 1), np.eye(2) * 1e-200)
    with pytest.raises(DataError, match="shape"):
        expectation(pair(erf, 0, erf, 0), [1.0, 2.0])
    with pytest.raises(DataError, match="mean of shape"):
        expectation(pair(erf, 0, erf, 0), COVARIANCE, [1.0])
    with pytest.raises(ExpressionError, match="only 2"):
        expectation([(erf, (0,), (2,))], COVARIANCE)
    with pytest.raises(ExpressionError, match="1 argument"):
        expectation([(erf, (0, 1), (0, 1))], COVARIANCE)
    with pytest.raises(ExpressionError, match="singular"):
        expectation([(power(-1), (0,), (0,))], [[1.0]])
    assert expectation([(power(-1), (0,), (0,))], [[0.0]], [4.0]).value == 0.25
    with pytest.raises(ExpressionError, match="no closed form"):
        expectation(pair(tanh, 0, tanh, 0), COVARIANCE, method=CLOSED)
    with pytest.raises(ExpressionError, match="no quadrature"):
        expectation([(relu, (0,), (i,)) for i in range(5)], five(), method=QUADRATURE)
    with pytest.raises(ExpressionError, match="infinite"):
        expectation([(expression("exp(z**2)"), (0,), (0,))], [[1.0]])
    with pytest.raises(SamplingError, match="power"):
        expectation(pair(tanh, 0, tanh, 0), COVARIANCE, points=1000)


def _vanishing(name, h):
    if name == "tanh":
        return tp.tanh(h) - 2 * tp.sigmoid(2 * h) + 1
    if name == "cos":
        return tp.expression("cos(2*z)")(h) - 1 + 2 * tp.sin(h) ** 2
    return tp.softplus(h) - tp.softplus(-h) - h


@pytest.mark.parametrize("name", ["tanh", "cos", "softplus"])
@pytest.mark.parametrize("phi", [erf, tanh, relu, sin], ids=str)
def test_a_vector_that_vanishes_identically_has_the_variance_zero(name, phi):
    """Its terms cancel but for rounding, which is no variance, of either sign; nor is it a constant of anything."""

    def net(x):
        return tp.readout("v", phi(tp.linear("W", _vanishing(name, tp.linear("U", x)))))

    program, data = tp.trace(net, inputs=2), np.eye(2) + 1
    entry = tp.derive(program, [(0, 0)], data=data)[0, 0]
    assert (entry.status, entry.constant) == ("upper bound", None)
    assert np.abs(tp.limit(tp.correlation(program, 0, 1), data).value) < 1e-6

"""Gaussian expectations: against plain quadrature, high precision and identities; degenerate laws; honest errors."""

from __future__ import annotations

from itertools import combinations_with_replacement
from math import pi

import numpy as np
import pytest
from limits.cases import COVARIANCE, MEAN, assert_honest, five, pair
from oracles.gaussians import BUMP, CUBIC, FORMULAS, LEAKY, MIXED, SILU, average
from scipy.integrate import dblquad

from tensorprog.functions import (
    cos,
    erf,
    exp,
    expression,
    gelu,
    identity,
    polynomial,
    power,
    relu,
    sigmoid,
    sin,
    softplus,
    tanh,
)
from tensorprog.limits import expectation, integrals, panels, trapezoid, vanishes
from tensorprog.limits.expectations import CLOSED, QUADRATURE, SAMPLING
from tensorprog.limits.expectations import average as average_of

TRIPLE = np.array([[1.1, 0.5, -0.3], [0.5, 0.9, 0.2], [-0.3, 0.2, 1.4]])
ATOMIC = [erf, gelu, sin, cos, exp, CUBIC, BUMP, MIXED, relu, LEAKY]
SMOOTH = list(FORMULAS)


@pytest.mark.parametrize("mean", [None, MEAN], ids=["centred", "mean"])
@pytest.mark.parametrize(("f", "g"), list(combinations_with_replacement(SMOOTH, 2)), ids=str)
def test_two_factors_against_plain_quadrature(f, g, mean):
    for i, j in ((0, 0), (1, 1), (0, 1), (2, 1)):
        truth = average([(FORMULAS[f][i], 0), (FORMULAS[g][j], 1)], COVARIANCE, mean)
        found = expectation(pair(f, i, g, j), COVARIANCE, mean)
        assert_honest(found, truth)
        assert found.error <= 1e-10 * max(1, abs(truth))


@pytest.mark.parametrize("mean", [None, MEAN], ids=["centred", "mean"])
@pytest.mark.parametrize(("f", "g"), list(combinations_with_replacement(ATOMIC, 2)), ids=str)
def test_closed_form_equals_quadrature(f, g, mean):
    for i, j in ((0, 0), (1, 1), (0, 1), (1, 0)):
        closed = expectation(pair(f, i, g, j), COVARIANCE, mean)
        rule = expectation(pair(f, i, g, j), COVARIANCE, mean, method=QUADRATURE)
        assert rule.method == QUADRATURE or vanishes(pair(f, i, g, j))
        assert_honest(closed, rule.value, slack=1e-13 + rule.error)
        assert rule.error < 1e-10 * max(1, abs(rule.value))


@pytest.mark.parametrize(("f", "g"), list(combinations_with_replacement(ATOMIC, 2)), ids=str)
def test_which_are_closed(f, g):
    assert expectation(pair(f, 0, g, 0), COVARIANCE).method == CLOSED


def test_literature():
    """Williams 1997 for erf, Cho & Saul 2009 for relu, e^{-(a+d)/2} sinh b for sin, e^{(a+2b+d)/2} for exp."""
    a, d, b = COVARIANCE[0, 0], COVARIANCE[1, 1], COVARIANCE[0, 1]
    angle = np.arccos(b / np.sqrt(a * d))
    expected = {
        (erf, 0): 2 / pi * np.arcsin(2 * b / np.sqrt((1 + 2 * a) * (1 + 2 * d))),
        (erf, 1): 4 / pi / np.sqrt((1 + 2 * a) * (1 + 2 * d) - 4 * b * b),
        (relu, 0): np.sqrt(a * d) * (np.sin(angle) + (pi - angle) * np.cos(angle)) / (2 * pi),
        (relu, 1): (pi - angle) / (2 * pi),
        (sin, 0): np.exp(-(a + d) / 2) * np.sinh(b),
        (sin, 1): np.exp(-(a + d) / 2) * np.cosh(b),
        (exp, 1): np.exp((a + 2 * b + d) / 2),
        (polynomial(0, 0, 0, 1), 0): 9 * a * b * d + 6 * b**3,
    }
    for (f, k), value in expected.items():
        assert expectation(pair(f, k, f, k), COVARIANCE).value == pytest.approx(value, rel=1e-14), (f, k)


def test_frequencies_and_slopes_of_any_sign():
    doubled = [(sin, (0,), (0,)), (expression("sin(2*z)"), (0,), (0,))]
    found = expectation(doubled, [[0.7]])
    assert found.value == pytest.approx((np.exp(-0.35) - np.exp(-3.15)) / 2, rel=1e-14)
    slope = 1 - 2**0.5
    found = expectation(pair(expression("erf((1 - sqrt(2))*z)"), 0, erf, 0), COVARIANCE)
    turned = COVARIANCE * np.array([[slope**2, slope], [slope, 1]])
    assert found.value == pytest.approx(expectation(pair(erf, 0, erf, 0), turned).value, rel=1e-14)
    assert found.value < 0
    assert found.method == CLOSED


def test_against_adaptive_integration():
    lower = np.linalg.cholesky(COVARIANCE)

    def integrand(v, u):
        z = MEAN[0] + lower[0, 0] * u, MEAN[1] + lower[1, 0] * u + lower[1, 1] * v
        return np.tanh(z[0]) * max(z[1], 0) * np.exp(-(u * u + v * v) / 2) / (2 * pi)

    truth, _ = dblquad(integrand, -9, 9, lambda u: -(MEAN[1] + lower[1, 0] * u) / lower[1, 1], 9, epsabs=1e-10)
    found = expectation(pair(tanh, 0, relu, 0), COVARIANCE, MEAN)
    assert found.value == pytest.approx(truth, abs=1e-9)
    assert found.error < 1e-11


@pytest.mark.parametrize("f", [erf, gelu, MIXED, BUMP])
@pytest.mark.parametrize("k", [3, 4, 5])
def test_high_derivatives_by_stein(f, k):
    """d/dΣ_12 E[f^{(k-1)} f^{(k-1)}] = E[f^{(k)} f^{(k)}] (Price 1958), by a fourth-order difference."""
    step, below = 1e-2, []
    for t in (-2, -1, 1, 2):
        shifted = COVARIANCE + t * step * np.array([[0, 1], [1, 0]])
        below.append(expectation(pair(f, k - 1, f, k - 1), shifted).value)
    slope = (below[0] - 8 * below[1] + 8 * below[2] - below[3]) / (12 * step)
    found = expectation(pair(f, k, f, k), COVARIANCE)
    assert found.method == CLOSED
    scale = expectation([(f, (k,), (0,)), (f, (k,), (0,))], COVARIANCE).value
    assert found.value == pytest.approx(slope, abs=1e-4 * scale)


@pytest.mark.parametrize("f", [erf, gelu, sin, tanh, softplus, SILU, LEAKY, relu])
@pytest.mark.parametrize("mean", [None, MEAN], ids=["centred", "mean"])
def test_stein(f, mean):
    """E[x f(y) g(y)] = m E[f g] + Σ_xy (E[f' g] + E[f g'])."""
    g = CUBIC
    m = 0 if mean is None else mean[0]

    def at(i, j, *more):
        return expectation([*more, (f, (i,), (1,)), (g, (j,), (1,))], COVARIANCE, mean).value

    expected = m * at(0, 0) + COVARIANCE[0, 1] * (at(1, 0) + at(0, 1))
    assert at(0, 0, (identity, (0,), (0,))) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    "factors",
    [
        [(erf, (1,), (0,)), (erf, (3,), (1,)), (erf, (0,), (2,)), (erf, (2,), (0,)), (erf, (0,), (1,))],
        [(erf, (0,), (0,)), (erf, (0,), (1,)), (erf, (1,), (2,)), (CUBIC, (0,), (2,))],
        [(gelu, (0,), (0,)), (gelu, (1,), (1,)), (gelu, (2,), (2,))],
        [(sin, (0,), (0,)), (cos, (0,), (1,)), (exp, (0,), (2,)), (erf, (0,), (1,))],
        [(tanh, (0,), (0,)), (softplus, (1,), (1,)), (SILU, (0,), (2,))],
    ],
    ids=["erf", "erf cubic", "gelu", "waves", "tanh"],
)
def test_three_coordinates(factors):
    table = {**FORMULAS, erf: (*FORMULAS[erf], lambda z: 4 / pi**0.5 * (2 * z * z - 1) * np.exp(-z * z))}
    truth = average([(table[f][order[0]], i) for f, order, (i,) in factors], TRIPLE)
    found = expectation(factors, TRIPLE)
    assert found.method == (QUADRATURE if any(f is tanh for f, _, _ in factors) else CLOSED)
    assert_honest(found, truth, slack=1e-11)
    assert found.error < 1e-10
    assert expectation(factors, TRIPLE, method=QUADRATURE).value == pytest.approx(truth, abs=1e-10)


@pytest.mark.parametrize("f", [erf, gelu, relu, tanh, sin, SILU])
def test_exchange(f):
    swapped = COVARIANCE[::-1, ::-1]
    one, other = expectation(pair(f, 0, f, 1), COVARIANCE), expectation(pair(f, 1, f, 0), swapped)
    assert one.value == pytest.approx(other.value, abs=one.error + other.error + 1e-15)


@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("f", [*ATOMIC, tanh], ids=str)
def test_entries_of_rows_and_columns_are_those_of_a_matrix(f, centred, zero):
    """Variances of shape (rows, 1) and (1, columns), as kernels have them, give what whole matrices give."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 3, 4))
    x[0] *= not zero
    entries = {(0, 0): np.sum(x * x, 1)[:, None] / 4, (1, 1): np.sum(y * y, 1)[None] / 4, (0, 1): x @ y.T / 4}
    means = None if centred else [np.array([[0.3], [-0.2], [0.1]]), np.array([[0.5, 0, -0.7]])]
    whole = np.array([[np.broadcast_to(entries[min(i, j), max(i, j)], (3, 3)) for j in (0, 1)] for i in (0, 1)])
    mean = None if means is None else np.stack([np.broadcast_to(m, (3, 3)) for m in means], axis=-1)
    for orders in ((0, 0), (1, 1), (0, 1)):
        factors = [(f, orders[:1], (0,)), (f, orders[1:], (1,))]
        found = average_of(factors, (3, 3), entries, means)
        wanted = expectation(factors, np.moveaxis(whole, (0, 1), (2, 3)), mean)
        assert found.method == wanted.method
        assert np.abs(found.value - wanted.value).max() <= 1e-14 * np.abs(wanted.value).max()


def test_exact_zeros():
    odd = [(erf, (0,), (0,)), (erf, (1,), (1,)), (erf, (3,), (1,))]
    assert vanishes(odd)
    found = expectation(odd, np.tile(COVARIANCE, (3, 4, 1, 1)))
    assert found.value.shape == found.error.shape == (3, 4)
    assert not found.value.any() and not found.error.any()
    assert vanishes([(tanh, (0,), (0,))]) and vanishes([(relu, (2,), (0,))]) and vanishes([(sin, (2,), (0,))])
    assert not vanishes(pair(tanh, 0, tanh, 0)) and not vanishes([(gelu, (0,), (0,))]) and not vanishes([])
    assert not vanishes([(power(-1), (0,), (0,))]) and not vanishes([(expression("z*exp(z**2)"), (0,), (0,))])
    assert not vanishes([(tanh, (0,), (0,)), (gelu, (0,), (1,))])
    assert vanishes([(expression("z0*tanh(z1)"), (0, 1), (0, 1))])
    assert expectation([(tanh, (0,), (0,))], [[1.0]], [0.5]).value > 0.1


def test_no_factors():
    assert expectation([], np.ones((4, 1, 1))).value.tolist() == [1, 1, 1, 1]
    assert expectation([], np.zeros((0, 0))).value == 1
    assert expectation(pair(erf, 0, tanh, 0), np.zeros((0, 2, 2))).value.shape == (0,)


def test_functions_of_several_arguments():
    gate = expression("z0*sigmoid(z1)")
    found = expectation([(gate, (1, 0), (0, 1)), (tanh, (0,), (0,))], COVARIANCE)
    same = expectation([(sigmoid, (0,), (1,)), (tanh, (0,), (0,))], COVARIANCE)
    assert found.value == pytest.approx(same.value, abs=1e-11)
    wave = expectation([(expression("sin(z0 - 2*z1)*erf(z1)"), (0, 1), (0, 1))], COVARIANCE)
    rule = expectation([(expression("sin(z0 - 2*z1)*erf(z1)"), (0, 1), (0, 1))], COVARIANCE, method=QUADRATURE)
    assert wave.method == CLOSED
    assert wave.value == pytest.approx(rule.value, abs=1e-13)


@pytest.mark.parametrize("scale", [1e-6, 1e-2, 1.0, 25.0])
@pytest.mark.parametrize("f", [tanh, sigmoid, softplus, gelu, SILU, BUMP, erf], ids=str)
def test_honest_at_every_scale(f, scale):
    for k in (0, 1):
        truth = average([(FORMULAS[f][k], 0), (FORMULAS[f][k], 1)], scale * COVARIANCE, count=48)
        assert_honest(expectation(pair(f, k, f, k), scale * COVARIANCE), truth, slack=1e-13 if scale <= 1 else 1e-12)


@pytest.mark.parametrize("tolerance", [0.3, 1e-4])
def test_errors_cover_what_is_not_converged(tolerance, monkeypatch):
    monkeypatch.setattr(trapezoid, "TOLERANCE", tolerance)
    monkeypatch.setattr(panels, "TOLERANCE", tolerance)
    monkeypatch.setattr(panels, "POINTS", 3)
    monkeypatch.setattr(integrals, "FAILED", np.inf)
    seen = []
    for f, g in ((tanh, tanh), (SILU, softplus), (tanh, relu), (BUMP, relu)):
        for covariance in (COVARIANCE, 4 * COVARIANCE):
            found = expectation(pair(f, 1, g, 0), covariance, MEAN, method=QUADRATURE)
            with monkeypatch.context() as exact:
                exact.setattr(trapezoid, "TOLERANCE", 1e-12)
                exact.setattr(panels, "TOLERANCE", 1e-12)
                exact.setattr(panels, "POINTS", 12)
                truth = expectation(pair(f, 1, g, 0), covariance, MEAN, method=QUADRATURE).value
            assert abs(found.value - truth) <= found.error + 1e-15
            seen.append(abs(found.value - truth))
    assert max(seen) > 1e-8


@pytest.mark.parametrize(("f", "exact"), [(erf, True), (tanh, False)])
def test_sampling_within_its_error(f, exact):
    factors = [(f, (1,), (i,)) for i in range(5)]
    assert expectation(factors, five()).method == (CLOSED if exact else QUADRATURE)
    sampled = [expectation(factors, five(), points=2**m, method=SAMPLING) for m in (9, 12)]
    truth = expectation(factors, five()).value
    for found in sampled:
        assert 0 < found.error < 1e-2
        assert abs(found.value - truth) <= found.error
    assert sampled[1].error < sampled[0].error / 4


def test_kinks_in_three_dimensions_are_sampled():
    factors = [(relu, (0,), (i,)) for i in range(3)]
    found = expectation(factors, np.eye(3) + 1e-9)
    assert found.method == SAMPLING
    assert abs(found.value - (2 * pi) ** -1.5) <= found.error + 1e-8


def test_wide_range():
    covariance = [[36.0, 5.0], [5.0, 30.0]]
    for method in (CLOSED, QUADRATURE):
        found = expectation(pair(exp, 0, exp, 0), covariance, method=method)
        assert found.value == pytest.approx(np.exp(38), rel=1e-10)


def test_too_wide_for_a_grid():
    found = expectation(pair(tanh, 0, tanh, 0), [[4e6, 2e6], [2e6, 4e6]])
    sign = expectation(pair(erf, 0, erf, 0), [[4e6, 2e6], [2e6, 4e6]])
    assert found.method == QUADRATURE
    assert found.error < 1e-12
    assert abs(found.value - sign.value) <= found.error + 1e-3


@pytest.mark.parametrize("variance", [0.1, 0.4])
def test_gaussian_growth(variance):
    found = expectation([(expression("exp(z**2)"), (0,), (0,))], [[variance]])
    assert found.value == pytest.approx((1 - 2 * variance) ** -0.5, rel=1e-10)

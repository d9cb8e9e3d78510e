"""Expressions with abs, sign, heaviside, max and min: kinks, jumps, derivatives, round trips, averages and networks."""

from __future__ import annotations

from fractions import Fraction
from math import erf as erf_of
from math import exp as exp_of
from math import pi, sqrt

import numpy as np
import pytest
from scipy.special import ndtr

import tensorprog as tp
from tensorprog.architectures import mlp
from tensorprog.errors import ExpressionError
from tensorprog.functions import expression, identity, leaky_relu, parse_function, relu
from tensorprog.limits import expectation
from tensorprog.limits.expectations import QUADRATURE
from tensorprog.program.interchange import program_from_json

HARD = "max(-1, min(z, 1))"
TABLE = {
    HARD: (lambda z: np.clip(z, -1, 1), [-1, 1], 2),
    "max(0,z) + z/10": (lambda z: np.maximum(z, 0) + z / 10, [0], 2),
    "sign(z - 1/2)": (lambda z: np.sign(z - 0.5), [Fraction(1, 2)], 1),
    "heaviside(3*z + 1)*z": (lambda z: np.where(z > -1 / 3, z, 0), [Fraction(-1, 3)], 1),
    "abs(z**2 - 1)": (lambda z: np.abs(z * z - 1), [-1, 1], 2),
    "abs(abs(z) - 1)": (lambda z: np.abs(np.abs(z) - 1), [-1, 0, 1], 2),
    "max(z, 0)**2": (lambda z: np.maximum(z, 0) ** 2, [0], 3),
    "z*min(max(z + 3, 0), 6)/6": (lambda z: z * np.clip(z + 3, 0, 6) / 6, [-3, 3], 2),
    "tanh(max(z, 0))": (lambda z: np.tanh(np.maximum(z, 0)), [0], 2),
    "exp(-abs(z))": (lambda z: np.exp(-np.abs(z)), [0], 2),
    "log(1 + abs(z))": (lambda z: np.log1p(np.abs(z)), [0], 2),
    "abs(tanh(2*z - 1))": (lambda z: np.abs(np.tanh(2 * z - 1)), [Fraction(1, 2)], 2),
    "max(z - 1, min(0, z + 1), -2)": (
        lambda z: np.maximum(np.maximum(z - 1, np.minimum(0, z + 1)), -2),
        [-3, -1, 1],
        2,
    ),
}


@pytest.mark.parametrize("text", TABLE)
def test_values_kinks_and_derivatives(text):
    f, (formula, kinks, smoothness) = expression(text), TABLE[text]
    z = np.random.default_rng(0).uniform(-5, 5, 2000)
    np.testing.assert_allclose(f(z), formula(z), rtol=1e-14, atol=1e-15)
    assert f.kinks == tuple(kinks)
    assert f.smoothness == smoothness
    away = z[np.min([np.abs(z - float(k)) for k in kinks], axis=0) > 1e-3]
    for k in range(3):
        step = 1e-5
        slope = (f.evaluate((k,), away + step) - f.evaluate((k,), away - step)) / (2 * step)
        np.testing.assert_allclose(f.evaluate((k + 1,), away), slope, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("text", TABLE)
def test_jumps_are_differences_across_kinks(text):
    f = expression(text)
    for k in range(3):
        jumps = dict(f.jumps(k))
        for kink in f.kinks:
            above, below = (f.evaluate((k,), float(kink) + e) for e in (1e-9, -1e-9))
            assert above - below == pytest.approx(float(jumps.get(kink, 0)), abs=1e-7)
            middle = f.evaluate((k,), float(kink)) if float(kink) == kink else (above + below) / 2
            assert middle == pytest.approx((above + below) / 2, abs=1e-7)
    assert f.jumps(f.smoothness - 1)
    assert not any(f.jumps(k) for k in range(f.smoothness - 1))


@pytest.mark.parametrize("text", TABLE)
def test_growth_parity_and_round_trips(text):
    f = expression(text)
    assert parse_function(f.spec) == f == parse_function(text)
    z = np.linspace(0.01, 300, 4000)
    for k in range(3):
        (degree,), sign = f.degrees((k,)), f.parity((k,), 0)
        if degree is not None:
            bound = (1 + z) ** float(degree)
            assert max(np.abs(f.evaluate((k,), s * z) / bound).max() for s in (1, -1)) < 100
        if sign is not None:
            np.testing.assert_allclose(f.evaluate((k,), -z), sign * f.evaluate((k,), z), atol=1e-12)
    assert f.is_zero((6,)) == all(abs(f.evaluate((6,), x)) == 0 for x in (-4.3, -1.7, -0.2, 0.2, 0.7, 1.7, 4.3))
    assert f.evaluate((0,), np.float32([0.3])).dtype == np.float32


def test_known_names_and_no_kinks():
    assert expression("max(z, 0)") == relu
    assert expression("abs(z)") == expression("max(z, -z)") == leaky_relu(-1)
    assert expression("max(z/10, z)") == leaky_relu(0.1)
    assert expression("max(z, z)") == expression("max(z, z - 1)") == identity
    assert expression("abs(-3)*z + min(1, 2)") == expression("3*z + 1")
    assert expression("abs(z**2 + 1)") == expression("z**2 + 1")
    assert [expression(HARD).parity((k,), 0) for k in (0, 1)] == [-1, 1]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("abs(sin(z))", "not known exactly"),
        ("max(exp(z), 2)", "not known exactly"),
        ("max(z**2 - 2, 0)", "irrational"),
        ("max(z, sqrt(2))", "rational"),
        ("max(z0, z1)", "2 arguments"),
        ("1/abs(z)", "not bounded at its kink 0"),
        ("sqrt(abs(z))", "not bounded at its kink 0"),
        ("max(z)", "two arguments or more"),
    ],
)
def test_refusals_name_the_reason(text, reason):
    with pytest.raises(ExpressionError, match=reason):
        f = expression(text)
        f.jumps(1)


def test_averages_of_a_hard_tanh():
    """E φ′² = P(|z| < 1), E φ² by parts; panels end at ±1."""
    f = expression(HARD)
    for sigma in (1e-3, 0.2, sqrt(0.5), 1.0, 30.0, 1e6):
        inside = erf_of(1 / sigma / sqrt(2))
        density = exp_of(-1 / (2 * sigma**2)) / sqrt(2 * pi)
        for method in (None, QUADRATURE):
            slope = expectation([(f, (1,), (0,)), (f, (1,), (0,))], [[sigma**2]], method=method)
            square = expectation([(f, (0,), (0,)), (f, (0,), (0,))], [[sigma**2]], method=method)
            assert slope.value == pytest.approx(inside, rel=1e-12)
            truth = 1 - inside + sigma**2 * inside - 2 * sigma * density
            assert abs(square.value - truth) <= square.error + 1e-15 * max(1, sigma**2)
    assert expectation([(f, (1,), (0,)), (f, (1,), (0,))], [[0.5]]).value == pytest.approx(0.8427, abs=1e-4)


@pytest.mark.parametrize("correlation", [-1.0, -0.7, 0.0, 0.5, 1 - 1e-9, 1.0])
@pytest.mark.parametrize("sigma", [0.3, 1.0, 100.0])
def test_pairs_against_a_fine_grid(sigma, correlation):
    """E φ′(x) φ′(y) of a hard tanh is the probability of a square, by the distribution function given x."""
    f = expression(HARD)
    found = expectation([(f, (1,), (0,)), (f, (1,), (1,))], sigma**2 * np.array([[1, correlation], [correlation, 1]]))
    rest = sigma * sqrt(1 - correlation**2)
    if rest < 1e-3 * sigma:
        assert found.value == pytest.approx(erf_of(1 / sigma / sqrt(2)), abs=1e-4)
    else:
        x, w = np.polynomial.legendre.leggauss(200)
        given = ndtr((1 - correlation * x) / rest) - ndtr((-1 - correlation * x) / rest)
        truth = (w * given * np.exp(-((x / sigma) ** 2) / 2)).sum() / sqrt(2 * pi) / sigma
        assert abs(found.value - truth) <= found.error + 1e-12
    assert found.error < 1e-10


def test_networks():
    f = expression(HARD)
    program = tp.trace(mlp, inputs=2, depth=2, phi=f)
    assert program_from_json(program.to_json()).nodes == program.nodes
    x = np.random.default_rng(0).standard_normal((2, 5))
    kernel = tp.kernel(program, x, which="nngp")
    v = float(x[0] @ x[0] / 5)
    inside, density = erf_of(1 / sqrt(2 * v)), exp_of(-1 / (2 * v)) / sqrt(2 * pi)
    one = tp.kernel(tp.trace(mlp, inputs=2, depth=1, phi=f), x, which="nngp")
    assert one[0, 0] == pytest.approx(1 - inside + v * inside - 2 * sqrt(v) * density, rel=1e-12)
    assert np.linalg.eigvalsh(kernel).min() > 0
    clipped = tp.trace(mlp, inputs=2, depth=1, phi=expression("min(max(z, 0), 10**6)"))
    plain = tp.trace(mlp, inputs=2, depth=1, phi=relu)
    np.testing.assert_allclose(tp.kernel(clipped, x), tp.kernel(plain, x), rtol=1e-12)

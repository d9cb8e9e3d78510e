"""Weak derivatives: Stein's lemma at kinks against samples, variances of kernels of kinked nets against moments."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy
from limits.test_gaussian import CORRELATED, COVARIANCES, SAMPLES, Sampled, space_of

import tensorprog as tp
from tensorprog.architectures import mlp, resnet
from tensorprog.functions import leaky_relu, relu, sin
from tensorprog.functions.base import Univariate
from tensorprog.limits.gaussian import ScalarArgument, UndecidedLimit, VectorArgument

X = np.random.default_rng(3).standard_normal((2, 4))


class HardTanh(Univariate):
    """max(-1, min(z, 1)): kinks away from the origin, of a function that users may write."""

    spec = "hard_tanh_of_a_test"
    smoothness = 2
    kinks = (Fraction(-1), Fraction(1))
    symmetry = -1

    def derivative(self, k, z):
        return np.clip(z, -1, 1) if k == 0 else np.asarray((np.abs(z) < 1) * (k == 1), dtype=z.dtype)

    def growth(self, k):
        return Fraction(0)

    def constant_of(self, k):
        return Fraction(0) if k > 1 else None

    def jumps(self, order):
        return ((Fraction(-1), Fraction(1)), (Fraction(1), Fraction(-1))) if order == 1 else ()

    def formula(self, z):
        return sympy.Max(-1, sympy.Min(z, 1))


class Gate(Univariate):
    """1 for z > 1/2, -1/3 otherwise."""

    spec = "gate_of_a_test"
    smoothness = 1
    kinks = (Fraction(1, 2),)

    def derivative(self, k, z):
        return np.where(z > 0.5, 1.0, -1 / 3).astype(z.dtype) if k == 0 else np.zeros_like(z)

    def growth(self, k):
        return Fraction(0)

    def constant_of(self, k):
        return Fraction(0) if k else None

    def jumps(self, order):
        return ((Fraction(1, 2), Fraction(4, 3)),) if order == 0 else ()

    def formula(self, z):
        return sympy.Piecewise((1, z > sympy.Rational(1, 2)), (sympy.Rational(-1, 3), True))


hard, gate = HardTanh(), Gate()


def clipped(z):
    return (np.abs(z) < 1).astype(float)


def examples(s):
    (g, h, k), (x, y, z) = s.g, s.z
    both, moved = s.sum((1, g), (Fraction(1, 2), h)), s.sum((1, g), (1, s.space.constant(s.space.equations.one)))
    step, u = (lambda v: (v > 0).astype(float)), x + y / 2
    return [
        (s.product(g, s.phi(relu, g, 1)), x * step(x)),
        (s.product(g, h, s.phi(relu, both, 1)), x * y * step(u)),
        (s.product(g, g, k, s.phi(relu, both, 1), s.phi(sin, h)), x * x * z * step(u) * np.sin(y)),
        (s.product(h, s.phi(relu, g, 1), s.phi(relu, g, 1)), y * step(x)),
        (s.product(h, s.phi(relu, g, 1), s.phi(relu, k, 1)), y * step(x) * step(z)),
        (s.product(h, k, s.phi(relu, g, 1), s.phi(relu, k, 1)), y * z * step(x) * step(z)),
        (s.product(h, s.phi(leaky_relu(-1), moved, 1), s.phi(sin, moved)), y * np.sign(x + 1) * np.sin(x + 1)),
        (s.product(h, s.phi(gate, both), s.phi(gate, both)), y * np.where(u > 0.5, 1, 1 / 9)),
        (s.product(g, h, s.phi(gate, k)), x * y * np.where(z > 0.5, 1, -1 / 3)),
    ]


@pytest.mark.parametrize("name", list(COVARIANCES))
def test_steins_lemma_sees_jumps(name):
    """Within 4.5 standard errors; of Gaussians that are one, too."""
    s = Sampled(COVARIANCES[name])
    found = examples(s)
    for poly, samples in found if name != "degenerate" else found[:5] + found[6:]:  # two point masses at one place
        assert abs(s.value(poly) - samples.mean()) < 4.5 * samples.std() / np.sqrt(SAMPLES) + 1e-6


def test_a_function_differentiated_in_the_mean():
    """E[δ(g) sin h] and E[δ(g) sin² h], by the law of h given g = 0."""
    s = Sampled(CORRELATED)
    g, h, _ = s.g
    step = s.product(s.phi(relu, g, 1), s.phi(sin, h))
    slope = s.value(s.space.derivative(step, 0))
    density = np.exp(0.0) / np.sqrt(2 * np.pi * CORRELATED[0, 0])
    assert slope == pytest.approx(0, abs=1e-12), "given g = 0, h is symmetric"
    step = s.product(s.phi(relu, g, 1), s.phi(sin, h), s.phi(sin, h))
    left = CORRELATED[1, 1] - CORRELATED[0, 1] ** 2 / CORRELATED[0, 0]
    truth = density * (1 - np.exp(-2 * left)) / 2
    assert s.value(s.space.derivative(step, 0)) == pytest.approx(truth, rel=1e-9)


def test_a_point_mass_has_derivatives():
    """E[δ'(g) h²] = -∂_c (E[h² | g = c] times the density) at 0, and with a shift of the mean."""
    s = Sampled(CORRELATED)
    (g, h, _), v, c = s.g, CORRELATED[0, 0], CORRELATED[0, 1]
    left = CORRELATED[1, 1] - c**2 / v

    def density(a):
        return np.exp(-a * a / (2 * v)) / np.sqrt(2 * np.pi * v)

    for shift in (0, 1):
        moved = s.sum((1, g), (shift, s.space.constant(s.space.equations.one)))
        second = s.space.derivative(s.space.derivative(s.phi(relu, moved, 1), 0), 0)
        found = s.value(s.product(second, h, h))
        a, step = -shift, 1e-5  # δ'(g + shift)
        up, down = (density(x) * (left + (c * x / v) ** 2) for x in (a + step, a - step))
        assert found == pytest.approx(-(up - down) / (2 * step), abs=1e-8)


def test_what_is_not_defined_is_refused():
    """Three functions that jump at one place, a jump inside a function, one where nothing varies."""
    space, (g, h, k), _ = space_of(CORRELATED)

    def phi(f, x, order=0):
        return space.apply(f, (order,), (VectorArgument(space.intern(x)),))

    step = phi(relu, g, 1)
    cube = space.product(space.product(step, step), step)
    with pytest.raises(UndecidedLimit, match="a point mass meets relu, relu at 0"):
        space.expectation(space.product(h, cube))
    sign = phi(leaky_relu(-1), g, 1)
    with pytest.raises(UndecidedLimit, match="a point mass meets"):
        space.expectation(space.product(h, space.product(space.product(sign, sign), sign)))
    assert space.expectation(space.product(h, space.product(sign, sign))) is None
    square = phi(relu, space.product(g, g), 1)
    with pytest.raises(UndecidedLimit, match="no Gaussian"):
        space.expectation(space.derivative(square, 0))
    assert space.expectation(space.product(k, space.constant(None))) is None
    shifted = space.apply(relu, (1,), (ScalarArgument(space.equations.one),))
    assert space.derivative(shifted, 0) == {}


@pytest.mark.parametrize("slope", [0, Fraction(1, 4), -1])
def test_the_ntk_of_one_kinked_layer(slope):
    """n Var = Var(φ² + v²φ'²) = 4 (1 + a⁴) - (1 + a²)² for K = 1, where h and v are N(0, 1)."""
    phi = leaky_relu(slope) if slope else relu
    c = tp.correlation(tp.trace(mlp, inputs=1, depth=1, phi=phi), 0, 1, (0, 0))
    found = tp.fluctuation(c, np.ones((1, 4)))
    a = float(slope)
    assert found.value == pytest.approx(4 * (1 + a**4) - (1 + a**2) ** 2, rel=1e-10)
    assert abs(found.value - (4 * (1 + a**4) - (1 + a**2) ** 2)) <= found.error + 1e-12
    assert found.integrand[1] == (np.inf if abs(a) != 1 else pytest.approx(8, rel=1e-9))


def coordinate_variance(function, samples=4 * 10**6):
    """Var and its standard error of a function of two independent standard Gaussians."""
    h, v = np.random.default_rng(0).standard_normal((2, samples))
    values = function(h, v)
    spread = (values - values.mean()) ** 2
    return spread.mean(), spread.std() / np.sqrt(samples)


def test_the_ntk_of_a_hard_tanh():
    """Kinks at ±1: n Var = Var(φ² + v² φ'²)."""
    c = tp.correlation(tp.trace(mlp, inputs=1, depth=1, phi=hard), 0, 1, (0, 0))
    found = tp.fluctuation(c, np.ones((1, 4)))
    truth, error = coordinate_variance(lambda h, v: np.clip(h, -1, 1) ** 2 + v * v * clipped(h))
    assert abs(found.value - truth) < 4.5 * error + found.error


def test_a_gate_in_a_mean():
    """S = ⟨ψ(h) h²⟩ for a ψ that jumps away from 0: n Var S = Var(ψ(h) h²)."""
    program = tp.trace(lambda x: tp.mean(gate(h := tp.linear("U", x)) * h * h), inputs=1)
    found = tp.fluctuation(program, np.ones((1, 4)))
    truth, error = coordinate_variance(lambda h, v: np.where(h > 0.5, 1, -1 / 3) * h * h)
    assert abs(found.value - truth) < 4.5 * error + found.error


@pytest.mark.parametrize(
    ("arch", "phi", "points"),
    [
        (mlp, relu, (0, 0)),
        (mlp, leaky_relu(Fraction(1, 4)), (0, 0)),
        pytest.param(mlp, relu, (0, 1), marks=pytest.mark.long),
        pytest.param(resnet, relu, (0, 0), marks=pytest.mark.long),
    ],
)
def test_two_layers_against_samples(arch, phi, points):
    """n Var of the NTK, within three standard errors of the sampled variance: fails by chance once in 370."""
    inputs = max(points) + 1
    c = tp.correlation(tp.trace(arch, inputs=inputs, depth=2, phi=phi), 0, 1, points)
    found = tp.fluctuation(c, X[:inputs])
    assert found.power == -1
    values = tp.sample(c, X[:inputs], 1024, 1500, 7) * 1024**0.5
    variance = values.var(ddof=1)
    error = np.sqrt((((values - values.mean()) ** 4).mean() - variance**2) / len(values))
    assert abs(variance - found.value) < 3 * error + found.error


def test_kinks_that_are_no_numbers_are_refused():
    class Curved(HardTanh):
        spec = "curved_of_a_test"
        jumps = Univariate.jumps

    c = tp.correlation(tp.trace(mlp, inputs=1, depth=1, phi=Curved()), 0, 1, (0, 0))
    with pytest.raises(UndecidedLimit, match=r"curved_of_a_test at .* jumps"):
        tp.fluctuation(c, np.ones((1, 4)))

"""Kinks where functions of Gaussians are at their kinks: panels end there, against quadrature between known places."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, special, stats

import tensorprog as tp

ROOT = 0.7390851332151607  # of cos z = z


def nngp(net, x):
    value, error = tp.kernel(tp.trace(net, inputs=1), [[x]], which="nngp", errors=True)
    return value[0, 0], error[0, 0]


def of_one(f):
    """The net v·f(Ux), with u used wherever f has its argument."""
    return lambda x: tp.readout("v", f(tp.linear("U", x)))


def average(f, scale, ends):
    """E f(scale z)², between the places where f is not smooth."""
    edges = sorted({-scale * 13, scale * 13, *ends, *(-e for e in ends), 0})
    parts = [
        integrate.quad(lambda u: f(u) ** 2 * stats.norm.pdf(u, 0, scale), a, b, epsabs=0, epsrel=1e-12, limit=200)[0]
        for a, b in pairwise(edges)
    ]
    return sum(parts)


def relu(u):
    return max(u, 0.0)


sign = tp.expression("sign(z)")
CLIP = tp.expression("max(-1, min(1, z))")
NETS = {
    "square": (lambda h: tp.relu(h * h - 1), lambda u: relu(u * u - 1), (1.0,)),
    "twice": (lambda h: tp.relu(tp.relu(h) - 1), lambda u: relu(relu(u) - 1), (1.0,)),
    "below a tanh": (lambda h: tp.relu(tp.tanh(h) - tp.sigmoid(h)), lambda u: relu(np.tanh(u) - special.expit(u)), ()),
    "with a tanh": (lambda h: tp.relu(h + tp.tanh(h) - 1), lambda u: relu(u + np.tanh(u) - 1), (0.5230683,)),
    "cosine": (lambda h: tp.relu(tp.cos(h) - h), lambda u: relu(np.cos(u) - u), (ROOT,)),
    "sine": (
        lambda h: tp.leaky_relu(0.5)(tp.sin(h)),
        lambda u: max(np.sin(u), np.sin(u) / 2),
        (np.pi, 2 * np.pi, 3 * np.pi),
    ),
    "clipped": (lambda h: CLIP(h * h), lambda u: min(u * u, 1), (1.0,)),
    "jump": (lambda h: sign(h * h - 2), lambda u: np.sign(u * u - 2), (2**0.5,)),
    "turning": (
        lambda h: tp.relu(tp.cos(h) - 0.9999),
        lambda u: relu(np.cos(u) - 0.9999),
        tuple(abs(2 * np.pi * k + side * np.arccos(0.9999)) for k in range(5) for side in (-1, 1)),
    ),
}


@pytest.mark.parametrize("scale", [0.3, 1.0, 2.0])
@pytest.mark.parametrize("name", NETS)
def test_kinks_of_functions_of_one_gaussian(name, scale):
    net, f, ends = NETS[name]
    value, error = nngp(of_one(net), scale)
    truth = average(f, scale, ends)
    assert abs(value - truth) <= error + 1e-10 * truth
    assert error <= 1e-9 * truth


@pytest.mark.parametrize("where", [0.37, 1.0, 2.0])
def test_a_pair_of_kinks_between_grid_points_is_found(where):
    """sign(10⁻⁶ − (u − c)²) is 1 within 10⁻³ of c only."""
    net = of_one(lambda h: sign((h - where) * (where - h) + 1e-6))
    value, error = nngp(lambda x: tp.readout("v", 1 + sign((h := tp.linear("U", x) - where) * (-h) + 1e-6)), 1.0)
    truth = 4 * (stats.norm.cdf(where + 1e-3) - stats.norm.cdf(where - 1e-3))
    assert abs(value - truth) <= error + 1e-12 < 1e-9
    assert nngp(net, 1.0)[0] == pytest.approx(1, rel=1e-12)


def test_a_kink_along_a_curve():
    """E relu(uv - 1)², the product of two Gaussians having the density K_0(|p|)/π."""
    value, error = nngp(lambda x: tp.readout("v", tp.relu(tp.linear("U", x) * tp.linear("V", x) - 1)), 1.0)
    truth = integrate.quad(lambda p: (p - 1) ** 2 * special.k0(p) / np.pi, 1, 60, epsabs=0, epsrel=1e-12)[0]
    assert abs(value - truth) <= error + 1e-11 and error < 1e-10


def test_a_jump_along_a_curve_that_turns():
    """P(uv > 1) by one quadrature; in w_0 the inner integral is smooth but at 0, where its interval flees."""

    def net(x):
        return tp.readout("v", (1 + sign(tp.linear("U", x) * tp.linear("V", x) - 1)) / 2)

    value, error = nngp(net, 1.0)
    truth = integrate.quad(lambda p: special.k0(p) / np.pi, 1, 60, epsabs=0, epsrel=1e-12)[0]
    assert abs(value - truth) <= error + 1e-11 and error < 1e-9


def test_two_inputs_by_both_routes():
    """K(x, x') of v·relu(h² - 1) against nested quadrature over the two Gaussians."""
    data = np.array([[1.0, 0.5], [2.0, -0.3]])
    value, error = tp.kernel(tp.trace(of_one(lambda h: tp.relu(h * h - 1)), inputs=1), data, which="nngp", errors=True)
    gram = data @ data.T / 2
    slope, rest = gram[0, 1] / gram[0, 0], np.sqrt(gram[1, 1] - gram[0, 1] ** 2 / gram[0, 0])

    def inner(u):
        m = slope * u
        edges = sorted({-1.0, 1.0, m - 13 * rest, m + 13 * rest})
        parts = [
            integrate.quad(lambda v: relu(v * v - 1) * stats.norm.pdf(v, m, rest), a, b, epsabs=1e-13, epsrel=1e-11)[0]
            for a, b in pairwise(edges)
        ]
        return relu(u * u - 1) * sum(parts) * stats.norm.pdf(u, 0, np.sqrt(gram[0, 0]))

    truth = sum(integrate.quad(inner, *ends, epsabs=1e-12, epsrel=1e-10)[0] for ends in ((-10, -1), (1, 10)))
    assert abs(value[0, 1] - truth) <= error[0, 1] + 1e-8 * truth
    assert error[0, 1] < 1e-9 * truth and value[0, 1] == value[1, 0]


def test_the_tangent_kernel_of_a_nested_kink():
    """NTK of v·relu(h² - 1) at one input: K + E(2h·1)²⟨x, x⟩, on h² > 1."""
    value = tp.kernel(tp.trace(of_one(lambda h: tp.relu(h * h - 1)), inputs=1), [[1.0]])[0, 0]
    truth = average(lambda u: relu(u * u - 1), 1.0, (1.0,)) + average(lambda u: 2 * u * (abs(u) > 1), 1.0, (1.0,))
    assert value == pytest.approx(truth, rel=1e-11)

"""Inputs whose averages round to one number, and opposite ones: errors that hold, and small where they can be."""

from __future__ import annotations

from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest

import tensorprog as tp
from tensorprog.architectures import conv, layernorm_mlp, mlp, resnet
from tensorprog.errors import PrecisionError


def angles(phi, weight_std, depth, distance, digits=80):
    """K(x, x') of an mlp at (1, 0) and (1, distance): sign, or erf by its arcsine, to 80 digits."""
    with mp.workdps(digits):
        one, both, other = (mp.mpf(1) / 2, mp.mpf(1) / 2, (1 + mp.mpf(distance) ** 2) / 2)
        scale = mp.mpf(weight_std) ** 2
        for _ in range(depth):
            a, b, c = scale * one, scale * both, scale * other
            if phi == "sign":
                one, both, other = mp.mpf(1), 2 / mp.pi * mp.asin(b / mp.sqrt(a * c)), mp.mpf(1)
            else:
                one, both, other = (
                    2 / mp.pi * mp.asin(2 * p / mp.sqrt((1 + 2 * q) * (1 + 2 * r)))
                    for p, q, r in ((a, a, a), (b, a, c), (c, c, c))
                )
        return float(scale * both)


@pytest.mark.parametrize("distance", [1e-8, 1e-10, 1e-12])
@pytest.mark.parametrize(
    ("name", "weight_std", "depth"), [("sign", 1, 2), ("sign", 1, 3), ("sign", 1, 5), ("erf", 4, 60), ("erf", 4, 100)]
)
def test_vectors_whose_averages_round_to_one_number_are_not_one_vector(name, weight_std, depth, distance):
    """⟨x x⟩, ⟨x x'⟩ and ⟨x' x'⟩ are one double; jumps and chaos tell them apart, and rounding is in the error."""
    phi = tp.erf if name == "erf" else tp.expression("sign(z)")
    program = tp.trace(mlp, inputs=1, depth=depth, phi=phi, weight_std=weight_std)
    data = np.array([[1.0, 0.0], [1.0, distance]])
    value, error = tp.kernel(program, data, which="nngp", errors=True)
    truth = angles(name, weight_std, depth, distance)
    assert abs(value[0, 1] - truth) <= error[0, 1]
    assert abs(value[0, 0] - value[1, 1]) <= error[0, 0] + error[1, 1] < 1e-9
    with pytest.raises(PrecisionError):
        tp.kernel(program, data, which="nngp")


@pytest.mark.parametrize("depth", [1, 3, 30])
def test_near_duplicates_below_the_rounding_of_their_gram_matrix(depth):
    """The NTK of relu by arc-cosines, to 80 digits."""
    data = [[1.0, 0.0], [1.0, 1e-8]]
    with mp.workdps(80):
        one, both, other = mp.mpf(1) / 2, mp.mpf(1) / 2, (1 + mp.mpf(1e-8) ** 2) / 2
        tangent = both
        for _ in range(depth):
            angle = mp.acos(both / mp.sqrt(one * other))
            size = mp.sqrt(one * other)
            slope = (mp.pi - angle) / (2 * mp.pi)
            both = size / (2 * mp.pi) * (mp.sin(angle) + (mp.pi - angle) * mp.cos(angle))
            one, other = one / 2, other / 2
            tangent = both + tangent * slope
        truth = float(tangent)
    program = tp.trace(mlp, inputs=1, depth=depth, phi=tp.relu)
    value, error = tp.kernel(program, data, errors=True)
    assert abs(value[0, 1] - truth) <= error[0, 1]


ODD = ["tanh", "erf", "max(-1,min(1,z))", "z**3", "sin(z)", "sign(z)"]


@pytest.mark.parametrize("which", ["nngp", "ntk"])
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("text", ODD)
def test_opposite_inputs_of_odd_nets_have_opposite_kernels(text, scale, which):
    """Chaotic ones too: K(x, -x) = -K(x, x), with the error of that."""
    phi = tp.expression(text) if "(" in text or "*" in text else getattr(tp, text)
    x = scale * np.array([0.3, -1.1, 0.7])
    program = tp.trace(mlp, inputs=1, depth=3, phi=phi, weight_std=2)
    value, error = tp.kernel(program, [x, -x, 2 * x], which=which, errors=True)
    assert value[0, 1] == pytest.approx(-value[0, 0], rel=1e-12)
    assert error[0, 1] <= 1e-10 * value[0, 0]


@pytest.mark.parametrize("weight_std", [Fraction(1, 3), 1, Fraction(3, 2), 2])
@pytest.mark.parametrize("factor", [-1, -2, -3, -0.1])
def test_opposite_multiples_of_relu_have_small_errors(factor, weight_std):
    """Whatever the scale of the weights: E relu(h) relu(-h) = 0, and what follows of it."""
    x = np.array([0.3, -1.1, 0.7])
    for depth in (1, 3):
        program = tp.trace(mlp, inputs=1, depth=depth, phi=tp.relu, weight_std=weight_std)
        value, error = tp.kernel(program, [x, factor * x], errors=True)
        assert error[0, 1] <= 1e-12 * np.sqrt(value[0, 0] * value[1, 1])
        if depth == 1:
            assert abs(value[0, 1]) <= error[0, 1]


@pytest.mark.parametrize("net", [resnet, conv, layernorm_mlp], ids=lambda net: net.__name__)
def test_opposite_inputs_are_those_of_inputs_nearly_opposite(net):
    """The route of its own against the generic one, a hair away."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((3, 4) if net is conv else 4)
    program = tp.trace(net, inputs=1, positions=3 if net is conv else None, phi=tp.gelu)
    value = tp.kernel(program, [x, -x])[0, 1]
    near = tp.kernel(program, [x, -x * (1 + 1e-7)])[0, 1]
    assert value == pytest.approx(near, rel=1e-5)

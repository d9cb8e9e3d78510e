"""Depth: limits, kernels, fluctuations and what is printed of them take a few frames, however deep the network."""

from __future__ import annotations

import numpy as np
import pytest
from limits.test_gaussian import few_frames

import tensorprog as tp
from tensorprog.architectures import mlp, resnet
from tensorprog.errors import ProgramError

X = np.eye(2)
ROOT = tp.symbol("s", 2**0.5)


def gated(x, depth):
    """h ← h + z ∘ (tanh(W h) - h), z = σ(U h): one matrix for all layers."""
    h = tp.linear("E", x)
    for _ in range(depth):
        z = tp.sigmoid(tp.linear("U", h))
        h = h + z * (tp.tanh(tp.linear("W", h)) - h)
    return tp.readout("v", h)


def interpreted(program):
    from tensorprog.limits.interpreter import Interpreter
    from tensorprog.readings.derive import proved_sizes

    interpreter = Interpreter(program, proved_sizes(program))
    with few_frames():
        found = interpreter.limit(program.end)
    return interpreter, found


@pytest.mark.parametrize("depth", [40, pytest.param(300, marks=pytest.mark.long)])
def test_the_ntk_of_a_deep_net(depth):
    """(L+1)/2 · 2^{-L} at |x|² = d0/2."""
    program = tp.trace(mlp, inputs=2, depth=depth, phi=tp.relu)
    with few_frames():
        k = tp.kernel(program, X)
    assert k[0, 0] * 2.0**depth == pytest.approx((depth + 1) / 2, rel=1e-9)


@pytest.mark.parametrize("depth", [150, pytest.param(1000, marks=pytest.mark.long)])
def test_the_covariance_of_a_deep_net(depth):
    program = tp.trace(mlp, inputs=2, depth=depth, phi=tp.relu, weight_std=ROOT)
    with few_frames():
        k = tp.kernel(program, X, which="nngp")
    angle, entry = np.pi / 2, None
    for _ in range(depth):
        entry = (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / np.pi
        angle = np.arccos(entry)
    assert k == pytest.approx(np.array([[1, entry], [entry, 1]]), rel=1e-9)


def test_equations_of_a_deep_net_are_printed():
    program = tp.correlation(tp.trace(mlp, inputs=2, depth=25, phi=tp.relu), 0, 1)
    with few_frames():
        limit = tp.limit(program)
        assert len(limit.equations) > 75
        assert limit.latex().count("mathbb{E}") == len(limit.equations) - 1


@pytest.mark.parametrize(
    "program",
    [
        tp.correlation(tp.trace(resnet, inputs=2, depth=60, phi=tp.relu), 0, 1),
        tp.correlation(tp.trace(gated, inputs=2, depth=2), 0, 1),
    ],
    ids=["resnet", "gated"],
)
def test_limits_of_sums_over_layers(program):
    _, found = interpreted(program)
    assert found.power == 0 and found.payload is not None


def test_a_fluctuation_in_few_frames():
    program = tp.correlation(tp.trace(mlp, inputs=1, depth=1, weight_std=ROOT), 0, 1, (0, 0))
    with few_frames():
        assert tp.fluctuation(program, np.ones((1, 4))).value > 0


def test_terms_are_not_multiplied_without_end():
    """x ← x + sin x without a matrix doubles the terms of a derivative with every step."""

    def net(x):
        h = tp.linear("U", x)
        for _ in range(40):
            h = h + tp.sin(h)
        return tp.readout("v", h)

    with pytest.raises(ProgramError, match=r"more than \d+ terms|patience"):
        tp.fluctuation(tp.trace(net, inputs=1).restricted(["F0"]), np.ones((1, 4)), patience=1)

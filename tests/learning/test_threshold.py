"""Thresholds against training: below, a linear model with the limit kernel converges; above, it does not."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import tensorprog as tp
from tensorprog.architectures import attention, mlp
from tensorprog.errors import TrainingError
from tensorprog.learning.threshold import default_rate, threshold
from tensorprog.passes.recipe import Rule
from tensorprog.readings.derive import reparametrised

DATA = np.random.default_rng(2).standard_normal((7, 8))
DATA[3:5] *= 3
LABELS = [1.0, -1.0, 1.0, -1.0, 1.0]
PROGRAM = tp.trace(mlp, inputs=7, depth=2)
WHOLE = [[0, 1, 2, 3, 4]]
CASES = {
    "full batch": (WHOLE, {}),
    "weight decay": (WHOLE, {"weight_decay": 0.5}),
    "strong weight decay": (WHOLE, {"weight_decay": 20}),
    "momentum": (WHOLE, {"momentum": 0.75}),
    "momentum and decay": (WHOLE, {"momentum": 0.5, "weight_decay": 0.5}),
    "momentum on a smaller batch": ([[1, 4]], {"momentum": 0.25}),
    "batches of one size": ([[0, 1], [3, 4]], {}),
    "a shorter last batch": ([[0, 1, 2, 3], [4]], {"weight_decay": 0.25}),
    "single inputs": ([[0], [1], [2], [3], [4]], {}),
    "the same batch in another order": ([[0, 1, 2], [2, 1, 0]], {"momentum": 0.5}),
}


def trained(kernel, batch, rate, momentum=0.0, weight_decay=0.0, steps=3000):
    """How the distance from the minimum has changed after steps on one batch: θ is trained, F = Jθ, J Jᵀ = Θ."""
    J = np.linalg.cholesky(kernel)[batch]
    hessian = J.T @ J / len(batch) + weight_decay * np.eye(len(kernel))
    end = np.linalg.pinv(hessian, 1e-12) @ J.T @ np.array(LABELS)[batch] / len(batch)
    theta, buffer = np.zeros(len(kernel)), np.zeros(len(kernel))
    start = np.linalg.norm(theta - end)
    for _ in range(steps):
        gradient = J.T @ (J @ theta - np.array(LABELS)[batch]) / len(batch)
        buffer = momentum * buffer + gradient + weight_decay * theta
        theta = theta - rate * buffer
        if (size := np.linalg.norm(theta - end)) > 1e6 * start:
            break
    return size / start


@pytest.mark.parametrize("name", CASES)
def test_training_converges_below_and_grows_above(name):
    """On every batch below; above on one of them at least."""
    batches, options = CASES[name]
    found = threshold(PROGRAM, DATA, Rule(batches=batches, **options).recipe(PROGRAM, LABELS, len(batches), 1.0))
    kernel = tp.kernel(PROGRAM, DATA[:5])
    assert all(trained(kernel, batch, 0.99 * found.rate, **options) < 1 for batch in batches)
    assert any(trained(kernel, batch, 1.01 * found.rate, **options) > 1e6 for batch in batches)
    assert default_rate(found) == pytest.approx(found.rate / 2, rel=0.05)


def test_the_formula():
    largest = np.linalg.eigvalsh(tp.kernel(PROGRAM, DATA[:5]) / 5)[-1]
    recipe = Rule(momentum=Fraction(1, 2), weight_decay=Fraction(1, 4)).recipe(PROGRAM, LABELS, 3, 1.0)
    found = threshold(PROGRAM, DATA, recipe)
    assert 0 < found.error < 1e-6 and abs(found.eigenvalue - largest) <= 2 * found.error
    assert found.eigenvalue == pytest.approx(largest) and found.rate == pytest.approx(3 / (largest + 0.25))


SLOWER = {"W1": tp.abc(Fraction(1, 2), 0, Fraction(1, 2))}
REFUSED = [
    (PROGRAM, {"loss": "logistic"}, "squared error"),
    (PROGRAM, {"loss": "(F - y)**4"}, "squared error"),
    (PROGRAM, {"momentum": 0.5, "batches": [[0, 1], [2, 3]]}, "momentum are known for steps on one batch"),
    (reparametrised(PROGRAM, tp.MEAN_FIELD), {"weight_decay": 0.5}, "η λ n^1, grows with the width"),
    (reparametrised(PROGRAM, SLOWER), {"weight_decay": 0.5}, "learn at one rate; η has the factor n^-1/2 for 'W1'"),
]


@pytest.mark.parametrize(("program", "options", "reason"), REFUSED)
def test_what_is_not_derived_is_no_threshold(program, options, reason):
    found = threshold(program, DATA, Rule(**options).recipe(program, LABELS, 2, 1.0))
    assert found.eigenvalue is not None and found.rate is None and reason in found.reason
    with pytest.raises(TrainingError, match="give learning_rate"):
        default_rate(found)


def test_without_a_kernel_a_rate_is_asked_for():
    program = tp.trace(attention, inputs=3, positions=2, scaling="sqrt")
    found = threshold(program, np.ones((3, 2, 4)), Rule().recipe(program, [1.0, -1.0], 1, 1.0))
    assert found.eigenvalue is None and found.rate is None and found.reason
    with pytest.raises(TrainingError, match="give learning_rate"):
        default_rate(found)

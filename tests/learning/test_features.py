"""Tasks on which features are learned: their inputs, the gap foreseen and measured, rank correlations."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

import tensorprog as tp
from tensorprog.architectures import attention, mlp
from tensorprog.errors import TrainingError
from tensorprog.learning.features import (
    Cell,
    cells,
    check_tasks,
    overall,
    parity,
    study_of,
    task_of,
    two_index,
    within,
)
from tensorprog.learning.study import Runs
from tensorprog.learning.threshold import default_rate, threshold
from tensorprog.passes.recipe import Rule

HALF, ZERO = Fraction(1, 2), Fraction(0)


def test_tasks():
    task = parity(12, 2, 6)
    assert task.data.shape == (12, 6) and len(np.unique(task.data, axis=0)) == 12
    np.testing.assert_array_equal(task.targets, task.data[:, 0] * task.data[:, 1])
    z = two_index(9, 7)
    np.testing.assert_allclose((z.data**2).sum(axis=1), 7)
    np.testing.assert_allclose(z.targets, z.data[:, 0] * (1 + z.data[:, 1]))
    assert task_of("parity:3:10", 8).name == "parity of 3 of 10 bits"
    for wrong in ("parity", "parity:2", "parity:0:4", "parity:5:4", "xor:2:3", "two-index:x", "two-index:1", 3):
        with pytest.raises(TrainingError):
            task_of(wrong, 4)
    assert len(np.unique(parity(64, 1, 6).data, axis=0)) == 64  # all there are


def test_features_at_the_mean_field_scale():
    """At κ = 1/2 the gap to the linear model does not shrink with n, at κ = 0 it does; correlations foresee it."""
    program = tp.trace(mlp, inputs=6, depth=2)
    made = study_of(program, parity(6, 2, 8), 4, None, Rule(), 3, Runs([64, 512], 60))
    limit = threshold(program, made.data, made.recipe(ZERO, ZERO))
    assert made.rate == default_rate(limit)
    found = cells("parity", made)
    gap = {(c.kappa, c.width): float(np.median(c.last)) for c in found}
    assert gap[ZERO, 512] < 0.3 * gap[ZERO, 64]
    assert gap[HALF, 512] > 0.6 * gap[HALF, 64]
    assert overall(found).value > 0.7
    assert {(c.task, c.rate, len(c.last)) for c in found} == {("parity", made.rate, 60)}
    assert all(c.agreement > 0.3 for c in found if c.kappa == 0)


def test_given_rates_and_losses_are_those_of_tasks():
    program = tp.trace(mlp, inputs=4, depth=1)
    made = study_of(program, parity(4, 2, 5), 3, 0.25, Rule("logistic"), 2, Runs([8, 16], 2))
    recipe = made.recipe(ZERO, HALF)
    assert {float(rate.value) for rate in recipe.rates} == {0.25} and recipe.loss.growth == 0
    assert (len(recipe.labels), len(recipe.targets), recipe.steps) == (4, 3, 2)


@pytest.mark.parametrize(
    ("program", "texts", "options", "message"),
    [
        (tp.trace(mlp, inputs=4), "parity:2:10", {}, "tasks='parity:2:10' must be a list"),
        (tp.trace(mlp, inputs=4), ["parity:2"], {}, "'parity:2' is no task; write parity:2:10"),
        (tp.trace(mlp, inputs=4), [3], {}, "3 is no task"),
        (tp.trace(mlp, inputs=4), ["parity:1:1"], {}, "a parity of 1 of 1 bits has no 4 different inputs"),
        (tp.trace(mlp, inputs=4), ["two-index:3"], {"loss": "logistic"}, "two-index target in 3 dimensions: "),
        (tp.trace(mlp, inputs=4, phi=tp.relu), ["two-index:3"], {}, "up to order 4; .*relu .* use a smooth activation"),
        (tp.trace(attention, inputs=4, positions=2), ["two-index:3"], {}, "single vectors, the network takes 2"),
    ],
)
def test_what_cannot_be_trained_on_is_said(program, texts, options, message):
    with pytest.raises(TrainingError, match=message):
        check_tasks(program, texts, 3, 2, Rule(**options))


def cell(strength, seed=0, count=200, width=64):
    """A gap foreseen up to noise, the less the larger `strength`."""
    one, two = np.random.default_rng(seed).standard_normal((2, count))
    return Cell("made up", ZERO, width, 0.5, np.exp(one), np.exp(one), np.exp(strength * one + two))


def test_rank_correlations():
    known = cell(1.0)
    assert known.agreement == pytest.approx(stats.spearmanr(known.foreseen, known.last).statistic, abs=1e-12)
    flat = Cell("flat", ZERO, 64, 0.5, np.ones(5), np.ones(5), np.arange(5.0))
    assert np.isnan(flat.agreement) and flat.to_object()["rank_correlation"] is None
    assert within([flat]).to_object() == {"value": None, "interval": None}


def test_intervals_hold_the_correlation():
    """Spearman's of Gaussians is 6/π arcsin(r/2); with noise of equal strength r = 1/√2, without a signal 0."""
    rank = 6 / np.pi * np.arcsin(np.sqrt(0.5) / 2)
    for strength, expected in ((1.0, rank), (0.0, 0.0)):
        found = [within([cell(strength, 10 * i + k) for k in range(3)]) for i in range(40)]
        held = sum(one.interval[0] < expected < one.interval[1] for one in found)
        assert held >= 33  # of 40 at 95 %: fewer happen once in a thousand times
    assert within([cell(1.0, k) for k in range(3)]).positive and not within([cell(0.0, k) for k in range(3)]).positive
    few = overall([cell(1.0, k, width=k) for k in range(6)])
    assert few.interval[1] - few.interval[0] > 0.5

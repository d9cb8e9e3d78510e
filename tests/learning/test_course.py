"""Batches, momentum and weight decay: what predictions make of them, against training itself."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from cases import CASES
from oracles.weights import outputs

import tensorprog as tp
from tensorprog.architectures import mlp, resnet
from tensorprog.exponents import Exponent
from tensorprog.learning.course import Course, Decay, course_of
from tensorprog.learning.predictions import largest_rho, predict
from tensorprog.learning.study import Runs, Study, table_of
from tensorprog.passes.learning import stretch
from tensorprog.passes.recipe import Rule
from tensorprog.readings.derive import reparametrised
from tensorprog.scaling.sampling import Sampling

HALF, QUARTER, ZERO = Fraction(1, 2), Fraction(1, 4), Fraction(0)
DATA = np.random.default_rng(2).standard_normal((4, 8))
DATA *= np.sqrt(8) / np.linalg.norm(DATA, axis=1, keepdims=True)
LABELS = [1.0, -1.0, 1.0]
PROGRAM = tp.trace(mlp, inputs=4, depth=2)
DEFINITE = table_of(PROGRAM, DATA, 20)


def course(program=PROGRAM, steps=2, patience=20, **options):
    return course_of(program, Rule(**options).recipe(program, LABELS, steps, 0.5), DATA, patience)


def law(of, rho=ZERO, steps=2, table=DEFINITE, **options):
    found = predict(table, steps, Fraction(rho), course=of, **options)
    return None if found.law is None else (found.law.power, found.status)


def test_weight_decay_leaves_no_linear_model():
    """Half of the change of the kernel, 1/2 dΘ/dγ at γ = 1 for weights γ θ, is not zero: the gap stays of order one."""
    found = course(weight_decay=0.25)
    assert found.decay == Decay(ZERO, ZERO)
    assert law(found) == law(found, steps=1) == (0, "definite")
    assert predict(DEFINITE, 2, course=found).reasons == ("weight decay",)
    assert law(found, -HALF) == (-1, "definite") and law(found, -1) == (-2, "definite")
    assert law(found, quantity="moved gradient") == (0, "definite")
    assert law(found, -HALF, quantity="moved gradient") == (-HALF, "definite")
    assert law(course()) == (-1, "definite") and law(course(), -HALF) == (-2, "definite")
    assert largest_rho(DEFINITE, course=found) == 0 == largest_rho(DEFINITE, relative=True, course=found)
    assert largest_rho(DEFINITE, course=course()) == Fraction(1, 3)


def test_without_the_size_of_the_outputs_weight_decay_is_not_predicted():
    """It is not taken for what it usually is."""
    short = tp.derive(PROGRAM, [(D, d) for D in range(3) for d in range(4) if D + d and (D, d) != (2, 3)], data=DATA)
    assert law(course(), table=short) is not None
    assert predict(short, 2, course=course(weight_decay=0.25)).law is None
    assert "C^{0,0}" in predict(short, 2, course=course(weight_decay=0.25)).reasons[0]


def test_decay_that_grows_is_not_predicted():
    found = course(weight_decay=0.25)
    assert law(found, QUARTER) is None
    assert predict(DEFINITE, 2, QUARTER, course=found).reasons == (
        "weight decay multiplies the weights by a factor that grows like n^1/4",
    )
    field = reparametrised(PROGRAM, tp.MEAN_FIELD)
    grown = course(field, weight_decay=0.25)
    assert grown.decay.power == 1 and law(grown, table=table_of(field, DATA, 0)) is None


def test_what_a_limit_does_not_show_is_an_upper_bound():
    assert law(course(weight_decay=0.25, patience=0)) == (0, "upper bound")
    kinked = tp.trace(mlp, inputs=4, depth=2, phi=tp.relu)
    found = course(kinked, weight_decay=0.25)
    assert found.decay.stretched is None
    assert law(found, table=table_of(kinked, DATA, 0), kinked=Exponent(-HALF)) == (0, "upper bound")


def test_a_linear_model_stays_one():
    """F linear in its weights: no derivative of second order, hence nothing for weight decay to move."""

    def linear(x):
        return tp.readout("v", tp.linear("U", x, trainable=False))

    program = tp.trace(linear, inputs=4)
    recipe = Rule(weight_decay=0.25).recipe(program, LABELS, 2, 0.5)
    assert predict(table_of(program, DATA, 0), 2, course=course_of(program, recipe, DATA, 5)).law is None


def test_half_of_what_the_kernel_changes_by():
    """S = 1/2 d/dγ Θ(x, x) for standard deviations γ σ of all weights."""
    found = tp.limit(stretch(PROGRAM, "F0"), DATA).value
    kernels = []
    for gamma in (1 + 1e-4, 1 - 1e-4):
        program = tp.trace(mlp, inputs=1, depth=2, weight_std=gamma)
        # Θ of weights γ θ, whose gradients are by θ: γ² of what derivatives by γ θ would give
        kernels.append(tp.kernel(program, DATA[:1])[0, 0] / gamma**2)
    assert found == pytest.approx((kernels[0] - kernels[1]) / 4e-4, rel=1e-5)


NETS = {
    "mlp": PROGRAM,
    "relu": tp.trace(mlp, inputs=4, depth=2, phi=tp.relu),
    "bias": tp.trace(mlp, inputs=4, depth=1, phi=tp.tanh, bias_std=0.5),
    "resnet": tp.trace(resnet, inputs=4, depth=2),
}
RECIPES = {
    "plain": {},
    "momentum": {"momentum": 0.5},
    "batches": {"batches": [[0, 1], [2]]},
    "logistic": {"loss": "logistic"},
}
TRAINED = [("mlp", recipe) for recipe in RECIPES] + [(net, "plain") for net in NETS if net != "mlp"]


@pytest.mark.parametrize("rho", [ZERO, -HALF], ids=str)
@pytest.mark.parametrize(("net", "recipe"), TRAINED)
def test_predictions_with_weight_decay_agree_with_training(net, recipe, rho):
    """Predicted n^(2ρ): medians of the gap at widths 4 times apart, to the error of 100 of them, about 10 % each."""
    program, widths = NETS[net], (64, 256)
    rule = Rule(weight_decay=0.5, **RECIPES[recipe])
    made = Study(program, DATA, LABELS, 0.5, rule, 2, Runs(widths, 100, sampling=Sampling(seed=3)))
    outcome = made.outcomes(table_of(program, DATA, 0), rho, ZERO)[1]
    expected = outcome.prediction.law
    assert (expected.power, expected.log) == (2 * rho, 0)
    slope = np.diff(np.log(outcome.medians))[0] / np.log(4)
    assert slope == pytest.approx(float(2 * rho), abs=0.35)
    assert not outcome.claims and not outcome.contradicted


@pytest.mark.parametrize(
    ("batches", "momentum"),
    [([[0, 1, 2]] * 3, 0.0), ([[0, 1, 2]] * 3, 0.5), ([[0, 1], [2], [0, 2]], 0.0), ([[0], [1, 2], [1]], 0.75)],
)
def test_the_deviation_at_second_order_with_batches_and_momentum(batches, momentum):
    """What the docstring of `course` says, against training at a small rate."""
    case, steps, rate, width = CASES[0], 3, 1e-4, 6
    program, data = tp.trace(mlp, inputs=3, depth=2), case.data(3)
    options = {"steps": steps, "learning_rate": rate, "batches": batches, "momentum": momentum}

    def values(made):
        return np.array(list(outputs(made, data, width).values()))

    C = np.zeros((3, 3, 3))
    for x, i, j in np.ndindex(C.shape):
        C[x, i, j] = values(tp.correlation(program, 0, 2, points=[x, i, j]))[0]
    start, of = values(program) - np.array(LABELS), Course(3, tuple(map(tuple, batches)), Fraction(momentum))
    m = np.array([of._reach(i, steps) for i in range(3)]) * start
    w = np.array([[of._follows(i, j, steps) for j in range(3)] for i in range(3)]) * np.outer(start, start)
    expected = np.einsum("i,j,xij->x", m, m, C) + 2 * np.einsum("ij,ixj->x", w, C)
    gap = values(tp.train(program, LABELS, **options)) - values(tp.linearised(program, LABELS, **options))
    np.testing.assert_allclose(gap / rate**2, expected, rtol=0.02, atol=0.01 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("batches", "points", "keeps"),
    [
        (None, (0, 1, 2), True),
        (None, (3, 1, 2), False),  # x is only looked at: three unknowns in one part
        (None, (0, 1, 3), False),  # no slope at 3
        (((0, 1), (0, 1)), (0, 1, 2), False),
        (((0, 1, 2), (0, 1)), (0, 1, 2), True),
        (((1,), (2,)), (0, 1, 2), False),  # two unknowns in the part of x, nothing at the others
        (((0,), (0,)), (0, 0, 0), True),
    ],
)
def test_where_second_order_cannot_cancel(batches, points, keeps):
    assert Course(3, batches).keeps(points, 2) is keeps
    assert Course(3, batches, HALF).keeps(points, 2) is keeps


def test_definite_needs_gradients_that_are_trained_on():
    """C^{0,2}(x_0; x_1, x_2) says nothing of steps along ∇F(x_0) and ∇F(x_1) alone."""
    table = replace(DEFINITE, entries=tuple(e for e in DEFINITE if (e.D, e.d) in {(0, 0), (0, 1), (0, 2), (1, 1)}))
    for steps in (1, 2):
        assert law(Course(3), steps=steps, table=table) == (-1, "definite")
        assert law(Course(3, ((0, 1),) * steps), steps=steps, table=table) == (-1, "upper bound")
        assert law(Course(2), steps=steps, table=table) == (-1, "upper bound")

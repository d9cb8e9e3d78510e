"""Training as a program against training written in JAX, at the same weights and batches, after twenty steps."""

from __future__ import annotations

import re
import time
from fractions import Fraction

import numpy as np
import pytest
from cases import CASES
from jax.flatten_util import ravel_pytree
from oracles import forward
from oracles.training import Training
from oracles.weights import SEED, applied, outputs, weights

import tensorprog as tp
from tensorprog.architectures import mlp
from tensorprog.errors import OrderError, TensorProgramError, TrainingError
from tensorprog.passes.learning import expanded
from tensorprog.passes.recipe import Rule
from tensorprog.passes.training import Trained, check_length, continued
from tensorprog.program import Builder
from tensorprog.readings.derive import reparametrised

WIDTH, STEPS, TRAINED, TEST = 6, 20, 3, 2
NETS = ("mlp", "resnet", "rnn", "transposed", "mlp_bias", "glu")
QUICK = {("mlp", "momentum and decay"), ("mlp", "logistic")}
RNG = np.random.default_rng(3)
BATCHES = [sorted(RNG.choice(TRAINED, 2, replace=False).tolist()) for _ in range(STEPS)]
LABELS = [1.0, -1.0, 0.25]

RECIPES = {
    "full batch": {},
    "minibatches": {"batches": BATCHES},
    "momentum and decay": {"momentum": 0.9, "weight_decay": 0.05, "batches": BATCHES},
    "logistic": {"loss": "logistic"},
    "expression": {"loss": "log(cosh(F - y))"},
    "scaled": {"kappa": Fraction(1, 2), "rho": Fraction(-1, 4)},
    "schedule": {"learning_rate": [0.3 / (1 + s) for s in range(STEPS)]},
}


def case_of(name):
    return next(case for case in CASES if case.name == name)


def oracle(case, program, data, options, targets=LABELS, abc=None):
    by_hand = getattr(forward, case.architecture.__name__)
    given = {k: float(v) if k.endswith("_std") else v for k, v in case.options.items()}
    given["phi"] = forward.ACTIVATIONS[case.options["phi"].spec]
    c = None
    if abc is not None:
        c = {name: node.c for name, node in program.parameters.items()}
    theta = weights(program, WIDTH, case.d0)
    rate = options.get("learning_rate", 0.3)
    return Training(
        lambda theta, x: by_hand(theta, x, **given),
        theta,
        data,
        WIDTH,
        targets,
        options.get("loss", "squared"),
        rate if isinstance(rate, list) else [rate] * STEPS,
        options.get("batches", [range(TRAINED)] * STEPS),
        options.get("momentum", 0.0),
        options.get("weight_decay", 0.0),
        options.get("kappa", 0),
        options.get("rho", 0),
        c,
    )


def pairs():
    """Every net with every recipe; the slower part of them in the long suite."""
    for net in NETS:
        for recipe in RECIPES:
            yield pytest.param(net, recipe, marks=() if (net, recipe) in QUICK else pytest.mark.long)


@pytest.mark.parametrize(("net", "recipe"), list(pairs()))
def test_outputs_after_twenty_steps(net, recipe):
    options = {"learning_rate": 0.3, **RECIPES[recipe]}
    case, labels = case_of(net), [1, -1, 1] if options.get("loss") == "logistic" else LABELS
    data, program = case.data(TRAINED + TEST), case.trace(TRAINED + TEST)
    jax = oracle(case, program, data, options, labels)
    for model, made in ((jax.outputs, tp.train), (jax.linear, tp.linearised)):
        expected = np.asarray(model(jax.run(model)[-1]))[:, 0]
        found = list(outputs(made(program, labels, steps=STEPS, **options), data, WIDTH).values())
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("net", ["mlp", pytest.param("rnn", marks=pytest.mark.long)])
def test_learning_rates_of_the_abc_table(net):
    case = case_of(net)
    data, plain = case.data(TRAINED + TEST), case.trace(TRAINED + TEST)
    rates = {name: tp.abc(node.a, 0, Fraction(i, 4)) for i, (name, node) in enumerate(plain.parameters.items())}
    program = reparametrised(plain, rates)
    options = {"learning_rate": 0.3, "momentum": 0.5, "weight_decay": 0.1}
    jax = oracle(case, program, data, options, abc=rates)
    for model, made in ((jax.outputs, tp.train), (jax.linear, tp.linearised)):
        expected = np.asarray(model(jax.run(model)[-1]))[:, 0]
        found = list(outputs(made(program, LABELS, steps=STEPS, **options), data, WIDTH).values())
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(
    "net", ["mlp", "transposed", *(pytest.param(x, marks=pytest.mark.long) for x in ("resnet", "rnn"))]
)
def test_moved_derivatives(net):
    case, options = case_of(net), {"learning_rate": 0.3, "batches": BATCHES[:3], "kappa": Fraction(1, 4)}
    data, program = case.data(TRAINED + TEST), case.trace(TRAINED + TEST)
    jax = oracle(case, program, data, {**options, "learning_rate": [0.3] * 3})
    end = jax.run(jax.outputs)[-1]
    for point in (0, 4):
        zero = tp.moved(program, LABELS, D=0, steps=3, point=point, **options)
        expected = float(jax.outputs(end)[point, 0] - jax.outputs(jax.start)[point, 0])
        np.testing.assert_allclose(tp.sample(zero, data, WIDTH, 1, SEED, "dense")[0], expected, rtol=1e-8)
        one = tp.moved(program, LABELS, D=1, steps=3, point=point, **options)
        change = jax.gradient(end, point) - jax.gradient(jax.start, point)
        np.testing.assert_allclose(
            tp.sample(one, data, WIDTH, 1, SEED, "dense")[0], WIDTH**0.25 * np.linalg.norm(change), rtol=1e-8
        )
    two = tp.moved(program, LABELS, D=2, steps=3, point=4, **options)
    u = {name: RNG.standard_normal(value.shape) for name, value in weights(program, WIDTH, case.d0).items()}
    flat = ravel_pytree(u)[0]
    expected = WIDTH**0.5 * (jax.hessian_product(end, 4, flat) - jax.hessian_product(jax.start, 4, flat))
    found = applied(two, data, WIDTH, u)
    whole = {name: found.get(name, np.zeros_like(value)) for name, value in u.items()}
    np.testing.assert_allclose(ravel_pytree(whole)[0], expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("net", ["rnn", "transposed"])
def test_tied_weights_after_three_steps(net):
    """A weight that is used more than once has a gradient of several terms, and a kernel of all their pairs."""
    case = case_of(net)
    data, program = case.data(TRAINED + TEST), case.trace(TRAINED + TEST)
    jax = oracle(case, program, data, {"learning_rate": [0.3] * 3, "batches": BATCHES[:3]})
    for model, made in ((jax.outputs, tp.train), (jax.linear, tp.linearised)):
        expected = np.asarray(model(jax.run(model)[-1]))[:, 0]
        trained = made(program, LABELS, steps=3, learning_rate=0.3, batches=BATCHES[:3])
        np.testing.assert_allclose(list(outputs(trained, data, WIDTH).values()), expected, rtol=1e-8)


def test_deviation_is_the_root_mean_square_gap():
    case = case_of("mlp")
    data, program = case.data(TRAINED + TEST), case.trace(TRAINED + TEST)
    options = {"steps": 4, "learning_rate": 0.3}
    one, two = (outputs(made(program, LABELS, **options), data, WIDTH) for made in (tp.train, tp.linearised))
    for points in ([0, 4], None):
        gaps = [one[f"F{i}"] - two[f"F{i}"] for i in (range(5) if points is None else points)]
        found = tp.sample(tp.deviation(program, LABELS, points=points, **options), data, WIDTH, 1, SEED, "dense")
        np.testing.assert_allclose(found[0], np.sqrt(np.mean(np.square(gaps))), rtol=1e-8)


def two_heads(x, phi=tp.erf):
    return tp.readout("v", phi(tp.linear("W", phi(tp.linear("U", x)))), outputs=3)


def test_several_outputs_and_cross_entropy():
    program = tp.trace(two_heads, inputs=4)
    assert list(program.outputs)[:4] == ["F0.0", "F0.1", "F0.2", "F1.0"]
    data, targets = RNG.standard_normal((4, 3)), np.eye(3)[[0, 2, 1]]
    theta = weights(program, WIDTH, 3)

    def by_hand(theta, x):
        h = forward.ACTIVATIONS["erf"](forward.dense(theta, "U", x, 1.0))
        h = forward.ACTIVATIONS["erf"](forward.dense(theta, "W", h, 1.0))
        return forward.jnp.stack([forward.dense(theta, f"v_{j}", h, 1.0) for j in range(3)])

    jax = Training(by_hand, theta, data, WIDTH, targets, "cross_entropy", [0.5] * 5, [range(3)] * 5, 0.0, 0.0, 0, 0)
    for model, made in ((jax.outputs, tp.train), (jax.linear, tp.linearised)):
        expected = np.asarray(model(jax.run(model)[-1])).ravel()
        trained = made(program, targets, steps=5, learning_rate=0.5, loss="cross_entropy")
        found = list(outputs(trained, data, WIDTH).values())
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)


def cubic(x):
    return tp.readout("v", tp.linear("U", x) ** 2)


@pytest.mark.parametrize("decay", [0, 0.25])
def test_the_expansion_of_one_step_is_exact_for_a_polynomial_network(decay):
    """F is of degree 3 in its parameters: orders up to 3 give F(θ_1), up to 2 do not; order 1 is the linear model."""
    program, data = tp.trace(cubic, inputs=4), RNG.standard_normal((4, 3))
    options = {"learning_rate": 0.3, "kappa": Fraction(1, 4), "loss": "log(cosh(F - y))", "weight_decay": decay}
    trained, linear = (
        list(outputs(made(program, LABELS, steps=1, **options), data, WIDTH).values())
        for made in (tp.train, tp.linearised)
    )
    rate, kappa = options.pop("learning_rate"), options.pop("kappa")
    recipe = Rule(**options).recipe(program, LABELS, 1, rate, kappa)
    one, two, three = (list(outputs(expanded(program, recipe, range(k + 1)), data, WIDTH).values()) for k in (1, 2, 3))
    np.testing.assert_allclose(three, trained, rtol=1e-10)
    np.testing.assert_allclose(one, linear, rtol=1e-10)
    assert np.abs(np.subtract(two, trained)).max() > 1e-5


def test_the_deviation_at_second_order_in_the_rate():
    """η² Σ_ij C′_i C′_j {s² C(x; i, j) + s(s−1)/2 [C(i; x, j) + C(j; x, i)]} with C = C^{0,2}: the next order is η³."""
    data, program, steps = case_of("mlp").data(3), tp.trace(mlp, inputs=3, depth=2), 3
    C = np.zeros((3, 3, 3))
    for x, i, j in np.ndindex(C.shape):
        C[x, i, j] = outputs(tp.correlation(program, 0, 2, points=[x, i, j]), data, WIDTH)["C"]
    slopes = (np.array(list(outputs(program, data, WIDTH).values())) - LABELS) / 3
    expected = steps**2 * C + steps * (steps - 1) / 2 * (np.transpose(C, (1, 0, 2)) + np.transpose(C, (1, 2, 0)))
    expected = np.einsum("xij,i,j->x", expected, slopes, slopes)
    errors = []
    for rate in (1e-3, 5e-4):
        options = {"steps": steps, "learning_rate": rate}
        one, two = (outputs(made(program, LABELS, **options), data, WIDTH) for made in (tp.train, tp.linearised))
        gaps = np.subtract(list(one.values()), list(two.values())) / rate**2
        errors.append(np.abs(gaps - expected).max() / np.abs(expected).max())
    assert errors[0] < 0.02 and errors[1] == pytest.approx(errors[0] / 2, rel=0.05)


WRONG = [
    ({"optimizer": "adam"}, "low rank"),
    ({"steps": 0}, "steps=0"),
    ({"learning_rate": -1}, "must be positive"),
    ({"learning_rate": True}, "learning_rate=True is not a finite real number"),
    ({"weight_decay": True}, "weight_decay=True is not a finite real number"),
    ({"learning_rate": [0.1]}, "1 learning rates are given for 2 steps"),
    ({"loss": "hinge(F)"}, "hinge"),
    ({"loss": "z0**2"}, "no expression that depends on F"),
    ({"loss": "logistic"}, "labels"),
    ({"loss": "cross_entropy"}, "several outputs"),
    ({"loss": 3}, "loss=3"),
    ({"batches": [[0]]}, "1 batches are given for 2 steps"),
    ({"batches": [[0], [True]]}, "must be a list of lists of input numbers"),
    ({"learning_rate": np.array(-0.1)}, "learning_rate=array(-0.1) must be positive"),
    ({"batches": [[0], [4]]}, "batch 1 is [4]"),
    ({"batches": [[0], [1, 1]]}, "batch 1 is [1, 1]"),
    ({"batches": [[0], [0.7]]}, "list of lists of input numbers"),
    ({"batches": [[0], [np.float64(1)]]}, "list of lists of input numbers"),
    ({"batches": ["0", "1"]}, "list of lists of input numbers"),
    ({"batches": 3}, "list of lists of input numbers"),
    ({"momentum": 1}, "momentum=1"),
    ({"weight_decay": -0.1}, "weight_decay=-0.1"),
    ({"kappa": "half"}, "kappa='half'"),
    ({"rho": float("nan")}, "rho=nan"),
    ({"targets": [1.0] * 9}, "targets have shape (9,)"),
    ({"targets": [[1.0, 2.0]]}, "targets have shape (1, 2)"),
    ({"targets": [float("inf")]}, "NaN or infinite"),
    ({"targets": "yes"}, "no array of real numbers"),
]


@pytest.mark.parametrize(("options", "words"), WRONG, ids=lambda x: str(x)[:40])
def test_wrong_arguments_are_named(options, words):
    given = {"targets": LABELS, "steps": 2, "learning_rate": 0.1, **options}
    with pytest.raises(TensorProgramError, match=re.escape(words)):
        tp.train(case_of("mlp").trace(4), given.pop("targets"), **given)


def test_a_correlation_is_not_trained():
    program = case_of("mlp").trace(4)
    for D in (0, 2):
        with pytest.raises(TrainingError, match=r"pass what tp\.trace returns"):
            tp.train(tp.correlation(program, D, 0), LABELS, steps=1, learning_rate=0.1)


def test_moved_derivatives_refuse_what_they_cannot_do():
    program = case_of("mlp").trace(4)
    with pytest.raises(OrderError, match="D=3"):
        tp.moved(program, LABELS, D=3, steps=1, learning_rate=0.1)
    with pytest.raises(TrainingError, match="weight decay"):
        tp.moved(program, LABELS, D=2, steps=1, learning_rate=0.1, weight_decay=0.1)
    with pytest.raises(TrainingError, match=r"points=\[7\]"):
        tp.deviation(program, LABELS, steps=1, learning_rate=0.1, points=[7])


@pytest.mark.parametrize(
    "options", [{}, {"momentum": 0.5}, {"weight_decay": 0.1}, {"loss": "log(cosh(F - y))"}], ids=str
)
def test_the_length_of_a_program_is_foreseen(options):
    """Quadratic in the steps, exactly."""
    program = tp.trace(mlp, inputs=3, depth=2)
    recipe, builder = Rule(**options).recipe(program, LABELS, 12, 0.1), Builder(program)
    trained, lengths = Trained(builder, program, recipe), []
    for steps in range(1, 13):
        trained.weights_after(steps)
        lengths.append(len(builder.nodes))
    assert continued(lengths[:4], 12) == lengths[-1] and continued(lengths[:4], 7) == lengths[6]


@pytest.mark.parametrize("made", [tp.train, tp.linearised, tp.deviation])
@pytest.mark.parametrize(("steps", "words"), [(10**30, "nodes"), (10**6, "nodes"), (1500, "batches of 3")])
def test_too_many_steps_are_refused_before_they_are_written(made, steps, words):
    start = time.process_time()
    with pytest.raises(TrainingError, match=f"steps={steps} .*{words}"):
        made(tp.trace(mlp, inputs=3, depth=2), LABELS, steps=steps, learning_rate=0.1)
    assert time.process_time() - start < 5


def test_the_most_steps_are_told():
    """As many as are said are written, one more is not."""
    program = tp.trace(mlp, inputs=3, depth=2)
    with pytest.raises(TrainingError, match=r"about 1.2e\+08 instructions") as caught:
        check_length(program, Rule().recipe(program, LABELS, 1500, 0.1))
    most = int(re.search(r"at most (\d+) steps", str(caught.value))[1])
    check_length(program, Rule().recipe(program, LABELS, most, 0.1))
    with pytest.raises(TrainingError, match=f"use at most {most} steps"):
        check_length(program, Rule().recipe(program, LABELS, most + 1, 0.1))

"""Limits of programs against exact sampling at two widths, extrapolated in 1/n, and against formulas."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from cases import CASES

import tensorprog as tp
from tensorprog import architectures
from tensorprog.functions import erf, identity, relu, sin, softplus, tanh
from tensorprog.limits import expectation
from tensorprog.limits.evaluate import Evaluation
from tensorprog.limits.gaussian import UndecidedLimit
from tensorprog.limits.interpreter import Interpreter
from tensorprog.limits.symbols import symbol_values
from tensorprog.program import Measure, Program
from tensorprog.readings.derive import proved_sizes

ORDERS = [(0, 1), (0, 3), (1, 0), (1, 1), (1, 2)]
WIDTHS = (1024, 4096)
SIGMAS = 4.5
"""A comparison fails once in 150,000 seeds; all of this file, some 150 of them, once in 1000 runs."""
BY_NAME = {case.name: case for case in CASES}
UNDECIDED = ("attention_sqrt",)


def extrapolated(program, data, power, samples, seed=1, widths=WIDTHS):
    """n^(-power) of the mean at n = ∞ from two widths, and its standard error."""
    means, errors = [], []
    for width in widths:
        values = np.asarray(tp.sample(program, data, width, samples, seed))
        values = (values**2 if program.measure is Measure.SQUARED_NORM else values) * float(width) ** -float(power)
        means.append(values.mean())
        errors.append(values.std() / np.sqrt(samples))
    ratio = widths[1] / widths[0]
    return (ratio * means[1] - means[0]) / (ratio - 1), np.hypot(ratio * errors[1], errors[0]) / (ratio - 1)


def assert_sampled(program, data, power, samples, seed=1):
    found = tp.limit(program, data)
    assert found.power == power
    mean, error = extrapolated(program, data, power, samples, seed)
    assert abs(found.value - mean) < SIGMAS * error + found.error
    return found


def points_of(d, equal):
    return (0,) * (d + 1) if equal else tuple(range(d + 1))


def check(case, D, d, equal, samples):
    program = tp.correlation(case.trace(4), D, d, points_of(d, equal))
    if case.name in UNDECIDED:
        with pytest.raises(UndecidedLimit, match=r"'s\d+', an argument at 's\d+', has no limit"):
            tp.limit(program)
    elif (case.name, D, d) == ("attention", 0, 3):
        found = tp.limit(program, case.data(4))
        assert found.is_zero and found.value == 0
        assert found.bound <= (Fraction(-1), 0)
    else:
        power = -Fraction(d) if D else Fraction(-(d // 2))
        assert_sampled(program, case.data(4), power, samples)


@pytest.mark.parametrize("name", ["mlp", "shallow", "mlp_bias", "transposed", "layernorm_mlp", "glu", *UNDECIDED])
@pytest.mark.parametrize(("D", "d", "equal"), [(0, 1, False), (0, 3, True), (1, 1, True)])
def test_correlations_tend_to_their_limits(name, D, d, equal):
    check(BY_NAME[name], D, d, equal, 200)


CHEAP = ("mlp", "shallow", "mlp_bias", "layernorm_mlp", *UNDECIDED)
"""Nets whose C^{1,2} at distinct inputs takes seconds; of the others it takes minutes."""


@pytest.mark.long
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize(("D", "d"), ORDERS)
def test_all_correlations_tend_to_their_limits(case, D, d):
    """At one input, and at distinct ones."""
    check(case, D, d, True, 400)
    if (D, d) != (1, 2) or case.name in CHEAP:
        check(case, D, d, False, 400)


# -- formulas


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_deep_linear_nets_have_a_known_ntk(depth):
    """L hidden layers: NTK = (L+1) Π σ² ⟨x, x'⟩/d0, one equal share for each weight."""
    std = Fraction(3, 2)
    program = tp.trace(architectures.mlp, inputs=2, depth=depth, phi=identity, weight_std=std)
    data = np.random.default_rng(3).standard_normal((2, 5))
    share = float(std ** (2 * depth + 2)) * (data[0] @ data[1]) / 5
    assert tp.limit(tp.correlation(program, 0, 1), data).value == pytest.approx((depth + 1) * share, rel=1e-13)


def mean_of(function, order, variance):
    return expectation([(function, (order,), (0,))], [[variance]]).value


def back_and_forth(x, width, first):
    """The average of φ · Wᵀ sin(W φ) with a W of rn rows, or of φ · W sin(Wᵀ φ) if the transpose is `first`."""
    std = Fraction(3, 2)
    h = tp.tanh(tp.linear("U", x, width=width if first else 1))
    y = tp.sin(tp.linear("W", h, std=std, transpose=first, width=1 if first else width))
    return tp.mean(h * tp.linear("W", y, std=std, transpose=not first))


@pytest.mark.parametrize("width", [1, 2, Fraction(1, 3)])
@pytest.mark.parametrize("first", [False, True])
def test_going_back_adds_a_term(width, first):
    """Fan-in n, rn rows: Ż = σ² r E[sin'(h)] φ for WᵀW, σ² E[sin'] φ for WWᵀ, where h has variance σ² r E φ²."""
    data = np.array([[0.7, -1.1, 0.4]])
    k = (data**2).mean()
    r, variance = float(width), 9 / 4
    square = expectation([(tanh, (0,), (0,))] * 2, [[k]]).value
    forth = variance * square * (r if first else 1)
    truth = variance * (1 if first else r) * mean_of(sin, 1, forth) * square
    assert tp.limit(tp.trace(back_and_forth, width=width, first=first), data).value == pytest.approx(truth, rel=1e-9)


def test_products_of_one_matrix_are_correlated():
    """⟨W a, W b⟩/n = σ² ⟨a, b⟩/n, ⟨W a, Wᵀ b⟩/n and ⟨W a, V b⟩/n = 0, exactly."""
    data = np.array([[0.7, -1.1, 0.4]])
    k = (data**2).mean()

    def net(x, name="W", transpose=False):
        h = tp.tanh(tp.linear("U", x))
        g = tp.linear("U", x) + 2 * h
        return tp.mean(tp.linear("W", h, std=2) * tp.linear(name, g, std=2, transpose=transpose))

    slope = expectation([(tanh, (0,), (0,)), (identity, (0,), (0,))], [[k]]).value
    square = expectation([(tanh, (0,), (0,))] * 2, [[k]]).value
    assert tp.limit(tp.trace(net), data).value == pytest.approx(4 * (slope + 2 * square), rel=1e-10)
    assert tp.limit(tp.trace(net, name="V")).is_zero
    assert tp.limit(tp.trace(net, transpose=True)).is_zero


@pytest.mark.parametrize("t", [0.0, 0.6, 1.0])
def test_copies_are_correlated(t):
    """W' = t W + √(1-t²) W'': the covariance of W h and W' h, and Ż of the copy, have a factor t."""
    data = np.array([[0.7, -1.1, 0.4]])
    k = (data**2).mean()
    square = expectation([(tanh, (0,), (0,))] * 2, [[k]]).value

    def net(x):
        h = tp.tanh(tp.linear("U", x))
        y = tp.linear("W", h, std=2)
        there = tp.mean(y * tp.linear("W_copy", h, std=2))
        return there + 3 * tp.mean(h * tp.linear("W_copy", tp.sin(y), std=2, transpose=True))

    program = tp.trace(net)
    interpreter = Interpreter(program, proved_sizes(program), copies={"W_copy": "W"})
    found = interpreter.limit(program.outputs["F0"].node)
    symbols = {**symbol_values(interpreter, data), "t": t}
    truth = 4 * t * square * (1 + 3 * mean_of(sin, 1, 4 * square))
    assert Evaluation(interpreter.equations, symbols)(found.payload).value == pytest.approx(truth, rel=1e-9)


# -- other nets against the sampler


def tied(x):
    h = tp.linear("W", tp.erf(tp.linear("U", x)))
    return tp.readout("v", tp.erf(tp.linear("W", tp.erf(h))))


def with_transpose(x):
    """W, Wᵀ and W again, all three added up."""
    h = tp.erf(tp.linear("U", x))
    y = tp.erf(tp.linear("W", h, std=Fraction(5, 4)))
    z = tp.linear("W", y, transpose=True, std=Fraction(5, 4)) + h
    return tp.readout("v", tp.sin(z) * y + tp.linear("W", z, std=Fraction(5, 4)))


def ratios(x):
    """Widths 2n, n/2 and 3n/2, one weight also transposed."""
    h = tp.erf(tp.linear("U", x, width=2, bias=Fraction(1, 2)))
    y = tp.tanh(tp.linear("W", h, width=Fraction(1, 2), std=Fraction(3, 2)))
    z = tp.erf(tp.linear("W", y, transpose=True, std=Fraction(3, 2)) + h)
    y = tp.tanh(tp.linear("V", z, width=Fraction(3, 2), std=Fraction(2, 3), bias=1))
    return tp.readout("v", y, std=Fraction(4, 3), bias=Fraction(1, 3))


SHARED = [
    pytest.param(net, *order, marks=[pytest.mark.long] if net is not tied and order != (0, 1, 0) else [])
    for net in (tied, with_transpose, ratios)
    for order in ((0, 1, 0), (1, 1, -1), (0, 3, -1))
]


@pytest.mark.parametrize(("net", "D", "d", "power"), SHARED)
def test_shared_weights_widths_and_scales(net, D, d, power):
    program = tp.correlation(tp.trace(net, inputs=2), D, d, (0, 1, 0, 1)[: d + 1])
    assert_sampled(program, BY_NAME["mlp"].data(2, seed=4), power, 400)


@pytest.mark.parametrize("scale", [tp.MUP, tp.MEAN_FIELD], ids=["mup", "mean_field"])
def test_learning_rates_enter_powers(scale):
    """The NTK is that of the NTK parametrisation; C^{0,3} and ‖C^{1,1}‖² gain 1 and 1, none decays."""

    def net(x, scale=tp.NTK):
        h = tp.erf(tp.linear("U", x, scale=scale))
        return tp.readout("v", tp.erf(tp.linear("W", h, scale=scale)), scale=scale)

    data = BY_NAME["mlp"].data(2)
    for D, d, power in ((0, 1, 0), (0, 3, 0), (1, 1, 0)):
        plain = tp.limit(tp.correlation(tp.trace(net, inputs=2), D, d, (0,) * (d + 1)), data)
        program = tp.correlation(tp.trace(net, inputs=2, scale=scale), D, d, (0,) * (d + 1))
        found = assert_sampled(program, data, power, 200)
        assert found.value == pytest.approx(plain.value, rel=1e-9)


def test_a_smaller_readout_has_smaller_powers():
    def net(x):
        return tp.readout("v", tp.erf(tp.linear("U", x)), scale=tp.abc(1, 0, 0))

    program = tp.correlation(tp.trace(net, inputs=2), 0, 1)
    assert_sampled(program, BY_NAME["mlp"].data(2), -1, 200)


# -- what has no limit here


def frozen(program, *names):
    nodes = {k: replace(node, trainable=False) if k in names else node for k, node in program.nodes.items()}
    return Program(nodes, program.outputs)


def test_a_jump_at_a_vanishing_argument_is_undecided():
    """relu'(n^(-1/2) h) is relu'(h), not relu'(0): the NTK by U alone is 1/2."""
    root = tp.n ** Fraction(1, 2)

    def net(x):
        return tp.readout("v", root * tp.relu(tp.linear("U", x) / root))

    program = tp.correlation(frozen(tp.trace(net), "v"), 0, 1, (0, 0))
    mean, error = extrapolated(program, np.ones((1, 3)), 0, 200)
    assert abs(mean - 0.5) < SIGMAS * error
    with pytest.raises(UndecidedLimit, match=r"relu differentiated at .* meets its kink"):
        tp.limit(program)


def test_a_jump_at_a_vanishing_scalar_is_undecided():
    def net(x):
        h, g = tp.linear("U", x), tp.linear("V", x)
        return tp.readout("v", h * tp.relu(tp.mean(h * g)))

    with pytest.raises(UndecidedLimit, match="meets its kink"):
        tp.limit(tp.correlation(tp.trace(net), 0, 1, (0, 0)))


def test_a_smooth_function_of_a_vanishing_argument_is_its_value_at_zero():
    """softplus(n^(-1/2) h) → log 2, and its derivative 1/2."""
    root = tp.n ** Fraction(1, 2)

    def net(x):
        return tp.mean(tp.softplus(tp.linear("U", x) / root))

    assert tp.limit(tp.trace(net), np.ones((1, 3))).value == pytest.approx(np.log(2), rel=1e-14)
    assert softplus.evaluate((1,), 0.0) == 0.5 and relu.evaluate((0,), 0.0) == 0 and erf.evaluate((0,), 0.0) == 0


@pytest.mark.parametrize("shift", [0, 1])
def test_what_vanishes_in_an_argument_is_not_forgotten(shift):
    """n sin(n^(-1/2) h)² → h², of which only the size is known; nothing of the same size beside it has a limit."""
    root = tp.n ** Fraction(1, 2)

    def net(x):
        y = tp.sin(tp.linear("U", x) / root)
        return tp.n * tp.mean(y * y) + shift

    found = tp.limit(tp.trace(net))
    assert found.is_zero and found.bound == (Fraction(0), 1)


def test_powers_of_n_in_the_data_are_undecided():
    with pytest.raises(UndecidedLimit, match="carries a power of n"):
        tp.limit(tp.trace(lambda x: tp.mean(tp.linear("U", tp.n * x) * tp.linear("U", x))))


def test_random_scalars_are_undecided():
    """F of a loss is random: no constant limit."""
    with pytest.raises(UndecidedLimit, match="no limit"):
        tp.limit(tp.correlation(tp.trace(lambda x: tp.sin(tp.readout("v", tp.erf(tp.linear("U", x))))), 0, 1, (0, 0)))
    found = tp.limit(tp.trace(lambda x: tp.readout("v", tp.erf(tp.linear("U", x)))))
    assert found.is_zero and found.bound == (Fraction(0), 1)

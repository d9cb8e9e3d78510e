"""Kernels say what they do not know: random limits, errors of entries, equal and proportional inputs, singular rows."""

from __future__ import annotations

from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest

import tensorprog as tp
from tensorprog.architectures import conv, layernorm_mlp, mlp, resnet, transposed
from tensorprog.errors import PrecisionError, ProgramError
from tensorprog.limits.gaussian import UndecidedLimit
from tensorprog.limits.routes import multiples

HALF = Fraction(1, 2)
DATA = np.random.default_rng(11).standard_normal((40, 5))


def traced(depth, phi, net=mlp, **options):
    return tp.trace(net, inputs=1, depth=depth, phi=phi, **options)


# -- limits that are no numbers


def attended(x, scale):
    scores = tp.n**scale * tp.mean(tp.linear("Q", x) * tp.linear("K", x))
    return tp.readout("v", tp.linear("O", scores * tp.linear("V", x)))


def gated(x):
    h = tp.linear("U", x)
    return tp.readout("v", h + tp.readout("s", h) * tp.erf(h))


RANDOM = {
    "q·k/√n": lambda x: attended(x, HALF),
    "q·k": lambda x: attended(x, 1),
    "h + s erf(h)": gated,
    "F²": lambda x: tp.readout("v", tp.linear("U", x)) ** 2,
    "√n F": lambda x: tp.n**HALF * tp.readout("v", tp.linear("U", x)),
}


@pytest.mark.parametrize("which", ["ntk", "nngp"])
@pytest.mark.parametrize("name", RANDOM)
def test_kernels_that_are_random_or_diverge_are_errors(name, which):
    with pytest.raises(ProgramError):
        tp.kernel(tp.trace(RANDOM[name]), np.eye(2) + 1, which=which)


@pytest.mark.parametrize("shift", [0, 1])
def test_limits_that_are_random_have_no_value(shift):
    program = tp.trace(lambda x: shift + tp.readout("v", tp.linear("U", x)) ** 2)
    with pytest.raises(UndecidedLimit, match=r"all that is proved is that it is O\(n\^0\)"):
        tp.limit(program, np.ones((1, 2)))
    bounded = tp.limit(program)
    assert bounded.is_missing and repr(bounded) == "Limit(unknown, O(n^0))"
    with pytest.raises(UndecidedLimit):
        bounded.compile()


def test_a_kernel_that_vanishes_is_zero():
    program = tp.trace(lambda x: tp.readout("v", tp.linear("U", x)) / tp.n)
    assert not tp.kernel(program, DATA).any()


# -- networks that have kernels


def test_a_normalisation_at_the_end_has_a_covariance():
    def net(x):
        h = tp.linear("U", x)
        return tp.readout("v", tp.tanh(h)) * tp.mean(h**2) ** Fraction(-1, 2)

    plain = tp.kernel(tp.trace(lambda x: tp.readout("v", tp.tanh(tp.linear("U", x)))), DATA, which="nngp")
    size = np.sqrt((DATA**2).mean(1))
    found = tp.kernel(tp.trace(net), DATA, which="nngp")
    np.testing.assert_allclose(found, plain / np.outer(size, size), rtol=1e-9, atol=1e-12)


def test_a_readout_that_is_read_twice_has_none():
    def net(x):
        h = tp.linear("U", x)
        y = tp.readout("v", h)
        return tp.readout("w", tp.tanh(h + y)) + y

    with pytest.raises(ProgramError, match=r"linear in v, w, which its layers read too.*of its own"):
        tp.kernel(tp.trace(net), DATA, which="nngp")


@pytest.mark.parametrize("which", ["ntk", "nngp"])
def test_several_outputs_have_the_kernel_of_one(which):
    one, three = (
        tp.trace(lambda x, k=k: tp.readout("v", tp.erf(tp.linear("U", x)), **k)) for k in ({}, {"outputs": 3})
    )
    np.testing.assert_array_equal(tp.kernel(one, DATA, which=which), tp.kernel(three, DATA, which=which))


def test_outputs_that_are_not_alike_have_no_one_kernel():
    program = tp.trace(lambda x: (tp.readout("v", tp.linear("U", x)), tp.readout("w", tp.tanh(tp.linear("U", x)))))
    with pytest.raises(ProgramError, match="not computed alike"):
        tp.kernel(program, DATA)


# -- equal and proportional inputs

PHI = [tp.relu, tp.leaky_relu(Fraction(1, 10)), tp.erf, tp.tanh, tp.gelu, tp.sin]


@pytest.mark.parametrize("which", ["ntk", "nngp"])
@pytest.mark.parametrize("phi", PHI, ids=str)
def test_equal_inputs_have_equal_entries(phi, which):
    few = DATA[:6]
    program, rows = traced(4, phi), np.concatenate([few, few[:3], few[:1] + 0.0])
    first = [0, 1, 2, 3, 4, 5, 0, 1, 2, 0]
    whole = tp.kernel(program, rows, which=which)
    np.testing.assert_array_equal(whole, whole.T)
    np.testing.assert_array_equal(whole, whole[np.ix_(first, first)])
    np.testing.assert_allclose(tp.kernel(program, few, rows, which), whole[:6], rtol=1e-12, atol=1e-14 * whole.max())
    alone = np.concatenate([tp.kernel(program, row[None], which=which).ravel() for row in few])
    np.testing.assert_allclose(whole.diagonal()[:6], alone, rtol=1e-12)


@pytest.mark.parametrize("slope", [Fraction(0), Fraction(1, 10), Fraction(-1)])
@pytest.mark.parametrize("net", [mlp, resnet])
def test_diagonals_of_homogeneous_networks_are_exact(slope, net):
    """K(x, x) = |x|²/d0 · const, by every digit but a few."""
    rows = np.concatenate([DATA, [[1.0, 0, 0, 0, 0]]])
    found = tp.kernel(traced(5, tp.leaky_relu(slope), net), rows).diagonal()
    np.testing.assert_allclose(found * 5 / (rows**2).sum(1), found[-1] * 5, rtol=1e-13)


@pytest.mark.parametrize("slope", [Fraction(0), Fraction(1, 10), Fraction(-1)])
@pytest.mark.parametrize("factor", [3.0, 0.1, -3.0, -1.0])
def test_multiples_of_rows_are_recognised(slope, factor):
    """K(x, c x) = c K(x, x) for c > 0, by every digit; K(x, -c x) = c K(x, -x)."""
    program, x = traced(4, tp.leaky_relu(slope)), DATA[:1]
    found, error = tp.kernel(program, x, factor * x, errors=True)
    exact = abs(factor) * tp.kernel(program, x, np.sign(factor) * x)
    np.testing.assert_allclose(found, exact, rtol=1e-13)
    assert error.max() < 1e-12


@pytest.mark.parametrize("depth", [2, 3])
def test_equal_positions_are_as_good_as_others(depth):
    """Sequences of few tokens, so that positions of different inputs are equal: no root of a rounding."""
    tokens = np.random.default_rng(3).standard_normal((4, 5))
    rows = tokens[[[0, 1, 2], [1, 1, 3], [0, 2, 2], [3, 0, 1]]]
    program = tp.trace(conv, inputs=1, positions=3, depth=depth, phi=tp.relu)
    found, error = tp.kernel(program, rows, errors=True)
    assert (error <= 1e-12 * np.sqrt(np.outer(found.diagonal(), found.diagonal()))).all()


@pytest.mark.parametrize("phi", [tp.relu, tp.erf], ids=str)
def test_limits_of_equal_rows_are_those_of_one(phi):
    one, two = (
        tp.limit(tp.correlation(tp.trace(mlp, inputs=2, depth=5, phi=phi), 0, 1, points), DATA[[0, 0]])
        for points in ((0, 0), (0, 1))
    )
    assert two.value == pytest.approx(one.value, rel=1e-13) and two.error < 1e-12 * two.value


def test_multiples_are_found_among_other_rows():
    rows = np.concatenate([DATA, 3 * DATA[5:7], -0.7 * DATA[5:6], np.zeros((2, 5)), DATA[5:6] * (1 + 1e-12)])
    rows[-1, 0] *= 1 + 1e-12
    group, ratio = multiples(rows)
    assert group[40] == group[42] == group[5] and group[41] == group[6] and group[45] != group[5]
    assert ratio[40] / ratio[5] == pytest.approx(3, rel=1e-14)
    assert ratio[42] / ratio[5] == pytest.approx(-0.7, rel=1e-14)
    assert len(set(group)) == 43


# -- errors

mp.mp.dps = 40


def relu_recursion(x, y, depth, slope=0):
    """The NTK of a leaky relu MLP in 40 digits."""
    X, Y = [mp.mpf(float(t)) for t in x], [mp.mpf(float(t)) for t in y]

    def dot(a, b):
        return sum(s * t for s, t in zip(a, b, strict=True)) / len(x)

    a, b, k = dot(X, X), dot(Y, Y), dot(X, Y)
    tangent, gap, mean = k, (1 - mp.mpf(slope)) ** 2, mp.mpf(slope)
    for _ in range(depth):
        c = k / mp.sqrt(a * b)
        t = mp.acos(max(min(c, 1), -1))
        size = mp.sqrt(a * b)
        k = gap * size * (mp.sin(t) + (mp.pi - t) * c) / (2 * mp.pi) + mean * k
        slopes = gap * (mp.pi - t) / (2 * mp.pi) + mean
        a, b = ((gap / 2 + mean) * s for s in (a, b))
        tangent = tangent * slopes + k
    return tangent


@pytest.mark.parametrize("slope", [Fraction(0), Fraction(1, 10), Fraction(-1)])
@pytest.mark.parametrize("gap", [1e-2, 1e-5, 1e-8, 1e-11, 1e-14])
@pytest.mark.parametrize("scale", [1.0, 3.0, -1.0])
def test_errors_of_near_duplicates_hold(slope, gap, scale):
    rng = np.random.default_rng(2)
    program = tp.trace(mlp, inputs=2, depth=3, phi=tp.leaky_relu(slope))
    for _ in range(3):
        x = rng.standard_normal(6)
        y = scale * (x + gap * rng.standard_normal(6))
        exact = relu_recursion(x, y, 3, float(slope))
        found, error = tp.kernel(program, [x], [y], errors=True)
        assert abs(float(mp.mpf(float(found[0, 0])) - exact)) <= error[0, 0]
        limit = tp.limit(tp.correlation(program, 0, 1), np.stack([x, y]))
        assert abs(float(mp.mpf(limit.value) - exact)) <= limit.error


@pytest.mark.parametrize("slope", [Fraction(0), Fraction(1, 10), Fraction(-1)])
@pytest.mark.parametrize("factor", [3.0, -3.0, -1.0])
def test_multiples_have_the_values_of_the_recursion(slope, factor):
    x = DATA[0]
    found, error = tp.kernel(traced(3, tp.leaky_relu(slope)), [x], [factor * x], errors=True)
    exact = float(relu_recursion(x, factor * x, 3, float(slope)))
    assert abs(found[0, 0] - exact) <= error[0, 0] + 1e-15 * abs(exact) and error[0, 0] < 1e-12


def erf_recursion(x, y, depth, std):
    """The NTK of an erf MLP in 40 digits."""
    X, Y = [mp.mpf(float(t)) for t in x], [mp.mpf(float(t)) for t in y]
    v = mp.mpf(std) ** 2

    def dot(a, b):
        return v * sum(s * t for s, t in zip(a, b, strict=True)) / len(x)

    a, b, k = dot(X, X), dot(Y, Y), dot(X, Y)
    tangent = k
    for _ in range(depth):
        both = mp.sqrt((1 + 2 * a) * (1 + 2 * b))
        slopes = v * 4 / (mp.pi * mp.sqrt((1 + 2 * a) * (1 + 2 * b) - 4 * k**2))
        k = v * 2 / mp.pi * mp.asin(2 * k / both)
        a, b = (v * 2 / mp.pi * mp.asin(2 * s / (1 + 2 * s)) for s in (a, b))
        tangent = tangent * slopes + k
    return tangent


@pytest.mark.parametrize("std", [1, 4])
@pytest.mark.parametrize("depth", [1, 10, 40])
def test_errors_of_deep_networks_hold_and_stay_small(std, depth):
    """Also in chaos, where correlations separate at a rate that the errors follow."""
    program = tp.trace(mlp, inputs=1, depth=depth, phi=tp.erf, weight_std=std)
    x, y = DATA[:2]
    found, error = tp.kernel(program, [x, y], errors=True)
    for i, a in enumerate((x, y)):
        for j, b in enumerate((x, y)):
            assert abs(float(mp.mpf(float(found[i, j])) - erf_recursion(a, b, depth, std))) <= error[i, j]
    assert (error <= 1e-9 * np.sqrt(np.outer(found.diagonal(), found.diagonal()))).all()


@pytest.mark.parametrize("phi", [tp.relu, tp.erf, tp.gelu, tp.leaky_relu(-1)], ids=str)
@pytest.mark.parametrize("which", ["ntk", "nngp"])
def test_errors_by_rows_and_columns_bound_those_of_pairs(phi, which, monkeypatch):
    """Blocks against pairs one by one; a bound by rows and columns is larger, within reason."""
    rows = np.concatenate([DATA, DATA[:3] + 1e-5, DATA[:2] * 1e3])
    program = traced(3, phi)
    blocks, bound = tp.kernel(program, rows, which=which, errors=True)
    monkeypatch.setattr("tensorprog.limits.routes.FEW", 10**6)
    pairs, error = tp.kernel(program, rows, which=which, errors=True)
    assert (np.abs(blocks - pairs) <= bound + error).all()
    scale = np.sqrt(np.outer(pairs.diagonal(), pairs.diagonal()))
    assert (bound <= 1e-8 * scale).all() and (error <= bound + 1e-14 * scale).mean() > 0.9


def test_entries_above_the_tolerance_are_refused():
    x = DATA[0]
    rows = np.stack([x, x + 1e-9 * DATA[1], DATA[2]])
    program = traced(2, tp.relu)
    found, error = tp.kernel(program, rows, errors=True)
    with pytest.raises(PrecisionError, match=r"entry \(0, 1\) is .* above the tolerance 1e-12, as \d+ pairs"):
        tp.kernel(program, rows, tolerance=1e-12)
    np.testing.assert_array_equal(tp.kernel(program, rows, tolerance=1e-2), found)
    assert error.shape == (3, 3) and (error == error.T).all() and error[0, 1] > 1e3 * error[0, 2]


@pytest.mark.parametrize("tolerance", [0, -1.0, float("nan"), "small", True])
def test_tolerances_are_positive_numbers(tolerance):
    with pytest.raises(ProgramError, match="tolerance="):
        tp.kernel(traced(2, tp.relu), DATA, tolerance=tolerance)


def test_a_row_without_a_value_is_named_and_leaves_the_others():
    program = traced(2, tp.erf, layernorm_mlp)
    rows = np.concatenate([DATA[:3], np.zeros((1, 5)), DATA[3:5]])
    with pytest.raises(PrecisionError, match="row 3 of X has no kernel"):
        tp.kernel(program, rows)
    found, error = tp.kernel(program, rows, errors=True)
    assert np.isnan(found[3]).all() and np.isnan(found[:, 3]).all() and np.isinf(error[3]).all()
    kept = [0, 1, 2, 4, 5]
    np.testing.assert_allclose(found[np.ix_(kept, kept)], tp.kernel(program, DATA[:5]), rtol=1e-12)


def test_a_row_that_is_too_large_is_told_by_what_refuses_it():
    rows, large = DATA[:4] * np.array([[1], [1e80], [1], [1e80]]), r"no kernel, a covariance .* not below 1e\+140: "
    with pytest.raises(PrecisionError, match=rf"row 1 of X has {large}.*\(2 such"):
        tp.kernel(traced(2, tp.tanh), rows)
    with pytest.raises(PrecisionError, match=f"row 0 of X2 has {large}"):
        tp.kernel(traced(2, tp.tanh), rows[:1], rows[1:2])


def recurrent(x):
    """A gated step with shared weights, twice."""
    h = tp.tanh(tp.linear("U", x))
    for _ in range(2):
        gate = tp.sigmoid(tp.linear("G", h) + tp.linear("H", x))
        h = h + gate * (tp.tanh(tp.linear("W", h)) - h)
    return tp.readout("v", h)


@pytest.mark.parametrize("net", [recurrent, lambda x: transposed(x, depth=3)], ids=["recurrent", "transposed"])
def test_what_may_be_sampled_is_symmetric_and_does_not_depend_on_the_cut(net):
    rows = np.random.default_rng(0).standard_normal((3, 4))
    program = tp.trace(net, inputs=1)
    found, error = tp.kernel(program, rows, which="nngp", errors=True)
    np.testing.assert_array_equal(found, found.T)
    part, _ = tp.kernel(program, rows[:2], rows[::-1], "nngp", errors=True)
    assert np.abs(part[:, ::-1] - found[:2]).max() <= 1e-13 * found.max()
    assert (error > 0).all()

"""What decides an exponent: limits against the sampler, none above the whole, and the dear orders of a tied net."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from cases import CASES

import tensorprog as tp
from tensorprog import architectures
from tensorprog.functions import relu
from tensorprog.limits import definite
from tensorprog.limits.definite import decided, derive, leading_part
from tensorprog.limits.gaussian import UndecidedLimit
from tensorprog.limits.ways import gradient_norm, gradient_product, ways
from tensorprog.passes.correlation import norm_share, slot_along_gradient
from tensorprog.program import Measure
from tensorprog.readings import derive as bounds
from tensorprog.readings.derive import reparametrised

BY_NAME = {case.name: case for case in CASES}
WIDTH = 4096
SIGMAS = 4.5
"""A comparison fails once in 150,000 seeds."""


def tied(d):
    """W forward and transposed, at d + 1 distinct inputs."""
    case = BY_NAME["transposed"]
    return case.trace(d + 1), case.data(d + 1)


def squares(scalar, data, samples, width=WIDTH):
    """Samples of a scalar; the sampler takes the root of a squared norm of C^{1,d}."""
    values = np.asarray(tp.sample(scalar, data, width, samples, 7))
    return values**2 if scalar.measure is Measure.SQUARED_NORM else values


def assert_limit(scalar, data, samples, patience=120.0):
    found, number = leading_part(scalar, data, patience)
    assert number is not None
    values = squares(scalar, data, samples) * float(WIDTH) ** -float(found.power)
    error = SIGMAS * values.std() / np.sqrt(samples) + number.error
    assert abs(values.mean() - number.value) < error + 40 / WIDTH * abs(number.value)


LONG = pytest.mark.long


@pytest.mark.parametrize("order", [(1, 1), pytest.param((0, 2), marks=LONG), pytest.param((1, 2), marks=LONG)])
def test_every_way_has_the_limit_of_the_sampler(order):
    """The norms, their shares and the sizes along every gradient."""
    program, data = tied(order[1])
    (entry,) = bounds(program, [order])
    found = list(ways(program, entry))
    assert len(found) == {(0, 2): 5, (1, 1): 4, (1, 2): 7}[order]
    for way in found:
        if "U" not in way.shown and way.shown not in ("‖∇C^{0,2}‖²", "‖C^{1,2}‖²"):  # whole norms take minutes
            assert_limit(way.scalar, data, 200)
            if way.ray is not None:
                assert_limit(way.ray, data, 50)


@pytest.mark.parametrize("d", [1, 2])
def test_no_size_along_a_gradient_is_above_the_whole(d):
    """Cauchy and Schwarz on the same weights, under unequal learning rates too; at d = 0 it is an equality."""
    case = BY_NAME["mlp"]
    program, data = reparametrised(case.trace(3), {"v": tp.abc(Fraction(1, 2), 0, 1)}), case.data(3)
    points = (0, 1, 2)[: d + 1]
    whole = np.asarray(tp.sample(tp.correlation(program, 1, d, points), data, 12, 10, 0, "dense"))
    for name in program.parameters:
        share = np.asarray(tp.sample(norm_share(program, d, points, [name]), data, 12, 10, 0, "dense"))
        along = np.abs(tp.sample(slot_along_gradient(program, d, points, 1, [name]), data, 12, 10, 0, "dense"))
        ray = np.asarray(tp.sample(norm_share(program, 0, (1,), [name]), data, 12, 10, 0, "dense"))
        assert np.all(along <= share * ray * (1 + 1e-9))
        assert np.all(share <= whole * (1 + 1e-9))


def test_along_all_gradients_it_is_the_next_correlation():
    """C^{1,2}(x_0; x_1, x_2)·∇F(y) = 3 C^{0,3}(x_0; x_1, x_2, y)."""
    case = BY_NAME["layernorm_mlp"]
    program, data = case.trace(3), case.data(3)
    along = slot_along_gradient(program, 2, (0, 1, 2), 0, list(program.parameters))
    part, whole = tp.sample([along, tp.correlation(program, 0, 3, (0, 1, 2, 0))], data, 12, 5, 0, "dense")
    assert part == pytest.approx(3 * np.asarray(whole), rel=1e-9)


def test_products_of_gradients():
    """∇F(x_0)·∇F(x_1) is the NTK, and no share of it is above those of the norms."""
    case = BY_NAME["mlp"]
    program, data = case.trace(2), case.data(2)
    one, other = program.restricted(["F0"]), program.restricted(["F1"])
    for name in program.parameters:
        product = np.asarray(tp.sample(gradient_product(one, other, [name]), data, 12, 10, 0, "dense"))
        norms = [np.asarray(tp.sample(gradient_norm(f, [name]), data, 12, 10, 0, "dense")) for f in (one, other)]
        assert np.all(product**2 <= norms[0] * norms[1] * (1 + 1e-9))
    whole = np.asarray(tp.sample(gradient_product(one, other, list(program.parameters)), data, 12, 10, 0, "dense"))
    assert whole == pytest.approx(
        np.asarray(tp.sample(tp.correlation(program, 0, 1), data, 12, 10, 0, "dense")), rel=1e-9
    )


# -- when the dear ways are not decided in their time


def without_first(monkeypatch):
    """`leading_part` undecided where it is first called, for the whole norm; the seconds it is given."""
    found = []

    def limited(program, data, patience):
        found.append(patience)
        if len(found) == 1:
            raise UndecidedLimit("it takes longer than the patience allowed")
        return leading_part(program, data, patience)

    monkeypatch.setattr(definite, "leading_part", limited)
    return found


def lone(order, program, data):
    (entry,) = bounds(program, [order])
    return entry, decided(program, entry, Fraction(0), data, 90.0)


@pytest.mark.parametrize(
    ("order", "what"),
    [
        ((1, 1), "lim n^1 ‖(C^{1,1})_v‖²"),
        ((1, 2), "lim n^1 |(C^{1,2})_v·∇_v F(x_1)|/‖∇_v F(x_1)‖"),
        pytest.param((0, 2), "lim n^1 |∇_v C^{0,2}·∇_v F(x_1)|/‖∇_v F(x_1)‖", marks=LONG),
    ],
)
def test_one_slot_decides_what_the_whole_does_not(order, what, monkeypatch):
    program, data = tied(order[1])
    seconds = without_first(monkeypatch)
    entry, found = lone(order, program, data)
    assert (found.status, found.constant_of, found.law) == ("definite", what, entry.law)
    assert found.constant > 10 / 3 * found.constant_error > 0
    assert seconds[0] == pytest.approx(30, abs=1)
    assert 80 < seconds[1] < 90
    assert "at least" in found.derivation.steps[0].rule and what in found.derivation.steps[0].rule
    assert found.derivation.steps[1:] == entry.derivation.steps


def test_the_norm_of_a_kinked_net():
    """C^{1,1} of relu holds steps, whose weak derivatives Stein's lemma counts; the readout's share holds none."""
    program = tp.trace(architectures.mlp, inputs=2, depth=2, phi=relu)
    data = BY_NAME["mlp"].data(2)
    entry, found = lone((1, 1), program, data)
    assert (found.status, found.constant_of) == ("definite", "lim n^1 ‖C^{1,1}‖²")
    assert found.law == entry.law
    assert_limit(tp.correlation(program, 1, 1, (0, 1)), data, 200)
    assert_limit(norm_share(program, 1, (0, 1), ["v"]), data, 200)


def test_a_share_below_the_bound_decides_nothing(monkeypatch):
    program, data = tied(1)
    without_first(monkeypatch)
    (entry,) = bounds(program, [(1, 1)])
    kept = decided(program, replace(entry, exponent=Fraction(0)), Fraction(0), data, 90.0)
    assert (kept.status, kept.exponent, kept.constant) == ("upper bound", 0, None)
    assert kept.derivation.steps[0].rule.startswith("no limit of ‖C^{1,1}‖²: it takes longer")


def test_along_its_own_gradient_a_share_is_whole(monkeypatch):
    """|∇_v F·∇_v F|/‖∇_v F‖ = ‖∇_v F‖: the square of that constant is the one of the share."""
    program, data = tied(0)
    (entry,) = bounds(program, [(1, 0)])
    found = [way for way in ways(program, entry) if not way.both and "_v" in way.shown]
    along, share = ([way for way in found if (way.ray is not None) is wanted] for wanted in (True, False))
    constants = []
    for kept in (along, share):
        monkeypatch.setattr(definite, "ways", lambda *_, kept=kept: iter(kept))
        constants.append(decided(program, entry, Fraction(0), data, 90.0).constant)
    assert constants[0] ** 2 == pytest.approx(constants[1], rel=1e-9)


def test_a_gradient_that_is_no_program_leaves_the_bound():
    """By the frozen Gaussians of a factor of the data, the gradient maps back to the data dimension."""

    def net(x):
        factor = tp.readout("q", tp.erf(tp.linear("G", x, trainable=False)), trainable=False)
        return tp.mean(tp.erf(tp.linear("V", factor * x)) * tp.linear("V", x))

    table = derive(tp.trace(net, inputs=1), [(0, 0)], data=np.ones((1, 3)), patience=90.0)
    assert (table[0, 0].status, table[0, 0].exponent) == ("upper bound", 0)
    assert "C^{0,0} has no gradient: node 'new' maps back" in table[0, 0].derivation.steps[0].rule


def test_a_logarithm_is_not_decided_by_a_share():
    program, data = tied(1)
    (entry,) = bounds(program, [(1, 1)])
    logarithmic = replace(entry, log_power=Fraction(1))
    assert [way.both for way in ways(program, logarithmic)] == [True]
    assert decided(program, logarithmic, Fraction(0), data, 90.0).log_power == 0


# -- five distinct inputs


DEAR = [(1, 3)]


@cache
def dear(order):
    program, data = tied(order[1])
    (entry,) = bounds(program, [order])
    return derive(program, [order], data=data, patience=600.0)[order], entry


@pytest.mark.long
@pytest.mark.parametrize("order", DEAR)
def test_dear_orders_of_a_tied_net_are_definite(order):
    """C^{1,3} takes two minutes on one thread; C^{0,4} and C^{1,4}, decided so too, take longer."""
    found, bound = dear(order)
    assert (found.status, found.law) == ("definite", bound.law)
    assert found.constant > 10 / 3 * found.constant_error > 0


@pytest.mark.long
@pytest.mark.parametrize("order", DEAR)
def test_dear_constants_are_those_of_the_sampler(order):
    found, _ = dear(order)
    program, data = tied(order[1])
    (entry,) = bounds(program, [order])
    way = next(way for way in ways(program, entry) if way.shown == found.constant_of.split(" ", 2)[2])
    values = squares(way.scalar, data, 400) * float(WIDTH) ** (3 if order == (1, 3) else 2)
    mean, error = values.mean(), values.std() / np.sqrt(400)
    if way.ray is not None:
        length = np.sqrt(squares(way.ray, data, 400).mean())
        mean, error = abs(mean) / length, error / length
    assert abs(mean - found.constant) < SIGMAS * error + found.constant_error + 40 / WIDTH * found.constant

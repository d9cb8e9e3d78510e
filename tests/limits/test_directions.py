"""C^{2,d} from below along gradients: the factor against nets of rank one, constants, statuses, honest refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from math import asin, factorial, pi, sqrt
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from cases import CASES

import tensorprog as tp
from tensorprog import architectures
from tensorprog.functions import identity, relu
from tensorprog.limits import definite
from tensorprog.limits.definite import decided, derive
from tensorprog.limits.estimates import Estimate
from tensorprog.limits.terms import Term
from tensorprog.passes.correlation import norm_share
from tensorprog.readings import Status
from tensorprog.readings import derive as bounds
from tensorprog.readings.derive import reparametrised
from tensorprog.report.verification import _verdict

BY_NAME = {case.name: case for case in CASES}
PLAIN = ("mlp", "mlp_bias", "resnet", "rnn", "transposed")
WIDTH = 4096
SIGMAS = 4.5
SCHEMA = Path(__file__).parents[2] / "docs" / "report.schema.json"
ROOT = tp.n ** Fraction(1, 2)


def exponential(x, c=0):
    """√n exp(n^{-1/2} v·erf(Ux)), v alone trained: all derivatives are powers of one vector, of limit norm √Q."""
    s = tp.readout("v", tp.erf(tp.linear("U", x, trainable=False)), scale=tp.abc(Fraction(1, 2), 0, c))
    return ROOT * tp.exp(s / ROOT)


def erf_square(x):
    """Q = E erf(z)² for z of variance |x|²/d0 (Williams 1997)."""
    q = float(x @ x) / len(x)
    return 2 / pi * asin(2 * q / (1 + 2 * q))


def rule(entry):
    return entry.derivation.steps[0].rule


def along(program, d, points, y, data, width, samples, seed=0):
    """‖C^{2,d}‖, and ‖C^{2,d} ∇F(y)‖/‖∇F(y)‖ from C^{1,d+1}, on the same weights."""
    orders = (2, d, points), (1, d + 1, (*points, y)), (0, 1, (y, y))
    correlations = [tp.correlation(program, *order) for order in orders]
    whole, part, kernel = tp.sample(correlations, data, width, samples, seed, together=True)
    return whole, (d + 1) / 2 * part / np.sqrt(kernel)


@pytest.mark.parametrize("c", [0, Fraction(1, 4), -1])
@pytest.mark.parametrize("d", range(4))
def test_of_rank_one_the_direction_is_all(d, c):
    """∇^{2+d}F = F n^{-(2+d)/2} s ⊗ … ⊗ s, s = ∇(v·erf(Ux)): equality at every width, limits Q^{d+1}/(2 d!)."""
    case = BY_NAME["mlp"]
    program, data = tp.trace(exponential, inputs=2, c=c), case.data(2)
    points = (0, *(1,) * d)
    whole, part = along(program, d, points, 0, data, 16, 5)
    assert part == pytest.approx(whole, rel=1e-9)
    (entry,) = derive(program, [(2, d)], (0,) * (d + 1), data=data)
    assert (entry.exponent, entry.log_power) == (-Fraction(d + 1, 2) - c * (d + 1), 0)
    assert entry.status == "definite"
    assert entry.constant == pytest.approx(erf_square(data[0]) ** (d + 1) / (2 * factorial(d)), rel=1e-12)
    assert entry.constant_error < 1e-12


def test_of_a_linear_net_the_hessian_norm_is_known():
    """F = n^{-1/2} v·Ux/√d0 has ‖∇²F‖ = n^{-1/2} |x|/√d0, in the direction of the gradient too."""
    case = BY_NAME["mlp"]
    program, data = tp.trace(architectures.mlp, inputs=1, depth=1, phi=identity), case.data(1)
    (entry,) = derive(program, [(2, 0)], data=data)
    assert (entry.exponent, entry.log_power, entry.status) == (Fraction(-1, 2), 0, "definite")
    assert entry.constant == pytest.approx(sqrt(float(data[0] @ data[0]) / 3) / 2, rel=1e-12)


@pytest.mark.parametrize("name", ["mlp", "layernorm_mlp", "glu"])
@pytest.mark.parametrize("d", range(3))
def test_no_norm_is_below_that_along_a_gradient(name, d):
    case = BY_NAME[name]
    program, data = case.trace(d + 2), case.data(d + 2)
    for y in range(d + 2):
        whole, part = along(program, d, tuple(range(d + 1)), y, data, 12, 10)
        assert np.all(whole * (1 + 1e-9) >= part)
        assert np.all(part > 0)


@pytest.mark.parametrize("name", ["mlp", "shallow", "layernorm_mlp"])
@pytest.mark.parametrize("points", [(0, 0, 0), (0, 1, 1)], ids=["equal", "distinct"])
def test_constants_are_those_of_the_sampler(name, points):
    """A comparison fails once in 150,000 seeds."""
    case = BY_NAME[name]
    program, data = case.trace(2), case.data(2)
    for entry in derive(program, [(2, 0), (2, 1), (2, 2)], points, data=data):
        assert (")_v" in entry.constant_of) == (entry.d == 2)
        y = entry.points[int(entry.constant_of[-3])]
        names = ["v"] if entry.d == 2 else list(program.parameters)
        pair = norm_share(program, entry.d + 1, (*entry.points, y), names), tp.correlation(program, 0, 1, (y, y))
        part, kernel = tp.sample(pair, data, WIDTH, 200, 7, together=True)
        values = (entry.d + 1) / 2 * part / np.sqrt(kernel) * float(WIDTH) ** -float(entry.exponent)
        tolerance = SIGMAS * values.std() / np.sqrt(200) + 40 / WIDTH * entry.constant
        assert abs(values.mean() - entry.constant) < tolerance, entry.constant_of


@pytest.mark.parametrize("name", ["mlp", "layernorm_mlp"])
def test_shares_of_the_norm_add_up(name):
    """The squared norm is the sum of its shares on the parameters, under unequal learning rates too."""
    case = BY_NAME[name]
    program, data = reparametrised(case.trace(2), {"v": tp.abc(Fraction(1, 2), 0, 1)}), case.data(2)
    shares = [norm_share(program, 2, (0, 1, 1), [key]) for key in program.parameters]
    whole, *parts = tp.sample([tp.correlation(program, 1, 2, (0, 1, 1)), *shares], data, 12, 5, together=True)
    assert np.sum(np.square(parts), axis=0) == pytest.approx(whole**2, rel=1e-9)
    assert all(np.all(part > 0) for part in parts)


# -- statuses


def assert_power(case, orders, equal, status="definite power"):
    largest = max(d for _, d in orders)
    points = (0,) * (largest + 1) if equal else tuple(range(largest + 1))
    program, data = case.trace(points[-1] + 1), case.data(points[-1] + 1)
    table, above = derive(program, orders, points, data=data), bounds(program, orders, points)
    for entry in table:
        bound = above[entry.D, entry.d]
        assert entry.status == status, f"{case.name} {entry.D},{entry.d}: {rule(entry)}"
        assert entry.law == bound.law
        assert entry.constant > entry.constant_error >= 0
        assert entry.derivation.steps[0].before == (str(bound),)
        assumed = len(bound.assumptions)  # shown by the data, in as many steps
        assert entry.derivation.steps[1 + assumed :] == bound.derivation.steps[assumed:]
    return table


@pytest.mark.parametrize("name", [*PLAIN, "layernorm_mlp", "glu", "conv"])
def test_powers_are_definite_at_equal_points(name):
    assert_power(BY_NAME[name], [(2, 0)] if name in ("conv", "rnn") else [(2, 0), (2, 1)], True)


@pytest.mark.parametrize("name", ["mlp", "mlp_bias"])
def test_powers_are_definite_at_distinct_points(name):
    table = assert_power(BY_NAME[name], [(2, 0), (2, 1)], False)
    assert table[2, 1].constant_of == "lim n^1 ‖C^{2,1} ∇F(x_1)‖/‖∇F(x_1)‖"


@pytest.mark.long
@pytest.mark.parametrize("name", [*PLAIN, "layernorm_mlp", "glu"])
@pytest.mark.parametrize("equal", [True, False], ids=["equal", "distinct"])
def test_all_powers_are_definite(name, equal):
    assert_power(BY_NAME[name], [(2, 0), (2, 1), (2, 2)] if equal else [(2, 0), (2, 1)], equal)


def test_without_a_logarithm_the_law_is_definite():
    assert_power(BY_NAME["attention"], [(2, 0), (2, 1)], True, "definite")


def test_an_unknown_logarithm_leaves_the_power():
    case = BY_NAME["mlp"]
    program, data = case.trace(1), case.data(1)
    entry = replace(bounds(program, [(2, 0)])[2, 0], log_power=None)
    assert decided(program, entry, Fraction(0), data, 60.0).status == "definite power"


def test_kappa_shifts_powers_not_constants():
    case = BY_NAME["mlp"]
    program, data = case.trace(2), case.data(2)
    plain, shifted = (derive(program, [(2, 0), (2, 1)], data=data, kappa=k) for k in (0, Fraction(1, 2)))
    for one, other in zip(plain, shifted, strict=True):
        assert other.status == "definite power"
        assert other.exponent == one.exponent + Fraction(1, 2) * (one.d + 1)
        assert (other.constant, other.constant_of) == (one.constant, one.constant_of)


def test_other_gradients_are_tried():
    """With one hidden layer and x_0 ⊥ x_1, C^{1,2}(x_0; x_1, x_1) vanishes, C^{1,2}(x_0; x_1, x_0) does not."""
    program = tp.trace(architectures.mlp, inputs=2, depth=1, phi=tp.sigmoid)
    (entry,) = derive(program, [(2, 1)], data=np.eye(2))
    assert entry.status == "definite power"
    assert entry.constant_of == "lim n^1 ‖C^{2,1} ∇F(x_0)‖/‖∇F(x_0)‖"


# -- what is not proved


def test_a_size_below_the_bound_decides_nothing():
    case = BY_NAME["mlp"]
    program, data = case.trace(1), case.data(1)
    (found,) = bounds(program, [(2, 0)])
    entry = replace(found, exponent=Fraction(0))
    kept = decided(program, entry, Fraction(0), data, 60.0)
    assert (kept.status, kept.exponent, kept.constant) == ("upper bound", 0, None)
    assert "= 0.513996" in rule(kept) and rule(kept).endswith("below the bound")


@pytest.mark.parametrize("which", [0, 1], ids=["denominator", "numerator"])
@pytest.mark.parametrize(
    ("value", "method", "sure"), [(2.0, 2, False), (4.0, 2, True), (2.0, 1, True), (0.9, 0, False)]
)
def test_numbers_within_their_errors_decide_nothing(which, value, method, sure, monkeypatch):
    """One error of a quadrature, ten standard errors of a sampled one, whose error is three of them."""
    powers = iter((Fraction(0), Fraction(-1)))
    numbers = iter(Estimate(value, 1.0, method) if i == which else Estimate(1.0, 0.0) for i in range(2))
    monkeypatch.setattr(definite, "leading_part", lambda *_: (Term(next(powers), 0, None), next(numbers)))
    case = BY_NAME["mlp"]
    (entry,) = derive(case.trace(1), [(2, 0)], data=case.data(1))
    assert entry.status == ("definite power" if sure else "upper bound")
    if sure:
        least, largest = sorted(sqrt(value + e) ** (2 * which - 1) / 2 for e in (-1, 1))
        assert entry.constant == pytest.approx(sqrt(value) ** (2 * which - 1) / 2)
        further = max(largest - entry.constant, entry.constant - least)
        assert entry.constant_error == pytest.approx(further)


def test_vanishing_correlations_stay_upper_bounds():
    """erf(0) = 0, so all correlations at an input of zeros vanish, and its gradient is no direction."""
    case = BY_NAME["mlp"]
    for entry in derive(case.trace(2), [(2, 0), (2, 1)], (0, 0), data=np.zeros((1, 3))):
        assert (entry.status, entry.constant) == ("upper bound", None)
        assert "not told from zero" in rule(entry)


def test_a_kink_has_its_point_mass():
    """A comparison fails once in 150,000 seeds."""
    program, data = tp.trace(architectures.mlp, inputs=1, depth=2, phi=relu), BY_NAME["mlp"].data(1)
    (entry,) = derive(program, [(2, 0)], data=data)
    assert entry.status == "definite"
    pair = tp.correlation(program, 1, 1, (0, 0)), tp.correlation(program, 0, 1, (0, 0))
    part, kernel = tp.sample(pair, data, WIDTH, 200, 7, together=True)
    values = part / np.sqrt(kernel) / 2 * float(WIDTH) ** -float(entry.exponent)
    assert abs(values.mean() - entry.constant) < SIGMAS * values.std() / np.sqrt(200) + 40 / WIDTH * entry.constant


def test_impatience_leaves_an_upper_bound():
    case = BY_NAME["mlp"]
    (entry,) = derive(case.trace(2), [(2, 1)], data=case.data(2), patience=1e-9)
    assert entry.status == "upper bound"
    assert "longer than the patience allowed" in rule(entry)


def test_patience_is_shared_by_all_limits(monkeypatch):
    """What one limit took, the next ones lack."""
    left = []

    def slow(program, data, patience):
        left.append(patience)
        clock[0] += 10
        return Term(Fraction(0), None, None), None

    clock = [0.0]
    monkeypatch.setattr(definite, "leading_part", slow)
    monkeypatch.setattr(definite, "now", lambda: clock[0])
    case = BY_NAME["mlp"]
    entry = bounds(case.trace(3), [(2, 2)])[2, 2]
    decided(case.trace(3), entry, Fraction(0), case.data(3), 60.0)
    assert left == [60.0 - 10 * i for i in range(6)]


# -- how it is told


def test_objects_obey_the_schema():
    case = BY_NAME["mlp"]
    table = derive(case.trace(2), [(0, 1), (2, 0), (2, 1)], (0, 0), data=case.data(2))
    written = json.loads(table.to_json())
    jsonschema.validate(written, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert [row["status"] for row in written["correlations"]] == ["definite", "definite power", "definite power"]
    assert written["correlations"][2]["constant"] == table[2, 1].constant
    assert "status: definite power; definite: C^{0,1}\n" in str(table)
    assert "C^{2,0}: lim n^1/2 ‖C^{2,0} ∇F(x_0)‖/‖∇F(x_0)‖ = 0.513996 ± " in str(table)


def test_a_verdict_on_a_definite_power_is_that_on_a_bound():
    """Its logarithm may be absent: slopes below it agree with it."""
    case = BY_NAME["mlp"]
    (entry,) = derive(case.trace(1), [(2, 1)], (0, 0), data=case.data(1))
    widths = (64, 128, 256, 512)
    sizes = [np.abs(np.random.default_rng(n).standard_normal(400)) / n**2 for n in widths]
    floors = [0.0] * len(widths)
    found = _verdict(entry, widths, sizes, floors, 0.1, 0)
    assert (found.verdict, found.tight) == ("confirmed", False)
    assert _verdict(replace(entry, status=Status.DEFINITE), widths, sizes, floors, 0.1, 0).verdict == "refuted"

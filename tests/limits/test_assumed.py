"""Bounds that assume something say so; data show it, or withdraw the bound."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import tensorprog as tp
from tensorprog import architectures
from tensorprog.errors import ContradictionError, OrderError
from tensorprog.limits.definite import decided, with_limits
from tensorprog.readings import Status
from tensorprog.readings.patience import now

HALF = Fraction(1, 2)
DATA = np.eye(2) + 1
ORDERS = [(0, 0), (0, 1)]


def difference(x):
    """Two averages that tend to one limit."""
    return tp.mean(tp.linear("A", x) ** 2) - tp.mean(tp.linear("B", x) ** 2)


def of_the_difference(x, f):
    return tp.readout("v", tp.tanh(tp.linear("U", x))) * f(difference(x))


POLES = [
    tp.power(-1),
    tp.power(Fraction(-3, 2)),
    tp.expression("1/(exp(z) - 1)"),
    tp.expression("log(z)"),
    tp.expression("sqrt(z) + 1"),
]


@pytest.mark.parametrize("f", POLES, ids=str)
def test_a_scalar_at_a_pole_withdraws_the_bound(f):
    program = tp.trace(of_the_difference, inputs=2, f=f)
    for entry in tp.derive(program, ORDERS):
        assert entry.status is Status.ASSUMED
        assert "stays away from" in str(entry.assumptions[0])
    table = tp.derive(program, ORDERS, data=DATA)
    assert len(table) == 0
    for order in ORDERS:
        entry = table[order]
        assert (entry.status, entry.law, entry.has_bound, str(entry)) == (Status.WITHDRAWN, None, False, "—")
        assert "= 0" in entry.derivation.steps[0].rule
    assert "withdrawn" in str(table)
    assert not table.fixed.holds or table.fixed.exponent is None


@pytest.mark.parametrize("text", ["1/(1 - z)", "1/(1 - z**2)", "log(z - 1)"])
def test_poles_elsewhere_are_seen_too(text):
    """⟨h²⟩ → |x|²/2, which is 1 for one input and 9/2 for another."""
    program = tp.trace(
        lambda x: tp.readout("v", tp.linear("U", x)) * tp.expression(text)(tp.mean(tp.linear("A", x) ** 2)), inputs=1
    )
    at_the_pole, beside = np.array([[1.0, 1.0]]), np.array([[3.0, 0.0]])
    assert tp.derive(program, [(0, 0)], data=at_the_pole)[0, 0].status is Status.WITHDRAWN
    assert tp.derive(program, [(0, 0)], data=beside)[0, 0].status is Status.DEFINITE


def test_a_zero_that_only_the_data_make_withdraws_the_bound():
    """⟨h²⟩ - ⟨k²⟩/4 tends to (1 - σ_B²/4) |x|²/d0: a zero for one deviation of the weights, a number for another."""

    def net(x, std):
        s = tp.mean(tp.linear("A", x) ** 2) - tp.mean(tp.linear("B", x, std=std) ** 2) / 4
        return tp.readout("v", tp.linear("U", x)) * s**-1

    found = [tp.derive(tp.trace(net, std=std), [(0, 0)], data=DATA[:1])[0, 0].status for std in (2, 3)]
    assert found == [Status.WITHDRAWN, Status.DEFINITE]


def test_layer_norm_assumes_a_variance_that_data_show():
    program = tp.trace(architectures.layernorm_mlp, inputs=2, depth=2)
    table = tp.derive(program, [(0, 1)])
    entry = table[0, 1]
    assert entry.status == "assumed bound"
    assert len(entry.assumptions) == 4  # two layers, two inputs
    assert "assumed, and not shown" in str(table)
    row = json.loads(table.to_json())["correlations"][0]
    assert row["status"] == "assumed bound"
    assert [a["power"] for a in row["assumptions"]] == ["0"] * 4
    shown = tp.derive(program, [(0, 1)], data=np.eye(2, 3) + 1)[0, 1]
    assert (shown.status, shown.assumptions) == (Status.DEFINITE, ())
    assert sum(step.rule.startswith("shown: ") for step in shown.derivation.steps) == 4
    zero = tp.derive(program, [(0, 1)], data=np.zeros((2, 3)))[0, 1]
    assert zero.status is Status.WITHDRAWN


def positive_of_random_scalars(x):
    """A softmax of random scalars: Σ exp is positive, and of order one."""
    a, b = (tp.exp(tp.readout(k, tp.erf(tp.linear("B", x)))) for k in "ab")
    return tp.readout("v", tp.linear("U", x)) * a * (a + b) ** -1


HARMLESS = [
    positive_of_random_scalars,
    lambda x: tp.readout("v", tp.expression("1/(2 + sin(z))")(tp.linear("U", x))),
    lambda x: tp.readout("v", tp.linear("U", x)) * (tp.mean(tp.linear("B", x) ** 2) + Fraction(1, 9)) ** -HALF,
    lambda x: tp.readout("v", tp.linear("U", x) * (tp.linear("A", x) ** 2 + tp.linear("B", x) ** 2 + 1) ** -HALF),
    lambda x: tp.readout("v", tp.linear("U", x)) * tp.mean(tp.exp(tp.linear("B", x))) ** -1,
    lambda x: tp.readout("v", tp.expression("log(z)")(tp.expression("cosh(z)/2 + 1")(tp.linear("U", x)))),
]


@pytest.mark.parametrize("net", HARMLESS)
@pytest.mark.parametrize("order", [(0, 0), (0, 2), (1, 1), (2, 0)])
def test_what_is_positive_by_its_form_assumes_nothing(net, order):
    entry = tp.derive(tp.trace(net, inputs=3), [order])[order]
    assert (entry.status, entry.assumptions) == (Status.UPPER_BOUND, ())


def root_of_a_norm(x):
    """√(n ⟨h²⟩), the length of h."""
    h = tp.linear("U", x)
    return tp.n**-HALF * tp.readout("v", tp.tanh(tp.linear("W", h))) * tp.power(HALF)(tp.n * tp.mean(h * h))


def norm_of_small_vectors(x, eps=0):
    """A layer norm does not see the scale n^{-1/2} of what it is given."""
    h = tp.n**-HALF * tp.linear("U", x)
    centred = h - tp.mean(h)
    return tp.readout("v", tp.erf(centred * (tp.mean(centred**2) + eps) ** -HALF))


@pytest.mark.parametrize("net", [root_of_a_norm, norm_of_small_vectors])
def test_powers_of_scalars_that_grow_or_vanish(net):
    """As those of ⟨h²⟩ of order one, where the scalar keeps its order, which the data show."""
    program = tp.trace(net, inputs=3)
    table = tp.derive(program, [(0, 0), (0, 1), (0, 2), (1, 1)])
    assert [e.exponent for e in table] == [0, 0, -1, -HALF]
    assert {e.status for e in table} == {Status.ASSUMED}
    assert {e.assumptions[0].power for e in table} == {1 if net is root_of_a_norm else -1}
    shown = tp.derive(program, [(0, 1)], data=np.eye(3) + 1)[0, 1]
    assert (shown.exponent, shown.assumptions) == (0, ())


@pytest.mark.long
@pytest.mark.parametrize("net", [root_of_a_norm, norm_of_small_vectors])
def test_they_have_the_sizes_that_samples_have(net):
    report = tp.verify(
        tp.trace(net, inputs=3), np.eye(3) + 1, [(0, 1), (0, 2), (1, 1)], widths=[64, 256, 1024], samples=400, seed=1
    )
    assert not report.refuted, str(report)


def test_one_order_out_of_range_is_refused_alone():
    program = tp.trace(architectures.mlp, inputs=2)
    table = tp.derive(program, [(0, 1), (3, 0), (0, 4)])
    assert [(e.D, e.d) for e in table] == [(0, 1)]
    assert [table[order].status for order in [(3, 0), (0, 4)]] == [Status.REFUSED] * 2
    assert "at most 2 slots" in table[3, 0].derivation.steps[0].rule
    assert "C^{0,4} refused: C^{0,4} at points (0, 1, 2, 3, 4) needs 5 inputs" in str(table)
    assert [row["status"] for row in json.loads(table.to_json())["boundless"]] == ["refused"] * 2
    assert not table.fixed.holds and "for lack of a bound on C^{0,4}" in str(table.fixed)
    with pytest.raises(OrderError, match=r"C\^\{3,0\} has no bound"):
        tp.verify(program, DATA, [(0, 1), (3, 0)], widths=[8, 16], samples=20)


def test_a_limit_above_the_bound_is_an_error():
    """Whatever assertions do: python -O removes them."""
    program = tp.trace(architectures.mlp, inputs=2, depth=1)
    table = tp.derive(program, [(0, 1)])
    wrong = replace(table, entries=tuple(replace(e, exponent=Fraction(-1)) for e in table))
    with pytest.raises(ContradictionError, match=r"above the bound n\^-1 of C\^\{0,1\}"):
        with_limits(program, wrong, DATA, 60.0)


def test_proofs_say_what_they_assume_and_are_refused_where_it_is_false():
    program = tp.trace(architectures.layernorm_mlp, inputs=2, depth=1)
    definition = tp.prove(program, 0, 1, data=np.eye(2, 3) + 1).steps[0].rule
    assert definition.count("shown: ") == 2 and "stays away from 0" in definition
    assert "assumed: " in tp.prove(program, 0, 1).steps[0].rule
    with pytest.raises(OrderError, match=r"C\^\{0,0\} has no bound at these data: .* is assumed, but lim"):
        tp.prove(tp.trace(of_the_difference, f=tp.power(-1)), 0, 0, data=DATA[:1])


def test_patience_is_kept_by_what_builds_the_programs_of_limits():
    """Sizes of a norm's program are proved, and the next programs built, only while there is time: processor time."""
    program = tp.trace(architectures.attention, inputs=2, positions=2, depth=1, phi=tp.tanh)
    data = np.random.default_rng(0).standard_normal((2, 2, 3))
    entry = tp.derive(program, [(0, 2)], (0, 1, 1))[0, 2]
    start = now()
    found = decided(program, entry, Fraction(0), data, 1e-9)
    assert now() - start < 5.0
    assert found.status is Status.UPPER_BOUND
    assert "longer than the patience allowed" in found.derivation.steps[0].rule

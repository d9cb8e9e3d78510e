"""Exponents of known nets, and what they must not depend on."""

from __future__ import annotations

import inspect
import sys
from contextlib import contextmanager
from fractions import Fraction
from itertools import product

import pytest

import tensorprog as tp
from tensorprog.errors import ExpressionError, OrderError, ProgramError
from tensorprog.readings import calculus
from tensorprog.readings.sizes import UnboundedSize

HALF = Fraction(1, 2)
KNOWN = {
    **{(0, d): Fraction(e) for d, e in enumerate([0, 0, -1, -1, -2])},
    **{(1, d): Fraction(-d, 2) for d in range(5)},
    **{(2, d): Fraction(-(d + 1), 2) for d in range(4)},
}
LOGS = {(2, 0): HALF, (2, 1): Fraction(1), (2, 2): Fraction(3, 2)}


def mlp(x, depth=3, phi=tp.erf, **scale):
    h = tp.linear("U", x, **scale)
    for layer in range(1, depth):
        h = tp.linear(f"W{layer}", phi(h), **scale)
    return tp.readout("v", phi(h), **scale)


def disguised(x):
    """The same function of the same law under other names, in another order, with needless detours."""
    first = 2 * tp.linear("entry", x)
    second = tp.linear("middle.A", tp.erf(first / 2) + 0 * first)
    out = tp.erf(second - first + first)
    return 3 * tp.readout("exit", out / 3)


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("phi", [tp.erf, tp.tanh, tp.gelu, tp.sigmoid], ids=lambda f: f.spec)
def test_mlp_has_the_known_table(depth, phi):
    table = tp.derive(tp.trace(mlp, inputs=5, depth=depth, phi=phi))
    assert {(e.D, e.d): e.exponent for e in table} == KNOWN
    assert all(e.status == "upper bound" for e in table)
    for order, log in LOGS.items():
        assert table[order].log_power == log
    assert all(e.log_power == 0 for e in table if e.D < 2)


@pytest.mark.parametrize("points", [[0] * 5, [0, 1, 1, 2, 2], [1, 0, 0, 0, 0]])
def test_repeated_points_have_the_same_table(points):
    table = tp.derive(tp.trace(mlp, inputs=3), points=points)
    assert {(e.D, e.d): e.exponent for e in table} == KNOWN


def test_a_disguised_mlp_has_the_same_table():
    table = tp.derive(tp.trace(disguised, inputs=5))
    assert {(e.D, e.d): e.exponent for e in table} == KNOWN


def test_a_width_ratio_changes_no_exponent():
    def wide(x):
        h = tp.linear("W", tp.tanh(tp.linear("U", x, width=2)), width=Fraction(1, 2))
        return tp.readout("v", tp.tanh(h))

    assert {(e.D, e.d): e.exponent for e in tp.derive(tp.trace(wide, inputs=5))} == KNOWN


def test_kappa_adds_to_every_entry_and_mup_is_kappa_one_half():
    program = tp.trace(mlp, inputs=5)
    shifted = tp.derive(program, kappa=HALF)
    for entry in shifted:
        assert entry.exponent == KNOWN[entry.D, entry.d] + HALF * (entry.D + entry.d - 1)
    for preset in (tp.MUP, tp.MEAN_FIELD):
        other = tp.derive(program, abc=preset)
        assert [(e.exponent, e.log_power) for e in other] == [(e.exponent, e.log_power) for e in shifted]
        traced = tp.derive(tp.trace(mlp, inputs=5, scale=preset))
        assert [e.exponent for e in traced] == [e.exponent for e in shifted]


def test_weak_correlations_of_the_mlp():
    table = tp.derive(tp.trace(mlp, inputs=5))
    assert table.fixed.exponent == 1
    assert table.fixed.rests_on == ((0, 2), (0, 3), (1, 1))
    assert table.exponential.exponent == Fraction(2, 3)
    assert table.exponential.rests_on == ((0, 3),)
    features = tp.derive(tp.trace(mlp, inputs=5), kappa=HALF)
    assert not features.fixed.holds
    assert (1, 1) in features.fixed.rests_on


def test_another_parametrisation_trains_no_frozen_weight():
    frozen = tp.trace(lambda x: tp.readout("v", tp.linear("U", x, trainable=False)), inputs=3)
    for abc in (tp.MUP, tp.MEAN_FIELD):
        assert tp.derive(frozen, [(0, 2)], abc=abc)[0, 2].exponent is None


def test_logarithms_weaken_weak_correlations():
    """C^{2,1} = O(n^-1 log n) leaves m = n^2 / (log n)^2, and m = n^{2-o(1)} where the logarithm has no power."""
    assert tp.derive(tp.trace(mlp, inputs=2), [(2, 1)]).fixed.growth == "n^2 (log n)^-2"
    table = tp.derive(tp.trace(mlp, inputs=2, phi=tp.exp, depth=1), [(2, 1)])
    assert (table.fixed.log_power, table.fixed.growth) == (None, "n^(2-o(1))")


def test_without_a_sign_symmetry_even_orders_keep_the_plain_bound():
    def square(x):
        h = tp.erf(tp.linear("W", tp.erf(tp.linear("U", x))))
        return tp.n**HALF * tp.mean(h * h)

    table = tp.derive(tp.trace(square, inputs=5))
    assert [table[0, d].exponent for d in range(5)] == [HALF, 0, -HALF, -1, -3 * HALF]


def test_a_readout_that_is_even_in_nothing_has_no_flip():
    def biased(x):
        return tp.readout("v", tp.erf(tp.linear("U", x)), bias=1) + 1

    assert tp.derive(tp.trace(biased, inputs=3), [(0, 2)])[0, 2].exponent == -HALF


def test_scores_over_root_n_do_not_decay():
    def attention(x, power):
        q, k, v = (tp.linear(name, x) for name in "QKV")
        weight = tp.exp(tp.n**power * tp.mean(q * k))
        return tp.readout("v", weight * v)

    decays = tp.derive(tp.trace(attention, inputs=5, power=Fraction(0)))
    assert decays[0, 2].exponent == -1
    stays = tp.derive(tp.trace(attention, inputs=5, power=HALF))
    assert stays[0, 2].exponent >= 0
    assert not stays.fixed.holds


def test_a_linear_net_of_one_layer_has_no_second_derivative_along_free_directions_of_one_layer():
    def linear(x):
        return tp.readout("v", tp.linear("U", x, trainable=False))

    table = tp.derive(tp.trace(linear, inputs=3), [(0, 1), (0, 2), (1, 1)])
    assert table[0, 1].exponent == 0
    assert (table[0, 2].exponent, table[0, 2].status) == (None, "definite")
    assert str(table[1, 1]) == "0"


def test_relu_stops_at_second_order():
    program = tp.trace(mlp, inputs=5, phi=tp.relu)
    assert [(e.D, e.d) for e in tp.derive(program)] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0)]
    assert tp.derive(program)[0, 2].exponent == -1  # it is linear in the readout, whose flip makes its mean zero
    with pytest.raises(OrderError, match=r"D\+d = 3.*relu.*smooth"):
        tp.derive(program, [(1, 2)])


def test_exponential_growth_gives_an_unknown_logarithm():
    table = tp.derive(tp.trace(mlp, inputs=2, phi=tp.exp, depth=1), [(0, 1), (2, 0)])
    assert table[0, 1].log_power == 0
    assert table[2, 0].log_power is None
    assert "o(1)" in str(table[2, 0])


def test_a_growing_argument_of_a_fast_function_is_refused():
    def bad(x):
        h = tp.linear("U", x)
        return tp.readout("v", tp.exp(tp.n * tp.mean(h * h)) * h)

    with pytest.raises(UnboundedSize, match="exp at node"):
        tp.derive(tp.trace(bad, inputs=2), [(0, 1)])


def test_derivations_print_rules_nodes_and_exponents():
    entry = tp.derive(tp.trace(mlp, inputs=3), [(0, 2)])[0, 2]
    text = str(entry.derivation)
    assert "sign symmetry: flipping v" in text
    assert "Poincaré" in text
    assert "n^-1" in text
    steps = entry.to_object()["derivation"]
    assert all(set(step) == {"rule", "node", "directions", "before", "after"} for step in steps)


def test_cost_is_linear_in_depth():
    """Judgments, not seconds, so that the test does not depend on the machine."""
    from tensorprog.readings.derive import Analysis

    counts = []
    for depth in (4, 8, 16):
        program = tp.trace(mlp, inputs=5, depth=depth)
        analysis = Analysis(program, range(5))
        for D, d in product(range(3), range(5)):
            if D + d <= 5:
                from tensorprog.passes import order_of

                analysis.entry(order_of(program, D, d), Fraction(0))
        counts.append(len(analysis.calculus._found))
    assert (counts[2] - counts[1]) <= 2.1 * (counts[1] - counts[0])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda p: tp.derive(p, [(0, 4)]), OrderError, "needs 5 inputs, the program was traced with 3"),
        (lambda p: tp.derive(p, [(3, 0)]), OrderError, "D=3"),
        (lambda p: tp.derive(p, [(0, -1)]), OrderError, "d=-1"),
        (lambda p: tp.derive(p, [(0, 2)], points=[0, 1]), OrderError, r"takes 3 points.*has 2"),
        (lambda p: tp.derive(p, [(0, 1)], points=[0, 7]), OrderError, "needs 8 inputs"),
        (lambda p: tp.derive(p, [(0, 1)], abc={"W9": tp.MUP}), ExpressionError, "W9"),
        (lambda p: tp.derive(p, [(0, 1)], kappa="much"), ExpressionError, "much"),
        (lambda p: tp.derive(p, [(0, 1)])[0, 2], OrderError, r"no order \(0, 2\)"),
    ],
)
def test_bad_requests(call, error, message):
    with pytest.raises(error, match=message):
        call(tp.trace(mlp, inputs=3))


def test_table_saves_and_shows(tmp_path):
    table = tp.derive(tp.trace(mlp, inputs=5))
    folder = table.save(tmp_path / "out")
    assert {p.name for p in folder.iterdir()} == {"table.json", "table.md", "table.tex"}
    assert "n^-3/2 (log n)^3/2" in str(table)
    assert table._repr_html_().startswith("<pre>")
    assert r"$n^{-1} \log n$" in (folder / "table.tex").read_text()


@contextmanager
def little_stack(frames):
    """No more than so many frames above this one."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + frames)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


@pytest.mark.parametrize("depth", [3, 60])
def test_judgments_of_deep_networks_need_no_deep_stack(depth):
    program = tp.trace(mlp, inputs=1, depth=depth)
    with little_stack(600):
        table = tp.derive(program, [(0, 2), (1, 1), (2, 1)], points=(0, 0, 0))
    assert [e.exponent for e in table] == [-1, -HALF, -1]
    assert table[2, 1].log_power == 1


@pytest.mark.long
def test_depth_1000():
    before = sys.getrecursionlimit()
    assert tp.derive(tp.trace(mlp, inputs=1, depth=1000), [(0, 2)], points=(0, 0, 0))[0, 2].exponent == -1
    assert sys.getrecursionlimit() == before


def test_judgments_that_wait_are_those_that_recurse(monkeypatch):
    """Found from below or by recursion, judgments are the same."""
    program = tp.trace(mlp, inputs=5, depth=5)
    plain = tp.derive(program)
    monkeypatch.setattr(calculus, "DEEP", 3)
    assert tp.derive(program) == plain


def test_a_net_of_two_outputs_is_told_to_take_one():
    def two(x):
        h = tp.tanh(tp.linear("U", x))
        return tp.readout("v", h), tp.readout("w", h)

    program = tp.trace(two, inputs=3)
    with pytest.raises(ProgramError, match=r"has 2 outputs at input 0 \(F0.0, F0.1\) where one is needed; take one"):
        tp.derive(program, [(0, 2)])
    one = program.restricted([f"F{i}.1" for i in range(3)])
    assert tp.derive(one, [(0, 2)])[0, 2].exponent == -1

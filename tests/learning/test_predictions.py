"""Predictions of training from tables of exponents, against what the expansion gives by hand."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from cases import CASES

import tensorprog as tp
from tensorprog.architectures import mlp, resnet
from tensorprog.errors import TrainingError
from tensorprog.exponents import Exponent
from tensorprog.learning.predictions import kink, largest_rho, predict, rescaled
from tensorprog.learning.trees import trees
from tensorprog.passes.losses import loss_of
from tensorprog.readings import Status
from tensorprog.readings.assumptions import Assumption

HALF, QUARTER = Fraction(1, 2), Fraction(1, 4)
TABLE = tp.derive(tp.trace(mlp, inputs=5, depth=3))


def power(rho, steps=1, table=TABLE, **options):
    law = predict(table, steps, Fraction(rho), **options).law
    return None if law is None else law.power


def test_trees_of_at_most_five_vertices():
    """By hand: inner paths whose ends have leaves; leaves and inner edges together are the edges."""
    found = {(tuple((e.D, e.d) for e in tree.entries), tree.edges) for tree in trees(TABLE)}
    stars = {(((0, d),), d) for d in (2, 3, 4)}
    pairs = {(((1, 1), (1, 1)), 3), (((1, 1), (1, 2)), 4)}
    assert found == stars | pairs | {(((1, 1), (2, 0), (1, 1)), 4)}


def test_trees_with_a_free_slot_at_the_root():
    found = {(tuple((e.D, e.d) for e in tree.entries), tree.edges) for tree in trees(TABLE, legs=1) if tree.edges <= 2}
    assert found == {(((1, 1),), 1), (((1, 2),), 2), (((2, 0), (1, 1)), 2)}


@pytest.mark.parametrize(("rho", "expected"), [(-1, -3), (-HALF, -2), (0, -1), (QUARTER, -QUARTER), (HALF, HALF)])
def test_deviation_over_rho_of_a_smooth_mlp(rho, expected):
    """−1 + 2ρ below 0, where C^{0,2} decides, −1 + 3ρ above, where C^{0,3} does; at 1/2 all odd orders are alike."""
    assert power(rho) == expected


def test_what_decides_is_named():
    assert predict(TABLE, 1, -HALF).reasons == ("C^{0,2}",)
    assert predict(TABLE, 1, QUARTER).reasons == ("C^{0,3}",)
    assert predict(TABLE, 3).reasons == ("C^{0,2}", "C^{0,3}", "‖C^{1,1}‖ · ‖C^{1,1}‖")


def test_steps_change_nothing_until_outputs_grow():
    for rho in (-1, -QUARTER, 0):
        assert power(rho, 5) == power(rho)
    assert power(Fraction(1, 10), 2) > power(Fraction(1, 10))
    assert power(Fraction(1, 10), 2) == -1 + 3 * Fraction(2, 10)
    assert power(Fraction(1, 10), 2, growth=Fraction(0)) == power(Fraction(1, 10)) + Fraction(1, 10)
    assert power(QUARTER, 3) is None


@pytest.mark.parametrize(("kappa", "expected"), [(0, -1), (QUARTER, -HALF), (HALF, 0)])
def test_deviation_over_kappa(kappa, expected):
    table = tp.derive(tp.trace(mlp, inputs=5, depth=3), kappa=kappa)
    shifted = rescaled(TABLE, Fraction(0), Fraction(kappa))
    assert [(e.law, shifted.kappa) for e in shifted] == [(e.law, table.kappa) for e in table]
    assert power(0, table=table) == expected
    assert predict(table, 1, Fraction(0), quantity="moved gradient").law.power == Fraction(kappa) - HALF


def test_where_learning_stops_being_linear():
    """C^{0,3} n^{3ρ} reaches 1 at ρ = 1/3; against F_lin's own change n^ρ at 1/2."""
    assert largest_rho(TABLE) == Fraction(1, 3)
    assert largest_rho(TABLE, relative=True) == HALF
    assert power(largest_rho(TABLE)) == 0


def test_moved_derivatives():
    assert predict(TABLE, 1, quantity="moved gradient").law.power == -HALF
    assert predict(TABLE, 1, quantity="moved Hessian").law.power == -1
    assert predict(TABLE, 1, quantity="moved F").law.power == 0


@pytest.mark.parametrize("architecture", [mlp, resnet])
def test_kinks_cost_half_a_power(architecture):
    program = tp.trace(architecture, inputs=3, phi=tp.relu, depth=3)
    assert kink(program).power == -HALF
    table = tp.derive(program)
    assert table[0, 2].exponent == -1
    assert power(0, table=table, kinked=kink(program)) == -HALF
    assert power(-HALF, table=table, kinked=kink(program)) == -Fraction(3, 2)


def test_terms_that_go_on_growing_are_no_prediction():
    """C^{0,4} is small by a symmetry; C^{0,5}, of the size n^(-2+5ρ), exceeds C^{0,3} from ρ = 1/2 on."""
    for rho in (Fraction(9, 16), Fraction(3, 4), 1):
        found = predict(TABLE, 1, Fraction(rho))
        assert found.law is None and found.reasons == ("terms grow with their order",)
    assert power(0, table=rescaled(TABLE, Fraction(0), HALF)) == 0
    assert power(0, table=rescaled(TABLE, Fraction(0), Fraction(3, 4))) is None


@pytest.mark.parametrize(
    ("kappa", "rho", "expected"),
    [
        (0, 0, -HALF),
        (0, QUARTER, 0),
        (0, HALF, HALF),
        (0, 1, None),
        (QUARTER, 0, -QUARTER),
        (HALF, 0, 0),
        (HALF, -HALF, -1),
        (HALF, QUARTER, None),
    ],
)
def test_kinks_over_rates_and_scales(kappa, rho, expected):
    """n^(-1/2+κ+2ρ), up to where that is the size n^ρ of the linear term: beyond, a step moves preactivations far."""
    program = tp.trace(mlp, inputs=3, phi=tp.relu, depth=2)
    table = rescaled(tp.derive(program), Fraction(0), Fraction(kappa))
    assert power(rho, table=table, kinked=kink(program)) == expected
    assert largest_rho(table, kinked=kink(program)) == (HALF - Fraction(kappa)) / 2
    assert largest_rho(table, relative=True, kinked=kink(program)) == HALF - Fraction(kappa)


@pytest.mark.parametrize(
    ("loss", "growth"),
    [("squared", 1), ("logistic", 0), ("log(cosh(F - y))", 0), ("(F - y)**4", 3), ("exp(F)*y**2", None)],
)
def test_slopes_of_losses(loss, growth):
    """C′ grows like F^p: the second step brings −1 + 3(1+p)ρ, and carries on the first by n^((1+p)ρ) at least."""
    assert loss_of(loss).growth == growth
    rho, found = Fraction(1, 16), loss_of(loss).growth
    second = predict(TABLE, 2, rho, growth=found)
    assert second.law == (None if growth is None else Exponent(-1 + rho * max(3 + 3 * growth, 4 + growth)))
    assert (second.reasons == ("no power of the outputs is known to bound the slopes of the loss",)) is (growth is None)
    assert predict(TABLE, 3, -rho, growth=found).law == Exponent(-1 - 2 * rho)


def test_derivatives_of_kinked_nets_jump():
    """A share n^(-1/2) of the coordinates crosses the kink, which moves a gradient by n^(-1/4), not n^(-1/2)."""
    for quantity in ("moved gradient", "moved Hessian"):
        found = predict(TABLE, 1, quantity=quantity, kinked=Exponent(-HALF))
        assert found.law is None and found.reasons == ("derivatives jump where a step crosses a kink",)
    assert predict(TABLE, 1, quantity="moved F", kinked=Exponent(-HALF)).law.power == 0


def test_smooth_programs_have_no_kink():
    assert all(kink(case.trace(1)) is None for case in CASES)


def test_definite_where_definite_correlations_decide():
    """One step: whatever decides. More: C^{0,2}, which no choice of rates and targets but a few can cancel."""
    data = CASES[0].data(5)
    table = tp.derive(CASES[0].trace(5), [(0, 2), (0, 3), (1, 1)], data=data)
    status = {(s, rho): predict(table, s, rho).status for s in (1, 3) for rho in (-HALF, Fraction(0), QUARTER)}
    assert {key for key, found in status.items() if found == "upper bound"} == {(3, QUARTER)}
    assert predict(table, 3, quantity="moved gradient").status == "definite"
    assert predict(table, 3, QUARTER, quantity="moved gradient").status == "upper bound"
    assert predict(table, 3, quantity="moved F").status == "upper bound"
    assert predict(table, 3, kinked=Exponent(-HALF)).status == "upper bound"
    assert predict(TABLE, 1, -HALF).status == predict(TABLE, 3).status == "upper bound"


def test_the_table_at_another_rate():
    table = rescaled(TABLE, -HALF)
    assert table[0, 2].law == Exponent(Fraction(-2)) and table[1, 1].exponent == -HALF - Fraction(3, 4)
    assert table.fixed.exponent == 2


def changed(order, **fields):
    """The table with one entry changed, which is kept apart where it has no bound."""
    entries = [replace(e, **fields) if (e.D, e.d) == order else e for e in TABLE]
    bounded, boundless = ([e for e in entries if e.has_bound is known] for known in (True, False))
    return replace(TABLE, entries=tuple(bounded), boundless=tuple(boundless))


@pytest.mark.parametrize("status", [Status.REFUSED, Status.WITHDRAWN])
@pytest.mark.parametrize("order", [(0, 1), (0, 3), (1, 1), (2, 0)], ids=str)
def test_without_a_bound_there_is_no_prediction(order, status):
    """What has no bound is not taken for what vanishes."""
    table = changed(order, exponent=None, log_power=None, status=status)
    found = predict(table, 2)
    assert found.law is None and found.reasons == (f"C^{{{order[0]},{order[1]}}} has no bound",)
    assert largest_rho(table) is None
    vanishing = predict(changed(order, exponent=None, log_power=None, status=Status.DEFINITE), 2)
    assert vanishing.law is not None
    kinked = predict(table, 2, kinked=Exponent(-HALF))
    assert (kinked.law is None) is (order == (0, 1))


def test_a_prediction_is_of_one_step_at_least():
    with pytest.raises(TrainingError, match="steps=0"):
        predict(TABLE, 0)


def test_orders_that_no_tree_needs_may_be_unknown():
    assert predict(changed((2, 3), exponent=None, log_power=None, status=Status.REFUSED), 2).law == Exponent(
        Fraction(-1)
    )


def test_a_prediction_says_what_it_assumes():
    assumption = Assumption("m", Fraction(0), tp.power(-1), "s")
    found = predict(changed((0, 4), status=Status.ASSUMED, assumptions=(assumption,)), 2)
    assert found.status is Status.ASSUMED and found.reasons[-1] == f"assuming that {assumption}"
    assert found.to_object()["status"] == "assumed bound"

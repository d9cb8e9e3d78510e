"""Figures of linear learning, and the predicted lines in them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from report.linear.learned import HALF, QUARTER, ZERO, seen

from tensorprog.exponents import Exponent
from tensorprog.learning.predictions import rescaled
from tensorprog.report import linear_words as words
from tensorprog.report.linear_figures import over_rho, over_width


def test_the_line_through_predictions_is_that_of_the_tables(report):
    """Tables derived at κ, and that at κ = 0 carried there, have equal sizes; predictions agree with those measured."""
    assert set(report.tables) == {ZERO, HALF}
    for kappa, table in report.tables.items():
        moved = rescaled(report.table, Fraction(0), kappa)
        assert [(e.D, e.d, e.law) for e in moved] == [(e.D, e.d, e.law) for e in table]
    for outcome in report.outcomes:
        p = outcome.prediction
        assert report.predict(p.rho, p.kappa, p.steps, p.quantity).law == p.law
    assert report.predict(Fraction(-1, 3), steps=1).law == Exponent(Fraction(-5, 3))


def test_figures_mark_where_learning_stops_being_linear(report, folder):
    drawn = over_rho(report)
    assert drawn == (folder / "deviation_over_rho.svg").read_text(encoding="utf-8")
    assert drawn.startswith("<svg") and "ρ* = 1/3" not in drawn  # beyond the largest ρ, 1/4
    wider = replace(report, outcomes=(*report.outcomes, replace(report.at(), prediction=report.predict(HALF))))
    assert "ρ* = 1/3" in over_rho(wider)
    for text in ("predicted, 1 step", "predicted, 2 steps", "measured, 1 step", "measured, 2 steps"):
        assert text in drawn
    curves = over_width(report)
    for rho in (-1, 0, QUARTER):
        assert f"ρ = {str(rho).replace('-', '−')}:  {words.slope(report.at(rho))}" in curves
    assert "no prediction" in curves and "definite −3" in curves


def test_a_panel_without_values_is_not_drawn(report):
    def kept(*pairs):
        return over_rho(replace(report, outcomes=tuple(report.at(*pair) for pair in pairs)))

    def drawn(text):
        return "learning rate η" in text, "external scale" in text

    assert drawn(over_rho(report)) == (True, True)
    assert drawn(kept((0, 0), (-1, 0))) == (True, False)
    assert drawn(kept((0, 0), (0, HALF))) == (False, True)
    assert drawn(kept((0, 0))) == (True, False)


def test_intervals_are_drawn_whole_or_end_in_an_arrowhead(report):
    """One at (0, 0) is in both panels: two bars, with an arrowhead at each end that goes on."""
    short, upwards, both = (
        over_rho(seen(report, slope=-1.0, interval=ends)).count("<use ")
        for ends in ((-3.4, 1.4), (-3.4, 1.6), (-float("inf"), float("inf")))
    )
    assert (upwards - short, both - short) == (2, 4)
    calm = over_rho(seen(report, slope=-1.0, interval=(-1.1, -0.9)))
    assert calm != over_rho(seen(report, slope=-1.0, interval=(-3.4, 1.4)))

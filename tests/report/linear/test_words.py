"""What a report of linear learning says when measurements, claims and predictions come out otherwise."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from report.linear.learned import HALF, QUARTER, VALID, ZERO, learned, section, seen
from report.pages import strict

import tensorprog as tp
from tensorprog.exponents import Exponent
from tensorprog.learning.predictions import rescaled
from tensorprog.learning.study import Claim
from tensorprog.readings import Status
from tensorprog.report import linear_theorems as theorems
from tensorprog.report import linear_words as words
from tensorprog.report.linear_page import page as written


def test_where_theorem_and_derivation_differ_is_told_from_the_numbers(report, page):
    text = " ".join(theorems.disagreement(report))
    assert "C^{0,3} has the exponent −1 (definite)" in text
    assert "m(n) = n^1 would need −3/2; hence only m(n) = n^2/3 (definite)." in text
    assert "O(n^(ρ-2/3))" in text
    pairs = {(o.prediction.rho, o.prediction.steps, c.theorem) for o, c in theorems.differing(report)}
    assert (ZERO, 2, "3.2") in pairs and (ZERO, 2, "3.1") not in pairs
    first = report.at(QUARTER, steps=1)
    (claim,) = [c for c in first.claims if c.theorem == "3.2"]
    assert theorems.stronger(first, claim) and theorems.against(first, claim)
    assert "contradicted by what is derived" in theorems.stands(first, claim)
    assert "exceeds" in theorems.beyond(report)
    rows = section(page.source, "theorems").split("<tbody>")[1].split("</tr>")[:-1]
    assert len(rows) == len(theorems.differing(report))
    marked = [theorems.against(o, c) for o, c in theorems.differing(report)]
    assert section(page.source, "theorems").count("✗") == sum(marked)


def test_a_claim_that_a_measurement_contradicts_is_marked(report):
    both = frozenset({"3.1", "3.2"})
    flat = seen(report, slope=-0.2, interval=(-0.3, -0.1), verdict="refuted", contradicted=both)
    (outcome,) = flat.refuted
    assert {theorem for o, theorem in flat.contradicted if o is outcome} == {"3.1", "3.2"}
    text = written(flat)
    assert '<div class="answer bad">' in text and "the prediction is refuted" in text
    assert "✗ contradicted by measurement" in section(text, "theorems")
    assert "1 refuted" in str(flat) and "3.1: O(n^-1) ✗" in str(flat)
    settled = seen(report, slope=-1.0, interval=(-1.05, -0.95), verdict="confirmed")
    assert words.answer(settled)[2].endswith("the slope −1.00 [−1.05, −0.95] (measured): the prediction is confirmed.")


def test_what_is_lost_to_rounding_is_said(report):
    one = report.at()
    lost = replace(one, used=(16,), verdict=None)
    changed = replace(report, outcomes=tuple(lost if o is one else o for o in report.outcomes))
    assert words.left_out(lost) == "32, 64" and words.verdict(lost) == "below rounding"
    assert "below rounding at too many widths" in words.answer(changed)[2]
    assert "left out: 32, 64" in written(changed)
    VALID.validate(strict(changed.to_json()))


def test_a_network_without_weak_correlations_is_told_as_such(report):
    lazy = rescaled(report.table, Fraction(0), HALF)
    changed = replace(report, tables={ZERO: lazy})
    assert words.answer(changed)[0].startswith("Fixed weak correlations are not shown, because of C^{0,3}")
    assert theorems.disagreement(changed) == []
    lasting = replace(report.at().prediction, law=Exponent(), status=Status.DEFINITE)
    text = words.answer(replace(report, outcomes=(replace(report.at(), prediction=lasting),)))
    assert text[1].endswith("is exactly of the size n^0 (definite): it does not vanish: learning is not linear.")
    bound = replace(lasting, status=Status.UPPER_BOUND)
    text = words.answer(replace(report, outcomes=(replace(report.at(), prediction=bound),)))
    assert text[1].endswith("predicted to be O(n^0) (upper bound): nothing says that it vanishes.")


def test_the_kink_of_an_activation_is_named_where_it_decides(report):
    kinked = learned(
        tp.trace(lambda x: tp.readout("v", tp.relu(tp.linear("U", x))), inputs=3), rhos=[], kappas=[], growth=0
    )
    text = words.answer(kinked)[1]
    assert text.startswith("What decides here is not the table but the kink of the activation: a step takes some")
    assert "so that after 2 steps at η = 0.5 the distance |F − F_lin| is predicted to be O(n^-1/2)" in text
    assert "kink" not in " ".join(words.answer(report))


def test_a_long_run_is_told_from_the_steps_of_its_prediction(report, page):
    text = words.longest(report.growth)
    assert "the prediction n^-1 (definite) is that of 2 steps, a number fixed while the width grows" in text
    assert "the claim that it stays O(n^-1) over all steps, with the m(n) of Theorem 3.1, is" in text
    assert section(page.source, "outcomes").count("definite, for 2 steps") == 1


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (1.234e-3, 5.6e-5, "(1.234 ± 0.056)·10^-3"),
        (6.0, 0.5, "6.00 ± 0.50"),
        (0.0, 0.0, "0.00"),
        (2e-5, 3e-5, "(2.00 ± 3.00)·10^-5"),
    ],
)
def test_medians_are_written_with_their_errors(value, error, text):
    assert words.measured(value, error) == text


def test_a_size_within_a_law_of_logarithms_is_written_without_n():
    law = Exponent(ZERO, Fraction(1, 2))
    assert str(law) == "(log n)^1/2"
    assert words.claimed(Claim("3.1", law)) == "O((log n)^1/2)"

"""The report of linear learning: its page section by section, figures, tables, strict JSON, exact repetition."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import jsonschema
import numpy as np
import pytest
from referencing import Registry, Resource
from report.pages import DOCS, SCHEMA, Page, broken, part, strict

import tensorprog as tp
from tensorprog.errors import SamplingError, TrainingError
from tensorprog.exponents import Exponent
from tensorprog.learning.predictions import rescaled
from tensorprog.learning.study import Claim, Threshold
from tensorprog.program.text import read
from tensorprog.report import linear_words as words
from tensorprog.report.linear_figures import over_rho, over_width
from tensorprog.report.linear_page import page as written
from tensorprog.report.linear_tables import markdown, ordered

REGISTRY = Registry().with_resource("report.schema.json", Resource.from_contents(SCHEMA))
VALID = jsonschema.Draft202012Validator(
    json.loads((DOCS / "linearity.schema.json").read_text(encoding="utf-8")), registry=REGISTRY
)
FILES = {
    *("linearity.html", "linearity.json", "deviation_over_rho.svg", "deviation_over_width.svg", "table.md"),
    *("program.txt", "data.npy", "targets.npy", "samples.npz"),
}
WIDTHS = (16, 32, 64)
HALF, QUARTER, ZERO = Fraction(1, 2), Fraction(1, 4), Fraction(0)
SECTIONS = ("outcomes", "slopes", "widths", "threshold", "growth", "theorems", "exponents", "run")


def net(x):
    return tp.readout("v", tp.erf(tp.linear("U", x)))


DATA = np.random.default_rng(0).standard_normal((3, 4))
PROGRAM = tp.trace(net, inputs=3)


def learned(**options):
    given = {"steps": 2, "learning_rate": 0.5, "rhos": [-1, QUARTER], "kappas": [HALF], "growth": 5, "patience": 5}
    given |= {"widths": WIDTHS, "samples": 6, "progress": False, "name": "small net", **options}
    return tp.linearity(PROGRAM, DATA, [1.0, -1.0], **given)


@pytest.fixture(scope="module")
def report():
    return learned()


@pytest.fixture(scope="module")
def folder(report, tmp_path_factory):
    return report.save(tmp_path_factory.mktemp("reports") / "new" / "folder")


@pytest.fixture(scope="module")
def page(folder):
    return Page((folder / "linearity.html").read_text(encoding="utf-8"))


def section(text, name):
    return part(text, f'<section id="{name}">', "</section>")


def seen(report, rho=0, kappa=0, steps=2, contradicted=frozenset(), **verdict):
    """The report, had one measurement come out otherwise."""
    one = report.at(rho, kappa, steps=steps)
    changed = replace(one, verdict=replace(one.verdict, **verdict), contradicted=contradicted)
    return replace(report, outcomes=tuple(changed if o is one else o for o in report.outcomes))


def test_a_report_is_these_files(report, folder):
    assert {path.name for path in folder.iterdir()} == FILES
    assert read((folder / "program.txt").read_text(encoding="utf-8")) == PROGRAM
    assert np.array_equal(np.load(folder / "data.npy"), DATA)
    assert np.array_equal(np.load(folder / "targets.npy"), [1, -1])
    with np.load(folder / "samples.npz") as samples:
        assert len(samples.files) == (len(report.outcomes) + 1) * len(WIDTHS)
        assert np.array_equal(samples["deviation_rho_1over4_kappa_0_steps_2_n32"], report.at(QUARTER).samples[1])
        assert np.array_equal(samples["sup_n64"], report.growth.outcome.samples[2])


def test_the_page_loads_nothing_and_runs_nothing(page):
    assert not {"script", "iframe", "object", "embed", "img", "base", "form"} & set(page.tags)
    assert not page.values("src", "srcset", "action", "data", "poster", "ping", "background")
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert all(link.startswith("#") or link == "data:," for link in page.values("href", "xlink:href"))
    assert not re.search(r"@import|url\((?!#)|javascript:|http-equiv", page.source)
    assert not re.findall(r"(?:https?:)?//\w[^\s\"'<]*", re.sub(r'xmlns(:\w+)?="[^"]*"', "", page.source))
    ids = Counter(page.values("id"))
    assert max(ids.values()) == 1
    assert set(re.findall(r"url\(#([^)]*)\)", page.source)) <= set(ids)
    assert "None" not in page.text and "&lt;sub" not in page.source


def test_the_page_answers_in_this_order(report, page):
    places = [page.source.index(f'<section id="{name}">') for name in SECTIONS]
    assert places == sorted(places) and page.source.index('<div class="answer') < places[0]
    assert page.tags["svg"] == 3
    assert [section(page.source, name).count("<svg") for name in ("slopes", "widths", "growth")] == [1, 1, 1]
    text = words.answer(report)
    fixed, exponential = text[0].split("; ")
    assert fixed == "Fixed weak correlations with m(n) = n^1, limited by C^{0,2}, C^{0,3} and C^{1,1} (definite)"
    assert exponential == "exponential weak correlations with m(n) = n^2/3, limited by C^{0,3} (definite)."
    assert "the distance |F − F_lin| is exactly of the size n^-1 (definite)" in text[1]
    main = report.at()
    median = words.measured(main.medians[-1], main.median_errors[-1])
    assert f"from 6 initialisations at width 64, the median distance is {median} (measured)" in text[2]
    assert words.slope(main) in text[2]
    shown = part(page.source, '<div class="answer">', "</div>")
    assert shown.count("<p>") == 3 and "m(n) = n<sup>2/3</sup>" in shown and "F<sub>lin</sub>" in shown


def test_every_outcome_is_labelled_and_says_what_decides_it(report, page):
    rows = section(page.source, "outcomes").split("<tbody>")[-1].split("</tr>")[:-1]
    assert len(rows) == len(report.outcomes) + 1 == 13
    for outcome, row in zip(ordered(report), rows, strict=True):
        p = outcome.prediction
        assert (p.status in row) == (p.law is not None)
        assert words.slope(outcome) in row
        assert row.count("3.1: ") == sum(c.theorem == "3.1" for c in outcome.claims)
        assert words.verdict(outcome) in row
        assert all(re.sub(r"C\^\{(\d),(\d)\}", r"C<sup>\1,\2</sup>", reason) in row for reason in p.reasons)
    assert rows[-1].count("sup ") == 1 and "<td>5</td>" in rows[-1]
    assert section(page.source, "outcomes").count('<table class="grid"') == 2
    one = learned(rhos=[], kappas=[], growth=0, patience=0)
    assert len(one.outcomes) == 3
    short = written(one)
    assert short.count('<table class="grid"') == 1 and 'id="growth"' not in short


def test_predictions_and_measurements_are_told_apart(report, page):
    assert report.at(-1, steps=1).prediction.status == "definite"
    grid = part(page.source, '<table class="grid" aria-label="predicted size and verdict over ρ">', "</table>")
    assert '<span class="law">n<sup>−3</sup></span>' in grid
    assert '<span class="law">n<sup>−1</sup></span>' in grid
    scales = part(page.source, '<table class="grid" aria-label="predicted size and verdict over κ">', "</table>")
    assert '<span class="law">O((log n)<sup>1/2</sup>)</span>' in scales
    assert "no prediction" in grid
    assert report.at(QUARTER).prediction.law is None
    assert words.verdict(report.at(QUARTER)) == "no prediction" and report.at(QUARTER).verdict is not None


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


def test_the_threshold_is_explained(report, page):
    found = report.threshold
    text = " ".join(words.threshold(report))
    assert f"λ_max = {found.eigenvalue:.4g} (a limit)" in text and f"2/λ_max = {2 / found.eigenvalue:.4g}" in text
    assert "η = 0.5" in text and "Below it the linear model converges" in text
    assert f"λ<sub>max</sub> = {found.eigenvalue:.4g}" in section(page.source, "threshold")
    fast = replace(report, run={**report.run, "learning_rate": 3 * found.rate})
    assert "Above it the linear model itself diverges" in " ".join(words.threshold(fast))
    other = replace(report, run={**report.run, "momentum": "1/2"})
    assert "momentum 1/2 that is a scale only" in " ".join(words.threshold(other))
    unknown = replace(report, threshold=Threshold(None, "no limit"))
    assert words.threshold(unknown)[0] == "λ_max of the limit kernel could not be taken: no limit."


def test_where_theorem_and_derivation_differ_is_told_from_the_numbers(report, page):
    text = " ".join(words.disagreement(report))
    assert "C^{0,3} has the exponent −1 (definite)" in text
    assert "m(n) = n^1 would need −3/2; hence only m(n) = n^2/3 (definite)." in text
    assert "O(n^(ρ-2/3))" in text
    pairs = {(o.prediction.rho, o.prediction.steps, c.theorem) for o, c in words.differing(report)}
    assert (ZERO, 2, "3.2") in pairs and (ZERO, 2, "3.1") not in pairs
    first = report.at(QUARTER, steps=1)
    (claim,) = [c for c in first.claims if c.theorem == "3.2"]
    assert words.stronger(first, claim) and words.against(first, claim)
    assert "contradicted by what is derived" in words.stands(first, claim)
    assert "exceeds" in words.beyond(report)
    rows = section(page.source, "theorems").split("<tbody>")[1].split("</tr>")[:-1]
    assert len(rows) == len(words.differing(report))
    assert section(page.source, "theorems").count("✗") == sum(words.against(o, c) for o, c in words.differing(report))


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
    assert words.disagreement(changed) == []
    lasting = replace(report.at().prediction, law=Exponent(), status="definite")
    text = words.answer(replace(report, outcomes=(replace(report.at(), prediction=lasting),)))
    assert text[1].endswith("is exactly of the size n^0 (definite): it does not vanish: learning is not linear.")
    bound = replace(lasting, status="upper bound")
    text = words.answer(replace(report, outcomes=(replace(report.at(), prediction=bound),)))
    assert text[1].endswith("predicted to be O(n^0) (upper bound): nothing says that it vanishes.")


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
    assert words.size(law) == "(log n)^1/2"
    assert words.claimed(Claim("3.1", law)) == "O((log n)^1/2)"


def test_the_exponents_stand_by_kappa(report, page):
    text = section(page.source, "exponents")
    assert [f"κ = {k}" in text for k in ("0", "1/2")] == [True, True]
    assert text.count("<tr>") == 1 + len(report.table) + 2
    row = part(text, "<strong>C<sup>0,3</sup></strong>", "</tr>")
    assert "n<sup>−1</sup>" in row and "n<sup>0</sup>" in row and "O(" not in row
    assert "not weak" in text
    for entry in report.table:
        row = part(text, f"<strong>C<sup>{entry.D},{entry.d}</sup></strong>", "</tr>")
        assert ("O(" in row) == (entry.status != "definite")
    assert {entry.status for entry in report.table} > {"definite"}


def test_the_page_says_how_to_repeat_the_run(report, page):
    run = report.run
    for text in ("2 inputs, 1 input more", "squared", "all trained inputs at every step", run["data_digest"]):
        assert text in page.text
    for text in (run["targets_digest"], run["program_digest"], "16, 32, 64", "2; 5 in the long run", run["cpu"]):
        assert text in page.text
    assert str(report.program.restricted(["F0"])) in page.source.replace("&#39;", "'")


def test_tables_hold_every_outcome(report, folder):
    text = markdown(report)
    assert text == (folder / "table.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + len(report.outcomes) + 1
    assert {len(re.split(r"(?<!\\)\|", row)) for row in rows} == {14}
    plain = str(report).splitlines()
    assert plain[0] == "small net" and plain[-1] == words.counted(report)
    assert sum("|F − F_lin|" in line for line in plain) == 9 + 1
    assert "<strong>small net</strong>" in report._repr_html_() and "<svg" not in report._repr_html_()


def test_the_json_obeys_the_schema_which_is_strict(report, folder):
    text = (folder / "linearity.json").read_text(encoding="utf-8")
    found = strict(text)
    VALID.validate(found)
    assert found["kind"] == "linearity" and found["largest_rho"] == "1/3" and found["largest_rho_relative"] == "1/2"
    assert [t["kappa"] for t in found["tables"]] == ["0", "1/2"]
    one = next(o for o in found["outcomes"] if (o["rho"], o["steps"], o["quantity"]) == ("-1", 1, "deviation"))
    assert (one["exponent"], one["log_power"], one["status"], one["reasons"]) == ("-3", "0", "definite", ["C^{0,2}"])
    none = next(o for o in found["outcomes"] if (o["rho"], o["steps"], o["quantity"]) == ("1/4", 2, "deviation"))
    assert (none["exponent"], none["verdict"]) == (None, None)
    assert [len(curve) for curve in found["growth"]["curves"]] == [5] * 3
    wrong = [
        broken(found, extra=1),
        broken(found, run=...),
        broken(found, "run", extra=1),
        broken(found, "run", steps="2"),
        broken(found, "outcomes", 0, slope="1"),
        broken(found, "outcomes", 0, exponent="2/2x"),
        broken(found, "outcomes", 0, reasons=...),
        broken(found, "outcomes", 0, "theorems", 0, theorem="3.3"),
        broken(found, "outcomes", 0, "theorems", 0, extra=1),
        broken(found, "growth", curves=...),
        broken(found, "threshold", rate="2"),
        broken(found, "tables", 0, kappa=0),
    ]
    assert all(not VALID.is_valid(other) for other in wrong)


def test_equal_runs_give_equal_numbers(report):
    other = learned()
    ours, theirs = report.to_object(), other.to_object()
    for found in (ours, theirs):
        del found["run"]["seconds"]
    assert ours == theirs
    assert over_rho(report) == over_rho(other)


def test_mistakes_are_found_before_any_work(monkeypatch):
    monkeypatch.setattr(
        sys.modules["tensorprog.report.linear_report"], "threshold", lambda *_: pytest.fail("work has started")
    )
    for options, error, message in (
        ({"growth": -1}, SamplingError, "growth=-1"),
        ({"growth": 5, "batches": [[0], [1]]}, TrainingError, "2 batches are given for 5 steps"),
        ({"learning_rate": 0}, TrainingError, "must be positive"),
        ({"workers": 0}, SamplingError, "workers=0"),
        ({"seed": -1}, SamplingError, "seed=-1"),
        ({"patience": -1}, SamplingError, "patience=-1"),
        ({"margin": 0}, SamplingError, "margin=0"),
        ({"samples": 1}, SamplingError, "samples=1"),
    ):
        with pytest.raises(error, match=message):
            learned(**options)

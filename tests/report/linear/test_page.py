"""The page of linear learning: offline, section by section, everything labelled, how to repeat the run."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

from report.linear.learned import QUARTER, learned, section
from report.pages import part

from tensorprog.learning.threshold import Threshold
from tensorprog.report import linear_words as words
from tensorprog.report.linear_page import page as written
from tensorprog.report.linear_tables import ordered

SECTIONS = ("outcomes", "slopes", "widths", "threshold", "growth", "theorems", "exponents", "run")


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
        assert (f"as predicted: {words.onset(outcome)}" in row) == (p.law is not None)
        assert all(re.sub(r"C\^\{(\d),(\d)\}", r"C<sup>\1,\2</sup>", reason) in row for reason in p.reasons)
    assert rows[-1].count("sup ") == 1 and "<td>5</td>" in rows[-1]
    assert section(page.source, "outcomes").count('<table class="grid"') == 2
    one = learned(rhos=[], kappas=[], growth=0, patience=0)
    assert len(one.outcomes) == 3
    short = written(one)
    assert short.count('<table class="grid"') == 1 and 'id="growth"' not in short
    assert ["max-width: 720px" in section(text, "slopes") for text in (short, page.source)] == [True, False]


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


def test_the_threshold_is_explained(report, page):
    found = report.threshold
    text = " ".join(words.threshold(report))
    assert f"λ_max = {found.eigenvalue:.4g} (a limit)" in text and f"2/λ_max = {2 / found.eigenvalue:.4g}" in text
    assert "η = 0.5" in text and "Below it the linear model converges" in text
    assert f"λ<sub>max</sub> = {found.eigenvalue:.4g}" in section(page.source, "threshold")
    fast = replace(report, run={**report.run, "learning_rate": 3 * found.rate})
    assert "Above it the linear model itself diverges" in " ".join(words.threshold(fast))
    other = " ".join(words.threshold(replace(report, threshold=replace(found, momentum=0.5, decay=0.25))))
    assert f"2(1 + μ)/(λ_max + λ) = {3 / (found.eigenvalue + 0.25):.4g}" in other
    assert "with momentum μ = 0.5 and weight decay λ = 0.25" in other
    refused = " ".join(words.threshold(replace(report, threshold=replace(found, reason="the loss is another one"))))
    assert "It gives no threshold: the loss is another one." in refused and "η <" not in refused
    unknown = replace(report, threshold=Threshold(None, "no limit"))
    assert words.threshold(unknown)[0] == "λ_max of the limit kernel could not be taken: no limit."


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

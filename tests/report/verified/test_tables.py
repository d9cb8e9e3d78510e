"""Tables and texts: every entry in every form, refutations and vanishing correlations in words."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from report.pages import VALID, Page, part, strict
from report.verified.bilinear import ORDERS, VANISHING, WIDTHS, bilinear

import tensorprog as tp
from tensorprog.errors import OrderError
from tensorprog.readings.layout import latex_law
from tensorprog.report.html import page as written
from tensorprog.report.tables import latex


def test_the_markdown_table_has_every_entry(report, folder):
    text = (folder / "table.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert lines[0] == "| D | d | derived | status | measured slope | verdict | tight |"
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert [(row[0], row[1]) for row in rows] == [(str(D), str(d)) for D, d in ORDERS]
    for row, m in zip(rows, report.measurements, strict=True):
        assert len(row) == 7
        assert row[2:4] == [str(m.entry), m.entry.status]
        assert row[5] == m.verdict.verdict
    assert text.startswith("# bilinear net\n")
    assert "6 correlations: " in text


def test_the_latex_table_has_every_entry_in_ascii(report, folder):
    text = (folder / "table.tex").read_text(encoding="utf-8")
    assert text.isascii()
    assert text.startswith(r"\begin{tabular}{rrlllll}") and text.endswith("\\end{tabular}\n")
    assert text.count("{") == text.count("}") and text.count("$") % 2 == 0
    assert "%" not in text and "_" not in text
    rows = [line.removesuffix(r" \\").split(" & ") for line in text.splitlines() if re.match(r"\d & \d & ", line)]
    assert [(row[0], row[1]) for row in rows] == [(str(D), str(d)) for D, d in ORDERS]
    for row, m in zip(rows, report.measurements, strict=True):
        assert len(row) == 7
        assert row[2:4] == [latex_law(m.entry), m.entry.status]
        assert row[5] == m.verdict.verdict
    assert "$n^{-1/2}$" in text


def test_the_text_has_every_entry_and_the_advice(report):
    text = str(report)
    for m in report.measurements:
        assert re.search(rf"^{m.entry.D}  {m.entry.d}  {re.escape(str(m.entry))} ", text, re.MULTILINE)
        assert m.verdict.advice is None or str(m.verdict.advice) in text
    assert any(m.verdict.advice for m in report.measurements)
    assert "0 refuted" in text


def test_the_fragment_for_notebooks_is_a_table_without_figures(report):
    fragment = Page(report._repr_html_())
    assert (fragment.tags["table"], fragment.tags["svg"], fragment.tags["script"]) == (1, 0, 0)
    assert "bilinear net" in fragment.text and "6 correlations: " in fragment.text
    assert fragment.source.count('class="badge"') == len(ORDERS)
    assert not fragment.values("href", "src", "id")


def test_a_correlation_that_vanishes_identically_is_shown_as_0(report, folder, page):
    for order in VANISHING:
        m = report[order]
        assert (m.entry.exponent, m.entry.status) == (None, "definite")
        assert (m.verdict.verdict, m.verdict.tight) == ("confirmed", True)
        assert all((values == 0).all() for values in m.samples)
        assert f"| {order[0]} | {order[1]} | 0 | definite | — | confirmed |" in (folder / "table.md").read_text()
        assert f"{order[0]} & {order[1]} & $0$ & definite & --- & confirmed" in (folder / "table.tex").read_text()
        (entry,) = [c for c in strict(report.to_json())["correlations"] if (c["D"], c["d"]) == order]
        for field in ("exponent", "log_power", "slope", "interval", "raw_slope", "raw_interval"):
            assert entry[field] is None
        assert entry["medians"] == [0.0] * 3
        figure = part(page.source, f'id="C-{order[0]}-{order[1]}">', "</figure>")
        assert "all samples are exactly 0" in figure
        assert "nan" not in figure.lower().replace("dominant", "")
    assert not re.search(r"\b(nan|inf)\b", page.text)


def test_an_operator_that_vanishes_identically_can_be_verified():
    data = np.random.default_rng(7).standard_normal((4, 3))
    found = tp.verify(tp.trace(bilinear, inputs=4), data, [(0, 1), (2, 1)], WIDTHS, 4, progress=False)
    assert found[2, 1].entry.exponent is None
    assert found[2, 1].verdict.verdict == "confirmed"
    assert found[0, 1].entry.exponent == 0


def test_a_refutation_is_said_in_words_everywhere(report, refuted, plain_figures, tmp_path):
    assert not report.refuted
    assert [(m.entry.D, m.entry.d) for m in refuted.refuted] == [(0, 1), (0, 2), (1, 1), (2, 0)]
    folder = refuted.save(tmp_path)
    found = Page((folder / "report.html").read_text(encoding="utf-8"))
    assert "6 correlations: 2 confirmed, 0 inconclusive, 4 refuted" in found.text
    assert '<p class="answer bad">' in found.source
    against = "but measurement contradicts"
    assert f"{against} C1,1" in found.text or f"{against} C0,2" in found.text
    grid = part(found.source, '<table class="grid"', "</table>")
    assert grid.count('<td class="bad">') == 4
    assert grid.count("✗</span> refuted") == 4
    for text in (str(refuted), (folder / "table.md").read_text(encoding="utf-8")):
        assert "4 refuted" in text and against in text
    assert (folder / "table.tex").read_text().count("& refuted &") == 4
    verdicts = [c["verdict"] for c in strict((folder / "report.json").read_text(encoding="utf-8"))["correlations"]]
    assert Counter(verdicts) == {"refuted": 4, "confirmed": 2}
    assert "4 refuted" in Page(refuted._repr_html_()).text
    assert against not in str(report)


def test_a_report_answers_by_order(report):
    assert report[1, 1].entry is report.table[1, 1]
    with pytest.raises(OrderError, match=r"\(4, 4\)"):
        report[4, 4]


def test_logarithms_and_infinite_ones_are_written_in_every_form(report, plain_figures):
    """Classes that this small net does not have, put into its table."""
    laws = {
        (0, 1): (Fraction(0), Fraction(1, 2), "(log n)<sup>1/2</sup>", r"$(\log n)^{1/2}$"),
        (0, 2): (Fraction(-1), Fraction(1), "n<sup>−1</sup> log n", r"$n^{-1} \log n$"),
        (1, 1): (Fraction(-1, 2), None, "n<sup>−1/2+o(1)</sup>", r"$n^{-1/2+o(1)}$"),
        (2, 0): (Fraction(1), Fraction(0), "n", "$n$"),
    }
    measurements = []
    for m in report.measurements:
        power, log, *_ = laws.get((m.entry.D, m.entry.d), (None, None))
        measurements.append(replace(m, entry=replace(m.entry, exponent=power, log_power=log)))
    table = replace(report.table, entries=tuple(m.entry for m in measurements))
    other = replace(report, table=table, measurements=tuple(measurements))
    text = written(other)
    for (D, d), (_, _, in_html, in_latex) in laws.items():
        assert f'href="#C-{D}-{d}">{in_html}</a>' in text
        assert f"{D} & {d} & {in_latex} &" in latex(other)
    VALID.validate(strict(other.to_json()))

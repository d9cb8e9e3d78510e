"""The folder of a report of linear learning: files, tables, strict JSON, exact repetition, errors before any work."""

from __future__ import annotations

import re
import sys
from fractions import Fraction

import numpy as np
import pytest
from report.linear.learned import DATA, PROGRAM, QUARTER, VALID, WIDTHS, learned, seen
from report.pages import broken, strict

from tensorprog.errors import SamplingError, TrainingError
from tensorprog.program.text import read
from tensorprog.report import linear_words as words
from tensorprog.report.linear_figures import over_rho
from tensorprog.report.linear_tables import markdown

FILES = {
    *("linearity.html", "linearity.json", "deviation_over_rho.svg", "deviation_over_width.svg", "table.md"),
    *("program.txt", "data.npy", "targets.npy", "samples.npz"),
}


def test_a_report_is_these_files(report, folder):
    assert {path.name for path in folder.iterdir()} == FILES
    assert read((folder / "program.txt").read_text(encoding="utf-8")) == PROGRAM
    assert np.array_equal(np.load(folder / "data.npy"), DATA)
    assert np.array_equal(np.load(folder / "targets.npy"), [1, -1])
    with np.load(folder / "samples.npz") as samples:
        assert len(samples.files) == (len(report.outcomes) + 1) * len(WIDTHS)
        assert np.array_equal(samples["deviation_rho_1over4_kappa_0_steps_2_n32"], report.at(QUARTER).samples[1])
        assert np.array_equal(samples["sup_n64"], report.growth.outcome.samples[2])


def test_tables_hold_every_outcome(report, folder):
    text = markdown(report)
    assert text == (folder / "table.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + len(report.outcomes) + 1
    assert {len(re.split(r"(?<!\\)\|", row)) for row in rows} == {15}
    plain = str(report).splitlines()
    assert plain[0] == "small net" and plain[-2:] == [words.counted(report), words.advice(report)]
    settled = seen(report, verdict="confirmed", advice=None)
    assert str(settled).splitlines()[-1] == words.counted(settled) and "To settle" not in markdown(settled)
    assert "use at least 20" in text
    (long,) = [line for line in plain if line.startswith("sup of")]
    assert "  5      n^-1 for 2 steps  definite  " in long
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
    assert one["onset"] in (*WIDTHS[:-1], None) and none["onset"] is None
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
        broken(found, "outcomes", 0, onset=0),
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
        sys.modules["tensorprog.report.linear_run"], "threshold", lambda *_: pytest.fail("work has started")
    )
    for options, error, message in (
        ({"growth": -1}, SamplingError, "growth=-1"),
        ({"growth": 5, "batches": [[0], [1]]}, TrainingError, "2 batches are given for 5 steps"),
        ({"learning_rate": 0}, TrainingError, "must be positive"),
        ({"workers": 0}, SamplingError, "workers=0"),
        ({"seed": -1}, SamplingError, "seed=-1"),
        ({"patience": -1}, SamplingError, "patience=-1"),
        ({"margin": 0}, SamplingError, "margin=0"),
        ({"margin": True}, SamplingError, "margin=True must be a positive number"),
        ({"rhos": [0, 100000]}, SamplingError, "rho=100000 and kappa=0 at width"),
        ({"kappas": [Fraction(-500)]}, SamplingError, "rho=0 and kappa=-500 at width"),
        ({"samples": 1}, SamplingError, "samples=1"),
        ({"learning_rate": [0.1, 0.2]}, TrainingError, "must be one number"),
        ({"steps": 10**6}, TrainingError, "steps=1000000"),
        ({"growth": 10**6}, TrainingError, "steps=1000000"),
        ({"tasks": ["parity:2"]}, TrainingError, "'parity:2' is no task"),
    ):
        with pytest.raises(error, match=message):
            learned(**options)

"""Tasks on which features are learned, in the report: sentences, figure, tables, JSON, files."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from report.linear.learned import HALF, VALID, WIDTHS, ZERO, learned, section
from report.pages import Page, broken, strict

from tensorprog.learning.features import overall, within
from tensorprog.report import linear_tasks as tasks
from tensorprog.report.linear_figures import foretold
from tensorprog.report.linear_page import page as written
from tensorprog.report.linear_tables import markdown

TASKS = ("parity:2:4", "two-index:3")


@pytest.fixture(scope="module")
def trained():
    return learned(tasks=TASKS, rhos=[], kappas=[], growth=0, patience=0)


def remade(report, **change):
    """The report, had all cells come out otherwise."""
    return replace(report, learned=tuple(replace(c, **{k: f(c) for k, f in change.items()}) for c in report.learned))


def test_cells_are_tasks_by_scale_and_width(trained):
    places = [(c.task, c.kappa, c.width) for c in trained.learned]
    names = ("parity of 2 of 4 bits", "two-index target in 3 dimensions")
    assert places == [(name, kappa, width) for name in names for kappa in (ZERO, HALF) for width in WIDTHS]
    assert {(c.rate, len(c.foreseen), len(c.last)) for c in trained.learned} == {(0.5, 6, 6)}
    own = learned(tasks=TASKS[:1], rhos=[], kappas=[], growth=0, patience=0, learning_rate=None)
    assert own.learned[0].rate != own.run["learning_rate"]  # half of the threshold on the task, not on the data
    assert learned(rhos=[], kappas=[], growth=0, patience=0).learned == ()


def test_the_section_answers_the_question(trained):
    page = Page(written(trained))
    text = section(page.source, "tasks")
    assert text.count("<svg") == 1 and "None" not in page.text
    assert text.split("<tbody>")[1].count("<tr>") == len(trained.learned)
    assert "2 inputs trained on, 1 more; 2 steps at the η of the table" in text
    assert "16, 32, 64, with the external scales κ = 0 and 1/2" in text
    first, over, inside, size = tasks.answer(trained)
    assert first.startswith("Do correlations at initialisation predict the gap after training? ")
    assert (
        f"Over the 12 cells of task, κ and width their rank correlation is {overall(trained.learned).value:.2f}" in over
    )
    shown = [within([c for c in trained.learned if c.kappa == kappa]).value for kappa in (ZERO, HALF)]
    assert [f"{value:.2f}".replace("-", "−") in inside for value in shown] == [True, True]
    assert re.search(r"the gap after 2 steps is [\d.e-]+ to [\d.e-]+ times what is foreseen", size)


def test_the_answer_follows_the_numbers(trained):
    rng = np.random.default_rng(0)
    equal = remade(trained, last=lambda c: c.foreseen)
    assert "In order they do, over cells and over initialisations." in tasks.answer(equal)[0]
    assert tasks.answer(equal)[3].endswith("the gap after 2 steps is 1 times what is foreseen.")
    opposite = remade(trained, last=lambda c: 1 / c.foreseen)
    assert "These samples do not show that they do." in tasks.answer(opposite)[0]
    mixed = remade(trained, last=lambda c: c.foreseen if c.kappa == 0 else rng.permutation(1 / c.foreseen))
    assert "over initialisations at κ = 0 only." in tasks.answer(mixed)[0]
    still = remade(trained, last=lambda c: np.zeros(6))
    assert tasks.answer(still)[1].endswith("their rank correlation is —.")
    VALID.validate(strict(still.to_json()))
    assert "<svg" in section(written(still), "tasks")


def test_the_figure_has_a_marker_for_each_task_and_scale(trained):
    drawn = foretold(trained)
    for text in ("κ = 0", "κ = 1/2", "parity of 2 of 4 bits", "n = 16", "n = 64", "equal"):
        assert f">{text}<" in drawn or f"{text}</text>" in drawn
    assert drawn == foretold(trained)


def test_tables_and_files_hold_every_cell(trained, tmp_path):
    text = markdown(trained)
    assert len(re.findall(r"^\| (parity|two-index)", text, re.MULTILINE)) == len(trained.learned)
    assert str(trained).count("parity of 2 of 4 bits") == 6 and tasks.QUESTION in str(trained)
    folder = trained.save(tmp_path)
    assert (folder / "foretold.svg").read_text(encoding="utf-8") == foretold(trained)
    with np.load(folder / "samples.npz") as samples:
        kept = samples["parity_of_2_of_4_bits_kappa_1over2_foreseen_n32"]
        assert np.array_equal(kept, trained.learned[4].foreseen)
        assert sum("_kappa_" in name and "bits" in name for name in samples.files) == 6 * 3


def test_the_json_of_tasks_is_strict(trained):
    found = strict(trained.to_json())
    VALID.validate(found)
    assert found["run"]["tasks"] == list(TASKS)
    assert [one["kappa"] for one in found["tasks"]["within_cells"]] == ["0", "1/2"]
    one = found["tasks"]["cells"][0]
    assert one["gap"] == pytest.approx(np.median(trained.learned[0].last)) and one["samples"] == 6
    wrong = [
        broken(found, tasks=...),
        broken(found, "tasks", extra=1),
        broken(found, "tasks", "rank_correlation", value=2),
        broken(found, "tasks", "within_cells", 0, kappa=...),
        broken(found, "tasks", "cells", 0, gap=-1),
        broken(found, "tasks", "cells", 0, median_errors=[1, 2]),
        broken(found, "run", tasks="parity:2:4"),
    ]
    assert all(not VALID.is_valid(other) for other in wrong)

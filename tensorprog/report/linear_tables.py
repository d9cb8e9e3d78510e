"""The outcomes of `tp.linearity`, one line each, as text and Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from tensorprog.report import linear_tasks as tasks
from tensorprog.report.linear_theorems import against
from tensorprog.report.linear_words import (
    NAMES,
    advice,
    answer,
    claimed,
    counted,
    left_out,
    measured,
    onset,
    predicted,
    slope,
    steps_of,
    verdict,
)
from tensorprog.report.wording import markdown_text, minus

if TYPE_CHECKING:
    from tensorprog.learning.study import Outcome
    from tensorprog.report.linear_report import Linearity

HEADINGS = (
    *("quantity", "ρ", "κ", "steps", "predicted", "status", "measured slope", "slope as predicted", "verdict"),
    "theorems as quoted",
)
MORE = ("decided by", "median at the largest width", "widths left out")


def ordered(report: Linearity) -> list[Outcome]:
    """By quantity and steps; at κ = 0 by ρ, then at ρ = 0 by κ; the long run last."""
    kinds = list(NAMES)

    def place(outcome: Outcome) -> tuple[int, int, Fraction, Fraction]:
        p = outcome.prediction
        return kinds.index(p.quantity), p.steps, p.kappa, p.rho

    rows = sorted(report.outcomes, key=place)
    return rows if report.growth is None else [*rows, report.growth.outcome]


def plain(report: Linearity) -> str:
    """The answer, aligned columns for the terminal, and how many predictions held."""
    lines = [report.run["architecture"], "", *answer(report), ""]
    lines += [*_aligned([HEADINGS, *(_cells(report, o) for o in ordered(report))]), "", counted(report)]
    lines += [text for text in [advice(report)] if text]
    if report.learned:
        lines += ["", *tasks.answer(report), "", *_aligned([tasks.headings(report), *tasks.rows(report)])]
    return "\n".join(lines)


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Columns of equal width, the headings underlined."""
    sizes = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(size) for cell, size in zip(row, sizes, strict=True)).rstrip() for row in rows]
    return [lines[0], "  ".join("─" * size for size in sizes), *lines[1:]]


def markdown(report: Linearity) -> str:
    """The same with what decides each prediction."""
    lines = [
        f"# {markdown_text(report.run['architecture'])}: does it learn linearly?",
        "",
        *(f"{line}  " for line in answer(report)),
    ]
    lines += ["", _line((*HEADINGS, *MORE)), "|---|--:|--:|--:|---|---|---|---|---|---|---|---|---|"]
    lines += [_line((*_cells(report, o), *_more(o))) for o in ordered(report)]
    lines += ["", f"{counted(report)}. {advice(report)}".rstrip()]
    if report.learned:
        lines += ["", *(f"{line}  " for line in tasks.answer(report)), "", _line(tasks.headings(report))]
        lines += ["|---|--:|--:|--:|---|---|---|--:|", *map(_line, tasks.rows(report)), "", tasks.how(report)]
    return "\n".join(lines) + "\n"


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _cells(report: Linearity, outcome: Outcome) -> tuple[str, ...]:
    p, growth = outcome.prediction, report.growth
    long = growth is not None and outcome is growth.outcome
    quoted = [f"{c.theorem}: {claimed(c)}" + " ✗" * against(outcome, c) for c in outcome.claims]
    return (
        f"sup of {NAMES[p.quantity]}" if long else NAMES[p.quantity],
        minus(p.rho),
        minus(p.kappa),
        str(growth.steps) if growth is not None and long else str(p.steps),
        f"{predicted(p)} for {steps_of(p.steps)}" if long else predicted(p),
        "" if p.law is None else p.status,
        slope(outcome),
        onset(outcome),
        verdict(outcome),
        ", ".join(quoted),
    )


def _more(outcome: Outcome) -> tuple[str, ...]:
    return (
        ", ".join(outcome.prediction.reasons),
        measured(outcome.medians[-1], outcome.median_errors[-1]),
        left_out(outcome),
    )

"""The detailed table of a report, one line a correlation, as text, Markdown and LaTeX."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensorprog.notation import order
from tensorprog.readings.layout import latex_law
from tensorprog.report.wording import TIGHT, answer, counted, interval, markdown_text, number, proof_line, statement
from tensorprog.report.wording import advice as advise

if TYPE_CHECKING:
    from tensorprog.report.report import Measurement, Report

HEADINGS = ("D", "d", "derived", "status", "measured slope", "verdict", "tight")


def plain(report: Report) -> str:
    """Aligned columns for the terminal, advice where there is some, and what the table says about m(n)."""
    rows = [HEADINGS, *(_cells(m) for m in report.measurements)]
    sizes = [max(len(row[i]) for row in rows) for i in range(len(HEADINGS))]
    lines = ["  ".join(cell.ljust(size) for cell, size in zip(row, sizes, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("─" * size for size in sizes))
    advice = [f"{order(m.entry.D, m.entry.d)}: {advise(m)}" for m in report.measurements if m.verdict.advice]
    closing = [counted(report), *_closing(report)[1:], *map(proof_line, report.proofs)]
    return "\n".join([report.run.architecture, "", *lines, *([""] if advice else []), *advice, "", *closing])


def markdown(report: Report) -> str:
    """The same table in Markdown."""
    lines = [f"# {markdown_text(report.run.architecture)}", "", f"{answer(report)}.", ""]
    lines += ["| " + " | ".join(HEADINGS) + " |", "|--:|--:|---|---|---|---|---|"]
    lines += ["| " + " | ".join(_cells(m)) + " |" for m in report.measurements]
    advice = [f"- {order(m.entry.D, m.entry.d)}: {advise(m)}" for m in report.measurements if m.verdict.advice]
    closing = [f"{line}.  " for line in (*_closing(report)[1:], *map(proof_line, report.proofs))]
    return "\n".join([*lines, "", *advice, *([""] if advice else []), *closing]) + "\n"


def latex(report: Report) -> str:
    """The same table as a LaTeX tabular; needs no package."""
    lines = [r"\begin{tabular}{rrlllll}", r"\hline"]
    lines += [
        r"$D$ & $d$ & derived & status & measured slope & verdict & tight \\ \hline",
    ]
    for m in report.measurements:
        slope, ends = number(m.verdict.slope), interval(m.verdict.interval)
        measured = f"${slope}\\;{ends}$".replace("−", "-").replace("∞", r"\infty") if ends else "---"
        cells = _cells(m)
        lines.append(" & ".join([*cells[:2], latex_law(m.entry), cells[3], measured, *cells[5:]]) + r" \\")
    return "\n".join([*lines, r"\hline", r"\end{tabular}"]) + "\n"


def _cells(m: Measurement) -> tuple[str, ...]:
    measured = f"{number(m.verdict.slope)} {interval(m.verdict.interval)}".strip()
    return (
        str(m.entry.D),
        str(m.entry.d),
        str(m.entry),
        m.entry.status,
        measured,
        m.verdict.verdict,
        TIGHT[m.verdict.tight],
    )


def _closing(report: Report) -> list[str]:
    return [answer(report), statement(report, report.table.fixed), statement(report, report.table.exponential)]

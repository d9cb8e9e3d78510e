"""What a report of `tp.linearity` says of tasks on which features are learned: sentences, and a table of numbers."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from tensorprog.learning.features import SCALES, Agreement, overall, within
from tensorprog.report.linear_words import joined, measured, steps_of
from tensorprog.report.wording import interval, minus, number

if TYPE_CHECKING:
    from tensorprog.report.linear_report import Linearity

QUESTION = "Do correlations at initialisation predict the gap after training?"


def headings(report: Linearity) -> tuple[str, ...]:
    last = f"gap after {steps_of(report.run['steps'])}"
    return ("task", "κ", "width", "η", "gap foreseen at θ_0", "gap after 1 step", last, "rank correlation")


def rows(report: Linearity) -> list[tuple[str, ...]]:
    """A line for each task, κ and width: medians over initialisations, and their rank correlation."""
    return [
        (
            cell.task,
            minus(cell.kappa),
            str(cell.width),
            f"{cell.rate:g}",
            *(measured(*pair) for pair in zip(cell.medians, cell.median_errors, strict=True)),
            number(cell.agreement),
        )
        for cell in report.learned
    ]


def how(report: Linearity) -> str:
    """What was trained, on which inputs, at which widths."""
    run, widths = report.run, sorted({c.width for c in report.learned})
    inputs = f"{run['trained']} inputs trained on" + (f", {run['tested']} more" if run["tested"] else "")
    return (
        f"Each task has {inputs}; {steps_of(run['steps'])} at the η of the table, at the smaller widths, "
        f"{', '.join(map(str, widths))}, with the external scales κ = {joined([minus(k) for k in SCALES])}."
    )


def answer(report: Linearity) -> list[str]:
    """Whether they do: in order over cells, in order over initialisations, and in size."""
    over = overall(report.learned)
    inside = [within([c for c in report.learned if c.kappa == kappa]) for kappa in SCALES]
    each = [_inside(report, kappa, found) for kappa, found in zip(SCALES, inside, strict=True)]
    ratios = [last / foreseen for foreseen, _, last in (c.medians for c in report.learned) if foreseen]
    size = f"In size, the gap after {steps_of(report.run['steps'])} is {_range(ratios)} times what is foreseen."
    return [
        f"{QUESTION} {_verdict(over, inside)}.",
        f"Over the {len(report.learned)} cells of task, κ and width their rank correlation is {_agreement(over)}.",
        f"Over the initialisations within a cell it is on average {' and '.join(each)}.",
        *([size] if ratios else []),
    ]


def _inside(report: Linearity, kappa: Fraction, found: Agreement) -> str:
    each = [c.agreement for c in report.learned if c.kappa == kappa]
    return f"{_agreement(found)} at κ = {minus(kappa)} (cells: {number(min(each))} to {number(max(each))})"


def _verdict(over: Agreement, inside: list[Agreement]) -> str:
    """By whether the intervals of all, of some, or of none are above 0."""
    if over.positive and all(one.positive for one in inside):
        return "In order they do, over cells and over initialisations"
    where = ["over cells"] * over.positive + [
        f"over initialisations at κ = {minus(kappa)}" for kappa, one in zip(SCALES, inside, strict=True) if one.positive
    ]
    return f"In order they do {joined(where)} only" if where else "These samples do not show that they do"


def _agreement(found: Agreement) -> str:
    return f"{number(found.value)} {interval(found.interval)}".strip()


def _range(ratios: list[float]) -> str:
    low, high = (f"{end:.2g}" for end in (min(ratios), max(ratios)))
    return low if low == high else f"{low} to {high}"

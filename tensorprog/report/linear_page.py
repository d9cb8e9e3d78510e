"""The report of `tp.linearity` as one self-contained HTML page, and a short fragment for notebooks.

It answers a reader of arXiv 2401.04013: is the network weakly correlated, how far from linear does it learn, do the
theorems as quoted say the same, and does training agree. No scripts and no requests, as in `html`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from tensorprog import notation
from tensorprog.notation import HTML
from tensorprog.report import linear_figures as figures
from tensorprog.report import linear_tasks as tasks
from tensorprog.report import linear_theorems as theorems
from tensorprog.report import linear_words as words
from tensorprog.report.html import DEFINITIONS, environment, themed
from tensorprog.report.linear_tables import ordered
from tensorprog.report.wording import BADGES, STATUSES, Badge, badge, html_size, html_text, minus, name

if TYPE_CHECKING:
    from tensorprog.learning.study import Claim, Outcome
    from tensorprog.readings import WeakCorrelation
    from tensorprog.report.linear_report import Linearity

OTHER = {
    words.UNDECIDED: Badge(
        words.UNDECIDED, "·", "open", "terms of the expansion grow with their order, so that it says nothing here"
    ),
    words.UNSEEN: Badge(
        words.UNSEEN, "·", "open", "at too many widths the two outputs agree to rounding; no slope can be read off"
    ),
}
THEOREMS = {
    "3.1": "fixed weak correlations of the table at η n^(ρ)",
    "3.2": "exponential weak correlations of the table at η",
}


def page(report: Linearity) -> str:
    """The whole report as one HTML document."""
    return environment().get_template("linearity.html").render(
        **_summary(report),
        links=True,
        refuted=bool(report.refuted),
        counted=html_text(words.counted(report)),
        advice=words.advice(report),
        definitions=list(DEFINITIONS.values()),
        outcomes=[_outcome(report, o) for o in ordered(report)],
        over_rho=themed(figures.over_rho(report)),
        single=len(figures.panels_of(report)) == 1,
        over_width=themed(figures.over_width(report)),
        star=_star(report),
        threshold=[html_text(text) for text in words.threshold(report)],
        grown=_growth(report),
        learned=_tasks(report),
        disagreement=[html_text(text) for text in theorems.disagreement(report)],
        differing=[_differing(report, o, c) for o, c in theorems.differing(report)],
        beyond=html_text(theorems.beyond(report)),
        theorems=[(number, html_text(text)) for number, text in THEOREMS.items()],
        exponents=_exponents(report),
        margin=f"{report.run['margin']:g}",
        meanings=list(STATUSES.items()),
        badges=[*BADGES.values(), *OTHER.values()],
        command=report.run["command"] or "",
        run=list(_run(report)),
        program=str(report.program.restricted(list(report.program.outputs)[:1])),
    )  # fmt: skip


def fragment(report: Linearity) -> str:
    """The answer and the grids, for a notebook."""
    return environment().get_template("linearity_fragment.html").render(**_summary(report), links=False)


def _summary(report: Linearity) -> dict[str, Any]:
    return {
        "architecture": report.run["architecture"],
        "answer": [html_text(text) for text in words.answer(report)],
        "grids": [grid for grid in (_grid(report, "ρ"), _grid(report, "κ")) if grid],
    }


def _grid(report: Linearity, letter: str) -> dict[str, Any]:
    """Quantities by ρ at κ = 0, or by κ at ρ = 0; empty when only one value was looked at."""
    rows: dict[tuple[str, int], dict[Fraction, Any]] = {}
    for outcome in ordered(report)[: len(report.outcomes)]:
        p = outcome.prediction
        here, other = (p.rho, p.kappa) if letter == "ρ" else (p.kappa, p.rho)
        if not other:
            rows.setdefault((p.quantity, p.steps), {})[here] = _outcome(report, outcome)
    columns = sorted({place for row in rows.values() for place in row})
    if letter == "κ" and len(columns) < 2:
        return {}
    return {
        "letter": letter,
        "at": "κ = 0" if letter == "ρ" else "ρ = 0",
        "columns": [f"{letter} = {minus(place)}" for place in columns],
        "rows": [
            (
                Markup("{}<br>{}").format(html_text(words.NAMES[quantity]), words.steps_of(steps)),
                [row.get(place) for place in columns],
            )
            for (quantity, steps), row in rows.items()
        ],
    }


def _outcome(report: Linearity, outcome: Outcome) -> dict[str, Any]:
    p, growth = outcome.prediction, report.growth
    long = growth is not None and outcome is growth.outcome
    shown = words.verdict(outcome)
    return {
        "quantity": Markup("sup ") + html_text(words.NAMES[p.quantity]) if long else html_text(words.NAMES[p.quantity]),
        "rho": minus(p.rho),
        "kappa": minus(p.kappa),
        "steps": growth.steps if growth is not None and long else p.steps,
        "predicted": Markup(words.predicted(p, HTML)),
        "within": words.steps_of(p.steps) if long else "",
        "exists": p.law is not None,
        "status": p.status,
        "reasons": [html_text(reason) for reason in p.reasons],
        "claims": [_claim(outcome, c) for c in outcome.claims],
        "seen": words.slope(outcome),
        "onset": words.onset(outcome),
        "loose": False,
        "badge": OTHER.get(shown) or badge(shown),
        "left_out": words.left_out(outcome),
        "median": html_text(words.measured(outcome.medians[-1], outcome.median_errors[-1])),
        "width": outcome.widths[-1],
    }


def _claim(outcome: Outcome, claim: Claim) -> dict[str, Any]:
    return {
        "theorem": claim.theorem,
        "law": Markup(words.claimed(claim, HTML)),
        "against": theorems.against(outcome, claim),
        "stands": theorems.stands(outcome, claim),
    }


def _differing(report: Linearity, outcome: Outcome, claim: Claim) -> dict[str, Any]:
    return {
        **_outcome(report, outcome),
        "claim": _claim(outcome, claim),
    }


def _star(report: Linearity) -> list[Markup]:
    """ρ*, and ρ* against the change of the linear model, in words."""
    found = []
    star, other = report.largest_rho, report.largest_relative_rho
    if star is not None:
        found.append(f"ρ* = {minus(star)}: below it the distance after one step vanishes with the width.")
    if other is not None:
        found.append(f"Against what the linear model itself learns in that step, it vanishes below ρ = {minus(other)}.")
    return [html_text(text) for text in found]


def _growth(report: Linearity) -> dict[str, Any] | None:
    if report.growth is None:
        return None
    return {"figure": themed(figures.growth(report.growth)), "text": html_text(words.longest(report.growth))}


def _tasks(report: Linearity) -> dict[str, Any] | None:
    if not report.learned:
        return None
    return {
        "how": tasks.how(report),
        "answer": [html_text(text) for text in tasks.answer(report)],
        "figure": themed(figures.foretold(report)),
        "headings": [html_text(text) for text in tasks.headings(report)],
        "rows": [[html_text(cell) for cell in row] for row in tasks.rows(report)],
    }


def _exponents(report: Linearity) -> dict[str, Any]:
    """C^{D,d} by κ, and m(n) of both predicates."""
    tables = sorted(report.tables.items())
    rows = []
    for entry in report.table:
        cells = [next(e for e in table if (e.D, e.d) == (entry.D, entry.d)) for _, table in tables]
        rows.append((name(entry), [html_size(cell) for cell in cells]))
    return {
        "columns": [minus(kappa) for kappa, _ in tables],
        "rows": rows,
        "growth": [(kind, [_m(getattr(table, kind)) for _, table in tables]) for kind in ("fixed", "exponential")],
    }


def _m(weak: WeakCorrelation) -> Markup:
    if weak.exponent is None:
        return Markup("any")
    return Markup(notation.law(weak.law, HTML)) if weak.holds else Markup("not weak")


def _run(report: Linearity) -> Iterator[tuple[str, str]]:
    """Label and value of everything a repetition needs."""
    run = report.run
    yield "trained, tested on", f"{_inputs(run['trained'])}, {_inputs(run['tested'])} more"
    yield "loss", run["loss"]
    yield "learning rate η", f"{run['learning_rate']:g}"
    yield "steps", f"{run['steps']}" + (f"; {run['growth']} in the long run" if run["growth"] else "")
    yield "batches", _batches(run["batches"], run["trained"])
    yield "momentum, weight decay", f"{minus(run['momentum'])}, {minus(run['weight_decay'])}"
    yield "widths", ", ".join(map(str, run["widths"]))
    many = f"{run['samples']}" if run["minutes"] is None else f"as many as fit {run['minutes']:g} minutes a setting"
    yield "initialisations a width", many
    yield "seed", str(run["seed"])
    yield "margin", f"{run['margin']:g}"
    yield "patience", f"{run['patience']:g} s a limit"
    yield "data", " × ".join(map(str, run["data_shape"])) + (f", {run['inputs']}" if run["inputs"] else "")
    yield "data digest (SHA-256)", run["data_digest"]
    yield "targets digest (SHA-256)", run["targets_digest"]
    yield "program digest (SHA-256)", run["program_digest"]
    for key, value in run["options"].items():
        yield key, str(value)
    yield "processor", run["cpu"]
    yield "workers", f"{run['workers']}, with {run['threads']} BLAS threads each"
    yield "BLAS", "; ".join(run["blas"])
    yield "versions", ", ".join(f"{key} {value}" for key, value in run["versions"].items())
    yield "time", f"{run['seconds']:g} s"


def _inputs(count: int) -> str:
    return f"{count} input{'s' * (count != 1)}"


def _batches(batches: Sequence[Sequence[int]], trained: int) -> str:
    """In words when every batch is all of them, else the numbers of each."""
    first = list(batches[0])
    if first == list(range(trained)) and all(list(batch) == first for batch in batches):
        return "all trained inputs at every step"
    return "; ".join(", ".join(map(str, batch)) for batch in batches)

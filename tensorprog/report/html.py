"""The report as one self-contained HTML page, and a short fragment for notebooks.

No scripts and no requests: styles and figures are inline, formulas are Unicode and <sup>, so that the page opens
offline, prints, and reads the same in ten years. Figures take the colours of the page, light or dark.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tensorprog import notation
from tensorprog.exponents import Exponent
from tensorprog.notation import HTML
from tensorprog.program.drawing import svg
from tensorprog.proofs.steps import WHOLE
from tensorprog.readings.layout import cells
from tensorprog.report import figures
from tensorprog.report.overview import overview
from tensorprog.report.wording import (
    BADGES,
    STATUSES,
    TIGHT,
    Badge,
    advice,
    answer,
    badge,
    html_law,
    html_size,
    html_text,
    interval,
    minus,
    name,
    number,
    proof_line,
    statement,
)
from tensorprog.scaling.verdict import Word

if TYPE_CHECKING:
    from tensorprog.proofs.checked import Check, CheckedProof
    from tensorprog.readings import Step
    from tensorprog.report.report import Measurement, Report

THEME = {
    figures.INK: "--ink",
    figures.LINE: "--line",
    figures.DOT: "--dot",
    figures.MEDIAN: "--blue",
    figures.HIGH: "--orange",
    figures.FIT: "--fit",
}
DEFINITIONS = {
    "fixed": Markup(
        "Fixed weak correlations: C<sup>0,d</sup> = O(1/m) for d ≥ 2 and C<sup>D,d</sup> = O(1/√m) for D, d ≥ 1; "
        "equivalent, for a learning rate below a threshold, to training within O(1/m) of the linearised model."
    ),
    "exponential": Markup(
        "Exponential weak correlations: C<sup>D,d</sup> = O(m<sup>−d/2</sup>) for d ≥ 1 except the NTK."
    ),
}


def page(report: Report) -> str:
    """The whole report as one HTML document: answer, table, figures, derivations, and how to repeat the run."""
    one = report.program.at(0)
    table = report.table
    return environment().get_template("page.html").render(
        **_summary(report),
        links=True,
        refuted=bool(report.refuted or report.refuted_steps),
        statuses=", ".join(sorted({e.status for e in table})),
        kappa=minus(table.kappa) if table.kappa else "",
        claims=[_claim(report, weak) for weak in (table.fixed, table.exponential)],
        kappa_figure=themed(figures.kappa(table)),
        overview=themed(overview(report)),
        picture=Markup(svg(one)),
        program=str(one),
        correlations=[_correlation(m) | _plots(m) for m in report.measurements],
        proofs=[_proof(checked) for checked in report.proofs],
        proved={f"C-{p.proof.order[0]}-{p.proof.order[1]}": _anchor(p) for p in report.proofs},
        advised=[_correlation(m) for m in report.measurements if m.verdict.advice],
        margin=", ".join(sorted({f"{m.verdict.margin:g}" for m in report.measurements})),
        meanings=list(STATUSES.items()),
        badges=list(BADGES.values()),
        command=report.run.command or "",
        run=list(_run(report)),
    )  # fmt: skip


def fragment(report: Report) -> str:
    """One sentence and the grid of exponents with verdicts, for a notebook."""
    return environment().get_template("fragment.html").render(**_summary(report), links=False)


@cache
def environment() -> Environment:
    """The templates of this package; whatever is not Markup is escaped."""
    return Environment(
        loader=PackageLoader("tensorprog.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )


def themed(text: str) -> Markup:
    """SVG made by this package, its colours replaced by variables of the page; trusted, so not escaped."""
    for color, variable in THEME.items():
        text = text.replace(color, f"var({variable})")
    return Markup(text)


def _summary(report: Report) -> dict[str, Any]:
    rows, columns, _ = cells(report.table)
    found = {(m.entry.D, m.entry.d): _correlation(m) for m in report.measurements}
    return {
        "architecture": report.run.architecture,
        "answer": Markup(answer(report, HTML)),
        "columns": [f"d = {d}" for d in columns],
        "rows": [(f"D = {D}", [found.get((D, d)) for d in columns]) for D in rows],
        "proof_lines": [(_anchor(p), _outcome(p), Markup(proof_line(p, HTML))) for p in report.proofs],
    }


def _correlation(m: Measurement) -> dict[str, Any]:
    v = m.verdict
    return {
        "name": name(m.entry),
        "anchor": f"C-{m.entry.D}-{m.entry.d}",
        "law": html_law(m.entry),
        "size": html_size(m.entry),
        "status": m.entry.status,
        "badge": badge(v.verdict),
        "loose": v.verdict == Word.CONFIRMED and v.tight is False,
        "seen": f"{number(v.slope)} {interval(v.interval)}",
        "raw_slope": number(v.raw_slope),
        "raw_interval": interval(v.raw_interval),
        "tight": TIGHT[v.tight],
        "method": v.method,
        "advice": minus(advice(m)),
    }


def _plots(m: Measurement) -> dict[str, Any]:
    v = m.verdict
    counts = sorted({len(values) for values in m.samples})
    pairs = zip(v.local_slopes, v.local_errors, strict=True)
    return {
        "figure": themed(figures.scaling(m)),
        "points": ", ".join(f"x{point}".translate(_SUBSCRIPTS) for point in m.entry.points),
        "constant": html_text(m.entry.limit) if m.entry.limit else "",
        "samples": f"{' to '.join(str(c) for c in dict.fromkeys((counts[0], counts[-1])))} samples a width",
        "local": ", ".join(f"{number(slope)} ± {number(error)}" for slope, error in pairs),
        "steps": [_step(step) for step in m.entry.derivation.steps],
    }


_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def _step(step: Step) -> dict[str, Any]:
    return {
        "where": f"{step.node}[{step.directions}]" if step.directions else step.node,
        "before": Markup(", ").join(html_text(text) for text in step.before),
        "after": html_text(step.after),
        "rule": html_text(step.rule),
    }


def _proof(checked: CheckedProof) -> dict[str, Any]:
    proof = checked.proof
    D, d, _ = proof.order
    anchor, outcome = _anchor(checked), _outcome(checked)
    return {
        "name": Markup(notation.order(D, d, HTML)),
        "anchor": anchor,
        "law": Markup(notation.law(Exponent(proof.conclusion.power), HTML)),
        "status": proof.conclusion.status,
        "badge": outcome,
        "share": "all" if outcome.kind == "good" else sum(check.verdict == outcome.word for check in checked.checks),
        "open": bool(checked.refuted or checked.inconclusive),
        "count": len(checked.checks),
        "steps": [_checked_step(check, anchor) for check in checked.checks],
        "summary": html_text(checked.summary),
        "program": str(proof.programs[WHOLE]),
    }


def _anchor(checked: CheckedProof) -> str:
    return f"proof-{checked.proof.order[0]}-{checked.proof.order[1]}"


def _outcome(checked: CheckedProof) -> Badge:
    """The worst verdict among the steps."""
    return badge(Word.REFUTED if checked.refuted else Word.INCONCLUSIVE if checked.inconclusive else Word.CONFIRMED)


def _checked_step(check: Check, anchor: str) -> dict[str, Any]:
    step = check.step
    return {
        "number": step.number,
        "anchor": f"{anchor}-{step.number}",
        "kind": step.kind,
        "claim": html_text(step.claim),
        "rule": html_text(step.rule),
        "premises": [(i, f"{anchor}-{i}") for i in step.premises],
        "source": step.source,
        "badge": badge(check.verdict),
        "reason": html_text(check.reason),
    }


def _claim(report: Report, weak: Any) -> dict[str, Any]:
    text = statement(report, weak, HTML)
    return {
        "text": Markup(text[:1].upper() + text[1:] + "."),
        "definition": DEFINITIONS[weak.predicate],
        "orders": Markup(", ".join(notation.order(D, d, HTML) for D, d in weak.rests_on)),
    }


def _run(report: Report) -> Iterator[tuple[str, str]]:
    """Label and value of everything a repetition needs."""
    run = report.run
    yield "seed", str(run.seed)
    yield "widths", ", ".join(map(str, run.widths))
    if run.minutes is None:
        yield "samples a width", f"{run.samples}; {run.operator_samples} where D = 2"
    else:
        yield "samples a width", f"as many as narrow the intervals most in about {run.minutes:g} minutes"
    yield "margin", ", ".join(sorted({f"{m.verdict.margin:g}" for m in report.measurements}))
    yield "data", " × ".join(map(str, run.data_shape)) + (f", {run.inputs}" if run.inputs else "")
    yield "data digest (SHA-256)", run.data_digest
    yield "program digest (SHA-256)", run.program_digest
    for key, value in run.options.items():
        yield key, str(value)
    yield "processor", run.cpu
    yield "reading", run.method
    yield "workers", f"{run.workers}, with {run.threads} BLAS threads each"
    yield "BLAS", "; ".join(run.blas)
    yield "versions", ", ".join(f"{key} {value}" for key, value in run.versions.items())
    yield "time", f"{run.seconds:g} s"

"""Proofs as LaTeX and HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tensorprog.notation import HTML, LATEX, prose
from tensorprog.proofs.steps import ProofStep

Marked = Sequence[tuple[ProofStep, str]]


def as_latex(steps: Marked) -> str:
    """An enumerate environment; a mark follows its claim."""
    items = []
    for step, mark in steps:
        needs = f", from ({'), ('.join(map(str, step.premises))})" if step.premises else ""
        told = rf" \textbf{{{plain(mark)}}}" if mark else ""
        why = rf"\emph{{{plain(step.rule + needs)}}} [{plain(step.source)}]"
        items.append(rf"\item \textbf{{{plain(step.kind)}}}: {plain(step.claim)}. {why}.{told}")
    return "\n".join([r"\begin{enumerate}", *items, r"\end{enumerate}"])


def plain(text: str) -> str:
    """A text as LaTeX, its mathematics set."""
    return prose(text, LATEX)


def mathematics(text: str) -> str:
    """A text as HTML, escaped, its mathematics set."""
    return prose(text, HTML)


def as_html(steps: Marked) -> str:
    """An ordered list of claims, each with its rule, premises and source."""
    items = []
    for step, mark in steps:
        needs = f", from {', '.join(f'({i})' for i in step.premises)}" if step.premises else ""
        told = f"<br><strong>{mathematics(mark)}</strong>" if mark else ""
        items.append(
            f'<li value="{step.number}"><strong>{escape(step.kind)}</strong>: {mathematics(step.claim)}.<br>'
            f"<em>{mathematics(step.rule)}</em>{needs} [<cite>{escape(step.source)}</cite>]{told}</li>"
        )
    return "<ol>\n" + "\n".join(items) + "\n</ol>"

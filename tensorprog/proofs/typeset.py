"""Proofs as LaTeX and HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from tensorprog.proofs.steps import ProofStep

SIGNS = {
    "→": r"$\to$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "≠": r"$\ne$",
    "±": r"$\pm$",
    "·": r"$\cdot$",
    "‖": r"$\|$",
    "∇": r"$\nabla$",
    "∫": r"$\int$",
    "⟨": r"$\langle$",
    "⟩": r"$\rangle$",
    "θ": r"$\theta$",
    "ε": r"$\varepsilon$",
    "σ": r"$\sigma$",
    "²": "$^2$",
    "⁴": "$^4$",
    "₀": "$_0$",
    "¹": "$^1$",
    "…": r"\dots{}",
    "–": "--",
    "é": r"\'e",
    "ö": r"\"o",
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "_": r"\_",
    "^": r"\^{}",
    "%": r"\%",
    "&": r"\&",
    "#": r"\#",
    "$": r"\$",
    "~": r"\textasciitilde{}",
    "<": r"$<$",
    ">": r"$>$",
}
POWER = re.compile(r"([A-Za-z])\^(\{[\d,]+\}|-?\d+(?:/\d+)?)|\b([A-Za-zθ])_(\w+)\b")
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
    """A text with its powers, indices and signs set as mathematics."""
    pieces, end = [], 0
    for found in POWER.finditer(text):
        pieces.append(_signs(text[end : found.start()]))
        base, raised, letter, lowered = found.groups()
        if base:
            pieces.append(f"${base}^{{{raised.strip('{}')}}}$")
        else:
            pieces.append(f"${_signs(letter).strip('$')}_{{{lowered.replace('_', chr(92) + '_')}}}$")
        end = found.end()
    return "".join([*pieces, _signs(text[end:])])


def _signs(text: str) -> str:
    return "".join(SIGNS.get(letter, letter) for letter in text)


def as_html(steps: Marked) -> str:
    """An ordered list of claims, each with its rule, premises and source."""
    items = []
    for step, mark in steps:
        needs = f", from {', '.join(f'({i})' for i in step.premises)}" if step.premises else ""
        told = f"<br><strong>{escape(mark)}</strong>" if mark else ""
        items.append(
            f'<li value="{step.number}"><strong>{escape(step.kind)}</strong>: {escape(step.claim)}.<br>'
            f"<em>{escape(step.rule)}</em>{needs} [<cite>{escape(step.source)}</cite>]{told}</li>"
        )
    return "<ol>\n" + "\n".join(items) + "\n</ol>"

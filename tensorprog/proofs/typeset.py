"""Proofs as LaTeX and HTML."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
    "∞": r"$\infty$",
    "√": r"$\surd$",
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
SET = re.compile(
    r"([A-Za-z])\^(\{[\d,]+\}|-?\d+(?:/\d+)?|[a-z]+)|(?<!\w)([A-Za-zθ∇])_(\w+)\b|(?<!\w)((?:in|s|x)\d+)\b"
    r"|(?<![\w.])(-?\d+(?:\.\d+)?)e([+-]\d+)\b|(?<!\w)(-)(?=[\w\s∞])"
)
"""Powers, indices, names of nodes, numbers with powers of ten, and minus signs."""


@dataclass(frozen=True)
class Form:
    """How a language writes what `SET` finds, and all other text; `sign` is the minus inside mathematics."""

    text: Callable[[str], str]
    power: str
    index: str
    node: str
    ten: str
    minus: str
    sign: str


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
    return _set(text, LATEX)


def mathematics(text: str) -> str:
    """A text as HTML, escaped, its mathematics set."""
    return _set(text, HTML)


def _set(text: str, form: Form) -> str:
    def signed(number: str) -> str:
        return number.replace("-", form.sign)

    pieces, end = [], 0
    for found in SET.finditer(text):
        pieces.append(form.text(text[end : found.start()]))
        base, raised, letter, lowered, node, digits, ten, _ = found.groups()
        if base:
            pieces.append(base if raised == "1" else form.power.format(base, signed(raised.strip("{}"))))
        elif letter:
            pieces.append(form.index.format(form.text(letter).strip("$"), form.text(lowered)))
        elif node:
            pieces.append(form.node.format(node))
        elif digits:
            pieces.append(form.ten.format(signed(digits), signed(str(int(ten)))))
        else:
            pieces.append(form.minus)
        end = found.end()
    return "".join([*pieces, form.text(text[end:])])


def _signs(text: str) -> str:
    return "".join(SIGNS.get(letter, letter) for letter in text)


LATEX = Form(_signs, "${}^{{{}}}$", "${}_{{{}}}$", r"\texttt{{{}}}", r"${}\cdot10^{{{}}}$", "$-$", "-")
HTML = Form(escape, "{}<sup>{}</sup>", "{}<sub>{}</sub>", "<code>{}</code>", "{}·10<sup>{}</sup>", "−", "−")


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

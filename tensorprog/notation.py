"""Mathematics in texts: one way to write a law n^e (log n)^l, an order C^{D,d} and prose, in four forms.

A form says how plain text, HTML, LaTeX and matplotlib's mathtext raise, lower and escape. Laws and orders are written
from their numbers; only prose, the sentences of proofs and reports, is searched for formulas.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from html import escape
from typing import Protocol

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
FORMULA = re.compile(
    r"(\(log n\)|(?<![\w.])10|[A-Za-z])\^(\{[\d,]+\}|-?\d+(?:/\d+)?|[a-z]+|\((?:[^()]|\([^()]*\))*\))"
    r"|(?<![^\W²])([A-Za-zθλ∇])_(\w+)\b|(?<!\w)((?:in|s|x)\d+)\b"
    r"|(?<![\w.])(-?\d+(?:\.\d+)?)e([+-]\d+)\b|(?<!\w)(-)(?=[\w\s∞])"
)
"""In prose: powers, indices, names of nodes, numbers with powers of ten, and minus signs."""


@dataclass(frozen=True)
class Form:
    """How a language writes powers, indices, names of nodes and powers of ten, and all other text.

    power: of a base and an exponent, `whole` where that is 1. sign: the minus inside mathematics; minus: outside.
    """

    text: Callable[[str], str]
    power: str
    whole: str
    index: str
    node: str
    ten: str
    minus: str
    sign: str
    logarithm: str = "log n"


def _signs(text: str) -> str:
    return "".join(SIGNS.get(letter, letter) for letter in text)


PLAIN = Form(str, "{}^{}", "{}^1", "{}_{}", "{}", "{}e{}", "-", "-")
HTML = Form(escape, "{}<sup>{}</sup>", "{}", "{}<sub>{}</sub>", "<code>{}</code>", "{}·10<sup>{}</sup>", "−", "−")
LATEX = Form(
    _signs, "${}^{{{}}}$", "${}$", "${}_{{{}}}$", r"\texttt{{{}}}", r"${}\cdot10^{{{}}}$", "$-$", "-", r"\log n"
)
MATHTEXT = Form(str, "{}$^{{{}}}$", "{}", "{}$_{{{}}}$", "{}", "{}·10$^{{{}}}$", "−", "−")


class PowerLaw(Protocol):
    """The class n^power (log n)^log."""

    @property
    def power(self) -> int | Fraction: ...

    @property
    def log(self) -> int | Fraction | float: ...


def law(size: PowerLaw | None, form: Form = PLAIN) -> str:
    """n^e (log n)^l, 0 for None; n^0 is left out before a logarithm, and a power 1 but in plain text.

    >>> from tensorprog.exponents import Exponent
    >>> [law(Exponent(-1, 1), form) for form in (PLAIN, HTML, LATEX, MATHTEXT)]
    ['n^-1 (log n)^1', 'n<sup>−1</sup> log n', '$n^{-1} \\\\log n$', 'n$^{−1}$ log n']
    """
    if size is None:
        return "$0$" if form is LATEX else "0"
    if math.isinf(size.log):
        return raised("n", f"{size.power}{'+' if size.log > 0 else '-'}o(1)", form)
    parts = [raised("n", str(size.power), form)] if size.power or not size.log else []
    if size.log:
        base = form.logarithm if size.log == 1 and form is not PLAIN else f"({form.logarithm})"
        parts.append(raised(base, str(size.log), form))
    return " ".join(parts).replace("$ $", " ") if form is LATEX else " ".join(parts)


def order(D: int, d: int, form: Form = PLAIN) -> str:
    """C^{D,d}."""
    return raised("C", f"{D},{d}", form)


def orders(several: list[tuple[int, int]] | tuple[tuple[int, int], ...], form: Form = PLAIN) -> str:
    """`C^{0,2}, C^{1,1} and C^{1,2}`."""
    return " and ".join(", ".join(order(D, d, form) for D, d in several).rsplit(", ", 1))


def raised(base: str, exponent: str, form: Form) -> str:
    """A power; in plain text an exponent of several numbers is within braces, a sum within parentheses."""
    if exponent == "1":
        return form.whole.format(base)
    if form is PLAIN:
        exponent = f"{{{exponent}}}" if "," in exponent else f"({exponent})" if "o(1)" in exponent else exponent
    return form.power.format(base, exponent.replace("-", form.sign))


def prose(text: str, form: Form) -> str:
    """A sentence, escaped, the formulas in it set."""

    def signed(number: str) -> str:
        return number.replace("-", form.sign)

    pieces, end = [], 0
    for found in FORMULA.finditer(text):
        pieces.append(form.text(text[end : found.start()]))
        base, upper, letter, lower, node, digits, ten, _ = found.groups()
        if base == "(log n)":
            pieces.append(raised(form.logarithm if upper == "1" else f"({form.logarithm})", upper, form))
        elif base:
            upper = upper[1:-1] if upper[0] in "{(" else upper
            pieces.append(base if upper == "1" else raised(base, upper, form))
        elif letter:
            pieces.append(form.index.format(form.text(letter).strip("$"), form.text(lower)))
        elif node:
            pieces.append(form.node.format(node))
        elif digits:
            pieces.append(form.ten.format(signed(digits), signed(str(int(ten)))))
        else:
            pieces.append(form.minus)
        end = found.end()
    return "".join([*pieces, form.text(text[end:])])

"""How a report says things: laws, numbers and verdicts in plain text, HTML and LaTeX.

Formulas are Unicode and <sup>, never a script: the page has to work offline and print.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from markupsafe import Markup

from tensorprog import notation
from tensorprog.exponents import Exponent
from tensorprog.notation import HTML, PLAIN, Form
from tensorprog.readings import Status
from tensorprog.scaling.verdict import Word

if TYPE_CHECKING:
    from tensorprog.proofs.checked import CheckedProof
    from tensorprog.readings import Entry, Table, WeakCorrelation
    from tensorprog.report.report import Measurement, Report

MINUS = "−"


@dataclass(frozen=True)
class Badge:
    """A verdict as shown: a symbol and a word, so that colour is never the only carrier."""

    word: str
    symbol: str
    kind: str
    meaning: str


BADGES: dict[str, Badge] = {
    Word.CONFIRMED: Badge(
        Word.CONFIRMED,
        "✓",
        "good",
        "the measured exponent agrees with the derived one within the margin, or stays below an upper bound",
    ),
    Word.INCONCLUSIVE: Badge(
        Word.INCONCLUSIVE, "?", "open", "the error is too large, or the widths too small, to decide; see the advice"
    ),
    Word.REFUTED: Badge(Word.REFUTED, "✗", "bad", "the measured exponent contradicts what was derived"),
}

STATUSES = {
    Status.DEFINITE: "both sides are proved: the correlation has exactly this size",
    Status.DEFINITE_POWER: "both sides are proved for the power of n; the power of log n is an upper bound",
    Status.UPPER_BOUND: "proved: the correlation is not larger than this; it may be smaller",
    Status.ASSUMED: "an upper bound if scalars stay away from poles, as the derivation says; nothing shows it",
    Status.MEASURED: "read off samples at finite widths; no proof",
}
BOUNDS = frozenset({Status.UPPER_BOUND, Status.DEFINITE_POWER, Status.ASSUMED})

TIGHT = {True: "yes", False: "no", None: "open"}
"""Whether the measurement excludes smaller exponents, lies among them, or allows both."""


def badge(verdict: str) -> Badge:
    """The badge of a verdict; an unknown one is shown as it is."""
    return BADGES.get(verdict, Badge(verdict, "·", "open", ""))


def number(value: float, digits: int = 2) -> str:
    """A measured number with a typographic minus; an em dash when there is none."""
    if not math.isfinite(value):
        return "—"
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def interval(ends: tuple[float, float], digits: int = 2) -> str:
    """[low, high] of a measured number."""
    if not any(math.isfinite(end) for end in ends):
        return ""
    low, high = (number(end, digits) if math.isfinite(end) else "∞" for end in ends)
    if not math.isfinite(ends[0]):
        low = f"{MINUS}∞"
    return f"[{low}, {high}]"


def minus(value: Fraction | int | str) -> str:
    """An exact number with a typographic minus."""
    return str(value).replace("-", MINUS)


def markdown_text(text: str) -> str:
    """A name in Markdown: on one line, and no sign in it means anything."""
    return re.sub(r"[\\`*<>\[\]|&~$#]|(?<!\w)_|_(?!\w)", r"\\\g<0>", " ".join(text.split()))


def html_text(text: str) -> Markup:
    """A sentence with superscripts and subscripts; everything else escaped."""
    return Markup(notation.prose(text, HTML))


def html_law(entry: Entry) -> Markup:
    """The size class of an entry: n<sup>−1</sup> log n."""
    return Markup(notation.law(entry.law, HTML))


def html_size(entry: Entry) -> Markup:
    """The size class, within O(…) where it is no more than an upper bound."""
    shown = html_law(entry)
    return Markup("O({})").format(shown) if entry.status in BOUNDS else shown


def name(entry: Entry) -> Markup:
    """C<sup>D,d</sup>."""
    return Markup(notation.order(entry.D, entry.d, HTML))


def counted(report: Report) -> str:
    """`14 correlations: 12 confirmed, 2 inconclusive, 0 refuted`."""
    found: Counter[str] = Counter(m.verdict.verdict for m in report.measurements)
    words = [*BADGES, *sorted(set(found) - set(BADGES))]
    total = len(report.measurements)
    loose = sum(m.verdict.verdict == Word.CONFIRMED and m.verdict.tight is False for m in report.measurements)
    notes: dict[str, str] = {Word.CONFIRMED: f" ({loose} not tight)"} if loose else {}
    return f"{total} correlation{'s' * (total != 1)}: " + ", ".join(
        f"{found[word]} {word}{notes.get(word, '')}" for word in words
    )


def proof_line(checked: CheckedProof, form: Form = PLAIN) -> str:
    """`C^{0,2}: n^-1, a proof of 35 steps, each tested by simulation: 35 confirmed, 0 inconclusive, 0 refuted`."""
    D, d, _ = checked.proof.order
    found: Counter[str] = Counter(check.verdict for check in checked.checks)
    counts = ", ".join(f"{found[word]} {word}" for word in BADGES)
    steps = f"a proof of {len(checked.checks)} steps, each tested by simulation"
    size = notation.law(Exponent(checked.proof.conclusion.power), form)
    return f"{notation.order(D, d, form)}: {size}, {steps}: {counts}"


def statement(report: Report, weak: WeakCorrelation, form: Form = PLAIN) -> str:
    """What the table says about a weak-correlation predicate, and on which footing."""
    orders = notation.orders(weak.rests_on, form)
    if weak.exponent is None:
        return f"{weak.predicate} weak correlations: no correlation measured here limits m(n)"
    if not weak.holds:
        return f"{weak.predicate} weak correlations not shown, because of {orders}"
    growth = notation.law(weak.law, form)
    text = f"{weak.predicate} weakly correlated{weak.scope} with m(n) = {growth} ({footing(report.table, weak)})"
    against = [notation.order(D, d, form) for D, d in weak.rests_on if report[D, d].verdict.verdict == Word.REFUTED]
    return text + (f", but measurement contradicts {', '.join(against)}, on which it rests" if against else "")


def footing(table: Table, weak: WeakCorrelation) -> str:
    """What m(n) rests on, in a word or two."""
    statuses = {table[order].status for order in weak.rests_on}
    if Status.MEASURED in statuses:
        return "measured"
    if Status.ASSUMED in statuses:
        return "bounds under assumptions"
    return "definite" if statuses == {Status.DEFINITE} else "proved upper bounds"


def advice(m: Measurement) -> str:
    """What would settle an open verdict; samples of a spectral norm are counted apart."""
    found = m.verdict.advice
    return "" if found is None else found.words("operator samples" if m.entry.D == 2 else "samples")


def answer(report: Report, form: Form = PLAIN) -> str:
    """The whole report in one sentence."""
    return f"{counted(report)}; {statement(report, report.table.fixed, form)}"

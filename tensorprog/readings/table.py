"""The table of exponents: entries with status and derivation, and the growth function m(n) they earn."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from html import escape
from pathlib import Path
from typing import Any, Literal

from tensorprog.errors import OrderError
from tensorprog.exponents import UNBOUNDED_LOG, Exponent
from tensorprog.passes.correlation import Order
from tensorprog.readings.judgement import Counts, Judgement
from tensorprog.writing import encoded, write_files

ALL_ORDERS = frozenset((D, d) for D in range(3) for d in range(5) if D + d <= 5)
"""What m(n) rests on."""
FILES = "table.json", "table.md", "table.tex"
"""What `Table.save` writes."""

Status = Literal["definite", "definite power", "upper bound", "measured"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a derivation: `rule` at `node`, the classes of its premises before and its own after.

    `directions` lists what the coefficient contains: g a gradient direction, u a free unit direction, e a free
    direction over all Gaussian parameters, y a coefficient of a gradient.
    """

    rule: str
    node: str
    directions: str
    before: tuple[str, ...]
    after: str

    def __str__(self) -> str:
        where = f"{self.node}[{self.directions}]" if self.directions else self.node
        source = f"{', '.join(self.before)} → " if self.before else ""
        return f"{where}: {source}{self.after}   ({self.rule})"


@dataclass(frozen=True, slots=True)
class Derivation:
    """The chain of decisive steps, conclusion first; prints one step a line."""

    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return "\n".join(f"{i:>3}. {step}" for i, step in enumerate(self.steps, 1))

    def to_object(self) -> list[dict[str, Any]]:
        return [
            {"rule": s.rule, "node": s.node, "directions": s.directions, "before": list(s.before), "after": s.after}
            for s in self.steps
        ]


@dataclass(frozen=True, slots=True)
class Entry:
    """The size class n^exponent (log n)^log_power of one C^{D,d}.

    A definite one, and one of definite power, has a `constant` with its error: the limit that `constant_of` names, at
    the data it was taken at; of the whole, or of a part that bounds it from below.

    `exponent` is None when the correlation vanishes identically; `log_power` is None for a factor n^{o(1)}.
    """

    D: int
    d: int
    points: tuple[int, ...]
    exponent: Fraction | None
    log_power: Fraction | None
    status: Status
    derivation: Derivation
    constant: float | None = None
    constant_error: float | None = None
    constant_of: str | None = None

    @staticmethod
    def from_judgement(
        order: Order, judged: Judgement | None, shift: Fraction, labels: Sequence[str], flips: frozenset[str]
    ) -> Entry:
        if judged is None:
            vanishing = (Step("every term vanishes (at a kink no derivative is taken)", f"F{order.base}", "", (), "0"),)
            return Entry(order.D, order.d, order.points, None, None, "definite", Derivation(vanishing))
        steps = tuple(_step(j, labels) for j in judged.steps())
        if flips:
            names = ", ".join(sorted(flips))
            first = Step(f"sign symmetry: flipping {names} turns F into -F", f"F{order.base}", "", (), "mean exactly 0")
            steps = (first, *steps)
        if shift:
            last = Step(
                "external scale κ: adds κ(D+d-1)", "C", "", (str(judged.bound),), str(judged.bound.shift(shift))
            )
            steps = (last, *steps)
        log = None if judged.bound.log == UNBOUNDED_LOG else Fraction(judged.bound.log)
        power = Fraction(judged.bound.power) + shift
        return Entry(order.D, order.d, order.points, power, log, "upper bound", Derivation(steps))

    @property
    def limit(self) -> str:
        """The constant to the decimal of its error, "lim n^1 C^{0,3} = -0.209806 ± 5e-15"; empty without one."""
        if self.constant is None or self.constant_error is None:
            return ""
        return f"{self.constant_of} = {rounded(self.constant, self.constant_error)} ± {self.constant_error:.0e}"

    @property
    def law(self) -> Exponent | None:
        """The size class, None for an identically vanishing correlation."""
        if self.exponent is None:
            return None
        return Exponent(self.exponent, UNBOUNDED_LOG if self.log_power is None else self.log_power)

    def __str__(self) -> str:
        law = self.law
        return "0" if law is None else str(law)

    def to_object(self) -> dict[str, Any]:
        return {
            "D": self.D,
            "d": self.d,
            "points": list(self.points),
            "exponent": None if self.exponent is None else str(self.exponent),
            "log_power": None if self.log_power is None else str(self.log_power),
            "status": self.status,
            "constant": self.constant,
            "constant_error": self.constant_error,
            "constant_of": self.constant_of,
            "derivation": self.derivation.to_object(),
        }


@dataclass(frozen=True, slots=True)
class WeakCorrelation:
    """The largest m(n) = n^exponent (log n)^log_power for which a predicate of Shem-Ur and Oz holds on a table.

    `rests_on` are the orders that limit it. The exponents of a table are upper bounds, so m(n) is at least this.
    A None exponent: nothing in the table limits m. Not positive: the predicate fails on this table. A None log_power: a
    factor n^{-o(1)}.
    """

    predicate: Literal["fixed", "exponential"]
    exponent: Fraction | None
    rests_on: tuple[tuple[int, int], ...]
    log_power: Fraction | None = Fraction(0)
    complete: bool = True  # whether all orders D ≤ 2, d ≤ 4, D+d ≤ 5 are in the table; else m(n) may be smaller

    @property
    def scope(self) -> str:
        """A qualification where the table has only some orders."""
        return "" if self.complete else " on these orders"

    @property
    def growth(self) -> str:
        """m(n) in words: "n^1 (log n)^-2"; empty when nothing limits it."""
        if self.exponent is None:
            return ""
        if self.log_power is None:
            return f"n^({self.exponent}-o(1))"
        return str(Exponent(self.exponent, self.log_power))

    @property
    def holds(self) -> bool:
        return self.exponent is None or self.exponent > 0

    def __str__(self) -> str:
        orders = ", ".join(f"C^{{{D},{d}}}" for D, d in self.rests_on)
        if self.exponent is None:
            return f"{self.predicate} weak correlations: nothing here limits m(n)"
        if not self.holds:
            return f"{self.predicate} weak correlations: not shown, because of {orders}"
        return f"{self.predicate} weak correlations{self.scope} with m(n) = {self.growth}, limited by {orders}"

    def to_object(self) -> dict[str, Any]:
        return {
            "predicate": self.predicate,
            "exponent": None if self.exponent is None else str(self.exponent),
            "log_power": None if self.log_power is None else str(self.log_power),
            "holds": self.holds,
            "complete": self.complete,
            "rests_on": [list(order) for order in self.rests_on],
        }


@dataclass(frozen=True, slots=True)
class Table:
    """Entries by order: `table[D, d]`. Prints, saves, and shows itself in notebooks."""

    entries: tuple[Entry, ...]
    kappa: Fraction = Fraction(0)

    def __getitem__(self, order: tuple[int, int]) -> Entry:
        for entry in self.entries:
            if (entry.D, entry.d) == tuple(order):
                return entry
        held = ", ".join(f"({e.D}, {e.d})" for e in self.entries)
        raise OrderError(f"the table has no order {tuple(order)}; it has {held}")

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def fixed(self) -> WeakCorrelation:
        """C^{0,d} = O(1/m) for d ≥ 2, C^{D,d} = O(1/√m) for D, d ≥ 1 (arXiv 2401.04013, fixed weak correlations)."""
        return self._weak("fixed", lambda e: None if e.d == 0 or (e.D, e.d) == (0, 1) else Fraction(2 if e.D else 1))

    @property
    def exponential(self) -> WeakCorrelation:
        """C^{D,d} = O(m^{-d/2}) for d ≥ 1 except the NTK (arXiv 2401.04013, exponential weak correlations)."""
        return self._weak("exponential", lambda e: None if e.d == 0 or (e.D, e.d) == (0, 1) else Fraction(2, e.d))

    def _weak(self, predicate: Literal["fixed", "exponential"], factor: Any) -> WeakCorrelation:
        limits: dict[tuple[int, int], Exponent] = {}
        for entry in self.entries:
            scale = factor(entry)
            if scale is not None and entry.exponent is not None:
                log = UNBOUNDED_LOG if entry.log_power is None else entry.log_power * scale
                limits[entry.D, entry.d] = Exponent(-entry.exponent * scale, -log)
        complete = {(entry.D, entry.d) for entry in self.entries} >= ALL_ORDERS
        if not limits:
            return WeakCorrelation(predicate, None, (), complete=complete)
        least = min(limits.values())
        orders = tuple(order for order, value in limits.items() if value.power == least.power)
        log_power = None if least.log == -UNBOUNDED_LOG else Fraction(least.log)
        return WeakCorrelation(predicate, Fraction(least.power), orders, log_power, complete)

    def to_object(self) -> dict[str, Any]:
        return {
            "kappa": str(self.kappa),
            "correlations": [entry.to_object() for entry in self.entries],
            "weak_correlations": [self.fixed.to_object(), self.exponential.to_object()],
        }

    def to_json(self) -> str:
        """The table as one JSON object (docs/json.md)."""
        return json.dumps(self.to_object(), indent=1, ensure_ascii=False)

    def save(self, folder: str | Path) -> Path:
        """Write table.json, table.md and table.tex into the folder, made when missing; returns the folder.

        Raises WritingError, naming the file.
        """
        from tensorprog.readings.layout import latex, markdown

        texts = self.to_json(), markdown(self), latex(self)
        return write_files(folder, {name: encoded(text + "\n") for name, text in zip(FILES, texts, strict=True)})

    def __str__(self) -> str:
        from tensorprog.readings.layout import plain

        return plain(self)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


def rounded(value: float, error: float, most: int = 6) -> str:
    """A number to the decimal of its error, in at most so many digits.

    >>> rounded(0.632232, 1e-3), rounded(7.82723, 6e-2), rounded(1234.5678, 1e-9), rounded(0.05, 0.2)
    ('0.632', '7.83', '1234.57', '0.1')
    """
    if not value or not error:
        return f"{value:.{most}g}"
    decimals = most - 1 - math.floor(math.log10(abs(value)))
    return f"{value:.{max(0, min(decimals, -math.floor(math.log10(error))))}f}"


def _step(judged: Judgement, labels: Sequence[str]) -> Step:
    before = tuple(_class(premise) for premise in judged.premises)
    return Step(judged.rule, judged.node, _directions(judged.counts, labels), before, _class(judged))


def _class(judged: Judgement) -> str:
    if judged.norms is None:
        return str(judged.bound)
    return f"‖·‖₁ {judged.norms.l1}, ‖·‖₂ {judged.norms.l2}, ‖·‖∞ {judged.norms.linf}"


def _directions(counts: Counts, labels: Sequence[str]) -> str:
    return (
        "".join(label * k for label, k in zip(("y", "e"), counts, strict=False))
        if len(counts) == 2 < len(labels)
        else "".join(label * k for label, k in zip(labels, counts, strict=True))
    )

"""The table of exponents, and the growth function m(n) they earn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from html import escape
from pathlib import Path
from typing import Any, Literal

from tensorprog.errors import OrderError
from tensorprog.exponents import UNBOUNDED_LOG, Exponent
from tensorprog.notation import order
from tensorprog.readings.entry import Entry
from tensorprog.writing import encoded, write_files

ALL_ORDERS = frozenset((D, d) for D in range(3) for d in range(5) if D + d <= 5)
"""What m(n) rests on."""
FILES = "table.json", "table.md", "table.tex"
"""What `Table.save` writes."""


@dataclass(frozen=True, slots=True)
class WeakCorrelation:
    """The largest m(n) = n^exponent (log n)^log_power for which a predicate of Shem-Ur and Oz holds on a table.

    `rests_on` are the orders that limit it. The exponents of a table are upper bounds, so m(n) is at least this.
    A None exponent: nothing in the table limits m. Not positive: the predicate fails on this table. A None log_power: a
    factor n^{-o(1)}. `unknown` are the orders of the table without a bound; with any, nothing is shown.
    """

    predicate: Literal["fixed", "exponential"]
    exponent: Fraction | None
    rests_on: tuple[tuple[int, int], ...]
    log_power: Fraction | None = Fraction(0)
    complete: bool = True  # whether all orders D ≤ 2, d ≤ 4, D+d ≤ 5 are in the table; else m(n) may be smaller
    unknown: tuple[tuple[int, int], ...] = ()

    @property
    def scope(self) -> str:
        """A qualification where the table has only some orders."""
        return "" if self.complete else " on these orders"

    @property
    def growth(self) -> str:
        """m(n) in words: "n^1 (log n)^-2"; empty when nothing limits it."""
        return "" if self.law is None else str(self.law)

    @property
    def law(self) -> Exponent | None:
        """m(n); None when nothing limits it."""
        if self.exponent is None:
            return None
        return Exponent(self.exponent, -UNBOUNDED_LOG if self.log_power is None else self.log_power)

    @property
    def holds(self) -> bool:
        return not self.unknown and (self.exponent is None or self.exponent > 0)

    def __str__(self) -> str:
        orders = ", ".join(order(D, d) for D, d in self.unknown or self.rests_on)
        if self.unknown:
            return f"{self.predicate} weak correlations: not shown, for lack of a bound on {orders}"
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
            "unknown": [list(order) for order in self.unknown],
        }


@dataclass(frozen=True, slots=True)
class Table:
    """Entries by order: `table[D, d]`. Prints, saves, and shows itself in notebooks.

    `boundless` are the entries of orders without a bound: refused, or withdrawn. They too are found by their order,
    but the table is only gone through, and counted, where there are bounds.
    """

    entries: tuple[Entry, ...]
    kappa: Fraction = Fraction(0)
    boundless: tuple[Entry, ...] = ()

    def __getitem__(self, order: tuple[int, int]) -> Entry:
        for entry in (*self.entries, *self.boundless):
            if (entry.D, entry.d) == tuple(order):
                return entry
        held = ", ".join(f"({e.D}, {e.d})" for e in (*self.entries, *self.boundless))
        raise OrderError(f"the table has no order {tuple(order)}; it has {held}")

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def whole(self) -> Table:
        """This table, for those who need a bound on every order; raises OrderError for lack of one."""
        for entry in self.boundless:
            D, d, reason = entry.D, entry.d, entry.derivation.steps[0].rule
            raise OrderError(f"C^{{{D},{d}}} has no bound, {reason}; leave the order {D},{d} out")
        return self

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
        unknown = tuple((e.D, e.d) for e in self.boundless if factor(e) is not None)
        for entry in self.entries:
            scale = factor(entry)
            if scale is not None and entry.exponent is not None:
                log = UNBOUNDED_LOG if entry.log_power is None else entry.log_power * scale
                limits[entry.D, entry.d] = Exponent(-entry.exponent * scale, -log)
        complete = {(entry.D, entry.d) for entry in self.entries} >= ALL_ORDERS
        if not limits:
            return WeakCorrelation(predicate, None, (), complete=complete, unknown=unknown)
        least = min(limits.values())
        orders = tuple(order for order, value in limits.items() if value.power == least.power)
        log_power = None if least.log == -UNBOUNDED_LOG else Fraction(least.log)
        return WeakCorrelation(predicate, Fraction(least.power), orders, log_power, complete, unknown)

    def to_object(self) -> dict[str, Any]:
        return {
            "kappa": str(self.kappa),
            "correlations": [entry.to_object() for entry in self.entries],
            "boundless": [entry.to_object() for entry in self.boundless],
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

"""An entry of a table of exponents: its size class, on what footing it stands, and its derivation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from typing import Any

from tensorprog.exponents import UNBOUNDED_LOG, Exponent
from tensorprog.notation import law
from tensorprog.passes.correlation import Order
from tensorprog.readings.assumptions import Assumption
from tensorprog.readings.judgement import Counts, Judgement


class Status(StrEnum):
    """What is known of the size n^e (log n)^l."""

    DEFINITE = "definite"
    """Both sides are proved."""
    DEFINITE_POWER = "definite power"
    """Both sides are proved for the power of n, that of log n is an upper bound."""
    UPPER_BOUND = "upper bound"
    """Not larger is proved."""
    ASSUMED = "assumed bound"
    """Not larger is proved where the assumptions of the entry hold, which nothing shows."""
    MEASURED = "measured"
    """Read off samples."""
    WITHDRAWN = "withdrawn"
    """There was a bound, but the data show that what it assumes is false."""
    REFUSED = "refused"
    """The order cannot be had, or nothing bounds it."""

    def __repr__(self) -> str:
        return repr(self.value)


BOUNDLESS = (Status.WITHDRAWN, Status.REFUSED)
NO_BOUND = "—"


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

    `exponent` is None when the correlation vanishes identically, and where there is no bound (`has_bound`);
    `log_power` is None for a factor n^{o(1)}. `assumptions`: what the bound rests on and nothing shows, or, where it
    was withdrawn for that, what is false.
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
    assumptions: tuple[Assumption, ...] = ()

    @staticmethod
    def from_judgement(
        order: Order,
        judged: Judgement | None,
        shift: Fraction,
        labels: Sequence[str],
        flips: frozenset[str],
        assumed: tuple[Assumption, ...] = (),
    ) -> Entry:
        if judged is None:
            vanishing = (Step("every term vanishes (at a kink no derivative is taken)", f"F{order.base}", "", (), "0"),)
            return Entry(order.D, order.d, order.points, None, None, Status.DEFINITE, Derivation(vanishing))
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
        status = Status.ASSUMED if assumed else Status.UPPER_BOUND
        steps = (*(Step(f"assumed, not shown: {a}", a.node, "", (), f"n^{power}") for a in assumed), *steps)
        return Entry(order.D, order.d, order.points, power, log, status, Derivation(steps), assumptions=assumed)

    @staticmethod
    def refused(D: int, d: int, points: Sequence[int] | None, reason: str) -> Entry:
        """The entry of an order that has no bound."""
        step = Step(f"refused: {reason}", "C", "", (), NO_BOUND)
        return Entry(D, d, tuple(points or ()), None, None, Status.REFUSED, Derivation((step,)))

    def withdrawn(self, reason: str, false: tuple[Assumption, ...]) -> Entry:
        """Without the bound, whose assumptions are false."""
        step = Step(f"withdrawn: {reason}", "C", "", (str(self),), NO_BOUND)
        kept = Derivation((step, *self.derivation.steps))
        return replace(self, exponent=None, log_power=None, status=Status.WITHDRAWN, derivation=kept, assumptions=false)

    @property
    def has_bound(self) -> bool:
        """Whether anything is known: not so where it was refused or withdrawn."""
        return self.status not in BOUNDLESS

    @property
    def vanishes(self) -> bool:
        """Whether the correlation is identically zero."""
        return self.exponent is None and self.has_bound

    @property
    def limit(self) -> str:
        """The constant to the decimal of its error, "lim n^1 C^{0,3} = -0.209806 ± 5e-15"; empty without one."""
        if self.constant is None or self.constant_error is None:
            return ""
        return f"{self.constant_of} = {rounded(self.constant, self.constant_error)} ± {self.constant_error:.0e}"

    @property
    def law(self) -> Exponent | None:
        """The size class, None for an identically vanishing correlation and where there is no bound."""
        if self.exponent is None:
            return None
        return Exponent(self.exponent, UNBOUNDED_LOG if self.log_power is None else self.log_power)

    def __str__(self) -> str:
        return law(self.law) if self.has_bound else NO_BOUND

    def to_object(self) -> dict[str, Any]:
        return {
            "D": self.D,
            "d": self.d,
            "points": list(self.points),
            "exponent": None if self.exponent is None else str(self.exponent),
            "log_power": None if self.log_power is None else str(self.log_power),
            "status": self.status.value,
            "assumptions": [assumption.to_object() for assumption in self.assumptions],
            "constant": self.constant,
            "constant_error": self.constant_error,
            "constant_of": self.constant_of,
            "derivation": self.derivation.to_object(),
        }


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

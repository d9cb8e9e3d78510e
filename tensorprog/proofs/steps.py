"""The steps of a proof: each says one thing, in quantities that can be tested, by a rule with its source."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

Kind = Literal[
    "definition", "limit", "zero", "bound", "algebra", "symmetry", "poincaré", "lower bound", "vanishing", "conclusion"
]
WHOLE, GRADIENT = "S", "G"
"""Subjects beside the nodes of the program: the correlation itself, and the squared norm of its gradient."""


@dataclass(frozen=True, slots=True)
class Summand:
    """A term of a sum: coefficient · n^power · Π factors.

    size: the proved exponent of the whole term, None for an exact zero. little: o(n^size) instead of O(n^size).
    """

    coefficient: Fraction
    power: Fraction
    factors: tuple[str, ...]
    size: Fraction | None = None
    little: bool = False

    def __str__(self) -> str:
        scale = [] if self.coefficient == 1 else [str(self.coefficient)]
        grown = [f"n^{self.power}"] if self.power else []
        return "·".join([*scale, *grown, *self.factors]) or "1"


@dataclass(frozen=True, slots=True)
class ProofStep:
    """One step. The claim is written from its quantities, so that what is shown is what is tested.

    number, premises: of this step, and of the earlier ones it rests on. rule, source: why it follows, and where that is
    shown. subject, shown: the scalar it is about, a node of the program, "S" or "G", and its formula.
    power, value, error, method: n^(-power) subject tends to the value, or the subject is O(n^power).
    flips: parameters whose signs turn. kept, dropped: terms of a sum. factor: of a definition, or an inequality.
    """

    number: int
    kind: Kind
    rule: str
    source: str
    premises: tuple[int, ...]
    subject: str
    shown: str
    power: Fraction = Fraction(0)
    value: float | None = None
    error: float = 0.0
    method: str = ""
    little: bool = False
    flips: tuple[str, ...] = ()
    kept: tuple[Summand, ...] = ()
    dropped: tuple[Summand, ...] = ()
    factor: Fraction = Fraction(1)
    parameters: tuple[str, ...] = ()
    status: str = ""
    undecided: bool = False  # whether no limit could be taken, for the reason that the rule gives
    payload: int | None = field(default=None, repr=False)

    @property
    def claim(self) -> str:
        """The statement in words and formulas."""
        return WORDS[self.kind](self)

    def __str__(self) -> str:
        needs = f", from {', '.join(f'({i})' for i in self.premises)}" if self.premises else ""
        return f"({self.number}) {self.kind}: {self.claim}.\n     {self.rule}{needs} [{self.source}]"

    def to_object(self) -> dict[str, Any]:
        """Everything as JSON types; powers and factors are exact texts."""
        return {
            "number": self.number,
            "kind": self.kind,
            "claim": self.claim,
            "rule": self.rule,
            "source": self.source,
            "premises": list(self.premises),
            "subject": self.subject,
            "power": str(self.power),
            "value": self.value,
            "error": self.error,
            "method": self.method,
            "flips": list(self.flips),
            "kept": [str(term) for term in self.kept],
            "dropped": [str(term) for term in self.dropped],
            "factor": str(self.factor),
            "status": self.status,
        }


def grown(power: Fraction, what: str) -> str:
    """A quantity with its power of n divided out."""
    return f"n^{-power}·{what}" if power else what


def _number(step: ProofStep) -> str:
    if step.value is None:
        return f"L_{step.number}" + (" ≠ 0" if step.kind == "conclusion" else "")
    error = f" ± {step.error:.1g}" if step.error else ""
    return f"{step.value:.8g}{error}" + (f" ({step.method})" if step.method else "")


def _limit(step: ProofStep) -> str:
    return f"{grown(step.power, step.subject)} → {_number(step)}, where {step.subject} = {step.shown}"


def _order(power: Fraction, little: bool) -> str:
    return f"{'o' if little else 'O'}(n^{power})"


def _algebra(step: ProofStep) -> str:
    kept = " + ".join(map(str, step.kept)) or "0"
    dropped = "; ".join(
        f"{term} = {'0' if term.size is None else _order(term.size, term.little)}" for term in step.dropped
    )
    smaller = f"; dropped, since smaller than n^{step.power}: {dropped}" if dropped else ""
    more = " + …" if dropped else ""
    return f"{step.subject} = {kept}{more}, so {grown(step.power, step.subject)} → {_number(step)}{smaller}"


def _bound(step: ProofStep) -> str:
    return f"{step.subject} = {_order(step.power, step.little)}, where {step.subject} = {step.shown}"


def _flip(step: ProofStep) -> str:
    signs = ", ".join(step.flips)
    return (
        f"turning the signs of {signs} turns {step.subject} into -{step.subject}, so its mean is exactly 0 at every n; "
        f"{step.subject} = {step.shown}"
    )


def _poincare(step: ProofStep) -> str:
    scale = "" if step.factor == 1 else f"{step.factor}·"
    return f"Var S = E S² ≤ {scale}E G at every n, where G = {step.shown}"


def _lower(step: ProofStep) -> str:
    return f"E S² ≥ c·E G for a constant c > 0 and all large n (tested with c = {step.value})"


def _vanishing(step: ProofStep) -> str:
    return f"S vanishes identically, at every n and for all weights, so {step.shown} has no exponent"


def _conclusion(step: ProofStep) -> str:
    return f"the exponent of {step.shown} is {step.power}, {step.status}"


def _definition(step: ProofStep) -> str:
    return f"S = {step.shown}, where C is {step.factor} times the derivative along the frozen gradients"


WORDS = {
    "definition": _definition,
    "limit": _limit,
    "zero": _flip,
    "symmetry": _flip,
    "bound": _bound,
    "algebra": _algebra,
    "poincaré": _poincare,
    "lower bound": _lower,
    "vanishing": _vanishing,
    "conclusion": _conclusion,
}

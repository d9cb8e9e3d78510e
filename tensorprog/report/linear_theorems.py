"""Where theorems of arXiv 2401.04013, as quoted, differ from what is derived and from what was measured, in words."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from tensorprog.notation import order
from tensorprog.readings import Status
from tensorprog.report.wording import footing, minus

if TYPE_CHECKING:
    from tensorprog.learning.study import Claim, Outcome
    from tensorprog.report.linear_report import Linearity


def disagreement(report: Linearity) -> list[str]:
    """Where exponential weak correlations, as the table has them, promise another m(n) than the fixed ones."""
    table = report.table
    fixed, grown = table.fixed, table.exponential
    if fixed.exponent is None or grown.exponent is None or not fixed.holds or fixed.exponent == grown.exponent:
        return []
    found = []
    for D, d in grown.rests_on:
        entry = table[D, d]
        shown = "" if entry.status is Status.DEFINITE else " is shown"
        needed = -fixed.exponent * Fraction(entry.d, 2)
        found.append(
            f"{order(entry.D, entry.d)} has the exponent {minus(entry.exponent or 0)} ({entry.status}), while "
            f"exponential weak correlations with m(n) = {fixed.growth} would need {minus(needed)}; hence only "
            f"m(n) = {grown.growth if grown.holds else 'a constant'}{shown} ({footing(table, grown)})."
        )
    if grown.holds:
        found.append(f"Theorem 3.2, as quoted, then says O(n^(ρ)/m) = O(n^(ρ-{grown.exponent})) for the distance.")
    return found


def differing(report: Linearity) -> list[tuple[Outcome, Claim]]:
    """Deviations at κ = 0 for which a theorem, as quoted, says another size than what is derived.

    After all steps; after one step only those smaller than what is derived.
    """
    rows = [o for o in report.outcomes if o.prediction.quantity == "deviation" and not o.prediction.kappa]
    last = report.run["steps"]
    found = [
        (o, c)
        for o in rows
        for c in o.claims
        if o.prediction.law != c.law and (o.prediction.steps == last or stronger(o, c))
    ]
    return sorted(found, key=lambda pair: (pair[1].theorem, pair[0].prediction.rho, pair[0].prediction.steps))


def stronger(outcome: Outcome, claim: Claim) -> bool:
    """Whether a claim says a smaller size than what is derived."""
    return outcome.prediction.law is not None and claim.law < outcome.prediction.law


def stands(outcome: Outcome, claim: Claim) -> str:
    """How a claim stands to what is derived and to what was measured."""
    p = outcome.prediction
    word = "not excluded by measurement"
    if outcome.verdict is None:
        word = "not measured"
    elif outcome.contradicts(claim):
        word = "contradicted by measurement"
    if p.law is None:
        return word
    if stronger(outcome, claim):
        return f"{word}; {'contradicted by what is derived' if refutes(outcome, claim) else 'smaller than derived'}"
    return f"{word}; {'the same as' if claim.law == p.law else 'weaker than'} derived"


def against(outcome: Outcome, claim: Claim) -> bool:
    """Whether measurement, or a definite derivation, contradicts a claim."""
    return outcome.contradicts(claim) or refutes(outcome, claim)


def refutes(outcome: Outcome, claim: Claim) -> bool:
    """Whether a definite derivation contradicts a claim."""
    return outcome.prediction.status is Status.DEFINITE and stronger(outcome, claim)


def beyond(report: Linearity) -> str:
    """A reservation for the rows with ρ > 0 among those that differ; empty when there are none."""
    rate = report.threshold.rate
    if rate is None or not any(o.prediction.rho > 0 and o.prediction.steps > 1 for o, _ in differing(report)):
        return ""
    return (
        f"At ρ > 0 the learning rate η n^(ρ) exceeds {rate:.3g} at large widths, and with more steps than one "
        "a growing error multiplies whatever there is; Theorem 3.1, for learning rates below a threshold, says nothing."
    )

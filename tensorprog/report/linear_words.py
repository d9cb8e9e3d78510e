"""What a report of `tp.linearity` says, in sentences made from its numbers; formulas as `n^-1`."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from tensorprog import notation
from tensorprog.learning.predictions import Reason
from tensorprog.notation import PLAIN, Form
from tensorprog.readings import Status
from tensorprog.report.linear_theorems import refutes, stands
from tensorprog.report.wording import BADGES, footing, interval, minus, number
from tensorprog.scaling.verdict import Word

if TYPE_CHECKING:
    from tensorprog.learning.predictions import Prediction
    from tensorprog.learning.study import Claim, Outcome
    from tensorprog.readings import Table, WeakCorrelation
    from tensorprog.report.linear_report import Growth, Linearity

NAMES = {
    "deviation": "|F − F_lin|",
    "moved F": "|F − F_0|",
    "moved gradient": "‖∇F − ∇F_0‖",
    "moved Hessian": "‖∇²F − ∇²F_0‖",
}
UNDECIDED, UNSEEN = "no prediction", "below rounding"


def counted(report: Linearity) -> str:
    """`33 predictions: 30 confirmed, 3 inconclusive, 0 refuted`, and how many claims were contradicted."""
    found = Counter(verdict(o) for o in report.all)
    total = sum(found[word] for word in BADGES)
    text = f"{total} prediction{'s' * (total != 1)} tested: " + ", ".join(f"{found[word]} {word}" for word in BADGES)
    quoted = sum(len(o.claims) for o in report.all if o.verdict is not None)
    seen = len(report.contradicted)
    derived = sum(refutes(o, c) for o in report.all for c in o.claims)
    words = f"of {quoted} claims, as quoted, {seen} contradicted by measurement, {derived} by what is derived"
    return f"{text}; {words}" if quoted else text


def verdict(outcome: Outcome) -> str:
    """A verdict, "no prediction" where there is none to judge, "below rounding" where nothing can be measured."""
    if outcome.verdict is None:
        return UNSEEN
    return UNDECIDED if outcome.prediction.law is None else outcome.verdict.verdict


def slope(outcome: Outcome) -> str:
    """The measured slope with its interval; empty where there is none."""
    v = outcome.verdict
    return "" if v is None else f"{number(v.slope)} {interval(v.interval)}".strip()


def onset(outcome: Outcome) -> str:
    """`from n = 256`: the widths at which the local slopes are those predicted; empty where nothing is predicted."""
    if outcome.prediction.law is None or outcome.verdict is None:
        return ""
    return "not reached" if outcome.onset is None else f"from n = {outcome.onset}"


def left_out(outcome: Outcome) -> str:
    """The widths whose differences are lost to rounding."""
    return ", ".join(str(n) for n in outcome.widths if n not in outcome.used)


def predicted(prediction: Prediction, form: Form = PLAIN) -> str:
    """`n^-1`, with O(…) around an upper bound."""
    if prediction.law is None:
        return UNDECIDED
    text = notation.law(prediction.law, form)
    return text if prediction.status is Status.DEFINITE else f"O({text})"


def claimed(claim: Claim, form: Form = PLAIN) -> str:
    return f"O({notation.law(claim.law, form)})"


def measured(value: float, error: float) -> str:
    """`(1.23 ± 0.04)·10^-3`, the error in two digits."""
    if not value or not math.isfinite(value):
        return number(value)
    power = math.floor(math.log10(abs(value)))
    scale = 10.0**power
    digits = 2 if not 0 < error < abs(value) else min(max(1, 1 - math.floor(math.log10(error / scale))), 6)
    text = f"{number(value / scale, digits)} ± {number(error / scale, digits)}"
    return text if power == 0 else f"({text})·10^{power}"


def answer(report: Linearity) -> list[str]:
    """Three sentences: is it weakly correlated, how far from linear is it after s steps, does training agree."""
    main = report.at()
    return [_correlated(report.table), _linear(report, main.prediction), _agrees(main)]


def _correlated(table: Table) -> str:
    parts = [_weak(table, weak) for weak in (table.fixed, table.exponential)]
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."


def _weak(table: Table, weak: WeakCorrelation) -> str:
    orders = notation.orders(weak.rests_on)
    kind = f"{weak.predicate} weak correlations{weak.scope}"
    if weak.exponent is None:
        return f"{kind} with any m(n)"
    if not weak.holds:
        return f"{kind} are not shown, because of {orders}"
    return f"{kind} with m(n) = {weak.growth}, limited by {orders} ({footing(table, weak)})"


def _linear(report: Linearity, p: Prediction) -> str:
    after = f"after {steps_of(p.steps)} at η = {report.run['learning_rate']:g}"
    if p.law is None:
        return f"How far from linear that leaves the network {after} cannot be predicted: {', '.join(p.reasons)}."
    start = "So"
    if Reason.DECAY in p.reasons:
        start = (
            "What decides here is not the table but weight decay: it takes a share of θ_0 away, which the linear model "
            "follows at first order only, so that"
        )
    elif report.kink is not None:
        start = (
            "What decides here is not the table but the kink of the activation: a step takes some preactivations "
            "across it, where no expansion holds, so that"
        )
    word = "exactly of the size" if p.status is Status.DEFINITE else "predicted to be"
    end = "it vanishes with the width"
    if not p.linear:
        end = (
            "it does not vanish: learning is not linear"
            if p.status is Status.DEFINITE
            else "nothing says that it vanishes"
        )
    return f"{start} {after} the distance |F − F_lin| is {word} {predicted(p)} ({p.status}): {end}."


def _agrees(outcome: Outcome) -> str:
    count, width = len(outcome.samples[-1]), outcome.widths[-1]
    median = measured(outcome.medians[-1], outcome.median_errors[-1])
    text = f"Trained from {count} initialisations at width {width}, the median distance is {median} (measured)"
    v = outcome.verdict
    if v is None:
        return f"{text}; it is below rounding at too many widths to show a slope."
    verb = "falls with" if v.slope < 0 else "has"
    seen = f"; over the widths it {verb} the slope {slope(outcome)} (measured)"
    words = {
        Word.CONFIRMED: ": the prediction is confirmed.",
        Word.REFUTED: ": the prediction is refuted.",
        Word.INCONCLUSIVE: ": not yet enough to decide.",
        UNDECIDED: "; there is no prediction to compare.",
    }
    return text + seen + words[verdict(outcome)]


def advice(report: Linearity) -> str:
    """What would settle the verdict at ρ = κ = 0 after all steps; empty when it is settled."""
    v = report.at().verdict
    return f"To settle ρ = κ = 0: {minus(str(v.advice))}." if v is not None and v.advice else ""


def threshold(report: Linearity) -> list[str]:
    """λ_max, the threshold and the η chosen, with what they mean."""
    found, rate = report.threshold, report.run["learning_rate"]
    if found.eigenvalue is None:
        return [f"λ_max of the limit kernel could not be taken: {found.reason}.", f"The run used η = {rate:g}."]
    batches = {tuple(sorted(batch)) for batch in report.run["batches"]}
    which = "on the batch" if len(batches) == 1 else f"on the worst of {len(batches)} batches"
    taken = (
        f"The kernel of infinite width {which}, Θ/|B|, has the largest eigenvalue λ_max = {found.eigenvalue:.4g} "
        "(a limit)"
    )
    if found.rate is None:
        why = found.reason or "the kernel vanishes there"
        return [f"{taken}. It gives no threshold: {why}.", f"The run used η = {rate:g}."]
    formula = f"2{'(1 + μ)' * bool(found.momentum)}/{'(λ_max + λ)' if found.decay else 'λ_max'}"
    given = [f"{name} = {value:g}" for name, value in (("momentum μ", found.momentum), ("weight decay λ", found.decay))
             if value]  # fmt: skip
    rule = (
        f"gradient descent on the squared error{' with ' * bool(given)}{joined(given)} contracts every direction of "
        f"the linear model for η < {formula} = {found.rate:.4g}, and makes the leading one grow above"
    )
    where = "below" if rate < found.rate else "at or above"
    sense = "Above it the linear model itself diverges, and the distance grows with the steps at any width."
    if rate < found.rate:
        sense = (
            "Below it the linear model converges; how the distance from it behaves is what is predicted and measured."
        )
    return [
        f"{taken}: {rule}.",
        f"The run used η = {rate:g}, {rate / found.rate:.2g} of the threshold ({where} it). {sense}",
    ]


def longest(growth: Growth) -> str:
    """What the long run shows, against the claim that the sup over steps stays O(1/m)."""
    o = growth.outcome
    text = f"The sup of |F − F_lin| over {steps_of(growth.steps)} has the slope {slope(o) or '—'} (measured)"
    parts = []
    for c in o.claims:
        held = stands(o, c).replace("; ", ", ")
        parts.append(
            f"the claim that it stays {claimed(c)} over all steps, with the m(n) of Theorem {c.theorem}, is {held}"
        )
    p = o.prediction
    bound = (
        f"the prediction {predicted(p)} ({p.status}) is that of {steps_of(p.steps)}, a number fixed while the width "
        "grows"
    )
    return f"{text}; {'; '.join([bound, *parts])}."


def steps_of(count: int) -> str:
    return f"{count} step{'s' * (count != 1)}"


def joined(parts: list[str]) -> str:
    """`a, b and c`."""
    return " and ".join(", ".join(parts).rsplit(", ", 1))

"""What a table of exponents says about training: sizes of deviations, and how far learning stays linear.

Every prediction is made before anything is measured, from the trees of `trees`: sizes at s steps, with factors η C′ of
size n^q, q = ρ + f, f the power of n of the slopes C′. They are bounds for fixed s; which trees decide is part of each.

Assumed, and said so: trees of more than five vertices, which are not in the table, go on as the last ones do. Two more
edges change a size by what they changed it by last, two because every other order may be smaller by a symmetry; where
such terms exceed those of the table there is no prediction. For kinked activations, preactivations have a bounded
density (`kink`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from typing import Any

from tensorprog.errors import TrainingError
from tensorprog.exponents import UNBOUNDED_LOG, Exponent
from tensorprog.functions import softplus
from tensorprog.functions.base import LINEAR, Degree
from tensorprog.learning.course import Course, Decay
from tensorprog.learning.decayed import QUANTITIES, Quantity, decayed, decays, law_of
from tensorprog.learning.trees import LARGEST, Tree, orders, trees
from tensorprog.passes.correlation import order_of
from tensorprog.program import Apply, Program
from tensorprog.readings import Entry, Status, Table
from tensorprog.readings.derive import Analysis

ZERO = Fraction(0)


class Reason(StrEnum):
    """What decides a prediction, where no correlation does."""

    DECAY = "weight decay"
    SLOPES = "no power of the outputs is known to bound the slopes of the loss"
    KINK = "the kink, crossed by a finite step"
    JUMPS = "derivatives jump where a step crosses a kink"
    GROWING = "terms grow with their order"
    LINEAR = "the table has no order beyond the linear one"


@dataclass(frozen=True, slots=True)
class Prediction:
    """The size of one quantity after `steps` steps at η n^ρ and external scale κ.

    law: n^e (log n)^l, or None where the terms grow with their order and the expansion says nothing. reasons: what
    decides. status: "definite" where a definite correlation, or weight decay, keeps the quantity from being smaller,
    for all learning rates, decays and targets but a set of measure zero, otherwise "upper bound", or "assumed bound"
    where an entry of the table rests on an assumption, which is among the reasons.

    Two arguments make it definite. One step is a power series in η with the terms C^{0,d}·C′^d: those of the leading
    size cancel for finitely many η only. After s steps the terms of second order in η are combinations of C^{0,2} at
    inputs x, x_i, x_j, and of what weight decay adds (`course`); where all inputs are trained on at every step, they
    are an invertible image of the three C^{0,2}, so that not all are smaller. Moved derivatives are
    −η Σ_i m_i C′_i C^{D,1}(x; x_i) at first order, m_i the steps that use x_i.
    """

    quantity: Quantity
    steps: int
    rho: Fraction
    kappa: Fraction
    law: Exponent | None
    status: Status
    reasons: tuple[str, ...]

    @property
    def linear(self) -> bool:
        """Whether the quantity vanishes as n → ∞."""
        return self.law is not None and self.law.power < 0

    def __str__(self) -> str:
        law = "no prediction" if self.law is None else str(self.law)
        return f"{self.quantity} after {self.steps}: {law} ({self.status}; {', '.join(self.reasons)})"

    def to_object(self) -> dict[str, Any]:
        return {
            "quantity": self.quantity,
            "steps": self.steps,
            "rho": str(self.rho),
            "kappa": str(self.kappa),
            **written(self.law),
            "status": self.status,
            "reasons": list(self.reasons),
        }


def written(law: Exponent | None) -> dict[str, str | None]:
    """A size class as JSON has it: `exponent` and `log_power`, null for a factor n^{o(1)} or no size at all."""
    if law is None:
        return {"exponent": None, "log_power": None}
    return {"exponent": str(law.power), "log_power": None if law.log == UNBOUNDED_LOG else str(law.log)}


def predict(
    table: Table,
    steps: int,
    rho: Fraction = ZERO,
    *,
    quantity: Quantity = "deviation",
    growth: Degree = LINEAR,
    kinked: Exponent | None = None,
    course: Course | None = None,
) -> Prediction:
    """The size of a quantity after so many steps.

    Parameters
    ----------
    table: exponents at the external scale κ it was derived with.
    steps, rho: s, and η → n^ρ η.
    growth: p of the slopes C′ of the loss, which grow like F^p; 1 for the squared error, None for no power.
    kinked: for kinked activations, the size of the second-order remainder at κ = 0 (`kink`).
    course: batches, momentum and weight decay (`course`); by default all inputs of the table, neither of the others.
    """
    if kinked is not None and quantity not in ("deviation", "moved F"):
        return Prediction(quantity, steps, rho, table.kappa, None, Status.UPPER_BOUND, (Reason.JUMPS,))
    needed = _needed(table, quantity, kinked)
    if unknown := [f"C^{{{e.D},{e.d}}} has no bound" for e in needed if not e.has_bound]:
        return Prediction(quantity, steps, rho, table.kappa, None, Status.UPPER_BOUND, tuple(unknown))
    assumed = dict.fromkeys(str(a) for e in needed for a in e.assumptions)
    first = trees(table)
    ntk = law_of(table, 0, 1) or Exponent()
    decay = None if course is None else course.decay
    if decay is not None and not any((e.D, e.d) == (0, 0) for e in table):
        reason = "weight decay pulls at the outputs, whose size C^{0,0} the table does not have"
        return Prediction(quantity, steps, rho, table.kappa, None, Status.UPPER_BOUND, (reason,))
    if decay is not None and (share := decay.at(rho, table.kappa)) > 0:
        reason = f"weight decay multiplies the weights by a factor that grows like n^{share}"
        return Prediction(quantity, steps, rho, table.kappa, None, Status.UPPER_BOUND, (reason,))
    outputs = max(ZERO, Fraction((law_of(table, 0, 0) or Exponent()).power))  # the power of F, if it grows
    gap: Exponent | None = None
    found: _Largest | None = None
    for step in range(1, steps + 1):
        if outputs and growth is None:
            gap, found = None, _Largest(None, Status.UPPER_BOUND, (Reason.SLOPES,))
            break
        q = rho + (growth or ZERO) * outputs
        linear = ntk.shift(q)
        if kinked is None:
            largest = _largest(_reached(first, step), q, linear, course)
        else:
            largest = _crossed(kinked.shift(table.kappa + 2 * q), linear)
        found = _with_decay(largest, "deviation", table, rho, q, decay)
        carried = None if gap is None else gap + linear
        gap = found.law if carried is None or found.law is None else max(found.law, carried)
        if gap is None:
            break
        outputs = max(outputs, Fraction(linear.power), Fraction(gap.power))
        last = q
    if found is None:
        raise TrainingError(f"steps={steps!r} must be a positive integer")
    law, reasons, status = gap, found.reasons, found.status
    terms, lowest = first, 2
    if quantity != "deviation" and gap is not None:
        terms, lowest = trees(table, QUANTITIES[quantity]), 1
        whole = _largest(_reached(terms, steps), last, None, course)
        whole = _with_decay(whole, quantity, table, rho, last, decay)
        law, reasons, status = whole.law, whole.reasons, whole.status
        if quantity == "moved F":
            law = max(x for x in (ntk.shift(last), law) if x is not None)
            reasons, status = ("C^{0,1}",), Status.UPPER_BOUND
    lasting = kinked is None and any(_keeps(tree, lowest, rho, law, course, steps) for tree in terms)
    lasting = lasting or (decay is not None and decays(decay, quantity, table, rho, law))
    certain = Status.DEFINITE if lasting else status if steps == 1 else Status.UPPER_BOUND
    if assumed:
        certain, reasons = Status.ASSUMED, (*reasons, *(f"assuming that {a}" for a in assumed))
    return Prediction(quantity, steps, rho, table.kappa, law, certain, reasons)


def _needed(table: Table, quantity: Quantity, kinked: Exponent | None) -> list[Entry]:
    """The entries of a table that a prediction rests on, those without a bound too."""
    wanted = {(0, 1)} if kinked is not None else {(0, 1), *orders(), *orders(QUANTITIES[quantity])}
    return [e for e in (*table, *table.boundless) if (e.D, e.d) in wanted]


@dataclass(frozen=True, slots=True)
class _Largest:
    law: Exponent | None
    status: Status
    reasons: tuple[str, ...]


def _crossed(law: Exponent, linear: Exponent) -> _Largest:
    """The remainder at kinks; None where it exceeds the linear term: a step then is not small for preactivations."""
    if law.power > linear.power:
        return _Largest(None, Status.UPPER_BOUND, (Reason.GROWING,))
    return _Largest(law, Status.UPPER_BOUND, (Reason.KINK,))


def _largest(found: Sequence[Tree], q: Fraction, linear: Exponent | None, course: Course | None) -> _Largest:
    """The largest of the trees and of a linear term; None where those of more edges would exceed all others."""
    if not found:
        return _Largest(None, Status.UPPER_BOUND, (Reason.LINEAR,))
    sizes = [(tree.at(q), tree) for tree in found]
    law = max(size for size, _ in sizes)
    if _grows([(size, tree.edges) for size, tree in sizes], q, linear):
        return _Largest(None, Status.UPPER_BOUND, (Reason.GROWING,))
    deciding = [tree for size, tree in sizes if size == law]
    definite = all(tree.is_one_correlation and _seen(tree.entries[0], course, 1) for tree in deciding)
    return _Largest(law, Status.DEFINITE if definite else Status.UPPER_BOUND, tuple(map(str, deciding)))


def _grows(sizes: Sequence[tuple[Exponent, int]], q: Fraction, linear: Exponent | None) -> bool:
    """Whether terms of more edges than the table has would exceed all of its own.

    Where factors η C′ grow, by a logarithm is enough.
    """
    law, shorter = max(size for size, _ in sizes), [size for size, edges in sizes if edges < LARGEST]
    if q > 0 and (not shorter or law > max(shorter)):
        return True
    powers = {} if linear is None else {1: Fraction(linear.power)}
    for size, edges in sizes:
        powers[edges] = max(powers.get(edges, Fraction(size.power)), Fraction(size.power))
    last = [k for k in (LARGEST - 1, LARGEST) if k in powers]
    gained = next((powers[k] - powers[k - 2] for k in last if k - 2 in powers), ZERO)  # by two more edges
    return any(powers[k] + gained > law.power for k in last)


def _with_decay(
    found: _Largest, quantity: Quantity, table: Table, rho: Fraction, q: Fraction, decay: Decay | None
) -> _Largest:
    """The largest of trees and of the terms in which weight decay contracts slots with θ (`course`), at n^ρ η."""
    if decay is None or (law := decayed(quantity, table, rho, q, decay)) is None:
        return found
    if found.law is None and q > 0:
        return found
    if found.law is None or law > found.law:
        return _Largest(law, Status.UPPER_BOUND, (Reason.DECAY,))
    if law == found.law:
        return replace(found, status=Status.UPPER_BOUND, reasons=(*found.reasons, Reason.DECAY))
    return found


def _seen(entry: Entry, course: Course | None, steps: int) -> bool:
    """Whether an entry is definite, and all gradients in it are of inputs that so many steps use."""
    used = course is None or all(course.uses(i, steps) for i in entry.points[1:])
    return entry.status is Status.DEFINITE and used


def _keeps(tree: Tree, lowest: int, rho: Fraction, law: Exponent | None, course: Course | None, steps: int) -> bool:
    """Whether a tree is a definite correlation of the lowest order in η, of the size `law`: it cannot be cancelled."""
    if not tree.is_one_correlation or tree.edges != lowest or tree.at(rho) != law:
        return False
    (entry,) = tree.entries
    if not _seen(entry, course, steps):
        return False
    return course is None or lowest == 1 or steps == 1 or course.keeps(entry.points, steps)


def _reached(found: Sequence[Tree], steps: int) -> list[Tree]:
    """The trees that so many steps bring: one step is along gradients at θ_0, a single correlation."""
    return [tree for tree in found if steps > 1 or tree.is_one_correlation]


def largest_rho(
    table: Table, *, relative: bool = False, kinked: Exponent | None = None, course: Course | None = None
) -> Fraction | None:
    """The ρ below which the deviation after one step vanishes as n → ∞, or vanishes against F_lin's own change.

    With weight decay that is at most the ρ at which a step takes a share of θ that does not vanish. None when no order
    limits it, or an order that might has no bound. kinked: as in `predict`.
    """
    if any(not e.has_bound for e in _needed(table, "deviation", kinked)):
        return None
    if kinked is None:
        sizes = [(tree.size, tree.edges) for tree in _reached(trees(table), 1)]
    else:
        sizes = [(kinked.shift(table.kappa), 2)]
    limits = [-Fraction(size.power) / (edges - relative) for size, edges in sizes if edges > relative]
    if course is not None and course.decay is not None and decayed("deviation", table, ZERO, ZERO, course.decay):
        limits.append(-course.decay.at(ZERO, table.kappa))
    return min(limits, default=None)


def kink(program: Program) -> Exponent | None:
    """For kinked activations, the size of F(θ+δ) − F(θ) − ∇F·δ along a gradient step at η = 1; None for smooth ones.

    A step of size δ takes a share δ of the coordinates across their kink, where the first-order remainder is of size δ:
    on average over a preactivation of bounded density that is a second-order term, φ″ δ², but all to one side, so no
    sign symmetry makes it smaller. Hence the bound of C^{0,2} without symmetries, with a smooth function in place of
    each kinked one.
    """
    nodes = {
        name: replace(node, function=softplus)
        if isinstance(node, Apply) and node.function.smoothness is not None
        else node
        for name, node in program.nodes.items()
    }
    if nodes == dict(program.nodes):
        return None
    smooth = Program(nodes, program.outputs)
    points = (0, 0, 0)
    entry = Analysis(smooth, [0], symmetric=False).entry(order_of(smooth, 0, 2, points), ZERO)
    return entry.law


def rescaled(table: Table, rho: Fraction, kappa: Fraction = ZERO) -> Table:
    """The table at η n^ρ and a further external scale κ: C^{D,d} gains ρ(D/2 + d) + κ(D + d - 1)."""
    entries = tuple(
        e
        if e.exponent is None
        else replace(e, exponent=e.exponent + rho * (Fraction(e.D, 2) + e.d) + kappa * (e.D + e.d - 1))
        for e in table
    )
    return replace(table, entries=entries, kappa=table.kappa + kappa)

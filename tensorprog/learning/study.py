"""`linearity`: is a network weakly correlated, how far from linear does that leave it, and does training agree?

Everything is predicted first (`predictions`), then the network and its linearised model are trained on the same weights
at growing widths, at several learning rates η n^ρ and external scales κ, and each prediction is judged like a derived
exponent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tensorprog.errors import TrainingError
from tensorprog.exponents import Exponent
from tensorprog.learning.course import Course, course_of
from tensorprog.learning.decayed import Quantity
from tensorprog.learning.predictions import Prediction, kink, predict, rescaled, written
from tensorprog.limits.definite import derive
from tensorprog.passes.learning import deviations, motions
from tensorprog.passes.losses import loss_of
from tensorprog.passes.recipe import Recipe, Rule
from tensorprog.program import Program
from tensorprog.readings import Status, Table, all_orders, check_data
from tensorprog.readings.revealed import DEPENDENT
from tensorprog.scaling.quantiles import quantiles
from tensorprog.scaling.sampling import Sampling
from tensorprog.scaling.verdict import RESAMPLES, Verdict, Word, judge, log_factor

Array = NDArray[np.float64]
QUARTER = Fraction(1, 4)
RHOS = tuple(i * QUARTER for i in range(-4, 3))
KAPPAS = tuple(i * QUARTER / 2 for i in range(5))
ROUNDING = 1e3 * float(np.finfo(np.float64).eps)
PATIENCE = 10.0
FEWEST = 3  # widths a slope needs, with one to tell a correction


@dataclass(frozen=True)
class Claim:
    """What a theorem of arXiv 2401.04013 says of a deviation, as quoted in its setting: O(n^power (log n)^log)."""

    theorem: str
    law: Exponent


def median_errors(samples: Sequence[Array]) -> list[float]:
    """Bootstrap standard errors of the medians."""
    return [float(e) for e in quantiles(samples, RESAMPLES, np.random.default_rng(0)).errors[:, 0]]


@dataclass(frozen=True)
class Outcome:
    """One quantity at one (ρ, κ) after some steps: what is predicted, what theorems say, what was measured.

    samples[i] at widths[i]; `used` are the widths whose median is above rounding. verdict: None with too few of them.
    contradicted: the theorems that the samples refute, by the test that judges predictions.
    """

    prediction: Prediction
    claims: tuple[Claim, ...]
    widths: tuple[int, ...]
    samples: tuple[Array, ...]
    used: tuple[int, ...]
    verdict: Verdict | None
    contradicted: frozenset[str] = frozenset()

    @property
    def kept(self) -> list[int]:
        """Where the widths that are used stand among all."""
        return [i for i, width in enumerate(self.widths) if width in self.used]

    @property
    def medians(self) -> list[float]:
        return [float(np.median(values)) for values in self.samples]

    @property
    def median_errors(self) -> list[float]:
        return median_errors(self.samples)

    @property
    def onset(self) -> int | None:
        """The width from which all slopes between neighbouring medians agree with the prediction; None without one.

        They agree within the margin and two standard errors, (log n)^l divided out; a bound that is not attained has
        no onset.
        """
        law, v = self.prediction.law, self.verdict
        if law is None or v is None:
            return None
        n, medians = np.array(self.used, dtype=np.float64), np.array(self.medians)[self.kept]
        errors, gaps = np.array(self.median_errors)[self.kept] / medians, np.diff(np.log(n))
        slopes = np.diff(np.log(medians) - log_factor(law, n)) / gaps
        allowed = v.margin + 2 * np.hypot(errors[1:], errors[:-1]) / gaps
        off = np.flatnonzero(np.abs(slopes - float(law.power)) > allowed)
        first = int(off[-1]) + 1 if off.size else 0
        return self.used[first] if first < len(slopes) else None

    def contradicts(self, claim: Claim) -> bool:
        """Whether samples refute what a theorem says."""
        return claim.theorem in self.contradicted

    def to_object(self) -> dict[str, Any]:
        v = self.verdict
        return {
            **self.prediction.to_object(),
            "theorems": [
                {"theorem": c.theorem, **written(c.law), "contradicted": self.contradicts(c)} for c in self.claims
            ],
            "widths": list(self.widths),
            "used": list(self.used),
            "samples": [len(values) for values in self.samples],
            "medians": self.medians,
            "median_errors": self.median_errors,
            "slope": None if v is None else _finite(v.slope),
            "interval": None if v is None or not np.isfinite(v.interval).all() else list(v.interval),
            "verdict": None if v is None or self.prediction.law is None else v.verdict,
            "tight": None if v is None else v.tight,
            "onset": self.onset,
        }


def table_of(
    program: Program, data: Array, patience: float, progress: bool = False, trained: int | None = None
) -> Table:
    """All orders of a table, at the trained inputs in turn (all that are traced by default).

    Exponents are definite where limits can be taken in the patience given.
    """
    inputs = trained or len(program.outputs)
    points = [i % inputs for i in range(5)]
    orders = all_orders(program)
    given = data if patience else None
    return derive(program, orders, points, data=given, patience=patience or PATIENCE, progress=progress).whole()


def settings(rhos: Sequence[Fraction], kappas: Sequence[Fraction]) -> list[tuple[Fraction, Fraction]]:
    """(ρ, κ): every ρ at κ = 0, every κ at ρ = 0, and (0, 0) first."""
    zero = Fraction(0)
    return list(dict.fromkeys([(zero, zero), *((r, zero) for r in rhos), *((zero, k) for k in kappas)]))


def claims(table: Table, rho: Fraction, course: Course | None = None) -> tuple[Claim, ...]:
    """Theorem 3.1 on the table at η n^ρ, and Theorem 3.2 on the table at η with its deviation n^ρ/m(n).

    Theorem 3.1 is for η below a threshold, which η n^ρ exceeds at large n when ρ > 0: it says nothing there. Both are
    for steps along the gradient of the loss: of weight decay and of momentum they say nothing.
    """
    if course is not None and (course.decay is not None or course.momentum):
        return ()
    found = []
    fixed = [] if rho > 0 else [("3.1", rescaled(table, rho).fixed, Fraction(0))]
    for theorem, weak, extra in (*fixed, ("3.2", table.exponential, rho)):
        if weak.holds and weak.exponent is not None and weak.log_power is not None:
            found.append(Claim(theorem, Exponent(extra - weak.exponent, -weak.log_power)))
    return tuple(found)


@dataclass(frozen=True)
class Runs:
    """What a study samples: widths, initialisations at each (None for a time), the margin of its verdicts, and how."""

    widths: Sequence[int]
    samples: int | None
    margin: float = 0.1
    sampling: Sampling = field(default_factory=Sampling)


class Study:
    """Predictions and measurements of one trained network; `linearity` runs all of it."""

    def __init__(
        self,
        program: Program,
        data: Array,
        targets: ArrayLike,
        rate: float,
        rule: Rule,
        steps: int,
        runs: Runs,
        patience: float = 0.0,
    ) -> None:
        self.program, self.data, self.targets = program, data, targets
        self.rate, self.rule, self.steps, self.runs, self.patience = rate, rule, steps, runs, patience
        self.widths = tuple(runs.widths)
        self.kink = kink(program)
        self.loss_growth = loss_of(rule.loss).growth

    @cached_property
    def course(self) -> Course:
        """Batches, momentum and weight decay as predictions read them."""
        return course_of(self.program, self.recipe(Fraction(0), Fraction(0)), self.data, self.patience)

    def recipe(self, rho: Fraction, kappa: Fraction, steps: int | None = None) -> Recipe:
        return self.rule.recipe(self.program, self.targets, steps or self.steps, self.rate, kappa, rho)

    def predict(self, table: Table, rho: Fraction, steps: int, quantity: Quantity = "deviation") -> Prediction:
        return predict(
            table, steps, rho, quantity=quantity, growth=self.loss_growth, kinked=self.kink, course=self.course
        )

    def claims(self, table: Table, rho: Fraction) -> tuple[Claim, ...]:
        """What theorems say, which are about smooth activations."""
        return claims(table, rho, self.course) if self.kink is None else ()

    def outcomes(self, table: Table, rho: Fraction, kappa: Fraction) -> list[Outcome]:
        """Deviations after one step and after all, and how far the gradient has moved by then."""
        recipe = self.recipe(rho, kappa)
        whole = deviations(self.program, recipe)
        stops = sorted({1, self.steps})
        programs = [whole[step - 1] for step in stops]
        predictions = [self.predict(table, rho, step) for step in stops]
        if self.kink is None and len(recipe.labels[0]) == 1:
            programs.append(motions(self.program, recipe, 1)[-1])
            predictions.append(self.predict(table, rho, self.steps, "moved gradient"))
        found = self.measured(programs, self.widths)
        quoted = self.claims(table, rho)
        return [
            self.judged(prediction, quoted if prediction.quantity == "deviation" else (), self.widths, samples)
            for prediction, samples in zip(predictions, found, strict=True)
        ]

    def growth(self, table: Table, steps: int, widths: Sequence[int]) -> tuple[Outcome, list[list[float]]]:
        """sup_s |F(θ_s) − F_lin(s)| over a long run, and the medians at every step, one list a width."""
        zero = Fraction(0)
        found = self.measured(deviations(self.program, self.recipe(zero, zero, steps)), widths)
        largest = [np.max([found[s][i] for s in range(steps)], axis=0) for i in range(len(widths))]
        curves = [[float(np.median(found[s][i])) for s in range(steps)] for i in range(len(widths))]
        prediction = self.predict(table, zero, self.steps)
        return self.judged(prediction, self.claims(table, zero), widths, largest), curves

    def measured(self, programs: Sequence[Program], widths: Sequence[int]) -> list[list[Array]]:
        counts = None if self.runs.samples is None else [self.runs.samples] * len(programs)
        return self.runs.sampling.measure(programs, self.data, widths, counts, together=True)

    def judged(
        self, prediction: Prediction, quoted: tuple[Claim, ...], widths: Sequence[int], samples: Sequence[Array]
    ) -> Outcome:
        kept = [i for i, values in enumerate(samples) if np.median(values) > lost(widths[i])]
        used = tuple(widths[i] for i in kept)
        if len(used) < FEWEST:
            return Outcome(prediction, quoted, tuple(widths), tuple(samples), used, None)
        chosen = [samples[i] for i in kept]

        def judgement(law: Exponent, bound: bool) -> Verdict:
            return judge(used, chosen, law, bound=bound, margin=self.runs.margin, seed=self.runs.sampling.seed)

        verdict = judgement(prediction.law or Exponent(), prediction.status is not Status.DEFINITE)
        against = frozenset(c.theorem for c in quoted if judgement(c.law, True).verdict == Word.REFUTED)
        return Outcome(prediction, quoted, tuple(widths), tuple(samples), used, verdict, against)


def lost(width: int) -> float:
    """Differences of two outputs below this are lost: to rounding, and to what the exact reading takes as dependent.

    A vector of norm √n that is known up to a part of δ moves an output by up to about δ √n.
    """
    return max(ROUNDING, DEPENDENT["float64"] * float(np.sqrt(width)))


def check_task(program: Program, data: ArrayLike, targets: ArrayLike) -> Array:
    """Data for every traced input, and targets for at least one and not all of more than them."""
    array = check_data(program, data)
    components = sorted({output.component or 0 for output in program.outputs.values()})
    if len(components) > 1:
        raise TrainingError(
            f"the network has {len(components)} outputs, and correlations are those of one; give one of them, as in "
            "program.restricted(['F0.0', 'F1.0', …]), or train all of them with tp.deviation"
        )
    if len(array) < len(program.outputs):
        raise TrainingError(f"{len(program.outputs)} inputs are traced, the data have {len(array)}; give one row each")
    count = len(np.atleast_1d(targets))
    if count > len(program.outputs):
        raise TrainingError(f"{count} targets are given for {len(program.outputs)} traced inputs")
    return array


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None

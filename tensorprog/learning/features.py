"""Where features are learned: do correlations at initialisation predict the gap to the linear model after training?

On targets that a linear model does not learn well, such as sparse parities (Barak et al., arXiv 2207.08799), the gap
F(θ_s) − F_lin(s) is set against what the correlations at θ_0 say of it: the terms of order two to four of one step,
Σ_d (−1)^d C^{0,d}·C′^d, at every input.

Known limits: cells at several widths share their weights and tasks, so that the interval over cells is a rough one; and
κ and the width alone order much of what is compared over cells, nothing of what is compared within one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tensorprog.errors import OrderError, TrainingError
from tensorprog.learning.study import Runs, Study, median_errors
from tensorprog.learning.threshold import default_rate, threshold
from tensorprog.passes.correlation import check_smoothness
from tensorprog.passes.learning import deviations, expanded, mean_square
from tensorprog.passes.recipe import Rule
from tensorprog.program import Program

Array = NDArray[np.float64]
TASK_SEED = 0
HIGHEST = 4  # order of the largest term of one step that is looked at
SCALES = (Fraction(0), Fraction(1, 2))
RESAMPLES = 1000
ENDS = (0.025, 0.975)


@dataclass(frozen=True)
class Task:
    """Inputs (m, d0) with |x|² = d0, and a target for each."""

    name: str
    data: Array
    targets: Array


def parity(inputs: int, k: int, bits: int) -> Task:
    """The product of the first k of `bits` random signs."""
    if not 1 <= k <= bits or 2**bits < inputs:
        raise TrainingError(f"a parity of {k} of {bits} bits has no {inputs} different inputs; use more bits")
    generator = np.random.default_rng(TASK_SEED)
    rows = np.empty((0, bits))
    while len(rows) < inputs:
        rows = np.unique(np.concatenate([rows, 1.0 - 2.0 * generator.integers(0, 2, (8 * inputs, bits))]), axis=0)
    data = generator.permutation(rows)[:inputs]
    return Task(f"parity of {k} of {bits} bits", data, np.prod(data[:, :k], axis=1))


def two_index(inputs: int, dimension: int) -> Task:
    """z_1 + z_1 z_2 of the first two coordinates of random directions, scaled to |x|² = d0."""
    if dimension < 2:
        raise TrainingError(f"a two-index target needs two dimensions or more, not {dimension}")
    data = np.random.default_rng(TASK_SEED).standard_normal((inputs, dimension))
    data *= np.sqrt(dimension) / np.linalg.norm(data, axis=1, keepdims=True)
    return Task(f"two-index target in {dimension} dimensions", data, data[:, 0] + data[:, 0] * data[:, 1])


TASKS: Mapping[str, Callable[..., Task]] = MappingProxyType({"parity": parity, "two-index": two_index})


def task_of(text: str, inputs: int) -> Task:
    """The task that "parity:2:10" (k of so many bits) or "two-index:10" (dimension) means. Raises TrainingError."""
    name, *numbers = text.split(":") if isinstance(text, str) else [""]
    expected = {"parity": 2, "two-index": 1}.get(name)
    if expected != len(numbers) or not all(re.fullmatch(r"0*[1-9]\d{0,3}", x, re.ASCII) for x in numbers):
        raise TrainingError(
            f"{text!r} is no task; write parity:2:10 (two of ten bits) or two-index:10 (ten dimensions)"
        )
    return TASKS[name](inputs, *map(int, numbers))


def check_tasks(program: Program, texts: Sequence[str], trained: int, steps: int, rule: Rule) -> list[Task]:
    """The tasks, with an input for each one traced, if the network can be trained on them. Raises TrainingError."""
    if isinstance(texts, str):
        raise TrainingError(f"tasks={texts!r} must be a list of them, as in [{texts!r}]")
    found = [task_of(text, len(program.outputs)) for text in dict.fromkeys(texts)]
    if found and program.positions is not None:
        raise TrainingError(f"inputs of tasks are single vectors, the network takes {program.positions} positions")
    if found:
        try:
            check_smoothness(program, HIGHEST)
        except OrderError as error:
            raise TrainingError(f"tasks need the terms of a step up to order {HIGHEST}; {error}") from None
    for task in found:
        try:
            rule.recipe(program, task.targets[:trained], steps, 1.0)
        except TrainingError as error:
            raise TrainingError(f"{task.name}: {error}") from None
    return found


def study_of(
    program: Program, task: Task, trained: int, rate: float | None, rule: Rule, steps: int, runs: Runs
) -> Study:
    """The first `trained` inputs of a task are trained on, at half the threshold of η on them where none is given."""
    targets = task.targets[:trained]
    if rate is None:
        found = threshold(program, task.data, rule.recipe(program, targets, steps, 1.0))
        rate = default_rate(found)
    return Study(program, task.data, targets, rate, rule, steps, runs)


@dataclass(frozen=True)
class Agreement:
    """A rank correlation with its 95 % interval by the bootstrap; NaN where there is nothing to rank."""

    value: float
    interval: tuple[float, float]

    @property
    def positive(self) -> bool:
        return self.interval[0] > 0

    def to_object(self) -> dict[str, Any]:
        held = np.isfinite([self.value, *self.interval]).all()
        return {"value": self.value if held else None, "interval": list(self.interval) if held else None}


@dataclass(frozen=True)
class Cell:
    """One task at one κ and width: by initialisation, the gap foreseen after one step, and measured after 1 and s."""

    task: str
    kappa: Fraction
    width: int
    rate: float
    foreseen: Array
    first: Array
    last: Array

    @property
    def medians(self) -> tuple[float, float, float]:
        """Of the gap foreseen, after one step, and after all."""
        return float(np.median(self.foreseen)), float(np.median(self.first)), float(np.median(self.last))

    @property
    def median_errors(self) -> list[float]:
        return median_errors([self.foreseen, self.first, self.last])

    @property
    def agreement(self) -> float:
        """Rank correlation over initialisations between the gap foreseen at θ_0 and the gap after all steps."""
        return float(_ranked(self.foreseen, self.last))

    def to_object(self) -> dict[str, Any]:
        foreseen, first, last = self.medians
        return {
            "task": self.task,
            "kappa": str(self.kappa),
            "width": self.width,
            "learning_rate": self.rate,
            "samples": len(self.last),
            "foreseen": foreseen,
            "gap_after_one_step": first,
            "gap": last,
            "median_errors": self.median_errors,
            "rank_correlation": self.agreement if np.isfinite(self.agreement) else None,
        }


def cells(name: str, study: Study, kappas: Sequence[Fraction] = SCALES) -> list[Cell]:
    """A task at every κ, and at every width of its study."""
    found = []
    for kappa in kappas:
        recipe = study.recipe(Fraction(0), kappa)
        whole = deviations(study.program, recipe)
        terms = expanded(study.program, recipe, range(2, HIGHEST + 1))
        measured = study.measured([mean_square(terms), whole[0], whole[-1]], study.widths)
        for width, *values in zip(study.widths, *measured, strict=True):
            found.append(Cell(name, kappa, width, study.rate, *values))
    return found


def overall(found: Sequence[Cell]) -> Agreement:
    """Over cells, between the medians of the gap foreseen and of the gap after all steps; cells are resampled."""
    foreseen, _, last = np.transpose([c.medians for c in found])
    chosen = np.random.default_rng(0).integers(0, len(found), (RESAMPLES, len(found)))
    return _agreement(float(_ranked(foreseen, last)), _ranked(foreseen[chosen], last[chosen]))


def within(found: Sequence[Cell]) -> Agreement:
    """The mean over cells of the rank correlation over initialisations, which are resampled in each."""
    generator = np.random.default_rng(0)
    draws = []
    for cell in found:
        chosen = generator.integers(0, len(cell.last), (RESAMPLES, len(cell.last)))
        draws.append(_ranked(cell.foreseen[chosen], cell.last[chosen]))
    return _agreement(float(np.mean([c.agreement for c in found])), np.mean(draws, axis=0))


def _agreement(value: float, draws: Array) -> Agreement:
    kept = draws[np.isfinite(draws)]
    low, high = np.quantile(kept, ENDS) if kept.size else (np.nan, np.nan)
    return Agreement(value, (float(low), float(high)))


def _ranked(one: Array, two: Array) -> Array:
    """Spearman's rank correlation along the last axis; NaN where one of them does not vary."""
    first, second = (stats.rankdata(values, axis=-1) for values in (one, two))
    first, second = (ranks - ranks.mean(axis=-1, keepdims=True) for ranks in (first, second))
    size = np.sqrt((first**2).sum(axis=-1) * (second**2).sum(axis=-1))
    found: Array = np.divide((first * second).sum(axis=-1), size, out=np.full(size.shape, np.nan), where=size > 0)
    return found

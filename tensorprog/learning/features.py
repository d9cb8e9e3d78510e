"""Where features are learned: do correlations at initialisation predict the gap to the linear model after training?

On targets that a linear model does not learn well, such as sparse parities (Barak et al., arXiv 2207.08799), the gap
F(θ_s) − F_lin(s) is set against what the correlations at θ_0 say of it: the terms of order two to four of one step,
Σ_d (−1)^d C^{0,d}·C′^d, at every input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tensorprog.errors import TrainingError
from tensorprog.learning.study import Study, default_rate, threshold
from tensorprog.passes.learning import deviations, expanded, mean_square
from tensorprog.passes.recipe import Recipe
from tensorprog.program import Program

Array = NDArray[np.float64]
TASK_SEED = 0


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
    rows = np.unique(1.0 - 2.0 * generator.integers(0, 2, (8 * inputs, bits)), axis=0)
    data = generator.permutation(rows)[:inputs]
    return Task(f"parity of {k} of {bits} bits", data, np.prod(data[:, :k], axis=1))


def two_index(inputs: int, dimension: int) -> Task:
    """z_1 + z_1 z_2 of the first two coordinates of random directions, scaled to |x|² = d0."""
    data = np.random.default_rng(TASK_SEED).standard_normal((inputs, dimension))
    data *= np.sqrt(dimension) / np.linalg.norm(data, axis=1, keepdims=True)
    return Task(f"two-index target in {dimension} dimensions", data, data[:, 0] + data[:, 0] * data[:, 1])


TASKS: Mapping[str, Callable[..., Task]] = MappingProxyType({"parity": parity, "two-index": two_index})


def task_of(text: str, inputs: int) -> Task:
    """The task that "parity:2:10" (k of so many bits) or "two-index:10" (dimension) means. Raises TrainingError."""
    name, *numbers = text.split(":")
    expected = {"parity": 2, "two-index": 1}.get(name)
    if expected != len(numbers) or not all(x.isdecimal() and int(x) for x in numbers):
        raise TrainingError(
            f"{text!r} is no task; write parity:2:10 (two of ten bits) or two-index:10 (ten dimensions)"
        )
    return TASKS[name](inputs, *map(int, numbers))


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
    def agreement(self) -> float:
        """Rank correlation over initialisations between the gap foreseen at θ_0 and the gap after all steps."""
        return float(stats.spearmanr(self.foreseen, self.last).statistic)

    def to_object(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "kappa": str(self.kappa),
            "width": self.width,
            "learning_rate": self.rate,
            "foreseen": float(np.median(self.foreseen)),
            "gap_after_one_step": float(np.median(self.first)),
            "gap": float(np.median(self.last)),
            "rank_correlation": self.agreement,
        }


def cells(
    program: Program,
    tasks: Sequence[Task],
    kappas: Sequence[Fraction],
    widths: Sequence[int],
    *,
    trained: int,
    steps: int,
    samples: int,
    seed: int = 0,
    ways: Mapping[str, Any] = MappingProxyType({}),
) -> list[Cell]:
    """Every task at every κ and width; the first `trained` inputs are trained on, at half the threshold of η."""
    found = []
    for task in tasks:
        targets = task.targets[:trained]
        first = Recipe.of(program, targets, steps, 1.0)
        rate = default_rate(threshold(program, task.data, first), "squared")
        options = {"learning_rate": rate}
        study = Study(
            program,
            task.data,
            targets,
            options,
            steps=steps,
            widths=widths,
            samples=samples,
            seed=seed,
            margin=0.1,
            ways=ways,
        )
        for kappa in kappas:
            recipe = study.recipe(Fraction(0), kappa)
            whole = deviations(program, recipe)
            terms = expanded(program, recipe, range(2, 5))
            measured = study.measured([mean_square(terms), whole[0], whole[-1]], widths)
            for width, *values in zip(widths, *measured, strict=True):
                found.append(Cell(task.name, kappa, width, rate, *values))
    return found


def overall(found: Sequence[Cell]) -> float:
    """Rank correlation over cells between the medians of the gap foreseen and of the gap after all steps."""
    pairs = [(float(np.median(c.foreseen)), float(np.median(c.last))) for c in found]
    return float(stats.spearmanr(*np.transpose(pairs)).statistic)

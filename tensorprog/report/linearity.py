"""`tp.linearity`: does a network learn linearly? Predictions, their test by training, and the report of both."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tensorprog.errors import SamplingError
from tensorprog.exponents import exact
from tensorprog.linearity.predictions import largest_rho
from tensorprog.linearity.study import (
    KAPPAS,
    PATIENCE,
    RHOS,
    Outcome,
    Study,
    Threshold,
    check_task,
    default_rate,
    settings,
    table_of,
    threshold,
)
from tensorprog.passes.recipe import Recipe
from tensorprog.program import Program
from tensorprog.readings import Table
from tensorprog.scaling.measure import check_counts, check_widths
from tensorprog.version import VERSION

Array = NDArray[np.float64]
ZERO = Fraction(0)


@dataclass(frozen=True)
class Growth:
    """A long run: the sup over its steps as an outcome, and the medians at every step by width."""

    steps: int
    outcome: Outcome
    curves: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Linearity:
    """The report of `tp.linearity`: tables of exponents by κ, the threshold, outcomes, and how to repeat the run."""

    program: Program
    data: Array
    targets: Array
    tables: Mapping[Fraction, Table]
    threshold: Threshold
    outcomes: tuple[Outcome, ...]
    growth: Growth | None
    run: Mapping[str, Any]

    @property
    def table(self) -> Table:
        """The exponents at κ = 0."""
        return self.tables[ZERO]

    def at(self, rho: object = 0, kappa: object = 0, quantity: str = "deviation", steps: int | None = None) -> Outcome:
        """One outcome; the last step by default. Raises SamplingError for one that was not measured."""
        wanted = (exact(rho), exact(kappa), quantity, self.run["steps"] if steps is None else steps)
        for outcome in self.outcomes:
            p = outcome.prediction
            if (p.rho, p.kappa, p.quantity, p.steps) == wanted:
                return outcome
        raise SamplingError(f"(ρ, κ, quantity, steps) = {wanted} was not measured; look at .outcomes")

    @property
    def refuted(self) -> tuple[Outcome, ...]:
        """Outcomes whose measurement contradicts the prediction."""
        return tuple(
            o for o in self._all if o.prediction.law is not None and o.verdict and o.verdict.verdict == "refuted"
        )

    @property
    def contradicted(self) -> tuple[tuple[Outcome, str], ...]:
        """Outcomes whose measurement lies above what a theorem, as quoted, says; with the theorem."""
        return tuple((o, c.theorem) for o in self._all for c in o.claims if o.contradicts(c))

    @property
    def _all(self) -> tuple[Outcome, ...]:
        return (*self.outcomes, *([] if self.growth is None else [self.growth.outcome]))

    def to_object(self) -> dict[str, Any]:
        return {
            "tensorprog": VERSION,
            "kind": "linearity",
            "tables": [table.to_object() for table in self.tables.values()],
            "threshold": {"eigenvalue": self.threshold.eigenvalue, "rate": self.threshold.rate},
            "largest_rho": _text(largest_rho(self.table)),
            "largest_rho_relative": _text(largest_rho(self.table, relative=True)),
            "outcomes": [outcome.to_object() for outcome in self.outcomes],
            "growth": None
            if self.growth is None
            else {"steps": self.growth.steps, **self.growth.outcome.to_object(), "curves": self.growth.curves},
            "run": dict(self.run),
        }

    def to_json(self) -> str:
        """The report as one JSON object (docs/json.md)."""
        return json.dumps(self.to_object(), indent=1, ensure_ascii=False, allow_nan=False)

    def save(self, folder: str | Path) -> Path:
        """Write the page, figures, numbers, data and samples; returns the folder."""
        raise NotImplementedError


def linearity(
    program: Program,
    data: ArrayLike,
    targets: ArrayLike,
    *,
    widths: Sequence[int] = (256, 512, 1024, 2048, 4096),
    samples: int | None = 40,
    minutes: float | None = None,
    steps: int = 3,
    learning_rate: float | None = None,
    rhos: Sequence[float | Fraction] = RHOS,
    kappas: Sequence[float | Fraction] = KAPPAS,
    growth: int = 0,
    seed: int = 0,
    margin: float = 0.1,
    patience: float = PATIENCE,
    workers: int = 1,
    store: str | Path | None = None,
    progress: bool = True,
    name: str = "program",
    provenance: Mapping[str, Any] | None = None,
    **options: Any,
) -> Linearity:
    """Predict how far from linear a network learns, and train it to see.

    Parameters
    ----------
    program: from `tp.trace`; the inputs beyond those with targets are test inputs.
    data, targets: as in `tp.train`; data has a row for every traced input.
    widths, samples: increasing widths, and initialisations at each. minutes: instead of samples, about how long to
        sample for each (ρ, κ).
    steps: s of the deviations; one step is always looked at too. learning_rate: η, half of 2/λ_max by default.
    rhos, kappas: learning rates η n^ρ at κ = 0, and external scales at ρ = 0.
    growth: steps of a long run at the smaller widths, for the sup over its steps; 0 leaves it out.
    patience: seconds for each limit that makes an exponent definite; 0 leaves all of them upper bounds.
    workers, store, seed, progress, margin: as in `tp.verify`. options: loss, batches, momentum, weight_decay, as in
        `tp.train`.

    Raises TrainingError, DataError, SamplingError before any work starts.
    """
    start = time.perf_counter()
    array = check_task(program, data, targets)
    kept = check_widths(widths, [program])
    if minutes is None:
        check_counts([samples or 0])
    first = Recipe.of(program, targets, steps, learning_rate or 1.0, **options)
    found = threshold(program, array, first)
    rate = default_rate(found, options.get("loss", "squared")) if learning_rate is None else float(learning_rate)
    pairs = settings([exact(r) for r in rhos], [exact(k) for k in kappas])
    tables = {kappa: table_of(program, array, kappa, patience) for kappa in dict.fromkeys(k for _, k in pairs)}
    identity = program.restricted(list(program.outputs)[:1]).digest
    ways = {"minutes": minutes, "workers": workers, "store": store, "identity": identity, "progress": progress}
    study = Study(
        program,
        array,
        targets,
        {"learning_rate": rate, **options},
        steps=steps,
        widths=kept,
        samples=None if minutes is not None else samples,
        seed=seed,
        margin=margin,
        ways=ways,
    )
    outcomes = [o for rho, kappa in pairs for o in study.outcomes(tables[kappa], rho, kappa)]
    grown = None
    if growth:
        outcome, curves = study.growth(tables[ZERO], growth, kept[: max(3, len(kept) // 2)])
        grown = Growth(growth, outcome, tuple(map(tuple, curves)))
    run = {
        "architecture": name,
        "widths": list(kept),
        "samples": samples if minutes is None else None,
        "minutes": minutes,
        "steps": steps,
        "learning_rate": rate,
        "loss": str(options.get("loss", "squared")),
        "trained": len(first.targets),
        "tested": len(first.labels) - len(first.targets),
        "seed": seed,
        "margin": margin,
        "seconds": round(time.perf_counter() - start, 2),
        **(provenance or {}),
    }
    return Linearity(program, array, np.asarray(targets, dtype=np.float64), tables, found, tuple(outcomes), grown, run)


def _text(value: Fraction | None) -> str | None:
    return None if value is None else str(value)

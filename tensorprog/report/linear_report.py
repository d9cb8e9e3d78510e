"""`tp.linearity`: does a network learn linearly? Predictions, their test by training, and the report of both."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tensorprog.errors import SamplingError
from tensorprog.exponents import Exponent, exact
from tensorprog.learning.predictions import Prediction, Quantity, largest_rho, predict, rescaled
from tensorprog.learning.study import (
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
from tensorprog.readings import Table, check_request
from tensorprog.report.folder import write
from tensorprog.report.machine import blas, cpu, digest, versions
from tensorprog.scaling.measure import check_counts, check_widths, check_workers, threads_of
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
    bounded: bool
    kink: Exponent | None
    run: Mapping[str, Any]

    @property
    def table(self) -> Table:
        """The exponents at κ = 0."""
        return self.tables[ZERO]

    def predict(
        self, rho: object = 0, kappa: object = 0, steps: int | None = None, quantity: Quantity = "deviation"
    ) -> Prediction:
        """What is predicted, measured there or not; the last step by default."""
        table = rescaled(self.table, ZERO, exact(kappa))
        count = self.run["steps"] if steps is None else steps
        return predict(table, count, exact(rho), quantity=quantity, bounded=self.bounded, kinked=self.kink)

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
            o for o in self.all if o.prediction.law is not None and o.verdict and o.verdict.verdict == "refuted"
        )

    @property
    def contradicted(self) -> tuple[tuple[Outcome, str], ...]:
        """Outcomes whose measurement lies above what a theorem, as quoted, says; with the theorem."""
        return tuple((o, c.theorem) for o in self.all for c in o.claims if o.contradicts(c))

    @property
    def all(self) -> tuple[Outcome, ...]:
        """The outcomes, that of the long run last."""
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
        """Write the page, figures, table, numbers, the program, data and samples; returns the folder."""
        from tensorprog.report.linear_figures import over_rho, over_width
        from tensorprog.report.linear_page import page
        from tensorprog.report.linear_tables import markdown

        texts = {
            "linearity.html": page(self),
            "deviation_over_rho.svg": over_rho(self),
            "deviation_over_width.svg": over_width(self),
            "table.md": markdown(self),
            "linearity.json": self.to_json() + "\n",
            "program.txt": str(self.program),
        }
        samples = {
            f"{sample_name(outcome)}_n{width}": values
            for outcome in self.outcomes
            for width, values in zip(outcome.widths, outcome.samples, strict=True)
        }
        if self.growth is not None:
            longest = self.growth.outcome
            samples |= {f"sup_n{n}": values for n, values in zip(longest.widths, longest.samples, strict=True)}
        return write(folder, texts, {"data": self.data, "targets": self.targets}, samples)

    def __str__(self) -> str:
        from tensorprog.report.linear_tables import plain

        return plain(self)

    def _repr_html_(self) -> str:
        from tensorprog.report.linear_page import fragment

        return fragment(self)


def sample_name(outcome: Outcome) -> str:
    """How samples.npz names an outcome: deviation_rho_-1_kappa_0_steps_3, moved_gradient_rho_1over4_…"""
    p = outcome.prediction
    text = f"{p.quantity}_rho_{p.rho}_kappa_{p.kappa}_steps_{p.steps}"
    return text.replace(" ", "_").replace("/", "over")


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
    array, wanted = check_task(program, data, targets), np.asarray(targets, dtype=np.float64)
    kept = check_widths(widths, [program])
    check_workers(workers)
    _check(samples, minutes, seed, margin, patience, growth)
    assumed = 1.0 if learning_rate is None else learning_rate
    first = Recipe.of(program, targets, steps, assumed, **options)
    if growth:
        Recipe.of(program, targets, growth, assumed, **options)
    found = threshold(program, array, first)
    rate = default_rate(found, options.get("loss", "squared")) if learning_rate is None else float(learning_rate)
    pairs = settings([exact(r) for r in rhos], [exact(k) for k in kappas])
    table = table_of(program, array, patience, progress)
    tables = {kappa: rescaled(table, ZERO, kappa) for kappa in dict.fromkeys(k for _, k in pairs)}
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
        "command": None,
        "options": {},
        "inputs": None,
        "widths": list(kept),
        "samples": samples if minutes is None else None,
        "minutes": minutes,
        "steps": steps,
        "learning_rate": rate,
        "loss": str(options.get("loss", "squared")),
        "momentum": str(first.momentum),
        "weight_decay": str(first.decay),
        "batches": [list(batch) for batch in first.batches],
        "trained": len(first.targets),
        "tested": len(first.labels) - len(first.targets),
        "growth": growth,
        "seed": seed,
        "margin": margin,
        "patience": patience,
        "workers": workers,
        "threads": threads_of(workers),
        "data_shape": list(array.shape),
        "data_digest": digest(array),
        "targets_digest": digest(wanted),
        "program_digest": program.digest,
        "cpu": cpu(),
        "versions": versions(),
        "blas": list(blas()),
        "seconds": round(time.perf_counter() - start, 2),
        **(provenance or {}),
    }
    return Linearity(program, array, wanted, tables, found, tuple(outcomes), grown, study.bounded, study.kink, run)


def _check(samples: int | None, minutes: float | None, seed: int, margin: float, patience: float, growth: int) -> None:
    """SamplingError for sizes that cannot be run, before any work."""
    if minutes is None:
        check_counts([samples or 0])
    check_request(2, seed, "auto", np.float64)
    if isinstance(growth, bool) or not isinstance(growth, int) or growth < 0:
        raise SamplingError(f"growth={growth!r} must be a nonnegative number of steps")
    for name, value in (("minutes", 1.0 if minutes is None else minutes), ("margin", margin)):
        if not 0 < value < math.inf:
            raise SamplingError(f"{name}={value!r} must be a positive number")
    if not 0 <= patience < math.inf:
        raise SamplingError(f"patience={patience!r} must be a nonnegative number of seconds")


def _text(value: Fraction | None) -> str | None:
    return None if value is None else str(value)

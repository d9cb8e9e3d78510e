"""`tp.linearity`: everything checked, then predicted, then trained to see."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from tensorprog.arrays import real_array
from tensorprog.errors import SamplingError, TrainingError
from tensorprog.exponents import exact
from tensorprog.learning.features import cells, check_tasks, study_of
from tensorprog.learning.predictions import rescaled
from tensorprog.learning.study import KAPPAS, PATIENCE, RHOS, Runs, Study, check_task, settings, table_of
from tensorprog.learning.threshold import default_rate, threshold
from tensorprog.passes.recipe import Batches, Number, Rule
from tensorprog.passes.training import check_length
from tensorprog.program import Program
from tensorprog.readings import check_gaussian, check_request
from tensorprog.report.linear_report import ZERO, Growth, Linearity
from tensorprog.report.machine import digest, made_on
from tensorprog.report.run import Provenance
from tensorprog.scaling.measure import check_counts, check_widths, check_workers, positive, threads_of
from tensorprog.scaling.sampling import Sampling

MOST_DECADES = 100  # of a learning rate


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
    tasks: Sequence[str] = (),
    seed: int = 0,
    margin: float = 0.1,
    patience: float = PATIENCE,
    loss: object = "squared",
    batches: Batches | None = None,
    momentum: Number = 0,
    weight_decay: Number = 0,
    optimizer: str = "sgd",
    workers: int = 1,
    store: str | Path | None = None,
    progress: bool = True,
    name: str = "program",
    provenance: Provenance | None = None,
) -> Linearity:
    """Predict how far from linear a network learns, and train it to see.

    Parameters
    ----------
    program: from `tp.trace`; the inputs beyond those with targets are test inputs.
    data, targets: as in `tp.train`; data has a row for every traced input.
    widths, samples: increasing widths, and initialisations at each. minutes: instead of samples, about how long to
        sample for each (ρ, κ).
    steps: s of the deviations; one step is always looked at too. learning_rate: η, half of the threshold
        by default: of 2(1 + μ)/(λ_max + λ), λ_max the largest of all batches, momentum μ, weight decay λ.
    rhos, kappas: learning rates η n^ρ at κ = 0, and external scales at ρ = 0.
    growth: steps of a long run at the smaller widths, for the sup over its steps; 0 leaves it out.
    tasks: "parity:2:10" (the product of two of ten random signs), "two-index:10" (z_1 + z_1 z_2 in ten dimensions), on
        which features are learned: as many inputs, trained ones, steps and samples as for the data, the smaller widths,
        κ = 0 and 1/2. η is the one given, or half of the threshold of each task.
    patience: seconds for each limit that makes an exponent definite; 0 leaves all of them upper bounds.
    loss, batches, momentum, weight_decay, optimizer: as in `tp.train`.
    workers, store, seed, progress, margin, name, provenance: as in `tp.verify`.

    Raises TrainingError, DataError, SamplingError before any work starts.
    """
    start = time.perf_counter()
    check_gaussian(program)
    wanted = real_array(targets, "targets", "give numbers", TrainingError)
    array = check_task(program, data, wanted)
    kept = check_widths(widths, [program])
    check_workers(workers)
    _check(samples, minutes, seed, margin, patience, growth)
    pairs = settings([exact(r) for r in rhos], [exact(k) for k in kappas])
    _check_powers(pairs, kept[-1])
    if isinstance(learning_rate, Sequence | np.ndarray) and not isinstance(learning_rate, str):
        raise TrainingError(f"learning_rate={learning_rate!r} must be one number, for all steps")
    assumed = 1.0 if learning_rate is None else learning_rate
    rule = Rule(loss, batches, momentum, weight_decay, optimizer)
    first = rule.recipe(program, targets, steps, assumed)
    rule = replace(rule, batches=None if batches is None else first.batches)
    check_length(program, first)
    if growth:
        check_length(program, rule.recipe(program, targets, growth, assumed))
    chosen = check_tasks(program, tasks, len(first.targets), steps, rule)
    found = threshold(program, array, first)
    rate = default_rate(found) if learning_rate is None else float(learning_rate)
    identity = program.restricted(list(program.outputs)[:1]).digest
    ways = Sampling(seed, minutes=minutes, workers=workers, store=store, identity=identity, progress=progress)
    count = samples if minutes is None else None
    runs = Runs(kept, count, margin, ways)
    smaller = kept[: max(3, len(kept) // 2)]
    planned = {
        task.name: study_of(
            program, task, len(first.targets), learning_rate, rule, steps, replace(runs, widths=smaller)
        )
        for task in chosen
    }
    study = Study(program, array, targets, rate, rule, steps, runs, patience)
    table = table_of(program, array, patience, progress, len(first.targets))
    tables = {kappa: rescaled(table, ZERO, kappa) for kappa in dict.fromkeys(k for _, k in pairs)}
    outcomes = tuple(o for rho, kappa in pairs for o in study.outcomes(tables[kappa], rho, kappa))
    grown = None
    if growth:
        outcome, curves = study.growth(tables[ZERO], growth, smaller)
        grown = Growth(growth, outcome, tuple(map(tuple, curves)))
    learned = tuple(cell for task, plan in planned.items() for cell in cells(task, plan))
    run = {
        "architecture": name,
        **(provenance or Provenance()).to_object(),
        "widths": list(kept),
        "samples": count,
        "minutes": minutes,
        "steps": steps,
        "learning_rate": rate,
        "loss": str(loss),
        "momentum": str(first.momentum),
        "weight_decay": str(first.decay),
        "batches": [list(batch) for batch in first.batches],
        "trained": len(first.targets),
        "tested": len(first.labels) - len(first.targets),
        "growth": growth,
        "tasks": list(dict.fromkeys(tasks)),
        "seed": seed,
        "margin": margin,
        "patience": patience,
        "workers": workers,
        "threads": threads_of(workers),
        "targets_digest": digest(wanted),
        **asdict(made_on(program, array)),
        "seconds": round(time.perf_counter() - start, 2),
    }
    known = study.loss_growth, study.kink, study.course
    return Linearity(program, array, wanted, tables, found, outcomes, grown, learned, *known, run)


def _check_powers(pairs: Sequence[tuple[Fraction, Fraction]], largest: int) -> None:
    """SamplingError for learning rates n^(2κ+ρ) or scales n^(-κ) that are no floating-point numbers."""
    for rho, kappa in pairs:
        if max(abs(2 * kappa + rho), abs(kappa)) * math.log10(largest) > MOST_DECADES:
            raise SamplingError(
                f"rho={rho} and kappa={kappa} at width {largest} are rates and scales beyond 10^±{MOST_DECADES}; use "
                "powers nearer to 0"
            )


def _check(samples: int | None, minutes: float | None, seed: int, margin: float, patience: float, growth: int) -> None:
    """SamplingError for sizes that cannot be run, before any work."""
    if minutes is None:
        check_counts([samples or 0])
    check_request(2, seed, "auto", np.float64)
    if isinstance(growth, bool) or not isinstance(growth, int) or growth < 0:
        raise SamplingError(f"growth={growth!r} must be a nonnegative number of steps")
    positive("minutes", 1.0 if minutes is None else minutes)
    positive("margin", margin, ", such as 0.1")
    if not 0 <= patience < math.inf:
        raise SamplingError(f"patience={patience!r} must be a nonnegative number of seconds")

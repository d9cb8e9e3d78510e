"""`verify`: derive exponents, prove those asked for, measure all of them at finite widths, and judge each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tensorprog.errors import SamplingError
from tensorprog.limits.definite import PATIENCE, with_limits
from tensorprog.passes import correlation
from tensorprog.program import Program
from tensorprog.proofs.definite import definite_proofs
from tensorprog.proofs.proof import WIDTHS
from tensorprog.proofs.weights import smallest_width
from tensorprog.readings import Entry, Status, check_data
from tensorprog.readings import derive as bounds
from tensorprog.report.machine import made_on
from tensorprog.report.report import Measurement, Report
from tensorprog.report.run import Provenance, Run
from tensorprog.scaling.measure import check_counts, check_widths, positive, prepared, threads_of
from tensorprog.scaling.rounding import rounding_floors
from tensorprog.scaling.sampling import Sampling
from tensorprog.scaling.store import Store
from tensorprog.scaling.verdict import Verdict, judge

SAMPLES = 200
OPERATOR_SHARE = 5  # a spectral norm costs some twenty evaluations: by default one sample in five gets them


def verify(
    program: Program,
    data: ArrayLike,
    orders: Sequence[tuple[int, int]] | None = None,
    widths: Sequence[int] = (64, 128, 256, 512),
    samples: int | None = None,
    seed: int = 0,
    *,
    points: Sequence[int] | None = None,
    operator_samples: int | None = None,
    minutes: float | None = None,
    proofs: Sequence[tuple[int, int]] | None = None,
    margin: float = 0.1,
    patience: float = PATIENCE,
    workers: int = 1,
    method: str = "auto",
    memory: int | None = None,
    store: str | Path | None = None,
    executor: Executor | None = None,
    progress: bool = True,
    name: str = "program",
    provenance: Provenance | None = None,
) -> Report:
    """Derive the exponents of a program's correlations and test each against Monte Carlo at finite widths.

    Parameters
    ----------
    program, orders, points: as in `tp.derive`.
    data: (inputs, d0) or (inputs, positions, d0).
    widths: increasing. samples: initialisations a width, the same for all D ≤ 1 correlations; 200 by default.
    operator_samples: initialisations for D = 2, a fifth of `samples` by default (at least 2).
    minutes: instead of samples, about how long to sample: pilot samples decide how many each width gets, so that the
        intervals become as narrow as that time allows.
    proofs: orders whose exponents are proved as well, as by `tp.prove`, each step tested as by `Proof.verify` at its
        own widths, 256, 1024 and 4096 or the next that fit the ratios; comes on top of `minutes`.
    seed: of all random streams, bootstrap included.
    margin: of the equivalence test on the exponent.
    patience: seconds for the limit of one order, as in `tp.derive`; what takes longer stays an upper bound.
    workers: processes; in a script, more than one need the guard `if __name__ == "__main__":`.
    method: the reading, as in `tp.sample`. memory: bytes that all processes together may use, by default half of what
        is free.
    store: a file that keeps finished samples of one architecture; run again after a stop, the same call goes on from
        there.
    executor: any `concurrent.futures.Executor` to use instead of processes of this machine; `workers` then says how
        many jobs it can run at once, and each may use half of the memory that is free here unless `memory` is given.
    progress: show a bar on a terminal. name, provenance: go into the report.

    Raises OrderError, DataError, SamplingError before any work starts; OrderError before sampling for an order of
    `proofs` that only an upper bound is found for.
    """
    start = time.perf_counter()
    positive("margin", margin, ", such as 0.1")
    many, few = _counts(samples, operator_samples, minutes)
    kept = check_widths(widths, [program])
    table = bounds(program, orders, points, progress=progress).whole()
    array = check_data(program.at(max(max(e.points) for e in table)), data)
    programs = [correlation(program, e.D, e.d, e.points) for e in table]
    counts = None if many is None or few is None else [few if entry.D == 2 else many for entry in table]
    identity = program.restricted(list(program.outputs)[:1]).digest  # however many inputs were traced
    prepared(programs, array, kept, counts, seed, workers, method, memory, executor)
    if store is not None:
        Store(store, identity).close()
    proved = definite_proofs(program, proofs, points, data, patience)
    table = with_limits(program, table, data, patience, progress=progress).whole()
    sampling = Sampling(seed, minutes, workers, progress, method, memory, store, executor, identity)
    values = sampling.measure(programs, array, kept, counts)
    floors = rounding_floors(programs, array, kept, values, seed, method=method, memory=memory)
    measurements = tuple(
        Measurement(entry, kept, tuple(found), _verdict(entry, kept, found, floor, margin, seed))
        for entry, found, floor in zip(table, values, floors, strict=True)
    )
    sizes = [smallest_width(program, n) for n in WIDTHS]
    checked = tuple(proof.verify(widths=sizes, seed=seed, progress=progress) for proof in proved)
    run = Run(
        architecture=name,
        widths=kept,
        samples=many,
        operator_samples=few,
        minutes=minutes,
        seed=seed,
        workers=workers,
        threads=threads_of(workers),
        method=method,
        seconds=round(time.perf_counter() - start, 2),
        **(provenance or Provenance()).to_object(),
        **asdict(made_on(program, array)),
    )
    return Report(program, table, measurements, run, array, checked)


def _counts(samples: int | None, operator_samples: int | None, minutes: float | None) -> tuple[int | None, int | None]:
    """Samples a width, and those for D = 2; None when a time is given instead."""
    if minutes is not None:
        if samples is not None or operator_samples is not None:
            raise SamplingError(f"minutes={minutes!r} decides how many samples each width gets; leave samples out")
        positive("minutes", minutes)
        return None, None
    many = SAMPLES if samples is None else samples
    check_counts([many, *([] if operator_samples is None else [operator_samples])])
    return many, max(2, many // OPERATOR_SHARE) if operator_samples is None else operator_samples


def _verdict(
    entry: Entry,
    widths: tuple[int, ...],
    found: Sequence[NDArray[np.float64]],
    floors: Sequence[float],
    margin: float,
    seed: int,
) -> Verdict:
    bound = entry.status != Status.DEFINITE
    return judge(widths, found, entry.law, bound=bound, margin=margin, floors=floors, seed=seed)

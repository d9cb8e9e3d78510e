"""`verify`: derive exponents, measure them at finite widths, and judge each; `Report` holds all of it."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tensorprog.errors import SamplingError
from tensorprog.limits.definite import PATIENCE, derive
from tensorprog.passes import correlation
from tensorprog.program import Program
from tensorprog.readings import Entry, Table, check_data
from tensorprog.report.folder import write
from tensorprog.report.machine import blas, cpu, digest, versions
from tensorprog.report.wording import advice
from tensorprog.scaling.measure import check_counts, check_widths, measure, threads_of
from tensorprog.scaling.quantiles import Quantiles, quantiles
from tensorprog.scaling.verdict import RESAMPLES, Verdict, judge
from tensorprog.version import VERSION

SAMPLES = 200
OPERATOR_SHARE = 5  # a spectral norm costs some twenty evaluations: by default one sample in five gets them


@dataclass(frozen=True)
class Measurement:
    """One correlation: what was derived, what was sampled, and the verdict. `samples[i]` are ‖C‖ at `widths[i]`."""

    entry: Entry
    widths: tuple[int, ...]
    samples: tuple[NDArray[np.float64], ...]
    verdict: Verdict

    @cached_property
    def quantiles(self) -> Quantiles:
        """The 0.5 and 0.9 quantiles at every width, with their bootstrap errors."""
        return quantiles(self.samples, RESAMPLES, np.random.default_rng(0))

    def to_object(self) -> dict[str, Any]:
        v = self.verdict
        return {
            **self.entry.to_object(),
            "slope": _finite(v.slope),
            "interval": _interval(v.interval),
            "raw_slope": _finite(v.raw_slope),
            "raw_interval": _interval(v.raw_interval),
            "local_slopes": list(v.local_slopes),
            "local_errors": list(v.local_errors),
            "verdict": v.verdict,
            "tight": v.tight,
            "margin": v.margin,
            "method": v.method,
            "advice": advice(self),
            "widths": list(self.widths),
            "samples": [len(values) for values in self.samples],
            "medians": self.quantiles.values[:, 0].tolist(),
            "median_errors": self.quantiles.errors[:, 0].tolist(),
            "quantiles_90": self.quantiles.values[:, 1].tolist(),
            "quantile_90_errors": self.quantiles.errors[:, 1].tolist(),
        }


@dataclass(frozen=True)
class Run:
    """What is needed to repeat a run."""

    architecture: str
    widths: tuple[int, ...]
    samples: int | None
    operator_samples: int | None
    minutes: float | None
    seed: int
    workers: int
    threads: int
    data_shape: tuple[int, ...]
    data_digest: str
    program_digest: str
    seconds: float
    method: str = "auto"
    command: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    inputs: str | None = None
    cpu: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    blas: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """A scaling-law report: program, table, measurements and the run. Saves as HTML, Markdown, LaTeX and JSON."""

    program: Program
    table: Table
    measurements: tuple[Measurement, ...]
    run: Run
    data: NDArray[np.float64]

    def __getitem__(self, order: tuple[int, int]) -> Measurement:
        entry = self.table[order]
        return next(m for m in self.measurements if m.entry is entry)

    @property
    def refuted(self) -> tuple[Measurement, ...]:
        """The measurements that contradict what was derived."""
        return tuple(m for m in self.measurements if m.verdict.verdict == "refuted")

    def to_object(self) -> dict[str, Any]:
        run = asdict(self.run)
        table = self.table.to_object()
        table["correlations"] = [m.to_object() for m in self.measurements]
        return {"tensorprog": VERSION, "kind": "report", **table, "run": run}

    def to_json(self) -> str:
        """The report as one JSON object (docs/json.md)."""
        return json.dumps(self.to_object(), indent=1, ensure_ascii=False, default=_plain, allow_nan=False)

    def save(self, folder: str | Path) -> Path:
        """Write page, figure, tables, all numbers as JSON, the program, data and samples; returns the folder."""
        from tensorprog.report.html import page
        from tensorprog.report.overview import overview
        from tensorprog.report.tables import latex, markdown

        texts = {
            "report.html": page(self),
            "scaling.svg": overview(self),
            "table.md": markdown(self),
            "table.tex": latex(self),
            "report.json": self.to_json() + "\n",
            "program.txt": str(self.program),
        }
        samples = {
            f"C_{m.entry.D}_{m.entry.d}_n{width}": values
            for m in self.measurements
            for width, values in zip(m.widths, m.samples, strict=True)
        }
        return write(folder, texts, {"data": self.data}, samples)

    def __str__(self) -> str:
        from tensorprog.report.tables import plain

        return plain(self)

    def _repr_html_(self) -> str:
        from tensorprog.report.html import fragment

        return fragment(self)


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
    margin: float = 0.1,
    patience: float = PATIENCE,
    workers: int = 1,
    method: str = "auto",
    memory: int | None = None,
    store: str | Path | None = None,
    executor: Executor | None = None,
    progress: bool = True,
    name: str = "program",
    provenance: Mapping[str, Any] | None = None,
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

    Raises OrderError, DataError, SamplingError before any work starts.
    """
    start = time.perf_counter()
    if not 0 < margin < math.inf:
        raise SamplingError(f"margin={margin!r} must be a positive number, such as 0.1")
    many, few = _counts(samples, operator_samples, minutes)
    kept = check_widths(widths, [program])
    table = derive(program, orders, points, data=data, patience=patience, progress=progress)
    array = check_data(program.restricted([f"F{max(max(e.points) for e in table)}"]), data)
    programs = [correlation(program, e.D, e.d, e.points) for e in table]
    counts = None if many is None or few is None else [few if entry.D == 2 else many for entry in table]
    identity = program.restricted(list(program.outputs)[:1]).digest  # however many inputs were traced
    ways: dict[str, Any] = {"workers": workers, "executor": executor, "store": store, "identity": identity}
    values = measure(
        programs, array, kept, counts, seed, minutes=minutes, method=method, memory=memory, progress=progress, **ways
    )
    measurements = tuple(
        Measurement(entry, kept, tuple(found), _verdict(entry, kept, found, margin, seed))
        for entry, found in zip(table, values, strict=True)
    )
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
        data_shape=array.shape,
        data_digest=digest(array),
        program_digest=program.digest,
        seconds=round(time.perf_counter() - start, 2),
        cpu=cpu(),
        versions=versions(),
        blas=blas(),
        **(provenance or {}),
    )
    return Report(program, table, measurements, run, array)


def _counts(samples: int | None, operator_samples: int | None, minutes: float | None) -> tuple[int | None, int | None]:
    """Samples a width, and those for D = 2; None when a time is given instead."""
    if minutes is not None:
        if samples is not None or operator_samples is not None:
            raise SamplingError(f"minutes={minutes!r} decides how many samples each width gets; leave samples out")
        if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not 0 < minutes < math.inf:
            raise SamplingError(f"minutes={minutes!r} must be a positive number")
        return None, None
    many = SAMPLES if samples is None else samples
    check_counts([many, *([] if operator_samples is None else [operator_samples])])
    return many, max(2, many // OPERATOR_SHARE) if operator_samples is None else operator_samples


def _verdict(
    entry: Entry, widths: tuple[int, ...], found: Sequence[NDArray[np.float64]], margin: float, seed: int
) -> Verdict:
    return judge(widths, found, entry.law, bound=entry.status != "definite", margin=margin, seed=seed)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _interval(ends: tuple[float, float]) -> list[float] | None:
    return list(ends) if all(map(math.isfinite, ends)) else None


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Fraction):
        return str(value)
    raise TypeError(f"{value!r} has no JSON form")

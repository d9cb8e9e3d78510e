"""`Report`: what was derived, proved, measured and judged, in every form it is written in."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorprog.program import Program
from tensorprog.proofs.checked import Check, CheckedProof
from tensorprog.readings import Entry, Table
from tensorprog.report.folder import SAMPLES, write
from tensorprog.report.run import Run
from tensorprog.report.wording import advice
from tensorprog.scaling.quantiles import Quantiles, quantiles
from tensorprog.scaling.verdict import RESAMPLES, Verdict, Word
from tensorprog.version import VERSION

FILES = (
    "report.html",
    "scaling.svg",
    "table.md",
    "table.tex",
    "report.json",
    "program.txt",
    "data.npy",
    SAMPLES,
)
"""What `Report.save` writes, besides a file for each proof."""


def proof_file(D: int, d: int) -> str:
    """The name of the file of the proof of C^{D,d}."""
    return f"proof_C_{D}_{d}.tex"


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
class Report:
    """A scaling-law report: program, table, measurements, the run, and proofs with a verdict on each of their steps.

    Saves as HTML, Markdown, LaTeX and JSON.
    """

    program: Program
    table: Table
    measurements: tuple[Measurement, ...]
    run: Run
    data: NDArray[np.float64]
    proofs: tuple[CheckedProof, ...] = ()

    def __getitem__(self, order: tuple[int, int]) -> Measurement:
        entry = self.table[order]
        return next(m for m in self.measurements if m.entry is entry)

    @property
    def refuted(self) -> tuple[Measurement, ...]:
        """The measurements that contradict what was derived."""
        return tuple(m for m in self.measurements if m.verdict.verdict == Word.REFUTED)

    @property
    def refuted_steps(self) -> tuple[Check, ...]:
        """The steps of proofs that samples contradict."""
        return tuple(check for proof in self.proofs for check in proof.refuted)

    def to_object(self) -> dict[str, Any]:
        table = {k: v for k, v in self.table.to_object().items() if k != "boundless"}
        table["correlations"] = [m.to_object() for m in self.measurements]
        proofs = [proof.to_object() for proof in self.proofs]
        return {"tensorprog": VERSION, "kind": "report", **table, "proofs": proofs, "run": asdict(self.run)}

    def to_json(self) -> str:
        """The report as one JSON object (docs/json.md)."""
        return json.dumps(self.to_object(), indent=1, ensure_ascii=False, default=_plain, allow_nan=False)

    def save(self, folder: str | Path) -> Path:
        """Write page, figure, tables, proofs, all numbers as JSON, program, data and samples; returns the folder."""
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
            **{proof_file(*p.proof.order[:2]): p.latex() + "\n" for p in self.proofs},
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

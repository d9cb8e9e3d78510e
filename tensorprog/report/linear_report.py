"""`tp.linearity`: does a network learn linearly? Predictions, their test by training, and the report of both."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorprog.errors import SamplingError
from tensorprog.exponents import Exponent, exact
from tensorprog.functions.base import Degree
from tensorprog.learning.course import Course
from tensorprog.learning.decayed import Quantity
from tensorprog.learning.features import SCALES, Cell, overall, within
from tensorprog.learning.predictions import Prediction, largest_rho, predict, rescaled
from tensorprog.learning.study import Outcome
from tensorprog.learning.threshold import Threshold
from tensorprog.program import Program
from tensorprog.readings import Table
from tensorprog.report.folder import SAMPLES, write
from tensorprog.scaling.verdict import Word
from tensorprog.version import VERSION

Array = NDArray[np.float64]
ZERO = Fraction(0)
FILES = (
    "linearity.html",
    "deviation_over_rho.svg",
    "deviation_over_width.svg",
    "foretold.svg",
    "table.md",
    "linearity.json",
    "program.txt",
    "data.npy",
    "targets.npy",
    SAMPLES,
)
"""What `Linearity.save` writes; foretold.svg where there are tasks."""


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
    learned: tuple[Cell, ...]
    loss_growth: Degree
    kink: Exponent | None
    course: Course
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
        return predict(
            table,
            count,
            exact(rho),
            quantity=quantity,
            growth=self.loss_growth,
            kinked=self.kink,
            course=self.course,
        )

    @property
    def largest_rho(self) -> Fraction | None:
        """The ρ below which the deviation after one step vanishes; None when nothing limits it."""
        return largest_rho(self.table, kinked=self.kink, course=self.course)

    @property
    def largest_relative_rho(self) -> Fraction | None:
        """The ρ below which it vanishes against the change of F_lin."""
        return largest_rho(self.table, relative=True, kinked=self.kink, course=self.course)

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
            o for o in self.all if o.prediction.law is not None and o.verdict and o.verdict.verdict == Word.REFUTED
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
            "threshold": {
                "eigenvalue": self.threshold.eigenvalue,
                "error": None if self.threshold.eigenvalue is None else self.threshold.error,
                "rate": self.threshold.rate,
                "reason": self.threshold.reason or None,
            },
            "largest_rho": _text(self.largest_rho),
            "largest_rho_relative": _text(self.largest_relative_rho),
            "outcomes": [outcome.to_object() for outcome in self.outcomes],
            "growth": None
            if self.growth is None
            else {"steps": self.growth.steps, **self.growth.outcome.to_object(), "curves": self.growth.curves},
            "tasks": self._tasks() if self.learned else None,
            "run": dict(self.run),
        }

    def _tasks(self) -> dict[str, Any]:
        each = [(kappa, [c for c in self.learned if c.kappa == kappa]) for kappa in SCALES]
        return {
            "rank_correlation": overall(self.learned).to_object(),
            "within_cells": [{"kappa": str(kappa), **within(found).to_object()} for kappa, found in each],
            "cells": [cell.to_object() for cell in self.learned],
        }

    def to_json(self) -> str:
        """The report as one JSON object (docs/json.md)."""
        return json.dumps(self.to_object(), indent=1, ensure_ascii=False, allow_nan=False)

    def save(self, folder: str | Path) -> Path:
        """Write the page, figures, table, numbers, the program, data and samples; returns the folder."""
        from tensorprog.report.linear_figures import foretold, over_rho, over_width
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
        if self.learned:
            texts["foretold.svg"] = foretold(self)
        samples = {
            f"{sample_name(outcome)}_n{width}": values
            for outcome in self.outcomes
            for width, values in zip(outcome.widths, outcome.samples, strict=True)
        }
        if self.growth is not None:
            longest = self.growth.outcome
            samples |= {f"sup_n{n}": values for n, values in zip(longest.widths, longest.samples, strict=True)}
        for cell in self.learned:
            kinds = {"foreseen": cell.foreseen, "one_step": cell.first, "all_steps": cell.last}
            samples |= {f"{_plain(f'{cell.task}_kappa_{cell.kappa}_{k}')}_n{cell.width}": v for k, v in kinds.items()}
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
    return _plain(f"{p.quantity}_rho_{p.rho}_kappa_{p.kappa}_steps_{p.steps}")


def _plain(text: str) -> str:
    return text.replace(" ", "_").replace("/", "over")


def _text(value: Fraction | None) -> str | None:
    return None if value is None else str(value)

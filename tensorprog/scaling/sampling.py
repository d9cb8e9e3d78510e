"""`Sampling`: how samples are taken, as one record."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tensorprog.errors import OtherVersionWarning
from tensorprog.program import Program
from tensorprog.scaling.measure import measure
from tensorprog.scaling.store import Store
from tensorprog.version import VERSION

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sampling:
    """Everything that `measure` takes but programs, data, widths and counts; fields as there."""

    seed: int = 0
    minutes: float | None = None
    workers: int = 1
    progress: bool = False
    method: str = "auto"
    memory: int | None = None
    store: str | Path | None = None
    executor: Executor | None = None
    identity: str | None = None

    def measure(
        self,
        programs: Sequence[Program],
        data: ArrayLike,
        widths: Sequence[int],
        counts: Sequence[int] | None,
        together: bool = False,
    ) -> list[list[Array]]:
        """Samples of the norm of every program at every width, so many of each, or for a time; `together` as there."""
        if self.store is not None:
            self._tell_of_others(self.store)
        return measure(
            programs,
            data,
            widths,
            counts,
            self.seed,
            minutes=self.minutes,
            workers=self.workers,
            progress=self.progress,
            method=self.method,
            memory=self.memory,
            store=self.store,
            executor=self.executor,
            identity=self.identity,
            together=together,
        )

    def _tell_of_others(self, path: str | Path) -> None:
        """Warn of samples in the store that this version does not take for its own."""
        with Store(path, self.identity) as store:
            found = store.others()
        if found:
            told = ", ".join(f"{count} numbers drawn by version {version}" for version, count in sorted(found.items()))
            warnings.warn(
                f"the run store {str(path)!r} holds {told}: they are kept, but version {VERSION} draws its own",
                OtherVersionWarning,
                stacklevel=3,
            )

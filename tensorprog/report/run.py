"""`Run`: where a report came from, the program, the data, the machine, so that it can be repeated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorprog.program import Program
from tensorprog.report.machine import made_on


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

    @staticmethod
    def of(program: Program, data: NDArray[np.float64], **settings: Any) -> Run:
        """A run of a program on data, with digests of both and what this machine says of itself."""
        return Run(**made_on(program, data), **settings)

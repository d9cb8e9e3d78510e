"""`Run`: where a report came from, the program, the data, the machine, so that it can be repeated."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_info

from tensorprog.program import Program


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
        return Run(
            data_shape=data.shape,
            data_digest=hashlib.sha256(np.ascontiguousarray(data).tobytes()).hexdigest(),
            program_digest=program.digest,
            cpu=_cpu(),
            versions={"python": platform.python_version()}
            | {k: version(k) for k in ("numpy", "scipy", "sympy", "networkx")},
            blas=_blas(),
            **settings,
        )


def _blas() -> tuple[str, ...]:
    """Names and versions of the BLAS libraries in use."""
    found = {f"{b['internal_api']} {b['version']}" for b in threadpool_info() if b["user_api"] == "blas"}
    return tuple(sorted(found))


def _cpu() -> str:
    """Model name and number of cores of this machine."""
    model = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    return f"{model}, {os.cpu_count()} cores"

"""What a run was made on, for whoever repeats it: processor, libraries, and digests of the arrays."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_info

from tensorprog.program import Program


@dataclass(frozen=True)
class Origin:
    """What a report says of the program and the data, with digests of both, and of the machine."""

    data_shape: tuple[int, ...]
    data_digest: str
    program_digest: str
    cpu: str
    versions: Mapping[str, str]
    blas: tuple[str, ...]


def made_on(program: Program, data: NDArray[np.float64]) -> Origin:
    """The origin of what is computed here and now."""
    return Origin(data.shape, digest(data), program.digest, cpu(), versions(), blas())


def digest(array: NDArray[np.float64]) -> str:
    """SHA-256 of the values in C order."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def versions() -> dict[str, str]:
    """Of Python and of the libraries that numbers pass through."""
    return {"python": platform.python_version()} | {k: version(k) for k in ("numpy", "scipy", "sympy", "networkx")}


def blas() -> tuple[str, ...]:
    """Names and versions of the BLAS libraries in use."""
    found = {f"{b['internal_api']} {b['version']}" for b in threadpool_info() if b["user_api"] == "blas"}
    return tuple(sorted(found))


def cpu() -> str:
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

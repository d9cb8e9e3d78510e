"""`Run`: where a report came from, the program, the data, the machine, so that it can be repeated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tensorprog.program import Program
from tensorprog.report.machine import made_on


@dataclass(frozen=True)
class Provenance:
    """Where the arguments of a run came from: the command line, options of the architecture, the file of inputs."""

    command: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    inputs: str | None = None


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
    def of(
        program: Program,
        data: NDArray[np.float64],
        provenance: Provenance,
        *,
        architecture: str,
        widths: tuple[int, ...],
        samples: int | None,
        operator_samples: int | None,
        minutes: float | None,
        seed: int,
        workers: int,
        threads: int,
        seconds: float,
        method: str,
    ) -> Run:
        """A run of a program on data, with digests of both and what this machine says of itself."""
        made = made_on(program, data)
        return Run(
            architecture=architecture,
            widths=widths,
            samples=samples,
            operator_samples=operator_samples,
            minutes=minutes,
            seed=seed,
            workers=workers,
            threads=threads,
            data_shape=made.data_shape,
            data_digest=made.data_digest,
            program_digest=made.program_digest,
            seconds=seconds,
            method=method,
            command=provenance.command,
            options=dict(provenance.options),
            inputs=provenance.inputs,
            cpu=made.cpu,
            versions=made.versions,
            blas=made.blas,
        )

"""`Run`: where a report came from, the program, the data, the machine, so that it can be repeated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Provenance:
    """Where the arguments of a run came from: the command line, options of the architecture, the file of inputs."""

    command: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    inputs: str | None = None

    def to_object(self) -> dict[str, Any]:
        return {"command": self.command, "options": dict(self.options), "inputs": self.inputs}


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
    method: str
    command: str | None
    options: Mapping[str, str]
    inputs: str | None
    cpu: str
    versions: Mapping[str, str]
    blas: tuple[str, ...]

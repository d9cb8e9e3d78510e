"""Architectures, written as a user would write them. A new one is one new file.

A module `name.py` of this package defines a function `name` of one input and a constant `POSITIONS`: how many
positions its inputs have by default, or None when they are single vectors. `ARCHITECTURES` finds it.
"""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType

from tensorprog.architectures.attention import attention
from tensorprog.architectures.conv import conv
from tensorprog.architectures.glu import glu
from tensorprog.architectures.layernorm_mlp import layernorm_mlp
from tensorprog.architectures.mlp import mlp
from tensorprog.architectures.mlp_bias import mlp_bias
from tensorprog.architectures.resnet import resnet
from tensorprog.architectures.rnn import rnn
from tensorprog.architectures.transposed import transposed
from tensorprog.errors import ArchitectureError
from tensorprog.program import Symbol

Architecture = Callable[..., Symbol]


def _discovered() -> dict[str, Architecture]:
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    return {name: getattr(import_module(f"{__name__}.{name}"), name) for name in names}


ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(_discovered())
"""Every architecture of the package by name."""


def positions_of(architecture: Architecture) -> int | None:
    """The default number of positions of an architecture of this package, None for single vectors."""
    found = getattr(sys.modules[architecture.__module__], "POSITIONS", None)
    if not isinstance(found, int | None):
        raise ArchitectureError(f"POSITIONS={found!r} of {architecture.__name__} must be a number, or None")
    return found


__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "attention",
    "conv",
    "glu",
    "layernorm_mlp",
    "mlp",
    "mlp_bias",
    "positions_of",
    "resnet",
    "rnn",
    "transposed",
]

"""One table of cases: every suite that speaks about architectures runs through it.

Nets are small so that slow oracles stay fast; a new architecture gets at least one row here and a forward pass in
oracles/forward.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from tensorprog import architectures
from tensorprog.functions import erf, gelu, identity, sigmoid, sin, softplus, tanh
from tensorprog.program import Program, trace


@dataclass(frozen=True)
class Case:
    """An architecture with options, and the shape of its inputs."""

    name: str
    architecture: Callable[..., Any]
    options: dict[str, Any] = field(default_factory=dict)
    positions: int | None = None
    d0: int = 3

    def trace(self, inputs: int) -> Program:
        return trace(self.architecture, inputs=inputs, positions=self.positions, **self.options)

    def data(self, inputs: int, seed: int = 0) -> np.ndarray:
        shape = (inputs, self.d0) if self.positions is None else (inputs, self.positions, self.d0)
        return np.random.default_rng(seed).standard_normal(shape)


CASES = (
    Case("mlp", architectures.mlp, {"depth": 3, "phi": erf}),
    Case("shallow", architectures.mlp, {"depth": 1, "phi": gelu, "weight_std": Fraction(3, 2)}),
    Case("mlp_bias", architectures.mlp_bias, {"depth": 2, "phi": softplus}),
    Case("resnet", architectures.resnet, {"depth": 3, "phi": tanh}),
    Case("rnn", architectures.rnn, {"depth": 1, "phi": tanh}, positions=3),
    Case("transposed", architectures.transposed, {"depth": 3, "phi": erf}),
    Case("layernorm_mlp", architectures.layernorm_mlp, {"depth": 2, "phi": erf}),
    Case("glu", architectures.glu, {"depth": 2, "phi": sigmoid, "bias_std": Fraction(1, 4)}),
    Case("conv", architectures.conv, {"depth": 2, "phi": sin}, positions=3),
    Case("attention", architectures.attention, {"depth": 1, "phi": identity}, positions=2),
    Case("attention_sqrt", architectures.attention, {"depth": 1, "phi": sin, "scaling": "sqrt"}, positions=2),
    Case("attention_tied", architectures.attention, {"depth": 1, "phi": erf, "tied": True}, positions=2),
)

"""Kernel matrices against published closed-form values that other people's code computed, and against simulation."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import tensorprog as tp
from tensorprog import architectures
from tensorprog.functions import parse_function

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "kernels.json").read_text())
PHI = {
    "Erf()": "erf",
    "Relu()": "relu",
    "Identity": "identity",
    "Sin(1,1,0)": "sin",
    "LeakyRelu(0.1)": "leaky_relu(1/10)",
    "Gelu()": "gelu",
}
FAMILIES = {
    "mlp": (architectures.mlp, 0),
    "resmlp": (architectures.resnet, 1),
    "lnmlp": (architectures.layernorm_mlp, 0),
    "conv1d": (architectures.conv, 0),
}


def traced(name):
    """The program of a reference entry, and its data."""
    family, phi, stds = name.split("|")[0], name.split("|")[1], name.split("|")[-1]
    data = np.array(REFERENCE["meta"]["inputs"][REFERENCE["kernels"][name]["input"]])
    positions = data.shape[1] if data.ndim == 3 else None
    if family == "attn":
        return tp.trace(architectures.attention, 1, positions, phi=tp.identity, tied=True), data
    head = next(head for head in sorted(FAMILIES, key=len, reverse=True) if family.startswith(head))
    architecture, extra = FAMILIES[head]
    weight, bias = map(Fraction, stds.removeprefix("W").split("b"))
    options = {"phi": parse_function(PHI[phi]), "weight_std": weight, "bias_std": bias}
    depth = int(family.removeprefix(head).split("-")[0]) + extra
    return tp.trace(architecture, 1, positions, depth=depth, **options), data


@pytest.mark.parametrize("name", list(REFERENCE["kernels"]))
@pytest.mark.parametrize("which", ["nngp", "ntk"])
def test_kernels_are_those_of_the_literature(name, which):
    program, data = traced(name)
    expected = np.array(REFERENCE["kernels"][name][which])
    scale = np.abs(expected).max()
    np.testing.assert_allclose(tp.kernel(program, data, which=which), expected, rtol=1e-9, atol=1e-9 * scale)

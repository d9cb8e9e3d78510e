"""Kernel matrices against published closed-form values that other people's code computed, and against simulation."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from cases import CASES

import tensorprog as tp
from tensorprog import architectures
from tensorprog.errors import DataError, ProgramError
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
    found = tp.kernel(program, data, which=which)
    own = np.diag(1e-8 * expected.diagonal()) if "elu" in name else 0  # theirs: an angle of 0 is a root of rounding
    assert (np.abs(found - expected) <= 1e-9 * (np.abs(expected) + scale) + own).all()


DATA = np.random.default_rng(3).standard_normal((5, 4))


@pytest.mark.parametrize("which", ["nngp", "ntk"])
def test_rectangles_squares_and_numbers_of_inputs_agree(which):
    one, three = (tp.trace(architectures.mlp, inputs=k, depth=2, phi=tp.tanh) for k in (1, 3))
    square = tp.kernel(one, DATA, which=which)
    assert square.shape == (5, 5) and square.dtype == np.float64
    np.testing.assert_allclose(square, square.T, rtol=1e-14)
    np.testing.assert_allclose(tp.kernel(three, DATA, DATA[:2], which), square[:, :2], rtol=1e-12)
    np.testing.assert_allclose(tp.kernel(one, DATA[3:4], DATA.tolist(), which), square[3:4], rtol=1e-12)


WITH_LIMIT = [case for case in CASES if case.name != "attention_sqrt"]


@pytest.mark.parametrize("case", WITH_LIMIT, ids=lambda case: case.name)
def test_kernels_are_those_of_wide_networks(case):
    """n = 2048 and 200 samples: within 4 standard errors, and 10/n for the finite width; by chance once in 10^3."""
    n, samples, data = 2048, 200, case.data(2)
    c = tp.correlation(case.trace(2), 0, 1)
    values = tp.sample(c, data, n, samples, seed=5)
    limit = tp.kernel(case.trace(1), data, tolerance=1e-3)[0, 1]
    assert abs(values.mean() - limit) < 4 * values.std() / samples**0.5 + 10 / n * abs(limit)


def test_a_random_limit_is_refused():
    (case,) = [case for case in CASES if case.name == "attention_sqrt"]
    with pytest.raises(ProgramError, match="has no limit that this calculus can take"):
        tp.kernel(case.trace(1), case.data(2))


def test_blocks_change_nothing(monkeypatch):
    program = tp.trace(architectures.mlp, depth=2)
    whole = tp.kernel(program, DATA)
    monkeypatch.setattr("tensorprog.limits.matrix.BLOCK", 7)
    np.testing.assert_allclose(tp.kernel(program, DATA), whole, rtol=1e-14)
    np.testing.assert_allclose(tp.kernel(program, DATA, DATA[::-1]), whole[:, ::-1], rtol=1e-12)


def squared_output(x):
    h = tp.tanh(tp.linear("U", x))
    return tp.mean(h * h)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"which": "ntkk"}, ProgramError, "which='ntkk' is not one of nngp, ntk"),
        ({"X": DATA[0]}, DataError, "shape"),
        ({"X": DATA[:0]}, DataError, "shape"),
        ({"X2": DATA[:, :3]}, DataError, "rows of X have the shape"),
        ({"X": np.full((2, 4), np.nan)}, DataError, "finite"),
        ({"X": DATA[:, None]}, DataError, "single vectors|positions|shape"),
        ({"program": tp.trace(squared_output), "which": "nngp"}, ProgramError, "end the network with tp.readout"),
    ],
)
def test_bad_requests(arguments, error, message):
    request = {"program": tp.trace(architectures.mlp, depth=2), "X": DATA} | arguments
    with pytest.raises(error, match=message):
        tp.kernel(**request)

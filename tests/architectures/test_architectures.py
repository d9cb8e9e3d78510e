"""Shipped architectures: found by name, options checked at the boundary."""

from __future__ import annotations

import inspect

import pytest
from cases import CASES

from tensorprog import architectures
from tensorprog.architectures import ARCHITECTURES, attention, positions_of
from tensorprog.errors import ArchitectureError
from tensorprog.program import trace

by_name = pytest.mark.parametrize("name", ARCHITECTURES)


@by_name
def test_defaults_trace(name):
    architecture = ARCHITECTURES[name]
    program = trace(architecture, inputs=2, positions=positions_of(architecture))
    assert list(program.outputs) == ["F0", "F1"]
    assert getattr(architectures, name) is architecture
    assert {"depth", "phi", "weight_std", "bias_std"} <= set(inspect.signature(architecture).parameters)


@by_name
def test_depth_is_a_positive_integer(name):
    architecture = ARCHITECTURES[name]
    for depth in (0, -1, 1.5, "2", True):
        with pytest.raises(ArchitectureError, match="positive integer"):
            trace(architecture, positions=positions_of(architecture), depth=depth)


@by_name
def test_biases_are_trainable_parameters(name):
    architecture = ARCHITECTURES[name]
    program = trace(architecture, positions=positions_of(architecture), bias_std=0.5)
    biases = [parameter for label, parameter in program.parameters.items() if label.endswith(".bias")]
    assert biases and all(parameter.trainable for parameter in biases)
    assert not [x for x in trace(architecture, positions=positions_of(architecture), bias_std=0).parameters if "." in x]


def test_attention_names_its_scalings():
    with pytest.raises(ArchitectureError, match="'width' is not one of n, sqrt"):
        trace(attention, positions=2, scaling="width")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_matches_the_positions_of_its_architecture(case):
    assert (case.positions is None) == (positions_of(case.architecture) is None)
    assert case.trace(2).positions == case.positions

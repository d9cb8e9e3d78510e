"""The library's own weights and operators as plain arrays, for comparison at the same weights."""

from __future__ import annotations

import numpy as np

from tensorprog.readings.draws import draw, entry_scale, shape, slot_scale
from tensorprog.readings.evaluate import run
from tensorprog.readings.inputs import input_values
from tensorprog.readings.schedule import schedule

SEED, RTOL = 5, 1e-9
FLOAT = np.dtype(np.float64)


def weights(program, width, d0):
    """Unit-variance entries of the first sample."""
    return {
        name: draw(name, shape(program, name, width, d0), width, range(1), SEED, FLOAT)[0]
        for name in program.parameters
    }


def applied(program, data, width, u):
    """C^{2,d} u by parameter, from the program of C^{2,d}; zero where it has no slot."""
    d0 = data.shape[-1]
    values = dict(input_values(program, data, FLOAT))
    for name, entries in weights(program, width, d0).items():
        values[name] = entries[None] * entry_scale(program.parameters[name], width, d0)
    for name, node in program.free.items():
        values[node] = u[name][None] * slot_scale(program.parameters[name], width, d0)
    run(program.nodes, schedule(program.nodes, program.ends, dict(values)), values, width, {})
    found = {}
    for slot in program.slots:
        total = np.zeros(shape(program, slot.parameter, width, d0))
        for coefficient, left, right in slot.terms:
            part = values[left][0] if right is None else np.outer(values[left][0], values[right][0])
            total += coefficient.at(width) * part
        found[slot.parameter] = total * slot_scale(program.parameters[slot.parameter], width, d0)
    return found


def outputs(program, data, width):
    """Every output of a program, by label."""
    values = dict(input_values(program, data, FLOAT))
    for name, entries in weights(program, width, data.shape[-1]).items():
        values[name] = entries[None] * entry_scale(program.parameters[name], width, data.shape[-1])
    run(program.nodes, schedule(program.nodes, program.ends, dict(values)), values, width, {})
    return {label: float(values[output.node][0]) for label, output in program.outputs.items()}


def close(value, expected, rtol=RTOL):
    value, expected = np.asarray(value), np.asarray(expected)
    assert np.linalg.norm(value - expected) <= rtol * np.linalg.norm(expected), (value, expected)

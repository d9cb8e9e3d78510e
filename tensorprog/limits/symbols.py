"""What the symbols of a limit stand for: averages over the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tensorprog.limits.interpreter import Interpreter
from tensorprog.program import Input, Instruction, Program, ancestors
from tensorprog.readings.evaluate import Value, compute

Array = NDArray[np.float64]
EPS = float(np.finfo(float).eps)


def data_values(program: Program, names: Sequence[str], data: Sequence[Array]) -> dict[str, Array]:
    """Data vectors, (rows, d0): input number i takes the rows data[i], each (rows, d0) or (rows, positions, d0)."""
    values: dict[str, Value] = {}
    nodes: Mapping[str, Instruction] = program.nodes
    wanted = ancestors(nodes, list(names))
    for name, node in nodes.items():
        if name not in wanted:
            continue
        if isinstance(node, Input):
            rows = data[node.index]
            values[name] = rows if node.position is None else rows[:, node.position]
        else:
            length = data[0].shape[-1]
            values[name] = compute(node, values, 1, length)
    return {name: np.asarray(values[name], dtype=np.float64) for name in names}


def averages(interpreter: Interpreter, data: Array) -> dict[str, Array]:
    """Values of all averages over data vectors for one set of inputs, (inputs, d0) or (inputs, positions, d0)."""
    names = sorted({name for group in interpreter.grams.values() for name in group})
    vectors = data_values(interpreter.program, names, [row[None] for row in data])
    return {
        symbol: np.mean(np.prod([vectors[name][0] for name in group], axis=0))
        for symbol, group in interpreter.grams.items()
    }


def roundings(interpreter: Interpreter, data: Array) -> dict[str, float]:
    """Bounds on the rounding errors of these averages, which may be all there is of those of orthogonal inputs."""
    names = sorted({name for group in interpreter.grams.values() for name in group})
    vectors = data_values(interpreter.program, names, [row[None] for row in data])
    found = {}
    for symbol, group in interpreter.grams.items():
        sizes = np.prod([np.abs(vectors[name][0]) for name in group], axis=0)
        found[symbol] = float(EPS * (len(sizes) + len(group)) * np.mean(sizes))
    return found

"""What the symbols of a limit stand for: averages over the data, and named constants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

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


def symbol_values(interpreter: Interpreter, data: Array) -> dict[str, ArrayLike]:
    """Values of all symbols for one set of inputs, (inputs, d0) or (inputs, positions, d0)."""
    vectors = _averaged(interpreter, data)
    averages = {symbol: average_of(vectors, group)[0] for symbol, group in interpreter.data.grams.items()}
    return {**constant_values(interpreter), **averages}


def average_of(vectors: Mapping[str, Array], group: Sequence[str]) -> Array:
    """The averages over the last axis, (rows,), of products of data vectors, (rows, d0) each.

    ⟨x y⟩ of vectors that differ is not both ⟨x x⟩ and ⟨y y⟩, as rounding may have it of nearly equal ones: what is
    equal to the last bit is taken as one vector.
    """
    value = _mean([vectors[name] for name in group])
    if len(group) == 2 and group[0] != group[1]:
        x, y = (vectors[name] for name in group)
        tied = (value == _mean([x, x])) & (value == _mean([y, y]))
        if tied.any():
            value = np.where(tied & ~(x == y).all(-1), np.nextafter(value, 0), value)
    return value


def _mean(factors: Sequence[Array]) -> Array:
    product: Array = np.ones((1, 1))
    for x in factors:
        product = product * x
    return np.asarray(product.mean(-1))


def constant_values(interpreter: Interpreter) -> dict[str, float]:
    """Values of the named constants, powers of n left out."""
    return {name: float(value) for name, value in interpreter.data.constants.items()}


def roundings(interpreter: Interpreter, data: Array) -> dict[str, float]:
    """Bounds on the rounding errors of these values, which may be all there is of averages of orthogonal inputs."""
    vectors = _averaged(interpreter, data)
    found = {name: EPS * abs(value) for name, value in constant_values(interpreter).items()}
    for symbol, group in interpreter.data.grams.items():
        sizes = np.prod([np.abs(vectors[name][0]) for name in group], axis=0)
        found[symbol] = float(EPS * (len(sizes) + len(group)) * np.mean(sizes))
    return found


def _averaged(interpreter: Interpreter, data: Array) -> dict[str, Array]:
    """The data vectors that are averaged, (1, d0) each."""
    names = sorted({name for group in interpreter.data.grams.values() for name in group})
    return data_values(interpreter.program, names, [row[None] for row in data])

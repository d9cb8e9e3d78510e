"""The numeric interpreter: one rule an instruction, on batches of samples.

A vector is an array (batch, N), a scalar (batch,), a matrix (batch, rows, cols); the batch may be 1 where a value is
the same for all samples (the data).
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import assert_never

import numpy as np

from tensorprog.errors import ProgramError
from tensorprog.program import (
    Apply,
    Constant,
    Free,
    Input,
    Instruction,
    LinComb,
    MatMul,
    Moment,
    Multiply,
    Parameter,
)
from tensorprog.readings.arena import Arena
from tensorprog.readings.bulk import WHOLE, Bulk
from tensorprog.readings.draws import Array
from tensorprog.readings.operations import Blend, Gram, Operation, Total
from tensorprog.readings.revealed import Revealed
from tensorprog.readings.schedule import Step


@dataclass(frozen=True, slots=True)
class LowRank:
    """A matrix Σ_j left_j right_jᵀ a sample: left (batch, rows, k), right (batch, cols, k)."""

    left: Array
    right: Array


Value = Array | LowRank | Revealed


def run(
    nodes: Mapping[str, Operation],
    steps: Sequence[Step],
    values: MutableMapping[str, Value],
    n: int,
    lengths: Mapping[str, int],
    bulk: Bulk | None = None,
    arena: Arena | None = None,
) -> None:
    """Carry out the steps in place: `values` gains what they compute and loses what they release.

    `lengths` are the coordinates of vector constants, the only vectors without an operand. `bulk`: of fused programs.
    arena: products are of, if of any; they are given back with the values that a step releases.
    """
    if bulk is not None:
        bulk.keep(list(values), values)
    for step in steps:
        first = nodes[step.nodes[0]]
        if isinstance(first, MatMul):
            vectors = [values[node.vector] for node in map(nodes.__getitem__, step.nodes) if isinstance(node, MatMul)]
            products = multiply_matrix(values[first.matrix], vectors, first.transpose, step.nodes)
            values.update(zip(step.nodes, products, strict=True))
            if arena is not None:
                arena.hold(dict(zip(step.nodes, products, strict=True)))
            if bulk is not None:
                bulk.keep(step.nodes, values)
        else:
            for name in step.nodes:
                run_one(name, nodes[name], values, n, lengths.get(name), bulk)
        for name in step.release:
            values.pop(name, None)
            if arena is not None:
                arena.drop(name)


def run_one(
    name: str, operation: Operation, values: MutableMapping[str, Value], n: int, length: int | None, bulk: Bulk | None
) -> None:
    """Compute what one operation that is not a matrix product writes; length as in `compute`."""
    if isinstance(operation, Gram | Blend | Total):
        if bulk is None:
            raise ProgramError(f"{name!r} is fused, and its numbers have no place; this is a fault of the library")
        if isinstance(operation, Gram):
            length = array_of(values, operation.rows.names[0]).shape[-1]
            bulk.averages(operation, bulk.products(operation, values), length, values)
        elif isinstance(operation, Total):
            values[name] = bulk.weights(operation).sum(axis=(1, 2))
            bulk.keep([name], values)
        else:
            values.update(blended(operation, bulk.weights(operation), values, n, bulk))
            bulk.keep(operation.names, values)
    else:
        values[name] = compute(operation, values, n, length)
        if bulk is not None:
            bulk.keep([name], values)


def blended(
    blend: Blend, weights: Array, values: Mapping[str, Value], n: int, bulk: Bulk, part: slice = WHOLE
) -> dict[str, Array]:
    """The vectors that a blend writes; `values` are of that part of the coordinates."""
    sums = bulk.blended(blend, weights, values, part)
    found = {}
    for i, (name, base) in enumerate(zip(blend.names, blend.bases, strict=True)):
        found[name] = sums[:, i] if base is None else sums[:, i] + _columns(compute(base, values, n, None))
    return found


def _columns(x: Array) -> Array:
    return x[:, None] if x.ndim == 1 else x


def array_of(values: Mapping[str, Value], name: str) -> Array:
    """The value of a vector or a scalar; raises ProgramError for a matrix that is none."""
    value = values[name]
    if not isinstance(value, np.ndarray):
        raise ProgramError(
            f"the value of {name!r} is no array but {type(value).__name__}; this is a fault of the library"
        )
    return value


def multiply_matrix(matrix: Value, vectors: Sequence[Value], transpose: bool, names: Sequence[str]) -> list[Array]:
    """Matrix times each vector, (batch, N) each: one gemm a sample. `names` are the products' nodes."""
    arrays = [v for v in vectors if isinstance(v, np.ndarray)]
    if isinstance(matrix, Revealed):
        return matrix.multiply(arrays, transpose, names)
    batch = max(len(v) for v in arrays)
    stacked = np.stack([np.broadcast_to(v, (batch, v.shape[-1])) for v in arrays], axis=1)
    if isinstance(matrix, LowRank):
        near, far = (matrix.left, matrix.right) if transpose else (matrix.right, matrix.left)
        found = np.matmul(np.matmul(stacked, near), far.swapaxes(1, 2))
    else:
        found = np.matmul(stacked, matrix if transpose else matrix.swapaxes(1, 2))
    return list(found.swapaxes(0, 1))


def dtype_of(values: Mapping[str, Value]) -> np.dtype[np.floating]:
    """That of the arrays, which all have one."""
    return next((v.dtype for v in values.values() if isinstance(v, np.ndarray)), np.dtype(np.float64))


def compute(node: Instruction, values: Mapping[str, Value], n: int, length: int | None) -> Array:
    """The value of one instruction that is not a matrix product; length: of a vector constant."""

    def arrays(names: Sequence[str]) -> list[Array]:
        found = [array_of(values, x) for x in names]
        return [_columns(x) for x in found] if any(x.ndim == 2 for x in found) else found

    match node:
        case Constant(coefficient):
            return np.full((1,) if length is None else (1, length), coefficient.at(n), dtype_of(values))
        case Apply(function, order, args):
            return function.evaluate(order, *arrays(args))
        case Multiply(args):
            first, *rest = arrays(args)
            result = first * rest[0] if rest else first.copy()
            for factor in rest[1:]:
                result = result * factor
            return result
        case LinComb(terms):
            found = arrays([x for _, x in terms])
            total = found[0] * found[0].dtype.type(terms[0][0].at(n))
            for (coefficient, _), value in zip(terms[1:], found[1:], strict=True):
                total = total + (
                    value
                    if coefficient.at(1) == 1 and not coefficient.power
                    else value * value.dtype.type(coefficient.at(n))
                )
            return total
        case Moment(args):
            found = arrays(args)
            head = found[0]
            for factor in found[1:-1]:
                head = head * factor
            average: Array
            if len(found) == 1:
                average = head.mean(axis=-1)
            elif head.shape[-1] == found[-1].shape[-1]:
                average = np.vecdot(head, found[-1]) / head.shape[-1]
            else:  # a vector times a scalar
                average = (head * found[-1]).mean(axis=-1)
            return average
        case Input() | Parameter() | Free() | MatMul():
            raise ProgramError(f"{node} is not computed coordinate by coordinate: it is given, or a matrix product")
        case _:
            assert_never(node)

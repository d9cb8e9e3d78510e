"""What the numeric readings carry out: the instructions, and some that do in one product what many of them do.

A network after some gradient steps is thousands of averages ⟨x_i, y_j⟩ and of sums Σ_j s_ij y_j over the same few
vectors; as Gram matrices and products with stacked vectors they cost a gemm each. `fuse` finds them, `bulk` holds their
numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

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
    operands,
)
from tensorprog.readings.draws import Array


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """value · n^power · Π_k scalar[factor_k], arrays (rows, columns); factors are places of scalars, 0 that of 1."""

    values: NDArray[np.float64]
    powers: NDArray[np.float64]
    factors: tuple[NDArray[np.intp], ...]
    names: tuple[str, ...]

    def at(self, n: int, scalars: Array) -> Array:
        """(batch, rows, columns) from the scalars (batch, places)."""
        found: Array = (self.values * float(n) ** self.powers).astype(scalars.dtype)[None]
        for factor in self.factors:
            found = found * np.take(scalars, factor, axis=1)  # in the order of memory that gemm needs
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Vectors as the rows of one array: rows `index` of a family, or copied together where family is None."""

    names: tuple[str, ...]
    family: int | None
    index: slice | NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Gram:
    """Averages of products of two vectors: names[i] is that of the pair `pairs[i]` of a row and a column.

    places: those of the names among the scalars. shown: the names that instructions read.
    """

    rows: Stack
    cols: Stack
    names: tuple[str, ...]
    pairs: tuple[NDArray[np.intp], NDArray[np.intp]]
    places: NDArray[np.intp]
    shown: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Blend:
    """names[i] = bases[i] + Σ_j weights[i, j] vectors[j]."""

    names: tuple[str, ...]
    bases: tuple[LinComb | None, ...]
    vectors: Stack
    weights: Weights


@dataclass(frozen=True, slots=True, eq=False)
class Total:
    """The scalar Σ_j weights[0, j]."""

    weights: Weights


Operation = Instruction | Gram | Blend | Total


def reads(operation: Operation) -> tuple[str, ...]:
    """Names of the values that an operation needs."""
    match operation:
        case Gram(rows, cols):
            return rows.names + cols.names
        case Blend():
            bases = [x for base in operation.bases if base is not None for x in operands(base)]
            return (*operation.vectors.names, *operation.weights.names, *bases)
        case Total(weights):
            return weights.names
        case (
            Input() | Parameter() | Free() | Constant() | MatMul() | Apply() | Multiply() | LinComb() | Moment() as node
        ):
            return operands(node)
        case _:
            assert_never(operation)


def writes(name: str, operation: Operation) -> tuple[str, ...]:
    """Names of the values that it computes; `name` is its own."""
    return operation.names if isinstance(operation, Gram | Blend) else (name,)


def needed(nodes: Mapping[str, Operation], targets: Collection[str], given: Collection[str]) -> set[str]:
    """The operations, in topological order, that compute the targets from the given values."""
    wanted = set(targets)
    found: set[str] = set()
    for name, operation in reversed(list(nodes.items())):
        if any(x in wanted and x not in given for x in writes(name, operation)):
            found.add(name)
            wanted.update(reads(operation))
    return found

"""`replay`: a program again, at other weights: the derivative of a program stays a program wherever it is taken.

After some gradient steps every parameter is P_s = γ P + Σ_j f_j ∇_j, with γ and f_j scalars of the program and ∇_j a
rank-one matrix (a vector, where P is one) that earlier steps found. Products with it are products with P, averages and
multiples of vectors, so no matrix is ever formed, and the exact reading applies (Yang and Hu, arXiv 2011.14522,
section 6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import assert_never

from tensorprog.passes.gradient import Gradient, Term, outer_product, vector_scale
from tensorprog.program import (
    Apply,
    Builder,
    Constant,
    Free,
    Input,
    Instruction,
    LinComb,
    MatMul,
    Matrix,
    Moment,
    Multiply,
    Parameter,
    ancestors,
)
from tensorprog.program.builder import Value
from tensorprog.program.types import ONE, Coefficient


@dataclass(frozen=True, slots=True)
class Update:
    """factor · coefficient · (left ⊗ right), moved along as gradients are, with the metric; right None for vectors."""

    factor: Value
    coefficient: Coefficient
    left: str
    right: str | None


@dataclass(frozen=True, slots=True)
class Moved:
    """A parameter after some steps: initial · P + Σ_j update_j; `initial` and the factors are scalar nodes."""

    initial: Value
    updates: tuple[Update, ...]

    def product(self, builder: Builder, matrix: str, vector: Value, transpose: bool) -> Value:
        """P_s x, or P_sᵀ x."""
        parts: list[tuple[Coefficient, Value]] = [
            (ONE, builder.multiply(self.initial, builder.matmul(matrix, vector, transpose)))
        ]
        for update in self.updates:
            term = (update.coefficient, update.left, update.right)
            scale, inner, side = outer_product(builder, matrix, term, vector, transpose)
            parts.append((scale, builder.multiply(builder.multiply(update.factor, inner), side)))
        return builder.lincomb(parts)

    def vector(self, builder: Builder, name: str) -> Value:
        """P_s of a vector or scalar parameter."""
        scale = vector_scale(builder, name)
        parts = [(scale * u.coefficient, builder.multiply(u.factor, u.left)) for u in self.updates]
        return builder.lincomb([(ONE, builder.multiply(self.initial, name)), *parts])


Weights = Mapping[str, Moved]
INITIAL: Weights = MappingProxyType({})


def replay(
    builder: Builder, nodes: Mapping[str, Instruction], wanted: Iterable[str], weights: Weights = INITIAL
) -> dict[str, Value]:
    """Write what the wanted nodes need into the builder, at these weights; returns their names there.

    Parameters that `weights` does not name keep their initial values. An exact zero is None.
    """
    needed = ancestors(nodes, list(wanted))
    found: dict[str, Value] = {}
    for name, node in nodes.items():
        if name in needed:
            found[name] = _again(builder, name, node, found, weights)
    return found


def placed(found: Gradient, at: Mapping[str, Value]) -> Gradient:
    """A gradient of the nodes that were replayed, by their new names; terms that vanish there are left out."""
    terms: dict[str, tuple[Term, ...]] = {}
    for name, parts in found.terms.items():
        moved = [(c, at[left], right if right is None else at[right], right) for c, left, right in parts]
        terms[name] = tuple((c, a, b) for c, a, b, right in moved if a is not None and (b is not None or right is None))
    return Gradient(terms)


def _again(builder: Builder, name: str, node: Instruction, found: Mapping[str, Value], weights: Weights) -> Value:
    match node:
        case Parameter():
            builder.parameter(name, node)
            fixed = name not in weights or isinstance(builder.types[name], Matrix)
            return name if fixed else weights[name].vector(builder, name)
        case MatMul(matrix, vector, transpose):
            if matrix in weights:
                return weights[matrix].product(builder, matrix, found[vector], transpose)
            return builder.matmul(matrix, found[vector], transpose)
        case Apply(function, order, args):
            return builder.apply(function, order, [found[x] or builder.zero() for x in args])
        case Multiply(args):
            return builder.multiply(*(found[x] for x in args))
        case LinComb(terms):
            return builder.lincomb((c, found[x]) for c, x in terms)
        case Moment(args):
            return builder.moment(*(found[x] for x in args))
        case Input() | Free() | Constant():
            return builder.leaf(node)
        case never:
            assert_never(never)

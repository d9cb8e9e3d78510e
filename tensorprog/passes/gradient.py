"""Gradients by reverse mode. The gradient of a matrix is a sum of outer products, always kept in that form.

With W = n^(-a) σ r^(-1/2) w the gradient is stored with respect to W itself; `metric` turns contractions into those
of the unit-variance coordinates w under the learning rates n^(-c).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import assert_never

from tensorprog.errors import ProgramError
from tensorprog.program.builder import Builder, Value
from tensorprog.program.instructions import (
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
    ancestors,
    operands,
    parameter_at,
)
from tensorprog.program.types import ONE, Coefficient, Scalar

Term = tuple[Coefficient, str, str | None]


@dataclass(frozen=True, slots=True)
class Gradient:
    """∂F/∂P for every trainable parameter P: Σ_j coefficient_j · left_j ⊗ right_j (right None for vectors)."""

    terms: Mapping[str, tuple[Term, ...]]

    @property
    def sides(self) -> list[str]:
        """The nodes that it is made of."""
        pairs = [(left, right) for parts in self.terms.values() for _, left, right in parts]
        return list(dict.fromkeys(side for pair in pairs for side in pair if side))


def trainable(nodes: Mapping[str, Instruction], name: str) -> bool:
    node = nodes[name]
    return isinstance(node, Parameter) and node.trainable


def active_nodes(nodes: Mapping[str, Instruction], targets: list[str]) -> list[str]:
    """Ancestors of the targets that depend on a trainable parameter, in topological order."""
    wanted = ancestors(nodes, targets)
    active: dict[str, None] = {}
    for name in nodes:
        if name in wanted and (trainable(nodes, name) or any(x in active for x in operands(nodes[name]))):
            active[name] = None
    return list(active)


def adjoints(builder: Builder, target: str) -> dict[str, Value]:
    """∂target/∂node for every active node that influences the scalar `target`."""
    order = active_nodes(builder.nodes, [target])
    active = set(order)
    pending: dict[str, list[tuple[Coefficient, Value]]] = {name: [] for name in order}
    found: dict[str, Value] = {}
    if target in active:
        pending[target].append((ONE, builder.constant(ONE)))
    for name in reversed(order):
        adjoint = builder.like(builder.lincomb(pending.pop(name)), name)
        found[name] = adjoint
        if adjoint is not None:
            for operand, contribution in pullback(builder, builder.nodes[name], adjoint, active):
                pending[operand].append((ONE, contribution))
    return found


def pullback(builder: Builder, instruction: Instruction, adjoint: str, active: set[str]) -> list[tuple[str, Value]]:
    """What an adjoint passes on to each active operand of an instruction (matrices excepted)."""
    result: list[tuple[str, Value]] = []

    def emit(operand: str, *factors: Value) -> None:
        if isinstance(builder.types[operand], Scalar):
            if None in factors:
                return
            widths = builder.length(*[f for f in factors if f])
            result.append((operand, builder.scaled(widths, builder.moment(*factors))))
        else:
            result.append((operand, builder.multiply(*factors)))

    match instruction:
        case LinComb(terms):
            for coefficient, operand in terms:
                if operand in active:
                    emit(operand, builder.scaled(coefficient, adjoint))
        case Multiply(args):
            for i, operand in enumerate(args):
                if operand in active:
                    emit(operand, adjoint, *args[:i], *args[i + 1 :])
        case Moment(args):
            share = builder.scaled(ONE / builder.length(*args) if any(a in active for a in args) else ONE, adjoint)
            for i, operand in enumerate(args):
                if operand in active:
                    emit(operand, share, *args[:i], *args[i + 1 :])
        case Apply(function, order, args):
            for i, operand in enumerate(args):
                if operand in active:
                    raised = tuple(k + (i == j) for j, k in enumerate(order))
                    emit(operand, adjoint, builder.apply(function, raised, args))
        case MatMul(matrix, vector, transpose):
            if vector in active:
                result.append((vector, builder.matmul(matrix, adjoint, not transpose)))
        case Input() | Parameter() | Free() | Constant():  # leaves read nothing that is active
            pass
        case never:
            assert_never(never)
    return result


def gradient(builder: Builder, target: str, found: Mapping[str, Value] | None = None) -> Gradient:
    """The gradient of a scalar node; `found` are its adjoints when they are known already."""
    found = adjoints(builder, target) if found is None else found
    terms: dict[str, list[Term]] = {}
    for name, adjoint in found.items():
        node = builder.nodes[name]
        if adjoint is None:
            continue
        if isinstance(node, MatMul) and trainable(builder.nodes, node.matrix):
            sides = (node.vector, adjoint) if node.transpose else (adjoint, node.vector)
            terms.setdefault(node.matrix, []).append((ONE, *sides))
        elif isinstance(node, Parameter) and None in (node.rows, node.cols):
            terms.setdefault(name, []).append((ONE, adjoint, None))
    return Gradient({name: tuple(parts) for name, parts in terms.items()})


def metric(parameter: Parameter) -> Coefficient:
    """σ² n^(-2a-c): what a contraction of two gradients over this parameter carries, the fan-in aside."""
    return Coefficient(parameter.std**2, -2 * parameter.a - parameter.c)


def outer_product(
    builder: Builder, matrix: str, term: Term, vector: Value, transpose: bool
) -> tuple[Coefficient, Value, str]:
    """(dW) x, or (dW)ᵀ x, where W moves along a rank-one gradient: coefficient, scalar, and what they multiply."""
    node = parameter_at(builder.nodes, matrix)
    coefficient, left, right = term
    if right is None:
        raise ProgramError(f"the gradient of the matrix {matrix!r} has a term of one side, {left!r}; give both sides")
    scale = coefficient * metric(node)
    if transpose:
        return scale * Coefficient(1 / fan_in(node)), builder.dot(left, vector), right
    return scale, None if vector is None else inner(builder, right, vector), left


def vector_scale(builder: Builder, name: str) -> Coefficient:
    """What a vector or scalar parameter moves by, along its gradient, as a multiple of that."""
    node = parameter_at(builder.nodes, name)
    return metric(node) * Coefficient(1 / fan_in(node))


def contract(builder: Builder, name: str, one: Term, other: Term) -> Value:
    """η^{-1} times the contraction of two rank-one gradients over the coordinates of one parameter."""
    node = parameter_at(builder.nodes, name)
    scale = metric(node) * one[0] * other[0]
    left = builder.dot(one[1], other[1])
    if one[2] is None or other[2] is None:
        return builder.scaled(scale * Coefficient(1 / fan_in(node)), left)
    return builder.scaled(scale, builder.multiply(left, inner(builder, one[2], other[2])))


def inner(builder: Builder, right: str, other: str) -> Value:
    """⟨right, other⟩ over the fan-in: n times the mean where it grows, the mean over data coordinates where not.

    The ratio of the width, or d0, cancels against the same factor in the variance of the weight.
    """
    width = builder.width(right, other)
    if width is None:
        raise ProgramError(f"{right!r} and {other!r} are scalars where vectors of the fan-in are needed")
    return builder.scaled(Coefficient(power=Fraction(int(width.growing))), builder.moment(right, other))


def fan_in(parameter: Parameter) -> Fraction:
    """The fan-in as a multiple of n where it grows, else 1 (a data fan-in d0 is carried by means over data)."""
    return parameter.cols.ratio if parameter.cols is not None and parameter.cols.growing else Fraction(1)

"""Taylor coefficients of every node along several directions.

x(θ + Σ_a t_a g_a) = Σ_S x_S t^S, S a multi-index bounded by `degrees`: distinct directions have degree 1, a direction
used m times has degree m, so repeats share work. The frozen directions are only read, never expanded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache
from itertools import product as cartesian
from typing import assert_never

from tensorprog.functions import Function
from tensorprog.passes.directions import Direction
from tensorprog.passes.gradient import active_nodes
from tensorprog.program.builder import Builder, Value
from tensorprog.program.instructions import (
    Apply,
    Constant,
    Free,
    Input,
    LinComb,
    MatMul,
    Moment,
    Multiply,
    Parameter,
    parameter_at,
)
from tensorprog.program.types import Coefficient

Index = tuple[int, ...]


@cache
def below(index: Index) -> tuple[Index, ...]:
    """All multi-indices T <= index, by total degree."""
    return tuple(sorted(cartesian(*(range(k + 1) for k in index)), key=lambda t: (sum(t), t)))


@cache
def minus(index: Index, other: Index) -> Index:
    return tuple(a - b for a, b in zip(index, other, strict=True))


class Taylor:
    """The coefficients x_S of the nodes that `targets` depend on, written into one builder.

    Parameters
    ----------
    builder: holds the nodes; coefficients are added to it.
    targets: nodes whose coefficients will be asked for.
    directions, degrees: what t_a multiplies, and the largest power of t_a kept.
    """

    def __init__(
        self, builder: Builder, targets: Sequence[str], directions: Sequence[Direction], degrees: Index
    ) -> None:
        self.builder, self.directions, self.degrees = builder, tuple(directions), degrees
        self.zero: Index = (0,) * len(degrees)
        self.order = active_nodes(builder.nodes, list(targets))
        self.active = set(self.order)
        self._found: dict[tuple[str, Index], Value] = {}
        self._chains: dict[tuple[Function, Index, tuple[str, ...], Index], Value] = {}

    def expand(self, indices: Sequence[Index]) -> None:
        """Compute the coefficients of every node for these multi-indices, lower ones first."""
        for index in sorted(indices, key=sum):
            if index != self.zero:
                for name in self.order:
                    self._found[name, index] = self.builder.like(self._rule(name, index, strict=False), name)

    def coefficient(self, name: str, index: Index) -> Value:
        """x_S of a node; S must have been expanded."""
        if index == self.zero:
            return name
        return self._found[name, index] if name in self.active else None

    def source(self, name: str, index: Index) -> Value:
        """The part of x_S made of strictly smaller coefficients of the operands."""
        return self._rule(name, index, strict=True)

    def top(self, adjoints: Mapping[str, Value], index: Index) -> Value:
        """F_S = Σ over nodes ⟨adjoint, source_S⟩, without a last forward sweep."""
        builder, terms = self.builder, list[Value]()
        for name in self.order:
            adjoint = adjoints.get(name)
            if adjoint is None:
                continue
            node = builder.nodes[name]
            if isinstance(node, MatMul):
                for a, rest in self._steps(index):
                    moved = self.coefficient(node.vector, rest)
                    terms.append(self.directions[a].bilinear(builder, node.matrix, adjoint, moved, node.transpose))
            else:
                terms.append(builder.dot(adjoint, self.source(name, index)))
        return builder.add(*terms)

    # -- rules, one an instruction

    def _rule(self, name: str, index: Index, strict: bool) -> Value:
        builder = self.builder
        match builder.nodes[name]:
            case Parameter():
                return self._parameter(name, index)
            case LinComb(terms):
                return None if strict else builder.lincomb((c, self.coefficient(x, index)) for c, x in terms)
            case Multiply(args):
                return self._product(args, index, strict, mean=False)
            case Moment(args):
                return self._product(args, index, strict, mean=True)
            case Apply(function, order, args):
                return self._chain(function, order, args, index, strict)
            case MatMul(matrix, vector, transpose):
                steps = [
                    self.directions[a].matmul(builder, matrix, self.coefficient(vector, rest), transpose)
                    for a, rest in self._steps(index)
                ]
                fixed = None if strict else builder.matmul(matrix, self.coefficient(vector, index), transpose)
                return builder.add(fixed, *steps)
            case Input() | Free() | Constant():
                return None  # no direction moves them
            case never:
                assert_never(never)

    def _steps(self, index: Index) -> list[tuple[int, Index]]:
        """(a, S - e_a) for every direction a that S contains."""
        return [(a, (*index[:a], k - 1, *index[a + 1 :])) for a, k in enumerate(index) if k]

    def _parameter(self, name: str, index: Index) -> Value:
        if sum(index) != 1:
            return None
        node = parameter_at(self.builder.nodes, name)
        return self.directions[index.index(1)].parameter(self.builder, name) if None in (node.rows, node.cols) else None

    def _product(self, args: tuple[str, ...], index: Index, strict: bool, mean: bool) -> Value:
        """Cauchy's product, over all ways to share S among the operands."""
        builder = self.builder
        combine = builder.moment if mean else builder.multiply
        terms: list[Value] = []
        for parts in self._shares(args, index):
            if strict and index in parts:
                continue
            terms.append(combine(*(self.coefficient(x, part) for x, part in zip(args, parts, strict=True))))
        return builder.add(*terms)

    def _shares(self, args: tuple[str, ...], index: Index) -> list[tuple[Index, ...]]:
        if not args:
            return [()] if index == self.zero else []
        choices = below(index) if args[0] in self.active else (self.zero,)
        return [(part, *rest) for part in choices for rest in self._shares(args[1:], minus(index, part))]

    def _chain(self, function: Function, order: Index, args: tuple[str, ...], index: Index, strict: bool) -> Value:
        """s_a ψ_S = Σ_i Σ_T t_a x^i_T (∂_iψ)_{S-T} for any a in S: Faà di Bruno's formula without its partitions."""
        if index == self.zero:
            return self.builder.apply(function, order, args)
        key = (function, order, args, index)
        if not strict and key in self._chains:
            return self._chains[key]
        a = next(i for i, k in enumerate(index) if k)
        terms: list[tuple[Coefficient, Value]] = []
        for i, operand in enumerate(args):
            raised = tuple(k + (i == j) for j, k in enumerate(order))
            for part in below(index):
                if not part[a] or operand not in self.active or (strict and part == index):
                    continue
                moved = self.coefficient(operand, part)
                if moved is not None:
                    outer = self._chain(function, raised, args, minus(index, part), strict=False)
                    terms.append((Coefficient(Fraction(part[a], index[a])), self.builder.multiply(moved, outer)))
        result = self.builder.lincomb(terms)
        if not strict:
            self._chains[key] = result
        return result

"""The scalar equations of a limit: a graph in which equal expressions are one node.

A node is a number, a symbol, a sum, a product, a function of scalars, or an expectation over jointly Gaussian
variables whose covariances are nodes again. An exact zero is None, as in `Builder`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from tensorprog.functions import Function

Rational = int | Fraction
"""Integers stay integers: their arithmetic is many times faster."""


def plain(number: Rational) -> Rational:
    """An integer where it is one."""
    return number.numerator if number.denominator == 1 else number


Value = int | None
"""A node of the graph, or None for an exact zero."""


@dataclass(frozen=True, slots=True)
class Number:
    """A rational number."""

    value: Rational


@dataclass(frozen=True, slots=True)
class Symbol:
    """A quantity that is given: a named constant, or an average over the coordinates of inputs."""

    name: str
    positive: bool = False


@dataclass(frozen=True, slots=True)
class Sum:
    """Σ coefficient · node."""

    terms: tuple[tuple[Rational, int], ...]


@dataclass(frozen=True, slots=True)
class Product:
    """Π nodes, repeats for powers."""

    factors: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Scalar:
    """The derivative of this order of a function of scalars."""

    function: Function
    order: tuple[int, ...]
    args: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Affine:
    """A jointly Gaussian argument: coordinate `index` of the expectation it belongs to."""

    index: int


@dataclass(frozen=True, slots=True)
class Mixed:
    """An argument that is no Gaussian: Σ coefficient · Π coordinates · Π inner factors, by their places."""

    terms: tuple[tuple[int, tuple[int, ...], tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class Given:
    """A scalar argument: a node, or 0."""

    value: Value


@dataclass(frozen=True, slots=True)
class Factor:
    """The derivative of this order of a nonlinearity at these arguments."""

    function: Function
    order: tuple[int, ...]
    args: tuple[Affine | Mixed | Given, ...]


@dataclass(frozen=True, slots=True)
class Expectation:
    """E[Π factors], the coordinates Gaussian with these covariances (row by row, lower triangle) and means.

    inner: factors inside arguments that are no Gaussians, each after those inside its own.
    """

    factors: tuple[Factor, ...]
    covariance: tuple[Value, ...]
    mean: tuple[Value, ...]
    inner: tuple[Factor, ...] = ()


Node = Number | Symbol | Sum | Product | Scalar | Expectation


class Equations:
    """Grows node by node; operands come before the nodes that read them."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._index: dict[Node, int] = {}
        self.one = self._emit(Number(1))

    def number(self, value: Rational) -> Value:
        return self._emit(Number(plain(value))) if value else None

    def symbol(self, name: str, positive: bool = False) -> int:
        return self._emit(Symbol(name, positive))

    def add(self, terms: Iterable[tuple[Rational, Value]]) -> Value:
        """Σ coefficient · node; equal nodes are collected, sums of sums flattened."""
        found: dict[int, Rational] = {}
        for coefficient, value in terms:
            if value is None or not coefficient:
                continue
            node = self.nodes[value]
            inner = node.terms if isinstance(node, Sum) else ((1, value),)
            for factor, part in inner:
                scale, core = self._scale(part)
                found[core] = found.get(core, 0) + coefficient * factor * scale
        kept = tuple(sorted((core, c) for core, c in found.items() if c))
        if not kept:
            return None
        if len(kept) == 1:
            core, c = kept[0]
            if c == 1:
                return core
            if core == self.one:
                return self.number(c)
        return self._emit(Sum(tuple((c, core) for core, c in kept)))

    def multiply(self, *values: Value) -> Value:
        """Π nodes, numbers pulled out."""
        coefficient: Rational = 1
        factors: list[int] = []
        for value in values:
            if value is None:
                return None
            scale, core = self._scale(value)
            coefficient *= scale
            if core != self.one:
                node = self.nodes[core]
                factors += node.factors if isinstance(node, Product) else (core,)
        core = (
            self.one
            if not factors
            else factors[0]
            if len(factors) == 1
            else self._emit(Product(tuple(sorted(factors))))
        )
        return core if coefficient == 1 else self.add([(plain(coefficient), core)])

    def scaled(self, coefficient: Rational, value: Value) -> Value:
        return self.add([(plain(coefficient), value)])

    def apply(self, function: Function, order: tuple[int, ...], args: tuple[Value, ...]) -> Value:
        constant = function.constant(order)
        if constant is not None:
            return self.number(constant)
        if function.arity == 1 and args[0] is None and function.regular and function.parity(order, 0) == -1:
            return None
        return self._emit(Scalar(function, order, args))

    def expectation(self, node: Expectation) -> int:
        return self._emit(node)

    def _scale(self, value: int) -> tuple[Rational, int]:
        """A node as coefficient · core."""
        node = self.nodes[value]
        if isinstance(node, Number):
            return node.value, self.one
        if isinstance(node, Sum) and len(node.terms) == 1:
            return node.terms[0]
        return 1, value

    def _emit(self, node: Node) -> int:
        found = self._index.get(node)
        if found is None:
            found = self._index[node] = len(self.nodes)
            self.nodes.append(node)
        return found

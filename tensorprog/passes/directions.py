"""Directions in parameter space that a Taylor expansion moves along: gradients, the weights themselves, and free ones.

A gradient direction adds a low-rank matrix to W, so its product with a vector is vectors times Moments and stays
in the language; weight decay adds a multiple of W. A free direction is an argument of the program.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tensorprog.passes.gradient import Gradient, contract, outer_product, trainable, vector_scale
from tensorprog.program.builder import Builder, Value
from tensorprog.program.instructions import parameter_at
from tensorprog.program.types import ONE, Coefficient


class Direction(Protocol):
    """What a Taylor expansion asks of a direction."""

    def matmul(self, builder: Builder, matrix: str, vector: Value, transpose: bool) -> Value:
        """(dW) vector, or (dW)ᵀ vector."""

    def bilinear(self, builder: Builder, matrix: str, left: Value, vector: Value, transpose: bool) -> Value:
        """Σ left · (dW) vector, a scalar."""

    def parameter(self, builder: Builder, name: str) -> Value:
        """dP of a vector or scalar parameter."""


@dataclass(frozen=True)
class GradientDirection:
    """Moving every parameter by η n^(-c) times its gradient, with η = 1."""

    gradient: Gradient

    def matmul(self, builder: Builder, matrix: str, vector: Value, transpose: bool) -> Value:
        terms: list[tuple[Coefficient, Value]] = []
        for term in self.gradient.terms.get(matrix, ()):
            scale, weight, side = outer_product(builder, matrix, term, vector, transpose)
            terms.append((scale, builder.multiply(weight, side)))
        return builder.lincomb(terms)

    def bilinear(self, builder: Builder, matrix: str, left: Value, vector: Value, transpose: bool) -> Value:
        if left is None or vector is None:
            return None
        term = (ONE, vector, left) if transpose else (ONE, left, vector)
        return builder.add(*(contract(builder, matrix, known, term) for known in self.gradient.terms.get(matrix, ())))

    def parameter(self, builder: Builder, name: str) -> Value:
        scale = vector_scale(builder, name)
        return builder.lincomb((scale * c, left) for c, left, _ in self.gradient.terms.get(name, ()))


@dataclass(frozen=True)
class FreeDirection:
    """A free direction u, in unit-variance coordinates and weighted by n^(-c/2): a declared argument of the program."""

    def matmul(self, builder: Builder, matrix: str, vector: Value, transpose: bool) -> Value:
        if not trainable(builder.nodes, matrix):
            return None
        return builder.matmul(builder.free(matrix), vector, transpose)

    def bilinear(self, builder: Builder, matrix: str, left: Value, vector: Value, transpose: bool) -> Value:
        return builder.dot(left, self.matmul(builder, matrix, vector, transpose))

    def parameter(self, builder: Builder, name: str) -> Value:
        return builder.free(name) if trainable(builder.nodes, name) else None


@dataclass(frozen=True)
class DecayDirection:
    """Moving every trainable parameter along n^(-c) times itself: what a step of weight decay takes away at η λ = 1."""

    def matmul(self, builder: Builder, matrix: str, vector: Value, transpose: bool) -> Value:
        if vector is None or not trainable(builder.nodes, matrix):
            return None
        return builder.scaled(decay_rate(builder, matrix), builder.matmul(matrix, vector, transpose))

    def bilinear(self, builder: Builder, matrix: str, left: Value, vector: Value, transpose: bool) -> Value:
        return builder.dot(left, self.matmul(builder, matrix, vector, transpose))

    def parameter(self, builder: Builder, name: str) -> Value:
        return builder.scaled(decay_rate(builder, name), name) if trainable(builder.nodes, name) else None


@dataclass(frozen=True)
class SumDirection:
    """Moving along several directions at once, each times a coefficient."""

    parts: tuple[tuple[Coefficient, Direction], ...]

    def matmul(self, builder: Builder, matrix: str, vector: Value, transpose: bool) -> Value:
        return builder.lincomb((c, part.matmul(builder, matrix, vector, transpose)) for c, part in self.parts)

    def bilinear(self, builder: Builder, matrix: str, left: Value, vector: Value, transpose: bool) -> Value:
        return builder.lincomb((c, part.bilinear(builder, matrix, left, vector, transpose)) for c, part in self.parts)

    def parameter(self, builder: Builder, name: str) -> Value:
        return builder.lincomb((c, part.parameter(builder, name)) for c, part in self.parts)


def decay_rate(builder: Builder, name: str) -> Coefficient:
    """n^(-c), by which the learning rate of a parameter, and so its decay, differs from η."""
    return Coefficient(power=-parameter_at(builder.nodes, name).c)

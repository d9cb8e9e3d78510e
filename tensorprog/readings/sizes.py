"""Coordinate sizes of known vectors: O(n^c (log n)^l), l for the largest coordinate only (scale analysis).

A vector whose coordinates grow like a polynomial of degree τ in Gaussians has l = τ/2. Scalars have no logarithm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from tensorprog.errors import OrderError
from tensorprog.exponents import HALF, UNBOUNDED_LOG, Exponent
from tensorprog.functions import Function
from tensorprog.program import (
    Apply,
    Constant,
    Input,
    Instruction,
    LinComb,
    MatMul,
    Moment,
    Multiply,
    Parameter,
    Vector,
)
from tensorprog.program.types import Type

GAUSSIAN = Exponent(Fraction(0), HALF)
ORDER_ONE = Exponent()


class UnboundedSize(OrderError):
    """A node has no bound the calculus can prove."""


def size_of_function(
    name: str, function: Function, order: tuple[int, ...], sizes: Sequence[Exponent], vector: Sequence[bool]
) -> Exponent:
    """Size of ψ^{(order)} at arguments of these sizes; `vector` says which arguments have a largest coordinate.

    Bounded arguments give O(1). Arguments that grow with n are allowed where ψ grows at most like a polynomial;
    an argument that vanishes makes an odd ψ of one argument vanish with it.

    Raises UnboundedSize when an argument grows and ψ faster than any polynomial.
    """
    power: Fraction | int = Fraction(0)
    log: Fraction | float | int = Fraction(0)
    degrees = function.degrees(order)
    if len(sizes) == 1 and sizes[0].power < 0 and function.parity(order, 0) == -1 and degrees[0] is not None:
        return sizes[0]
    for degree, size, is_vector in zip(degrees, sizes, vector, strict=True):
        if size.power > 0:
            if degree is None:
                raise UnboundedSize(
                    f"{function.spec} at node {name!r} has an argument of size {size} and grows faster than any power; "
                    "scale the argument down, or bound it with a sign symmetry"
                )
            power += degree * size.power
        if is_vector and size.log:
            log = log + (UNBOUNDED_LOG if degree is None else degree * size.log)
    return Exponent(power, log)


def without_log(size: Exponent) -> Exponent:
    """The size of a typical coordinate, or of an average of them."""
    return Exponent(size.power)


def product_size(size: Exponent, parameter: Parameter, log: Fraction | int | float) -> Exponent:
    """Coordinates of W x: Gaussian with the l2 norm of x, plus what comes back through the transpose."""
    growing = parameter.cols is not None and parameter.cols.growing
    return Exponent(size.power - parameter.a + (HALF if growing else 0), max(HALF, log))


def node_sizes(
    nodes: Mapping[str, Instruction],
    types: Mapping[str, Type],
    improved: Callable[[str, Exponent, Mapping[str, Exponent]], Exponent] | None = None,
) -> dict[str, Exponent]:
    """Coordinate sizes of every node; `improved` may lower the size of a scalar, as a sign symmetry does."""
    sizes: dict[str, Exponent] = {}
    opposite: dict[tuple[str, bool], Fraction | int | float] = {}
    for name, node in nodes.items():
        match node:
            case Input():
                size = ORDER_ONE
            case Parameter(a=a):
                size = GAUSSIAN.shift(-a)
            case Constant(coefficient):
                size = Exponent(coefficient.power)
            case LinComb(terms):
                size = max(sizes[x].shift(c.power) for c, x in terms)
            case Multiply(args) | Moment(args):
                size = ORDER_ONE
                for x in args:
                    size = size + (sizes[x] if isinstance(types[x], Vector) else without_log(sizes[x]))
            case Apply(function, order, args):
                vector = [isinstance(types[x], Vector) for x in args]
                size = size_of_function(name, function, order, [sizes[x] for x in args], vector)
            case MatMul(matrix, vector_name, transpose):
                parameter = nodes[matrix]
                assert isinstance(parameter, Parameter)
                size = product_size(sizes[vector_name], parameter, opposite.get((matrix, not transpose), HALF))
                opposite[matrix, transpose] = max(opposite.get((matrix, transpose), HALF), sizes[vector_name].log)
            case _:
                continue
        if not isinstance(types[name], Vector):
            size = without_log(size)
            if improved is not None:
                size = improved(name, size, sizes)
        sizes[name] = size
    return sizes

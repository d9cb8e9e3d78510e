"""Coordinate sizes of known vectors: O(n^c (log n)^l), l for the largest coordinate only (scale analysis).

A vector whose coordinates grow like a polynomial of degree τ in Gaussians has l = τ/2. Scalars have no logarithm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import reduce
from math import inf
from operator import or_
from typing import assert_never

from tensorprog.errors import OrderError
from tensorprog.exponents import HALF, UNBOUNDED_LOG, Exponent
from tensorprog.functions import Function
from tensorprog.functions.powers import Power
from tensorprog.functions.ranges import excludes_zero
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
    Vector,
    operands,
)
from tensorprog.program.instructions import parameter_at
from tensorprog.program.types import Type
from tensorprog.readings.patience import in_time
from tensorprog.readings.ranges import Range, Ranges

GAUSSIAN = Exponent(Fraction(0), HALF)
ORDER_ONE = Exponent()


class UnboundedSize(OrderError):
    """A node has no bound the calculus can prove."""


def size_of_function(
    name: str, node: Apply, order: tuple[int, ...], sizes: Sequence[Exponent], vector: Sequence[bool], ranges: Ranges
) -> Exponent:
    """Size of ψ^{(order)} at arguments of these sizes; `vector` says which arguments have a largest coordinate.

    Bounded arguments give O(1). Arguments that grow with n are allowed where ψ grows at most like a polynomial;
    an argument that vanishes makes an odd ψ of one argument vanish with it. What no power bounds must be at most
    e^{C Σ|z_i|} in all vectors together: e^{z₀ z₁} of two Gaussians has no moments. A singular ψ is taken where its
    arguments lie, and a power of a scalar of order n^p is of order n^{pe}: if the scalar keeps that order from below
    too, which is known of some and an `Assumption` of others.

    Raises UnboundedSize when an argument grows and ψ faster than any polynomial.
    """
    power: Fraction | int = Fraction(0)
    log: Fraction | float | int = Fraction(0)
    function, degrees = node.function, node.function.degrees(order)
    if isinstance(function, Power) and _is_plain(function, node, order, sizes, vector, ranges):
        return _power_of_scalar(function.exponent - order[0], sizes[0].power, ranges(node.args[0]))
    if not function.regular and None in degrees:
        degrees = function.degrees_on(order, ranges.domain(node.args, vector))
    lipschitz = function.smoothness is None or sum(order) + 2 <= function.smoothness
    tame = None in degrees and function.exponential_in(vector)
    odd = len(sizes) == 1 and sizes[0].power < 0 and function.parity(order, 0) == -1
    if odd and lipschitz and function.regular and degrees[0] is not None:
        return sizes[0]
    for degree, size, is_vector in zip(degrees, sizes, vector, strict=True):
        if degree is None:
            _check_unbounded(name, function, size, is_vector, tame)
            log = UNBOUNDED_LOG if is_vector and size.log else log
        else:
            power += degree * max(size.power, Fraction(0))
            log = log + degree * size.log if is_vector and size.log and degree else log
    return Exponent(power, log)


def _is_plain(
    function: Power,
    node: Apply,
    order: tuple[int, ...],
    sizes: Sequence[Exponent],
    vector: Sequence[bool],
    ranges: Ranges,
) -> bool:
    """Whether the argument is a scalar, and has a sign where a negative power of what grows or vanishes is taken."""
    return not vector[0] and (
        function.exponent >= order[0] or sizes[0].power == 0 or ranges(node.args[0]).interval[0] >= 0
    )


def _power_of_scalar(exponent: Fraction, power: Fraction | int, found: Range) -> Exponent:
    """x^e of a scalar x of order n^power; where it is only known to be above a constant, x^{-1} is below one."""
    if exponent < 0 and found.floor is not None and found.floor < power and excludes_zero(found.interval):
        return Exponent(exponent * found.floor)
    return Exponent(exponent * power)


def _check_unbounded(name: str, function: Function, size: Exponent, is_vector: bool, tame: bool) -> None:
    """Raise UnboundedSize unless ψ, which no power bounds in this argument, is still n^{o(1)} there.

    It is for a scalar of order one, away from poles by assumption, and for coordinates below any power of n in
    e^{C Σ|z|}, which `tame` says that ψ is bounded by.
    """
    problem = ""
    if size.power > 0:
        problem = "grows faster than any power; scale the argument down, or bound it with a sign symmetry"
    elif not function.regular and (is_vector or size.power < 0):
        problem = (
            "is singular, and its argument comes near the pole; use a function without one, as in "
            "tp.expression('1/sqrt(1 + z**2)')"
        )
    elif is_vector and size.log and (size.log >= 1 or not tame):
        problem = "may exceed every n^{o(1)} at the largest coordinate, and have no moments; use one of slower growth"
    if problem:
        raise UnboundedSize(f"{function.spec} at node {name!r} has an argument of size {size}; it {problem}")


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
    deadline: float = inf,
) -> dict[str, Exponent]:
    """Coordinate sizes of every node; `improved` may lower the size of a scalar, as a sign symmetry does."""
    sizes: dict[str, Exponent] = {}
    returning: dict[tuple[str, bool], list[tuple[int, Fraction | int | float]]] = {}
    ranges = Ranges(nodes, sizes)
    above: dict[str, int] = {}  # the products among a node's ancestors, one bit each
    for name, node in nodes.items():
        in_time(deadline)
        above[name] = reduce(or_, (above[x] for x in operands(node)), 0)
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
            case Apply(_, order, args):
                vector = [isinstance(types[x], Vector) for x in args]
                size = size_of_function(name, node, order, [sizes[x] for x in args], vector, ranges)
            case MatMul(matrix, vector_name, transpose):
                parameter = parameter_at(nodes, matrix)
                back = [log for bit, log in returning.get((matrix, not transpose), ()) if above[name] & bit]
                size = product_size(sizes[vector_name], parameter, max([HALF, *back]))
                bit = 1 << len(above)
                above[name] |= bit
                returning.setdefault((matrix, transpose), []).append((bit, sizes[vector_name].log))
            case Free():
                continue
            case _:
                assert_never(node)
        if not isinstance(types[name], Vector):
            size = without_log(size)
            if improved is not None:
                size = improved(name, size, sizes)
        sizes[name] = size
    return sizes

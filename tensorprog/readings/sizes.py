"""Coordinate sizes of known vectors: O(n^c (log n)^l), l for the largest coordinate only (scale analysis).

A vector whose coordinates grow like a polynomial of degree τ in Gaussians has l = τ/2. Scalars have no logarithm.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from tensorprog.errors import OrderError
from tensorprog.exponents import HALF, UNBOUNDED_LOG, Exponent
from tensorprog.functions import Function

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

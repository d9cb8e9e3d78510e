"""The factors of an expectation: what is averaged, where it vanishes identically, and its values."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations
from math import prod

import numpy as np

from tensorprog.errors import ExpressionError
from tensorprog.functions import Function
from tensorprog.functions.base import Array, Line, Order

Factor = tuple[Function, Order, tuple[int, ...]]
"""A function, the order of its partial derivative, and the coordinates it is taken at."""


def vanishes(factors: Sequence[Factor]) -> bool:
    """Whether the expectation is exactly 0 under every centred Gaussian law.

    So it is when a factor is identically 0, or when every factor is even or odd in each of its arguments, the
    product is odd under z → -z, and its growth is known to leave it integrable.
    """
    if any(function.is_zero(order) for function, order, _ in factors):
        return True
    return parity(factors) == -1 and all(
        function.regular and (function.exponential or None not in function.degrees(order))
        for function, order, _ in factors
    )


def parity(factors: Sequence[Factor]) -> int | None:
    """+1 when the product is even under z → -z, -1 when odd, None when that is not seen in the factors."""
    signs = [function.parity(order, i) for function, order, _ in factors for i in range(function.arity)]
    known = [sign for sign in signs if sign is not None]
    return prod(known) if len(known) == len(signs) else None


def product(factors: Sequence[Factor], z: Sequence[Array]) -> Array:
    """Π_f ∂ψ_f at coordinates z, arrays of one shape."""
    result = np.ones(())
    for function, order, arguments in factors:
        result = result * function.evaluate(order, *(z[i] for i in arguments))
    return result


def kinks(factors: Sequence[Factor], size: int) -> list[tuple[tuple[float, ...], float]]:
    """Lines (c, b) with a kink at c · z = b, as functions tell them.

    Of a function that does not: where one of its arguments is 0, and where two are equal.
    """
    found: set[tuple[tuple[float, ...], float]] = set()
    for function, _, arguments in factors:
        if function.smoothness is None:
            continue
        for c, b in function.lines or _suspected(function.arity):
            form = [0.0] * size
            for i, slope in zip(arguments, c, strict=True):
                form[i] += float(slope)
            if any(form):
                found.add((tuple(form), float(b)))
    return sorted(found)


def _suspected(arity: int) -> list[Line]:
    one = [tuple(Fraction(j == i) for j in range(arity)) for i in range(arity)]
    two = [tuple(x - y for x, y in zip(one[i], one[k], strict=True)) for i, k in combinations(range(arity), 2)]
    return [(c, Fraction(0)) for c in (*one, *two)]


def check(factors: Sequence[Factor], size: int) -> None:
    """Raises ExpressionError for factors that do not fit together or to `size` coordinates."""
    for function, order, arguments in factors:
        if len(order) != function.arity or len(arguments) != function.arity or min(order, default=0) < 0:
            raise ExpressionError(
                f"{function.spec} takes {function.arity} argument(s); order {order}, arguments {arguments} were given"
            )
        if not all(0 <= i < size for i in arguments):
            raise ExpressionError(f"{function.spec} is asked for at coordinates {arguments} of only {size}")

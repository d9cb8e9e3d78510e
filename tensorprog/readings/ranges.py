"""What is known of the sign of a node's values, and of how near to 0 they come.

    low ≤ value ≤ high              for every coordinate, at every width;
    |value| ≥ c n^floor, c > 0      with a probability that comes near to 1 as c becomes small; for a vector: most
                                    coordinates.

Both are read off the form: squares, sums of positive terms, functions with a known range. A positive function of what
is of order one has floor 0, for what is of order one stays in a bounded set with a probability near 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf
from typing import assert_never

from tensorprog.exponents import Exponent
from tensorprog.functions.analysis import is_positive, range_of
from tensorprog.functions.base import ANYTHING, Interval
from tensorprog.functions.powers import Power
from tensorprog.functions.ranges import POSITIVE, added, excludes_zero, multiplied, powered
from tensorprog.program import (
    Apply,
    Coefficient,
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

ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Range:
    """Where the values of a node lie; `floor` is None where nothing keeps them away from 0."""

    interval: Interval = ANYTHING
    floor: Fraction | None = None

    @property
    def nonnegative(self) -> bool:
        return self.interval[0] >= 0


class Ranges:
    """The ranges of the nodes of one program, found as they are asked for.

    sizes: of the nodes, at least of those that a range is asked for and of what they read.
    """

    def __init__(self, nodes: Mapping[str, Instruction], sizes: Mapping[str, Exponent]) -> None:
        self.nodes, self.sizes = nodes, sizes
        self._known: dict[str, Range] = {}

    def __call__(self, name: str) -> Range:
        stack = [name]
        while stack:
            here = stack[-1]
            missing = [x for x in operands(self.nodes[here]) if x not in self._known]
            if missing and here not in self._known:
                stack += missing
            else:
                stack.pop()
                if here not in self._known:
                    self._known[here] = self._range(self.nodes[here])
        return self._known[name]

    def domain(self, names: Sequence[str], vector: Sequence[bool]) -> list[Interval]:
        """Where the arguments of a function lie; a scalar of floor 0 keeps some distance from 0."""
        found: list[Interval] = []
        for x, is_vector in zip(names, vector, strict=True):
            part = self(x)
            near = is_vector or part.floor is None or part.floor < 0
            found.append(part.interval if near else _distant(part.interval))
        return found

    def keeps_its_order(self, name: str) -> bool:
        """Whether a node is as large as its size from below too, and of one sign."""
        found = self(name)
        return found.floor == self.sizes[name].power and excludes_zero(_distant(found.interval))

    def _range(self, node: Instruction) -> Range:
        match node:
            case Input() | Parameter() | Free() | MatMul():
                return Range()
            case Constant(coefficient):
                return _scaled(Range((1.0, 1.0), ZERO), coefficient)
            case LinComb(terms):
                return _sum([_scaled(self._known[x], c) for c, x in terms])
            case Multiply(args) | Moment(args):
                return self._product(args)
            case Apply():
                return self._function(node)
            case _:
                assert_never(node)

    def _product(self, args: Sequence[str]) -> Range:
        """Of a product, and of its average: most coordinates of each factor are not small, so most of the product."""
        found = [(self._known[x], k) for x, k in Counter(args).items()]
        interval = multiplied([powered(part.interval, k) for part, k in found])
        floors = [k * part.floor if part.floor is not None else None for part, k in found]
        known = [f for f in floors if f is not None]
        signed = all(part.nonnegative or k % 2 == 0 for part, k in found)
        return _settled(interval, sum(known, ZERO) if signed and len(known) == len(floors) else None)

    def _function(self, node: Apply) -> Range:
        parts = [self._known[x] for x in node.args]
        interval = range_of(node.function, node.order, [part.interval for part in parts])
        sizes = [self.sizes[x].power for x in node.args]
        positive = [part.nonnegative and part.floor is not None for part in parts]
        floor: Fraction | None = None
        if isinstance(node.function, Power) and not any(node.order):
            e, below = node.function.exponent, parts[0].floor
            if parts[0].nonnegative and below is not None:
                floor = e * (below if e > 0 else sizes[0])
        elif all(size <= 0 for size in sizes) and is_positive(
            node.function, node.order, [p and part.floor == 0 for p, part in zip(positive, parts, strict=True)]
        ):
            floor = ZERO
        return _settled(interval, floor)


def _scaled(part: Range, coefficient: Coefficient) -> Range:
    """Times c n^power; n ≥ 1."""
    value, power = float(coefficient.value), coefficient.power
    low, high = multiplied([(value, value), part.interval])
    if power > 0:
        low, high = (low if low >= 0 else -inf), (high if high <= 0 else inf)
    elif power < 0:
        low, high = min(low, 0.0), max(high, 0.0)
    return Range((low, high), None if part.floor is None or not value else part.floor + power)


def _sum(parts: Sequence[Range]) -> Range:
    """Terms of one sign do not cancel."""
    interval = added([part.interval for part in parts])
    floors = [part.floor for part in parts if part.floor is not None]
    same = all(part.nonnegative for part in parts) or all(part.interval[1] <= 0 for part in parts) or len(parts) == 1
    return _settled(interval, max(floors, default=None) if same else None)


def _settled(interval: Interval, floor: Fraction | None) -> Range:
    """What is above a positive number is above n^0 times it."""
    return Range(interval, floor if not excludes_zero(interval) else max(floor or ZERO, ZERO))


def _distant(interval: Interval) -> Interval:
    """The part of an interval of one sign that keeps some distance from 0."""
    low, high = interval
    return (max(low, POSITIVE[0]), high) if low >= 0 else (low, min(high, -POSITIVE[0])) if high <= 0 else interval

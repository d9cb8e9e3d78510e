"""What a bound assumes: that the scalars that enter a singular function keep away from its poles.

A scalar that is as large as its size from below too, because it is a sum of positive terms or bounded by a constant,
needs no assumption; nor does a function without poles where the scalar lies. Of any other the bound holds only if

    |s| ≥ c n^p,  n^p the size of s, with a probability that comes near to 1 as c becomes small,

which a limit of n^{-p} s that is not 0 proves at the data it is taken at, and one that is 0 refutes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tensorprog.exponents import Exponent
from tensorprog.functions import Function
from tensorprog.functions.powers import Power
from tensorprog.program import Apply, Instruction, Vector
from tensorprog.program.types import Type
from tensorprog.readings.ranges import Ranges


@dataclass(frozen=True, slots=True)
class Assumption:
    """The scalar `scalar`, of size n^power, keeps that order, where `function` is singular at it in `node`."""

    scalar: str
    power: Fraction
    function: Function
    node: str
    argument: int = 0

    def __str__(self) -> str:
        what = f"{self.scalar!r} of order n^{self.power}" if self.power else f"{self.scalar!r}"
        poles = "0" if isinstance(self.function, Power) else "the poles"
        return f"{what} stays away from {poles}, where {self.function.spec} at {self.node!r} is singular"

    def to_object(self) -> dict[str, Any]:
        return {
            "scalar": self.scalar,
            "power": str(self.power),
            "function": self.function.spec,
            "node": self.node,
            "text": str(self),
        }


def assumptions(
    nodes: Mapping[str, Instruction],
    types: Mapping[str, Type],
    sizes: Mapping[str, Exponent],
    wanted: Collection[str],
) -> tuple[Assumption, ...]:
    """What the sizes of the wanted nodes assume, one of each scalar and function."""
    ranges = Ranges(nodes, sizes)
    found: dict[tuple[str, str], Assumption] = {}
    for name, node in nodes.items():
        if name not in wanted or not isinstance(node, Apply) or node.function.regular:
            continue
        vector = [isinstance(types[x], Vector) for x in node.args]
        domain = ranges.domain(node.args, vector)
        power = isinstance(node.function, Power) and ranges.keeps_its_order(node.args[0])
        if power or node.function.regular_on(domain):
            continue
        for i, x in enumerate(node.args):
            if not vector[i] and _singular_in(node.function, i, domain):
                size = Fraction(sizes[x].power)
                found.setdefault((x, node.function.spec), Assumption(x, size, node.function, name, i))
    return tuple(found.values())


def _singular_in(function: Function, argument: int, domain: list[tuple[float, float]]) -> bool:
    """Whether the function or its first derivative has a pole in this argument."""
    zero = (0,) * function.arity
    once = tuple(int(i == argument) for i in range(function.arity))
    return any(function.degrees_on(order, domain)[argument] is None for order in (zero, once))

"""The structure of Taylor coefficients that every judgment of the norm calculus shares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import product as cartesian
from math import inf
from typing import assert_never

from tensorprog.errors import ProgramError
from tensorprog.exponents import Exponent
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
from tensorprog.readings.judgement import Counts
from tensorprog.readings.kinds import Functional, Kind, KnownDirection, UnitDirection, partitions, shares
from tensorprog.readings.ranges import Ranges
from tensorprog.readings.sizes import ORDER_ONE, size_of_function, without_log

Monomial = tuple[Exponent, int, tuple[tuple[str, Counts], ...]]
"""(size of the known factor, its parity, the coefficients it multiplies)."""


def _moved_nodes(nodes: Mapping[str, Instruction], kind: Kind) -> set[str]:
    """Nodes that depend on a parameter which directions of this kind move."""
    found = set(kind.pairs if isinstance(kind, KnownDirection) else kind.weights)
    for name, node in nodes.items():
        if any(operand in found for operand in operands(node)):
            found.add(name)
    return found


class Coefficients:
    """Coefficients of the nodes of one program along kinds of directions: what they are sums and products of."""

    def __init__(
        self,
        nodes: Mapping[str, Instruction],
        types: Mapping[str, Type],
        kinds: Sequence[Kind],
        sizes: Mapping[str, Exponent],
        parity: Mapping[str, int] | None = None,
        deadline: float = inf,
    ) -> None:
        self.nodes, self.types, self.kinds, self.sizes = nodes, types, tuple(kinds), sizes
        self.parity, self._deadline = parity or {}, deadline
        self._ranges = Ranges(nodes, sizes)
        self.zero: Counts = (0,) * len(self.kinds)
        read = {x for node in nodes.values() for x in operands(node)}
        self.random_scalars = any(
            self.parity.get(k) and not isinstance(types[k], Vector) and k in read and not isinstance(node, Parameter)
            for k, node in nodes.items()
        )
        self._multiplied: dict[tuple[str, bool], dict[str, str]] = {}
        for name, node in nodes.items():
            if isinstance(node, MatMul):
                self._multiplied.setdefault((node.matrix, node.transpose), {})[name] = node.vector
        self._position = {name: i for i, name in enumerate(nodes)}
        self._moved = [_moved_nodes(nodes, kind) for kind in self.kinds]

    def _monomials(self, name: str, counts: Counts) -> Iterator[Monomial]:
        """A coefficient of ψ(x…) or Π x as a sum of (known size) · Π (coefficient of an operand)."""
        node = self.nodes[name]
        if isinstance(node, Apply):
            sizes = [self.sizes[x] for x in node.args]
            vector = [isinstance(self.types[x], Vector) for x in node.args]
            for blocks in partitions(counts):
                for where in cartesian(range(len(node.args)), repeat=len(blocks)):
                    order = tuple(k + where.count(i) for i, k in enumerate(node.order))
                    if not node.function.is_zero(order):
                        base = size_of_function(name, node, order, sizes, vector, self._ranges)
                        signs = [x for i, x in enumerate(node.args) if node.function.parity(order, i) == -1]
                        parity = sum(self.parity.get(x, 0) for x in signs) % 2
                        yield base, parity, tuple((node.args[i], block) for i, block in zip(where, blocks, strict=True))
        elif isinstance(node, Multiply | Moment):
            for found in shares(counts, len(node.args)):
                base, parity, factors = ORDER_ONE, 0, []
                for x, block in zip(node.args, found, strict=True):
                    if any(block):
                        factors.append((x, block))
                    else:
                        base, parity = base + self._base(x), parity ^ self.parity.get(x, 0)
                yield base, parity, tuple(factors)
        elif isinstance(node, Input | Parameter | Free | Constant | MatMul | LinComb):
            raise ProgramError(f"the node {name!r}, {node}, is no product; this is a fault of the library")
        else:
            assert_never(node)

    def _base(self, name: str) -> Exponent:
        return self.sizes[name] if isinstance(self.types[name], Vector) else without_log(self.sizes[name])

    def _free(self, counts: Counts) -> bool:
        return any(k and isinstance(kind, UnitDirection) for k, kind in zip(counts, self.kinds, strict=True))

    def _steps(self, counts: Counts) -> list[tuple[int, Counts]]:
        return [(i, (*counts[:i], k - 1, *counts[i + 1 :])) for i, k in enumerate(counts) if k]

    def _pairs(self, i: int, matrix: str, transpose: bool) -> list[tuple[Functional, Functional]]:
        kind = self.kinds[i]
        if not isinstance(kind, KnownDirection):
            return []
        pairs = [(a, b) for a, b in kind.pairs.get(matrix, ()) if b is not None]
        return [(b, a) for a, b in pairs] if transpose else pairs

    def _parameter(self, name: str) -> Parameter:
        return parameter_at(self.nodes, name)

    def _metric(self, name: str) -> Fraction:
        node = self._parameter(name)
        return -2 * node.a - node.c

    def _growing(self, *names: str) -> int:
        for name in names:
            kind = self.types[name]
            if isinstance(kind, Vector):
                return int(kind.width.growing)
        return 0

    def _parity(self, name: str, counts: Counts) -> int:
        """Parity of a known coefficient under the flip: that of the node, and of the directions in it."""
        moved = sum(
            k * kind.parity for k, kind in zip(counts, self.kinds, strict=True) if isinstance(kind, KnownDirection)
        )
        return (self.parity.get(name, 0) + moved) % 2

"""Sign symmetries: flips of Gaussian parameters under which a scalar changes sign.

Every parameter P gets a sign s_P in GF(2); a node is even (0), odd (1) or has a parity that is linear in the signs.
W x adds s_W, an odd function of one argument passes its parity on, a generic one needs parity 0, products add, sums
must agree. A solution of the linear system with F odd is a measure-preserving orthogonal flip with F → -F, so
every odd moment of F vanishes exactly, at every width, and C^{0,d} → (-1)^{d+1} C^{0,d}.

Sound, not complete: only flips under which each node by itself is even or odd are found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import assert_never

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
    ancestors,
)


def odd_flip(nodes: Mapping[str, Instruction], targets: Sequence[str]) -> frozenset[str] | None:
    """Parameters to flip so that every target changes sign, or None when this calculus finds no such flip."""
    wanted = ancestors(nodes, list(targets))
    system = _System()
    parity: dict[str, int] = {}
    for name, node in nodes.items():
        if name not in wanted:
            continue
        match node:
            case Parameter():
                parity[name] = system.unknown(name)
            case MatMul(matrix, vector):
                parity[name] = parity[matrix] ^ parity[vector]
            case Multiply(args) | Moment(args):
                parity[name] = 0
                for x in args:
                    parity[name] ^= parity[x]
            case LinComb(terms):
                parity[name] = parity[terms[0][1]]
                for _, x in terms[1:]:
                    system.require(parity[name] ^ parity[x])
            case Apply(function, order, args):
                parity[name] = 0
                for i, x in enumerate(args):
                    symmetry = function.parity(order, i)
                    if symmetry is None:
                        system.require(parity[x])
                    elif symmetry < 0:
                        parity[name] ^= parity[x]
            case Input() | Constant() | Free():  # what a flip leaves alone
                parity[name] = 0
            case never:
                assert_never(never)
    for target in targets:
        system.require(parity[target] ^ system.one)
    return system.solve()


def parities(nodes: Mapping[str, Instruction], flip: frozenset[str]) -> dict[str, int]:
    """Parity of every node under a flip that `odd_flip` found, adjoints of the targets included."""
    parity: dict[str, int] = {}
    for name, node in nodes.items():
        match node:
            case Parameter():
                parity[name] = int(name in flip)
            case MatMul(matrix, vector):
                parity[name] = parity[matrix] ^ parity[vector]
            case Multiply(args) | Moment(args):
                parity[name] = sum(parity[x] for x in args) % 2
            case LinComb(terms):
                parity[name] = parity[terms[0][1]]
            case Apply(function, order, args):
                odd = [x for i, x in enumerate(args) if function.parity(order, i) == -1]
                parity[name] = sum(parity[x] for x in odd) % 2
            case Input() | Constant() | Free():
                parity[name] = 0
            case never:
                assert_never(never)
    return parity


class _System:
    """Linear equations over GF(2); a linear form is an int whose bit 0 is the constant."""

    one = 1

    def __init__(self) -> None:
        self.names: list[str] = []
        self.rows: list[int] = []

    def unknown(self, name: str) -> int:
        self.names.append(name)
        return 1 << len(self.names)

    def require(self, form: int) -> None:
        """Demand that the form vanishes."""
        if form:
            self.rows.append(form)

    def solve(self) -> frozenset[str] | None:
        """The unknowns that are 1 in one solution (free unknowns 0), or None."""
        pivots: dict[int, int] = {}
        for row in self.rows:
            for bit, pivot in pivots.items():
                if row >> bit & 1:
                    row ^= pivot
            if row == 1:
                return None
            if row:
                bit = row.bit_length() - 1
                for other in pivots:
                    if pivots[other] >> bit & 1:
                        pivots[other] ^= row
                pivots[bit] = row
        return frozenset(self.names[bit - 1] for bit, row in pivots.items() if row & 1)

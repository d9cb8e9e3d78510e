"""The terms of a trained network, as trees, and their exponents.

A step moves θ along −η C′ ∇F(x_i), and ∇F itself moves with θ. Expanded about θ_0, F(θ_s)(x) therefore is a sum over
trees: a vertex of degree k stands for ∇^k F at some input, an edge for a contraction, and every vertex but the root
brings one factor −η C′. One vertex is F(θ_0), two are the linearised model, and with an inner vertex that has d leaves
and no other neighbour the tree is C^{0,d} (Dyer and Gur-Ari, arXiv 1909.11304, draw the same graphs for products of F).

With the leaves contracted, the inner vertices form a tree of tensors C^{D,d}, D the number of inner neighbours and d of
leaves. Contracting tensors along a tree gives at most the product of their subordinate norms, so

    |tree| ≤ Π_v ‖C^{D_v,d_v}‖ · (n^q)^{edges},   n^q the size of one factor η C′.

This is why weak correlations, sized in that norm, are what decides linearity. In a table with D ≤ 2 the inner trees are
paths; trees of more than five vertices are not in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from tensorprog.errors import OrderError
from tensorprog.exponents import Exponent
from tensorprog.readings import Entry, Table

LARGEST = 4  # edges
Order = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Tree:
    """Inner vertices C^{D,d} along a path, and what bounds the tree at q = 0."""

    entries: tuple[Entry, ...]
    edges: int

    @property
    def size(self) -> Exponent:
        total = Exponent()
        for entry in self.entries:
            if entry.law is None:
                raise OrderError(f"C^{{{entry.D},{entry.d}}} is {entry}, which bounds no tree")
            total = total + entry.law
        return total

    def at(self, q: Fraction) -> Exponent:
        """The bound when a factor η C′ is of the size n^q."""
        return self.size.shift(self.edges * q)

    @property
    def is_one_correlation(self) -> bool:
        """Whether the tree is a single correlation, bounded by nothing but itself."""
        return len(self.entries) == 1

    def __str__(self) -> str:
        return " · ".join(f"{'‖' * (e.D > 0)}C^{{{e.D},{e.d}}}{'‖' * (e.D > 0)}" for e in self.entries)


def trees(table: Table, legs: int = 0) -> list[Tree]:
    """The trees of a table beyond the linearised model, with `legs` free slots at the root, at most five vertices.

    Terms that vanish identically are left out. Trees that need an order the table does not have, or has no bound for,
    are skipped: what a table says about training is about its own orders.
    """
    found: dict[tuple[tuple[Order, ...], int], Tree] = {}
    entries = {(e.D, e.d): e for e in table}
    for path, edges in _all(legs):
        chosen = [entries.get(order) for order in path]
        if all(entry is not None and entry.law is not None for entry in chosen):
            key = (min(path, path[::-1]), edges)
            found.setdefault(key, Tree(tuple(e for e in chosen if e is not None), edges))
    return list(found.values())


def orders(legs: int = 0) -> set[Order]:
    """The orders that trees are made of."""
    return {order for path, _ in _all(legs) for order in path}


def _all(legs: int) -> Iterator[tuple[tuple[Order, ...], int]]:
    """Inner paths of at most LARGEST edges, leaves included, with their numbers of edges."""
    for length in range(1, LARGEST + 1):
        for leaves in product(range(LARGEST + 1), repeat=length):
            edges = length - 1 + sum(leaves)
            if edges <= LARGEST:
                yield from ((path, edges) for path in _paths(leaves, legs))


def _paths(leaves: tuple[int, ...], legs: int) -> Iterator[tuple[Order, ...]]:
    """The orders (D, d) along a path with so many leaves; with legs its first vertex is the root, without any is."""
    last = len(leaves) - 1
    inner = [int(i > 0) + int(i < last) for i in range(len(leaves))]
    if legs == 0:
        ends_grow = leaves[0] >= 1 and leaves[last] >= 1
        beyond = last > 0 or leaves[0] >= 2
        if ends_grow and beyond:
            yield tuple(zip(inner, leaves, strict=True))
    elif leaves[last] >= 1:
        yield tuple((D + legs * (i == 0), d) for i, (D, d) in enumerate(zip(inner, leaves, strict=True)))

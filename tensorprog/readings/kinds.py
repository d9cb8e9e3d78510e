"""Directions as the norm calculus sees them, and the combinatorics of coefficients along several of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import product as cartesian

from tensorprog.exponents import Exponent
from tensorprog.readings.judgement import Counts


@dataclass(frozen=True, order=True, slots=True)
class Functional:
    """A known vector: its size, its parity under the flip, and the directions it contains.

    Parity and content decide which vectors come back through a transpose, hence the logarithm of W^T k.
    """

    size: Exponent
    parity: int = 0
    content: Counts = ()

    def times(self, size: Exponent, parity: int = 0, content: Counts = ()) -> Functional:
        """The coordinatewise product with another known factor."""
        together = self.content or content
        if self.content and content:
            together = tuple(a + b for a, b in zip(self.content, content, strict=True))
        return Functional(self.size + size, self.parity ^ parity, together)

    def shift(self, power: Fraction | int) -> Functional:
        return Functional(self.size.shift(power), self.parity, self.content)


@dataclass(frozen=True)
class KnownDirection:
    """A direction Σ_j left_j ⊗ right_j of known vectors: for each parameter the pairs, as functionals.

    `parity` is 1 when the sign flip of the calculus turns the direction g into -g (moved by the flip).
    """

    pairs: Mapping[str, frozenset[tuple[Functional, Functional | None]]]
    parity: int = 0
    label: str = "g"


@dataclass(frozen=True)
class UnitDirection:
    """A free unit direction; `weights` gives -a - c/2 (or -a for a plain slot) of each parameter it may move."""

    weights: Mapping[str, Fraction]
    label: str = "u"


Kind = KnownDirection | UnitDirection


@cache
def parts(counts: Counts) -> tuple[Counts, ...]:
    """All sub-multisets, the smallest first."""
    return tuple(sorted(cartesian(*(range(k + 1) for k in counts)), key=lambda t: (sum(t), t)))


def less(counts: Counts, other: Counts) -> Counts:
    return tuple(a - b for a, b in zip(counts, other, strict=True))


@cache
def partitions(counts: Counts) -> tuple[tuple[Counts, ...], ...]:
    """All partitions of a multiset of directions into nonempty blocks."""
    if not any(counts):
        return ((),)
    found: set[tuple[Counts, ...]] = set()
    first = next(i for i, k in enumerate(counts) if k)
    for block in parts(counts):
        if block[first]:
            found.update(tuple(sorted((block, *rest))) for rest in partitions(less(counts, block)))
    return tuple(sorted(found))


@cache
def shares(counts: Counts, number: int) -> tuple[tuple[Counts, ...], ...]:
    """All ways to share a multiset of directions among that many factors."""
    if number == 0:
        return () if any(counts) else ((),)
    return tuple((p, *rest) for p in parts(counts) for rest in shares(less(counts, p), number - 1))

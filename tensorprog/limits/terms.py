"""Leading parts: what is known of a value as n → ∞, n^power · (limit + o(1)), and a bound on all that was left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, TypeVar

T = TypeVar("T")

Bound = tuple[Fraction, int]
"""(power, 1): O(n^power); (power, 0): o(n^power). Tuples compare as the classes do."""


def written(bound: Bound | None) -> str:
    """As in "O(n^1/2)", "o(n^0)" or "0"."""
    return "0" if bound is None else f"{'O' if bound[1] else 'o'}(n^{bound[0]})"


@dataclass(frozen=True, slots=True)
class Term(Generic[T]):
    """n^power · payload + rest.

    payload: the limit, or None when nothing is known beyond the bound: an exact zero limit, or a random one.
    rest: a bound on what was left out, smaller than n^power; None when nothing was.
    """

    power: Fraction
    payload: T | None
    rest: Bound | None

    @property
    def size(self) -> Bound | None:
        """A bound on the whole; None for an exact zero."""
        return self.rest if self.payload is None else (self.power, 1)

    @property
    def is_missing(self) -> bool:
        """Whether the leading part is not known, and what is left out is not known to vanish: no limit at all."""
        return self.payload is None and self.rest is not None and self.rest >= (Fraction(0), 1)

    def scaled(self, power: Fraction) -> Term[T]:
        """Times n^power."""
        return Term(
            self.power + power, self.payload, None if self.rest is None else (self.rest[0] + power, self.rest[1])
        )


def leading(power: Fraction, payload: T | None, rest: Bound | None) -> Term[T]:
    """A term whose payload is dropped where the rest is not smaller."""
    if payload is not None and rest is not None and rest >= (power, 1):
        return Term(power, None, rest)
    return Term(power, payload, rest)


def largest(bounds: Sequence[Bound | None]) -> Bound | None:
    return max((b for b in bounds if b is not None), default=None)


def times(bounds: Sequence[Bound | None]) -> Bound | None:
    """Of a product; None when a factor is an exact zero."""
    if any(b is None for b in bounds):
        return None
    known = [b for b in bounds if b is not None]
    return sum((b[0] for b in known), Fraction(0)), min((b[1] for b in known), default=1)


def total(terms: Sequence[Term[T]], add: Callable[[list[T]], T | None]) -> Term[T]:
    """Sum: parts of the largest power stay, whatever is smaller goes into the rest."""
    powers = [t.power for t in terms if t.payload is not None]
    rest = largest([t.rest for t in terms])
    if not powers:
        return Term(Fraction(0), None, rest)
    top = max(powers)
    rest = largest([rest, *((p, 1) for p in powers if p < top)])
    payload = add([t.payload for t in terms if t.payload is not None and t.power == top])
    if payload is None:
        rest = largest([rest, (top, 0)])
    return leading(top, payload, rest)


def product(terms: Sequence[Term[T]], multiply: Callable[[list[T]], T | None]) -> Term[T]:
    """Product: leading parts multiply; the rest is bounded by one rest times the other factors."""
    power = sum((t.power for t in terms), Fraction(0))
    if any(t.payload is None for t in terms):
        return Term(power, None, times([t.size for t in terms]))
    rests = [times([u.rest if i == j else u.size for j, u in enumerate(terms)]) for i in range(len(terms))]
    payload = multiply([t.payload for t in terms if t.payload is not None])
    rest = largest(rests)
    return leading(power, payload, rest if payload is not None else largest([rest, (power, 0)]))

"""Judgements: bounds with the rule, the node and the premises they rest on.

Every bound of the norm calculus is one of these. Only the decisive premises are kept: the term of a sum that is
largest, the pairing that is smallest; so a judgement prints as the chain of reasons for its exponent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tensorprog.exponents import Exponent, Norms

Counts = tuple[int, ...]  # how many directions of each kind a coefficient contains


@dataclass(frozen=True, slots=True)
class Judgement:
    """`bound` on the coefficient `counts` of `node`, by `rule` from `premises`."""

    bound: Exponent
    rule: str
    node: str
    counts: Counts
    premises: tuple[Judgement, ...] = ()
    norms: Norms | None = None

    def via(self, rule: str, node: str, counts: Counts, bound: Exponent) -> Judgement:
        """A judgement that follows from this one alone."""
        return Judgement(bound, rule, node, counts, (self,))

    def steps(self) -> Iterator[Judgement]:
        """This judgement and all it rests on, conclusions before premises, each once."""
        seen: set[int] = set()
        stack = [self]
        while stack:
            step = stack.pop()
            if id(step) not in seen:
                seen.add(id(step))
                yield step
                stack.extend(reversed(step.premises))


def largest(judgements: list[Judgement | None]) -> Judgement | None:
    """The decisive one of the terms of a sum; None when every term vanishes."""
    found = [j for j in judgements if j is not None]
    return max(found, key=lambda j: j.bound) if found else None

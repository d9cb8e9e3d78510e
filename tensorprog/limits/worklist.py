"""Answers that need others, to any depth: what is asked far down is put on a list and answered first.

A rule that asks for an answer that is not known is simply called, up to a fixed depth; below that it is given up, the
answer that was missing is found on its own, and the rule starts again with that answer at hand. So a chain of any
length takes a few frames, and every link is computed a bounded number of times.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from tensorprog.errors import ProgramError

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
DEEP = 12  # rules that may wait for each other before the innermost is put on the list

Question = tuple[dict[Any, Any], Any, Callable[[Any], Any]]


class _Postponed(Exception):
    """A question met too far down."""

    def __init__(self, question: Question) -> None:
        super().__init__("asked too far down")
        self.question = question


class Worklist:
    """Finds answers and keeps them in tables of the caller's."""

    def __init__(self) -> None:
        self._depth = 0

    def answer(self, table: dict[K, T], key: K, rule: Callable[[K], T]) -> T:
        """table[key], found by the rule where it is not there.

        Raises ProgramError where an answer turns out to need itself.
        """
        if key in table:
            return table[key]
        if self._depth == 0:
            self._all((table, key, rule))
        elif self._depth >= DEEP:
            raise _Postponed((table, key, rule))
        else:
            self._one((table, key, rule))
        return table[key]

    def _one(self, question: Question) -> None:
        table, key, rule = question
        self._depth += 1
        try:
            table[key] = rule(key)
        finally:
            self._depth -= 1

    def _all(self, question: Question) -> None:
        open_ = {(id(question[0]), question[1])}
        stack = [question]
        while stack:
            try:
                self._one(stack[-1])
            except _Postponed as below:
                mark = (id(below.question[0]), below.question[1])
                if mark in open_:
                    raise ProgramError(f"the limit of {mark[1]} is asked for in finding it") from None
                open_.add(mark)
                stack.append(below.question)
            else:
                table, key, _ = stack.pop()
                open_.discard((id(table), key))

"""Large arrays used again: fresh memory costs as much as the numbers drawn into it, one page fault after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from tensorprog.readings.draws import Array


class Arena:
    """Hands out arrays until they are given back: with the last name that they are held under, or all together.

    The names are those of a program's values, and its schedule says when they end. An array that nobody holds under a
    name stays out until `reset`, or the end of the `scope` that it was handed out in.
    """

    def __init__(self) -> None:
        self._free: dict[tuple[tuple[int, ...], np.dtype[np.floating]], list[Array]] = {}
        self._out: dict[int, Array] = {}
        self._under: dict[str, int] = {}
        self._names: Counter[int] = Counter()

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[np.floating]) -> Array:
        """An array with arbitrary contents."""
        free = self._free.get((shape, dtype))
        found = free.pop() if free else np.empty(shape, dtype)
        self._out[id(found)] = found
        return found

    def hold(self, values: Mapping[str, Array]) -> None:
        """Hold arrays, or those that they are views of, under names; what is not of this arena is let be."""
        for name, value in values.items():
            place = self._place(value)
            if place in self._out:
                self._under[name] = place
                self._names[place] += 1

    def drop(self, name: str) -> None:
        """Let a name go; its array is given back with the last one."""
        place = self._under.pop(name, None)
        if place is not None:
            self._names[place] -= 1
            if not self._names[place]:
                self._give_back(place)

    def give_back(self, values: Iterable[Array]) -> None:
        """Give back those that are held under no name, or what they are views of."""
        for place in {self._place(value) for value in values}:
            if place in self._out and not self._names[place]:
                self._give_back(place)

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Whatever is handed out inside is given back at its end."""
        before = set(self._out)
        try:
            yield
        finally:
            self._end(set(self._out) - before)

    def reset(self) -> None:
        """Everything is given back."""
        self._end(set(self._out))

    @staticmethod
    def _place(value: Array) -> int:
        return id(value if value.base is None else value.base)

    def _end(self, places: set[int]) -> None:
        for name in [name for name, place in self._under.items() if place in places]:
            del self._under[name]
        for place in places:
            self._give_back(place)

    def _give_back(self, place: int) -> None:
        array = self._out.pop(place)
        del self._names[place]
        self._free.setdefault((array.shape, array.dtype), []).append(array)

"""Factors as `expectation` takes them: scalars become coordinates without variance, nested nonlinearities functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, assert_never, final

import sympy

from tensorprog.functions import Function
from tensorprog.functions.base import Degree, Line
from tensorprog.limits.scalars import Affine, Factor, Given, Mixed, Value

Terms = tuple[tuple[int, tuple[int, ...], tuple[int, ...]], ...]
"""Σ place of a coefficient · Π places · Π earlier steps."""


class Coordinates:
    """Hands out coordinates behind the first `size`, those of the Gaussians; `constants` are their values.

    inner: factors inside the arguments of others, as an `Expectation` has them.
    """

    def __init__(self, size: int, inner: Sequence[Factor] = ()) -> None:
        self.size, self.inner = size, inner
        self.constants: list[Value] = []
        self._index: dict[Value, int] = {}

    def factor(self, factor: Factor) -> tuple[Function, tuple[int, ...], tuple[int, ...]]:
        if not any(isinstance(arg, Mixed) for arg in factor.args):
            return factor.function, factor.order, tuple(self._place(arg) for arg in factor.args)
        used = self._inside(factor)
        places: dict[int, int] = {}
        steps = [self._step(self.inner[i], places, used) for i in used]
        steps.append(self._step(factor, places, used))
        return Nested(tuple(steps), len(places)), (0,) * len(places), tuple(places)

    def _inside(self, factor: Factor) -> dict[int, int]:
        """The inner factors that a factor is made of, numbered in their order."""
        found: set[int] = set()
        left = [factor]
        while left:
            for arg in left.pop().args:
                for i in {i for _, _, inner in arg.terms for i in inner} if isinstance(arg, Mixed) else ():
                    if i not in found:
                        found.add(i)
                        left.append(self.inner[i])
        return {i: step for step, i in enumerate(sorted(found))}

    def _place(self, arg: Affine | Mixed | Given) -> int:
        match arg:
            case Affine(index):
                return index
            case Given(value):
                return self._constant(value)
            case Mixed():
                raise TypeError(f"{arg} has no coordinate of its own")
            case _:
                assert_never(arg)

    def _constant(self, value: Value) -> int:
        if value not in self._index:
            self._index[value] = self.size + len(self.constants)
            self.constants.append(value)
        return self._index[value]

    def _step(self, factor: Factor, places: dict[int, int], used: dict[int, int]) -> Step:
        def at(place: int) -> int:
            return places.setdefault(place, len(places))

        args: list[int | Terms] = []
        for arg in factor.args:
            if isinstance(arg, Mixed):
                terms = [
                    (at(self._constant(c)), tuple(at(i) for i in xs), tuple(used[i] for i in inner))
                    for c, xs, inner in arg.terms
                ]
                args.append(tuple(terms))
            else:
                args.append(at(self._place(arg)))
        return Step(factor.function, factor.order, tuple(args))


@dataclass(frozen=True)
class Step:
    """A factor of local arguments: a place, or a sum over places and earlier steps."""

    function: Function
    order: tuple[int, ...]
    args: tuple[int | Terms, ...]

    def at(self, z: Sequence[Any], before: Sequence[Any]) -> Any:
        """Its value at the coordinates z, given the values of earlier steps."""
        return self.function.evaluate(self.order, *self.arguments(z, before))

    def arguments(self, z: Sequence[Any], before: Sequence[Any]) -> list[Any]:
        """What it is evaluated at."""
        values = []
        for arg in self.args:
            value: Any = z[arg] if isinstance(arg, int) else 0.0
            for c, places, steps in () if isinstance(arg, int) else arg:
                term = z[c]
                for x in (*(z[i] for i in places), *(before[i] for i in steps)):
                    term = term * x
                value = value + term
            values.append(value)
        return values


@final
class Nested(Function):
    """A nonlinearity of a nonlinear combination of coordinates, to be averaged; nothing is known of it but values."""

    factorial_growth = None

    def __init__(self, steps: tuple[Step, ...], arity: int) -> None:
        self._steps, self._arity, self._spec = steps, arity, f"nested({steps!r})"
        kinked = [step for step in steps if step.function.smoothness is not None]
        self.smoothness = min((s for step in kinked if (s := step.function.smoothness) is not None), default=None)
        self.curved = any(not isinstance(arg, int) for step in kinked for arg in step.args)

    @property
    def lines(self) -> tuple[Line, ...]:
        """Kinks of the steps at single places; those of sums are curves."""
        found: dict[Line, None] = {}
        for step in self._steps:
            for c, b in step.function.lines:
                for arg, weight in zip(step.args, c, strict=True):
                    if weight and isinstance(arg, int):
                        found[self._axis(arg, b / weight if sum(map(bool, c)) == 1 else Fraction(0))] = None
        return tuple(found)

    def breaks(self, z: Sequence[Any]) -> list[Any]:
        """What changes sign at the kinks of every step, at coordinates z."""
        values: list[Any] = []
        found = []
        for step in self._steps:
            arguments = step.arguments(z, values)
            for c, b in step.function.lines:
                found.append(sum((float(s) * x for s, x in zip(c, arguments, strict=True) if s), -float(b)))
            values.append(step.function.evaluate(step.order, *arguments))
        return found

    def _axis(self, place: int, at: Fraction) -> Line:
        return tuple(Fraction(int(i == place)) for i in range(self._arity)), at

    @property
    def spec(self) -> str:
        return self._spec

    @property
    def arity(self) -> int:
        return self._arity

    def is_zero(self, order: tuple[int, ...]) -> bool:
        return False

    def constant(self, order: tuple[int, ...]) -> None:
        return None

    def degrees(self, order: tuple[int, ...]) -> tuple[Degree, ...]:
        return (None,) * self._arity

    def parity(self, order: tuple[int, ...], argument: int) -> int | None:
        return None

    def sympy(self, *symbols: sympy.Symbol) -> sympy.Expr:
        return sympy.Function("nested")(*symbols)

    def _derivative(self, order: tuple[int, ...], *args: Any) -> Any:
        values: list[Any] = []
        for step in self._steps:
            values.append(step.at(args, values))
        return values[-1]

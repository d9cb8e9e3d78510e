"""Factors as `expectation` takes them: scalars become coordinates without variance, nested nonlinearities functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import sympy

from tensorprog.functions import Function
from tensorprog.functions.base import Degree
from tensorprog.limits.scalars import Affine, Factor, Given, Mixed, Value

Terms = tuple[tuple[int, tuple[int, ...], tuple["Local", ...]], ...]


class Coordinates:
    """Hands out coordinates behind the first `size`, those of the Gaussians; `constants` are their values."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.constants: list[Value] = []

    def factor(self, factor: Factor) -> tuple[Function, tuple[int, ...], tuple[int, ...]]:
        if not any(isinstance(arg, Mixed) for arg in factor.args):
            return factor.function, factor.order, tuple(self._place(arg) for arg in factor.args)
        places: list[int] = []
        inner = self._local(factor, places)
        return Nested(inner, len(places)), (0,) * len(places), tuple(places)

    def _place(self, arg: Affine | Mixed | Given) -> int:
        if isinstance(arg, Affine):
            return arg.index
        assert isinstance(arg, Given)
        return self._constant(arg.value)

    def _constant(self, value: Value) -> int:
        if value not in self.constants:
            self.constants.append(value)
        return self.size + self.constants.index(value)

    def _local(self, factor: Factor, places: list[int]) -> Local:
        def at(place: int) -> int:
            if place not in places:
                places.append(place)
            return places.index(place)

        args: list[int | Terms] = []
        for arg in factor.args:
            if isinstance(arg, Mixed):
                terms = []
                for c, xs, inner in arg.terms:
                    places_of_xs = tuple(at(i) for i in xs)
                    terms.append((at(self._constant(c)), places_of_xs, tuple(self._local(f, places) for f in inner)))
                args.append(tuple(terms))
            else:
                args.append(at(self._place(arg)))
        return Local(factor.function, factor.order, tuple(args))


@dataclass(frozen=True)
class Local:
    """A factor of local arguments: a place, or Σ coefficient · Π places · Π factors."""

    function: Function
    order: tuple[int, ...]
    args: tuple[int | Terms, ...]

    def at(self, z: Sequence[Any]) -> Any:
        values = []
        for arg in self.args:
            value: Any = z[arg] if isinstance(arg, int) else 0.0
            for c, places, factors in () if isinstance(arg, int) else arg:
                term = z[c]
                for i in places:
                    term = term * z[i]
                for factor in factors:
                    term = term * factor.at(z)
                value = value + term
            values.append(value)
        return self.function.evaluate(self.order, *values)


@final
class Nested(Function):
    """A nonlinearity of a nonlinear combination of coordinates, to be averaged; nothing is known of it but values."""

    factorial_growth = None

    def __init__(self, local: Local, arity: int) -> None:
        self._local, self._arity, self._spec = local, arity, f"nested({local!r})"
        self.smoothness = local.function.smoothness

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

    def parity(self, order: tuple[int, ...], argument: int) -> None:
        return None

    def sympy(self, *symbols: sympy.Symbol) -> sympy.Expr:
        return sympy.Function("nested")(*symbols)

    def _derivative(self, order: tuple[int, ...], *args: Any) -> Any:
        return self._local.at(args)

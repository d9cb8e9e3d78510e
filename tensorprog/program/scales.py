"""Parametrisations: which powers of n stand before a weight and its learning rate.

A weight is stored with iid N(0, n^{-2b}) entries, used as n^{-a} times it, and learns with η n^{-c} (Yang and Hu,
arXiv 2011.14522, section 3). Stored with unit variance instead, b folds away: a becomes a + b and c becomes c - 2b.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from types import MappingProxyType
from typing import Literal

from tensorprog.errors import ExpressionError
from tensorprog.exponents import exact
from tensorprog.program.instructions import Parameter
from tensorprog.program.types import Width

Role = Literal["input", "hidden", "readout", "bias"]
HALF = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class ABC:
    """The abc exponents of one weight; `tp.abc(a, b, c)` makes one from any rationals."""

    a: Fraction
    b: Fraction
    c: Fraction

    @property
    def unit(self) -> tuple[Fraction, Fraction]:
        """(a, c) of the same weight stored with unit variance."""
        return self.a + self.b, self.c - 2 * self.b


def abc(a: object = 0, b: object = 0, c: object = 0) -> ABC:
    """abc exponents of a weight: n^{-a} in front, entries N(0, n^{-2b}), learning rate η n^{-c}.

    >>> abc(0, Fraction(1, 2)).unit
    (Fraction(1, 2), Fraction(-1, 1))
    """
    return ABC(exact(a), exact(b), exact(c))


@dataclass(frozen=True, slots=True)
class Preset:
    """A named parametrisation: one ABC a role. Roles follow from the shape of a weight, see `role`."""

    name: str
    roles: Mapping[Role, ABC]

    def __getitem__(self, role: Role) -> ABC:
        return self.roles[role]


def _preset(name: str, *, input: ABC, hidden: ABC, readout: ABC, bias: ABC) -> Preset:
    roles: dict[Role, ABC] = {"input": input, "hidden": hidden, "readout": readout, "bias": bias}
    return Preset(name, MappingProxyType(roles))


NTK = _preset("NTK", input=abc(0), hidden=abc(HALF), readout=abc(HALF), bias=abc(0))
MEAN_FIELD = _preset(
    "MEAN_FIELD", input=abc(0, 0, -1), hidden=abc(HALF, 0, -1), readout=abc(1, 0, -1), bias=abc(0, 0, -1)
)
"""Readout averages over neurons and every learning rate is η n (Mei, Montanari, Nguyen, arXiv 1804.06561)."""
MUP = _preset("MUP", input=abc(-HALF, HALF), hidden=abc(0, HALF), readout=abc(HALF, HALF), bias=abc(-HALF, HALF))
"""Maximal update for SGD (Yang and Hu, arXiv 2011.14522, Table 1); in unit-variance form it equals MEAN_FIELD."""

PRESETS: Mapping[str, Preset] = MappingProxyType({"ntk": NTK, "mean_field": MEAN_FIELD, "mup": MUP})


def role(rows: Width | None, cols: Width | None) -> Role:
    """The role of a weight from its shape: readouts have one row, biases no column, inputs a fan-in that is fixed."""
    if cols is None:
        return "bias"
    if not cols.growing:
        return "input"
    return "readout" if rows is None else "hidden"


def exponents(scale: object, name: str, rows: Width | None, cols: Width | None) -> tuple[Fraction, Fraction]:
    """(a, c) in unit-variance form that `scale` gives to the weight `name`; ExpressionError when it gives none."""
    if isinstance(scale, Preset):
        return scale[role(rows, cols)].unit
    if isinstance(scale, ABC):
        return scale.unit
    if isinstance(scale, tuple) and len(scale) == 3:
        return abc(*scale).unit
    raise ExpressionError(
        f"the scale of {name!r} is {scale!r}; give tp.NTK, tp.MEAN_FIELD, tp.MUP, tp.abc(a, b, c) or a tuple (a, b, c)"
    )


def rescaled(parameter: Parameter, name: str, scale: object) -> Parameter:
    """The parameter under another parametrisation; all else is kept."""
    a, c = exponents(scale, name, parameter.rows, parameter.cols)
    return replace(parameter, a=a, c=c)

"""Types of the language: widths, and matrices, vectors and scalars over them.

A width is a fixed rational multiple of n, which grows, or the dimension d0 of the data, which does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from tensorprog.errors import ExpressionError
from tensorprog.exponents import exact


@dataclass(frozen=True, slots=True)
class Width:
    """`ratio`·n when growing, else the data dimension d0 (its ratio is 1)."""

    ratio: Fraction = Fraction(1)
    growing: bool = True

    def __str__(self) -> str:
        if not self.growing:
            return "d0"
        return "n" if self.ratio == 1 else f"{self.ratio}n"

    def at(self, n: int, d0: int) -> int:
        """The number of coordinates at width n and data dimension d0."""
        return int(self.ratio * n) if self.growing else d0


N = Width()
DATA = Width(growing=False)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A real number."""

    def __str__(self) -> str:
        return "scalar"


@dataclass(frozen=True, slots=True)
class Vector:
    """A vector of one width."""

    width: Width

    def __str__(self) -> str:
        return f"vector of width {self.width}"


@dataclass(frozen=True, slots=True)
class Matrix:
    """A matrix, rows by columns."""

    rows: Width
    cols: Width

    def __str__(self) -> str:
        return f"matrix {self.rows} x {self.cols}"


Type = Scalar | Vector | Matrix


@dataclass(frozen=True, slots=True)
class Coefficient:
    """value · n^power, both exact. `tensorprog.n` is Coefficient(1, 1): write `n**Fraction(-1, 2) * x`.

    >>> 2 * Coefficient(Fraction(1), Fraction(1)) ** Fraction(-1, 2)
    Coefficient(value=Fraction(2, 1), power=Fraction(-1, 2))
    """

    value: Fraction = Fraction(1)
    power: Fraction = Fraction(0)

    def __hash__(self) -> int:
        return hash((self.value.numerator, self.value.denominator, self.power.numerator, self.power.denominator))

    def __pow__(self, exponent: int | float | Fraction) -> Coefficient:
        power = exact(exponent)
        if self.value != 1 and power.denominator != 1:
            raise ExpressionError(f"{self} to the power {exponent}: only powers of n may be fractional")
        return Coefficient(Fraction(self.value ** int(power) if self.value != 1 else 1), self.power * power)

    def __mul__(self, other: object) -> Coefficient:
        if other is ONE:
            return self
        if isinstance(other, Coefficient):
            return other if self is ONE else Coefficient(self.value * other.value, self.power + other.power)
        if isinstance(other, int | float | Fraction):
            return Coefficient(self.value * exact(other), self.power)
        return NotImplemented

    __rmul__ = __mul__

    def __truediv__(self, other: object) -> Coefficient:
        if isinstance(other, Coefficient):
            return Coefficient(self.value / other.value, self.power - other.power)
        if isinstance(other, int | float | Fraction):
            return Coefficient(self.value / exact(other), self.power)
        return NotImplemented

    def __rtruediv__(self, other: object) -> Coefficient:
        return Coefficient(exact(other)) / self if isinstance(other, int | float | Fraction) else NotImplemented

    def at(self, n: int) -> float:
        """The number at width n."""
        return float(self.value) * math.pow(n, float(self.power))

    def __str__(self) -> str:
        if self.power == 0:
            return str(self.value)
        power = f"n^{self.power}" if self.power.denominator == 1 and self.power >= 0 else f"n^({self.power})"
        return power if self.value == 1 else f"{self.value}*{power}"


ONE = Coefficient()

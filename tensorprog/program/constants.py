"""Named constants: numbers that limits keep as symbols, such as σ_w, σ_b or a learning rate.

They belong to no trace: one is made once and used in any architecture.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import prod
from numbers import Real
from typing import ClassVar

from tensorprog.errors import ExpressionError, ProgramError
from tensorprog.exponents import exact
from tensorprog.program.checks import check_leaf
from tensorprog.program.instructions import Constant
from tensorprog.program.types import ONE, Coefficient


@dataclass(frozen=True, slots=True)
class NamedConstant:
    """`factor` times scalar constants that have names; `tp.symbol` makes one of them.

    Products of symbols, with numbers and with powers of n stay outside a trace; all else is arithmetic with traced
    values.
    """

    symbols: tuple[Constant, ...]
    factor: Coefficient = ONE

    __array_ufunc__: ClassVar[None] = None  # numpy scalars defer to the operators below

    @property
    def value(self) -> Coefficient:
        """The number, powers of n included."""
        return prod((node.coefficient for node in self.symbols), start=self.factor)

    def __mul__(self, other: object) -> NamedConstant:
        if isinstance(other, NamedConstant):
            return NamedConstant(_sorted(self.symbols + other.symbols), self.factor * other.factor)
        if isinstance(other, Real | Coefficient):
            return NamedConstant(self.symbols, self.factor * _coefficient(other))
        return NotImplemented

    __rmul__ = __mul__

    def __truediv__(self, other: object) -> NamedConstant:
        if not isinstance(other, Real | Coefficient):
            return NotImplemented
        if not _coefficient(other).value:
            raise ExpressionError(f"the symbol {str(self)!r} is divided by zero; give a divisor other than 0")
        return NamedConstant(self.symbols, self.factor / _coefficient(other))

    def __pow__(self, exponent: object) -> NamedConstant:
        if not isinstance(exponent, int) or exponent < 1:
            return NotImplemented
        return NamedConstant(_sorted(self.symbols * exponent), self.factor**exponent)

    def __neg__(self) -> NamedConstant:
        return self * -1

    def __str__(self) -> str:
        names = "*".join(str(node.name) for node in self.symbols)
        return names if self.factor == ONE else f"{self.factor}*{names}"


def symbol(name: str, value: int | float | Fraction | Coefficient) -> NamedConstant:
    """A number with a name: `std=tp.symbol("sigma_w", 1.5)`, or in arithmetic with traced values.

    Every reading uses the value, exact, a power of n included, as in `tp.symbol("eta", 2 / tp.n)`; a limit keeps the
    symbol in its equations, without its power of n.

    Raises ProgramError for a value that is 0, and for a name that is no identifier or that equations use otherwise
    (n, t, E, limit, z0, e_0, L_0, K_…).
    """
    if not isinstance(name, str):
        raise ProgramError(f"{name!r} is no name for a symbol; use letters, digits and _, as in 'sigma_w'")
    node = Constant(_coefficient(value), name=name)
    check_leaf(name, node, {})
    return NamedConstant((node,))


def _sorted(symbols: tuple[Constant, ...]) -> tuple[Constant, ...]:
    return tuple(sorted(symbols, key=lambda node: str(node.name)))


def _coefficient(value: object) -> Coefficient:
    return value if isinstance(value, Coefficient) else Coefficient(exact(value))

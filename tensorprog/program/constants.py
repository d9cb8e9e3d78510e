"""Named constants: numbers that limits keep as symbols, such as σ_w, σ_b or a learning rate.

They belong to no trace: one is made once and used in any architecture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from numbers import Real
from typing import ClassVar

from tensorprog.errors import ExpressionError, ProgramError
from tensorprog.exponents import exact
from tensorprog.program.checks import check_leaf
from tensorprog.program.instructions import Constant
from tensorprog.program.types import ONE, Coefficient


@dataclass(frozen=True, slots=True)
class NamedConstant:
    """`factor` times the constant `name`, whose value is `coefficient`; `tp.symbol` makes one.

    A product with a number or a power of n changes the factor; all else is arithmetic with traced values.
    """

    name: str
    coefficient: Coefficient
    factor: Coefficient = ONE

    __array_ufunc__: ClassVar[None] = None  # numpy scalars defer to the operators below

    def __mul__(self, other: object) -> NamedConstant:
        if isinstance(other, Real | Coefficient):
            return replace(self, factor=self.factor * _coefficient(other))
        return NotImplemented

    __rmul__ = __mul__

    def __truediv__(self, other: object) -> NamedConstant:
        if not isinstance(other, Real | Coefficient):
            return NotImplemented
        if not _coefficient(other).value:
            raise ExpressionError(f"the symbol {self.name!r} is divided by zero; give a divisor other than 0")
        return replace(self, factor=self.factor / _coefficient(other))

    def __neg__(self) -> NamedConstant:
        return self * -1

    def __str__(self) -> str:
        return self.name if self.factor == ONE else f"{self.factor}*{self.name}"


def symbol(name: str, value: int | float | Fraction | Coefficient) -> NamedConstant:
    """A number with a name: `std=tp.symbol("sigma_w", 1.5)`, or in arithmetic with traced values.

    Every reading uses the value, exact, a power of n included, as in `tp.symbol("eta", 2 / tp.n)`; a limit keeps the
    symbol in its equations, without its power of n.

    Raises ProgramError for a value that is 0, and for a name that is no identifier or that equations use otherwise
    (n, t, E, limit, z0, e_0, L_0, K_…).
    """
    if not isinstance(name, str):
        raise ProgramError(f"{name!r} is no name for a symbol; use letters, digits and _, as in 'sigma_w'")
    coefficient = _coefficient(value)
    check_leaf(name, Constant(coefficient, name=name), {})
    return NamedConstant(name, coefficient)


def _coefficient(value: object) -> Coefficient:
    return value if isinstance(value, Coefficient) else Coefficient(exact(value))

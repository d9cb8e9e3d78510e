"""What every nonlinearity can be asked: its partial derivatives, their zeros, growth and parity.

A `Function` is a coordinatewise ψ(z₁, …, z_k) together with all of its partial derivatives; a derivative is named by
a multi-index, one entry an argument. Functions are immutable, and equal when their canonical texts are.

A function is smooth but at its kinks. Derivatives are those almost everywhere; what sits on a kink is told by `jumps`:
as a distribution, the derivative of ψ^{(k)} is ψ^{(k+1)} and a point mass of the size of each jump of ψ^{(k)}.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from math import inf
from typing import Any, final

import numpy as np
import numpy.typing as npt
import sympy

from tensorprog.errors import ExpressionError

Array = npt.NDArray[Any]
Order = tuple[int, ...]
Degree = Fraction | None
Line = tuple[tuple[Fraction, ...], Fraction]
"""A kink at c · z = b, as (c, b)."""
Interval = tuple[float, float]
"""Low and high end, both included; infinite where there is none."""
ANYTHING: Interval = (-inf, inf)
BOUNDED = Fraction(0)
LINEAR = Fraction(1)


class Function(ABC):
    """A coordinatewise function with its partial derivatives. Hashable; equal to a function of the same `spec`."""

    smoothness: int | None = None
    """How many derivatives D + d may be taken in all: one more than the lowest order of a derivative that jumps.

    2 for relu, 1 for a sign, whose gradient is zero almost everywhere; None is infinitely many.
    """

    kinks: tuple[Fraction, ...] = ()
    """Where ψ or one of its derivatives jumps, for one argument, rising; for several arguments see `lines`."""

    factorial_growth: bool | None = None
    """Whether |∂^k ψ| ≤ C (k+1)! locally uniformly in z, the growth condition of weak correlations; None is unknown."""

    exponential: bool = False
    """Whether |∂^k ψ| ≤ C exp(C Σ_i |z_i|) for every k, with a C that may depend on k: the sum over all arguments."""

    regular: bool = True
    """Whether ψ and its derivatives are bounded on every bounded set; not so for 1/z, √z, log z."""

    @property
    def homogeneity(self) -> Fraction | None:
        """p with ψ(c z) = c^p ψ(z) for all c > 0; None where there is none, or none is known."""
        return None

    @property
    @abstractmethod
    def spec(self) -> str:
        """Canonical text that `parse_function` reads back."""

    @property
    @abstractmethod
    def arity(self) -> int:
        """Number of arguments."""

    curved: bool = False
    """Whether it has kinks elsewhere than `lines` tells."""

    @property
    def lines(self) -> tuple[Line, ...]:
        """Kinks as lines (c, b) of the arguments, c · z = b; none for a smooth function."""
        return tuple(((Fraction(1),), kink) for kink in self.kinks)

    def jumps(self, order: int) -> tuple[tuple[Fraction, Fraction], ...]:
        """(kink, ψ^{(order)}(kink + 0) - ψ^{(order)}(kink - 0)) for one argument, wherever that is not 0.

        Exact where it is rational, otherwise the nearest double. Raises ExpressionError for a kinked function of
        several arguments, whose jumps are no numbers.
        """
        if self.smoothness is None:
            return ()
        raise ExpressionError(f"the jumps of {self.spec} across its kinks are not known as numbers")

    def exponential_in(self, moving: Sequence[bool]) -> bool:
        """Whether it is `exponential` in the arguments that move, together, locally uniformly in the others."""
        return self.exponential

    def regular_on(self, domain: Sequence[Interval]) -> bool:
        """Whether it is `regular` where each argument stays in its interval."""
        return self.regular

    @abstractmethod
    def is_zero(self, order: Order) -> bool:
        """Whether the derivative vanishes identically (almost everywhere, for a kinked function)."""

    @abstractmethod
    def constant(self, order: Order) -> Fraction | None:
        """The value of a derivative that is a rational constant, else None."""

    @abstractmethod
    def degrees(self, order: Order) -> tuple[Degree, ...]:
        """Growth τ_i of the derivative in each argument: |∂ψ| ≤ C Π_i (1 + |z_i|)^{τ_i}.

        None marks an argument in which no power bounds it: it grows faster, or is singular.
        """

    def degrees_on(self, order: Order, domain: Sequence[Interval]) -> tuple[Degree, ...]:
        """`degrees` where each argument stays in its interval."""
        return self.degrees(order)

    @abstractmethod
    def parity(self, order: Order, argument: int) -> int | None:
        """+1 when the derivative is even in this argument, -1 when odd, None when neither (or not known)."""

    @abstractmethod
    def sympy(self, *symbols: sympy.Symbol) -> sympy.Expr:
        """ψ at these symbols, by default at z, or z0, z1, … for several arguments."""

    def rounding(self, order: Order, *args: Array) -> Array:
        """What `evaluate` may be off by beside the rounding of its result, as where terms cancel: 0 if it knows better.

        Arguments are arrays of one floating dtype and shape.
        """
        return np.zeros_like(args[0])

    @abstractmethod
    def _derivative(self, order: Order, *args: Array) -> Array:
        """The derivative at arrays of one floating dtype; `evaluate` checks, broadcasts and casts."""

    @final
    def evaluate(self, order: Order, *args: npt.ArrayLike) -> Array:
        """The partial derivative of this order, coordinate by coordinate; arguments broadcast.

        float32 and float64 are kept, anything else is computed in float64.

        Raises ExpressionError when the order or the number of arguments does not fit.
        """
        self._check_order(order)
        self._check_arity(args)
        arrays = [np.asarray(arg) for arg in args]
        strict = [x if type(x) in (int, float) else a for x, a in zip(args, arrays, strict=True)]
        dtype = np.result_type(*strict)  # Python's numbers take the dtype of the arrays beside them
        if dtype.kind not in "biuf":
            raise ExpressionError(f"{self.spec} takes real numbers, not an array of dtype {dtype}")
        if dtype not in (np.float32, np.float64):
            dtype = np.dtype(np.float64)
        shape = np.broadcast_shapes(*(a.shape for a in arrays))
        with np.errstate(under="ignore"):  # a tail below the smallest float is 0
            value = self._derivative(order, *(a.astype(dtype, copy=False) for a in arrays))
            value = np.asarray(value).astype(dtype, copy=False)
        if value.shape == shape:
            return value
        return np.broadcast_to(value, shape).copy()

    def __call__(self, *args: Any) -> Any:
        """ψ at numpy arrays, or recorded when an argument is traced (it has a method `apply_function`)."""
        self._check_arity(args)
        for arg in args:
            record = getattr(arg, "apply_function", None)
            if record is not None:
                return record(self, args)
        return self.evaluate((0,) * self.arity, *args)

    def __eq__(self, other: object) -> bool:
        return self.spec == other.spec if isinstance(other, Function) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.spec)

    def __repr__(self) -> str:
        return self.spec

    def _check_arity(self, args: Sequence[object]) -> None:
        if len(args) != self.arity:
            raise ExpressionError(f"{self.spec} takes {self.arity} argument(s), {len(args)} were given")

    def _check_order(self, order: Order) -> None:
        if len(order) != self.arity or any(k < 0 for k in order):
            raise ExpressionError(
                f"{order} is no order of differentiation of {self.spec}; give {self.arity} nonnegative integer(s)"
            )


class Univariate(Function):
    """A function of one argument; subclasses speak of its k-th derivative."""

    symmetry: int | None = None
    """+1 for an even ψ, -1 for an odd one."""

    @property
    def arity(self) -> int:
        return 1

    @abstractmethod
    def derivative(self, k: int, z: Array) -> Array:
        """ψ^{(k)}(z)."""

    @abstractmethod
    def growth(self, k: int) -> Degree:
        """Polynomial degree of ψ^{(k)}, None when there is none."""

    @abstractmethod
    def formula(self, z: sympy.Symbol) -> sympy.Expr:
        """ψ(z)."""

    def symmetry_of(self, k: int) -> int | None:
        """Parity of ψ^{(k)}."""
        return None if self.symmetry is None else self.symmetry * (-1) ** k

    def constant_of(self, k: int) -> Fraction | None:
        """The value of ψ^{(k)} where it is a rational constant."""
        return None

    def is_zero(self, order: Order) -> bool:
        self._check_order(order)
        return self.constant_of(order[0]) == 0

    def constant(self, order: Order) -> Fraction | None:
        self._check_order(order)
        return self.constant_of(order[0])

    def degrees(self, order: Order) -> tuple[Degree, ...]:
        self._check_order(order)
        return (self.growth(order[0]),)

    def parity(self, order: Order, argument: int) -> int | None:
        self._check_order(order)
        if argument != 0:
            raise ExpressionError(f"{self.spec} has one argument, number 0; argument {argument} was asked for")
        return self.symmetry_of(order[0])

    def sympy(self, *symbols: sympy.Symbol) -> sympy.Expr:
        if not symbols:
            symbols = (sympy.Symbol("z", real=True),)
        self._check_arity(symbols)
        return self.formula(symbols[0])

    def _derivative(self, order: Order, *args: Array) -> Array:
        return self.derivative(order[0], args[0])


def written(head: str, numbers: Sequence[Fraction]) -> str:
    """The canonical text of a function with rational options, as in "polynomial(0, 1, 1/2)"."""
    return f"{head}({', '.join(map(str, numbers))})"


def rational(number: Fraction) -> sympy.Rational:
    """The same number, for sympy."""
    return sympy.Rational(number.numerator, number.denominator)


def horner(coefficients: Sequence[Fraction], z: Array) -> Array:
    """Σ_j c_j z^j, lowest coefficient first, in the dtype of z."""
    if not coefficients:
        return np.zeros_like(z)
    last, *rest = [z.dtype.type(c) for c in _floats(tuple(coefficients))]
    total = np.full_like(z, last)
    for c in rest:
        total *= z
        total += c
    return total


@lru_cache(1024)
def _floats(coefficients: tuple[Fraction, ...]) -> tuple[float, ...]:
    """Highest first."""
    return tuple(float(c) for c in reversed(coefficients))


def differentiated(coefficients: Sequence[Fraction], times: int = 1) -> tuple[Fraction, ...]:
    """Coefficients of a derivative of Σ_j c_j z^j, without trailing zeros."""
    result = list(coefficients)
    for _ in range(times):
        result = [j * c for j, c in enumerate(result)][1:]
        if not result:
            break
    while result and result[-1] == 0:
        result.pop()
    return tuple(result)

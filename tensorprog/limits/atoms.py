"""Functions as sums of atoms c z^n e^{a·z} Π e^{-z_j²/s} Π erf(z_j/√s), whose Gaussian averages are known.

erf, GELU, sine, cosine, exponential, polynomials and what is built of them are such sums, and so are all of their
derivatives. erf(z/√s) is a smoothed sign, the sign itself for s = 0: leaky relu is a sum of atoms too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import sympy

from tensorprog.functions import Function
from tensorprog.functions.analysis import MAX_TERMS, terms
from tensorprog.functions.base import Order
from tensorprog.functions.kinked import LeakyRelu
from tensorprog.limits.masses import Middle

Widths = tuple[tuple[int, float], ...]
"""Pairs (argument j, s)."""

LARGEST_LOGARITHM = 30.0  # of a constant factor that goes into a coefficient
HYPERBOLIC = (sympy.sin, sympy.cos, sympy.sinh, sympy.cosh)


class _NotAtomic(Exception):
    """The function is no finite sum of atoms."""


@dataclass(frozen=True)
class Atom:
    """coefficient · e^{shift} · Π_j z_j^{powers_j} · e^{exponent · z} · Π_bells e^{-z_j²/s} · Π_steps erf(z_j/√s).

    The shift holds what the coefficient has no range for, as in e^{-400(z-1)²}; it is 0 for most.
    """

    coefficient: complex
    powers: tuple[int, ...]
    exponent: tuple[complex, ...]
    bells: Widths = ()
    steps: Widths = ()
    shift: float = 0.0

    def __mul__(self, other: Atom) -> Atom:
        return Atom(
            self.coefficient * other.coefficient,
            tuple(m + n for m, n in zip(self.powers, other.powers, strict=True)),
            tuple(a + b for a, b in zip(self.exponent, other.exponent, strict=True)),
            tuple(sorted(self.bells + other.bells)),
            tuple(sorted(self.steps + other.steps)),
            self.shift + other.shift,
        )

    @property
    def unit(self) -> Atom:
        """The same with coefficient 1."""
        return replace(self, coefficient=1)

    def placed(self, arguments: tuple[int, ...], size: int) -> Atom:
        """The same atom as a function of `size` coordinates; argument j is the coordinate arguments[j]."""
        powers, exponent = [0] * size, [0j] * size
        for i, n, a in zip(arguments, self.powers, self.exponent, strict=True):
            powers[i] += n
            exponent[i] += a
        bells, steps = (tuple(sorted((arguments[j], s) for j, s in w)) for w in (self.bells, self.steps))
        return Atom(self.coefficient, tuple(powers), tuple(exponent), bells, steps, self.shift)


def constant_atom(value: complex, size: int) -> Atom:
    return Atom(value, (0,) * size, (0j,) * size)


@lru_cache(maxsize=1024)
def atoms(function: Function, order: Order) -> tuple[Atom, ...] | None:
    """The derivative as a sum of atoms, or None where it is none."""
    constant = function.constant(order)
    if constant is not None:
        return (constant_atom(complex(constant), function.arity),)
    if isinstance(function, Middle):
        return atoms(function.function, order)
    if isinstance(function, LeakyRelu):
        return _leaky(function, order[0])
    symbols = tuple(sympy.Symbol(f"z{i}", real=True) for i in range(function.arity))
    tree = function.sympy(*symbols)
    try:
        list(_Reader(symbols).sum(tree))
        for symbol, k in zip(symbols, order, strict=True):
            for _ in range(k):
                tree = sympy.expand(sympy.diff(tree, symbol))
        return tuple(_Reader(symbols).sum(tree))
    except _NotAtomic:
        return None


def _leaky(function: LeakyRelu, k: int) -> tuple[Atom, ...]:
    """With slope a: (1+a)/2 z + (1-a)/2 z sign(z) and its first derivative, almost everywhere."""
    even, odd = float((1 - function.slope) / 2), float((1 + function.slope) / 2)
    powers = (1 - k,)
    return Atom(odd, powers, (0j,)), Atom(even, powers, (0j,), steps=((0, 0.0),))


class _Reader:
    """Reads trees over these symbols."""

    def __init__(self, symbols: tuple[sympy.Symbol, ...]) -> None:
        self.symbols = symbols

    def sum(self, tree: sympy.Expr) -> Iterator[Atom]:
        if terms(tree) > MAX_TERMS:
            raise _NotAtomic
        for term in sympy.Add.make_args(sympy.expand(tree)):
            yield from self.product(term)

    def product(self, term: sympy.Expr) -> list[Atom]:
        result = [constant_atom(1, len(self.symbols))]
        for factor in sympy.Mul.make_args(term):
            read = self.factor(factor)
            result = [a * b for a in result for b in read]
        return result

    def factor(self, factor: sympy.Expr) -> list[Atom]:
        size = len(self.symbols)
        if isinstance(factor, sympy.exp):
            return [self.exponential(factor.args[0])]
        if not factor.free_symbols:
            return [constant_atom(complex(factor.evalf(25)), size)]
        if factor in self.symbols:
            i = self.symbols.index(factor)
            return [Atom(1, tuple(int(j == i) for j in range(size)), (0j,) * size)]
        if isinstance(factor, HYPERBOLIC):
            return list(self.sum(factor.rewrite(sympy.exp)))
        if isinstance(factor, sympy.erf):
            return [self.step(factor.args[0])]
        if factor.is_Pow and factor.exp.is_Integer and factor.exp > 0:
            return self.product(sympy.Mul(*[factor.base] * int(factor.exp), evaluate=False))
        raise _NotAtomic

    def exponential(self, argument: sympy.Expr) -> Atom:
        """e^u with u a constant, a linear form and falling squares."""
        size = len(self.symbols)
        result = constant_atom(1, size)
        for term in sympy.Add.make_args(sympy.expand(argument)):
            free = term.free_symbols
            coefficient, power = term.as_coeff_exponent(*free) if len(free) == 1 else (term, 0)
            if coefficient.free_symbols or power not in (0, 1, 2):
                raise _NotAtomic
            i = self.symbols.index(free.pop()) if free else -1
            if power == 2:
                if not coefficient.is_negative:
                    raise _NotAtomic
                result *= Atom(1, (0,) * size, (0j,) * size, bells=((i, float(-1 / coefficient)),))
            elif power == 1:
                slope = complex(coefficient.evalf(25))
                result *= Atom(1, (0,) * size, tuple(slope * (j == i) for j in range(size)))
            elif abs(constant := float(term.evalf(25))) > LARGEST_LOGARITHM:
                result *= replace(constant_atom(1, size), shift=constant)
            else:
                result *= constant_atom(complex(sympy.exp(term).evalf(25)), size)
        return result

    def step(self, argument: sympy.Expr) -> Atom:
        """erf(c z_j)."""
        size = len(self.symbols)
        free = argument.free_symbols
        slope = sympy.expand(argument / next(iter(free)))
        if len(free) != 1 or slope.free_symbols:
            raise _NotAtomic
        sign = 1 if slope.is_positive else -1
        steps = ((self.symbols.index(free.pop()), float(slope**-2)),)
        return Atom(sign, (0,) * size, (0j,) * size, steps=steps)

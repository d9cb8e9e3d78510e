"""Limit variables as polynomials in centred Gaussians and atoms.

A Gaussian is a Ẑ of a product or a vector of parameters; an *atom* is a derivative of a nonlinearity at arguments that
are such polynomials again.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import inf

from tensorprog.errors import ProgramError
from tensorprog.functions import Function
from tensorprog.limits.masses import PointMass, Weak
from tensorprog.limits.scalars import Equations, Number, Rational, Value
from tensorprog.readings.patience import now

Monomial = tuple[tuple[int, ...], tuple[int, ...]]
"""Gaussians and atoms, sorted, repeats for powers."""

Poly = dict[Monomial, int]
"""Coefficients, nodes of the equations; an exact zero is {}."""

ONE: Monomial = ((), ())


@dataclass(frozen=True, slots=True)
class VectorArgument:
    """An argument with coordinates: the number of an interned polynomial."""

    poly: int


@dataclass(frozen=True, slots=True)
class ScalarArgument:
    """An argument that is the same for all coordinates."""

    value: Value


Argument = VectorArgument | ScalarArgument


@dataclass(frozen=True, slots=True)
class Atom:
    """The derivative of this order of a nonlinearity at these arguments."""

    function: Function
    order: tuple[int, ...]
    args: tuple[Argument, ...]


class UndecidedLimit(ProgramError):
    """A limit that the calculus cannot take, with the node and the reason."""


def in_time(deadline: float) -> None:
    """Raise UndecidedLimit when it is past."""
    if deadline < inf and now() > deadline:
        raise UndecidedLimit("it takes longer than the patience allowed")


MOST = 2**18  # monomials of one polynomial
FEW = 64  # that are looked at without a look at the time


class Variables:
    """The polynomials and atoms of one program; equal ones have one number."""

    def __init__(self, equations: Equations, deadline: float = inf) -> None:
        self.equations, self._deadline = equations, deadline
        self.atoms: list[Atom] = []
        self.polys: list[Poly] = []
        self.inner: list[tuple[int, ...]] = []
        """Of each atom, the atoms that stand in its arguments; they are older."""
        self.masses: set[int] = set()
        """The atoms that are point masses."""
        self.families: list[Hashable] = []
        """Of each Gaussian: those of different families are independent, but for None, which may depend on all."""
        self.read: set[Hashable] = set()
        """The families inside atoms."""
        self._affine: dict[int, dict[Hashable, list[tuple[int, int]]]] = {}
        self._atom_index: dict[Atom, int] = {}
        self._poly_index: dict[tuple[tuple[Monomial, int], ...], int] = {}
        self._coordinates: dict[int, frozenset[int]] = {}

    def intern(self, poly: Poly) -> int:
        """The number of a polynomial; equal ones have one."""
        key = tuple(sorted(poly.items()))
        found = self._poly_index.get(key)
        if found is None:
            found = self._poly_index[key] = len(self.polys)
            self.polys.append(poly)
        return found

    def apply(self, function: Function, order: tuple[int, ...], args: tuple[Argument, ...]) -> Poly:
        """A nonlinearity of limit variables, as a polynomial of one atom."""
        if isinstance(function, Weak):
            return self._weak(function.function, function.base, order[0], args[0])
        if function.is_zero(order):
            return {}
        constant = function.constant(order)
        if constant is not None:
            return self.constant(self.equations.number(constant))
        plain = tuple(self.simplified(arg) for arg in args)
        scalars = [arg.value for arg in plain if isinstance(arg, ScalarArgument)]
        if len(scalars) == len(plain):
            return self.constant(self.equations.apply(function, order, tuple(scalars)))
        return self.new_atom(Atom(function, order, plain))

    def _weak(self, function: Function, base: int, order: int, arg: Argument) -> Poly:
        """The weak derivative of this order of ψ^{(base)}: Dᵏ = ψ^{(base+k)} + Σ_j [ψ^{(base+j)}] δ^{(k-1-j)}."""
        terms: list[tuple[Value, Poly]] = [(self.equations.one, self.apply(function, (base + order,), (arg,)))]
        for j in range(order):
            for at, jump in function.jumps(base + j):
                mass = self._mass(PointMass(at), order - 1 - j, self.simplified(arg))
                terms.append((self.equations.number(jump), mass))
        return self.combined(terms)

    def _mass(self, mass: PointMass, order: int, arg: Argument) -> Poly:
        if isinstance(arg, VectorArgument):
            return self.new_atom(Atom(mass, (order,), (arg,)))
        if self.number_of(arg.value) == mass.at:
            raise UndecidedLimit(f"a function is differentiated at {mass.at}, where it jumps")
        return {}

    def number_of(self, value: Value) -> Fraction | None:
        """A scalar that is a number; None where it is not known as one."""
        node = None if value is None else self.equations.nodes[value]
        return Fraction(0) if value is None else Fraction(node.value) if isinstance(node, Number) else None

    def new_atom(self, atom: Atom) -> Poly:
        number = self._atom_index.setdefault(atom, len(self.atoms))
        if number == len(self.atoms):
            self.atoms.append(atom)
            if isinstance(atom.function, PointMass):
                self.masses.add(number)
            polys = [self.polys[arg.poly] for arg in atom.args if isinstance(arg, VectorArgument)]
            self.inner.append(tuple({x: None for poly in polys for _, xs in poly for x in xs}))
            self.read.update(self.families[g] for poly in polys for gs, _ in poly for g in gs)
        return {((), (number,)): self.equations.one}

    def simplified(self, arg: Argument) -> Argument:
        if isinstance(arg, VectorArgument):
            poly = self.polys[arg.poly]
            if not set(poly) - {ONE}:
                return ScalarArgument(poly.get(ONE))
        return arg

    # -- polynomials

    def constant(self, value: Value) -> Poly:
        return {} if value is None else {ONE: value}

    def variable(self, gaussian: int) -> Poly:
        return {((gaussian,), ()): self.equations.one}

    def combined(self, terms: list[tuple[Value, Poly]]) -> Poly:
        """Σ scalar · polynomial."""
        found: dict[Monomial, list[tuple[Rational, Value]]] = {}
        for scale, poly in terms:
            if scale is not None:
                for monomial, c in poly.items():
                    found.setdefault(monomial, []).append((1, self.equations.multiply(scale, c)))
        sums = {monomial: self.equations.add(parts) for monomial, parts in found.items()}
        return {monomial: c for monomial, c in sums.items() if c is not None}

    def product(self, one: Poly, other: Poly) -> Poly:
        found: dict[Monomial, list[tuple[Rational, Value]]] = {}
        for (gs, xs), c in one.items():
            if len(found) > FEW:
                in_time(self._deadline)
            for (hs, ys), e in other.items():
                monomial = (tuple(sorted(gs + hs)), tuple(sorted(xs + ys)))
                found.setdefault(monomial, []).append((1, self.equations.multiply(c, e)))
            if len(found) > MOST:
                raise UndecidedLimit(f"a limit variable has more than {MOST} terms")
        sums = {monomial: self.equations.add(parts) for monomial, parts in found.items()}
        return {monomial: c for monomial, c in sums.items() if c is not None}

    def affine(self, poly: Poly) -> bool:
        """Whether a polynomial is a Gaussian plus a constant."""
        return all(not xs and len(gs) <= 1 for gs, xs in poly)

    def parts(self, number: int) -> dict[Hashable, list[tuple[int, int]]] | None:
        """The Gaussians of an affine polynomial and their coefficients, by families; None for any other."""
        if number not in self._affine and self.affine(self.polys[number]):
            found = self._affine[number] = {}
            for (gs, _), c in self.polys[number].items():
                if gs:
                    found.setdefault(self.families[gs[0]], []).append((gs[0], c))
        return self._affine.get(number)

    def related(self, number: int, family: Hashable) -> list[tuple[int, int]]:
        """The parts of an affine polynomial that may depend on a Gaussian of this family."""
        parts = self.parts(number) or {}
        if family is None:
            return [part for some in parts.values() for part in some]
        return [*parts.get(family, ()), *parts.get(None, ())]

    # -- what atoms are made of

    def inside(self, atoms: Iterable[int]) -> list[int]:
        """These atoms and all that stand in their arguments, each after those in its own."""
        found: set[int] = set()
        left = list(atoms)
        while left:
            here = left.pop()
            if here not in found:
                found.add(here)
                left += self.inner[here]
        return sorted(found)

    def coordinates(self, atoms: Iterable[int]) -> frozenset[int]:
        """The affine polynomials that atoms are functions of."""
        wanted = list(atoms)
        for number in self.inside(wanted):
            if number not in self._coordinates:
                found: set[int] = set()
                for poly in self._arguments(number):
                    if self.affine(self.polys[poly]):
                        found.add(poly)
                    else:
                        found |= {self.intern(self.variable(g)) for gs, _ in self.polys[poly] for g in gs}
                self._coordinates[number] = frozenset(found).union(*(self._coordinates[x] for x in self.inner[number]))
        return frozenset().union(*(self._coordinates[number] for number in wanted))

    def _arguments(self, atom: int) -> list[int]:
        return [arg.poly for arg in self.atoms[atom].args if isinstance(arg, VectorArgument)]

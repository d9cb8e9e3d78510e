"""Limit variables as polynomials in centred Gaussians and atoms, and their derivatives.

A Gaussian is a Ẑ of a product or a vector of parameters; an *atom* is a derivative of a nonlinearity at arguments that
are such polynomials again. Where a function or its derivative jumps, the next derivative is the weak one: a point mass
for each jump, beside the derivative almost everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import inf

from tensorprog.errors import ProgramError
from tensorprog.functions import Function
from tensorprog.limits.masses import PointMass, Weak, jumping, middle, vanishes_at
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

    def _raised(self, atom: Atom, i: int) -> Poly:
        """The weak derivative by argument i."""
        order = tuple(k + (i == j) for j, k in enumerate(atom.order))
        if isinstance(atom.function, PointMass):
            return self.new_atom(Atom(atom.function, order, atom.args))
        places = jumping(atom.function, atom.order)
        if places is None:
            reason = f"the derivative of order {sum(order)} of {atom.function.spec} has a point mass that is not known"
            return self.new_atom(Atom(PointMass(None, reason), (0,) * len(order), atom.args))
        if places:
            return self._weak(atom.function, atom.order[0], 1, atom.args[0])
        return self.apply(atom.function, order, atom.args)

    def new_atom(self, atom: Atom) -> Poly:
        number = self._atom_index.setdefault(atom, len(self.atoms))
        if number == len(self.atoms):
            self.atoms.append(atom)
            if isinstance(atom.function, PointMass):
                self.masses.add(number)
            polys = [self.polys[arg.poly] for arg in atom.args if isinstance(arg, VectorArgument)]
            self.inner.append(tuple({x: None for poly in polys for _, xs in poly for x in xs}))
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
            for (hs, ys), e in other.items():
                monomial = (tuple(sorted(gs + hs)), tuple(sorted(xs + ys)))
                found.setdefault(monomial, []).append((1, self.equations.multiply(c, e)))
        if len(found) > MOST:
            raise UndecidedLimit(f"a limit variable has {len(found)} terms, more than {MOST}")
        sums = {monomial: self.equations.add(parts) for monomial, parts in found.items()}
        return {monomial: c for monomial, c in sums.items() if c is not None}

    def met(self, atoms: tuple[int, ...]) -> tuple[Value, tuple[int, ...]]:
        """Atoms with a point mass among them: f(p) δ(p - a) is f(a) δ(p - a), with the mean where f jumps at a.

        The atoms are all that the mass is multiplied with: of three functions that jump at a, f g δ is not f̄ ḡ δ.
        """
        scale: Value = self.equations.one
        for number in [x for x in atoms if x in self.masses]:
            atom, others = self.atoms[number], list(atoms)
            others.remove(number)
            here = [x for x in others if self.atoms[x].args == atom.args]
            if not isinstance(atom.function, PointMass) or atom.function.at is None or not here:
                continue
            mass, at, k = atom.function, atom.function.at, sum(atom.order)
            masses = [f.at for x in here if isinstance(f := self.atoms[x].function, PointMass)]
            if any(other not in (at, None) for other in masses):
                return None, ()
            jumps = [x for x in here if x not in self.masses and self._jumps(self.atoms[x], at)]
            if masses or len(jumps) > 1 or (k and jumps):
                what = ", ".join(self.atoms[x].function.spec for x in jumps) or "another"
                moved = self.new_atom(Atom(PointMass(None, f"a point mass meets {what} at {at}"), (0,), atom.args))
                ((_, (unknown,)),) = moved
                return scale, tuple(sorted((*others, unknown)))
            if k == 0:
                scale = self.equations.multiply(scale, *(self._at(self.atoms[x], mass, x in jumps) for x in here))
                if scale is None:
                    return None, ()
                atoms = tuple(x for x in atoms if x not in here)
        return scale, atoms

    def _jumps(self, atom: Atom, at: Fraction) -> bool:
        places = jumping(atom.function, atom.order)
        return places is None or at in places

    def _at(self, atom: Atom, mass: PointMass, jumps: bool) -> Value:
        """A function of one argument where a point mass is."""
        at = mass.at or Fraction(0)
        if jumps:
            return self.equations.number(middle(atom.function, atom.order, at))
        if vanishes_at(atom.function, atom.order, at):
            return None
        return self.equations.apply(atom.function, atom.order, (self.equations.number(at),))

    def affine(self, poly: Poly) -> bool:
        """Whether a polynomial is a Gaussian plus a constant."""
        return all(not xs and len(gs) <= 1 for gs, xs in poly)

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

    # -- derivatives

    def derivative(self, poly: Poly, gaussian: int) -> Poly:
        """∂/∂g, through the arguments of the nonlinearities too."""
        return self._derivative(poly, lambda h: self.equations.one if h == gaussian else None)

    def _derivative(self, poly: Poly, along: Callable[[int], Value]) -> Poly:
        if self.masses and any(not self.masses.isdisjoint(xs) for _, xs in poly):
            parts = [(c, gs, *self.met(xs)) for (gs, xs), c in poly.items()]
            poly = self.combined([(met, {(gs, xs): c}) for c, gs, met, xs in parts])
        moved: dict[int, Poly] = {}
        for number in self.inside({x for _, xs in poly for x in xs}):
            moved[number] = self._atom_derivative(number, along, moved)
        return self._term_derivatives(poly, along, moved)

    def _term_derivatives(self, poly: Poly, along: Callable[[int], Value], moved: dict[int, Poly]) -> Poly:
        """Of a polynomial, given those of its atoms."""
        terms: list[tuple[Value, Poly]] = []
        for (gs, xs), c in poly.items():
            for i, g in enumerate(gs):
                terms.append((self.equations.multiply(c, along(g)), {(gs[:i] + gs[i + 1 :], xs): self.equations.one}))
            for i, x in enumerate(xs):
                if moved[x]:
                    terms.append((c, self.product({(gs, xs[:i] + xs[i + 1 :]): self.equations.one}, moved[x])))
        return self.combined(terms)

    def _atom_derivative(self, number: int, along: Callable[[int], Value], moved: dict[int, Poly]) -> Poly:
        """Given the derivatives of the atoms in its arguments."""
        atom, terms = self.atoms[number], list[tuple[Value, Poly]]()
        for i, arg in enumerate(atom.args):
            if isinstance(arg, VectorArgument):
                inner = self._term_derivatives(self.polys[arg.poly], along, moved)
                if inner:
                    terms.append((self.equations.one, self.product(inner, self._raised(atom, i))))
        return self.combined(terms)

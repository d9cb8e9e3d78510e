"""Limit variables: polynomials in Gaussians and nonlinearities of them, and their expectations by Stein's lemma.

The coordinates of a vector behave like a random variable Z, a polynomial in centred Gaussians g (the Ẑ of products,
and vector parameters) and in *atoms*, derivatives of nonlinearities at arguments that are such polynomials again.

    E[g M] = Σ_h Cov(g, h) E[∂M/∂h]

removes every Gaussian that enters polynomially. One that an argument which is no Gaussian is a function of, as in
E[g sin(g h)], could come back with every derivative: it becomes one more factor, the identity. What is left are
expectations of products of atoms, which factor over groups of independent arguments. (Yang, arXiv 2009.10685,
section 4; Stein, Ann. Statist. 9, 1981)
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from math import inf

from tensorprog.errors import ProgramError
from tensorprog.functions import Function
from tensorprog.functions.polynomials import identity
from tensorprog.limits.scalars import Equations, Rational, Value
from tensorprog.limits.worklist import Worklist
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
    mass: bool = False
    """Whether a kink was differentiated once more: a point mass, which functions do not know of."""


class UndecidedLimit(ProgramError):
    """A limit that the calculus cannot take, with the node and the reason."""


def in_time(deadline: float) -> None:
    """Raise UndecidedLimit when it is past."""
    if deadline < inf and now() > deadline:
        raise UndecidedLimit("it takes longer than the patience allowed")


class Space:
    """The limit variables of one program, until a deadline in the time of `patience.now`."""

    def __init__(self, equations: Equations, deadline: float = inf) -> None:
        self.equations, self._deadline = equations, deadline
        self.atoms: list[Atom] = []
        self.polys: list[Poly] = []
        self._atom_index: dict[Atom, int] = {}
        self._poly_index: dict[tuple[tuple[Monomial, int], ...], int] = {}
        self.inner: list[tuple[int, ...]] = []
        """Of each atom, the atoms that stand in its arguments; they are older."""
        self.families: list[Hashable] = []
        """Of each Gaussian; those of different families are independent."""
        self._worklist = Worklist()
        self._covariances: list[Callable[[int, int], Value]] = []
        self._coordinates: dict[int, frozenset[int]] = {}
        self._known_covariance: dict[tuple[int, int], Value] = {}
        self._known: dict[Monomial, Value] = {}
        self._contracted: dict[tuple[int, int], Poly] = {}

    # -- variables

    def gaussian(self, covariance: Callable[[int, int], Value], family: Hashable = None) -> int:
        """A new centred Gaussian; covariance(other, itself) gives its covariance with those of its family so far."""
        self._covariances.append(covariance)
        self.families.append(family)
        return len(self._covariances) - 1

    def covariance(self, one: int, other: int) -> Value:
        if self.families[one] != self.families[other]:
            return None
        pair = (one, other) if one <= other else (other, one)
        if pair in self._known_covariance:
            return self._known_covariance[pair]
        return self._worklist.answer(self._known_covariance, pair, self._covariance)

    def _covariance(self, pair: tuple[int, int]) -> Value:
        return self._covariances[pair[1]](*pair)

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
        if function.is_zero(order):
            return {}
        constant = function.constant(order)
        if constant is not None:
            return self.constant(self.equations.number(constant))
        plain = tuple(self._simplified(arg) for arg in args)
        scalars = [arg.value for arg in plain if isinstance(arg, ScalarArgument)]
        if len(scalars) == len(plain):
            return self.constant(self.equations.apply(function, order, tuple(scalars)))
        return self._atom(Atom(function, order, plain))

    def _raised(self, atom: Atom, i: int) -> Poly:
        """The derivative by argument i."""
        order = tuple(k + (i == j) for j, k in enumerate(atom.order))
        if atom.function.smoothness is not None and sum(order) >= atom.function.smoothness:
            return self._atom(Atom(atom.function, order, atom.args, mass=True))
        return self.apply(atom.function, order, atom.args)

    def _atom(self, atom: Atom) -> Poly:
        number = self._atom_index.setdefault(atom, len(self.atoms))
        if number == len(self.atoms):
            self.atoms.append(atom)
            polys = [self.polys[arg.poly] for arg in atom.args if isinstance(arg, VectorArgument)]
            self.inner.append(tuple({x: None for poly in polys for _, xs in poly for x in xs}))
        return {((), (number,)): self.equations.one}

    def _simplified(self, arg: Argument) -> Argument:
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
        sums = {monomial: self.equations.add(parts) for monomial, parts in found.items()}
        return {monomial: c for monomial, c in sums.items() if c is not None}

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

    def contract(self, gaussian: int, poly: int) -> Poly:
        """Σ_h Cov(gaussian, h) ∂/∂h of an interned polynomial."""
        key = (gaussian, poly)
        if key not in self._contracted:
            self._contracted[key] = self._derivative(self.polys[poly], lambda h: self.covariance(gaussian, h))
        return self._contracted[key]

    def derivative(self, poly: Poly, gaussian: int) -> Poly:
        """∂/∂g, through the arguments of the nonlinearities too."""
        return self._derivative(poly, lambda h: self.equations.one if h == gaussian else None)

    def _derivative(self, poly: Poly, along: Callable[[int], Value]) -> Poly:
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

    # -- expectations

    def expectation(self, poly: Poly) -> Value:
        return self.equations.add((1, self.equations.multiply(c, self._monomial(m))) for m, c in poly.items())

    def product_expectation(self, one: Poly, other: Poly) -> Value:
        """E[one · other], without forming the product."""
        terms = []
        for (gs, xs), c in one.items():
            for (hs, ys), e in other.items():
                value = self._monomial((tuple(sorted(gs + hs)), tuple(sorted(xs + ys))))
                if value is not None:
                    terms.append((1, self.equations.multiply(c, e, value)))
        return self.equations.add(terms)

    def _monomial(self, monomial: Monomial) -> Value:
        if monomial in self._known:
            return self._known[monomial]
        return self._worklist.answer(self._known, monomial, self._average)

    def _average(self, monomial: Monomial) -> Value:
        in_time(self._deadline)
        gs, xs = monomial
        return self._stein(gs, xs) if gs else self._atoms(xs)

    def _stein(self, gs: tuple[int, ...], xs: tuple[int, ...]) -> Value:
        """E[g M] for the newest Gaussian, which depends on the others least."""
        first, rest = gs[-1], gs[:-1]
        if any(self._stays(first, x) for x in xs):
            return self.expectation(self.product({(rest, xs): self.equations.one}, self._factor(first)))
        terms: list[tuple[Rational, Value]] = []
        for i, g in enumerate(rest):
            covariance = self.covariance(first, g)
            if covariance is not None:
                inner = self._monomial((rest[:i] + rest[i + 1 :], xs))
                terms.append((1, self.equations.multiply(covariance, inner)))
        for i, x in enumerate(xs):
            atom, left = self.atoms[x], xs[:i] + xs[i + 1 :]
            for j, arg in enumerate(atom.args):
                moved = self.contract(first, arg.poly) if isinstance(arg, VectorArgument) else {}
                if moved:
                    outer = self._raised(atom, j)
                    whole = self.product(self.product(moved, outer), {(rest, left): self.equations.one})
                    terms.append((1, self.expectation(whole)))
        return self.equations.add(terms)

    def _stays(self, gaussian: int, atom: int) -> bool:
        """Whether an argument that is no Gaussian holds this one by itself, or would bring others when derived."""
        for poly in self._arguments(atom):
            if not self.affine(self.polys[poly]):
                read = self._read(poly)
                if self.intern(self.variable(gaussian)) in read:
                    return True
                held = any((gaussian,) == gs for i in read for gs, _ in self.polys[i])
                if held and any(gs for gs, _ in self.contract(gaussian, poly)):
                    return True
        return False

    def _read(self, poly: int) -> set[int]:
        """The affine polynomials that a polynomial is a function of."""
        monomials = self.polys[poly]
        own = {self.intern(self.variable(g)) for gs, _ in monomials for g in gs}
        return own | self.coordinates({x for _, xs in monomials for x in xs})

    def _factor(self, gaussian: int) -> Poly:
        """A Gaussian as an atom, to be integrated over."""
        poly = self.intern(self.variable(gaussian))
        return self._atom(Atom(identity, (0,), (VectorArgument(poly),)))

    def _atoms(self, xs: tuple[int, ...]) -> Value:
        from tensorprog.limits.groups import independent_groups

        for x in xs:
            if self.atoms[x].mass:
                raise UndecidedLimit(f"Stein's lemma meets the point mass of {self.atoms[x].function.spec} at its kink")
        values = [self.equations.one, *independent_groups(self, xs)]
        return self.equations.multiply(*values)

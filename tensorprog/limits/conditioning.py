"""Gaussians given one of their sums: what a point mass in an expectation asks for.

    E[δ(p - a) G] = φ_v(a - m) E[G | p = a],   p = m + Σ_j c_j g_j,   v = Var p,

and given p = a every Gaussian is h = h' + Cov(h, p)/v (a - m), with h' independent of p: Gaussian again, of covariances
Cov(h, k) - Cov(h, p) Cov(k, p)/v. One of the g_j is solved for, so that p is a exactly.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from tensorprog.functions import parse_function, power
from tensorprog.limits.masses import Middle, OverVariance, PointMass, jumping
from tensorprog.limits.scalars import Number, Value
from tensorprog.limits.variables import ONE, Argument, Atom, Poly, ScalarArgument, UndecidedLimit, VectorArgument

if TYPE_CHECKING:
    from tensorprog.limits.gaussian import Space

DENSITY = parse_function("expression(exp(-z0**2/2)/sqrt(2*pi))")
ROOT, INVERSE = OverVariance(Fraction(1, 2)), OverVariance(Fraction(1))
RECIPROCAL = power(-1)


class Conditioning:
    """The law of the Gaussians of a space given that one of its affine polynomials is a number."""

    def __init__(self, space: Space, index: int, poly: int, at: Fraction) -> None:
        self.space, self.index, self.poly = space, index, poly
        equations = space.equations
        self.parts = {gs[0]: c for (gs, _), c in space.polys[poly].items() if gs}
        self._against: dict[int, Value] = {}
        self._moved: dict[int, Poly] = {}
        self.place = equations.number(at)
        self.gap = equations.add([(1, self.place), (-1, space.polys[poly].get(ONE))])
        variance = equations.add((1, equations.multiply(c, self.against(g))) for g, c in self.parts.items())
        if variance is None:
            raise UndecidedLimit(f"a point mass at {at} of an argument that does not vary")
        self.variance = variance
        self.inverse = equations.apply(INVERSE, (0,), (variance,))
        root = equations.apply(ROOT, (0,), (variance,))
        self.density = equations.multiply(root, equations.apply(DENSITY, (0,), (equations.multiply(self.gap, root),)))
        families = {space.families[g] for g in self.parts}
        self._family = families.pop() if len(families) == 1 else None
        numbers = [g for g, c in self.parts.items() if isinstance(equations.nodes[c], Number)]
        self.pivot = max(numbers or self.parts)

    def against(self, gaussian: int) -> Value:
        """Its covariance with p."""
        if gaussian not in self._against:
            space = self.space
            terms = [(1, space.equations.multiply(c, space.covariance(g, gaussian))) for g, c in self.parts.items()]
            self._against[gaussian] = space.equations.add(terms)
        return self._against[gaussian]

    def covariance(self, one: int, other: int) -> Value:
        """Of Gaussians of which some are projected here."""
        equations = self.space.equations
        first, second = (self._origin(x) for x in (one, other))
        lost = equations.multiply(self.against(first), self.against(second), self.inverse)
        return equations.add([(1, self.space.covariance(first, second)), (-1, lost)])

    def _origin(self, gaussian: int) -> int:
        index, origin = self.space.projected.get(gaussian, (None, gaussian))
        return origin if index == self.index else gaussian

    def gaussian(self, number: int) -> Poly:
        """A Gaussian given p = a."""
        if number not in self._moved:
            self._moved[number] = self._solved() if number == self.pivot else self._projected(number)
        return self._moved[number]

    def _projected(self, number: int) -> Poly:
        space, against = self.space, self.against(number)
        if against is None:
            return space.variable(number)
        prime = space.variable(space.project(number, self.index, self._family))
        shift = space.constant(space.equations.multiply(against, self.gap, self.inverse))
        return space.combined([(space.equations.one, prime), (space.equations.one, shift)])

    def _solved(self) -> Poly:
        """The pivot: (a - m - Σ c_j g_j)/c, the sum over the others."""
        space, equations = self.space, self.space.equations
        terms: list[tuple[Value, Poly]] = [(equations.one, space.constant(self.gap))]
        for g, c in self.parts.items():
            if g != self.pivot:
                terms.append((equations.scaled(-1, c), self.gaussian(g)))
        return space.combined([(self._over(self.parts[self.pivot]), space.combined(terms))])

    def _over(self, value: int) -> Value:
        """1/value."""
        node = self.space.equations.nodes[value]
        if isinstance(node, Number):
            return self.space.equations.number(1 / Fraction(node.value))
        return self.space.equations.apply(RECIPROCAL, (0,), (value,))

    def given(self, poly: Poly) -> Poly:
        """A polynomial given p = a."""
        space = self.space
        atoms: dict[int, Poly] = {}
        for number in space.inside({x for _, xs in poly for x in xs}):
            atoms[number] = self._atom(space.atoms[number], number, atoms)
        return self._terms(poly, atoms)

    def _terms(self, poly: Poly, atoms: dict[int, Poly]) -> Poly:
        space = self.space
        terms: list[tuple[Value, Poly]] = []
        for (gs, xs), c in poly.items():
            found = {ONE: space.equations.one}
            for part in (*map(self.gaussian, gs), *(atoms[x] for x in xs)):
                found = space.product(found, part)
            terms.append((c, found))
        return space.combined(terms)

    def _atom(self, atom: Atom, number: int, atoms: dict[int, Poly]) -> Poly:
        space = self.space
        args = list[Argument]()
        for arg in atom.args:
            if isinstance(arg, VectorArgument) and arg.poly == self.poly:
                args.append(ScalarArgument(self.place))
            elif isinstance(arg, VectorArgument):
                args.append(space.simplified(VectorArgument(space.intern(self._terms(space.polys[arg.poly], atoms)))))
            else:
                args.append(arg)
        if tuple(args) == atom.args:
            return {((), (number,)): space.equations.one}
        fixed = [arg.value for arg in args if isinstance(arg, ScalarArgument)]
        if isinstance(atom.function, PointMass):
            return self._mass(atom.function, atom.order, args[0])
        if len(fixed) == len(args):
            self._check(atom, fixed[0])
        function = atom.function
        if function.arity == 1 and not fixed and not isinstance(function, Middle) and jumping(function, atom.order):
            function = Middle(function)
        return space.apply(function, atom.order, tuple(args))

    def _mass(self, mass: PointMass, order: tuple[int, ...], arg: Argument) -> Poly:
        if isinstance(arg, VectorArgument):
            return self.space.new_atom(Atom(mass, order, (arg,)))
        place = self.space.number_of(arg.value)
        if place is None or mass.at is None or place == mass.at:
            raise UndecidedLimit("two point masses meet at one place")
        return {}

    def _check(self, atom: Atom, value: Value) -> None:
        """Refuse a function at a number where it jumps."""
        places, at = jumping(atom.function, atom.order), self.space.number_of(value)
        if places is None or (at is not None and at in places):
            raise UndecidedLimit(
                f"a point mass meets {atom.function.spec} where its derivative of order {sum(atom.order)} jumps"
            )

"""Derivatives of limit variables by Gaussians, weak ones where functions jump.

Where a function or its derivative jumps, the next derivative is a point mass for each jump, beside the derivative
almost everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from fractions import Fraction

from tensorprog.limits.masses import PointMass, jumping, middle, vanishes_at
from tensorprog.limits.scalars import Value
from tensorprog.limits.variables import Atom, Poly, Variables, VectorArgument


class Derivatives(Variables):
    """Differentiates the polynomials of a program."""

    def derivative(self, poly: Poly, gaussian: int) -> Poly:
        """∂/∂g, through the arguments of the nonlinearities too."""
        one, family = self.equations.one, self.families[gaussian]
        return self._derivative(poly, lambda h: one if h == gaussian else None, family)

    def _derivative(self, poly: Poly, along: Callable[[int], Value], family: Hashable) -> Poly:
        """Σ_h along(h) ∂/∂h; `along` vanishes but for Gaussians of this family, and of None."""
        if self.masses and any(not self.masses.isdisjoint(xs) for _, xs in poly):
            parts = [(c, gs, *self.met(xs)) for (gs, xs), c in poly.items()]
            poly = self.combined([(met, {(gs, xs): c}) for c, gs, met, xs in parts])
        moved: dict[int, Poly] = {}
        for number in self.inside({x for _, xs in poly for x in xs}):
            moved[number] = self._atom_derivative(number, along, family, moved)
        return self._term_derivatives(poly, along, moved)

    def _term_derivatives(self, poly: Poly, along: Callable[[int], Value], moved: dict[int, Poly]) -> Poly:
        """Of a polynomial, given those of its atoms."""
        terms: list[tuple[Value, Poly]] = []
        for (gs, xs), c in poly.items():
            for i, g in enumerate(gs):
                scale = along(g)
                if scale is not None:
                    left = {(gs[:i] + gs[i + 1 :], xs): self.equations.one}
                    terms.append((self.equations.multiply(c, scale), left))
            for i, x in enumerate(xs):
                if moved[x]:
                    terms.append((c, self.product({(gs, xs[:i] + xs[i + 1 :]): self.equations.one}, moved[x])))
        return self.combined(terms)

    def _atom_derivative(
        self, number: int, along: Callable[[int], Value], family: Hashable, moved: dict[int, Poly]
    ) -> Poly:
        """Given the derivatives of the atoms in its arguments."""
        atom, terms = self.atoms[number], list[tuple[Value, Poly]]()
        for i, arg in enumerate(atom.args):
            if isinstance(arg, VectorArgument):
                if self.parts(arg.poly) is None:
                    inner = self._term_derivatives(self.polys[arg.poly], along, moved)
                else:
                    parts = self.related(arg.poly, family)
                    slope = self.equations.add((1, self.equations.multiply(c, along(g))) for g, c in parts)
                    inner = self.constant(slope)
                if inner:
                    terms.append((self.equations.one, self.product(inner, self._raised(atom, i))))
        return self.combined(terms)

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

    # -- what point masses meet

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

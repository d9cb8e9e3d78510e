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

from collections.abc import Callable, Hashable
from fractions import Fraction
from math import inf

from tensorprog.functions.polynomials import identity
from tensorprog.limits.conditioning import Conditioning
from tensorprog.limits.derivatives import Derivatives
from tensorprog.limits.masses import PointMass
from tensorprog.limits.scalars import Equations, Rational, Value
from tensorprog.limits.variables import (
    ONE,
    Argument,
    Atom,
    Monomial,
    Poly,
    ScalarArgument,
    UndecidedLimit,
    VectorArgument,
    in_time,
)
from tensorprog.limits.worklist import Worklist

__all__ = ["ONE", "Argument", "Atom", "Poly", "ScalarArgument", "Space", "UndecidedLimit", "VectorArgument", "in_time"]


FEW = 64  # products of terms that are looked at one by one


class Space(Derivatives):
    """The limit variables of one program, until a deadline in the time of `patience.now`."""

    def __init__(self, equations: Equations, deadline: float = inf) -> None:
        super().__init__(equations, deadline)
        self.projected: dict[int, tuple[int, int]] = {}
        """Gaussians given a number, by the conditioning and what they were before."""
        self.variances: set[int] = set()
        """Variances of the arguments of point masses."""
        self._conditionings: list[Conditioning] = []
        self._conditioning: dict[tuple[int, Fraction], Conditioning] = {}
        self._projections: dict[tuple[int, int], int] = {}
        self._worklist = Worklist()
        self._covariances: list[Callable[[int, int], Value]] = []
        self._known_covariance: dict[tuple[int, int], Value] = {}
        self._known: dict[Monomial, Value] = {}
        self._contracted: dict[tuple[int, int], Poly] = {}

    # -- Gaussians

    def gaussian(self, covariance: Callable[[int, int], Value], family: Hashable = None) -> int:
        """A new centred Gaussian; covariance(other, itself) gives its covariance with those of its family so far."""
        self._covariances.append(covariance)
        self.families.append(family)
        return len(self._covariances) - 1

    def project(self, gaussian: int, conditioning: int, family: Hashable) -> int:
        """The part of a Gaussian that is independent of what is given."""
        key = (gaussian, conditioning)
        if key not in self._projections:
            self._projections[key] = number = self.gaussian(self._conditionings[conditioning].covariance, family)
            self.projected[number] = (conditioning, gaussian)
        return self._projections[key]

    def covariance(self, one: int, other: int) -> Value:
        family, second = self.families[one], self.families[other]
        if family != second and family is not None and second is not None:
            return None
        pair = (one, other) if one <= other else (other, one)
        if pair in self._known_covariance:
            return self._known_covariance[pair]
        return self._worklist.answer(self._known_covariance, pair, self._covariance)

    def _covariance(self, pair: tuple[int, int]) -> Value:
        marks = [self.projected[x][0] for x in pair if x in self.projected] if self.projected else []
        return self._conditionings[max(marks)].covariance(*pair) if marks else self._covariances[pair[1]](*pair)

    def contract(self, gaussian: int, poly: int) -> Poly:
        """Σ_h Cov(gaussian, h) ∂/∂h of an interned polynomial."""
        key = (gaussian, poly)
        if key not in self._contracted:
            family = self.families[gaussian]
            self._contracted[key] = self._derivative(self.polys[poly], lambda h: self.covariance(gaussian, h), family)
        return self._contracted[key]

    # -- expectations

    def expectation(self, poly: Poly) -> Value:
        return self.equations.add((1, self.equations.multiply(c, self._monomial(m))) for m, c in poly.items())

    def product_expectation(self, one: Poly, other: Poly) -> Value:
        """E[one · other], without forming the product."""
        terms = []
        pairs = self._signed(other) if len(one) * len(other) > FEW else None
        for (gs, xs), c in one.items():
            for (hs, ys), e in other.items() if pairs is None else pairs.get(self._sign(gs), ()):
                value = self._monomial((tuple(sorted(gs + hs)), tuple(sorted(xs + ys))))
                if value is not None:
                    terms.append((1, self.equations.multiply(c, e, value)))
        return self.equations.add(terms)

    def _sign(self, gs: tuple[int, ...]) -> tuple[Hashable, ...]:
        """The families that no atom is a function of, and whose sign changes that of a product of Gaussians."""
        families = [self.families[g] for g in gs]
        return tuple(sorted({f for f in families if families.count(f) % 2 and f not in self.read}, key=repr))

    def _signed(self, poly: Poly) -> dict[tuple[Hashable, ...], list[tuple[Monomial, int]]] | None:
        """The terms of a polynomial by their signs; None where all may depend on all."""
        if None in self.families:
            return None
        found: dict[tuple[Hashable, ...], list[tuple[Monomial, int]]] = {}
        for monomial, c in poly.items():
            found.setdefault(self._sign(monomial[0]), []).append((monomial, c))
        return found

    def _monomial(self, monomial: Monomial) -> Value:
        if monomial in self._known:
            return self._known[monomial]
        return self._worklist.answer(self._known, monomial, self._average)

    def _average(self, monomial: Monomial) -> Value:
        in_time(self._deadline)
        gs, xs = monomial
        if self.masses and not self.masses.isdisjoint(self.inside(xs)):
            return self._massive(gs, xs)
        return self._stein(gs, xs) if gs else self._atoms(xs)

    # -- point masses

    def _massive(self, gs: tuple[int, ...], xs: tuple[int, ...]) -> Value:
        """An expectation with point masses: zero by a Gaussian on its own, or given the argument of the oldest."""
        scale, xs = self.met(xs)
        if scale is None or any(gs.count(g) % 2 and self._alone(g, gs, xs) for g in gs):
            return None
        number = next((x for x in xs if x in self.masses), None)
        if number is None or not self.masses.isdisjoint(y for x in xs for y in self.inside(self.inner[x])):
            raise UndecidedLimit("a point mass stands inside the argument of a function")
        atom, rest = self.atoms[number], list(xs)
        rest.remove(number)
        arg = atom.args[0]
        if not isinstance(atom.function, PointMass) or atom.function.at is None or not isinstance(arg, VectorArgument):
            raise UndecidedLimit(getattr(atom.function, "reason", "") or "a point mass has no place")
        if not self.affine(self.polys[arg.poly]):
            raise UndecidedLimit(f"a point mass at {atom.function.at} of an argument that is no Gaussian")
        law = self._given(arg.poly, atom.function.at)
        left: Poly = {(gs, tuple(rest)): self.equations.one}
        return self.equations.multiply(scale, self._massed(law, atom, left))

    def _massed(self, law: Conditioning, atom: Atom, left: Poly) -> Value:
        """E[δ^{(k)}(p - a) G] = ((a-m) E[δ^{(k-1)} G] - (k-1) E[δ^{(k-2)} G] - E[δ^{(k-1)} Σ_h Cov(p,h) ∂_h G])/v."""
        equations, (k,) = self.equations, atom.order
        if k == 0:
            return equations.multiply(law.density, self.expectation(law.given(left)))
        lower = [self.new_atom(Atom(atom.function, (k - j,), atom.args)) for j in (1, 2) if k >= j]
        terms = [(1, equations.multiply(law.gap, self.expectation(self.product(lower[0], left))))]
        terms.append((-1, self.expectation(self.product(lower[0], self._derivative(left, law.against, None)))))
        if k > 1:
            terms.append((1 - k, self.expectation(self.product(lower[1], left))))
        return equations.multiply(law.inverse, equations.add(terms))

    def _given(self, poly: int, at: Fraction) -> Conditioning:
        key = (poly, at)
        if key not in self._conditioning:
            law = Conditioning(self, len(self._conditionings), poly, at)
            self._conditionings.append(law)
            self._conditioning[key] = law
            self.variances.add(law.variance)
        return self._conditioning[key]

    def _alone(self, gaussian: int, gs: tuple[int, ...], xs: tuple[int, ...]) -> bool:
        """Whether a Gaussian is independent of all others, and of all atoms."""
        read = {h for i in self.coordinates(xs) for hs, _ in self.polys[i] for h in hs}
        return all(self.covariance(gaussian, h) is None for h in (read | set(gs)) - {gaussian}) and gaussian not in read

    # -- Stein's lemma

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
        return self.new_atom(Atom(identity, (0,), (VectorArgument(poly),)))

    def _atoms(self, xs: tuple[int, ...]) -> Value:
        from tensorprog.limits.groups import independent_groups

        values = [self.equations.one, *independent_groups(self, xs)]
        return self.equations.multiply(*values)

"""The norm calculus: proved upper bounds for Taylor coefficients, uniform over free unit directions.

Abstract interpretation of the coefficient program without building it. A coefficient of a node is indexed by how many
directions of each kind it contains. Without free directions it is *known*: coordinates O(n^c), delocalised. With
them it is bounded by two mutually recursive judgments,

    norms(node, S)          exponents of its l1, l2, l-infinity norms,
    functional(k, node, S)  exponent of |⟨k, coefficient⟩| for any known k with coordinates O(n^c),

where the functional is taken at every product with one unknown block: that is what makes bounds tight. Assumed,
as in the Master Theorem: scalars that enter a singular function (1/√variance) stay away from its pole; `assumptions`
says which do without being shown to.
"""

from __future__ import annotations

from functools import reduce
from typing import assert_never

from tensorprog.errors import ProgramError
from tensorprog.exponents import HALF, Exponent, Norms, closed, known_norms, product, union
from tensorprog.program import (
    Apply,
    Constant,
    Free,
    Input,
    Instruction,
    LinComb,
    MatMul,
    Moment,
    Multiply,
    Parameter,
    Vector,
)
from tensorprog.readings.calculus import Calculus
from tensorprog.readings.coefficients import Monomial
from tensorprog.readings.judgement import Counts, Judgement, largest
from tensorprog.readings.kinds import Functional, UnitDirection
from tensorprog.readings.sizes import ORDER_ONE, product_size


class NormCalculus(Calculus):
    """The rules of the judgments, by instruction."""

    def _known_rule(self, name: str, counts: Counts) -> Judgement | None:
        match self.nodes[name]:
            case LinComb(terms):
                found = [
                    j and j.via("linear combination", name, counts, j.bound.shift(c.power))
                    for c, x in terms
                    for j in [self._coefficient(x, counts)]
                ]
                return largest(found)
            case MatMul(matrix, vector, transpose):
                fixed = self.known(vector, counts)
                moved: list[Judgement | None] = []
                if fixed is not None:
                    x = Functional(fixed.bound, self._parity(vector, counts), counts)
                    size = product_size(
                        fixed.bound, self._parameter(matrix), self._returning(x, matrix, not transpose, name)
                    )
                    moved.append(fixed.via("matrix product", name, counts, size))
                for i, rest in self._steps(counts):
                    for left, right in self._pairs(i, matrix, transpose):
                        inner = self.functional(right, vector, rest)
                        if inner is not None:
                            bound = left.size + inner.bound.shift(self._metric(matrix))
                            moved.append(inner.via("gradient direction of the weight", name, counts, bound))
                return largest(moved)
            case Parameter():
                return self._moved_parameter(name, counts)
            case Moment():
                return self._scalar_rule(name, counts)
            case Apply() | Multiply():
                return largest([self._known_monomial(name, counts, m) for m in self._monomials(name, counts)])
            case Input() | Constant() | Free():
                return None  # no direction moves them
            case never:
                assert_never(never)

    def _scalar_rule(self, name: str, counts: Counts) -> Judgement | None:
        match self.nodes[name]:
            case LinComb(terms):
                found = [
                    j and j.via("linear combination", name, counts, j.bound.shift(c.power))
                    for c, x in terms
                    for j in [self.scalar(x, counts)]
                ]
                return largest(found)
            case Moment(args):
                growing = self._growing(*args)
                monomials = self._monomials(name, counts)
                best = largest([self._functional_monomial(self._one, growing, name, counts, m) for m in monomials])
                return best and best.via("average", name, counts, best.bound.shift(-growing))
            case Parameter():
                return self._moved_parameter(name, counts)
            case Apply() | Multiply():
                return largest([self._known_monomial(name, counts, m) for m in self._monomials(name, counts)])
            case Input() | Constant() | Free():
                return None
            case MatMul() as node:
                raise _of_other_type(name, node, "scalars")
            case never:
                assert_never(never)

    def _norms_rule(self, name: str, counts: Counts) -> Judgement | None:
        growing = self._growing(name)
        found: list[tuple[Norms, str, Judgement]] = []
        match self.nodes[name]:
            case LinComb(terms):
                for c, x in terms:
                    if isinstance(self.types[x], Vector):
                        j = self._triple(x, counts)
                        if j and j.norms:
                            found.append((j.norms.shift(Exponent(c.power)), "linear combination", j))
                    elif (s := self.scalar(x, counts)) is not None:
                        found.append((known_norms(Exponent(c.power), growing).shift(s.bound), "scalar broadcast", s))
            case MatMul(matrix, vector, transpose):
                found += self._norms_of_product(matrix, vector, transpose, counts)
            case Parameter():
                j = self._moved_parameter(name, counts)
                if j is not None:
                    triple = (
                        closed(None, j.bound, None, growing) if self._free(counts) else known_norms(j.bound, growing)
                    )
                    found.append((triple, "free direction of the vector", j))
            case Apply() | Multiply():
                for base, _, factors in self._monomials(name, counts):
                    unknown: Norms | None = None
                    reasons = [j for x, block in factors if (j := self._factor(x, block)) is not None]
                    if len(reasons) < len(factors):
                        continue
                    shift, outside = base, ORDER_ONE
                    for (x, block), j in zip(factors, reasons, strict=True):
                        if j.norms is not None and self._free(block):
                            unknown = j.norms if unknown is None else product(unknown, j.norms)
                        elif isinstance(self.types[x], Vector):
                            shift = shift + j.bound
                        else:
                            outside = outside + j.bound
                    norms = (known_norms(shift, growing) if unknown is None else unknown.shift(shift)).shift(outside)
                    found.append((norms, "coordinatewise product", max(reasons, key=lambda r: r.bound)))
            case Input() | Constant() | Free():
                return None
            case Moment() as node:
                raise _of_other_type(name, node, "vectors")
            case never:
                assert_never(never)
        if not found:
            return None
        total = found[0][0]
        for norms, _, _ in found[1:]:
            total = union(total, norms)
        _, rule, reason = max(found, key=lambda item: item[0].l2)
        return Judgement(total.l2, rule, name, counts, (reason,), total)

    def _norms_of_product(
        self, matrix: str, vector: str, transpose: bool, counts: Counts
    ) -> list[tuple[Norms, str, Judgement]]:
        parameter = self._parameter(matrix)
        found: list[tuple[Norms, str, Judgement]] = []
        fixed = self._triple(vector, counts)
        if fixed is not None and fixed.norms is not None:
            shift = -parameter.a + HALF
            linf = fixed.norms.l1 + Exponent(-parameter.a, HALF)
            found.append((closed(None, fixed.norms.l2.shift(shift), linf), "operator norm of the weight", fixed))
        for i, rest in self._steps(counts):
            kind = self.kinds[i]
            if isinstance(kind, UnitDirection):
                j = self._triple(vector, rest)
                if j is not None and j.norms is not None and matrix in kind.weights:
                    triple = closed(None, j.norms.l2.shift(kind.weights[matrix]), None)
                    found.append((triple, "free direction of the weight", j))
            else:
                for left, right in self._pairs(i, matrix, transpose):
                    inner = self.functional(right, vector, rest)
                    if inner is not None:
                        size = inner.bound.shift(self._metric(matrix))
                        found.append((known_norms(left.size, 1).shift(size), "gradient direction of the weight", inner))
        return found

    def _functional_rule(self, k: Functional, name: str, counts: Counts) -> Judgement | None:
        growing = self._growing(name)
        if not self._free(counts):
            j = self.known(name, counts)
            return j and j.via("known vectors", name, counts, Exponent(k.size.power + j.bound.power + growing))
        terms: list[Judgement | None] = []
        match self.nodes[name]:
            case LinComb(items):
                for c, x in items:
                    if isinstance(self.types[x], Vector):
                        terms.append(self.functional(k.shift(c.power), x, counts))
                    elif (s := self.scalar(x, counts)) is not None:
                        terms.append(
                            s.via("scalar broadcast", name, counts, s.bound.shift(k.size.power + growing + c.power))
                        )
            case MatMul(matrix, vector, transpose):
                terms += self._functional_of_product(k, name, matrix, vector, transpose, counts)
            case Parameter():
                j = self._moved_parameter(name, counts)
                terms.append(
                    j
                    and j.via(
                        "pairing with a free direction", name, counts, j.bound.shift(k.size.power + HALF * growing)
                    )
                )
            case Apply() | Multiply():
                terms += [self._functional_monomial(k, growing, name, counts, m) for m in self._monomials(name, counts)]
            case Input() | Constant() | Free():
                return None
            case Moment() as node:
                raise _of_other_type(name, node, "vectors")
            case never:
                assert_never(never)
        best = largest(terms)
        whole = self.norms(name, counts)
        if best is None or whole is None or whole.norms is None:
            return best
        pairing = hoelder(k.size, growing, whole.norms)
        return whole.via("norm pairing", name, counts, pairing) if pairing < best.bound else best

    def _functional_of_product(
        self, k: Functional, name: str, matrix: str, vector: str, transpose: bool, counts: Counts
    ) -> list[Judgement | None]:
        """⟨k, W x⟩: Wᵀk is known; directions of W pair k with their left side, or by its l2 norm."""
        parameter = self._parameter(matrix)
        shift = -parameter.a + (HALF if self._growing(vector) else 1)
        found: list[Judgement | None] = []
        back = Exponent(k.size.power + shift, self._returning(k, matrix, transpose))
        inner = self.functional(Functional(back, k.parity ^ self.parity.get(matrix, 0), k.content), vector, counts)
        found.append(inner and inner.via("transposed weight on the functional", name, counts, inner.bound))
        for i, rest in self._steps(counts):
            kind = self.kinds[i]
            if isinstance(kind, UnitDirection):
                j = self._triple(vector, rest)
                if j is not None and j.norms is not None and matrix in kind.weights:
                    bound = j.norms.l2.shift(k.size.power + HALF + kind.weights[matrix])
                    found.append(j.via("free direction of the weight", name, counts, bound))
            else:
                for left, right in self._pairs(i, matrix, transpose):
                    j = self.functional(right, vector, rest)
                    if j is not None:
                        bound = j.bound.shift(self._metric(matrix) + k.size.power + left.size.power + 1)
                        found.append(j.via("gradient direction of the weight", name, counts, bound))
        return found

    def _functional_monomial(
        self, k: Functional, growing: int, name: str, counts: Counts, monomial: Monomial
    ) -> Judgement | None:
        """⟨k, known · Π factors⟩: one unknown vector takes the known ones into k; two or more are paired by norms."""
        base, parity, factors = monomial
        outside, unknown, reasons = ORDER_ONE, list[tuple[str, Counts]](), list[Judgement]()
        shift = k.times(base, parity)
        for x, block in factors:
            if self._free(block) and isinstance(self.types[x], Vector):
                unknown.append((x, block))
                continue
            j = self._coefficient(x, block)
            if j is None:
                return None
            reasons.append(j)
            if isinstance(self.types[x], Vector):
                shift = shift.times(j.bound, self._parity(x, block), block)
            else:
                shift = shift.times(ORDER_ONE, self._parity(x, block), block)
                outside = outside + j.bound
        if not unknown:
            bound = Exponent(shift.size.power + growing) + outside
            return Judgement(bound, "known vectors", name, counts, tuple(reasons))
        if len(unknown) == 1:
            inner = self.functional(shift, *unknown[0])
            return inner and Judgement(inner.bound + outside, "one unknown block", name, counts, (inner, *reasons))
        triples: list[Norms] = []
        for j in [self.norms(x, block) for x, block in unknown]:
            if j is None or j.norms is None:
                return None
            triples.append(j.norms)
            reasons.append(j)
        triple = reduce(product, triples)
        rule = f"{len(unknown)} unknown blocks, paired by norms"
        return Judgement(hoelder(shift.size, growing, triple) + outside, rule, name, counts, tuple(reasons))

    def _known_monomial(self, name: str, counts: Counts, monomial: Monomial) -> Judgement | None:
        base, _, factors = monomial
        reasons = [self._coefficient(x, block) for x, block in factors]
        bound = base
        for j in reasons:
            if j is None:
                return None
            bound = bound + j.bound
        return Judgement(bound, "coordinatewise product", name, counts, tuple(j for j in reasons if j))


def _of_other_type(name: str, node: Instruction, wanted: str) -> ProgramError:
    return ProgramError(f"a rule for {wanted} met the node {name!r}, {node}; this is a fault of the library")


def hoelder(k: Exponent, growing: int, norms: Norms) -> Exponent:
    """|⟨k, x⟩| by the best of the three pairings, k known."""
    known = known_norms(k, growing)
    return min(known.linf + norms.l1, known.l2 + norms.l2, known.l1 + norms.linf)

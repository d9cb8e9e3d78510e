"""The limit reading: every node of a program as n → ∞, by the Master Theorem (Yang, arXiv 2009.10685, Theorem 2.10).

    Z^{Wx} = Ẑ^{Wx} + Ż^{Wx},   Cov(Ẑ^{Wx}, Ẑ^{Wx'}) = σ² E[Z^x Z^{x'}],   Ż^{Wx} = σ² Σ_y Z^y E[∂Z^x/∂Ẑ^{Wᵀy}],

the sum over all products Wᵀy; an average is the expectation of its coordinates. Powers of n are carried along. A
scalar whose limit is exactly zero, or random, is only bounded: by the norm calculus of its node. What is left out is
bounded everywhere, and a leading part that is not larger than that is not called a limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import inf
from typing import TypeVar, assert_never

from tensorprog.exponents import HALF, Exponent
from tensorprog.limits.gaussian import Argument, Poly, ScalarArgument, Space, UndecidedLimit, VectorArgument
from tensorprog.limits.known import Known
from tensorprog.limits.masses import jumping
from tensorprog.limits.scalars import Equations, Value
from tensorprog.limits.terms import Bound, Term, largest, leading, product, times, total
from tensorprog.limits.weights import Weights
from tensorprog.program import (
    Apply,
    Constant,
    Free,
    Input,
    Instruction,
    LinComb,
    MatMul,
    Matrix,
    Moment,
    Multiply,
    Parameter,
    Program,
    Vector,
    ancestors,
)

T = TypeVar("T")
ZERO = Fraction(0)
VectorTerm = Term[Poly]
ScalarTerm = Term[int]


class Interpreter:
    """The limits of the nodes that some scalar nodes need.

    Parameters
    ----------
    program: its nodes. sizes: proved size classes of its nodes.
    deadline: in the time of `patience.now`, after which a limit counts as undecided.
    copies: parameters that are correlated copies of others, P' = t P + √(1-t²) P'', by names; t is a symbol.
    """

    def __init__(
        self,
        program: Program,
        sizes: Mapping[str, Exponent],
        copies: Mapping[str, str] | None = None,
        deadline: float = inf,
    ) -> None:
        self.program, self.sizes = program, sizes
        self.equations = Equations()
        self.space = Space(self.equations, deadline)
        self.weights = Weights(program, self.space, copies or {}, self._inner)
        self.vectors: dict[str, VectorTerm] = {}
        self.scalars: dict[str, ScalarTerm] = {}
        self.data = Known(program, self.equations)

    def limit(self, target: str) -> ScalarTerm:
        """The leading part of a scalar node."""
        wanted = ancestors(self.program.nodes, [target])
        for name, node in self.program.nodes.items():
            if name in wanted and name not in self.scalars and name not in self.vectors and name not in self.data:
                self._interpret(name, node)
        return self.scalars[target]

    # -- instructions

    def _interpret(self, name: str, node: Instruction) -> None:
        kind = self.program.types[name]
        if isinstance(kind, Matrix):
            return
        if isinstance(kind, Vector) and not kind.width.growing:
            self.data.add(name, node)
        elif isinstance(kind, Vector):
            self.vectors[name] = self._vector(name, node)
        else:
            found = self._scalar(name, node)
            size = self.sizes[name]
            if found.payload is None and found.rest is not None and size.log == 0:
                found = Term(found.power, None, min(found.rest, (Fraction(size.power), 1)))
            self.scalars[name] = found

    def _vector(self, name: str, node: Instruction) -> VectorTerm:
        match node:
            case Parameter(a=a):
                return Term(-a, self.space.variable(self.weights.parameter(name)), None)
            case Constant(coefficient):
                return Term(coefficient.power, self.space.constant(self.data.constant(node)) or None, None)
            case MatMul(matrix, vector, transpose):
                return self._product(matrix, vector, transpose)
            case LinComb(terms):
                parts = [self._times(c.value, self._as_vector(x)).scaled(c.power) for c, x in terms]
                return total(parts, self._sum)
            case Multiply(args):
                return product([self._as_vector(x) for x in args], self._multiply)
            case Apply(function, order, args):
                found, rests = list[Argument](), list[Bound | None]()
                for x in args:
                    argument, rest = self._argument(name, x)
                    if isinstance(argument, ScalarArgument) and rest is not None:
                        self._no_jump(name, node, argument.value)
                    found.append(argument)
                    rests.append(rest)
                rest = largest(rests)
                if rest is not None and rest >= (ZERO, 1):
                    return Term(ZERO, None, (ZERO, 1))
                return leading(ZERO, self.space.apply(function, order, tuple(found)) or None, rest)
            case Input() | Free() | Moment():
                raise UndecidedLimit(f"the vector {name!r} has no limit: {node}")
            case _:
                assert_never(node)

    def _scalar(self, name: str, node: Instruction) -> ScalarTerm:
        match node:
            case Parameter(a=a):
                return Term(-a, None, (-a, 1))
            case Constant(coefficient):
                return Term(coefficient.power, self.data.constant(node), None)
            case LinComb(terms):
                parts = [
                    Term(t.power, self.equations.scaled(c.value, t.payload), t.rest).scaled(c.power)
                    for c, t in ((c, self.scalars[x]) for c, x in terms)
                ]
                return total(parts, lambda values: self.equations.add((1, v) for v in values))
            case Multiply(args):
                return product([self.scalars[x] for x in args], lambda values: self.equations.multiply(*values))
            case Apply():
                return self._function(name, node)
            case Moment(args):
                return self._moment(args)
            case Input() | Free() | MatMul():
                raise UndecidedLimit(f"the scalar {name!r} has no limit: {node}")
            case _:
                assert_never(node)

    def _moment(self, args: tuple[str, ...]) -> ScalarTerm:
        if all(x in self.data for x in args):
            return Term(ZERO, self.data.gram(args), None)
        whole = [self._as_vector(x) for x in args]
        half = len(whole) // 2
        unit: VectorTerm = Term(ZERO, self.space.constant(self.equations.one), None)
        one, other = (product([unit, *part], self._multiply) for part in (whole[:half], whole[half:]))
        power, rest = one.power + other.power, largest([times([one.rest, other.size]), times([one.size, other.rest])])
        if one.payload is None or other.payload is None:
            return Term(power, None, times([one.size, other.size]))
        value = self.space.product_expectation(one.payload, other.payload)
        return leading(power, value, rest if value is not None else largest([rest, (power, 0)]))

    def _function(self, name: str, node: Apply) -> ScalarTerm:
        values = tuple(self._constant(name, x, self.scalars[x]) for x in node.args)
        if not node.function.regular and None in values:
            raise UndecidedLimit(f"{node.function.spec} at {name!r} is singular where its argument vanishes")
        for x, value in zip(node.args, values, strict=True):
            if _lower(self.scalars[x]) is not None:
                self._no_jump(name, node, value)
        found = self.equations.apply(node.function, node.order, values)
        return Term(ZERO, found, None if found is not None else (ZERO, 0))

    # -- parts

    def _product(self, matrix: str, vector: str, transpose: bool) -> VectorTerm:
        parameter, kind = self.program.nodes[matrix], self.program.types[matrix]
        if not isinstance(parameter, Parameter) or not isinstance(kind, Matrix):
            raise UndecidedLimit(f"{matrix!r} is no matrix of parameters, so its product with {vector!r} has no limit")
        if vector in self.data:
            return Term(-parameter.a, self.space.variable(self.weights.product(matrix, vector, transpose)), None)
        if not (kind.cols.growing and kind.rows.growing):
            raise UndecidedLimit(f"{matrix!r} and {vector!r} give a vector of fixed length, random as n grows")
        x = self.vectors[vector]
        shifted = x.scaled(HALF - parameter.a)
        if x.payload is None:
            return shifted
        terms: list[tuple[Value, Poly]] = []
        for gaussian, other, scale in self.weights.opposite(matrix, transpose):
            y = self._payload(other)
            slope = self.space.expectation(self.space.derivative(x.payload, gaussian))
            terms.append((self.equations.multiply(scale, slope), y))
        terms.append((self.equations.one, self.space.variable(self.weights.product(matrix, vector, transpose))))
        return leading(shifted.power, self.space.combined(terms), shifted.rest)

    def _inner(self, one: str, other: str) -> Value:
        """lim of the average of the product of two vectors, powers of n left out."""
        if one in self.data:
            return self.data.gram((one, other))
        return self.space.product_expectation(self._payload(one), self._payload(other))

    def _payload(self, name: str) -> Poly:
        """The limit of a vector that a matrix was multiplied with."""
        found = self.vectors[name].payload
        if found is None:
            raise UndecidedLimit(f"{name!r} was multiplied by a matrix, but only a bound on it is known")
        return found

    # -- leading parts

    def _as_vector(self, name: str) -> VectorTerm:
        """A vector, or a scalar as the vector whose coordinates all equal it."""
        if name in self.vectors:
            return self.vectors[name]
        if name in self.data:
            raise UndecidedLimit(f"{name!r} has the data's dimension; it does not mix with vectors that grow")
        term = self.scalars[name]
        return Term(term.power, None if term.payload is None else self.space.constant(term.payload), term.rest)

    def _argument(self, node: str, name: str) -> tuple[Argument, Bound | None]:
        """An argument of a nonlinearity: its limit, and a bound on what that leaves out."""
        if name in self.scalars:
            scalar = self.scalars[name]
            return ScalarArgument(self._constant(node, name, scalar)), _lower(scalar)
        term = self.vectors[name]
        poly = self._constant(node, name, term)
        return (ScalarArgument(None) if poly is None else VectorArgument(self.space.intern(poly))), _lower(term)

    def _constant(self, node: str, name: str, term: Term[T]) -> T | None:
        """The limit of a term of power 0, None for one that vanishes."""
        size = term.size
        if size is not None and (size > (ZERO, 1) or (size == (ZERO, 1) and term.payload is None)):
            raise UndecidedLimit(f"{name!r}, an argument at {node!r}, has no limit that this calculus can take")
        return term.payload if term.power == 0 else None

    def _no_jump(self, name: str, node: Apply, value: Value) -> None:
        """Refuse a derivative that jumps at the number which its argument tends to without being it."""
        function, at = node.function, self.space.number_of(value)
        if at is None or function.smoothness is None:
            return
        if function.arity == 1:
            met = any((places := jumping(function, (j,))) is None or at in places for j in range(node.order[0] + 1))
        else:
            met = sum(node.order) >= function.smoothness - 1
        if met:
            raise UndecidedLimit(
                f"{function.spec} differentiated at {name!r} meets its kink: its argument tends to {at}"
            )

    def _sum(self, polys: list[Poly]) -> Poly | None:
        return self.space.combined([(self.equations.one, poly) for poly in polys]) or None

    def _multiply(self, polys: list[Poly]) -> Poly | None:
        found = polys[0]
        for poly in polys[1:]:
            found = self.space.product(found, poly)
        return found or None

    def _times(self, scale: Fraction, term: VectorTerm) -> VectorTerm:
        if term.payload is None or scale == 1:
            return term
        return Term(term.power, self.space.combined([(self.equations.number(scale), term.payload)]), term.rest)


def _lower(term: Term[T]) -> Bound | None:
    """What of an argument of power 0 is not in its limit."""
    return term.rest if term.payload is None or term.power == 0 else term.size

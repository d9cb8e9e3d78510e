"""The Gaussian limit variables of weights: vectors of parameters, and the Ẑ of products with matrices.

Products Wx with one matrix on one side have Cov(Ẑ^{Wx}, Ẑ^{Wx'}) = σ² E[Z^x Z^{x'}]; those with W and with Wᵀ are
independent, as are those of different matrices. Of a copy P' = t P + √(1-t²) P'' the covariances with those of P carry
a factor t.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction

from tensorprog.limits.gaussian import Space, UndecidedLimit
from tensorprog.limits.scalars import Value
from tensorprog.program import Matrix, Parameter, Program

COPIES = "t"
"""The symbol of the correlation of copies; all others are averages over data and named constants."""


class Weights:
    """Makes the variables of one program in a space.

    copies: parameters that are correlated copies of others, by names. inner: lim of the average of the product of two
    vectors, powers of n left out.
    """

    def __init__(
        self, program: Program, space: Space, copies: Mapping[str, str], inner: Callable[[str, str], Value]
    ) -> None:
        self.program, self.space, self.copies, self.inner = program, space, copies, inner
        self.equations = space.equations
        self._parameters: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._products: dict[tuple[str, bool], dict[int, tuple[str, str]]] = {}

    def parameter(self, name: str) -> int:
        """The Gaussian of a vector parameter."""
        if name not in self._parameters:
            node = self._node(name)
            fan = node.cols.ratio if node.cols is not None and node.cols.growing else Fraction(1)
            variance = self.equations.scaled(1 / fan, self._variance(name))
            base = self._base(name)

            def covariance(other: int, number: int) -> Value:
                return self.equations.multiply(self._correlation(name, self._names[other]), variance)

            self._parameters[name] = number = self.space.gaussian(covariance, base)
            self._names[number] = name
        return self._parameters[name]

    def product(self, matrix: str, vector: str, transpose: bool) -> int:
        """Ẑ of a product: correlated with the products of the same matrix on the same side."""
        key = (self._base(matrix), transpose)
        family = self._products.setdefault(key, {})

        def covariance(other: int, number: int) -> Value:
            partner, kin = family[other]
            scale = self.equations.multiply(self._scale(matrix, transpose), self._correlation(matrix, kin))
            return self.equations.multiply(scale, self.inner(vector, partner))

        number = self.space.gaussian(covariance, key)
        family[number] = (vector, matrix)
        return number

    def opposite(self, matrix: str, transpose: bool) -> Iterator[tuple[int, str, Value]]:
        """Products with the transpose so far: Ẑ^{Wᵀy}, y, and the factor σ² of Z^y in Ż^{Wx}."""
        scale = self._scale(matrix, transpose)
        for number, (vector, kin) in self._products.get((self._base(matrix), not transpose), {}).items():
            yield number, vector, self.equations.multiply(scale, self._correlation(matrix, kin))

    def _node(self, name: str) -> Parameter:
        node = self.program.nodes[name]
        if not isinstance(node, Parameter):
            raise UndecidedLimit(f"{name!r} is no parameter, so it has no Gaussian: {node}")
        return node

    def _base(self, name: str) -> str:
        return self.copies.get(name, name)

    def _correlation(self, one: str, other: str) -> Value:
        """Of the entries of two parameters of one base."""
        return self.equations.one if one == other else self.equations.symbol(COPIES, positive=True)

    def _variance(self, name: str) -> Value:
        return self.equations.number(self._node(name).std ** 2)

    def _scale(self, matrix: str, transpose: bool) -> Value:
        """σ² times the width of what is multiplied over the fan-in of W."""
        kind = self.program.types[matrix]
        if not isinstance(kind, Matrix):
            raise UndecidedLimit(f"{matrix!r} is no matrix but {kind}")
        width = kind.rows if transpose else kind.cols
        ratio = width.ratio / kind.cols.ratio if kind.cols.growing else Fraction(1)
        return self.equations.scaled(ratio, self._variance(matrix))

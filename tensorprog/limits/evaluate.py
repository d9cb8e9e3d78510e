"""Numbers for scalar equations: every node once, vectorised over whatever shapes the symbols have.

Errors follow derivatives: those of the operands pass through sums and products; an expectation adds its own, and for
each of its covariances and means what it changes by when that one is moved up and down by its error. Sampled
expectations share their scramblings, whose deviations are added, not their sizes; for them, and quadratures of more
than two Gaussians, that change is taken at few points, all moved at once with fixed random signs. Expectations of one
law follow each other and share the factors that they sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from math import inf
from typing import Any, assert_never

import numpy as np
from numpy.typing import ArrayLike

from tensorprog.limits.estimates import Estimate, applied, multiplied, plain, summed, with_variances
from tensorprog.limits.expectations import METHODS, QUADRATURE, SAMPLING, average
from tensorprog.limits.expectations import Expectation as Average
from tensorprog.limits.gaussian import in_time
from tensorprog.limits.nested import Coordinates
from tensorprog.limits.sampling import Memory
from tensorprog.limits.scalars import (
    Affine,
    Equations,
    Expectation,
    Factor,
    Given,
    Mixed,
    Node,
    Number,
    Product,
    Rational,
    Scalar,
    Sum,
    Symbol,
    Value,
)
from tensorprog.readings.team import single

Core = tuple[tuple[Rational, int], ...]
"""A sum of nodes with coefficients."""
DRAWS = 3  # of random signs
FEW = 2**10  # points of a sequence, enough for what an error changes
STEP = 1e-3  # relative


def operands(node: Node) -> tuple[Value, ...]:
    """The nodes that a node reads."""
    match node:
        case Sum(terms):
            return tuple(x for _, x in terms)
        case Product(factors):
            return factors
        case Scalar(args=args):
            return args
        case Expectation(factors, covariance, mean, inner):
            return (*covariance, *mean, *(x for factor in (*inner, *factors) for x in _read(factor)))
        case Number() | Symbol():
            return ()
        case _:
            assert_never(node)


def _read(factor: Factor) -> list[Value]:
    """The scalars that a factor reads."""
    found: list[Value] = []
    for arg in factor.args:
        match arg:
            case Given(value):
                found.append(value)
            case Mixed(terms):
                found += [c for c, _, _ in terms]
            case Affine():
                pass
            case _:
                assert_never(arg)
    return found


def in_order(equations: Equations, nodes: Sequence[int]) -> list[int]:
    """Nodes, given operands first: expectations before all that reads them, those of one law together."""
    depth: dict[int, int] = {}
    keys: dict[int, tuple[Any, ...]] = {}
    laws: dict[Any, int] = {}
    for here in nodes:
        node = equations.nodes[here]
        below = max((depth[x] for x in operands(node) if x is not None), default=0)
        averaged = isinstance(node, Expectation)
        depth[here] = below + averaged
        law = laws.setdefault((node.covariance, node.mean), len(laws)) if isinstance(node, Expectation) else 0
        keys[here] = (depth[here], not averaged, law, here)
    return sorted(nodes, key=keys.__getitem__)


def reachable(equations: Equations, targets: Sequence[int]) -> list[int]:
    """The nodes that targets need, operands first."""
    found: set[int] = set()
    stack = list(targets)
    while stack:
        here = stack.pop()
        if here not in found:
            found.add(here)
            stack += [x for x in operands(equations.nodes[here]) if x is not None]
    return sorted(found)


@dataclass
class Evaluation:
    """The values of nodes for given symbols, computed as they are asked for.

    errors: of the symbols. followed: whether errors of operands are; where not, an error is that of the node itself.
    """

    equations: Equations
    symbols: Mapping[str, ArrayLike]
    points: int = 2**14
    deadline: float = inf
    errors: Mapping[str, ArrayLike] = field(default_factory=dict)
    followed: bool = True
    found: dict[int, Estimate] = field(default_factory=dict)

    def __call__(self, target: Value) -> Estimate:
        if target is None:
            return Estimate(0.0, 0.0)
        self.compute([target])
        found = self.found[target]
        return Estimate(found.value, found.whole_error, found.method)

    @single
    def compute(self, targets: Sequence[int]) -> None:
        """Fill `found` for these nodes and all that they need."""
        law, memory = None, Memory()
        for here in in_order(self.equations, reachable(self.equations, targets)):
            if here not in self.found:
                in_time(self.deadline)
                node = self.equations.nodes[here]
                if isinstance(node, Expectation) and law != (node.covariance, node.mean):
                    law, memory = (node.covariance, node.mean), {}
                self.found[here] = self._compute(node, memory)

    def _compute(self, node: Node, memory: Memory) -> Estimate:
        match node:
            case Number(value):
                return Estimate(float(value), 0.0)
            case Symbol(name):
                given = self.symbols[name], self.errors.get(name, 0.0)
                return Estimate(*(plain(np.asarray(x, dtype=np.float64)) for x in given))
            case Sum(terms):
                return summed([(float(c), self.found[x]) for c, x in terms], self.followed)
            case Product(factors):
                return multiplied([self.found[x] for x in factors], self.followed)
            case Scalar(function, order, args):
                return applied(function, order, [self._given(x) for x in args])
            case Expectation():
                return self._expectation(node, memory)
            case _:
                assert_never(node)

    def _given(self, value: Value) -> Estimate:
        return Estimate(0.0, 0.0) if value is None else self.found[value]

    def _expectation(self, node: Expectation, memory: Memory) -> Estimate:
        size = len(node.mean)
        builder = Coordinates(size, node.inner)
        factors = [builder.factor(factor) for factor in node.factors]
        entries = [self._given(x) for x in node.covariance]
        means = [self._given(x) for x in (*node.mean, *builder.constants)]
        entries = with_variances(entries)
        cores = [self._core(x) for x in (*node.covariance, *node.mean, *builder.constants)]
        whole = self._averaged(factors, size, entries, means, cores, memory)
        if size == 2 == len(means) and self.followed:
            return self._where_equal(whole, factors, entries, means)
        return whole

    def _averaged(
        self,
        factors: list[Any],
        size: int,
        entries: Sequence[Estimate],
        means: Sequence[Estimate],
        cores: Sequence[tuple[float, Core]],
        memory: Memory,
    ) -> Estimate:
        inputs = [*entries, *means]
        found = self._average(factors, [p.value for p in inputs], len(entries), memory)
        value, error = plain(found.value), plain(found.rounding)
        if self.followed:
            error = error + self._moved(found, factors, size, inputs, cores, len(entries))
        method = max([METHODS.index(found.method), *(p.method for p in inputs)])
        return Estimate(value, error, method, found.deviations)

    def _where_equal(
        self, whole: Estimate, factors: list[Any], entries: Sequence[Estimate], means: Sequence[Estimate]
    ) -> Estimate:
        """An average over two Gaussians; over one where they are equal to the last bit, errors too: they move together.

        Rounding may make covariances of different vectors equal: not those of the data (`symbols.average_of`), and
        later ones of two vectors have larger errors than the variances of either.
        """
        numbers = [np.asarray(p.value) for p in (*entries, *means)]
        one, both, other, mean, centre = numbers
        same = (one == both) & (both == other) & (mean == centre)
        first, middle, last = (np.asarray(p.whole_error) for p in entries)
        same &= (first == middle) & (middle == last)
        if not same.any() or whole.deviations is not None:
            return whole
        shape = np.broadcast_shapes(same.shape, np.shape(whole.value))
        same = np.broadcast_to(same, shape)

        def part(*parts: Estimate) -> Estimate:
            values, errors = (
                [np.broadcast_to(x, shape)[same] for x in y]
                for y in zip(*((p.value, p.whole_error) for p in parts), strict=True)
            )
            return Estimate(values[0], reduce(np.maximum, errors), max(p.method for p in parts))

        merged = [(function, order, (0,) * len(places)) for function, order, places in factors]
        cores = [(1.0, ((Fraction(1), k),)) for k in range(2)]
        found = self._averaged(merged, 1, [part(*entries)], [part(*means)], cores, {})
        value, error = (np.array(np.broadcast_to(x, shape)) for x in (whole.value, whole.error))
        value[same], error[same] = found.value, found.error
        return Estimate(plain(value), plain(error), max(whole.method, found.method))

    def _core(self, value: Value) -> tuple[float, Core]:
        """A node as ± a sum, which it moves with; the empty one is 0."""
        if value is None:
            return 1.0, ()
        node = self.equations.nodes[value]
        terms = node.terms if isinstance(node, Sum) else ((Fraction(1), value),)
        sign = 1 if terms[0][0] > 0 else -1
        return float(sign), tuple((sign * c, x) for c, x in terms)

    def _moved(
        self,
        found: Average,
        factors: list[Any],
        size: int,
        inputs: Sequence[Estimate],
        cores: Sequence[tuple[float, Core]],
        entries: int,
    ) -> Any:
        """What an expectation changes by when its covariances (the first `entries` inputs) and means have errors.

        cores: the sign and the node of each input.
        """
        errors = [p.whole_error for p in inputs]
        moving: dict[Core, list[tuple[int, float]]] = {}  # inputs that are ± one sum move together
        for k, (error, (sign, core)) in enumerate(zip(errors, cores, strict=True)):
            if np.any(error):
                moving.setdefault(core, []).append((k, sign))
        if not moving:
            return 0.0
        if found.method == SAMPLING or (size > 2 and found.method == QUADRATURE):
            return self._moved_together(factors, size, inputs, errors, entries)
        count = len(moving)
        ways = np.zeros((2 * count, len(inputs)))
        for row, group in enumerate(moving.values()):
            for k, sign in group:
                ways[2 * row : 2 * row + 2, k] = sign, -sign
        lead = (len(ways), *([1] * found.value.ndim))
        places = [p.value for p in inputs]
        for group in moving.values():
            error = reduce(np.maximum, [errors[k] for k, _ in group])
            for k, _ in group:
                places[k] = places[k] + ways[:, k].reshape(lead) * error
        places = [np.maximum(x, 0) if k in _variances(size) else x for k, x in enumerate(places)]
        values = self._average(factors, places, entries, {}).value
        change = np.abs(values - found.value).reshape(count, 2, *found.value.shape).max(1).sum(0)
        return plain(np.nan_to_num(change, nan=inf, posinf=inf))

    def _moved_together(
        self, factors: list[Any], size: int, inputs: Sequence[Estimate], errors: Sequence[Any], entries: int
    ) -> Any:
        """The same at few points, of which the average is known to the root of their number only: by a difference
        quotient over a thousandth of the scale, or over the errors where these are larger."""
        largest = reduce(np.maximum, [np.asarray(inputs[k].value) for k in _variances(size)])
        scales = [largest if k < entries else np.sqrt(largest) + np.abs(p.value) for k, p in enumerate(inputs)]
        moving = [k for k, error in enumerate(errors) if np.any(error)]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = [np.where(np.asarray(errors[k]) == 0, 0, errors[k] / scales[k]) for k in moving]
        relative = reduce(np.maximum, ratios)
        step = np.maximum(relative, STEP)
        signs = np.random.default_rng(len(moving)).choice([-1.0, 1.0], (DRAWS, len(inputs)))
        signs = np.concatenate([np.zeros((1, len(inputs))), signs])
        lead = (len(signs), *([1] * max(np.ndim(p.value) for p in inputs)))
        places = [p.value for p in inputs]
        for k in moving:
            places[k] = places[k] + signs[:, k].reshape(lead) * (step * scales[k])
        places = [np.maximum(x, 0) if k in _variances(size) else x for k, x in enumerate(places)]
        values = self._average(factors, places, entries, {}, few=True).value
        change = relative / step * np.sqrt(len(moving) * ((values[1:] - values[0]) ** 2).mean(0))
        return plain(np.nan_to_num(change, nan=inf, posinf=inf))

    def _average(
        self, factors: list[Any], places: Sequence[Any], entries: int, memory: Memory, few: bool = False
    ) -> Average:
        """The expectation at these covariances, of which there are `entries`, and means; sampled at few points."""
        arrays = [np.asarray(x) for x in places]
        shape = np.broadcast_shapes(*(x.shape for x in arrays))
        count = len(places) - entries
        pairs = [(j, i) for i in range(count) for j in range(i + 1)]
        constant = [np.zeros(())] * (len(pairs) - entries)  # the coordinates behind the Gaussians
        covariance = dict(zip(pairs, [*arrays[:entries], *constant], strict=True))
        if few:
            return average(factors, shape, covariance, arrays[entries:], min(FEW, self.points), memory, SAMPLING)
        return average(factors, shape, covariance, arrays[entries:], self.points, memory)


def _variances(size: int) -> list[int]:
    """Where they stand in a lower triangle, row by row."""
    return [i * (i + 3) // 2 for i in range(size)]

"""Numbers for scalar equations: every node once, vectorised over whatever shapes the symbols have.

Errors are first-order estimates: those of the operands pass through sums and products; an expectation adds its own, and
what it changes by when its covariances and means are moved by their errors, with fixed random signs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tensorprog.functions import Function
from tensorprog.limits.expectations import METHODS, expectation
from tensorprog.limits.gaussian import in_time
from tensorprog.limits.nested import Coordinates
from tensorprog.limits.scalars import (
    Equations,
    Expectation,
    Factor,
    Given,
    Mixed,
    Node,
    Number,
    Product,
    Scalar,
    Sum,
    Symbol,
    Value,
)

Array = NDArray[np.float64]
EPS = float(np.finfo(float).eps)
NOTICEABLE = 1e-11  # relative errors of covariances below this are rounding, and not followed through expectations


@dataclass(frozen=True, slots=True)
class Estimate:
    """Value, absolute error, and how it was found; floats where all symbols are, which is many times faster."""

    value: Any
    error: Any
    method: int = 0


def operands(node: Node) -> tuple[Value, ...]:
    """The nodes that a node reads."""
    match node:
        case Sum(terms):
            return tuple(x for _, x in terms)
        case Product(factors):
            return factors
        case Scalar(args=args):
            return args
        case Expectation(factors, covariance, mean):
            return (*covariance, *mean, *(x for factor in factors for x in _inside(factor)))
        case _:
            return ()


def _inside(factor: Factor) -> list[Value]:
    found: list[Value] = []
    for arg in factor.args:
        if isinstance(arg, Given):
            found.append(arg.value)
        elif isinstance(arg, Mixed):
            for c, _, factors in arg.terms:
                found += [c, *(x for inner in factors for x in _inside(inner))]
    return found


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
    """The values of nodes for given symbols, computed as they are asked for."""

    equations: Equations
    symbols: Mapping[str, ArrayLike]
    points: int = 2**14
    deadline: float = inf
    errors: Mapping[str, float] = field(default_factory=dict)
    found: dict[int, Estimate] = field(default_factory=dict)

    def __call__(self, target: Value) -> Estimate:
        if target is None:
            return Estimate(0.0, 0.0)
        for here in reachable(self.equations, [target]):
            if here not in self.found:
                in_time(self.deadline)
                self.found[here] = self._compute(self.equations.nodes[here])
        return self.found[target]

    def _compute(self, node: Node) -> Estimate:
        match node:
            case Number(value):
                return Estimate(float(value), 0.0)
            case Symbol(name):
                return Estimate(_plain(np.asarray(self.symbols[name], dtype=np.float64)), self.errors.get(name, 0.0))
            case Sum(terms):
                return _sum([(float(c), self.found[x]) for c, x in terms])
            case Product(factors):
                return _product([self.found[x] for x in factors])
            case Scalar(function, order, args):
                return _applied(function, order, [self._given(x) for x in args])
            case Expectation():
                return self._expectation(node)

    def _given(self, value: Value) -> Estimate:
        return Estimate(0.0, 0.0) if value is None else self.found[value]

    def _expectation(self, node: Expectation) -> Estimate:
        size = len(node.mean)
        builder = Coordinates(size)
        factors = [builder.factor(factor) for factor in node.factors]
        entries = [self._given(x) for x in node.covariance]
        means = [self._given(x) for x in (*node.mean, *builder.constants)]
        inputs = [*entries, *means]
        value, error, method = self._average(factors, size, entries, means, 0.0)
        scale = max(float(np.max(p.error / (abs(p.value) + 1e-300), initial=0)) for p in inputs) if inputs else 0.0
        if scale > NOTICEABLE:
            signs = np.random.default_rng(len(inputs)).choice([-1.0, 1.0], len(inputs))
            moved, _, _ = self._average(factors, size, entries, means, signs)
            error = error + 2 * np.abs(moved - value)
        return Estimate(value, error, max([method, *(p.method for p in inputs)]))

    def _average(
        self, factors: list[Any], size: int, entries: Sequence[Estimate], means: Sequence[Estimate], signs: Any
    ) -> tuple[Any, Any, int]:
        inputs = [*entries, *means]
        moved = [p.value + s * p.error for p, s in zip(inputs, np.broadcast_to(signs, len(inputs)), strict=True)]
        shape = np.broadcast_shapes(*(np.shape(x) for x in moved))
        covariance = np.zeros((*shape, len(means), len(means)))
        pairs = [(i, j) for i in range(size) for j in range(i + 1)]
        for (i, j), x in zip(pairs, moved, strict=False):
            covariance[..., i, j] = covariance[..., j, i] = x
        mean = None
        if any(np.any(p.value) for p in means):
            mean = np.stack([np.broadcast_to(x, shape) for x in moved[len(entries) :]], axis=-1)
        found = expectation(factors, covariance, mean, points=self.points)
        return _plain(found.value), _plain(found.error), METHODS.index(found.method)


def _plain(array: Array) -> Any:
    """A float where it is one number."""
    return array.item() if array.ndim == 0 else array


def _sum(parts: Sequence[tuple[float, Estimate]]) -> Estimate:
    value = error = 0.0
    for c, p in parts:
        value = value + c * p.value
        error = error + abs(c) * (p.error + EPS * abs(p.value))
    return Estimate(value, error, max(p.method for _, p in parts))


def _product(parts: Sequence[Estimate]) -> Estimate:
    value, error = parts[0].value, parts[0].error
    for p in parts[1:]:
        error = abs(p.value) * error + abs(value) * p.error
        value = value * p.value
    return Estimate(value, error + EPS * abs(value), max(p.method for p in parts))


def _applied(function: Function, order: tuple[int, ...], args: Sequence[Estimate]) -> Estimate:
    values = [p.value for p in args]
    value: Any = _plain(function.evaluate(order, *values))
    error = EPS * abs(value)
    for i, p in enumerate(args):
        slope = function.evaluate(tuple(k + (i == j) for j, k in enumerate(order)), *values)
        error = error + abs(slope) * p.error
        if function.smoothness is not None:  # a jump within the error
            up, down = ([*values[:i], p.value + e, *values[i + 1 :]] for e in (p.error, -p.error))
            error = error + abs(function.evaluate(order, *up) - function.evaluate(order, *down))
    return Estimate(value, error, max(p.method for p in args))

"""Numbers for scalar equations: every node once, vectorised over whatever shapes the symbols have.

Errors are first-order estimates: those of the operands pass through sums and products; an expectation adds its own, and
what it changes by when its covariances and means are moved by their errors, with fixed random signs. Sampled
expectations share their scramblings, whose deviations are added, not their sizes. Expectations of one law follow each
other and share the factors that they sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tensorprog.functions import Function
from tensorprog.limits.expectations import METHODS, average
from tensorprog.limits.expectations import Expectation as Average
from tensorprog.limits.gaussian import in_time
from tensorprog.limits.nested import Coordinates
from tensorprog.limits.sampling import Memory, standard_errors
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
    """Value, absolute error, and how it was found; floats where all symbols are, which is many times faster.

    deviations: of every scrambling on a last axis, where some operand was sampled. Their part is not in the error, but
    for what an `Evaluation` returns.
    """

    value: Any
    error: Any
    method: int = 0
    deviations: Array | None = None

    @property
    def whole_error(self) -> Any:
        """The error with three standard errors of the sampling."""
        return self.error if self.deviations is None else _plain(self.error + standard_errors(self.deviations))


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
        case _:
            return ()


def _read(factor: Factor) -> list[Value]:
    """The scalars that a factor reads."""
    found: list[Value] = []
    for arg in factor.args:
        if isinstance(arg, Given):
            found.append(arg.value)
        elif isinstance(arg, Mixed):
            found += [c for c, _, _ in arg.terms]
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
        law, memory = None, Memory()
        for here in in_order(self.equations, reachable(self.equations, [target])):
            if here not in self.found:
                in_time(self.deadline)
                node = self.equations.nodes[here]
                if isinstance(node, Expectation) and law != (node.covariance, node.mean):
                    law, memory = (node.covariance, node.mean), {}
                self.found[here] = self._compute(node, memory)
        found = self.found[target]
        return Estimate(found.value, found.whole_error, found.method)

    def _compute(self, node: Node, memory: Memory) -> Estimate:
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
                return self._expectation(node, memory)

    def _given(self, value: Value) -> Estimate:
        return Estimate(0.0, 0.0) if value is None else self.found[value]

    def _expectation(self, node: Expectation, memory: Memory) -> Estimate:
        size = len(node.mean)
        builder = Coordinates(size, node.inner)
        factors = [builder.factor(factor) for factor in node.factors]
        entries = [self._given(x) for x in node.covariance]
        means = [self._given(x) for x in (*node.mean, *builder.constants)]
        inputs = [*entries, *means]
        found = self._average(factors, size, entries, means, memory)
        value, error = _plain(found.value), _plain(found.rounding)
        scale = max((float(np.max(p.whole_error / (abs(p.value) + 1e-300), initial=0)) for p in inputs), default=0.0)
        if scale > NOTICEABLE:
            signs = np.random.default_rng(len(inputs)).choice([-1.0, 1.0], len(inputs))
            moved = self._average(factors, size, entries, means, memory, signs)
            error = error + 2 * np.abs(moved.value - value)
        method = max([METHODS.index(found.method), *(p.method for p in inputs)])
        return Estimate(value, error, method, found.deviations)

    def _average(
        self,
        factors: list[Any],
        size: int,
        entries: Sequence[Estimate],
        means: Sequence[Estimate],
        memory: Memory,
        signs: Array | None = None,
    ) -> Average:
        """The expectation, its covariances and means moved by their errors times signs."""
        inputs = [*entries, *means]
        moved = [p.value for p in inputs]
        if signs is not None:
            moved = [p.value + s * p.whole_error for p, s in zip(inputs, signs, strict=True)]
        arrays = [np.asarray(x) for x in moved]
        arrays[: len(entries)] = _with_variances(entries, arrays[: len(entries)])
        shape = np.broadcast_shapes(*(x.shape for x in arrays))
        pairs = [(j, i) for i in range(len(means)) for j in range(i + 1)]
        constant = [np.zeros(())] * (len(pairs) - len(entries))  # the coordinates behind the Gaussians
        covariance = dict(zip(pairs, [*arrays[: len(entries)], *constant], strict=True))
        return average(factors, shape, covariance, arrays[len(entries) :], self.points, memory)


def _with_variances(entries: Sequence[Estimate], arrays: list[Array]) -> list[Array]:
    """A covariance, lower triangle row by row; a variance negative by less than its error is 0, with all its row.

    Such is that of a vector that vanishes identically, as a sum of terms that cancel.
    """
    found = list(arrays)
    rows = [(i, i * (i + 3) // 2) for i in range(len(arrays)) if i * (i + 3) // 2 < len(arrays)]
    for i, diagonal in rows:
        reach = np.asarray(entries[diagonal].whole_error)
        zero = (arrays[diagonal] < 0) & (arrays[diagonal] >= -2 * reach)  # twice: it may have been moved by it
        if zero.any():
            for j, _ in rows:
                place = max(i, j) * (max(i, j) + 1) // 2 + min(i, j)
                found[place] = np.where(zero, 0.0, found[place])
    return found


def _plain(array: Array) -> Any:
    """A float where it is one number."""
    return array.item() if array.ndim == 0 else array


def _sum(parts: Sequence[tuple[float, Estimate]]) -> Estimate:
    value = error = 0.0
    deviations = None
    for c, p in parts:
        value = value + c * p.value
        error = error + abs(c) * (p.error + EPS * abs(p.value))
        deviations = _added(deviations, c, p.deviations)
    return Estimate(value, error, max(p.method for _, p in parts), deviations)


def _product(parts: Sequence[Estimate]) -> Estimate:
    value, error, deviations = parts[0].value, parts[0].error, parts[0].deviations
    for p in parts[1:]:
        error = abs(p.value) * error + abs(value) * p.error
        deviations = _added(_added(None, p.value, deviations), value, p.deviations)
        value = value * p.value
    return Estimate(value, error + EPS * abs(value), max(p.method for p in parts), deviations)


def _added(whole: Array | None, scale: Any, deviations: Array | None) -> Array | None:
    """whole + scale · deviations."""
    if deviations is None:
        return whole
    more = np.asarray(scale)[..., None] * deviations
    return more if whole is None else whole + more


def _applied(function: Function, order: tuple[int, ...], args: Sequence[Estimate]) -> Estimate:
    values = [p.value for p in args]
    value: Any = _plain(function.evaluate(order, *values))
    error = EPS * abs(value)
    deviations = None
    for i, p in enumerate(args):
        slope = function.evaluate(tuple(k + (i == j) for j, k in enumerate(order)), *values)
        error = error + abs(slope) * p.error
        deviations = _added(deviations, slope, p.deviations)
        if function.smoothness is not None:  # a jump within the error
            reach = p.whole_error
            up, down = ([*values[:i], p.value + e, *values[i + 1 :]] for e in (reach, -reach))
            error = error + abs(function.evaluate(order, *up) - function.evaluate(order, *down))
    return Estimate(value, error, max(p.method for p in args), deviations)

"""A limit and its errors at many pairs of inputs: in blocks, errors by rows and columns; or pair by pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tensorprog.errors import ProgramError
from tensorprog.limits.envelopes import Envelope, Envelopes, Seen, UnboundedError, sides
from tensorprog.limits.estimates import EPS, Estimate
from tensorprog.limits.evaluate import Evaluation, operands, reachable
from tensorprog.limits.expectations import METHODS, SAMPLING
from tensorprog.limits.gaussian import UndecidedLimit
from tensorprog.limits.interpreter import Interpreter
from tensorprog.limits.scalars import Expectation, Symbol
from tensorprog.limits.symbols import average_of, constant_values, data_values
from tensorprog.limits.terms import written
from tensorprog.program import Input, Program, ancestors
from tensorprog.readings.derive import proved_sizes
from tensorprog.readings.team import Team, blas, cores

Array = NDArray[np.float64]
BLOCK = 2**17  # entries of the matrix that one thread computes at a time
PAIRS = 2**12  # pairs of inputs that one thread computes at a time, errors followed
NEAR = 1e-6  # of 1 - |r|: pairs of inputs next to each other are taken by themselves where there are kinks


@dataclass(frozen=True, slots=True)
class Found:
    """Values and absolute errors, of one shape."""

    value: Array
    error: Array


class Entry:
    """The limit of a scalar program of two inputs, as a function of them; raises UndecidedLimit where it has none."""

    def __init__(self, program: Program) -> None:
        self.interpreter = Interpreter(program, proved_sizes(program))
        term = self.interpreter.limit(program.end)
        if term.is_missing:
            raise UndecidedLimit(
                "the kernel is random or unknown at its leading order: all that is proved is that it is "
                f"{written(term.rest)}, and no limit of it exists that this calculus can take"
            )
        if term.payload is not None and term.power > 0:
            raise ProgramError(f"the kernel grows like n^{term.power}; choose other learning rates")
        self.target = term.payload if term.power == 0 else None
        self.equations, self.data = self.interpreter.equations, self.interpreter.data
        self.names = sorted({name for group in self.data.grams.values() for name in group})
        self.second = {name for name in self.names if _reads_second(program, name)}
        self.constants = constant_values(self.interpreter)

    def vectors(self, one: Array, other: Array) -> dict[str, Array]:
        """Data vectors at x_0 = one and x_1 = other, (pairs, d0) each."""
        return data_values(self.interpreter.program, self.names, [one, other])

    def at(self, one: Array, other: Array, **constants: Array) -> Found:
        """At pairs of inputs (pairs, …), errors followed; constants have one value for each pair."""
        value, error = np.zeros((2, len(one)))
        if self.target is None:
            return Found(value, error)
        starts = range(0, len(one), PAIRS)

        def block(index: int) -> None:
            some = slice(starts[index], starts[index] + PAIRS)
            symbols, errors = self._symbols(one[some], other[some])
            for name, numbers in constants.items():
                symbols[name], errors[name] = numbers[some], 2 * EPS * np.abs(numbers[some])
            with np.errstate(all="ignore"):
                found = Evaluation(self.equations, symbols, errors=errors)(self.target)
            value[some] = found.value
            error[some] = np.where(np.isfinite(found.value), np.nan_to_num(found.error, nan=np.inf), np.inf)

        with Team(min(cores(), len(starts))) as team, blas().limit(limits=1, user_api="blas"):
            team.each(len(starts), block)
        return Found(value, error)

    def _symbols(self, one: Array, other: Array) -> tuple[dict[str, ArrayLike], dict[str, ArrayLike]]:
        vectors = self.vectors(one, other)
        symbols: dict[str, ArrayLike] = {**self.constants}
        errors: dict[str, ArrayLike] = {name: EPS * abs(x) for name, x in self.constants.items()}
        for symbol, group in self.data.grams.items():
            symbols[symbol] = average_of(vectors, group)
            sizes = average_of({name: np.abs(vectors[name]) for name in group}, group)
            errors[symbol] = rounding(one.shape[-1], group) * sizes
        return symbols, errors


def rounding(length: int, group: Sequence[str]) -> float:
    """The relative rounding error of an average of products of this many vectors, cancellation aside."""
    return EPS * (length / 2 + len(group) + 1)


class Blocks:
    """The limit at all rows and columns, blocks of rows shared by threads.

    Raises UnboundedError where errors by rows and columns are not enough.

    target: that of the entry, where it is no exact zero. symmetric: columns are rows, and only entries above the
    diagonal, with it, are computed.
    """

    def __init__(self, entry: Entry, target: int, rows: Array, columns: Array, symmetric: bool) -> None:
        self.entry, self.target = entry, target
        self.rows, self.columns, self.symmetric = rows, columns, symmetric
        self.equations = entry.equations
        self.nodes = reachable(self.equations, [target])
        self.crossed = [x for x, group in entry.data.grams.items() if len({y in entry.second for y in group}) == 2]
        self.reads = self._dependence()
        self.mixed = {x for x in self.nodes if self.reads[x] == {0, 1}}
        self.averages = {x: node for x in self.mixed if isinstance(node := self.equations.nodes[x], Expectation)}
        self.kinked = {x for x, node in self.averages.items() if self._check(node)}
        left, right = entry.vectors(rows, rows), entry.vectors(columns, columns)
        self.values = {name: right[name] if name in entry.second else left[name] for name in entry.names}

    def _dependence(self) -> dict[int, set[int]]:
        """Which inputs a node depends on."""
        grams, second = self.entry.data.grams, self.entry.second
        found: dict[int, set[int]] = {}
        for here in self.nodes:
            node = self.equations.nodes[here]
            if isinstance(node, Symbol):
                found[here] = {int(name in second) for name in grams.get(node.name, ())}
            else:
                found[here] = set().union(*(found[x] for x in operands(node) if x is not None))
        return found

    def _check(self, node: Expectation) -> bool:
        """Whether an average over both inputs has kinks; raises UnboundedError where it is not that of f(u) g(v)."""
        one, other = sides(node)
        lone = [*(node.covariance[k] for k in (0, 2)), *node.mean]
        read = [set[int]() if x is None else self.reads[x] for x in lone]
        if any(len(x) == 2 for x in read) or read[0] | read[2] == {0, 1} == read[1] | read[3]:
            raise UnboundedError
        return one[0].smoothness is not None or other[0].smoothness is not None

    def __call__(self) -> tuple[Array, Envelope, NDArray[np.intp]]:
        """Values, a bound on the errors, and the pairs (k, 2) that are too near to each other for it."""
        shape = len(self.rows), len(self.columns)
        result = np.empty(shape)
        step = max(1, BLOCK // shape[1])
        starts = range(0, shape[0], step)
        seen = {x: (np.zeros((shape[0], 1)), np.zeros((1, shape[1])), [0.0]) for x in self.averages}
        near: list[NDArray[np.intp]] = []
        lone = self._lone()

        def block(index: int) -> dict[int, tuple[Array, float]]:
            part = slice(starts[index], starts[index] + step)
            rest = slice(starts[index] if self.symmetric else 0, None)
            symbols = self._symbols(part, rest)
            if self.kinked:
                near.extend(self._near(symbols, part, rest))
            known = {x: self._part(x, found, part, rest) for x, found in lone.items()}
            run = Evaluation(self.equations, symbols, followed=False, found=known)
            found = run(self.target)
            if METHODS[found.method] == SAMPLING:
                raise UnboundedError
            result[part, rest] = found.value
            if self.symmetric:
                result[rest, part] = result[part, rest].T
            columns: dict[int, tuple[Array, float]] = {}
            for x in self.averages:
                error = np.broadcast_to(run.found[x].error, result[part, rest].shape)
                seen[x][0][part, 0] = error.max(1)
                columns[x] = error.max(0), self._correlation(x, run) if x in self.kinked else 0.0
            return columns

        with Team(min(cores(), len(starts))) as team, blas().limit(limits=1, user_api="blas"):
            for start, columns in zip(starts, team.each(len(starts), block), strict=True):
                rest = slice(start if self.symmetric else 0, None)
                for x, (most, correlation) in columns.items():
                    np.maximum(seen[x][1][0, rest], most, out=seen[x][1][0, rest])
                    seen[x][2].append(correlation)
        told = {x: Seen(Envelope(np.sqrt(a), np.sqrt(b)), max(c)) for x, (a, b, c) in seen.items()}
        pairs = np.concatenate(near) if near else np.zeros((0, 2), dtype=np.intp)
        return result, self._envelope(told, lone), pairs

    def _symbols(self, part: slice, rest: slice) -> dict[str, ArrayLike]:
        """(rows, 1), (1, columns) or (rows, columns) by which inputs a symbol reads; constants are numbers."""
        found: dict[str, ArrayLike] = {**self.entry.constants}
        for symbol in self.crossed:
            left, right = self._halves(symbol, part, rest)
            found[symbol] = left @ right.T / self.rows.shape[-1]
        return found

    def _lone(self) -> dict[int, Estimate]:
        """What depends on one input only, at all rows (rows, 1) or all columns (1, columns)."""
        symbols: dict[str, ArrayLike] = {**self.entry.constants}
        errors: dict[str, ArrayLike] = {name: EPS * abs(x) for name, x in self.entry.constants.items()}
        for symbol, group in self.entry.data.grams.items():
            if symbol not in self.crossed:
                left, right = self._halves(symbol, slice(0, None), slice(0, None))
                axis = int(not any(name in self.entry.second for name in group))
                sizes = (left * right).mean(1), rounding(left.shape[1], group) * np.abs(left * right).mean(1)
                symbols[symbol], errors[symbol] = (np.expand_dims(x, axis) for x in sizes)
        run = Evaluation(self.equations, symbols, errors=errors)
        run.compute([x for x in self.nodes if x not in self.mixed])
        return run.found

    def _part(self, node: int, found: Estimate, part: slice, rest: slice) -> Estimate:
        """Such a value at a block."""

        def cut(array: Any) -> Any:
            for axis, some in enumerate((part, rest)):
                if np.ndim(array) > axis and axis in self.reads[node] and array.shape[axis] > 1:
                    array = array[(slice(None),) * axis + (some,)]
            return array

        return replace(found, value=cut(found.value), error=cut(found.error), deviations=cut(found.deviations))

    def _halves(self, symbol: str, part: slice, rest: slice) -> tuple[Array, Array]:
        """The products of a symbol's vectors of rows (rows, d0), and of columns (columns, d0); ones for none."""
        left: Array = np.ones((1, self.rows.shape[-1]))
        right: Array = np.ones((1, self.rows.shape[-1]))
        for name in self.entry.data.grams[symbol]:
            if name in self.entry.second:
                right = right * self.values[name][rest]
            else:
                left = left * self.values[name][part]
        return left, right

    def _sizes(self, symbol: str, part: slice, rest: slice) -> tuple[Array, Array]:
        """The root mean squares of these."""
        left, right = self._halves(symbol, part, rest)
        return np.sqrt((left**2).mean(1))[:, None], np.sqrt((right**2).mean(1))[None]

    def _near(self, symbols: dict[str, ArrayLike], part: slice, rest: slice) -> list[NDArray[np.intp]]:
        """Pairs of nearly proportional vectors; their averages are 0 until they are taken by themselves."""
        found = []
        for symbol in self.crossed:
            array = np.asarray(symbols[symbol])
            left, right = self._sizes(symbol, part, rest)
            close = np.abs(array) >= (1 - NEAR) * left * right
            if close.any():
                symbols[symbol] = np.where(close, 0, array)
                found.append(np.argwhere(close) + np.array([part.start, rest.start]))
        return found

    def _correlation(self, node: int, run: Evaluation) -> float:
        """The largest |r| in an average of f(u) g(v)."""
        one, both, other = self.averages[node].covariance
        if one is None or both is None or other is None:
            return 0.0
        a, b = (np.asarray(run.found[x].value) for x in (one, other))
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = np.abs(run.found[both].value) / np.sqrt(a) / np.sqrt(b)
        return float(np.nan_to_num(scaled, nan=0, posinf=0).max(initial=0))

    def _envelope(self, seen: dict[int, Seen], lone: dict[int, Estimate]) -> Envelope:
        whole = slice(0, None)
        crossed: dict[str, tuple[Envelope, Envelope]] = {}
        for symbol in self.crossed:
            size = Envelope(*self._sizes(symbol, whole, whole))
            factor = rounding(self.rows.shape[-1], self.entry.data.grams[symbol])
            crossed[symbol] = size, Envelope(factor * size.left, size.right)
        return Envelopes(self.equations, lone, crossed, seen)(self.nodes, self.mixed)[1]


def _reads_second(program: Program, name: str) -> bool:
    """Whether a data vector depends on the second input; those of both are refused."""
    nodes = (program.nodes[x] for x in ancestors(program.nodes, [name]))
    read = {node.index for node in nodes if isinstance(node, Input)}
    if len(read) > 1:
        raise ProgramError(f"the data vector {name!r} mixes two inputs; kernels are for networks of one input")
    return read == {1}

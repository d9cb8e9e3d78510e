"""Kernel matrices of infinitely wide networks over a data set, from the limit of one pair of inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tensorprog.errors import DataError, ProgramError
from tensorprog.limits.evaluate import Evaluation
from tensorprog.limits.interpreter import Interpreter
from tensorprog.limits.symbols import constant_values, data_values
from tensorprog.limits.terms import Term
from tensorprog.passes import correlation
from tensorprog.passes.gradient import adjoints, contract, gradient
from tensorprog.program import Builder, Input, LinComb, Moment, Multiply, Output, Parameter, Program, ancestors
from tensorprog.program.instructions import Instruction
from tensorprog.readings import check_data, check_gaussian
from tensorprog.readings.derive import proved_sizes
from tensorprog.readings.team import Team, blas, cores

Array = NDArray[np.float64]
KINDS = ("nngp", "ntk")
BLOCK = 2**17  # entries of the matrix that one thread computes at a time


def kernel(program: Program, X: ArrayLike, X2: ArrayLike | None = None, which: str = "ntk") -> Array:
    """The infinite-width kernel of a network, between all rows of X and of X2 (X itself by default).

    Parameters
    ----------
    program: from `tp.trace`, with any number of inputs. X, X2: (m, d0) or (m, positions, d0), any number of rows.
    which: "ntk", Σ_P ∇_P F(x)·∇_P F(x') over trainable parameters at η = 1 (Jacot et al., arXiv 1806.07572), or
        "nngp", the covariance of F(x) and F(x') (Lee et al., arXiv 1711.00165).

    Returns (m, m2), float64.

    Raises DataError for data that do not fit, ProgramError when the kernel has no finite limit, or none the calculus
    can take.
    """
    if which not in KINDS:
        raise ProgramError(f"which={which!r} is not one of {', '.join(KINDS)}")
    check_gaussian(program)
    pair = paired(program)
    first = check_data(pair, _two(X, "X"))
    second = first if X2 is None else check_data(pair, _two(X2, "X2"))
    if first.shape[1:] != second.shape[1:]:
        raise DataError(f"rows of X have the shape {first.shape[1:]}, those of X2 {second.shape[1:]}")
    rows = np.asarray(X, dtype=np.float64)
    columns = rows if X2 is None else np.asarray(X2, dtype=np.float64)
    target = correlation(pair, 0, 1) if which == "ntk" else _covariance(pair)
    interpreter = Interpreter(target, proved_sizes(target))
    return _Matrix(interpreter, interpreter.limit(target.end), rows, columns)()


def paired(program: Program) -> Program:
    """The program at two inputs, x_0 and x_1, whatever number was traced."""
    one = program.at(0)
    nodes: dict[str, Instruction] = {
        name: replace(node, index=1) if isinstance(node, Input) else node for name, node in one.nodes.items()
    }
    builder = Builder(one)
    names = builder.include(Program(nodes, one.outputs))
    target = one.target(0)
    return builder.build({"F0": Output(target, 0), "F1": Output(names[target], 1)})


def _two(X: ArrayLike, name: str) -> Array:
    """At least two rows, as a pair reads them; the rest of the check is that of any data."""
    array = np.asarray(X, dtype=np.float64)
    if array.ndim not in (2, 3) or not len(array):
        raise DataError(f"{name} has the shape {array.shape}; give (m, d0), or (m, positions, d0) for sequences")
    return array if len(array) > 1 else np.concatenate([array, array])


def _covariance(pair: Program) -> Program:
    """Σ over the parameters in which F is linear, and which enter nothing else, of ∂F(x_0)·∂F(x_1): E[F F']."""
    targets = [pair.target(0), pair.target(1)]
    builder = Builder(every_parameter(pair))
    one, other = (gradient(builder, target, adjoints(builder, target)) for target in targets)
    last = dict.fromkeys(_last(pair.nodes, targets[0]))
    parts = [contract(builder, name, a, b) for name in last for a in one.terms[name] for b in other.terms[name]]
    return builder.build({"K": builder.add(*parts) or builder.zero()})


def every_parameter(program: Program) -> Program:
    """The program with all parameters trainable at equal rates: gradients then are those by the Gaussians."""
    nodes: dict[str, Instruction] = {
        name: replace(node, trainable=True, c=Fraction(0)) if isinstance(node, Parameter) else node
        for name, node in program.nodes.items()
    }
    return Program(nodes, program.outputs)


def _last(nodes: Mapping[str, Instruction], target: str) -> list[str]:
    """The parameters P of F = Σ_P ⟨P, y_P⟩ n^…, read off its last instructions."""
    node = nodes[target]
    match node:
        case LinComb(terms):
            return [name for _, x in terms for name in _last(nodes, x)]
        case Multiply(args) if len(random := [x for x in args if _is_random(nodes, x)]) == 1:
            return _last(nodes, random[0])
        case Moment(args):
            found = [x for x in args if isinstance(nodes[x], Parameter)]
        case Parameter():
            found = [target]
        case _:
            found = []
    if len(found) != 1:
        raise ProgramError(
            f"the output is not linear in fresh Gaussian parameters (its part {target!r} is {node}), so its covariance "
            "is no limit kernel; end the network with tp.readout"
        )
    return found


def _is_random(nodes: Mapping[str, Instruction], name: str) -> bool:
    return any(isinstance(nodes[x], Parameter) for x in ancestors(nodes, [name]))


class _Matrix:
    """Evaluates one scalar limit for all pairs of rows, blocks of rows shared by threads."""

    def __init__(self, interpreter: Interpreter, found: Term[int], rows: Array, columns: Array) -> None:
        if found.power > 0:
            raise ProgramError(f"the kernel grows like n^{found.power}; choose other learning rates")
        self.interpreter, self.target = interpreter, found.payload if found.power == 0 else None
        self.rows, self.columns, self.symmetric = rows, columns, rows is columns
        program = interpreter.program
        names = sorted({name for group in interpreter.data.grams.values() for name in group})
        self.left = {name for name in names if not _reads_second(program, name)}
        self.values = {
            **data_values(program, sorted(self.left), [rows, rows]),
            **data_values(program, sorted(set(names) - self.left), [columns, columns]),
        }

    def __call__(self) -> Array:
        result = np.zeros((len(self.rows), len(self.columns)))
        if self.target is None:
            return result
        step = max(1, BLOCK // len(self.columns))
        starts = range(0, len(self.rows), step)

        def block(index: int) -> None:
            part = slice(starts[index], starts[index] + step)
            rest = slice(starts[index] if self.symmetric else 0, None)
            symbols = self._symbols(part, rest)
            result[part, rest] = Evaluation(self.interpreter.equations, symbols)(self.target).value
            if self.symmetric:
                result[rest, part] = result[part, rest].T

        with Team(min(cores(), len(starts))) as team, blas().limit(limits=1, user_api="blas"):
            team.each(len(starts), block)
        return result

    def _symbols(self, part: slice, rest: slice) -> dict[str, ArrayLike]:
        """(rows, 1), (1, columns) or (rows, columns) by which inputs a symbol reads; constants are numbers."""
        found: dict[str, ArrayLike] = {**constant_values(self.interpreter)}
        for symbol, group in self.interpreter.data.grams.items():
            d0 = self.rows.shape[-1]
            left: Array = np.ones((1, d0))
            right: Array = np.ones((1, d0))
            for name in group:
                if name in self.left:
                    left = left * self.values[name][part]
                else:
                    right = right * self.values[name][rest]
            found[symbol] = left @ right.T / d0
        return found


def _reads_second(program: Program, name: str) -> bool:
    """Whether a data vector depends on the second input; those of both are refused."""
    nodes = (program.nodes[x] for x in ancestors(program.nodes, [name]))
    read = {node.index for node in nodes if isinstance(node, Input)}
    if len(read) > 1:
        raise ProgramError(f"the data vector {name!r} mixes two inputs; kernels are for networks of one input")
    return read == {1}

"""The instructions of a tensor program: a small closed set.

Everything else is composed: a softmax is `exp`, a sum and a power; an outer product is never formed.
Operands are names of earlier nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import assert_never, get_args

from tensorprog.errors import ProgramError
from tensorprog.functions import Function
from tensorprog.program.types import Coefficient, Width


@dataclass(frozen=True, slots=True)
class Input:
    """Real data of dimension d0: row `index`, and `position` within it when inputs are sequences."""

    index: int
    position: int | None = None


GAUSSIAN = "gaussian"
LAWS = (GAUSSIAN, "rademacher", "uniform", "constant")
"""Of the entries of a parameter, with mean square 1: N(0, 1), random signs, uniform on [-√3, √3], all equal to 1."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A random parameter: a matrix, or a vector where one side is None, or a scalar where both are.

    Stored as iid entries w, N(0, 1) unless `law` says otherwise; the program uses  n^(-a) std r^(-1/2) w  with r the
    fan-in relative to n (cols.ratio), or d0 for a fan-in that does not grow, or 1 for none. Its learning rate is
    eta n^(-c). A readout has rows None, a bias cols None.
    """

    rows: Width | None
    cols: Width | None
    std: Fraction = Fraction(1)
    a: Fraction = Fraction(0)
    c: Fraction = Fraction(0)
    trainable: bool = True
    law: str = GAUSSIAN


@dataclass(frozen=True, slots=True)
class Free:
    """A free direction on a parameter, in the unit-variance coordinates w: an argument of the program (D = 2)."""

    parameter: str


@dataclass(frozen=True, slots=True)
class Constant:
    """The scalar value·n^power; with a width, the vector whose coordinates all equal it.

    A scalar with a `name`, such as sigma_w, has this value too, but limits keep it as a symbol.
    """

    coefficient: Coefficient
    width: Width | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class MatMul:
    """matrix · vector, or matrixᵀ · vector. (Yang: MatMul)"""

    matrix: str
    vector: str
    transpose: bool = False


@dataclass(frozen=True, slots=True)
class Apply:
    """The partial derivative of order `order` of `function`, at each coordinate; scalar operands broadcast.

    A scalar when every operand is one. (Yang: Nonlin⁺)
    """

    function: Function
    order: tuple[int, ...]
    args: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Multiply:
    """Coordinatewise product; scalar operands broadcast. A Nonlin⁺ with rules of its own."""

    args: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LinComb:
    """Sum of coefficient · operand; scalar operands broadcast against vectors. (Yang: LinComb)"""

    terms: tuple[tuple[Coefficient, str], ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """Average over coordinates of the product of the operands: (1/N) Σ_α Π_i x^i_α. (Yang: Moment)"""

    args: tuple[str, ...]


Instruction = Input | Parameter | Free | Constant | MatMul | Apply | Multiply | LinComb | Moment
INSTRUCTIONS = frozenset(get_args(Instruction))
"""A rule for something else, a subclass included, does not exist anywhere: `Program` and `Builder` refuse it."""


def operands(instruction: Instruction) -> tuple[str, ...]:
    """Names of the nodes an instruction reads, in argument order."""
    match instruction:
        case Multiply(args=args) | Moment(args=args) | Apply(args=args):
            return args
        case LinComb(terms=terms):
            return tuple([name for _, name in terms])
        case MatMul(matrix=matrix, vector=vector):
            return (matrix, vector)
        case Input() | Parameter() | Constant():
            return ()
        case Free(parameter=parameter):
            return (parameter,)
        case never:
            assert_never(never)


def parameter_at(nodes: Mapping[str, Instruction], name: str) -> Parameter:
    """The parameter of this name; raises ProgramError for a node that is none."""
    node = nodes[name]
    if not isinstance(node, Parameter):
        raise ProgramError(f"the node {name!r} is {node} where a parameter is needed; name a parameter")
    return node


def renamed(instruction: Instruction, name: Callable[[str], str]) -> Instruction:
    """The same instruction with every operand passed through `name`."""
    match instruction:
        case MatMul(matrix, vector, transpose):
            return MatMul(name(matrix), name(vector), transpose)
        case Apply(args=args) | Multiply(args) | Moment(args):
            return replace(instruction, args=tuple(map(name, args)))
        case LinComb(terms):
            return LinComb(tuple((c, name(x)) for c, x in terms))
        case Free(parameter):
            return Free(name(parameter))
        case Input() | Parameter() | Constant():
            return instruction
        case never:
            assert_never(never)


def ancestors(nodes: Mapping[str, Instruction], targets: tuple[str, ...] | list[str]) -> set[str]:
    """Every node that the targets depend on, themselves included."""
    seen: set[str] = set()
    stack = list(targets)
    while stack:
        name = stack.pop()
        if name not in seen:
            seen.add(name)
            stack.extend(operands(nodes[name]))
    return seen

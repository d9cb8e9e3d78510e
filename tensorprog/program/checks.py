"""Well-formedness: the type of every node, or an error that names the node and the remedy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import assert_never

from tensorprog.errors import ProgramError
from tensorprog.program.instructions import (
    INSTRUCTIONS,
    LAWS,
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
    operands,
)
from tensorprog.program.outputs import Measure, Output
from tensorprog.program.types import DATA, Coefficient, Matrix, Scalar, Type, Vector

LARGEST = Fraction(10) ** 100
"""Standard deviation: its square, and products of a few, have to be floating-point numbers."""
RESERVED = re.compile(r"n|t|E|limit|z\d+|[eL]_\d+|K_\w+")
"""Names that equations give to something else."""
SCALAR = Scalar()


def infer(name: str, instruction: Instruction, types: Mapping[str, Type]) -> Type:
    """The type of one node from the types of its operands; raises ProgramError when they do not fit."""
    if type(instruction) not in INSTRUCTIONS:
        known = ", ".join(sorted(kind.__name__ for kind in INSTRUCTIONS))
        raise ProgramError(
            f"node {name!r} is a {type(instruction).__name__}, which is no instruction of the language; compose it of "
            f"{known}"
        )
    for operand in operands(instruction):
        if operand not in types:
            raise ProgramError(
                f"node {name!r} reads {operand!r}, which is not defined before it; define it first or correct the name"
            )
    match instruction:
        case Input():
            return Vector(DATA)
        case Parameter(rows, cols, law=law):
            if law not in LAWS:
                raise ProgramError(f"the law of {name!r} is {law!r}; give one of {', '.join(LAWS)}")
            if not 1 / LARGEST <= instruction.std <= LARGEST:
                raise ProgramError(
                    f"the standard deviation of {name!r} is {_number(instruction.std)}; it must be positive, from "
                    "1e-100 to 1e100"
                )
            if rows is not None and cols is not None:
                return Matrix(rows, cols)
            side = rows or cols
            return SCALAR if side is None else Vector(side)
        case Free(parameter):
            return types[parameter]
        case Constant(width=width):
            return SCALAR if width is None else Vector(width)
        case MatMul():
            return _matmul(name, instruction, types)
        case Apply(function, order, args):
            if function.arity != len(args) or len(order) != len(args) or min(order) < 0:
                raise ProgramError(
                    f"node {name!r} applies {function.spec} of {function.arity} arguments, order {order}, to "
                    f"{len(args)}; give one operand and one derivative order an argument"
                )
            return _broadcast(name, args, types)
        case Multiply(args):
            return _broadcast(name, args, types)
        case LinComb(terms):
            return _broadcast(name, tuple(x for _, x in terms), types)
        case Moment(args):
            if isinstance(_broadcast(name, args, types), Scalar):
                raise ProgramError(
                    f"node {name!r} averages {', '.join(args)} over coordinates, but none of them is a vector: "
                    "a scalar where a vector is needed; drop the mean or pass a vector"
                )
            return SCALAR
        case never:
            assert_never(never)


def _number(value: Fraction) -> str:
    """A number in a few digits, whatever its size."""
    text = str(value)
    return text if len(text) <= 40 else f"{Decimal(value.numerator) / Decimal(value.denominator):.6g}"


def check_leaf(name: str, instruction: Instruction, nodes: Mapping[str, Instruction]) -> None:
    """Free directions are on parameters, one name of a constant has one value; raises ProgramError otherwise."""
    if isinstance(instruction, Free) and not isinstance(nodes.get(instruction.parameter), Parameter):
        raise ProgramError(
            f"node {name!r} is a free direction on {instruction.parameter!r}, which is no parameter; name a parameter"
        )
    if isinstance(instruction, Constant) and instruction.name is not None:
        _check_named(instruction.name, instruction, nodes)


def _check_named(symbol: str, constant: Constant, nodes: Mapping[str, Instruction]) -> None:
    if not symbol.isidentifier():
        raise ProgramError(f"{symbol!r} is no name for a symbol; use letters, digits and _, as in 'sigma_w'")
    if RESERVED.fullmatch(symbol):
        raise ProgramError(f"the name {symbol!r} has another meaning in the equations of limits; take another one")
    if constant.width is not None:
        raise ProgramError(f"the symbol {symbol!r} has the width {constant.width}; symbols are scalars, drop the width")
    if not constant.coefficient.value:
        raise ProgramError(f"the symbol {symbol!r} is 0; leave out what it multiplies, or use the number 0")
    for node in nodes.values():
        if isinstance(node, Constant) and node.name == symbol and node.coefficient != constant.coefficient:
            raise ProgramError(
                f"the symbol {symbol!r} is defined twice, as {node.coefficient} and as {constant.coefficient}; use one "
                "name for one value"
            )


def check_output(label: str, output: Output, types: Mapping[str, Type]) -> None:
    """Outputs are scalars at an input, or none; raises ProgramError for one that is not."""
    if type(output) is not Output or not isinstance(output.measure, Measure):
        raise ProgramError(
            f"output {label!r} is {output!r}; give the name of a scalar node, or an Output with a measure of "
            f"{', '.join(map(str, Measure))}"
        )
    name = output.node
    for what, number in (("input", output.input), ("component", output.component)):
        if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < 0):
            raise ProgramError(f"output {label!r} is of {what} {number!r}; give a number counted from 0, or None")
    if output.component is not None and output.input is None:
        raise ProgramError(f"output {label!r} is component {output.component} at no input; give the input as well")
    if name not in types:
        raise ProgramError(f"output {label!r} is {name!r}, which is not defined; correct the name")
    if not isinstance(types[name], Scalar):
        raise ProgramError(
            f"output {label!r} is node {name!r}, a {types[name]}, not a scalar; "
            "end with tp.readout('v', x) or tp.mean(x)"
        )


def check_slot(
    parameter: str,
    terms: Iterable[tuple[Coefficient, str, str | None]],
    nodes: Mapping[str, Instruction],
    types: Mapping[str, Type],
) -> None:
    """The sides of a slot have the shape of its parameter; raises ProgramError, naming the slot and the side."""
    node = nodes.get(parameter)
    if not isinstance(node, Parameter):
        raise ProgramError(f"slot of {parameter!r}, which is no parameter; name a parameter of the program")
    shape: list[Type] = [Vector(side) for side in (node.rows, node.cols) if side is not None] or [Scalar()]
    for _, *ends in terms:
        sides = [side for side in ends if side is not None]
        if len(sides) != len(shape):
            raise ProgramError(
                f"slot of {parameter!r}, a {types[parameter]}, has a term of {len(sides)} side(s); give {len(shape)}"
            )
        for side, wanted in zip(sides, shape, strict=True):
            if types.get(side) != wanted:
                found = types.get(side, "name that is not defined")
                raise ProgramError(f"slot of {parameter!r} reads {side!r}, a {found}; give a {wanted}")


def _matmul(name: str, instruction: MatMul, types: Mapping[str, Type]) -> Vector:
    matrix, vector = types[instruction.matrix], types[instruction.vector]
    if not isinstance(matrix, Matrix):
        raise ProgramError(f"node {name!r}: {instruction.matrix!r} is a {matrix}, a matrix is needed; multiply with *")
    if not isinstance(vector, Vector):
        raise ProgramError(
            f"node {name!r} multiplies {instruction.matrix!r} by {instruction.vector!r}: a {vector} where a vector is "
            "needed; pass a vector"
        )
    into, out = (matrix.rows, matrix.cols) if instruction.transpose else (matrix.cols, matrix.rows)
    if vector.width != into:
        mark = "ᵀ" if instruction.transpose else ""
        raise ProgramError(
            f"node {name!r} multiplies {instruction.matrix}{mark} ({out} x {into}) by {instruction.vector!r} of width "
            f"{vector.width}; use another weight name, transpose=, or width= so that both are {into}"
        )
    if not out.growing:
        raise ProgramError(
            f"node {name!r} maps back to the data dimension ({instruction.matrix!r} transposed); only vectors whose "
            "width grows with n may depend on parameters; use a square weight before the transpose"
        )
    return Vector(out)


def _broadcast(name: str, args: tuple[str, ...], types: Mapping[str, Type]) -> Type:
    if not args:
        raise ProgramError(f"node {name!r} has no operands; drop it or give it at least one")
    result: Type = SCALAR
    first = ""
    for arg in args:
        kind = types[arg]
        if kind is SCALAR or kind is result:
            continue
        if isinstance(kind, Matrix):
            raise ProgramError(f"node {name!r} uses the matrix {arg!r} as a vector; multiply it by a vector first")
        if isinstance(kind, Vector):
            if isinstance(result, Vector) and result != kind:
                raise ProgramError(
                    f"node {name!r} combines {first!r} of width {result.width} with {arg!r} of width {kind.width}; "
                    "bring both to one width with a weight"
                )
            result, first = kind, arg
    return result

"""The printable form of a program: one instruction a line, readable as mathematics.

    U = parameter n x d0, std 1, a 0, c 0
    v = parameter 1 x n, std 1, a 1/2, c 0
    in0 = input 0
    x1 = U @ in0
    x2 = erf(x1)
    s3 = mean(v * x2)
    s4 = n^1*s3
    output F0 = s4, input 0

| line | instruction |
|---|---|
| `W = parameter n x n, std 1, a 1/2, c 0` | Gaussian matrix, readout `1 x n`, bias `n x 1` or scalar `1 x 1` |
| `W = parameter n x n, std 1, a 1/2, c 0, frozen` | the same, not trainable |
| `W = parameter n x n, std 1, a 1/2, c 0, law rademacher` | the same with entries of another law |
| `in0_2 = input 0 position 2` | data row 0, at position 2 of a sequence |
| `dW = free W` | a free direction on W |
| `k = constant 1/2*n^1` | a scalar; with `, width n` the vector whose coordinates all equal it |
| `sigma_w = constant 3/2, symbol sigma_w` | a scalar that limits keep as a symbol |
| `x2 = W^T @ x1` | matrix, here transposed, times vector |
| `x3 = erf[2](x1)` | coordinatewise function, here its second derivative; `f[0,1](x, y)` for several arguments |
| `x5 = x2 * x3` | coordinatewise product |
| `x6 = 1/2*n^(-1/2)*x2 - x3` | linear combination; a single term keeps its coefficient, `1*x2` |
| `s1 = mean(x2 * x3)` | average over coordinates |
| `output F0 = s1, input 0` | a scalar that is returned, of the network at input 0; F0 is a label for people |
| `output F0.1 = s1, input 0, component 1` | the same for a network of several outputs |
| `output C = s1, value` | another scalar; `, squared norm` where samples are its root, `, operator` if it vanishes |
| `slot W: n^(-1)*x1 (x) x2 + x3 (x) x4` | the part of a free slot on W, a sum of outer products |

Widths are `n`, `2n`, `1/2n` and `d0`, the dimension of the data. Empty lines and lines that start with # are skipped.
An output line that ends with the node is one of version 0.2, which went by labels (F0, C squared).
Numbers are exact, so `read(write(program)) == program`. Reading executes nothing: functions come from
`parse_function`, which reads texts by a grammar of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import assert_never

from tensorprog.errors import ExpressionError, ProgramError, TensorProgramError
from tensorprog.functions import parse_function
from tensorprog.program.checks import check_leaf, check_output, check_slot, infer
from tensorprog.program.instructions import (
    GAUSSIAN,
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
from tensorprog.program.numerals import (
    FACTOR,
    RATIONAL,
    WIDTH,
    read_coefficient,
    read_fraction,
    read_integer,
    read_side,
    shown,
)
from tensorprog.program.outputs import Output, read_output, write_output
from tensorprog.program.program import Program, Slot
from tensorprog.program.types import Coefficient, Type

MAX_LENGTH = 1_000_000

NAME = r"[^\W\d][^\s=*@()+,:^\[\]\"'`;#<>/\\-]*"

PARAMETER = re.compile(
    rf"parameter (1|{WIDTH}) x (1|{WIDTH}), std ({RATIONAL}), a ({RATIONAL}), c ({RATIONAL})"
    r"(, frozen)?(?:, law ([a-z]+))?",
    re.ASCII,
)
INPUT = re.compile(r"input (\d+)(?: position (\d+))?", re.ASCII)
FREE = re.compile(rf"free ({NAME})")
CONSTANT = re.compile(rf"constant (?a:({FACTOR})(?:, width ({WIDTH}))?)(?:, symbol ({NAME}))?")
MATMUL = re.compile(rf"({NAME})(\^T)? @ ({NAME})")
MOMENT = re.compile(rf"mean\(({NAME}(?: \* {NAME})*)\)")
APPLY = re.compile(rf"(.+?)(?:\[(\d+(?:,\d+)*)\])?\(({NAME}(?:, {NAME})*)\)")
MULTIPLY = re.compile(rf"{NAME}(?: \* {NAME})*")
TERM = re.compile(rf"(-)?(?:({FACTOR})\*)?({NAME})")
OUTER = re.compile(rf"(-)?(?:({FACTOR})\*)?({NAME})(?: \(x\) ({NAME}))?")

OUTPUT_LINE = re.compile(rf"output (\S(?:[^=]*\S)?) = ({NAME})(?:, (.+))?")
SLOT_LINE = re.compile(rf"slot ({NAME}): (.+)")
NODE_LINE = re.compile(rf"({NAME}) = (.+)")
FORMS = (
    "'x = W @ y', 'x = erf(y)', 'x = y * z', 'x = 2*y + n^(-1)*z', 's = mean(y * z)', 'k = constant 1/2', "
    "'U = parameter n x d0, std 1, a 0, c 0', 'in0 = input 0', 'dW = free W', 'output F0 = s, input 0', "
    "'slot W: x (x) y'"
)


# -- writing


def write(program: Program) -> str:
    """The text of a program, ending with a newline; `read` gives the program back.

    Raises ProgramError for a name or label that no text can hold.

    >>> from tensorprog.program import Builder, n
    >>> b = Builder()
    >>> print(write(b.build({"F0": b.multiply(*[b.constant(n)] * 2)})), end="")
    s2 = constant n^2
    output F0 = s2, value
    """
    ends = [f"output {_label(label)} = {write_output(output)}" for label, output in program.outputs.items()]
    return "\n".join([*lines_of_nodes(program), *ends, *lines_of_slots(program)]) + "\n"


def lines_of_nodes(program: Program) -> list[str]:
    """One line an instruction; errors as `write`."""
    return [f"{_checked(name)} = {write_instruction(node)}" for name, node in program.nodes.items()]


def lines_of_slots(program: Program) -> list[str]:
    """One line a slot."""
    return [f"slot {slot.parameter}: {_write_slot(slot)}" for slot in program.slots]


def write_instruction(instruction: Instruction) -> str:
    """The right-hand side of one line, as in "erf[1](x2)"."""
    match instruction:
        case Input(index, position):
            return f"input {index}" if position is None else f"input {index} position {position}"
        case Parameter(rows, cols, std, a, c, trainable, law):
            marks = ("" if trainable else ", frozen", "" if law == GAUSSIAN else f", law {law}")
            return f"parameter {rows or 1} x {cols or 1}, std {std}, a {a}, c {c}{''.join(marks)}"
        case Free(parameter):
            return f"free {parameter}"
        case Constant(coefficient, width, name):
            marks = ("" if width is None else f", width {width}", "" if name is None else f", symbol {name}")
            return f"constant {coefficient}{''.join(marks)}"
        case MatMul(matrix, vector, transpose):
            return f"{matrix}{'^T' if transpose else ''} @ {vector}"
        case Apply(function, order, args):
            derivative = f"[{','.join(map(str, order))}]" if any(order) else ""
            return f"{function.spec}{derivative}({', '.join(args)})"
        case Multiply(args):
            return " * ".join(args)
        case LinComb(((coefficient, name),)):
            return f"{coefficient}*{name}"
        case LinComb(terms):
            return _write_sum([(c, name) for c, name in terms])
        case Moment(args):
            return f"mean({' * '.join(args)})"
        case never:
            assert_never(never)


def _write_sum(terms: list[tuple[Coefficient, str]]) -> str:
    text = ""
    for coefficient, name in terms:
        sign = "-" if coefficient.value < 0 else "+"
        size = Coefficient(abs(coefficient.value), coefficient.power)
        term = name if size == Coefficient() else f"{size}*{name}"
        text += f" {sign} {term}" if text else f"-{term}" if sign == "-" else term
    return text


def _write_slot(slot: Slot) -> str:
    if not slot.terms:
        return "0"
    return _write_sum([(c, left if right is None else f"{left} (x) {right}") for c, left, right in slot.terms])


def is_name(name: object) -> bool:
    """Whether a name can be written: letters, digits, _ and dots, as in "block1.W"."""
    return isinstance(name, str) and all(part.isidentifier() for part in name.split("."))


def _checked(name: str) -> str:
    if not is_name(name) or not re.fullmatch(NAME, name):
        raise ProgramError(f"{name!r} is no name for a node in a text; use letters, digits, _ and dots, as in 'x1'")
    return name


def _label(label: str) -> str:
    if not re.fullmatch(r"\S(?:[^=]*\S)?", label) or not label.isprintable():
        raise ProgramError(f"{label!r} is no label for an output in a text; use one line without '='")
    return label


# -- reading


def read(text: str) -> Program:
    """The program a text describes; nothing in the text is executed.

    Raises ExpressionError for a line outside the language and ProgramError for one that does not fit the lines
    before it: both name the line number, the line, and the remedy.

    >>> print(repr(read("in0 = input 0\\ns1 = mean(in0 * in0)\\noutput F0 = s1")))
    Program(2 nodes, 1 vectors, parameters ; outputs F0)
    """
    if not isinstance(text, str):
        raise ExpressionError(f"a program is read from a text, not from {type(text).__name__}; pass its content")
    nodes: dict[str, Instruction] = {}
    types: dict[str, Type] = {}
    outputs: dict[str, Output] = {}
    slots: list[Slot] = []
    for number, line in _lines(text):
        try:
            if found := OUTPUT_LINE.fullmatch(line):
                label = _label(found[1])
                _once(label, outputs, "output")
                _known(found[2], types)
                outputs[label] = read_output(label, found[2], found[3])
                check_output(label, outputs[label], types)
            elif found := SLOT_LINE.fullmatch(line):
                slot = _read_slot(_known(found[1], types), found[2], types)
                check_slot(slot.parameter, slot.terms, nodes, types)
                slots.append(slot)
            elif found := NODE_LINE.fullmatch(line):
                name = found[1]
                if not is_name(name):
                    raise ExpressionError(f"{name!r} is no name; use letters, digits, _ and dots")
                _once(name, nodes, "node")
                instruction = read_instruction(found[2])
                for operand in operands(instruction):
                    _known(operand, types)
                types[name] = infer(name, instruction, types)
                check_leaf(name, instruction, nodes)
                nodes[name] = instruction
            else:
                raise ExpressionError(f"not an instruction; write it as one of {FORMS}")
        except TensorProgramError as error:
            raise type(error)(f"line {number}, {shown(line)}: {error}") from None
    return Program(nodes, outputs, slots)


def read_instruction(text: str) -> Instruction:
    """The instruction of one right-hand side; ExpressionError when it is none."""
    if found := PARAMETER.fullmatch(text):
        rows, cols, std, a, c, frozen, law = found.groups()
        numbers = read_fraction(std), read_fraction(a), read_fraction(c)
        return Parameter(read_side(rows), read_side(cols), *numbers, frozen is None, law or GAUSSIAN)
    if found := INPUT.fullmatch(text):
        return Input(read_integer(found[1]), None if found[2] is None else read_integer(found[2]))
    if found := FREE.fullmatch(text):
        return Free(found[1])
    if found := CONSTANT.fullmatch(text):
        return Constant(read_coefficient(found[1]), None if found[2] is None else read_side(found[2]), found[3])
    if found := MATMUL.fullmatch(text):
        return MatMul(found[1], found[3], found[2] is not None)
    if found := MOMENT.fullmatch(text):
        return Moment(tuple(found[1].split(" * ")))
    if found := APPLY.fullmatch(text):
        spec, order, args = found[1], found[2], tuple(found[3].split(", "))
        return Apply(parse_function(spec), _order(order, len(args)), args)
    if MULTIPLY.fullmatch(text):
        return Multiply(tuple(text.split(" * ")))
    return LinComb(tuple((coefficient, name) for coefficient, name, _ in _terms(text, TERM)))


def _read_slot(parameter: str, text: str, types: Mapping[str, Type]) -> Slot:
    if text == "0":
        return Slot(parameter, ())
    terms = tuple(_terms(text, OUTER))
    for _, left, right in terms:
        for side in (left, right):
            if side is not None:
                _known(side, types)
    return Slot(parameter, terms)


def _terms(text: str, pattern: re.Pattern[str]) -> Iterator[tuple[Coefficient, str, str | None]]:
    parts = re.split(r" ([+-]) ", text)
    for sign, part in zip(["+", *parts[1::2]], parts[::2], strict=True):
        found = pattern.fullmatch(part)
        if found is None:
            raise ExpressionError(f"{shown(part)} is no instruction and no term of a sum; write it as one of {FORMS}")
        minus, factor, name = found[1], found[2], found[3]
        coefficient = read_coefficient(factor or "1")
        if (sign == "-") != (minus is not None):
            coefficient = coefficient * -1
        yield coefficient, name, found[4] if pattern is OUTER else None


def _order(text: str | None, arguments: int) -> tuple[int, ...]:
    return (0,) * arguments if text is None else tuple(map(read_integer, text.split(",")))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip()
        if len(line) > MAX_LENGTH:
            raise ExpressionError(f"line {number} has {len(line)} characters; at most {MAX_LENGTH} are read")
        if line and not line.startswith("#"):
            yield number, line


def _once(name: str, found: Mapping[str, object], what: str) -> None:
    if name in found:
        raise ProgramError(f"{what} {shown(name)} is defined twice; give the second another name")


def _known(name: str, types: Mapping[str, Type]) -> str:
    if name not in types:
        raise ProgramError(f"{shown(name)} is not defined before this line; define it first or correct the name")
    return name

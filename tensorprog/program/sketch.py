"""`sketch`: a program as one draws it by hand, the step before its picture.

Parameters and constants stand inside the boxes that read them, multiples of a node are written on its arrows.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal, assert_never

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
from tensorprog.program.program import Program
from tensorprog.program.text import write_instruction
from tensorprog.program.types import ONE, Coefficient, Scalar

Kind = Literal["data", "weight", "function", "operation", "scalar", "output"]
MAX_FUNCTION = 18
Leaf = Parameter | Free | Constant


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a label; level 1 is a superscript, -1 a subscript."""

    text: str
    level: int = 0
    italic: bool = False


Spans = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """One box: its label, small print, and the exact instruction as `meaning`."""

    label: Spans
    kind: Kind
    scalar: bool
    meaning: str
    note: Spans = ()


@dataclass(frozen=True, slots=True)
class Sketch:
    """Boxes by key and labels by edge; an empty label says 'times 1'."""

    boxes: dict[Hashable, Box] = field(default_factory=dict)
    edges: dict[tuple[Hashable, Hashable], Spans] = field(default_factory=dict)


def sketch(program: Program) -> Sketch:
    """The picture's boxes and arrows, in the order of the program."""
    drawn = Sketch()
    for name, node in program.nodes.items():
        if not isinstance(node, Leaf) and not _is_multiple(node):
            _draw(program, drawn, name, node)
    several = len(program.outputs) > 1
    for label, output in program.outputs.items():
        key = ("output", label)
        drawn.boxes[key] = Box(symbol(label if several or label != "F0" else "F"), "output", True, f"output {label}")
        _connect(program, drawn, [(ONE, output.node)], key)
    for slot in program.slots:
        key = ("slot", slot.parameter)
        drawn.boxes[key] = Box((Span("slot "), *symbol(slot.parameter)), "output", True, f"slot {slot.parameter}")
        sides = [(c, side) for c, left, right in slot.terms for side in (left, right) if side is not None]
        _connect(program, drawn, [(ONE, side) for _, side in sides], key)
    return drawn


def symbol(name: str) -> Spans:
    """A name in mathematics: W1 becomes W with the subscript 1."""
    found = re.fullmatch(r"([^\W\d_]+)_?(\d+)(?:_(\d+))?", name) or re.fullmatch(r"([^\W\d_]+)_(\w+)()", name)
    if found is None:
        return (Span(name, italic=True),)
    index = f"{found[2]},{found[3]}" if found[3] else found[2]
    return Span(found[1], italic=True), Span(index, -1)


def factor(coefficient: Coefficient) -> Spans:
    """A coefficient in mathematics, as in 1/2 n^{-1/2}; factors 1 are left out beside a power of n."""
    value, power = coefficient.value, coefficient.power
    if power == 0:
        return (Span(_number(value)),)
    head = "" if value == 1 else "−" if value == -1 else f"{_number(value)} "
    base = (Span(head), Span("n", italic=True)) if head else (Span("n", italic=True),)
    return base if power == 1 else (*base, Span(_number(power), 1))


def _draw(program: Program, drawn: Sketch, name: str, node: Instruction) -> None:
    if isinstance(node, LinComb):
        terms = [_resolved(program, operand, c) for c, operand in node.terms]
    else:
        terms = [_resolved(program, operand) for operand in operands(node)]
    inside = [(c, x) for c, x in terms if isinstance(program.nodes[x], Leaf)]
    outside = [(c, x) for c, x in terms if not isinstance(program.nodes[x], Leaf)]
    if isinstance(node, Apply) or (not outside and not isinstance(node, Input)):
        inside, outside = [], terms
    if isinstance(node, MatMul):
        inside, outside = terms[:1], terms[1:]
    scalar = isinstance(program.types[name], Scalar)
    meaning = f"{name} = {write_instruction(node)}: {program.types[name]}"
    drawn.boxes[name] = Box(_label(program, node, inside, outside), _kind(node, scalar, bool(inside)), scalar, meaning)
    weights = [program.nodes[x] for _, x in inside]
    note = _small_print([x for x in weights if isinstance(x, Parameter)])
    if note and not isinstance(node, LinComb):
        box = drawn.boxes[name]
        drawn.boxes[name] = Box(box.label, box.kind, scalar, meaning, note)
    _connect(program, drawn, outside, name)


def _connect(program: Program, drawn: Sketch, terms: list[tuple[Coefficient, str]], target: Hashable) -> None:
    """Arrows into a box; one arrow from each source, however often it is read."""
    collected: dict[str, list[Coefficient]] = {}
    for coefficient, operand in terms:
        inner, core = _resolved(program, operand, coefficient)
        collected.setdefault(core, []).append(inner)
    for core, coefficients in collected.items():
        node = program.nodes[core]
        if isinstance(node, Leaf) and core not in drawn.boxes:
            scalar = isinstance(program.types[core], Scalar)
            kind: Kind = "scalar" if isinstance(node, Constant) else "weight"
            meaning = f"{core} = {write_instruction(node)}"
            drawn.boxes[core] = Box(_leaf(core, node), kind, scalar, meaning)
        labels = {c for c in coefficients if c != ONE}
        drawn.edges[core, target] = _joined([factor(c) for c in coefficients if c in labels], ", ")


def _resolved(program: Program, name: str, coefficient: Coefficient = ONE) -> tuple[Coefficient, str]:
    """coefficient · name as a multiple of a node that is drawn."""
    node = program.nodes[name]
    while isinstance(node, LinComb) and len(node.terms) == 1:
        ((inner, name),) = node.terms
        coefficient, node = coefficient * inner, program.nodes[name]
    return coefficient, name


def _is_multiple(node: Instruction) -> bool:
    return isinstance(node, LinComb) and len(node.terms) == 1


def _kind(node: Instruction, scalar: bool, weighted: bool) -> Kind:
    if isinstance(node, Input):
        return "data"
    if weighted:
        return "weight"
    if scalar:
        return "scalar"
    return "function" if isinstance(node, Apply) else "operation"


def _label(
    program: Program, node: Instruction, inside: list[tuple[Coefficient, str]], outside: list[tuple[Coefficient, str]]
) -> Spans:
    leaves = [_leaf(name, program.nodes[name]) for _, name in inside]
    count, distinct = len(outside), len({name for _, name in outside})
    match node:
        case Input(index, position):
            several = program.inputs > 1
            marks = [str(x) for x in (index if several else None, position) if x is not None]
            return (Span("x", italic=True), *([Span(",".join(marks), -1)] if marks else []))
        case MatMul(transpose=transpose):
            return (*leaves[0], Span("⊤", 1)) if transpose else leaves[0]
        case Apply(order=order):
            return _function(node, order)
        case Multiply():
            if not leaves and distinct == 1 and count > 1:
                return Span("( · )"), Span(str(count), 1)
            return (*_joined(leaves, " "), Span(" ×" if leaves else "×"))
        case LinComb():
            spans: Spans = (Span("+"),)
            for (coefficient, _), leaf in zip(inside, leaves, strict=True):
                sign, size = ("−", coefficient * -1) if coefficient.value < 0 else ("+", coefficient)
                joint = Span(" " if sign == "+" and len(spans) == 1 else f" {sign} ")
                spans = (*spans, joint, *(() if size == ONE else (*factor(size), Span(" "))), *leaf)
            return spans
        case Moment():
            return _mean(leaves, count, distinct)
        case Parameter() | Free() | Constant():
            return (Span(write_instruction(node)),)
        case never:
            assert_never(never)


def _mean(leaves: list[Spans], count: int, distinct: int) -> Spans:
    if not leaves and count == 1:
        return (Span("mean"),)
    if not leaves and distinct == 1:
        return Span("⟨( · )"), Span(str(count), 1), Span("⟩")
    blanks: list[Spans] = [(Span(" · "),)] * count
    return (Span("⟨"), *_joined([*leaves, *blanks], ","), Span("⟩"))


def _function(node: Apply, order: tuple[int, ...]) -> Spans:
    spec = node.function.spec
    if spec.startswith("power("):
        label: Spans = (Span("( · )"), Span(_number(Fraction(spec[6:-1])), 1))
    else:
        text = spec.removeprefix("expression(").removesuffix(")") if spec.startswith("expression(") else spec
        text = re.sub(r"\bz0\b", "z", text) if node.function.arity == 1 else text
        text = text.replace("**", "^").replace("*", "·")
        label = (Span(text if len(text) <= MAX_FUNCTION else f"{text[: MAX_FUNCTION - 1]}…"),)
    if not any(order):
        return label
    if len(order) == 1:
        mark = "′" * order[0] if order[0] <= 3 else f"({order[0]})"
        return (*label, Span(mark, 0 if order[0] <= 3 else 1))
    return (*label, Span(f"({','.join(map(str, order))})", 1))


def _leaf(name: str, node: Instruction) -> Spans:
    if isinstance(node, Constant):
        return factor(node.coefficient) if node.name is None else symbol(node.name)
    if isinstance(node, Free):
        return Span("d"), *symbol(node.parameter)
    return symbol(name)


def _small_print(parameters: list[Parameter]) -> Spans:
    """The scale of the weights of one box, where it is not 1."""
    notes = [factor(Coefficient(p.std, -p.a)) for p in parameters if p.std != 1 or p.a]
    notes += [(Span("frozen"),) for p in parameters if not p.trainable]
    notes += [(Span(p.law),) for p in parameters if p.law != GAUSSIAN]
    return _joined(notes, ", ")


def _joined(items: list[Spans], between: str) -> Spans:
    spans: list[Span] = []
    for item in items:
        spans += [Span(between), *item] if spans else item
    return tuple(spans)


def _number(value: Fraction) -> str:
    return str(value).replace("-", "−")

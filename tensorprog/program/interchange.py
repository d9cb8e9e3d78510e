"""Programs as JSON, to store them or to hand them to another language.

    {"format": "tensorprog program", "version": 2,
     "nodes": [{"name": "in0", "op": "input", "index": 0}, …],
     "outputs": [{"label": "F0", "node": "s4", "input": 0, "component": null, "measure": "value"}],
     "slots": [{"parameter": "W", "terms": [{"coefficient": …, "left": "x1", "right": "x2"}]}]}

Nodes come in an order in which every operand precedes its use. Beside `name` and `op` each has

| op | fields |
|---|---|
| input | index, and position when inputs are sequences |
| parameter | rows, cols (a width, or null for an absent side), std, a, c (numbers), trainable (true or false), law |
| free | parameter (a name) |
| constant | coefficient, and width for a vector of equal coordinates, or symbol (a name) |
| matmul | matrix, vector (names), transpose (true or false) |
| apply | function (a text `parse_function` reads), order (integers, one an argument), args (names) |
| multiply, moment | args |
| lincomb | terms: a list of {"coefficient": …, "of": name} |

An exact number is a string such as "-3/2"; a coefficient value·n^power is {"value": "1/2", "power": "-1/2"}; a width
is "n", "2n", "1/2n" or "d0". `right` of a slot's term is null for vector and scalar parameters; `law` is left out
where it is gaussian. An output has the number of the input and, among several there, of the component it is at, or
null; its `measure` is "value", "squared norm" or "operator". Version 1 had {"F0": "s4"} there; it is still read.

Reading is strict: a missing, misspelt or superfluous field is an error that names the node. Nothing is executed.
The version grows whenever a reader of the old one could misunderstand the new one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, assert_never

from tensorprog.errors import ExpressionError, ProgramError
from tensorprog.functions import parse_function
from tensorprog.program.fields import Fields, load, shown
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
)
from tensorprog.program.outputs import Measure, Output, output_of_label
from tensorprog.program.program import Program, Slot
from tensorprog.program.types import Coefficient

FORMAT = "tensorprog program"
VERSION = 2
LABELLED = 1  # where outputs were {label: node}, and labels said what they are

Object = dict[str, Any]

# -- writing


def to_object(program: Program) -> Object:
    """The program as nested dicts, lists and strings, ready for `json.dumps`; `from_object` reads it back."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "nodes": [
            {"name": name, "op": type(node).__name__.lower(), **_fields(node)} for name, node in program.nodes.items()
        ],
        "outputs": [{"label": label, **_output(output)} for label, output in program.outputs.items()],
        "slots": [
            {
                "parameter": slot.parameter,
                "terms": [{"coefficient": _coefficient(c), "left": left, "right": r} for c, left, r in slot.terms],
            }
            for slot in program.slots
        ],
    }


def _fields(instruction: Instruction) -> Object:
    match instruction:
        case Input(index, position):
            return {"index": index} if position is None else {"index": index, "position": position}
        case Parameter(rows, cols, std, a, c, trainable, law):
            sides = {"rows": rows and str(rows), "cols": cols and str(cols)}
            other = {} if law == GAUSSIAN else {"law": law}
            return {**sides, "std": str(std), "a": str(a), "c": str(c), "trainable": trainable, **other}
        case Free(parameter):
            return {"parameter": parameter}
        case Constant(coefficient, width, symbol):
            marks = {"width": width and str(width), "symbol": symbol}
            return {"coefficient": _coefficient(coefficient)} | {k: v for k, v in marks.items() if v is not None}
        case MatMul(matrix, vector, transpose):
            return {"matrix": matrix, "vector": vector, "transpose": transpose}
        case Apply(function, order, args):
            return {"function": function.spec, "order": list(order), "args": list(args)}
        case Multiply(args) | Moment(args):
            return {"args": list(args)}
        case LinComb(terms):
            return {"terms": [{"coefficient": _coefficient(c), "of": name} for c, name in terms]}
        case never:
            assert_never(never)


def _output(output: Output) -> Object:
    place = {"input": output.input, "component": output.component}
    return {"node": output.node, **place, "measure": output.measure.value}


def _coefficient(coefficient: Coefficient) -> dict[str, str]:
    return {"value": str(coefficient.value), "power": str(coefficient.power)}


# -- reading


def program_from_json(text: str | bytes) -> Program:
    """The program of a text that `Program.to_json` wrote.

    Raises ExpressionError when the text is no JSON or not of this format, ProgramError when the program is not well
    formed.
    """
    return from_object(load(text))


def from_object(content: object) -> Program:
    """The program of an object made by `to_object`; errors as `program_from_json`."""
    found = Fields(content, "the program")
    kind, version = found.raw("format"), found.raw("version")
    if kind != FORMAT:
        raise ExpressionError(f"the program has format {shown(kind)}, not {FORMAT!r}; pass what Program.to_json wrote")
    if version not in (LABELLED, VERSION) or isinstance(version, bool | float):
        raise ExpressionError(
            f"the program has version {shown(version)}, this library reads versions {LABELLED} and {VERSION}; "
            "write it anew with Program.to_json, or use the library's version that wrote it"
        )
    nodes: dict[str, Instruction] = {}
    for place, item in enumerate(found.listed("nodes")):
        name, instruction = _node(Fields(item, f"node number {place}"))
        if name in nodes:
            raise ProgramError(f"node {name!r} is defined twice, again as number {place}; give it another name")
        nodes[name] = instruction
    outputs = _labelled(found) if version == LABELLED else _outputs(found)
    slots = [_slot(Fields(item, f"slot number {place}"), nodes) for place, item in enumerate(found.listed("slots"))]
    found.finish()
    return Program(nodes, outputs, slots)


def _labelled(found: Fields) -> dict[str, Output]:
    labels = Fields(found.raw("outputs"), "outputs")
    return {label: output_of_label(label, labels.text(label)) for label in labels.fields}


def _outputs(found: Fields) -> dict[str, Output]:
    outputs: dict[str, Output] = {}
    for place, content in enumerate(found.listed("outputs")):
        item = Fields(content, f"output number {place}")
        label, node = item.text("label"), item.text("node")
        point, component = (None if item.raw(x) is None else item.count(x) for x in ("input", "component"))
        measure = MEASURES.get(item.text("measure")) or item.wrong("measure", item.raw("measure"), _one_of(MEASURES))
        item.finish()
        if label in outputs:
            raise ProgramError(f"output {shown(label)} is defined twice; give the second another label")
        outputs[label] = Output(node, point, component, measure)
    return outputs


def _one_of(choices: Iterable[str]) -> str:
    return f"one of {', '.join(choices)}"


def _node(item: Fields) -> tuple[str, Instruction]:
    name, op = item.text("name"), item.text("op")
    item.where = f"node {shown(name)} ({shown(op)})"
    reader = READERS.get(op)
    if reader is None:
        raise ExpressionError(f"node {shown(name)} has op {shown(op)}; known are {', '.join(READERS)}")
    instruction = reader(item)
    item.finish()
    return name, instruction


def _slot(item: Fields, nodes: Mapping[str, Instruction]) -> Slot:
    parameter = item.text("parameter")
    item.where = f"the slot of {shown(parameter)}"
    if parameter not in nodes:
        raise ProgramError(f"{item.where}: no node has this name; correct it")
    terms = []
    for content in item.listed("terms"):
        term = Fields(content, f"a term of {item.where}")
        coefficient, left = term.coefficient(), term.text("left")
        right = None if term.raw("right") is None else term.text("right")
        term.finish()
        terms.append((coefficient, left, right))
    item.finish()
    return Slot(parameter, tuple(terms))


def _parameter(item: Fields) -> Parameter:
    rows, cols = item.side("rows"), item.side("cols")
    numbers = item.number("std"), item.number("a"), item.number("c")
    trainable = item.truth("trainable")
    return Parameter(rows, cols, *numbers, trainable, item.text("law") if item.has("law") else GAUSSIAN)


def _lincomb(item: Fields) -> LinComb:
    terms = []
    for content in item.listed("terms"):
        term = Fields(content, f"a term of {item.where}")
        terms.append((term.coefficient(), term.text("of")))
        term.finish()
    return LinComb(tuple(terms))


def _apply(item: Fields) -> Apply:
    function = item.read("function", parse_function)
    return Apply(function, item.counts("order"), item.texts("args"))


MEASURES = {measure.value: measure for measure in Measure}
READERS: Mapping[str, Callable[[Fields], Instruction]] = {
    "input": lambda x: Input(x.count("index"), x.count("position") if x.has("position") else None),
    "parameter": _parameter,
    "free": lambda x: Free(x.text("parameter")),
    "constant": lambda x: Constant(
        x.coefficient(),
        x.side("width") if x.has("width") else None,
        x.text("symbol") if x.has("symbol") else None,
    ),
    "matmul": lambda x: MatMul(x.text("matrix"), x.text("vector"), x.truth("transpose")),
    "apply": _apply,
    "multiply": lambda x: Multiply(x.texts("args")),
    "lincomb": _lincomb,
    "moment": lambda x: Moment(x.texts("args")),
}

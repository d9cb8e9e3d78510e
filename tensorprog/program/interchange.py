"""Programs as JSON, to store them or to hand them to another language.

    {"format": "tensorprog program", "version": 1,
     "nodes": [{"name": "in0", "op": "input", "index": 0}, …],
     "outputs": {"F0": "s4"},
     "slots": [{"parameter": "W", "terms": [{"coefficient": …, "left": "x1", "right": "x2"}]}]}

Nodes come in an order in which every operand precedes its use. Beside `name` and `op` each has

| op | fields |
|---|---|
| input | index, and position when inputs are sequences |
| parameter | rows, cols (a width, or null for an absent side), std, a, c (numbers), trainable (true or false) |
| free | parameter (a name) |
| constant | coefficient, and width for a vector of equal coordinates, or symbol (a name) |
| matmul | matrix, vector (names), transpose (true or false) |
| apply | function (a text `parse_function` reads), order (integers, one an argument), args (names) |
| multiply, moment | args |
| lincomb | terms: a list of {"coefficient": …, "of": name} |

An exact number is a string such as "-3/2"; a coefficient value·n^power is {"value": "1/2", "power": "-1/2"}; a width
is "n", "2n", "1/2n" or "d0". `right` of a slot's term is null for vector and scalar parameters.

Reading is strict: a missing, misspelt or superfluous field is an error that names the node. Nothing is executed.
The version grows whenever a reader of the old one could misunderstand the new one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, NoReturn, TypeVar

from tensorprog.errors import ExpressionError, ProgramError, TensorProgramError
from tensorprog.functions import parse_function
from tensorprog.program.instructions import (
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
from tensorprog.program.program import Program, Slot
from tensorprog.program.text import read_fraction, read_side
from tensorprog.program.types import Coefficient, Width

FORMAT = "tensorprog program"
VERSION = 1
LARGEST = 10**9

Object = dict[str, Any]
T = TypeVar("T")


# -- writing


def to_object(program: Program) -> Object:
    """The program as nested dicts, lists and strings, ready for `json.dumps`; `from_object` reads it back."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "nodes": [
            {"name": name, "op": type(node).__name__.lower(), **_fields(node)} for name, node in program.nodes.items()
        ],
        "outputs": dict(program.outputs),
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
        case Parameter(rows, cols, std, a, c, trainable):
            sides = {"rows": rows and str(rows), "cols": cols and str(cols)}
            return {**sides, "std": str(std), "a": str(a), "c": str(c), "trainable": trainable}
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


def _coefficient(coefficient: Coefficient) -> dict[str, str]:
    return {"value": str(coefficient.value), "power": str(coefficient.power)}


# -- reading


def program_from_json(text: str | bytes) -> Program:
    """The program of a text that `Program.to_json` wrote.

    Raises ExpressionError when the text is no JSON or not of this format, ProgramError when the program is not well
    formed.
    """
    try:
        content = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise ExpressionError(
            f"line {error.lineno}, column {error.colno}: no JSON ({error.msg}); pass what Program.to_json wrote"
        ) from None
    except TensorProgramError:
        raise
    except (RecursionError, UnicodeDecodeError, ValueError, TypeError) as error:
        raise ExpressionError(f"no JSON of a program ({error}); pass what Program.to_json wrote") from None
    return from_object(content)


def from_object(content: object) -> Program:
    """The program of an object made by `to_object`; errors as `program_from_json`."""
    found = _Object(content, "the program")
    kind, version = found.raw("format"), found.raw("version")
    if kind != FORMAT:
        raise ExpressionError(f"the program has format {_shown(kind)}, not {FORMAT!r}; pass what Program.to_json wrote")
    if version != VERSION or isinstance(version, bool | float):
        raise ExpressionError(
            f"the program has version {_shown(version)}, this library reads version {VERSION}; "
            "write it anew with Program.to_json, or use the library's version that wrote it"
        )
    nodes: dict[str, Instruction] = {}
    for place, item in enumerate(found.listed("nodes")):
        name, instruction = _node(_Object(item, f"node number {place}"))
        if name in nodes:
            raise ProgramError(f"node {name!r} is defined twice, again as number {place}; give it another name")
        nodes[name] = instruction
    labels = _Object(found.raw("outputs"), "outputs")
    outputs = {label: labels.text(label) for label in labels.fields}
    slots = [_slot(_Object(item, f"slot number {place}"), nodes) for place, item in enumerate(found.listed("slots"))]
    found.finish()
    return Program(nodes, outputs, slots)


class _Object:
    """A JSON object whose fields are taken one by one, checked; `where` says what it is in messages."""

    def __init__(self, content: object, where: str) -> None:
        self.where = where
        if not isinstance(content, Mapping) or not all(isinstance(key, str) for key in content):
            raise ExpressionError(f"{where} is {_shown(content)}, not an object; pass what Program.to_json wrote")
        self.fields: Mapping[str, object] = content
        self.taken: set[str] = set()

    def has(self, field: str) -> bool:
        return field in self.fields

    def raw(self, field: str) -> object:
        if field not in self.fields:
            present = ", ".join(map(_shown, list(self.fields)[:12])) or "none"
            raise ExpressionError(f"{self.where} has no field {field!r}, only {present}; add it")
        self.taken.add(field)
        return self.fields[field]

    def text(self, field: str) -> str:
        value = self.raw(field)
        return value if isinstance(value, str) else self.wrong(field, value, "a string")

    def truth(self, field: str) -> bool:
        value = self.raw(field)
        return value if isinstance(value, bool) else self.wrong(field, value, "true or false")

    def count(self, field: str) -> int:
        return self._count(field, self.raw(field))

    def counts(self, field: str) -> tuple[int, ...]:
        return tuple(self._count(field, value) for value in self.listed(field))

    def listed(self, field: str) -> list[object]:
        value = self.raw(field)
        return value if isinstance(value, list) else self.wrong(field, value, "a list")

    def texts(self, field: str) -> tuple[str, ...]:
        return tuple(x if isinstance(x, str) else self.wrong(field, x, "a list of strings") for x in self.listed(field))

    def number(self, field: str) -> Fraction:
        return self.read(field, read_fraction)

    def coefficient(self) -> Coefficient:
        inner = _Object(self.raw("coefficient"), f"the coefficient of {self.where}")
        value, power = inner.number("value"), inner.number("power")
        inner.finish()
        return Coefficient(value, power)

    def side(self, field: str) -> Width | None:
        """A width, or None for null."""
        if self.raw(field) is None:
            return None
        width = self.read(field, read_side)
        return width if width is not None else self.wrong(field, "1", "a width or null")

    def finish(self) -> None:
        """Refuse what was not asked for."""
        for field in self.fields:
            if field not in self.taken:
                asked = ", ".join(sorted(self.taken))
                raise ExpressionError(f"{self.where} has an unknown field {_shown(field)}; its fields are {asked}")

    def wrong(self, field: str, value: object, wanted: str) -> NoReturn:
        raise ExpressionError(f"{self.where}: {field!r} contains {_shown(value)}; give {wanted}")

    def _count(self, field: str, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < LARGEST:
            self.wrong(field, value, "nonnegative integers of at most nine digits")
        return value

    def read(self, field: str, reader: Callable[[str], T]) -> T:
        text = self.text(field)
        try:
            return reader(text)
        except ExpressionError as error:
            raise ExpressionError(f"{self.where}, field {field!r}: {error}") from None


def _node(item: _Object) -> tuple[str, Instruction]:
    name, op = item.text("name"), item.text("op")
    item.where = f"node {_shown(name)} ({_shown(op)})"
    reader = READERS.get(op)
    if reader is None:
        raise ExpressionError(f"node {_shown(name)} has op {_shown(op)}; known are {', '.join(READERS)}")
    instruction = reader(item)
    item.finish()
    return name, instruction


def _slot(item: _Object, nodes: Mapping[str, Instruction]) -> Slot:
    parameter = item.text("parameter")
    item.where = f"the slot of {_shown(parameter)}"
    if parameter not in nodes:
        raise ProgramError(f"{item.where}: no node has this name; correct it")
    terms = []
    for content in item.listed("terms"):
        term = _Object(content, f"a term of {item.where}")
        coefficient, left = term.coefficient(), term.text("left")
        right = None if term.raw("right") is None else term.text("right")
        term.finish()
        terms.append((coefficient, left, right))
    item.finish()
    return Slot(parameter, tuple(terms))


def _parameter(item: _Object) -> Parameter:
    rows, cols = item.side("rows"), item.side("cols")
    numbers = item.number("std"), item.number("a"), item.number("c")
    return Parameter(rows, cols, *numbers, trainable=item.truth("trainable"))


def _lincomb(item: _Object) -> LinComb:
    terms = []
    for content in item.listed("terms"):
        term = _Object(content, f"a term of {item.where}")
        terms.append((term.coefficient(), term.text("of")))
        term.finish()
    return LinComb(tuple(terms))


def _apply(item: _Object) -> Apply:
    function = item.read("function", parse_function)
    return Apply(function, item.counts("order"), item.texts("args"))


READERS: Mapping[str, Callable[[_Object], Instruction]] = {
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


def _unique(pairs: list[tuple[str, object]]) -> Object:
    found: Object = {}
    for key, value in pairs:
        if key in found:
            raise ExpressionError(f"the JSON object defines {_shown(key)} twice; keep one")
        found[key] = value
    return found


def _no_constant(text: str) -> NoReturn:
    raise ExpressionError(f"the JSON contains {text}, which is no number of a program; use exact numbers as strings")


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # nested too deeply, an integer of too many digits
        return f"a {type(value).__name__} too large to show"
    return text if len(text) <= 80 else f"{text[:77]}..."

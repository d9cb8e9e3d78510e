"""What a program returns: a node, the input and component it belongs to, and how its number is to be taken.

The label an output stands under is for people: no number depends on it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from tensorprog.errors import ExpressionError
from tensorprog.program.numerals import read_integer, shown


class Measure(Enum):
    """How the number of an output is taken from the value of its node."""

    VALUE = "value"
    SQUARED_NORM = "squared norm"  # samples are its root
    OPERATOR = "operator"  # samples are the spectral norm; the node of a vanishing one is 0


@dataclass(frozen=True, slots=True)
class Output:
    """A scalar node that a program returns.

    input, component: which traced input it is the network's output at, and which of several outputs there; None for
    what is no output of a network (a correlation), or the only one at its input.
    """

    node: str
    input: int | None = None
    component: int | None = None
    measure: Measure = Measure.VALUE


NETWORK = re.compile(r"F(0|[1-9]\d{0,8})(?:\.(0|[1-9]\d{0,8}))?", re.ASCII)


def output_of_label(label: str, node: str) -> Output:
    """The output that version 0.2 meant by a label: "F1", "F1.0" and "C squared" said what files say now."""
    if found := NETWORK.fullmatch(label):
        return Output(node, int(found[1]), None if found[2] is None else int(found[2]))
    return Output(node, measure=Measure.SQUARED_NORM if label.endswith(" squared") else Measure.VALUE)


PLACES = re.compile(r"(?:input (\d+)(?:, component (\d+))?)?(?:(?:^|, )(value|squared norm|operator))?", re.ASCII)


def write_output(output: Output) -> str:
    """What stands after the label in a text: "s4, input 0", "s9, squared norm"."""
    place = [] if output.input is None else [f"input {output.input}"]
    place += [] if output.component is None else [f"component {output.component}"]
    measure = [] if place and output.measure is Measure.VALUE else [output.measure.value]
    return ", ".join([output.node, *place, *measure])


def read_output(label: str, node: str, places: str | None) -> Output:
    """The output of a text's line; ExpressionError for places that are none. Version 0.2 wrote none."""
    if places is None:
        return output_of_label(label, node)
    found = PLACES.fullmatch(places)
    if found is None:
        raise ExpressionError(f"{shown(places)} is no place of an output; write ', input 0' or ', squared norm'")
    point, component = (None if number is None else read_integer(number) for number in (found[1], found[2]))
    return Output(node, point, component, Measure.VALUE if found[3] is None else Measure(found[3]))


def signature(number: int, output: Output) -> str:
    """What digests contain of output `number` in place of its label."""
    if output.input is None:
        place = f"C{number}"
    else:
        place = f"F{output.input}" if output.component is None else f"F{output.input}.{output.component}"
    match output.measure:
        case Measure.VALUE:
            return place
        case Measure.SQUARED_NORM:
            return f"{place} squared"
        case Measure.OPERATOR:
            return f"{place} operator"
        case never:
            assert_never(never)

"""Programs as JSON: exact both ways."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from cases import CASES
from hypothesis import given, settings
from hypothesis import strategies as st
from program.json_forms import EVERYTHING, GOOD, HALF, network

import tensorprog as tp
from tensorprog.functions import parse_function
from tensorprog.program import (
    Apply,
    Coefficient,
    Constant,
    Free,
    Input,
    LinComb,
    MatMul,
    Measure,
    Moment,
    Multiply,
    Output,
    Parameter,
    Program,
    Slot,
    Width,
)
from tensorprog.program.interchange import from_object, program_from_json, to_object
from tensorprog.program.text import read, write
from tensorprog.program.types import DATA, N

# -- both ways


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_programs_survive_their_json(case):
    traced = case.trace(2)
    programs = [traced, tp.correlation(traced, 0, 1), tp.correlation(traced, 1, 1), tp.correlation(traced, 2, 1)]
    assert programs[-1].slots and programs[-1].free
    for program in programs:
        text = program.to_json()
        again = program_from_json(text)
        assert again == program and again.to_json() == text
        assert (list(again.nodes), again.slots, again.types) == (list(program.nodes), program.slots, program.types)
        assert from_object(json.loads(json.dumps(to_object(program)))) == program
        assert program_from_json(text.encode()) == program


def test_every_field_is_read():
    program = from_object(EVERYTHING)
    two = Width(Fraction(2))
    assert dict(program.nodes) == {
        "x0": Input(0),
        "x1": Input(1),
        "W": Parameter(two, DATA, Fraction(1, 10), Fraction(0), Fraction(-1)),
        "R": Parameter(Width(HALF), two, a=HALF, trainable=False),
        "t": Parameter(None, None),
        "dW": Free("W"),
        "k": Constant(Coefficient(Fraction(-3, 2), -HALF)),
        "one": Constant(Coefficient(), two),
        "h": MatMul("W", "x0"),
        "g": MatMul("dW", "x1"),
        "z": MatMul("R", "h"),
        "y": MatMul("R", "z", transpose=True),
        "f": Apply(parse_function("z0*sin(z1)"), (0, 2), ("h", "k")),
        "p": Multiply(("h", "h", "t")),
        "c": LinComb(
            ((Coefficient(Fraction(-1), Fraction(2)), "g"), (Coefficient(), "y"), (Coefficient(), "one")),
        ),
        "s": Moment(("f", "p", "c")),
    }
    assert dict(program.outputs) == {
        "F0": Output("s", 0, 2),
        "a loss": Output("t", measure=Measure.SQUARED_NORM),
    }
    assert program.slots == (
        Slot("W", ((Coefficient(Fraction(2), HALF), "h", "x0"),)),
        Slot("t", ((Coefficient(), "s", None),)),
    )


def test_every_field_is_written():
    assert to_object(from_object(EVERYTHING)) == EVERYTHING
    positions = Program({"in0_2": Input(0, 2), "s": Moment(("in0_2",))}, {"F0": "s"})
    assert to_object(positions)["nodes"][0] == {"name": "in0_2", "op": "input", "index": 0, "position": 2}
    assert program_from_json(positions.to_json()) == positions


@settings(deadline=None, max_examples=60)
@given(st.fractions(), st.fractions(-9, 9))
def test_numbers_are_exact(value, power):
    nodes = {
        "x0": Input(0),
        "k": Constant(Coefficient(value, power)),
        "W": Parameter(N, DATA, 1 + abs(value), power, -value),
        "h": MatMul("W", "x0"),
        "c": LinComb(((Coefficient(value, power), "h"), (Coefficient(power, value), "k"))),
        "s": Moment(("c",)),
    }
    program = Program(nodes, {"F0": "s"}, [Slot("W", ((Coefficient(value, power), "h", "x0"),))])
    assert program_from_json(program.to_json()) == program


@pytest.mark.parametrize("label", ["", "a = b", "a\nb", '"', "\\", "\u2028", "λ", "\x00", "</script>"])
def test_labels_that_no_text_holds_survive(label):
    program = Program({"x0": Input(0), "s": Moment(("x0",))}, {label: "s"})
    assert program_from_json(program.to_json()) == program


def test_layout_and_encoding_do_not_matter():
    assert program_from_json(GOOD.encode("utf-16")) == network()
    assert program_from_json(json.dumps(json.loads(GOOD), sort_keys=True, separators=(",", ":"))) == network()


def test_both_forms_describe_one_program():
    program = from_object(EVERYTHING)
    assert read(write(program)) == program
    assert read(write(program)).digest == program_from_json(program.to_json()).digest

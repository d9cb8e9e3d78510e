"""The text form: exact both ways."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from cases import CASES, Case
from hypothesis import given, settings
from hypothesis import strategies as st
from program.text_forms import EVERYTHING, HALF, MLP, ONE

import tensorprog as tp
from tensorprog.errors import ProgramError, TensorProgramError
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
from tensorprog.program.text import read, write
from tensorprog.program.types import DATA, N


def programs(case: Case) -> dict[str, Program]:
    """A case and its correlations with no, one and two free slots."""
    traced = case.trace(3)
    orders = {f"C^{D},{d}": tp.correlation(traced, D, d) for D, d in ((0, 2), (1, 1), (2, 1))}
    return {"F": traced, **orders}


# -- both ways


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_programs_survive_their_text(case):
    found = programs(case)
    assert found["C^2,1"].slots and found["C^2,1"].free
    for label, program in found.items():
        text = write(program)
        again = read(text)
        assert again == program, label
        assert (list(again.nodes), again.slots) == (list(program.nodes), program.slots), label
        assert again.types == program.types, label
        assert write(again) == text == str(program), label


def test_a_small_network_prints_as_mathematics():
    def mlp(x):
        return tp.readout("v", tp.erf(tp.linear("W1", tp.erf(tp.linear("U", x)), std=1.5)))

    assert str(tp.trace(mlp)) == MLP
    assert read(MLP) == tp.trace(mlp)


def test_every_line_of_the_language_is_read():
    program = read(EVERYTHING)
    assert dict(program.nodes) == {
        "in0_0": Input(0, 0),
        "in1_2": Input(1, 2),
        "U": Parameter(Width(Fraction(2)), DATA, Fraction(1, 10), Fraction(0), Fraction(-1)),
        "block1.W": Parameter(Width(HALF), Width(Fraction(2)), a=HALF, trainable=False),
        "b": Parameter(Width(Fraction(2)), None),
        "t": Parameter(None, None, a=-HALF),
        "du": Free("U"),
        "one": Constant(ONE, Width(Fraction(2))),
        "k": Constant(Coefficient(-HALF, -HALF)),
        "h": MatMul("U", "in0_0"),
        "g": MatMul("du", "in1_2"),
        "z": MatMul("block1.W", "h"),
        "y": MatMul("block1.W", "z", transpose=True),
        "f0": Apply(tp.erf, (0,), ("h",)),
        "f2": Apply(tp.leaky_relu(0.1), (1,), ("h",)),
        "f3": Apply(parse_function("z0*sin(z1)"), (0, 2), ("h", "k")),
        "p": Multiply(("h", "h", "t")),
        "q": Multiply(("one",)),
        "c": LinComb(
            (
                (Coefficient(Fraction(-1)), "h"),
                (Coefficient(HALF, -HALF), "g"),
                (Coefficient(Fraction(-3), Fraction(2)), "y"),
                (ONE, "f0"),
                (Coefficient(Fraction(-1)), "f2"),
                (ONE, "p"),
                (ONE, "q"),
                (ONE, "f3"),
                (ONE, "b"),
            )
        ),
        "single": LinComb(((ONE, "c"),)),
        "s": Moment(("c", "single", "h")),
    }
    assert dict(program.outputs) == {"F0": Output("s", 0, 3), "a loss, λ": Output("t", measure=Measure.SQUARED_NORM)}
    assert program.slots == (
        Slot("U", ((Coefficient(power=Fraction(-1)), "h", "in0_0"), (Coefficient(Fraction(-2)), "y", "in1_2"))),
        Slot("b", ((Coefficient(Fraction(-1)), "h", None),)),
        Slot("t", ()),
    )


def test_every_line_of_the_language_is_written():
    lines = [line.strip() for line in EVERYTHING.splitlines()]
    assert write(read(EVERYTHING)).splitlines() == [line for line in lines if line and not line.startswith("#")]


def test_line_ends_and_blanks_do_not_matter():
    padded = "\r\n".join(f"\t{line}  " for line in MLP.splitlines())
    assert read(padded) == read(MLP)


coefficients = st.builds(Coefficient, st.fractions().filter(bool), st.fractions(-9, 9))


@settings(deadline=None, max_examples=60)
@given(st.lists(coefficients, min_size=1, max_size=4), coefficients)
def test_numbers_are_exact(factors, constant):
    nodes = {
        "in0": Input(0),
        "k": Constant(constant),
        "U": Parameter(N, DATA, abs(constant.value), constant.power, -constant.value),
        "x": MatMul("U", "in0"),
        "y": LinComb(tuple((factor, "x" if i % 2 else "k") for i, factor in enumerate(factors))),
        "s": Moment(("x", "y")),
    }
    program = Program(nodes, {"F0": "s"}, [Slot("U", tuple((factor, "x", "in0") for factor in factors))])
    assert read(write(program)) == program


@pytest.mark.parametrize("name", ["output", "slot", "input", "mean", "n", "d0", "free", "T", "constant", "parameter"])
def test_words_of_the_language_are_names_like_others(name):
    text = (
        f"{name} = input 0\nx1 = 1*{name}\nx2 = 2*{name} - n^1*x1\nx3 = {name} * x1\nx4 = erf({name})\n"
        f"s1 = mean({name} * x2 * x3 * x4)\noutput {name} = s1, value\n"
    )
    program = read(text)
    assert program.nodes[name] == Input(0) and program.outputs[name] == Output("s1")
    assert write(program) == text


def labelled(label: str) -> Program:
    return Program({"in0": Input(0), "s1": Moment(("in0", "in0"))}, {label: "s1"})


@pytest.mark.parametrize("label", ["F0", "C squared", "=", "λ", "s1", "a: b (x) c", "#", "output x", "'\"\\"])
def test_labels_are_free_texts(label):
    program = labelled(label)
    assert read(write(program)) == program
    assert len(program.digest) == 64


@pytest.mark.parametrize("label", ["", " F", "F ", "a = b", "a\nb", "a\rb", "a\u2028b", "a\x85b", "a\x1cb", "\ud800"])
def test_labels_that_no_line_holds_are_refused_both_ways(label):
    with pytest.raises(ProgramError, match=r"is no label for an output.*use one line"):
        write(labelled(label))
    with pytest.raises(TensorProgramError):
        read(f"in0 = input 0\ns1 = mean(in0 * in0)\noutput {label} = s1\n")


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "1x", "a=b", "x-y", "a..b", ".a", "f(x)", "x^T", "#a"])
def test_names_that_no_line_holds_are_refused_both_ways(name):
    with pytest.raises(ProgramError, match=rf"{re.escape(repr(name))} is no name.*use letters"):
        write(Program({name: Input(0), "s1": Moment((name, name))}, {"F0": "s1"}))
    with pytest.raises(TensorProgramError):
        read(f"{name} = input 0\ns1 = mean({name} * {name})\noutput F0 = s1\n")

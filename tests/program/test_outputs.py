"""Outputs say what they are; their labels are for people."""

from __future__ import annotations

import json
from dataclasses import replace
from enum import Enum

import numpy as np
import pytest

import tensorprog as tp
from tensorprog.errors import ExpressionError, OrderError, ProgramError, TrainingError
from tensorprog.program import Measure, Moment, Output, Program
from tensorprog.program.interchange import program_from_json
from tensorprog.program.text import read, write

LABELS = ["F0", "F1", "F0 squared", "C squared", "loss", "F0.1", "squared", "", "C", "λ"]
X = np.array([[1.0, -0.5, 2.0], [0.25, 1.0, -1.0]])


def net(x):
    return tp.readout("v", tp.tanh(tp.linear("W", tp.tanh(tp.linear("U", x)))))


def pair(x):
    h = tp.tanh(tp.linear("U", x))
    return tp.readout("v", h), tp.readout("w", h)


def relabelled(program: Program, *labels: str) -> Program:
    return Program(program.nodes, dict(zip(labels, program.outputs.values(), strict=True)), program.slots)


def samples(program: Program, method: str = "auto") -> np.ndarray:
    return tp.sample(program, X[: program.inputs], 8, 6, seed=3, method=method)


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("method", ["dense", "exact"])
def test_samples_do_not_depend_on_labels(label, method):
    for program in (tp.trace(net), *(tp.correlation(tp.trace(net, inputs=2), D, 1) for D in (0, 1))):
        other = relabelled(program, label)
        assert other.digest == program.digest
        np.testing.assert_array_equal(samples(other, method), samples(program, method))


@pytest.mark.parametrize("labels", [("F1", "F0"), ("C squared", "F0 squared"), ("a", "b"), ("F0.0", "F7")])
def test_correlations_kernels_exponents_and_training_do_not_depend_on_labels(labels):
    program = tp.trace(net, inputs=2)
    other = relabelled(program, *labels)
    for D, d in ((0, 0), (0, 1), (1, 1), (2, 1)):
        assert tp.correlation(other, D, d) == tp.correlation(program, D, d)
    np.testing.assert_array_equal(tp.kernel(other, X), tp.kernel(program, X))
    (one,), (two,) = tp.derive(other, [(1, 1)]), tp.derive(program, [(1, 1)])
    assert one.exponent == two.exponent
    trained, expected = (tp.train(p, [1.0], steps=1, learning_rate=0.5) for p in (other, program))
    assert list(trained.outputs) == list(labels)
    assert list(trained.outputs.values()) == list(expected.outputs.values())


def test_a_tracer_says_which_input_and_component():
    assert [x.input for x in tp.trace(net, inputs=3).outputs.values()] == [0, 1, 2]
    found = [(x.input, x.component, x.measure) for x in tp.trace(pair, inputs=2).outputs.values()]
    assert found == [(i, j, Measure.VALUE) for i in (0, 1) for j in (0, 1)]


def test_a_correlation_says_how_it_is_measured():
    program = tp.trace(net, inputs=2)
    measures = [tp.correlation(program, D, 1).measure for D in (0, 1, 2)]
    assert measures == [Measure.VALUE, Measure.SQUARED_NORM, Measure.OPERATOR]
    linear = tp.trace(lambda x: tp.readout("v", tp.linear("U", x)), inputs=4)
    vanishing = tp.correlation(linear, 2, 3)
    assert not vanishing.slots and vanishing.measure is Measure.OPERATOR
    np.testing.assert_array_equal(tp.sample(vanishing, np.ones((4, 3)), 8, 2), np.zeros(2))


def test_one_component_of_several_is_a_network():
    program = tp.trace(pair, inputs=2)
    with pytest.raises(ProgramError, match=r"2 outputs at input 0 \(F0.0, F0.1\) where one is needed; take one"):
        tp.correlation(program, 0, 1)
    second = program.restricted(["F0.1", "F1.1"])
    assert tp.correlation(second, 1, 1).measure is Measure.SQUARED_NORM
    assert (
        tp.derive(second, [(0, 1)])[0, 1].exponent
        == tp.derive(tp.trace(pair, inputs=2).restricted(["F0.0", "F1.0"]), [(0, 1)])[0, 1].exponent
    )


def test_an_output_at_no_input_is_no_network():
    program = tp.trace(net)
    loose = Program(program.nodes, {"F0": program.target(0)})
    with pytest.raises(OrderError, match="needs 1 inputs, the program was traced with 0"):
        tp.correlation(loose, 0, 0)
    with pytest.raises(TrainingError, match="output 'F0' is not one of a traced network"):
        tp.train(loose, [1.0], steps=1, learning_rate=0.1)
    with pytest.raises(ProgramError, match="no output at input 0; its outputs are F0"):
        loose.at(0)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (Output("s", -1), "is of input -1; give a number counted from 0"),
        (Output("s", True), "is of input True; give a number"),
        (Output("s", 0, -2), "is of component -2; give a number"),
        (Output("s", component=1), "is component 1 at no input; give the input"),
    ],
)
def test_places_that_are_none_are_refused(output, said):
    program = tp.trace(net)
    with pytest.raises(ProgramError, match=said):
        Program({**program.nodes, "s": program.nodes[program.end]}, {**program.outputs, "G": output})


OUTPUTS = {
    "F0": Output("s"),
    "F1 squared": Output("s", 0),
    "C": Output("s", measure=Measure.SQUARED_NORM),
    "D squared": Output("s", 3, 1),
    "E": Output("s", 2, 0, Measure.SQUARED_NORM),
    "G": Output("s", measure=Measure.OPERATOR),
}


@pytest.mark.parametrize("label", OUTPUTS)
def test_what_an_output_is_survives_files_whatever_its_label(label):
    text = "in0 = input 0\ns = mean(in0 * in0)\noutput x = s, value\n"
    program = Program(read(text).nodes, {label: OUTPUTS[label]})
    assert read(write(program)) == program
    assert program_from_json(program.to_json()) == program


@pytest.mark.parametrize(
    ("label", "output"),
    [
        ("F0", Output("s", 0)),
        ("F12", Output("s", 12)),
        ("F2.1", Output("s", 2, 1)),
        ("C squared", Output("s", measure=Measure.SQUARED_NORM)),
        ("C", Output("s")),
        ("F", Output("s")),
        ("F01", Output("s")),
        ("F0.", Output("s")),
    ],
)
def test_files_of_version_0_2_mean_what_their_labels_said(label, output):
    text = f"in0 = input 0\ns = mean(in0 * in0)\noutput {label} = s\n"
    assert dict(read(text).outputs) == {label: output}
    content = json.loads(read(text).to_json()) | {"version": 1, "outputs": {label: "s"}}
    assert program_from_json(json.dumps(content)) == read(text)


@pytest.mark.parametrize(
    "places", ["input", "input -1", "component 1", "input 0, norm", "squared", "value, input 0", ","]
)
def test_places_that_no_line_has_are_refused(places):
    with pytest.raises(ExpressionError, match=r"line 3, .*(no place of an output|not an instruction)"):
        read(f"in0 = input 0\ns = mean(in0 * in0)\noutput F0 = s, {places}\n")


class Foreign(Enum):
    CUBE = "cube"


class Labelled(Output):
    pass


@pytest.mark.parametrize(
    "output",
    [*(Output("s", 0, None, measure) for measure in (Foreign.CUBE, "squared norm", None)), Labelled("s", 0), 3],
)
def test_an_output_is_what_it_says(output):
    nodes = tp.trace(lambda x: tp.mean(tp.linear("U", x) * tp.linear("U", x))).nodes
    (end,) = (name for name, node in nodes.items() if isinstance(node, Moment))
    given = replace(output, node=end) if isinstance(output, Output) else output
    with pytest.raises(ProgramError, match=r"output 'F' is .*with a measure of"):
        Program(nodes, {"F": given})

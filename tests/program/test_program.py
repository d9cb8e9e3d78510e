"""Programs are values: equality, digests, immutability, their graph, and what they say of themselves."""

from __future__ import annotations

import copy
import hashlib
import pickle
from collections.abc import Mapping
from fractions import Fraction

import networkx as nx
import pytest
from program.whole import NODES, ONE, OUTPUTS, TWO, network

import tensorprog as tp
from tensorprog.errors import ProgramError
from tensorprog.program import (
    Apply,
    Free,
    Input,
    MatMul,
    Moment,
    Output,
    Parameter,
    Program,
    Slot,
    operands,
)
from tensorprog.program.text import read
from tensorprog.program.types import N

# -- programs are values


def test_equal_programs_have_equal_digests_and_hashes():
    first, second, other = tp.trace(network), tp.trace(network), tp.trace(network, inputs=2)
    assert first is not second and first == second
    assert first.digest == second.digest and hash(first) == hash(second)
    assert len({first, second, other}) == 2
    assert first != other and first.digest != other.digest
    assert first != str(first)


def test_what_a_digest_sees():
    slots = [Slot("U", ((ONE, "h", "x0"),)), Slot("t", ((ONE, "s", None),))]
    programs = [
        Program(NODES, OUTPUTS),
        Program(NODES, {"F0": Output("s"), "F1": Output("r", 2)}),
        Program(NODES, {"F0": "r", "F1": "s"}),
        Program({**NODES, "W": Parameter(TWO, N, c=Fraction(1))}, OUTPUTS),
        Program({**NODES, "b": Parameter(N, None, trainable=False)}, OUTPUTS),
        Program({**NODES, "f": Apply(tp.erf, (1,), ("h",))}, OUTPUTS),
        Program({**NODES, "x9": Input(9)}, OUTPUTS),
        Program(NODES, OUTPUTS, slots[:1]),
        Program(NODES, OUTPUTS, slots),
    ]
    assert len({program.digest for program in programs}) == len(programs)
    for i, one in enumerate(programs):
        assert [one == other for other in programs] == [i == j for j in range(len(programs))]


def test_programs_that_list_their_nodes_or_outputs_otherwise_agree_with_their_hashes():
    first = Program(NODES, OUTPUTS)
    for second in (
        Program({"U": NODES["U"], **NODES}, OUTPUTS),
        Program(NODES, dict(reversed(OUTPUTS.items()))),
    ):
        assert (first == second) == (first.digest == second.digest)
        assert first != second or hash(first) == hash(second)


def test_digests_are_those_of_the_text_form():
    text = "x = input 0\nU = parameter n x d0, std 1, a 0, c 0\ny = U @ x\ns = mean(y * y)\noutput F0 = s\n"
    assert read(text).digest == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("attribute", ["nodes", "outputs", "slots", "types"])
def test_attributes_cannot_be_replaced(attribute):
    program = Program(NODES, OUTPUTS)
    value = getattr(program, attribute)
    with pytest.raises((AttributeError, TypeError, ProgramError)):
        setattr(program, attribute, {})
    with pytest.raises((AttributeError, TypeError, ProgramError)):
        delattr(program, attribute)
    assert getattr(program, attribute) is value


@pytest.mark.parametrize("attribute", ["nodes", "outputs", "types", "parameters", "free"])
def test_contents_cannot_be_changed(attribute):
    content = getattr(tp.correlation(tp.trace(network), 2, 0), attribute)
    with pytest.raises(TypeError):
        content["new"] = Input(1)
    assert isinstance(content, Mapping) and "new" not in content


def test_the_caller_keeps_no_hold_on_a_program():
    nodes, outputs, slots = dict(NODES), dict(OUTPUTS), [Slot("U", ((ONE, "h", "x0"),))]
    program = Program(nodes, outputs, slots)
    before = str(program)
    nodes["x1"] = Input(1)
    outputs["G"] = "s"
    slots.clear()
    program.counts()["Input"] = 7
    assert str(program) == before and program.counts()["Input"] == 1


@pytest.mark.parametrize("node", NODES.values(), ids=lambda node: type(node).__name__)
def test_instructions_are_immutable_and_hashable(node):
    assert hash(node) == hash(copy.copy(node))
    with pytest.raises(AttributeError):
        setattr(node, next(iter(node.__slots__)), "other")


@pytest.mark.parametrize(
    "program",
    [Program(NODES, OUTPUTS), tp.trace(network), tp.correlation(tp.trace(network), 2, 0)],
    ids=["made", "traced", "slots"],
)
def test_programs_can_be_pickled_and_copied(program):
    assert program.digest and program.graph and program.parameters is not None
    for again in (pickle.loads(pickle.dumps(program)), copy.copy(program), copy.deepcopy(program)):
        assert again == program and hash(again) == hash(program)
        assert list(again.nodes) == list(program.nodes) and again.slots == program.slots
        assert again.types == program.types
        assert nx.utils.graphs_equal(again.graph, program.graph)


# -- the graph


@pytest.mark.parametrize(
    "program", [Program(NODES, OUTPUTS), tp.correlation(tp.trace(network), 2, 0)], ids=["made", "slots"]
)
def test_the_graph_carries_the_documented_attributes(program):
    graph = program.graph
    assert type(graph) is nx.MultiDiGraph and nx.is_directed_acyclic_graph(graph)
    assert list(graph) == list(program.nodes)
    for name, node in program.nodes.items():
        assert graph.nodes[name] == {
            "instruction": node,
            "type": program.types[name],
            "op": type(node).__name__.lower(),
        }
        sources = {position: operand for operand, _, position in graph.in_edges(name, keys=True)}
        assert tuple(sources[i] for i in range(len(sources))) == operands(node)
    assert graph.number_of_edges() == sum(len(operands(node)) for node in program.nodes.values())
    assert graph.graph["outputs"] == dict(program.outputs)
    assert program.graph is graph


def test_the_graph_is_frozen():
    graph = Program(NODES, OUTPUTS).graph
    for change in (
        lambda: graph.add_edge("x0", "s"),
        lambda: graph.remove_node("s"),
        lambda: graph.add_node("new"),
        lambda: graph.remove_edge("x0", "h"),
        graph.clear,
    ):
        with pytest.raises(nx.NetworkXError, match=r"[Ff]rozen"):
            change()


def test_a_program_says_what_it_needs():
    program = Program({**NODES, "x1": Input(2, 4)}, OUTPUTS)
    assert (program.inputs, program.positions) == (3, 5)
    assert list(program.parameters) == ["U", "W", "b", "v", "t"]
    assert program.ends == ["s", "r"]
    assert program.counts() == {
        "Input": 2,
        "Parameter": 5,
        "MatMul": 3,
        "Apply": 1,
        "LinComb": 1,
        "Multiply": 1,
        "Moment": 2,
    }
    assert repr(program) == "Program(15 nodes, 10 vectors, parameters U, W, b, v, t; outputs F0, F1)"
    moved = {"d": Free("U"), "g": MatMul("d", "x0"), "q": Moment(("g",))}
    assert dict(Program({**NODES, **moved}, {**OUTPUTS, "G": "q"}).free) == {"U": "d"}


def test_a_program_can_be_restricted_to_some_outputs():
    program = Program(NODES, OUTPUTS).restricted(["F1"])
    assert dict(program.outputs) == {"F1": Output("r", 1)}
    assert list(program.nodes) == ["x0", "U", "W", "v", "h", "f", "y", "r"]
    with pytest.raises(ProgramError, match="no output 'F7'; its outputs are F0, F1"):
        Program(NODES, OUTPUTS).restricted(["F7"])


def test_notebooks_show_the_escaped_text():
    program = Program(NODES, {"<b>": "s", "F1": "r"})
    assert program._repr_html_().startswith("<pre>x0 = input 0\n")
    assert "output &lt;b&gt; = s, value" in program._repr_html_()

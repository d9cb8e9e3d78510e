"""Well-formedness: every fault is found, named and given a remedy; programs are values."""

from __future__ import annotations

import copy
import hashlib
import pickle
from collections.abc import Mapping
from fractions import Fraction

import networkx as nx
import pytest
from cases import CASES

import tensorprog as tp
from tensorprog.errors import ProgramError
from tensorprog.functions import parse_function
from tensorprog.program import (
    Apply,
    Builder,
    Coefficient,
    Constant,
    Free,
    Input,
    Instruction,
    LinComb,
    MatMul,
    Matrix,
    Moment,
    Multiply,
    Parameter,
    Program,
    Scalar,
    Slot,
    Vector,
    Width,
    operands,
)
from tensorprog.program.checks import infer
from tensorprog.program.text import read
from tensorprog.program.types import DATA, N

ONE = Coefficient()
TWO = Width(Fraction(2))

NODES: Mapping[str, Instruction] = {
    "x0": Input(0),
    "U": Parameter(N, DATA),
    "W": Parameter(TWO, N),
    "b": Parameter(N, None),
    "v": Parameter(None, TWO),
    "t": Parameter(None, None),
    "h": MatMul("U", "x0"),
    "f": Apply(tp.erf, (0,), ("h",)),
    "y": MatMul("W", "f"),
    "z": MatMul("W", "y", transpose=True),
    "c": LinComb(((ONE, "z"), (tp.n, "b"))),
    "p": Multiply(("c", "t")),
    "s": Moment(("p", "h")),
    "r": Moment(("v", "y")),
}
OUTPUTS = {"F0": "s", "F1": "r"}
TYPES = Program(NODES, OUTPUTS).types


def network(x):
    h = tp.linear("W", tp.erf(tp.linear("U", x)), bias=1)
    return tp.readout("v", tp.tanh(h) + h)


# -- instructions


@pytest.mark.parametrize(
    ("instruction", "said"),
    [
        (
            MatMul("W", "zz"),
            "node 'new' reads 'zz', which is not defined before it; define it first or correct the name",
        ),
        (MatMul("zz", "h"), "node 'new' reads 'zz', .*; define it first or correct the name"),
        (Apply(tp.erf, (0,), ("zz",)), "node 'new' reads 'zz', .*; define it first or correct the name"),
        (Multiply(("h", "new")), "node 'new' reads 'new', .*; define it first or correct the name"),
        (LinComb(((ONE, "h"), (ONE, "zz"))), "node 'new' reads 'zz', .*; define it first or correct the name"),
        (Moment(("zz",)), "node 'new' reads 'zz', .*; define it first or correct the name"),
        (Free("zz"), "node 'new' reads 'zz', .*; define it first or correct the name"),
        (MatMul("W", "y"), r"node 'new' multiplies W \(2n x n\) by 'y' of width 2n; use another weight .*both are n"),
        (MatMul("W", "x0"), r"node 'new' multiplies W \(2n x n\) by 'x0' of width d0; .*both are n"),
        (MatMul("W", "h", True), r"node 'new' multiplies Wᵀ \(n x 2n\) by 'h' of width n; .*both are 2n"),
        (MatMul("U", "h"), r"node 'new' multiplies U \(n x d0\) by 'h' of width n; .*both are d0"),
        (
            MatMul("U", "h", True),
            r"node 'new' maps back to the data dimension \('U' transposed\).*; use a square weight",
        ),
        (MatMul("h", "h"), "node 'new': 'h' is a vector of width n, a matrix is needed; multiply with *"),
        (MatMul("t", "h"), "node 'new': 't' is a scalar, a matrix is needed; multiply with *"),
        (MatMul("W", "s"), "node 'new' multiplies 'W' by 's': a scalar where a vector is needed; pass a vector"),
        (MatMul("W", "U"), "node 'new' multiplies 'W' by 'U': a matrix n x d0 where a vector is needed; pass a vector"),
        (Apply(tp.erf, (0,), ("W",)), "node 'new' uses the matrix 'W' as a vector; multiply it by a vector first"),
        (Multiply(("h", "W")), "node 'new' uses the matrix 'W' as a vector; multiply it by a vector first"),
        (LinComb(((ONE, "W"),)), "node 'new' uses the matrix 'W' as a vector; multiply it by a vector first"),
        (Moment(("W",)), "node 'new' uses the matrix 'W' as a vector; multiply it by a vector first"),
        (Moment(("s",)), "node 'new' averages s over .*none of them is a vector.*; drop the mean or pass a vector"),
        (Moment(("s", "t")), "node 'new' averages s, t over .*; drop the mean or pass a vector"),
        (Multiply(("t", "h", "y")), "node 'new' combines 'h' of width n with 'y' of width 2n; bring both to one width"),
        (LinComb(((ONE, "x0"), (ONE, "h"))), "node 'new' combines 'x0' of width d0 with 'h' of width n; bring both"),
        (Moment(("y", "x0")), "node 'new' combines 'y' of width 2n with 'x0' of width d0; bring both to one width"),
        (Multiply(()), "node 'new' has no operands; drop it or give it at least one"),
        (LinComb(()), "node 'new' has no operands; drop it or give it at least one"),
        (Moment(()), "node 'new' has no operands; drop it or give it at least one"),
        (Apply(tp.erf, (0,), ()), r"node 'new' applies erf of 1 arguments, order \(0,\), to 0; give one operand"),
        (
            Apply(tp.erf, (0, 0), ("h", "f")),
            r"applies erf of 1 arguments, order \(0, 0\), to 2; give one operand and one",
        ),
        (Apply(tp.erf, (0, 0), ("h",)), r"applies erf of 1 arguments, order \(0, 0\), to 1; give one operand and one"),
        (Apply(tp.erf, (), ("h",)), r"applies erf of 1 arguments, order \(\), to 1; give one operand and one"),
        (Apply(tp.erf, (-1,), ("h",)), r"applies erf of 1 arguments, order \(-1,\), to 1; give one operand and one"),
        (Apply(parse_function("z0*exp(z1)"), (0,), ("h",)), r"z0\*exp\(z1\)\) of 2 arguments, .*; give one operand"),
    ],
    ids=lambda value: ascii(value)[:40] if isinstance(value, str) else type(value).__name__,
)
def test_faults_of_an_instruction_are_named(instruction, said):
    with pytest.raises(ProgramError, match=said):
        infer("new", instruction, TYPES)
    with pytest.raises(ProgramError, match=said):
        Program({**NODES, "new": instruction}, {**OUTPUTS, "G": "new"})


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        (Input(3, 1), Vector(DATA)),
        (Parameter(N, TWO), Matrix(N, TWO)),
        (Parameter(N, None), Vector(N)),
        (Parameter(None, TWO), Vector(TWO)),
        (Parameter(None, None), Scalar()),
        (Free("U"), Matrix(N, DATA)),
        (Free("v"), Vector(TWO)),
        (Free("t"), Scalar()),
        (Constant(ONE), Scalar()),
        (Constant(ONE, TWO), Vector(TWO)),
        (MatMul("W", "h"), Vector(TWO)),
        (MatMul("W", "y", True), Vector(N)),
        (Apply(tp.erf, (2,), ("y",)), Vector(TWO)),
        (Apply(tp.erf, (0,), ("t",)), Scalar()),
        (Apply(parse_function("z0*exp(z1)"), (0, 1), ("t", "y")), Vector(TWO)),
        (Multiply(("t", "s")), Scalar()),
        (Multiply(("t", "h", "h")), Vector(N)),
        (LinComb(((ONE, "x0"), (ONE, "t"))), Vector(DATA)),
        (Moment(("t", "x0")), Scalar()),
    ],
    ids=lambda value: str(value) if isinstance(value, Scalar | Vector | Matrix) else type(value).__name__,
)
def test_types_follow_from_the_operands(instruction, expected):
    assert infer("new", instruction, TYPES) == expected


# -- whole programs


@pytest.mark.parametrize(
    ("nodes", "outputs", "said"),
    [
        (NODES, {}, "the program has no output; return a scalar"),
        ({}, {}, "the program has no output; return a scalar"),
        (NODES, {"F0": "zz"}, "output 'F0' is 'zz', which is not defined; correct the name"),
        (NODES, {"F0": "h"}, "output 'F0' is node 'h', a vector of width n, not a scalar; end with tp.readout"),
        (NODES, {**OUTPUTS, "G": "W"}, "output 'G' is node 'W', a matrix 2n x n, not a scalar; end with tp.readout"),
        (NODES, {"F0": "s"}, "unused parameter 'v': no output depends on it; use it or remove it"),
        (NODES, {"F1": "r"}, "unused parameter 'b': no output depends on it; use it or remove it"),
        ({**NODES, "q": Moment(("h",))}, OUTPUTS, "unused node 'q': no output depends on it; use it or remove it"),
        ({**NODES, "d": Free("U")}, OUTPUTS, "unused node 'd': no output depends on it; use it or remove it"),
        ({**NODES, "d": Free("x0"), "q": Moment(("d",))}, {**OUTPUTS, "G": "q"}, "node 'd'.*'x0'.*parameter.*; "),
        ({**NODES, "d": Free("f"), "q": Moment(("d",))}, {**OUTPUTS, "G": "q"}, "node 'd'.*'f'.*parameter.*; "),
        (dict(reversed(NODES.items())), OUTPUTS, "node 'r' reads 'v', which is not defined before it; define it first"),
    ],
)
def test_faults_of_a_program_are_named(nodes, outputs, said):
    with pytest.raises(ProgramError, match=said):
        Program(nodes, outputs)


def test_inputs_may_stay_unread():
    assert Program({**NODES, "x1": Input(1)}, OUTPUTS).inputs == 2


@pytest.mark.parametrize("missing", NODES)
def test_no_node_can_be_left_out(missing):
    with pytest.raises(ProgramError, match=f"'{missing}'"):
        Program({name: node for name, node in NODES.items() if name != missing}, OUTPUTS)


@pytest.mark.parametrize(
    "slots",
    [
        [Slot("U", ((ONE, "h", "x0"), (tp.n, "f", "x0")))],
        [Slot("W", ((ONE, "y", "h"),)), Slot("b", ((ONE, "c", None),))],
        [Slot("v", ((ONE, "y", None),)), Slot("t", ((ONE, "r", None),))],
        [Slot("U", ())],
    ],
    ids=lambda slots: ",".join(slot.parameter for slot in slots),
)
def test_slots_that_fit(slots):
    assert Program(NODES, OUTPUTS, slots).slots == tuple(slots)


@pytest.mark.parametrize(
    ("slots", "said"),
    [
        ([Slot("U", ((ONE, "zz", "x0"),))], "slot of 'U' reads 'zz'.*; "),
        ([Slot("U", ((ONE, "h", "zz"),))], "slot of 'U' reads 'zz'.*; "),
        ([Slot("v", ((ONE, "W", None),))], "slot of 'v' reads 'W'.*; "),
        ([Slot("U", ((ONE, "h", "U"),))], "slot of 'U' reads 'U'.*; "),
        ([Slot("zz", ((ONE, "h", "x0"),))], "slot of 'zz'.*; "),
        ([Slot("zz", ())], "slot of 'zz'.*; "),
        ([Slot("h", ((ONE, "h", None),))], "slot of 'h'.*; "),
        ([Slot("x0", ((ONE, "x0", None),))], "slot of 'x0'.*; "),
        ([Slot("U", ((ONE, "h", None),))], "slot of 'U'.*; "),
        ([Slot("v", ((ONE, "y", "y"),))], "slot of 'v'.*; "),
        ([Slot("t", ((ONE, "s", "s"),))], "slot of 't'.*; "),
        ([Slot("U", ((ONE, "x0", "h"),))], "slot of 'U'.*'x0'.*; "),
        ([Slot("W", ((ONE, "y", "y"),))], "slot of 'W'.*'y'.*; "),
        ([Slot("v", ((ONE, "h", None),))], "slot of 'v'.*'h'.*; "),
        ([Slot("t", ((ONE, "h", None),))], "slot of 't'.*'h'.*; "),
    ],
    ids=lambda value: ",".join(str(slot.terms[0][1:]) if slot.terms else "" for slot in value if type(slot) is Slot),
)
def test_slots_that_do_not_fit_are_named(slots, said):
    with pytest.raises(ProgramError, match=said):
        Program(NODES, OUTPUTS, slots)


# -- the builder


def test_one_name_is_one_definition():
    builder = Builder()
    assert builder.parameter("U", Parameter(N, DATA)) == builder.parameter("U", Parameter(N, DATA)) == "U"
    for other in (Parameter(N, N), Parameter(N, DATA, std=Fraction(2)), Parameter(N, DATA, trainable=False)):
        with pytest.raises(
            ProgramError, match=r"'U' is defined twice, with .* and .*; use one name for one weight with equal"
        ):
            builder.parameter("U", other)
    builder.input(0)
    with pytest.raises(
        ProgramError, match=r"'in0' is defined twice, once as the node Input .*or give the second another name"
    ):
        builder.parameter("in0", Parameter(N, DATA))


def test_included_programs_share_their_weights():
    builder = Builder(tp.trace(network))
    builder.include(tp.trace(network))
    assert dict(builder.nodes) == dict(tp.trace(network).nodes)
    with pytest.raises(ProgramError, match="'v' is defined twice"):
        builder.include(tp.trace(lambda x: tp.readout("v", tp.linear("V", x), std=2)))


def test_the_builder_refuses_what_does_not_fit():
    builder = Builder(Program(NODES, OUTPUTS))
    for call, said in (
        (lambda: builder.matmul("W", "y"), r"W \(2n x n\) by 'y' of width 2n; use another weight name"),
        (lambda: builder.multiply("h", "y"), "'h' of width n with 'y' of width 2n; bring both to one width"),
        (lambda: builder.add("h", "x0"), "'h' of width n with 'x0' of width d0; bring both to one width"),
        (lambda: builder.moment("h", "y"), "'h' of width n with 'y' of width 2n; bring both to one width"),
        (lambda: builder.apply(tp.erf, (0,), ["W"]), "uses the matrix 'W' as a vector; multiply it by a vector"),
        (lambda: builder.apply(tp.erf, (0,), ["h", "h"]), "applies erf of 1 arguments.* to 2; give one operand"),
        (lambda: builder.free("zz"), "reads 'zz', which is not defined before it; define it first"),
        (lambda: builder.free("h"), "'h'.*parameter.*; "),
        (
            lambda: builder.dot("x0", "x0"),
            "a sum over the data dimension is a mean times d0, which is not a power of n",
        ),
        (lambda: builder.build({}), "the program has no output; return a scalar"),
        (lambda: builder.build({"F": "h"}), "output 'F' is node 'h', a vector of width n, not a scalar; end with"),
    ):
        with pytest.raises(ProgramError, match=said):
            call()
    assert dict(builder.nodes) == NODES


# -- passes: valid programs in, valid programs out


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_correlations_are_valid_programs(case):
    traced = case.trace(2)
    for D, d, labels in ((0, 0, ["C"]), (0, 1, ["C"]), (1, 1, ["C squared"]), (2, 1, [])):
        program = tp.correlation(traced, D, d)
        assert list(program.outputs) == labels
        again = Program(dict(program.nodes), dict(program.outputs), program.slots)
        assert again == program and again.types == program.types
        assert program.parameters.items() <= traced.parameters.items()
        assert bool(program.free) == bool(program.slots) == (D == 2)
        assert set(program.free) <= {slot.parameter for slot in program.slots}
        for slot in program.slots:
            parameter = traced.parameters[slot.parameter]
            assert parameter.trainable and slot.terms
            sides = [side for side in (parameter.rows, parameter.cols) if side is not None]
            wanted = [Vector(side) for side in sides] or [Scalar()]
            for _, left, right in slot.terms:
                assert [program.types[side] for side in (left, right) if side is not None] == wanted


@pytest.mark.parametrize(("D", "d"), [(0, 1), (1, 0), (2, 0)])
def test_no_node_of_a_correlation_can_be_left_out(D, d):
    program = tp.correlation(tp.trace(network, inputs=2), D, d)
    for missing in program.nodes:
        nodes = {name: node for name, node in program.nodes.items() if name != missing}
        with pytest.raises(ProgramError, match=f"'{missing}'"):
            Program(nodes, program.outputs, program.slots)


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
        Program(NODES, {"F0": "s", "F2": "r"}),
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
    assert dict(program.outputs) == {"F1": "r"}
    assert list(program.nodes) == ["x0", "U", "W", "v", "h", "f", "y", "r"]
    with pytest.raises(ProgramError, match="no output 'F7'; its outputs are F0, F1"):
        Program(NODES, OUTPUTS).restricted(["F7"])


def test_notebooks_show_the_escaped_text():
    program = Program(NODES, {"<b>": "s", "F1": "r"})
    assert program._repr_html_().startswith("<pre>x0 = input 0\n")
    assert "output &lt;b&gt; = s" in program._repr_html_()

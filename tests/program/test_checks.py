"""Well-formedness: every fault is found, named and given a remedy."""

from __future__ import annotations

from fractions import Fraction

import pytest
from cases import CASES
from program.whole import NODES, ONE, OUTPUTS, TWO, TYPES, network

import tensorprog as tp
from tensorprog.errors import ProgramError
from tensorprog.functions import parse_function
from tensorprog.program import (
    Apply,
    Builder,
    Constant,
    Free,
    Input,
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
)
from tensorprog.program.checks import infer
from tensorprog.program.types import DATA, N

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

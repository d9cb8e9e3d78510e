"""The front end: what it records, what it refuses."""

from __future__ import annotations

from fractions import Fraction

import pytest

import tensorprog as tp
from tensorprog.errors import ArchitectureError, ExpressionError, ProgramError
from tensorprog.program import LinComb, MatMul, Moment, Parameter, Vector


def test_the_same_name_is_the_same_weight_within_and_across_inputs():
    def tied(x):
        h = tp.linear("W", tp.erf(tp.linear("U", x)))
        h = tp.linear("W", tp.erf(h))
        return tp.readout("v", tp.linear("W", tp.erf(h), transpose=True))

    program = tp.trace(tied, inputs=2)
    assert list(program.parameters) == ["U", "W", "v"]
    products = [node for node in program.nodes.values() if isinstance(node, MatMul) and node.matrix == "W"]
    assert [node.transpose for node in products] == [False, False, True] * 2
    assert list(program.outputs) == ["F0", "F1"]


def test_equal_computations_are_one_node():
    def twice(x):
        a, b = tp.erf(tp.linear("U", x)), tp.erf(tp.linear("U", x))
        return tp.readout("v", a + b)

    program = tp.trace(twice)
    assert program.counts()["Apply"] == 1
    (combination,) = [node for node in program.nodes.values() if isinstance(node, LinComb) and len(node.terms) == 1][:1]
    assert combination.terms[0][0].value in (1, 2)


def test_graph_is_a_frozen_multidigraph_with_argument_positions():
    program = tp.trace(lambda x: tp.mean(tp.linear("U", x) * tp.linear("U", x)))
    moment = program.end
    (source,) = set(program.graph.predecessors(moment))
    assert program.graph.number_of_edges(source, moment) == 2
    assert program.graph.nodes[moment]["op"] == "moment"
    assert isinstance(program.graph.nodes[source]["type"], Vector)
    with pytest.raises(Exception, match="Frozen"):
        program.graph.add_node("intruder")


def test_scales_fold_into_unit_variance():
    def net(x, scale):
        h = tp.linear("W", tp.linear("U", x, scale=scale), scale=scale, bias=1)
        return tp.readout("v", h, scale=scale)

    half = Fraction(1, 2)
    expected = {
        "NTK": {"U": (0, 0), "W": (half, 0), "W.bias": (0, 0), "v": (half, 0)},
        "MUP": {"U": (0, -1), "W": (half, -1), "W.bias": (0, -1), "v": (1, -1)},
        "MEAN_FIELD": {"U": (0, -1), "W": (half, -1), "W.bias": (0, -1), "v": (1, -1)},
    }
    for preset in (tp.NTK, tp.MUP, tp.MEAN_FIELD):
        found = {name: (p.a, p.c) for name, p in tp.trace(net, scale=preset).parameters.items()}
        assert found == expected[preset.name]
    single = tp.trace(lambda x: tp.readout("v", tp.linear("U", x), scale=(half, half, 0))).parameters["v"]
    assert (single.a, single.c) == (1, -1)


def test_numbers_are_exact_and_constants_fold():
    def net(x):
        h = tp.linear("U", x, std=0.1)
        return tp.readout("v", (0.3 * h) * 2 - h / 5 + 0 * h)

    program = tp.trace(net)
    assert program.parameters["U"].std == Fraction(1, 10)
    terms = [node.terms for node in program.nodes.values() if isinstance(node, LinComb)]
    assert any(term[0].value == Fraction(2, 5) for group in terms for term in group)


def test_scalars_broadcast_and_functions_act_on_them():
    def softmax_like(x):
        h = tp.linear("U", x)
        s = tp.exp(tp.mean(h * h))
        return tp.readout("v", (s / (1 + s)) * h + s)

    program = tp.trace(softmax_like)
    assert any(isinstance(node, Moment) for node in program.nodes.values())


def test_sequences_have_positions():
    def net(x):
        assert len(x) == 3
        return tp.readout("v", sum(tp.erf(tp.linear("U", p)) for p in x))

    program = tp.trace(net, inputs=2, positions=3)
    assert (program.inputs, program.positions) == (2, 3)


def test_biases_and_frozen_weights_are_parameters():
    def net(x):
        return tp.readout("v", tp.linear("U", x, bias=0.5, trainable=False), bias=1)

    found = tp.trace(net).parameters
    assert list(found) == ["U", "U.bias", "v", "v.bias"]
    assert [p.trainable for p in found.values()] == [False, False, True, True]
    assert found["v.bias"] == Parameter(None, None)


def test_biases_have_their_own_deviation():
    def net(x):
        return tp.readout("v", tp.linear("U", x, bias=0.5, std=2), bias=0.25, std=3)

    found = {name: p.std for name, p in tp.trace(net).parameters.items()}
    assert found == {"U": 2, "U.bias": Fraction(1, 2), "v": 3, "v.bias": Fraction(1, 4)}


def test_a_width_asked_of_a_transposed_weight_is_that_of_its_result():
    def net(x, width):
        h = tp.linear("W", tp.linear("U", x, width=2), width=Fraction(1, 2))
        return tp.readout("v", tp.linear("W", h, transpose=True, width=width))

    assert tp.trace(net, width=2).outputs
    with pytest.raises(ProgramError, match=r"'W' has width 2n, width=0\.5 was asked"):
        tp.trace(net, width=0.5)


def test_a_number_over_a_scalar_is_a_quotient():
    def net(x, invert):
        s = 1 + tp.mean(tp.linear("U", x) ** 2)
        return 2 / s if invert else s

    one, two = (tp.sample(tp.trace(net, invert=i), [[1.0, 2.0]], 4, 3, seed=0) for i in (False, True))
    assert one * two == pytest.approx(2)


H = "tp.linear('U', x)"


@pytest.mark.parametrize(
    ("net", "error", "message"),
    [
        (lambda x: tp.linear("U", x), ProgramError, "not a scalar.*tp.readout"),
        (lambda x: 3, ProgramError, "returned 3, not a traced scalar"),
        (lambda x: tp.readout("v", x), ProgramError, "reads the data directly"),
        (lambda x: tp.readout("U", tp.linear("U", x)), ProgramError, "'U' is defined twice"),
        (lambda x: tp.readout("v", tp.linear("U", tp.linear("U", x))), ProgramError, r"U \(n x d0\).*width n"),
        (lambda x: tp.readout("v", tp.linear("U", tp.linear("U", x), transpose=True)), ProgramError, "data dimension"),
        (lambda x: tp.mean(tp.readout("v", tp.linear("U", x))), ProgramError, "'mean' got .* a scalar where a vector"),
        (lambda x: tp.linear("W", tp.readout("v", tp.linear("U", x))), ProgramError, "scalar where a vector"),
        (lambda x: tp.linear("W", 3), ProgramError, "not a traced vector"),
        (lambda x: tp.readout("v", tp.linear("U", x) + tp.linear("W", x, width=2)), ProgramError, "width n .*width 2n"),
        (lambda x: tp.readout("v", tp.linear("U", x, width=0)), ProgramError, "positive multiple"),
        (lambda x: tp.readout("v", tp.linear("U", x, std=-1)), ProgramError, "'U' is -1; it must be positive"),
        (lambda x: tp.readout("v", tp.linear("U", x, scale="ntk")), ExpressionError, "scale of 'U'"),
        (lambda x: tp.readout("a b", tp.linear("U", x)), ProgramError, "no name for a weight"),
        (lambda x: tp.readout("v", x[0]), ProgramError, "positions"),
        (lambda x: tp.readout("v", tp.linear("U", x) * "two"), ExpressionError, "'two' is not a finite real number"),
        (lambda x: tp.readout("v", tp.linear("U", x) * float("nan")), ExpressionError, "nan is not a finite"),
        (lambda x: tp.readout("v", tp.linear("U", x) / 0), ExpressionError, "divided by zero"),
        (lambda x: tp.readout("v", tp.linear("U", x)) and 1, ProgramError, "cannot decide a branch"),
        (lambda x: [tp.linear("W", x), tp.readout("v", tp.linear("U", x))][1], ProgramError, "unused parameter 'W'"),
        (lambda x, depth: 1, ArchitectureError, "depth"),
    ],
)
def test_refusals_name_the_node_and_the_remedy(net, error, message):
    with pytest.raises(error, match=message):
        tp.trace(net)


def test_trace_arguments():
    with pytest.raises(ArchitectureError, match="not a function"):
        tp.trace("mlp")
    with pytest.raises(ProgramError, match="inputs=0"):
        tp.trace(lambda x: tp.readout("v", tp.linear("U", x)), inputs=0)
    with pytest.raises(ProgramError, match="position 3 of a sequence of 2"):
        tp.trace(lambda x: tp.readout("v", tp.linear("U", x[3])), positions=2)
    with pytest.raises(ProgramError, match="whole sequence"):
        tp.trace(lambda x: tp.readout("v", tp.linear("U", x)), positions=2)


def counted():
    calls = iter(range(1, 9))
    return lambda x: tp.readout("v", tp.erf(next(calls) * tp.linear("U", x)))


def remembering():
    kept = []

    def net(x):
        kept.append(tp.linear("U", x))
        return tp.readout("v", sum(map(tp.erf, kept)))

    return net


def caching():
    kept = {}
    return lambda x: tp.readout("v", tp.erf(kept.setdefault("h", tp.linear("U", x))))


def renaming():
    names = iter("abcd")
    return lambda x: tp.readout(next(names), tp.erf(tp.linear("U", x)))


def growing():
    calls = iter(range(1, 9))

    def net(x):
        F = tp.readout("v", tp.erf(tp.linear("U", x)))
        return (F,) * next(calls)

    return net


@pytest.mark.parametrize("made", [counted, remembering, caching, renaming, growing])
def test_an_architecture_is_a_function_of_its_input(made):
    """Counters, lists of earlier values and the like make another network at every input."""
    assert tp.trace(made()).outputs
    with pytest.raises(ArchitectureError, match="no function of its input: at input 1"):
        tp.trace(made(), inputs=3)

"""Named constants: what `tp.symbol` makes, how traces record it, and both written forms."""

from __future__ import annotations

import copy
import pickle
from fractions import Fraction

import numpy as np
import pytest

import tensorprog as tp
from tensorprog.errors import ArchitectureError, ExpressionError, ProgramError
from tensorprog.program import Builder, Coefficient, Constant, LinComb, Multiply, Program, Width
from tensorprog.program.constants import NamedConstant
from tensorprog.program.interchange import program_from_json
from tensorprog.program.sketch import sketch
from tensorprog.program.text import read, write

HALF = Fraction(1, 2)
SIGMA, TAU = tp.symbol("sigma_w", 1.5), tp.symbol("tau", HALF)


def net(x, std=SIGMA, bias=0):
    h = tp.erf(tp.linear("U", x, std=std, bias=bias))
    return tp.readout("v", h, std=std, bias=bias)


def named(program):
    return {node.name: node.coefficient for node in program.nodes.values() if isinstance(node, Constant) and node.name}


def test_a_symbol_is_a_name_and_an_exact_value():
    assert NamedConstant((Constant(Coefficient(Fraction(3, 2)), name="sigma_w"),)) == SIGMA
    assert tp.symbol("eta", 2 / tp.n).value == Coefficient(Fraction(2), Fraction(-1))
    assert tp.symbol("σ", 0.1).value == Coefficient(Fraction(1, 10))
    assert pickle.loads(pickle.dumps(SIGMA)) == copy.deepcopy(SIGMA) == SIGMA
    assert hash(SIGMA) == hash(tp.symbol("sigma_w", 1.5))
    with pytest.raises(AttributeError):
        SIGMA.factor = tp.n


@pytest.mark.parametrize(
    "scaled", [2 * SIGMA, SIGMA * 2, np.float64(2) * SIGMA, SIGMA * np.int64(2), SIGMA / HALF, -(SIGMA * -2)]
)
def test_products_with_numbers_outside_a_trace(scaled):
    assert scaled == NamedConstant(SIGMA.symbols, Coefficient(Fraction(2)))
    assert scaled.value == Coefficient(Fraction(3))
    assert str(scaled) == "2*sigma_w"


def test_products_of_symbols_outside_a_trace():
    assert TAU * SIGMA == SIGMA * TAU == NamedConstant(SIGMA.symbols + TAU.symbols)
    assert NamedConstant(SIGMA.symbols * 2 + TAU.symbols, Coefficient(Fraction(4))) == (2 * SIGMA) ** 2 * TAU
    assert str(SIGMA**2 * TAU) == "sigma_w*sigma_w*tau"
    program = tp.trace(net, std=SIGMA * TAU, bias=SIGMA**2)
    assert Multiply(("sigma_w", "tau")) in program.nodes.values()
    assert Multiply(("sigma_w", "sigma_w")) in program.nodes.values()
    for exponent in (0, -1, 0.5):
        with pytest.raises(TypeError):
            SIGMA**exponent


def test_products_with_powers_of_n():
    assert (tp.n * SIGMA).factor == (SIGMA * tp.n).factor == tp.n
    assert (SIGMA / tp.n).factor == tp.n**-1


@pytest.mark.parametrize(
    ("make", "error", "told"),
    [
        (lambda: tp.symbol("tau", 0), ProgramError, "'tau' is 0; leave out"),
        (lambda: tp.symbol("two words", 1), ProgramError, "'two words' is no name for a symbol"),
        (lambda: tp.symbol("", 1), ProgramError, "is no name for a symbol"),
        (lambda: tp.symbol(3, 1), ProgramError, "3 is no name for a symbol"),
        (lambda: tp.symbol("x", "big"), ExpressionError, "not a finite real number"),
        (lambda: tp.symbol("x", np.inf), ExpressionError, "not a finite real number"),
        (lambda: SIGMA / 0, ExpressionError, "'sigma_w' is divided by zero"),
        *(
            (lambda name=name: tp.symbol(name, 1), ProgramError, f"'{name}' has another meaning in the equations")
            for name in ("n", "t", "E", "limit", "z0", "e_12", "L_3", "K_in0")
        ),
    ],
)
def test_what_is_no_symbol(make, error, told):
    with pytest.raises(error, match=told):
        make()


def test_a_weight_has_the_symbol_before_its_product():
    """Stored with std 1; the number of 2 σ stays with the weight."""
    program = tp.trace(net, std=2 * SIGMA, bias=TAU)
    assert {name: p.std for name, p in program.parameters.items()} == {"U": 2, "U.bias": 1, "v": 2, "v.bias": 1}
    assert named(program) == {"sigma_w": Coefficient(Fraction(3, 2)), "tau": Coefficient(HALF)}
    assert program.nodes["sigma_w"] == Constant(Coefficient(Fraction(3, 2)), name="sigma_w")
    read_by = [node for node in program.nodes.values() if isinstance(node, Multiply) and "sigma_w" in node.args]
    assert len(read_by) == 2


def test_equal_symbols_are_one_node():
    program = tp.trace(net, inputs=3, std=SIGMA, bias=tp.symbol("sigma_w", Fraction(3, 2)))
    assert program.counts()["Constant"] == 1


@pytest.mark.parametrize(
    "function",
    [
        lambda x, s: s * x,
        lambda x, s: x * s,
        lambda x, s: x + s,
        lambda x, s: s + x,
        lambda x, s: x - s,
        lambda x, s: s - x,
        lambda x, s: x / s,
        lambda x, s: s / x**2,
        lambda x, s: x * s * s,
        lambda x, s: tp.expression("z0*tanh(z1)")(x, s),
        lambda x, s: tp.expression("z0*tanh(z1)")(s, x),
        lambda x, s: tp.mean(x * x) * s * x,
        lambda x, s: 2 * (s * x) * 3 - x,
        lambda x, s: x * (2 * s),
        lambda x, s: s * s * x + s**2,
    ],
)
def test_arithmetic_is_that_of_the_number_and_folds_nothing(function):
    by_name, by_number = (tp.trace(lambda x, s=s: tp.mean(function(tp.linear("U", x), s) ** 2)) for s in (SIGMA, 1.5))
    assert named(by_name) == {"sigma_w": SIGMA.value}
    assert named(by_number) == {}
    one, other = tp.sample([by_name], np.ones((1, 3)), 5, 1, 2), tp.sample([by_number], np.ones((1, 3)), 5, 1, 2)
    np.testing.assert_allclose(one, other, rtol=1e-13)


def test_builders_keep_symbols_out_of_coefficients():
    b = Builder()
    sigma, two = b.named(SIGMA), b.constant(Coefficient(Fraction(2)))
    assert sigma == "sigma_w" == b.named(tp.symbol("sigma_w", 1.5))
    assert b.nodes[b.multiply(sigma, two)] == LinComb(((Coefficient(Fraction(2)), sigma),))
    assert b.nodes[b.multiply(sigma, sigma)] == Multiply((sigma, sigma))
    assert b.nodes[b.lincomb([(Coefficient(HALF), sigma)])] == LinComb(((Coefficient(HALF), sigma),))
    assert b.multiply(sigma, b.zero()) is None
    assert b.named(0 * SIGMA) is None
    x = b.multiply(sigma, b.input(0))
    assert b.nodes[b.moment(x, x)].args.count(sigma) == 2


def test_averages_pull_symbols_out():
    b = Builder()
    square = b.nodes[b.moment(*[b.multiply(b.named(SIGMA), b.input(0))] * 2)]
    assert isinstance(square, Multiply) and square.args.count("sigma_w") == 2


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda x: net(x, std=-1 * SIGMA), "standard deviation of 'U' is .*must be positive"),
        (lambda x: net(x, std=tp.symbol("s", -1)), "must be positive"),
        (lambda x: net(x, bias=0 * SIGMA), "'U.bias' is .*must be positive"),
        (lambda x: net(x, std=tp.symbol("s", tp.n)), "'U' is s with a power of n; give that to scale="),
        (lambda x: net(x, std=SIGMA / tp.n), r"'U' is n\^\(-1\)\*sigma_w with a power of n"),
        (lambda x: tp.readout("v", SIGMA * x), "'v' reads the data directly"),
        (lambda x: net(x, bias=tp.symbol("sigma_w", 2)), "'sigma_w' is defined twice, as 3/2 and as 2"),
        (
            lambda x: tp.readout("v", tp.linear("W", tp.linear("W", tp.linear("U", x), std=SIGMA), std=TAU)),
            "'W' is defined twice, with std sigma_w and tau",
        ),
        (
            lambda x: tp.readout("v", tp.linear("W", tp.linear("W", tp.linear("U", x), std=SIGMA))),
            "'W' is defined twice, with std sigma_w and a number",
        ),
        (
            lambda x: tp.readout("v", tp.linear("W", tp.linear("W", tp.linear("U", x), std=SIGMA), std=2 * SIGMA)),
            "'W' is defined twice, with std 1 and 2",
        ),
    ],
)
def test_wrong_uses_are_refused(function, told):
    with pytest.raises(ProgramError, match=told):
        tp.trace(function)


def test_arithmetic_between_symbols_needs_a_trace():
    with pytest.raises(ArchitectureError, match="unsupported operand"):
        tp.trace(lambda x: net(x, std=SIGMA + TAU))


@pytest.mark.parametrize("d", [0, 1])
def test_both_forms_read_back(d):
    program = tp.correlation(tp.trace(net, inputs=2, std=SIGMA, bias=tp.symbol("β_1", HALF)), 0, d)
    assert "sigma_w = constant 3/2, symbol sigma_w\n" in str(program)
    assert "β_1 = constant 1/2, symbol β_1\n" in str(program)
    assert read(write(program)) == program == program_from_json(program.to_json())
    assert '"symbol": "sigma_w"' in program.to_json()


def test_a_power_of_n_reads_back():
    program = tp.trace(lambda x: tp.symbol("eta", 2 / tp.n) * tp.mean(tp.linear("U", x)))
    assert "eta = constant 2*n^(-1), symbol eta\n" in str(program)
    assert read(str(program)) == program == program_from_json(program.to_json())


def test_a_name_that_is_taken_gives_way():
    """A weight and a symbol of one name: the symbol keeps its name, its node gets another."""
    program = tp.trace(lambda x: tp.mean(tp.symbol("U", 2) * tp.linear("U", x)))
    assert named(program) == {"U": Coefficient(Fraction(2))}
    assert read(str(program)) == program
    with pytest.raises(ProgramError, match="once as the node Constant and once as a weight"):
        tp.trace(lambda x: tp.mean(tp.linear("V", tp.symbol("V", 2) * x)))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("b = constant 2, symbol a", "line 2, 'b = constant 2, symbol a': the symbol 'a' is defined twice, as 1 and"),
        ("b = constant 2, width n, symbol b", "'b' has the width n; symbols are scalars"),
        ("b = constant 0, symbol b", "'b' is 0"),
        ("b = constant 2, symbol z1", "'z1' has another meaning"),
        ("b = constant 2, symbol b.c", "'b.c' is no name for a symbol"),
    ],
)
def test_wrong_texts_are_refused(line, told):
    with pytest.raises(ProgramError, match=told):
        read(f"a = constant 1, symbol a\n{line}\ns = a * b\noutput F0 = s")


@pytest.mark.parametrize("line", ["b = constant 2, symbol", "b = constant 2, symbol ", "b = constant 2 symbol b"])
def test_texts_that_are_no_symbol(line):
    with pytest.raises(ExpressionError, match="line 1"):
        read(f"{line}\noutput F0 = b")


def test_programs_refuse_two_values_of_one_name():
    nodes = {"a": Constant(Coefficient(), name="s"), "b": Constant(Coefficient(HALF), name="s")}
    with pytest.raises(ProgramError, match="'s' is defined twice, as 1/2 and as 1"):
        Program({**nodes, "c": Multiply(("a", "b"))}, {"F0": "c"})
    with pytest.raises(ProgramError, match="symbols are scalars"):
        Program({"a": Constant(Coefficient(), Width(), "s")}, {"F0": "a"})


def test_pictures_show_the_symbol():
    labels = {"".join(span.text for span in box.label) for box in sketch(tp.trace(net)).boxes.values()}
    assert "sigmaw ×" in labels

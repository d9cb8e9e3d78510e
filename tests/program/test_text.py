"""The text form: exact both ways, errors that name the line, nothing executed."""

from __future__ import annotations

import builtins
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from types import CodeType

import pytest
from cases import CASES, Case
from hypothesis import example, given, settings
from hypothesis import strategies as st

import tensorprog as tp
from tensorprog.errors import ExpressionError, ProgramError, TensorProgramError
from tensorprog.functions import parse_function
from tensorprog.program import (
    Apply,
    Coefficient,
    Constant,
    Free,
    Input,
    LinComb,
    MatMul,
    Moment,
    Multiply,
    Parameter,
    Program,
    Slot,
    Width,
)
from tensorprog.program.text import read, write
from tensorprog.program.types import DATA, N

HALF = Fraction(1, 2)
ONE = Coefficient()

MLP = """\
in0 = input 0
U = parameter n x d0, std 1, a 0, c 0
x1 = U @ in0
x2 = erf(x1)
W1 = parameter n x n, std 3/2, a 1/2, c 0
x3 = W1 @ x2
x4 = erf(x3)
v = parameter 1 x n, std 1, a 1/2, c 0
s5 = mean(v * x4)
s6 = n^1*s5
output F0 = s6
"""

EVERYTHING = """\
# every instruction, every option
  in0_0 = input 0 position 0
in1_2 = input 1 position 2

U = parameter 2n x d0, std 1/10, a 0, c -1
block1.W = parameter 1/2n x 2n, std 1, a 1/2, c 0, frozen
b = parameter 2n x 1, std 1, a 0, c 0
t = parameter 1 x 1, std 1, a -1/2, c 0
du = free U
one = constant 1, width 2n
k = constant -1/2*n^(-1/2)
h = U @ in0_0
g = du @ in1_2
z = block1.W @ h
y = block1.W^T @ z
f0 = erf(h)
f2 = leaky_relu(1/10)[1](h)
f3 = expression(z0*sin(z1))[0,2](h, k)
p = h * h * t
q = one
c = -h + 1/2*n^(-1/2)*g - 3*n^2*y + f0 - f2 + p + q + f3 + b
single = 1*c
s = mean(c * single * h)
output F0 = s
output a loss, λ = t
slot U: n^(-1)*h (x) in0_0 - 2*y (x) in1_2
slot b: -h
slot t: 0
"""


@contextmanager
def nothing_runs() -> Iterator[None]:
    """Executing a text fails, and is noticed even when that error is caught; late imports may run their files."""
    calls: list[object] = []
    plain = builtins.exec

    def executed(*arguments: object) -> None:
        if isinstance(arguments[0], CodeType) and arguments[0].co_filename.endswith(".py"):
            plain(*arguments)
            return
        calls.append(arguments)
        raise AssertionError("a text was executed")

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in ((builtins, "eval"), (builtins, "exec"), (builtins, "open"), (os, "system"), (os, "popen")):
            patch.setattr(owner, name, executed)
        yield
    assert not calls


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
    assert dict(program.outputs) == {"F0": "s", "a loss, λ": "t"}
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
        f"s1 = mean({name} * x2 * x3 * x4)\noutput {name} = s1\n"
    )
    program = read(text)
    assert program.nodes[name] == Input(0) and program.outputs[name] == "s1"
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


# -- errors

BASE = "\n".join(line for line in MLP.splitlines() if not line.startswith("output")) + "\n"
LINE = len(BASE.splitlines()) + 1


@pytest.mark.parametrize(
    ("line", "error", "said"),
    [
        ("y = x1 * zz", ProgramError, "'zz' is not defined before this line; define it first or correct the name"),
        ("y = W @ x1", ProgramError, "'W' is not defined before this line; define it first"),
        ("y = y", ProgramError, "'y' is not defined before this line"),
        ("dW = free W", ProgramError, "'W' is not defined before this line"),
        ("output F0 = s9", ProgramError, "'s9' is not defined before this line; .*correct the name"),
        ("slot W: x1 (x) x2", ProgramError, "'W' is not defined before this line"),
        ("slot W1: x1 (x) x9", ProgramError, "'x9' is not defined before this line"),
        ("x2 = erf(x3)", ProgramError, "node 'x2' is defined twice; give the second another name"),
        ("U = parameter n x d0, std 1, a 0, c 0", ProgramError, "node 'U' is defined twice; give the second"),
        ("y = U @ x2", ProgramError, r"node 'y' multiplies U \(n x d0\) by 'x2' of width n; .*both are d0"),
        ("y = W1 @ in0", ProgramError, r"W1 \(n x n\) by 'in0' of width d0; .*both are n"),
        ("y = x1 + in0", ProgramError, "'x1' of width n with 'in0' of width d0; bring both to one width"),
        ("y = U^T @ x2", ProgramError, "maps back to the data dimension .*; use a square weight"),
        ("y = erf(U)", ProgramError, "uses the matrix 'U' as a vector; multiply it by a vector first"),
        ("y = W1 @ U", ProgramError, "a matrix n x d0 where a vector is needed; pass a vector"),
        ("y = W1 @ s5", ProgramError, "a scalar where a vector is needed; pass a vector"),
        ("y = x1 @ x2", ProgramError, "'x1' is a vector of width n, a matrix is needed; multiply with *"),
        ("y = mean(s5 * s6)", ProgramError, "averages s5, s6 .*none of them is a vector.*; drop the mean"),
        ("y = erf[1,0](x1)", ProgramError, r"applies erf of 1 arguments, order \(1, 0\), to 1; give one"),
        ("y = erf(x1, x2)", ProgramError, "applies erf of 1 arguments.* to 2; give one operand"),
        ("y = free x1", ProgramError, "'x1'.*parameter.*; "),
        ("output F0 = x4", ProgramError, "'x4', a vector of width n, not a scalar; end with"),
        ("output F0 = U", ProgramError, "'U', a matrix n x d0, not a scalar; end with"),
        ("slot v: U", ProgramError, "'v'.*'U'"),
        ("k = constant 1/0", ExpressionError, "'1/0' divides by zero; give another denominator"),
        ("k = constant n^(1/0)", ExpressionError, "'1/0' divides by zero; give another denominator"),
        ("y = x1 - 3/0*x2", ExpressionError, "'3/0' divides by zero; give another denominator"),
        ("W = parameter n x n, std 1/0, a 0, c 0", ExpressionError, "'1/0' divides by zero"),
        ("W = parameter 1/0n x n, std 1, a 0, c 0", ExpressionError, "'1/0' divides by zero"),
        ("W = parameter 0n x n, std 1, a 0, c 0", ExpressionError, "'0n' is an empty width; give a positive"),
        ("k = constant " + "9" * 5000, ExpressionError, "is no exact number; write it as 2, -3/2"),
        ("y = n^(" + "9" * 5000 + ")*x1", ExpressionError, "is no exact number; write it as 2, -3/2"),
        ("y = erf[" + "9" * 5000 + "](x1)", ExpressionError, "is too large; use a number of at most nine digits"),
        ("in1 = input 9999999999", ExpressionError, "'9999999999' is too large; use a number of at most nine"),
        ("in1 = input 0 position 9999999999", ExpressionError, "too large; use a number of at most nine digits"),
        ("y = x1 + " * 30_000 + "x1", ExpressionError, "write it as one of"),
        ("y = " + "a" * 20_000, ProgramError, "is not defined before this line"),
        ("y = " + "x" * 1_000_001, ExpressionError, "has 1000005 characters; at most 1000000 are read"),
        ("y = thanh(x1)", ExpressionError, "'thanh' is no nonlinearity; known are .*tanh"),
        ("y = power(x1)(x1)", ExpressionError, "'x1' is no rational number; write it as"),
        ("y = leaky_relu(1/0)(x1)", ExpressionError, "'1/0' is no rational number; write it as"),
        ("y = erf[-1](x1)", ExpressionError, "erf.*is not arithmetic; only"),
        ("y = foo(z)(x1)", ExpressionError, "'foo'.*is no function known here; known are erf"),
        ("y = 2 * x1", ExpressionError, r"'2 \* x1' is no instruction.*write it as one of 'x = W @ y'"),
        ("y = x1 + 2", ExpressionError, "'2' is no instruction and no term of a sum; write it as one of"),
        ("y = x1 / 2", ExpressionError, "write it as one of"),
        ("y = २*x1", ExpressionError, "is no exact number; write it as"),
        ("y = W1 @ x1 @ x2", ExpressionError, "write it as one of"),
        ("y =", ExpressionError, "not an instruction; write it as one of"),
        ("erf(x1)", ExpressionError, "not an instruction; write it as one of"),
        ("output F0", ExpressionError, "not an instruction; write it as one of .*'output F0 = s'"),
        ("output F0 = s5 * s6", ExpressionError, "not an instruction; write it as one of"),
        ("slot W1 x1", ExpressionError, "not an instruction; write it as one of .*'slot W: x"),
        ("a..b = erf(x1)", ExpressionError, "'a..b' is no name; use letters, digits, _ and dots"),
        ("W = parameter n x n, std x, a 0, c 0", ExpressionError, "write it as one of .*'U = parameter"),
        ("W = parameter n x n", ExpressionError, "write it as one of .*'U = parameter"),
        ("W = parameter -2n x n, std 1, a 0, c 0", ExpressionError, "write it as one of .*'U = parameter"),
    ],
    ids=lambda value: ascii(value)[:40] if isinstance(value, str) else value.__name__,
)
def test_errors_name_the_line_and_the_remedy(line, error, said):
    started = time.perf_counter()
    with pytest.raises(error, match=said) as refusal:
        read(f"{BASE}{line}\noutput F9 = s6\n")
    message = str(refusal.value)
    assert message.startswith(f"line {LINE}")
    assert (line if len(line) <= 100 else "characters" if len(line) > 1_000_000 else line[:97]) in message
    assert len(message) < 1000
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no output; return a scalar"),
        ("# nothing\n\n", "no output; return a scalar"),
        (BASE, "no output; return a scalar"),
        (f"{BASE}x9 = erf(x1)\noutput F0 = s6", "unused node 'x9': .*use it or remove it"),
        (f"{BASE}t = parameter 1 x 1, std 1, a 0, c 0\noutput F0 = s6", "unused parameter 't': .*use it or remove it"),
        (f"{BASE}output F0 = s6\noutput F0 = s6", f"line {LINE + 1}, .*output 'F0' is defined twice"),
    ],
)
def test_a_text_as_a_whole_must_fit(text, said):
    with pytest.raises(ProgramError, match=said):
        read(text)


@pytest.mark.parametrize("thing", [None, 3, b"in0 = input 0", ["in0 = input 0"]])
def test_only_texts_are_read(thing):
    with pytest.raises(ExpressionError, match=f"not from {type(thing).__name__}; pass its content"):
        read(thing)


@pytest.mark.parametrize(
    "function",
    [
        "__import__('os').system('touch owned')",
        "expression(__import__('os').system('touch owned'))",
        "phi=__import__('os').system('touch owned')",
        "().__class__.__bases__[0].__subclasses__",
        "(lambda: 1)()",
        "eval('1')",
        "exec('1')",
        "open('owned')",
        "power(__import__('os'))",
        "polynomial(1, exec('1'))",
        "{x1}",
        "f'{x1}'",
        "[x for x in x1]",
        "z if z else z",
        "getattr(z, 'x')",
        "9**9**9**9",
        "z**9**9",
        "exp(exp(exp(exp(9))))",
        "1e999999999",
        "(" * 3000 + "z" + ")" * 3000,
        "-" * 9000 + "z",
        "z+" * 6000 + "z",
    ],
    ids=lambda text: ascii(text)[:40],
)
def test_hostile_functions_are_refused_quickly_and_not_run(function):
    started = time.perf_counter()
    with nothing_runs(), pytest.raises(ExpressionError, match=f"^line {LINE}, ['\"]y = "):
        read(f"{BASE}y = {function}(x1)\ns9 = mean(y)\noutput F0 = s9\n")
    assert time.perf_counter() - started < 2


# -- garbage

WORDS = (
    *("x1", "U", "W1", "in0", "v", "s5", "y", "F0", "z", "h", "du", "erf", "power", "expression", "n", "d0"),
    *("output", "slot", "parameter", "free", "constant", "input", "position", "std", "width", "frozen", "mean"),
    *("=", " = ", "@", " @ ", " * ", "*", " + ", " - ", "-", "(", ")", "[", "]", "^T", "^", ":", " (x) ", ",", ", "),
    *("0", "1", "2n", "1/2", "1/0", "n^(-1)", "9" * 30, "z**9**9", "1e99", "²", "९", "é", "\ud800", "\x85", "\x00"),
    *("\t", "\r", "\n", "#", "'", '"', "\\", "lambda: 1", "__import__('os')", "eval('1')", "{", "}", "(z)", "(x1)"),
)
FORMULAS = (
    *("z", "z0", "z1", "pi", "E", "0", "1", "2", "1/2", "0.1", "9e9", "+", "-", "*", "**", "/", "(", ")", ","),
    *("exp(", "log(", "sqrt(", "tanh(", "sin(", "power(", "polynomial("),
)
soups = st.lists(st.sampled_from(WORDS), max_size=8).map("".join)
formulas = st.lists(st.sampled_from(FORMULAS), max_size=8).map("".join)
garbage = st.one_of(
    st.text(max_size=40),
    soups,
    st.tuples(st.sampled_from(["y = ", "output ", "slot U: "]), soups).map("".join),
    formulas.map("y = {}(x1)".format),
)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A good text with garbage in place of a piece of one of its lines, or as a line of its own."""
    lines = draw(st.sampled_from([MLP, EVERYTHING])).splitlines()
    wrong = draw(garbage)
    at = draw(st.integers(0, len(lines) - 1))
    if draw(st.booleans()):
        start = draw(st.integers(0, len(lines[at])))
        stop = draw(st.integers(start, min(len(lines[at]), start + 6)))
        lines[at] = lines[at][:start] + wrong + lines[at][stop:]
    else:
        lines.insert(at, wrong)
    return "\n".join(lines)


@settings(deadline=None, max_examples=400)
@given(damaged())
@example(MLP.replace("erf", "leaky_relu(1e400)"))
@example(MLP.replace("output F0", "output a\x85b"))
def test_damaged_texts_are_refused_or_read_exactly(text):
    with nothing_runs():
        try:
            program = read(text)
        except TensorProgramError:
            return
        assert read(write(program)) == program

"""Texts that are no program: errors that name the line, nothing executed."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from program.reading import nothing_runs
from program.text_forms import EVERYTHING, MLP

from tensorprog.errors import ExpressionError, ProgramError, TensorProgramError
from tensorprog.program.text import read, write

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
        ("output F0", ExpressionError, "not an instruction; write it as one of .*'output F0 = s, input 0'"),
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

"""Short texts, small files and numbers that would hang, fill the memory or end in a traceback: all are refused at once.

Each takes less than a second of processor time here; the limit of the tests is that of a busy machine.
"""

from __future__ import annotations

import os
import re
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import sympy
from command_line.place import NET

import tensorprog as tp
from tensorprog.architectures import attention, mlp, rnn
from tensorprog.errors import DataError, ExpressionError, OrderError, ProgramError, SamplingError, TrainingError
from tensorprog.functions import expression
from tensorprog.functions.trees import MAX_DERIVATIVE, derivative_size
from tensorprog.program import tracing
from tensorprog.scaling.measure import MOST_WIDTHS

SECONDS = 6.0


def nested(name, times):
    return f"{name}(" * times + "z" + ")" * times


def shaped(shape, kind="'<f8'", order="False"):
    return f"{{'descr': {kind}, 'fortran_order': {order}, 'shape': {shape}, }}"


HEADERS = {
    "huge": shaped((10**12, 10**6)),
    "larger than the memory": shaped((4 * 10**8, 4)),
    "beyond 64 bits": shaped((10**23, 4)),
    "of thousands of digits": shaped(f"({'9' * 5000},)"),
    "negative": shaped((-1, 4)),
    "twice negative": shaped((-1, -4)),
    "of truth values": shaped((True, 4)),
    "of a set": shaped("{1, 2}"),
    "of 200 dimensions": shaped((1,) * 200),
    "nested": shaped("(" * 500 + "1" + ",)" * 500),
    "nested beyond Python's parser": "(" * 4000 + ")" * 4000,
    "of nested records": shaped((2, 4), "[('a'," * 200 + "'<f8'" + ")]" * 200),
    "of no type": shaped((2, 4), "5"),
    "of a type of no width": shaped((2, 4), "'V0'"),
    "of a width that no number has": shaped((2, 4), "'<f99999999'"),
    "of no order": shaped((2, 4), order="3"),
    "with other keys": "{1: 2, 'descr': '<f8'}",
    "that is no dictionary": "[" * 100 + "]" * 100,
    "that is empty": "",
    "that calls": "__import__('os').system('touch intruder')",
}
VERIFY = "verify mlp -o depth=1 --inputs x.npy --orders 0,1 --workers 1"
LEARN = "linearity mlp -o depth=1 --inputs x.npy --targets y.csv --train 2 --test 1"
COMMANDS = [
    # texts
    ("derive mlp -o 'phi=exp(z + 10**12*log(2))'", "is exp of a constant beyond 64"),
    ("derive mlp -o 'phi=exp(10**12*log(2) - z)'", "is exp of a constant beyond 64"),
    ("derive mlp -o 'phi=exp(10**12*log(z))'", "is a power above 64 in all"),
    ("derive mlp -o 'phi=cosh(z + 10**9)'", "is cosh of a constant beyond 64"),
    (f"derive mlp -o 'phi={nested('gelu', 20)}'", "has more than 2000 terms when it is written out"),
    (f"derive mlp -o 'phi={nested('tanh', 50)}'", "the derivative of order .* has more than"),
    (f"derive mlp -o 'phi={nested('erf', 50)}'", "the derivative of order .* has more than"),
    (f"derive mlp -o 'phi={nested('softplus', 55)}'", "the derivative of order .* has more than"),
    (f"derive mlp -o 'phi={'*'.join(f'(z+{i})' for i in range(400))}'", "the derivative of order .* has more than"),
    (f"derive mlp -o 'phi={nested('gelu', 4000)}'", "at most 10000 are read|too deeply"),
    (f"derive mlp -o 'phi={nested('sin', 3000)}'", "at most 10000 are read|too deeply"),
    (f"derive mlp --kappa {'9' * 400}", "is no rational number"),
    (f"derive mlp -o weight_std={'9' * 250}", "the standard deviation of 'U' is 1.00000e.250; it must be"),
    (
        "derive mlp -o weight_std=1e160",
        "the standard deviation of 'U' is 1.00000e.160; it must be",
    ),
    ("derive mlp -o bias_std=1e-160", "the standard deviation of 'U.bias' is 1e-160; it must be positive"),
    # sizes
    ("derive mlp -o depth=12345678901234567890", "depth=12345678901234567890 is more than 10000 hidden layers"),
    ("show mlp -o depth=100000", "depth=100000 is more than 10000 hidden layers"),
    ("show resnet -o depth=10000", "the program has more than 30000 nodes, or"),
    ("derive net.py:net -o layers=99999999999999999999", "the program has more than 30000 nodes, or"),
    (
        "derive attention --positions 60",
        "attention at 5 inputs would have about 127... nodes, at most",
    ),
    ("derive rnn --positions 1001", "positions=1001 of rnn must be between 1 and 1000"),
    ("derive mlp --orders 0,63", r"C\^\{0,63\} has D\+d = 63, at most 16 is supported"),
    ("derive mlp --orders 2,15", r"C\^\{2,15\} has D\+d = 17"),
    (
        f"{LEARN} --steps 1000000",
        "steps=1000000 of a program of 17 nodes make one of more than 50000",
    ),
    (f"{LEARN} --growth 1000000", "steps=1000000 of a program of 17 nodes"),
    (f"{LEARN} --steps 999999999999999999", "steps=999999999999999999 of a program"),
    (f"{VERIFY} --widths {','.join(map(str, range(1, 20001)))} --samples 4", "20000 widths are given, at most 256"),
    (
        f"{VERIFY} --widths 8,16 --samples 200000000 --memory 100MB",
        "the results of 400000000 samples alone are 16000000000 bytes, 100000000 may be used",
    ),
    (f"{VERIFY} --widths 8,16 --samples 99999999999999999", "the results of 199999999999999998 samples alone"),
    (f"{VERIFY} --widths 8,999999999 --samples 4 --memory 1GiB", "width 999999999 needs about"),
    (f"{VERIFY} --widths 8,16 --samples 4 --seed -1", "seed=-1"),
]


@pytest.fixture
def quick():
    """What the test does takes little processor time."""
    start = time.process_time()
    yield
    assert time.process_time() - start < SECONDS


@pytest.mark.parametrize(("command", "message"), COMMANDS, ids=[command[:60] for command, _ in COMMANDS])
def test_sizes_are_refused_before_work_starts(run, quick, command, message):
    code, out, err = run(command)
    assert (code, out) == (2, ""), err
    assert re.fullmatch(r"error: [^\n]+\n", err), err
    assert re.search(message, err), err
    assert "this is a fault of tensorprog" not in err
    assert not Path("intruder").exists()


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("what", ["inputs", "targets"])
def test_headers_of_arrays_that_lie(run, quick, name, what):
    text = HEADERS[name].encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    Path("bad.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(64))
    if what == "inputs":
        code, out, err = run(
            "verify mlp -o depth=1 --inputs bad.npy --orders 0,1 --widths 8,16 --samples 2 --workers 1"
        )
    else:
        code, out, err = run(f"{LEARN} --targets bad.npy".replace(" --targets y.csv", ""))
    assert (code, out) == (2, "")
    assert re.fullmatch(r"error: [^\n]*'bad\.npy' [^\n]{1,400}\n", err), err
    assert "this is a fault of tensorprog" not in err
    assert not Path("intruder").exists()


def bomb():
    with zipfile.ZipFile("bad.npy", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.npy", bytes(10**7))


def second_version():
    Path("bad.npy").write_bytes(b"\x93NUMPY\x02\x00" + (2**31).to_bytes(4, "little") + b"{}")


FILES = {
    "an archive": (bomb, "bad.npy", "holds several arrays"),
    "a header of gigabytes": (second_version, "bad.npy", "is no .npy array"),
    "a pipe": (lambda: os.mkfifo("bad.npy"), "bad.npy", "do not exist"),
    "a link to itself": (lambda: os.symlink("bad.npy", "bad.npy"), "bad.npy", "do not exist"),
    "a number of many digits": (lambda: Path("bad.csv").write_text("9" * 10**5 + ",2\n3,4\n"), "bad.csv", "finite"),
    "a quote that never ends": (lambda: Path("bad.csv").write_text('"' + "1" * 3 * 10**5), "bad.csv", "field limit"),
    "zeros": (lambda: Path("bad.csv").write_bytes(b"1,2\n\0,3\n"), "bad.csv", "not a number"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_none(run, quick, name):
    make, path, message = FILES[name]
    make()
    code, out, err = run(f"verify mlp -o depth=1 --inputs {path} --orders 0,1 --widths 8,16 --samples 2 --workers 1")
    assert (code, out) == (2, "")
    assert re.fullmatch(rf"error: [^\n]*'{path}' [^\n]*{message}[^\n]*\n", err), err


# the same limits without the command line


def deep(x):
    for layer in range(10**9):
        x = tp.tanh(tp.linear(f"W{layer}", x))
    return tp.readout("v", x)


def crowded(x):
    """A sum that is made term by term."""
    h, total = tp.linear("U", x), tp.linear("V", x)
    for term in range(10**9):
        total = total + tp.power(1)(h * tp.linear(f"W{term}", x))
    return tp.readout("v", total)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tp.trace(deep), ProgramError, "the program has more than 30000 nodes, or"),
        (lambda: tp.trace(rnn, inputs=64, positions=900), ProgramError, "rnn at 64 inputs would have about"),
        (lambda: tp.trace(attention, inputs=30, positions=20), ProgramError, "attention at 30 inputs would have"),
        (lambda: tp.derive(tp.trace(mlp, inputs=64), [(0, 63)]), OrderError, r"D\+d = 63, at most 16"),
        (lambda: tp.correlation(tp.trace(mlp, inputs=17), 0, 16), OrderError, "would have about .* nodes"),
        (lambda: tp.correlation(tp.trace(mlp, inputs=12), 1, 11), OrderError, "would have about .* nodes"),
        (lambda: tp.train(tp.trace(mlp), [1.0], steps=10**9, learning_rate=0.1), TrainingError, "take at most"),
        (lambda: expression(nested("gelu", 20)), ExpressionError, "has more than 2000 terms"),
        (lambda: expression(nested("tanh", 50)).is_zero((3,)), ExpressionError, "derivative of order"),
        (
            lambda: tp.sample(tp.trace(mlp, depth=1), np.ones((1, 2)), 8, 10**15),
            SamplingError,
            "the results of 1000000000000000 samples alone",
        ),
    ],
)
def test_sizes_are_refused_by_the_library(quick, call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_what_is_within_the_limits_is_not_refused():
    assert len(tp.trace(mlp, inputs=2, depth=1000).nodes) > 4000
    assert expression(nested("tanh", 5)).is_zero((4,)) is False
    assert expression("exp(z + 40)").spec == "expression(exp(z0 + 40))"
    assert expression("exp(z*log(2))").spec == "expression(exp(z0*log(2)))"
    assert tp.correlation(tp.trace(mlp, inputs=1, depth=1), 0, 12, (0,) * 13).outputs
    assert len(range(1, MOST_WIDTHS)) < MOST_WIDTHS


@pytest.mark.parametrize(
    "text",
    ["z*tanh(z)", nested("gelu", 3), nested("tanh", 6), "(z + 1)*(z + 2)*(z + 3)*sin(z)", "exp(z**2)/(1 + z**2)"],
)
def test_a_derivative_is_about_as_large_as_was_expected(text):
    function = expression(text)
    for order in range(3):
        tree = function.derivative_tree((order,))
        found = sum(1 for _ in sympy.preorder_traversal(function.derivative_tree((order + 1,))))
        assert found / 12 <= derivative_size(tree) <= 12 * found


def test_a_derivative_that_would_be_too_large_is_expected_to_be():
    assert derivative_size(expression(nested("tanh", 50)).derivative_tree((1,))) > MAX_DERIVATIVE


@pytest.mark.parametrize("name", ["softplus", "sigmoid", "tanh", "erf", "atan"])
def test_properties_of_nests_are_found_or_left_open_at_once(quick, name):
    function = expression(nested(name, 30))
    assert function.parity((0,), 0) == (-1 if name in ("tanh", "erf", "atan") else None)
    assert function.parity((1,), 0) == (1 if name in ("tanh", "erf", "atan") else None)
    assert function.degrees((0,)) == (1 if name == "softplus" else 0,)


def test_the_size_of_a_program_is_foreseen_after_its_first_input(monkeypatch):
    calls = []

    def counted(x):
        calls.append(x)
        return mlp(x, depth=100)

    monkeypatch.setattr(tracing, "MOST_NODES", 2000)
    with pytest.raises(ProgramError, match="counted at 50 inputs would have about"):
        tp.trace(counted, inputs=50)
    assert len(calls) == 1


def test_a_hostile_option_of_a_users_function_ends(run, quick):
    Path("own.py").write_text(NET, encoding="utf-8")
    code, _, err = run("derive own.py:net -o layers=123456789012345678")
    assert code == 2 and "has more than 30000 nodes" in err


def test_inputs_that_are_refused_are_named():
    with pytest.raises(DataError):
        tp.sample(tp.trace(mlp, depth=1), np.ones((1, 2)) * np.nan, 8, 2)

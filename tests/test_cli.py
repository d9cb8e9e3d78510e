"""The command line: what it prints and writes, its exit codes, and one line for whatever cannot be run."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from tqdm import tqdm as bar_of_tqdm

import tensorprog as tp
from tensorprog import cli
from tensorprog.architectures import ARCHITECTURES, mlp
from tensorprog.cli import main
from tensorprog.program.interchange import program_from_json
from tensorprog.program.text import read
from tensorprog.readings import reparametrised

HALF = Fraction(1, 2)
SCHEMA = json.loads((Path(__file__).parents[1] / "docs" / "report.schema.json").read_text(encoding="utf-8"))
VALID = jsonschema.Draft202012Validator(SCHEMA)
QUICK = "--widths 8,16,32 --samples 5 --workers 1"
SHORT = "--orders 0,1 1,1"
NET = """
import tensorprog as tp

def net(x, layers=1, phi=tp.erf):
    h = tp.linear("U", x)
    for layer in range(1, layers):
        h = tp.linear(f"W{layer}", phi(h))
    return tp.readout("v", phi(h))
"""
FILES = {
    "net.py": NET,
    "syntax.py": "def net(x:\n    return x\n",
    "raises.py": "value = 1\nvalue / 0\n",
    "exits.py": "import sys\nsys.exit(0)\n",
    "no_argument.py": "def net():\n    return 1\n",
    "needs.py": NET.replace("layers=1", "layers"),
    "fails.py": "def net(x):\n    raise RuntimeError('one\\ntwo\\nthree')\n",
    "leaves.py": "def net(x):\n    raise SystemExit(0)\n",
    "number.py": "def net(x):\n    return 3\n",
    "positions.py": "POSITIONS = 'many'\ndef net(x):\n    return x\n",
    "nan.csv": "1,2\n3,nan\n",
    "ragged.csv": "1,2\n3\n",
    "empty.csv": "",
    "words.csv": "1,2\nthree,4\n",
    "inputs.txt": "1,2\n3,4\n",
    "junk.npy": "junk",
}
ARRAYS = {
    "x.npy": np.random.default_rng(0).standard_normal((3, 4)),
    "five.npy": np.random.default_rng(0).standard_normal((5, 4)),
    "sequences.npy": np.random.default_rng(0).standard_normal((3, 2, 4)),
    "vector.npy": np.ones(4),
    "infinite.npy": np.array([[1, np.inf], [1, 2]]),
    "complex.npy": np.ones((3, 4)) * 1j,
    "objects.npy": np.array([{"a": 1}], dtype=object),
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The current folder, with inputs and architectures good and bad; what these import is undone afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name, text in FILES.items():
        Path(name).write_text(text, encoding="utf-8")
    for name, array in ARRAYS.items():
        np.save(name, array)
    Path("folder.npy").mkdir()
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def run(place, capsys):
    """`run("derive mlp")` gives exit code, standard output and standard error."""

    def typed(command):
        capsys.readouterr()
        code = main(shlex.split(command))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return typed


def strict(text):
    """The one JSON value that a text is; NaN and Infinity are none."""

    def refuse(word):
        raise ValueError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def process(command, **options):
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "tensorprog", *shlex.split(command)], capture_output=True, timeout=120, **options
    )


def snapshot(folder):
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_list_names_every_architecture_with_its_options(run):
    code, out, err = run("list")
    assert (code, err) == (0, "")
    assert [line for line in out.splitlines() if not line.startswith(" ")] == list(ARCHITECTURES)
    assert "options depth=3 phi=erf weight_std=1 bias_std=0\n" in out
    assert "scaling=n tied=false; inputs of 3 positions\n" in out
    for architecture in ARCHITECTURES.values():
        assert architecture.__doc__.splitlines()[0] in out


def test_version_and_help(run):
    assert run("--version") == (0, f"{tp.__version__}\n", "")
    for tokens in ("", "--help", "-h"):
        code, out, err = run(tokens)
        assert (code, err) == (0, "")
        assert out.startswith("Usage: tensorprog COMMAND")
        assert all(command in out for command in ("list", "show", "derive", "verify"))


@pytest.mark.parametrize("command", ["list", "show", "derive", "verify"])
def test_help_ends_with_examples_that_are_valid_commands(run, command):
    code, out, err = run(f"{command} --help")
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: tensorprog {command}")
    examples = [line.strip() for line in out.splitlines() if line.strip().startswith(f"tensorprog {command}")]
    assert examples
    for example in examples:
        tokens = shlex.split(example.partition(">")[0])[1:]
        cli.app.parse_args(tokens, exit_on_error=False, print_error=False)  # raises for what it cannot parse


def test_show_prints_the_program_in_every_format(run):
    expected = tp.trace(mlp, inputs=2, depth=2, phi=tp.tanh)
    shown = {}
    for form in ("text", "json", "mermaid", "graphviz", "svg"):
        code, shown[form], err = run(f"show mlp -o depth=2 -o phi=tanh --inputs-count 2 --format {form}")
        assert (code, err) == (0, "")
        assert all(name in shown[form] for name in ("U", "W1", "tanh", "v")), form
    assert read(shown["text"]) == expected
    assert program_from_json(shown["json"]) == expected
    assert shown["mermaid"].startswith("flowchart")
    assert re.fullmatch(r"digraph \w+ \{.*\}\n", shown["graphviz"], re.DOTALL)
    assert xml.etree.ElementTree.fromstring(shown["svg"]).tag.endswith("svg")
    assert run("show mlp -o depth=2 -o phi=tanh --inputs-count 2") == (0, shown["text"], "")


def test_show_takes_a_parametrisation_positions_and_a_file(run):
    assert read(run("show mlp --abc mup")[1]) == reparametrised(tp.trace(mlp), tp.MUP)
    assert "position 4" in run("show rnn --positions 5")[1]
    assert "position 4" not in run("show rnn --positions 4")[1]
    assert "W1" in run("show net.py:net -o layers=2")[1]


def test_derive_prints_the_table(run):
    code, out, err = run("derive mlp -o depth=2 -o phi=tanh")
    assert (code, err) == (0, "")
    assert out.startswith("mlp depth=2 phi=tanh\n")
    assert str(tp.derive(tp.trace(mlp, inputs=5, depth=2, phi=tp.tanh))) in out


def correlations(run, command):
    code, out, err = run(f"{command} --json")
    assert (code, err) == (0, "")
    found = strict(out)
    VALID.validate(found)
    return {(c["D"], c["d"]): c for c in found["correlations"]}, found


def test_derive_prints_one_json_object(run):
    entries, found = correlations(run, "derive mlp -o depth=2 -o phi=tanh -o bias_std=0.5")
    assert (found["kind"], found["tensorprog"], found["architecture"]) == ("table", tp.__version__, "mlp")
    assert found["options"] == {"depth": "2", "phi": "tanh", "bias_std": "1/2"}
    assert len(entries) == 14
    assert entries[2, 1]["exponent"] == "-1"
    assert entries[2, 1]["log_power"] == "1"
    assert entries[1, 1]["exponent"] == "-1/2"
    assert entries[0, 0]["exponent"] == "0"
    assert entries[1, 1]["status"] == "upper bound"


def test_derive_orders_points_and_scales(run):
    plain, _ = correlations(run, "derive mlp")
    some, _ = correlations(run, "derive mlp --orders 1,1 (0,2) 0,2".replace("(", "'(").replace(")", ")'"))
    assert list(some) == [(1, 1), (0, 2)]
    assert all(some[order] == plain[order] for order in some)
    repeated, _ = correlations(run, "derive mlp --points 0 0 0")
    assert {d for _, d in repeated} == {0, 1, 2}
    assert repeated[0, 2]["points"] == [0, 0, 0]
    assert plain[0, 2]["points"] == [0, 1, 2]
    shifted, found = correlations(run, "derive mlp --kappa 1/2")
    assert found["kappa"] == "1/2"
    for (D, d), entry in shifted.items():
        assert Fraction(entry["exponent"]) == Fraction(plain[D, d]["exponent"]) + HALF * (D + d - 1)
    assert not any(weak["holds"] for weak in found["weak_correlations"])
    for preset in ("mup", "mean_field"):
        other, found = correlations(run, f"derive mlp --abc {preset}")
        assert {k: e["exponent"] for k, e in other.items()} == {k: e["exponent"] for k, e in shifted.items()}
        assert found["options"] == {"--abc": preset}
    assert correlations(run, "derive mlp --abc ntk")[0] == plain
    less, _ = correlations(run, "derive mlp --kappa -1/2 --orders 0,2")
    assert less[0, 2]["exponent"] == "-3/2"


def test_derive_with_derivations_says_why(run):
    _, brief, _ = run("derive mlp --orders 0,2")
    code, out, err = run("derive mlp --orders 0,2 --derivations")
    assert (code, err) == (0, "")
    assert out.startswith(brief)
    assert "C^{0,2} = n^-1 (upper bound)\n  1. F0: mean exactly 0   (sign symmetry: flipping v" in out
    assert "Poincaré" in out and "Poincaré" not in brief


def test_derive_writes_a_folder(run, place):
    code, out, err = run("derive mlp --out new/results")
    assert (code, err) == (0, "")
    assert out.endswith("\nwritten to new/results\n")
    folder = place / "new" / "results"
    assert sorted(path.name for path in folder.iterdir()) == ["table.json", "table.md", "table.tex"]
    table = strict((folder / "table.json").read_text(encoding="utf-8"))
    VALID.validate(table)
    printed = strict(run("derive mlp --json --out new/results")[1])
    assert {key: printed[key] for key in ("kappa", "correlations", "weak_correlations")} == {
        key: table[key] for key in ("kappa", "correlations", "weak_correlations")
    }


def test_derive_takes_the_length_of_sequences_from_the_inputs(run):
    entries, _ = correlations(run, "derive rnn --inputs sequences.npy --orders 0,1")
    assert entries == correlations(run, "derive rnn --positions 2 --orders 0,1")[0]
    assert entries != correlations(run, "derive rnn --positions 3 --orders 0,1")[0]


def test_a_user_s_function_is_derived_and_verified(run):
    entries, found = correlations(run, "derive net.py:net -o layers=3 -o phi=erf")
    assert entries == correlations(run, "derive mlp -o depth=3")[0]
    assert found["architecture"] == "net"
    code, out, err = run(f"verify net.py:net -o layers=2 --inputs x.npy {QUICK} {SHORT}")
    assert (code, err) == (0, "")
    assert out.startswith("net layers=2\n")


def test_verify_prints_a_summary_and_writes_the_report(run, place):
    code, out, err = run(f"verify mlp -o depth=1 --inputs x.npy {QUICK} {SHORT} --out results")
    assert (code, err) == (0, "")
    for order in ("0  1  n^0 ", "1  1  n^-1/2 "):
        assert order in out
    assert re.search(r"^2 correlations: \d confirmed, \d inconclusive, 0 refuted\b", out, re.MULTILINE)
    assert re.search(r"\nreport: results/report\.html\n\d+\.\d seconds\n$", out)
    assert sorted(path.name for path in (place / "results").iterdir()) == [
        "data.npy", "program.txt", "report.html", "report.json",
        "samples.npz", "samples.sqlite", "table.md", "table.tex",
    ]  # fmt: skip
    assert np.array_equal(np.load("results/data.npy"), ARRAYS["x.npy"])
    VALID.validate(strict(Path("results/report.json").read_text(encoding="utf-8")))


def test_verify_says_each_thing_once(run):
    _, out, _ = run(f"verify mlp -o depth=1 --inputs x.npy {QUICK} --orders 0,1 0,2")
    assert out.count("fixed weakly correlated on these orders with m(n)") == 1
    assert out.count("exponential weakly correlated on these orders with m(n)") == 1


def test_verify_prints_one_json_object_that_is_the_report(run, place):
    command = f"verify mlp -o depth=1 --inputs five.npy {QUICK} --seed 3 --orders 0,1 1,1 2,0 --json --out results"
    entries, found = correlations(run, command.replace(" --json", ""))
    assert list(entries) == [(0, 1), (1, 1), (2, 0)]
    assert found == strict(Path("results/report.json").read_text(encoding="utf-8"))
    assert found["kind"] == "report"
    run_ = found["run"]
    assert run_["command"].startswith("tensorprog verify mlp -o depth=1 --inputs five.npy")
    assert (run_["architecture"], run_["inputs"], run_["options"]) == ("mlp depth=1", "five.npy", {"depth": "1"})
    assert (run_["seed"], run_["widths"], run_["samples"], run_["data_shape"]) == (3, [8, 16, 32], 5, [5, 4])
    assert entries[0, 1]["samples"] == [5, 5, 5]
    assert entries[2, 0]["samples"] == [2, 2, 2]


def test_verify_takes_a_range_of_widths_repeated_points_and_digits(run):
    _, found = correlations(run, "verify mlp --inputs digits --widths 4..16 --samples 3 --workers 1 --orders 0,1")
    assert found["run"]["widths"] == [4, 8, 16]
    assert found["run"]["data_shape"] == [10, 64]
    quick = f"verify mlp -o depth=1 --inputs x.npy {QUICK}"
    assert correlations(run, f"{quick} --orders 0,4 --points 0 0 0 0 0")[0][0, 4]["points"] == [0] * 5
    assert correlations(run, f"{quick} --orders 0,1 --margin 50")[0][0, 1]["verdict"] == "confirmed"
    assert correlations(run, f"{quick} --orders 2,0 --operator-samples 4")[0][2, 0]["samples"] == [4] * 3


@pytest.mark.parametrize("orders", ["1,1 2,0 2,1", "0,0 0,1 0,2 0,3 1,0 1,1 1,2 2,0 2,1"])
def test_verify_takes_correlations_that_vanish_identically(run, orders):
    entries, _ = correlations(run, f"verify mlp -o depth=1 -o phi=identity --inputs five.npy {QUICK} --orders {orders}")
    assert (entries[2, 1]["exponent"], entries[2, 1]["verdict"]) == (None, "confirmed")
    assert entries[2, 1]["medians"] == [0.0] * 3


def claimed(monkeypatch, exponent):
    """Every derived exponent replaced by another one, as a wrong derivation would do."""
    reporting = sys.modules["tensorprog.report.report"]
    derive = reporting.derive
    log_power = None if exponent is None else Fraction(0)

    def wrong(*arguments, **options):
        table = derive(*arguments, **options)
        entries = tuple(replace(entry, exponent=exponent, log_power=log_power) for entry in table)
        return replace(table, entries=entries)

    monkeypatch.setattr(reporting, "derive", wrong)


@pytest.mark.parametrize("exponent", [Fraction(-9), None])
def test_exit_code_1_when_the_derivation_is_wrong(run, place, monkeypatch, exponent):
    """C^{0,1} neither decays like n^-9 nor vanishes; both claims are made by replacing what `derive` returns."""
    command = f"verify mlp -o depth=1 --inputs x.npy {QUICK} --orders 0,1"
    assert run(command)[0] == 0
    claimed(monkeypatch, exponent)
    code, out, err = run(f"{command} --out results")
    assert (code, err) == (1, "")
    assert "1 correlation: 0 confirmed, 0 inconclusive, 1 refuted" in out
    assert "1 refuted" in Path("results/report.html").read_text(encoding="utf-8")
    code, out, err = run(f"{command} --json")
    assert (code, err) == (1, "")
    VALID.validate(strict(out))
    assert strict(out)["correlations"][0]["verdict"] == "refuted"


def test_a_user_s_prints_do_not_spoil_the_json(run):
    noisy = NET.replace("    h = tp", "    print('tracing')\n    h = tp", 1) + "print('loading')\n"
    Path("noisy.py").write_text(noisy, encoding="utf-8")
    for command in ("derive noisy.py:net --json", f"verify noisy.py:net --inputs x.npy {QUICK} {SHORT} --json"):
        code, out, _ = run(command)
        assert code == 0
        VALID.validate(strict(out))


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_the_progress_bar_is_for_terminals_only(place, monkeypatch, stream):
    def at_once(*arguments, **options):
        return bar_of_tqdm(*arguments, **{**options, "delay": 0, "mininterval": 0})

    for module in ("tensorprog.scaling.jobs", "tensorprog.readings.derive"):
        monkeypatch.setattr(sys.modules[module], "tqdm", at_once)
    errors = stream()
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(errors):
        assert main(shlex.split(f"verify mlp -o depth=1 --inputs x.npy {QUICK} {SHORT} --json")) == 0
    strict(out.getvalue())
    assert ("sampling" in errors.getvalue()) == (stream is Terminal)
    assert ("deriving" in errors.getvalue()) == (stream is Terminal)
    assert errors.getvalue() == "" or stream is Terminal


ENDINGS = {
    "KeyboardInterrupt": (KeyboardInterrupt, 130, "interrupted\n"),
    "MemoryError": (MemoryError, 2, "error: out of memory; use smaller widths, fewer workers, or lower orders\n"),
    "full": (OSError(28, "No space left on device", "results"), 2, "error: results: No space left on device\n"),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_interruptions_and_exhaustion(run, monkeypatch, ending):
    raised, expected, message = ENDINGS[ending]

    def stop(*_, **__):
        raise raised

    monkeypatch.setattr(cli, "verify", stop)
    assert run(f"verify mlp --inputs five.npy {QUICK}") == (expected, "", message)


DATA = "verify mlp -o depth=1 --widths 8,16 --samples 4 --workers 1 --orders 0,1"
SIZES = "verify mlp -o depth=1 --inputs x.npy --workers 1"
HOSTILE = "__import__('os').system('touch intruder')"
WRONG = [
    ("nothing", "Unknown command"),
    ("list all", "all"),
    ("derive", "ARCH requires an argument"),
    ("verify mlp", "--inputs requires an argument"),
    ("derive mlp mlp", "mlp"),
    # architectures
    ("derive perceptron", "'perceptron' is no architecture; known are attention, conv"),
    ("show perceptron", "'perceptron' is no architecture"),
    ("derive missing.py:net", "the file 'missing.py' .*does not exist"),
    ("derive net.py", "written net.py:function"),
    ("derive net.py:nat", "no function 'nat'; its functions are net"),
    ("derive syntax.py:net", "'syntax.py' has a syntax error in line 1"),
    ("derive raises.py:net", "ZeroDivisionError: division by zero .line 2 of 'raises.py'"),
    ("derive exits.py:net", "'exits.py' cannot be executed: SystemExit"),
    ("derive no_argument.py:net", "takes no argument"),
    ("derive needs.py:net", "needs the option 'layers'"),
    ("derive fails.py:net", "RuntimeError: one two three .line 2 of 'fails.py'"),
    ("derive leaves.py:net", "SystemExit"),
    ("derive number.py:net", "returned 3, not a traced scalar"),
    ("derive positions.py:net", "POSITIONS='many'"),
    # options of the architecture
    ("derive mlp -o", "option"),
    ("derive mlp -o depth", "'depth' has no value"),
    ("derive mlp -o width=3", "mlp has no option 'width'; its options are depth"),
    ("derive mlp -o depth=1 -o depth=2", "given twice"),
    ("derive mlp -o depth=0", "depth=0 must be a positive integer"),
    ("derive mlp -o depth=3/2", "depth='3/2' must be an integer"),
    ("derive mlp -o weight_std=-1", "'U' is -1; it must be positive"),
    ("derive mlp -o phi=unknown", "'unknown' is no nonlinearity"),
    (f'derive mlp -o "phi={HOSTILE}"', "is no function known here"),
    (f'derive mlp -o "depth={HOSTILE}"', "is no rational number"),
    (f'derive mlp --kappa "{HOSTILE}"', "is no rational number"),
    (f'derive mlp --orders "{HOSTILE}"', "no pair D,d"),
    ("derive attention -o scaling=width", "'width' is not one of n, sqrt"),
    ("derive attention -o tied=perhaps", "must be true or false"),
    # options of the command
    ("derive mlp --order 0,2", "Unknown option"),
    ("show mlp --format pdf", 'Invalid value "pdf"'),
    ("show mlp --inputs-count 0", "--inputs-count 0 must be between 1"),
    ("show mlp --inputs-count 1.5", "--inputs-count"),
    ("derive mlp --json=perhaps", "--json"),
    ("derive mlp --orders", "--orders has no values"),
    ("derive mlp --orders 2", "'2' is no pair D,d"),
    ("derive mlp --orders 0,-1", "'0,-1' is no pair D,d"),
    ("derive mlp --orders 3,0", "D=3 is not supported; at most 2"),
    ("derive mlp --orders 0,9999", "10000 inputs are asked for, at most 64"),
    ("derive mlp --orders 0,2 --points 0", r"takes 3 points, .* has 1"),
    ("derive mlp --points", "--points has no values"),
    ("derive mlp --points -1", "--points -1"),
    ("derive mlp --points a", "--points"),
    ("derive mlp --kappa half", "--kappa: 'half' is no rational number"),
    ("derive mlp --kappa nan", "--kappa: 'nan' is no rational number"),
    ("derive mlp --kappa 1/0", "--kappa: '1/0' is no rational number"),
    ("derive mlp --abc standard", "'standard' is no parametrisation; known are ntk"),
    ("derive rnn --positions 0", "positions=0 of rnn"),
    ("derive mlp --positions 2", "sequence|positions"),
    ("derive mlp -o phi=relu --orders 1,2", r"D\+d = 3 needs 3 derivatives, but relu .* has 2"),
    # data
    (f"{DATA} --inputs missing.npy", "'missing.npy' do not exist"),
    (f"{DATA} --inputs inputs.txt", "'inputs.txt' are neither .npy nor .csv"),
    (f"{DATA} --inputs folder.npy", "'folder.npy' are a folder"),
    (f"{DATA} --inputs junk.npy", "'junk.npy' is no .npy array"),
    (f"{DATA} --inputs objects.npy", "'objects.npy' .*pickled objects"),
    (f"{DATA} --inputs complex.npy", "type complex128"),
    (f"{DATA} --inputs vector.npy", r"shape \(4,\)"),
    (f"{DATA} --inputs infinite.npy", r"1 NaN or infinite values, the first at index \(0, 1\)"),
    (f"{DATA} --inputs nan.csv", "line 2 of 'nan.csv' has 'nan' in column 2"),
    (f"{DATA} --inputs ragged.csv", "line 2 of 'ragged.csv' has 1 numbers, the lines before have 2"),
    (f"{DATA} --inputs empty.csv", "'empty.csv' are empty"),
    (f"{DATA} --inputs words.csv", "line 2 of 'words.csv' has 'three' in column 1"),
    (f"{DATA} --inputs sequences.npy", r"'sequences.npy' have shape \(3, 2, 4\), but mlp takes single vectors"),
    ("verify rnn --inputs x.npy", r"'x.npy' have shape \(3, 4\), but rnn takes sequences"),
    ("verify rnn --inputs sequences.npy --positions 5 --orders 0,1", "2 positions, but 5 were asked for"),
    ("verify rnn --inputs digits --positions 9", "digits have no 9 positions"),
    ("verify mlp --inputs x.npy --orders 0,1 0,4", r"3 inputs, but C\^\{0,4\} needs 5"),
    ("verify mlp --inputs x.npy", r"3 inputs, but C\^\{0,4\} needs 5"),
    ("derive mlp --inputs x.npy --orders 0,3", r"3 inputs, but C\^\{0,3\} needs 4"),
    # sizes of the run
    (f"{SIZES} {SHORT} --widths 8", r"widths \[8\] must be at least two increasing"),
    (f"{SIZES} {SHORT} --widths 16,8", r"widths \[16, 8\] must be at least two increasing"),
    (f"{SIZES} {SHORT} --widths 8,8", r"widths \[8, 8\] must be at least two increasing"),
    (f"{SIZES} {SHORT} --widths 8.5,16", "'8.5,16' is no list of widths"),
    (f"{SIZES} {SHORT} --widths 8,many", "'8,many' is no list of widths"),
    (f"{SIZES} {SHORT} --widths 0,8", "width=0 must be a positive integer"),
    (f"{SIZES} {SHORT} --widths 9..15", "holds 0 powers of two"),
    (f"{SIZES} {SHORT} --widths 64..8", "holds 0 powers of two"),
    (f"{SIZES} {SHORT} --widths 8,16 --samples 1", "samples=1 must be at least 2"),
    (f"{SIZES} {SHORT} --widths 8,16 --samples 0", "samples=0"),
    (f"{SIZES} {SHORT} --widths 8,16 --samples 2.7", "--samples"),
    (f"{SIZES} --orders 2,0 --widths 8,16 --samples 1", "samples=1 must be at least 2"),
    (f"{SIZES} --orders 2,0 --widths 8,16 --samples -5", "samples=-5"),
    (f"{SIZES} --orders 2,0 --widths 8,16 --operator-samples 1", "samples=1 must be at least 2"),
    (f"{SIZES} {SHORT} --widths 8,16 --seed -1", "seed=-1 must be a nonnegative integer"),
    (f"{SIZES} {SHORT} --widths 8,16 --seed 1.5", "--seed"),
    (f"{SIZES} {SHORT} --widths 8,16 --seed one", "--seed"),
    (f"{SIZES} {SHORT} --widths 8,16 --margin nan", "--margin nan must be a positive number"),
    (f"{SIZES} {SHORT} --widths 8,16 --margin -1", "--margin -1"),
    (f"verify mlp --inputs x.npy {SHORT} --widths 8,16 --workers 0", "workers=0 must be an integer from 1 to"),
    # where the results go
    ("derive mlp --out net.py", "'net.py' is a file; give a folder"),
    ("derive mlp --out net.py/results", "is a file; give a folder"),
    (f"{SIZES} {SHORT} --widths 8,16 --out net.py", "'net.py' is a file; give a folder"),
]


@pytest.mark.parametrize(("command", "message"), WRONG, ids=[command for command, _ in WRONG])
def test_whatever_cannot_be_run_is_one_line_and_exit_code_2(run, place, command, message):
    results = command.startswith(("derive", "verify")) and "--out" not in command
    before = snapshot(place)
    code, out, err = run(command + (" --out results --json" if results else ""))
    assert (code, out) == (2, "")
    assert re.fullmatch(r"error: [^\n]+\n", err), err
    assert re.search(message, err), err
    assert "Traceback" not in err
    assert snapshot(place) == before


def test_an_unwritable_folder_is_refused_before_any_work(run, place, monkeypatch):
    """Permissions are played, for a user who may write everywhere."""
    (place / "locked").mkdir()
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "locked" and access(path, mode))
    monkeypatch.setattr(cli, "derive", lambda *_, **__: pytest.fail("work has started"))
    monkeypatch.setattr(cli, "verify", lambda *_, **__: pytest.fail("work has started"))
    for command in ("derive mlp", f"verify mlp --inputs five.npy {QUICK}"):
        for target in ("locked", "locked/new/results"):
            code, out, err = run(f"{command} --out {target}")
            assert (code, out) == (2, "")
            assert re.fullmatch(rf"error: --out '{target}': the folder '.*locked' cannot be written to;[^\n]*\n", err)
    assert not list((place / "locked").iterdir())


def test_a_page_that_cannot_be_made_leaves_the_samples_only(run, place, monkeypatch):
    def broken(_):
        raise MemoryError

    monkeypatch.setattr(importlib.import_module("tensorprog.report.html"), "page", broken)
    code, out, err = run(f"verify mlp -o depth=1 --inputs x.npy {QUICK} {SHORT} --out results")
    assert (code, out) == (2, "")
    assert err.startswith("error: out of memory")
    assert [path.name for path in (place / "results").iterdir()] == ["samples.sqlite"]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    "what",
    ["-o phi=exp --inputs five.npy --orders 0,1", "-o depth=1 --inputs large.npy --orders 0,1 2,0"],
    ids=["a tower of exponentials", "inputs near the largest number"],
)
def test_sizes_that_overflow_are_an_error_not_a_verdict(run, place, what):
    np.save("large.npy", np.full((3, 4), 1e308))
    before = snapshot(place)
    code, out, err = run(f"verify mlp {what} -o weight_std=9 {QUICK} --json --out results")
    assert (code, out) == (2, "")
    assert re.fullmatch(r"error: [^\n]*(finite|overflow)[^\n]*\n", err), err
    assert snapshot(place) == before


def test_a_process_of_its_own_gives_the_same_numbers_and_is_silent(run, place):
    """As users run it: another process, its own workers, streams that are no terminals."""
    command = f"verify mlp -o depth=2 --inputs digits --widths 8,16,32 --samples 5 {SHORT} --json"
    found = process(f"{command} --workers 2", cwd=place)
    assert (found.returncode, found.stderr) == (0, b"")
    theirs = strict(found.stdout.decode())
    VALID.validate(theirs)
    ours, _ = correlations(run, f"{command} --workers 1".replace(" --json", ""))
    for entry in theirs["correlations"]:
        for field in ("medians", "quantiles_90"):
            assert np.allclose(entry[field], ours[entry["D"], entry["d"]][field], rtol=1e-9)


def test_json_survives_a_terminal_without_unicode(place):
    """Signs such as ‖·‖ then have to be escaped the way JSON escapes them."""
    found = process(
        "derive mlp -o depth=1 --orders 2,0 0,2 --json", cwd=place, env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )
    assert (found.returncode, found.stderr) == (0, b"")
    VALID.validate(strict(found.stdout.decode("ascii")))


def test_a_closed_pipe_ends_quietly(place):
    """As in `tensorprog show … | head`: no traceback when nobody reads on."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        found = subprocess.run(
            [sys.executable, "-m", "tensorprog", "show", "mlp"], stdout=writer, stderr=subprocess.PIPE, timeout=60
        )
    finally:
        os.close(writer)
    assert (found.returncode, found.stderr) == (cli.BROKEN_PIPE, b"")

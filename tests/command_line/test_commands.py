"""What the commands print and write, and their exit codes."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from command_line.place import (
    ARRAYS,
    HALF,
    NET,
    QUICK,
    SHORT,
    VALID,
    correlations,
    process,
    strict,
)
from tqdm import tqdm as bar_of_tqdm

import tensorprog as tp
from tensorprog import cli
from tensorprog.architectures import ARCHITECTURES, mlp
from tensorprog.cli import main
from tensorprog.cli.texts import negatives
from tensorprog.program.interchange import program_from_json
from tensorprog.program.text import read
from tensorprog.readings import reparametrised


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
        assert all(command in out for command in ("list", "show", "derive", "verify", "linearity"))


@pytest.mark.parametrize("command", ["list", "show", "derive", "verify", "linearity"])
def test_help_ends_with_examples_that_are_valid_commands(run, command):
    code, out, err = run(f"{command} --help")
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: tensorprog {command}")
    examples = [line.strip() for line in out.splitlines() if line.strip().startswith(f"tensorprog {command}")]
    assert examples
    for example in examples:
        tokens = shlex.split(example.partition(">")[0])[1:]
        cli.app.parse_args(negatives(tokens), exit_on_error=False, print_error=False)  # raises for what it cannot parse


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
    """Seen in the derivation of the bound, which is below a first step from the data."""
    (entry,), (bound,) = (
        correlations(run, f"derive rnn {options} --orders 2,0")[0].values()
        for options in ("--inputs sequences.npy", "--positions 2")
    )
    assert entry["derivation"][1:] == bound["derivation"]
    (longer,) = correlations(run, "derive rnn --positions 3 --orders 2,0")[0].values()
    assert longer["derivation"] != bound["derivation"]


def test_inputs_make_exponents_definite(run):
    entries, _ = correlations(run, "derive mlp -o depth=2 --inputs x.npy --orders 0,1 0,2 1,1 2,0 --points 0 0 0")
    assert [entries[order]["status"] for order in [(0, 1), (0, 2), (1, 1)]] == ["definite"] * 3
    assert entries[2, 0]["status"] == "definite power"
    assert entries[0, 1]["constant_of"] == "lim n^0 C^{0,1}" and entries[0, 1]["constant"] > 0
    assert entries[0, 2]["constant_of"] == "lim n^2 ‖∇_v C^{0,2}‖²"
    assert 0 <= entries[1, 1]["constant_error"] < 1e-10 < entries[1, 1]["constant"]
    bounds, _ = correlations(run, "derive mlp -o depth=2 --orders 0,1 0,2 1,1 2,0 --points 0 0 0")
    assert {k: v["exponent"] for k, v in bounds.items()} == {k: v["exponent"] for k, v in entries.items()}
    assert {v["status"] for v in bounds.values()} == {"upper bound"}
    code, _, error = run("derive mlp --inputs x.npy --orders 0,1 --patience 0")
    assert code == 2 and "patience=0.0 must be a positive number of seconds" in error


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
        "samples.npz", "samples.sqlite", "scaling.svg", "table.md", "table.tex",
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
    reporting = sys.modules["tensorprog.report.verification"]
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
    command = "verify mlp -o depth=1 --inputs x.npy --widths 8,16,32 --samples 20 --workers 1 --orders 0,1"
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

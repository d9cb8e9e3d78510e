"""What the commands print and write, and their exit codes."""

from __future__ import annotations

import re
import shlex
import xml.etree.ElementTree
from fractions import Fraction

import pytest
from command_line.place import (
    HALF,
    QUICK,
    SHORT,
    VALID,
    correlations,
    strict,
)

import tensorprog as tp
from tensorprog import cli
from tensorprog.architectures import ARCHITECTURES, mlp
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

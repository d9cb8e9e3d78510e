"""What `tensorprog verify` prints and writes, and its exit codes."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from command_line.place import (
    ARRAYS,
    QUICK,
    SHORT,
    VALID,
    correlations,
    strict,
)


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
    enough = quick.replace("--samples 5", "--samples 20")
    assert correlations(run, f"{enough} --orders 0,1 --margin 50")[0][0, 1]["verdict"] == "confirmed"
    assert correlations(run, f"{quick} --orders 2,0 --operator-samples 4")[0][2, 0]["samples"] == [4] * 3


@pytest.mark.parametrize("orders", ["1,1 2,0 2,1", "0,0 0,1 0,2 0,3 1,0 1,1 1,2 2,0 2,1"])
def test_verify_takes_correlations_that_vanish_identically(run, orders):
    entries, _ = correlations(run, f"verify mlp -o depth=1 -o phi=identity --inputs five.npy {QUICK} --orders {orders}")
    assert (entries[2, 1]["exponent"], entries[2, 1]["verdict"]) == (None, "confirmed")
    assert entries[2, 1]["medians"] == [0.0] * 3


def claimed(monkeypatch, exponent):
    """Every derived exponent replaced by another one, as a wrong derivation would do."""
    reporting = sys.modules["tensorprog.report.verification"]
    limited = reporting.with_limits
    log_power = None if exponent is None else Fraction(0)

    def wrong(*arguments, **options):
        table = limited(*arguments, **options)
        entries = tuple(replace(entry, exponent=exponent, log_power=log_power) for entry in table)
        return replace(table, entries=entries)

    monkeypatch.setattr(reporting, "with_limits", wrong)


@pytest.mark.parametrize("exponent", [Fraction(-9), None])
def test_exit_code_1_when_the_derivation_is_wrong(run, place, monkeypatch, exponent):
    """C^{0,1} neither decays like n^-9 nor vanishes; both claims are made by replacing the table that is tested."""
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


ROUNDING_NET = """
import tensorprog as tp
def net(x):
    h = tp.tanh(tp.linear("U", x))
    return tp.mean(h * (tp.linear("W", h) - tp.linear("W", h, transpose=True)))
"""


def test_rounding_errors_get_no_verdict_and_exit_code_0(run, tmp_path):
    (tmp_path / "cancelling.py").write_text(ROUNDING_NET)
    entries, _ = correlations(run, f"verify {tmp_path}/cancelling.py:net --inputs x.npy {QUICK} --orders 0,0")
    assert (entries[0, 0]["verdict"], entries[0, 0]["slope"], entries[0, 0]["tight"]) == ("inconclusive", None, None)
    assert "0 to rounding" in entries[0, 0]["advice"]

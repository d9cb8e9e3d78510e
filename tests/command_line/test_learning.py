"""`tensorprog linearity`: what it prints and writes, its exit codes, and that a stopped run goes on."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from command_line.place import ARRAYS, SCHEMA, strict
from referencing import Registry, Resource

import tensorprog as tp
from tensorprog.cli.texts import negatives, read_numbers
from tensorprog.errors import ExpressionError
from tensorprog.exponents import Exponent
from tensorprog.learning.study import KAPPAS, RHOS

DOCS = Path(__file__).parents[2] / "docs"
VALID = jsonschema.Draft202012Validator(
    json.loads((DOCS / "linearity.schema.json").read_text(encoding="utf-8")),
    registry=Registry().with_resource("report.schema.json", Resource.from_contents(SCHEMA)),
)
SIZES = "--train 2 --test 1 --steps 2 --widths 16,32,64 --samples 4 --workers 1 --patience 0 --kappa none"
TASK = f"linearity mlp -o depth=1 --inputs x.npy --targets y.csv {SIZES} --learning-rate 0.5"
FILES = [
    *("data.npy", "deviation_over_rho.svg", "deviation_over_width.svg", "linearity.html", "linearity.json"),
    *("program.txt", "samples.npz", "samples.sqlite", "table.md", "targets.npy"),
]
WIDTHS = (16, 32, 64)
HALF, QUARTER = Fraction(1, 2), Fraction(1, 4)


def learned(run, command, code=0):
    """The JSON object that a command prints."""
    found, out, err = run(f"{command} --json")
    assert (found, err) == (code, "")
    VALID.validate(strict(out))
    return strict(out)


def without_time(found):
    return {**found, "run": {k: v for k, v in found["run"].items() if k not in ("seconds", "command")}}


def test_it_prints_a_summary_and_writes_the_report(run, place):
    code, out, err = run(f"{TASK} --rho -1/2 0 --out results")
    assert (code, err) == (0, "")
    assert out.startswith("mlp depth=1\n\nFixed weak correlations with m(n) = n^1")
    assert out.count("|F − F_lin|  ") == 4
    assert "\nreport: results/linearity.html\n" in out and out.endswith(" seconds\n")
    assert sorted(path.name for path in (place / "results").iterdir()) == FILES
    assert np.array_equal(np.load("results/data.npy"), ARRAYS["x.npy"])
    assert np.array_equal(np.load("results/targets.npy"), [1, -1])
    assert "tensorprog linearity mlp -o depth=1" in Path("results/linearity.html").read_text(encoding="utf-8")


def test_the_json_is_the_file(run, place):
    found = learned(
        run, f"{TASK} --rho -1/2 --momentum 0.5 --weight-decay 0.01 --loss 'log(cosh(F - y))' --out results"
    )
    assert found == strict(Path("results/linearity.json").read_text(encoding="utf-8"))
    ran = found["run"]
    assert (ran["architecture"], ran["inputs"], ran["options"]) == ("mlp depth=1", "x.npy", {"depth": "1"})
    assert (ran["momentum"], ran["weight_decay"], ran["loss"]) == ("1/2", "1/100", "log(cosh(F - y))")
    assert (ran["trained"], ran["tested"], ran["data_shape"], ran["samples"]) == (2, 1, [3, 4], 4)
    assert "--rho -1/2" in ran["command"]
    assert {(o["rho"], o["kappa"]) for o in found["outcomes"]} == {("0", "0"), ("-1/2", "0")}


def test_tasks_are_trained_on_too(run, place):
    found = learned(run, f"{TASK} --rho none --tasks parity:2:5 two-index:3 --out results")
    assert found["run"]["tasks"] == ["parity:2:5", "two-index:3"]
    assert len(found["tasks"]["cells"]) == 2 * 2 * len(WIDTHS)
    assert sorted(path.name for path in (place / "results").iterdir()) == sorted([*FILES, "foretold.svg"])
    assert learned(run, f"{TASK} --rho none")["tasks"] is None


def test_a_stopped_run_goes_on(run, place, monkeypatch):
    """The second call finds the samples of the first, and the folder then holds what an unbroken run gives."""
    command = f"{TASK} --rho -1/2 0 --seed 3"
    whole = learned(run, command)
    sampling = sys.modules["tensorprog.scaling.sampling"]
    measure, calls = sampling.measure, []

    def stopping(*arguments, **options):
        calls.append(options["store"])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return measure(*arguments, **options)

    monkeypatch.setattr(sampling, "measure", stopping)
    assert run(f"{command} --out results") == (130, "", "interrupted\n")
    assert [path.name for path in (place / "results").iterdir()] == ["samples.sqlite"]
    monkeypatch.setattr(sampling, "measure", measure)
    task = sys.modules["tensorprog.scaling.jobs"].Task
    compute = task.__call__
    done = []

    def counted(self, job):
        done.append(job)
        return compute(self, job)

    monkeypatch.setattr(task, "__call__", counted)
    again = learned(run, f"{command} --out results")
    assert without_time(again) == without_time(whole)
    assert len(done) == len(WIDTHS)  # of the two learning rates one was there: a job for each width of the other
    done.clear()
    assert without_time(learned(run, f"{command} --out results")) == without_time(whole)
    assert done == []
    assert sorted(path.name for path in (place / "results").iterdir()) == FILES


def test_digits_have_labels(run, place):
    command = f"linearity mlp -o depth=1 --inputs digits {SIZES} --rho none --out results"
    found = learned(run, command)
    assert np.array_equal(np.load("results/targets.npy"), [1, -1])
    assert found["run"]["learning_rate"] == pytest.approx(found["threshold"]["rate"] / 2, rel=0.05)
    assert len({(o["rho"], o["kappa"]) for o in found["outcomes"]}) == 1
    labelled = learned(run, f"{command} --targets labels")
    assert without_time(labelled) == without_time(found)


def test_a_target_file_has_one_row_an_input(run, place):
    np.save("y.npy", np.array([[1.0], [-1.0], [0.5]]))
    np.save("flat.npy", np.array([1.0, -1.0]))
    command = f"linearity mlp -o depth=1 --inputs x.npy {SIZES} --rho none --learning-rate 0.5"
    ours = [learned(run, f"{command} --targets {name}") for name in ("y.npy", "flat.npy", "y.csv")]
    assert without_time(ours[0]) == without_time(ours[1]) == without_time(ours[2])


def test_exit_code_1_when_a_prediction_is_refuted(run, place, monkeypatch):
    """Deviations do not grow like n^9; the claim is made by replacing what is predicted."""
    study = sys.modules["tensorprog.learning.study"]
    predict = study.predict
    law = Exponent(Fraction(-9))
    monkeypatch.setattr(study, "predict", lambda *a, **k: replace(predict(*a, **k), law=law))
    code, out, err = run(f"{TASK} --rho none --samples 40 --out results".replace("--samples 4 ", ""))
    assert (code, err) == (1, "")
    assert "3 refuted" in out
    assert '<div class="answer bad">' in Path("results/linearity.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("typed", "numbers"),
    [
        ("-1 -1/2 0 1/4", [-1, -HALF, 0, QUARTER]),
        ("-1..1/2/1/4", [QUARTER * i for i in range(-4, 3)]),
        ("-1..1/1/2", [HALF * i for i in range(-2, 3)]),
        ("-1/2..1/2", [QUARTER * i for i in range(-2, 3)]),
        ("-1..0.5/0.25", [QUARTER * i for i in range(-4, 3)]),
        ("-0.5 0..1", [-HALF, 0, QUARTER, HALF, 3 * QUARTER, 1]),
        ("none", []),
        ("", []),
    ],
)
def test_numbers_and_ranges(typed, numbers):
    assert read_numbers("--rho", negatives(typed.split())) == numbers


def test_only_negative_numbers_are_taken_for_such():
    assert negatives(["-1/2", "-1..1", "--rho", "-o", "a-1/2", "-x/2", "-1"]) == [
        "−1/2",
        "−1..1",
        "--rho",
        "-o",
        "a-1/2",
        "-x/2",
        "-1",
    ]
    assert read_numbers("--rho", None) is None
    with pytest.raises(ExpressionError, match="1/2/1/4/8"):
        read_numbers("--rho", ["0..1/2/1/4/8"])


def test_defaults_are_those_of_the_library(run, monkeypatch):
    asked = {}

    def recorded(program, data, targets, **options):
        asked.update(options, targets=targets, data=data, program=program)
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["tensorprog.cli.learning"], "linearity", recorded)
    assert run("linearity mlp --inputs digits")[0] == 130
    assert (asked["rhos"], asked["kappas"], asked["steps"], asked["samples"]) == (RHOS, KAPPAS, 3, 40)
    assert asked["widths"] == (256, 512, 1024, 2048, 4096)
    assert list(asked["targets"]) == [1, -1, 1, -1]
    assert asked["data"].shape == (6, 64) and len(asked["program"].outputs) == 6
    assert callable(tp.linearity)

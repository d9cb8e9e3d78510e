"""`--memory`: amounts that are read, amounts that are refused, and that a run keeps to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line.place import ARRAYS, QUICK

import tensorprog as tp
from tensorprog.architectures import mlp
from tensorprog.cli.texts import read_bytes
from tensorprog.errors import SamplingError
from tensorprog.readings.team import MANY
from tensorprog.report import verification
from tensorprog.scaling import jobs, measure

RUN = f"verify mlp -o depth=1 --inputs x.npy {QUICK} --orders 0,1 --method dense"
PROGRAM = tp.trace(mlp, inputs=3, depth=1)
C = tp.correlation(PROGRAM, 0, 1)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("4GiB", 4 * 2**30),
        ("512MB", 512 * 10**6),
        ("3 kB", 3000),
        ("3kiB", 3072),
        ("2T", 2 * 10**12),
        ("7B", 7),
        ("1000", 1000),
    ],
)
def test_amounts(text, amount):
    assert read_bytes(text) == amount


@pytest.mark.parametrize(
    "text", ["0", "0GiB", "-1", "4 potatoes", "", "GiB", "1.5GiB", "4gib", "1e9", "4GiB of it", "٤GiB", "nan", "1" * 16]
)
def test_what_is_no_amount(text):
    with pytest.raises(SamplingError, match=r"no amount of memory; write it as 4GiB or 500MB"):
        read_bytes(text)


def test_a_run_keeps_to_it(run):
    code, out, err = run(f"{RUN} --memory 1860")
    assert (code, out) == (2, "")
    assert err.startswith("error: width 32 needs about ") and "1260 may be used; widths that fit: 8;" in err
    code, out, err = run(f"{RUN} --memory 4GiB")
    assert (code, err) == (0, "") and "1 correlation: " in out
    code, out, err = run(f"{RUN} --memory 4potatoes")
    assert (code, out) == (2, "") and "--memory '4potatoes' is no amount" in err


def test_verify_keeps_to_it():
    with pytest.raises(SamplingError, match=r"1260 may be used; widths that fit: 8;"):
        tp.verify(PROGRAM, ARRAYS["x.npy"], [(0, 1)], (8, 16, 32), 5, method="dense", memory=1860)


@pytest.mark.parametrize(("memory", "most"), [(10**9, MANY), (12_960, 3)])
def test_every_job_is_told_how_many_samples_it_may_hold(memory, most, monkeypatch):
    told, read = [], jobs.READINGS["dense"]

    def watched(joint, data, width, samples, request):
        told.append((width, request.most))
        return read(joint, data, width, samples, request)

    monkeypatch.setitem(jobs.READINGS, "dense", watched)
    found = measure([C], ARRAYS["x.npy"], (8, 32), [20], method="dense", memory=memory)
    assert {count for width, count in told if width == 32} == {most}
    monkeypatch.undo()
    for width, row in zip((8, 32), found[0], strict=True):
        np.testing.assert_allclose(row, np.abs(tp.sample(C, ARRAYS["x.npy"], width, 20, 0, "dense")), rtol=1e-12)


@pytest.mark.parametrize("bad", ["--workers 0", "--memory 1kB", "--out taken"])
def test_what_cannot_be_run_is_refused_before_limits_are_taken(run, place, monkeypatch, bad):
    """Limits may take minutes; here taking one is an error of another kind."""
    Path("taken").mkdir()
    Path("taken/samples.sqlite").write_text("no store, but long enough for a header of one", encoding="utf-8")
    monkeypatch.setattr(verification, "with_limits", None)
    code, out, err = run(f"verify mlp -o depth=1 --inputs x.npy --widths 8,16 --samples 20 --orders 0,1 {bad}")
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1

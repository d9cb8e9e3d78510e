"""A time instead of a number of samples: the plan is made once, and kept."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing

import numpy as np
import pytest
from cases import CASES
from scaling.runs import same

import tensorprog as tp
from tensorprog.errors import SamplingError
from tensorprog.scaling import jobs, measure, planning

CASE = CASES[0]
PROGRAM = CASE.trace(3)
PROGRAMS = [tp.correlation(PROGRAM, D, d) for D, d in [(0, 1), (0, 2), (1, 1), (2, 0)]]
DATA = CASE.data(3)
WIDTHS = (8, 16, 128)
MINUTES = 0.05


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(planning, "LOOK", 0.02)


def run(**options):
    return measure(PROGRAMS, DATA, WIDTHS, seed=3, minutes=MINUTES, **options)


def counts(found):
    return [[len(values) for values in rows] for rows in found]


def test_cheap_widths_get_more_and_programs_of_one_group_the_same(tmp_path):
    start = time.perf_counter()
    found = counts(run())
    assert time.perf_counter() - start < 10 * 60 * MINUTES
    assert found[0] == found[1] == found[2] != found[3]
    assert found[0][0] > found[0][2] > planning.PILOT


def test_samples_are_the_first_ones():
    for rows, program in zip(run(), PROGRAMS, strict=True):
        some = np.abs(tp.sample(program, DATA, 8, len(rows[0]), seed=3))
        np.testing.assert_allclose(rows[0], some, rtol=2e-6)


def test_a_stopped_run_goes_on_with_the_same_plan(tmp_path, monkeypatch):
    path = tmp_path / "s.sqlite"
    compute, done, most = jobs.Task.__call__, [], []

    def interrupted(self, job):
        if len(done) in most:
            raise KeyboardInterrupt
        done.append(job)
        return compute(self, job)

    monkeypatch.setattr(jobs.Task, "__call__", interrupted)
    monkeypatch.setattr(jobs, "TARGET", 0.01)
    for stop in (1, 3, 6, 9):
        done.clear()
        most[:] = [stop]
        with pytest.raises(KeyboardInterrupt):
            run(store=path)
    most.clear()
    first = run(store=path)
    done.clear()
    second = run(store=path)
    assert not done
    same(first, second)


def test_a_damaged_plan_is_refused(tmp_path):
    path = tmp_path / "s.sqlite"
    run(store=path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE plans SET counts = '24 24 24 24 24 24'")
    with pytest.raises(SamplingError, match=r"a plan in it is not the one that was stored\); it is damaged"):
        run(store=path)


def test_other_requests_have_plans_of_their_own(tmp_path):
    path = tmp_path / "s.sqlite"
    for change in ({}, {"minutes": 0.002}, {"seed": 4}, {"method": "dense"}, {"widths": WIDTHS[:2]}, {}):
        options = {"widths": WIDTHS[1:], "minutes": 0.001, "seed": 3} | change
        measure(PROGRAMS[:1], DATA, store=path, **options)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM plans").fetchone() == (5,)


def test_the_main_run_begins_with_the_speeds_of_the_pilots(monkeypatch):
    cutter, known = jobs._Cutter, []
    monkeypatch.setattr(jobs, "_Cutter", lambda *args: known.append(set(args[2])) or cutter(*args))
    run()
    assert known[0] == set()
    assert known[-1] == {(group, width) for group in (0, 1) for width in WIDTHS}


def test_pilots_that_are_all_there_are_timed_anew(tmp_path):
    path = tmp_path / "s.sqlite"
    measure(PROGRAMS, DATA, WIDTHS, [60] * 4, seed=3, store=path)
    assert min(map(min, counts(run(store=path)))) > planning.PILOT


def test_a_store_that_has_far_more_than_the_pilots_is_read_a_few_times_only(tmp_path, monkeypatch):
    path, rounds = tmp_path / "s.sqlite", []
    measure(PROGRAMS, DATA, WIDTHS, [3000] * 3 + [300], seed=3, store=path)
    compute = planning.run_blocks
    monkeypatch.setattr(planning, "run_blocks", lambda *args: rounds.append(1) or compute(*args))
    assert min(map(min, counts(run(store=path)))) > 300
    assert len(rounds) <= 3


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), float("inf"), None])
def test_bad_times(minutes):
    with pytest.raises(SamplingError, match=r"minutes=.* must be a positive number"):
        measure(PROGRAMS, DATA, WIDTHS, minutes=minutes)


def test_a_report_says_that_a_time_was_given(tmp_path):
    options = {"orders": [(0, 1), (1, 1)], "widths": (8, 16, 32), "progress": False}
    report = tp.verify(PROGRAM, DATA, minutes=0.02, **options)
    told = json.loads(report.to_json())["run"]
    assert (told["minutes"], told["samples"], told["operator_samples"]) == (0.02, None, None)
    assert "in about 0.02 minutes" in (report.save(tmp_path) / "report.html").read_text()
    with pytest.raises(SamplingError, match=r"minutes=1 decides how many samples each width gets; leave samples out"):
        tp.verify(PROGRAM, DATA, minutes=1, samples=20, **options)

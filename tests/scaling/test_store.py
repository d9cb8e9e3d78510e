"""Runs that are stopped, in every way, go on where they were and end with the same numbers."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import pytest
from cases import CASES

import tensorprog as tp
from tensorprog.errors import SamplingError
from tensorprog.scaling import jobs, measure
from tensorprog.scaling.store import Store

PROGRAM = CASES[0].trace(3)
PROGRAMS = [tp.correlation(PROGRAM, D, d) for D, d in [(0, 1), (0, 2), (1, 1), (2, 0)]]
COUNTS = [60, 60, 60, 12]
WIDTHS = (8, 64)
DATA = CASES[0].data(3)


def run(**options):
    return measure(PROGRAMS, DATA, WIDTHS, COUNTS, seed=4, **options)


def same(one, other):
    for a, b in zip(one, other, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-12)


@pytest.fixture(scope="module")
def expected():
    return run()


def rows(path):
    with closing(sqlite3.connect(path)) as db:
        return db.execute(
            "SELECT count(*), count(DISTINCT run || ' ' || correlation || ' ' || sample) FROM samples"
        ).fetchone()


def test_a_finished_run_computes_nothing_again(tmp_path, expected, monkeypatch):
    same(run(store=tmp_path / "s.sqlite"), expected)
    assert rows(tmp_path / "s.sqlite") == (2 * (3 * 60 + 12),) * 2

    def never(self, job):
        raise AssertionError(f"{job} was computed again")

    monkeypatch.setattr(jobs.Task, "__call__", never)
    same(run(store=tmp_path / "s.sqlite"), expected)


@pytest.mark.parametrize("after", [1, 3, 6])
def test_a_run_that_stopped_goes_on(tmp_path, expected, monkeypatch, after):
    monkeypatch.setattr(jobs, "TARGET", 1e-3)
    compute, done = jobs.Task.__call__, []

    def interrupted(self, job):
        if len(done) == after:
            raise KeyboardInterrupt
        done.append(job)
        return compute(self, job)

    monkeypatch.setattr(jobs.Task, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(store=tmp_path / "s.sqlite")
    before = set(done)
    after = 10**9
    same(run(store=tmp_path / "s.sqlite"), expected)
    again = [job for job in done if done.count(job) > 1 and job in before]
    assert len(again) <= 1, "more than the job under way was repeated"


def test_other_keys_share_nothing(tmp_path, expected):
    path = tmp_path / "s.sqlite"
    run(store=path)
    count, _ = rows(path)
    measure(PROGRAMS, DATA, WIDTHS, COUNTS, seed=5, store=path)
    measure(PROGRAMS, 2 * DATA, WIDTHS, COUNTS, seed=4, store=path)
    assert rows(path) == (3 * count, 3 * count)
    same(run(store=path), expected)


def test_more_samples_extend_a_run(tmp_path):
    path = tmp_path / "s.sqlite"
    few = measure(PROGRAMS[:1], DATA, WIDTHS, [20], seed=4, store=path)
    many = measure(PROGRAMS[:1], DATA, WIDTHS, [50], seed=4, store=path)
    np.testing.assert_allclose(many[0][1][:20], few[0][1], rtol=1e-12)
    assert rows(path)[0] == 100


def test_a_full_store_is_an_error_that_loses_nothing(tmp_path, expected, monkeypatch):
    path = tmp_path / "s.sqlite"
    monkeypatch.setattr(jobs, "TARGET", 1e-3)
    opened = Store.__init__

    def small(self, path):
        opened(self, path)
        (pages,) = self._db.execute("PRAGMA page_count").fetchone()
        self._db.execute(f"PRAGMA max_page_count = {pages + 1}")

    with monkeypatch.context() as patch, pytest.raises(SamplingError, match=r"full.*safe.*same command goes on"):
        patch.setattr(Store, "__init__", small)
        run(store=path)
    assert 0 < rows(path)[0] < 2 * (3 * 60 + 12)
    same(run(store=path), expected)


def test_a_second_writer_is_refused(tmp_path):
    with Store(tmp_path / "s.sqlite"), pytest.raises(SamplingError, match="another run writes to it"):
        Store(tmp_path / "s.sqlite")


def test_a_file_that_is_no_store_is_refused_and_kept(tmp_path):
    (tmp_path / "notes").write_text("not a database, but long enough to be looked at as one" * 100)
    with pytest.raises(SamplingError, match="no run store"):
        Store(tmp_path / "notes")
    assert (tmp_path / "notes").read_text().startswith("not a database")


def test_any_executor_will_do(expected, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        same(run(executor=pool, store=tmp_path / "s.sqlite"), expected)


SCRIPT = """
import sys
sys.path[:0] = {paths!r}
from scaling import test_store
test_store.jobs.TARGET = 0.005
test_store.run(store=sys.argv[1], workers=int(sys.argv[2]))
"""


def kill_until_done(path, workers, seed):
    """Start the run, kill it at a random moment, again and again; how often it was killed."""
    rng = np.random.default_rng(seed)
    killed = 0
    code = SCRIPT.format(paths=sys.path)
    for _ in range(200):
        process = subprocess.Popen([sys.executable, "-c", code, str(path), str(workers)], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 3
        while not path.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        try:
            process.wait(float(rng.uniform(0.02, 0.5)) + (3.0 if rng.random() < 0.1 else 0.0))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
        else:
            if process.returncode == 0:
                return killed
    raise AssertionError("the run never ended")


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4))
def test_kill_9_at_random_moments(tmp_path, expected, seed):
    path = tmp_path / "s.sqlite"
    assert kill_until_done(path, 1, seed) >= 1
    same(run(store=path), expected)
    count, distinct = rows(path)
    assert count == distinct == 2 * (3 * 60 + 12)

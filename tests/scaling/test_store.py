"""Runs that are stopped, in every way, go on where they were and end with the same numbers."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import time
from contextlib import suppress

import numpy as np
import pytest
from scaling.runs import COUNTS, DATA, PROGRAMS, ROWS, WIDTHS, process, rows, run, same

from tensorprog.errors import OtherVersionWarning, SamplingError
from tensorprog.scaling import jobs, measure
from tensorprog.scaling import store as store_module
from tensorprog.scaling.sampling import Sampling
from tensorprog.scaling.store import Store

KEY = ("programs", "data", "0", "float64", "exact", "0.1.0", 64)


def test_a_finished_run_computes_nothing_again(tmp_path, expected, monkeypatch):
    same(run(store=tmp_path / "s.sqlite"), expected)
    assert rows(tmp_path / "s.sqlite") == (ROWS, ROWS)

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


@pytest.mark.parametrize("what", ["file", "folder", "file replaced"])
@pytest.mark.parametrize("after", [1, 2])
def test_a_store_that_is_removed_during_a_run_is_an_error(tmp_path, what, after):
    """Before something is added, and after the last thing was."""
    path = tmp_path / "folder" / "s.sqlite"
    message = "cannot be used .(it was removed|another file took its place) during the run, samples are lost"
    with pytest.raises(SamplingError, match=message), Store(path) as store:
        for turn in range(2):
            store.add(KEY, [turn], np.ones((1, 1)))
            if turn + 1 == after:
                shutil.rmtree(path.parent) if what == "folder" else path.unlink()
                if what == "file replaced":
                    path.write_bytes(b"")
    assert not path.exists() or what == "file replaced"


def test_a_store_stays_silent_where_another_error_ends_the_run(tmp_path):
    path = tmp_path / "s.sqlite"
    with pytest.raises(KeyboardInterrupt), Store(path) as store:
        store.add(KEY, [0], np.ones((1, 1)))
        path.unlink()
        raise KeyboardInterrupt


def test_other_keys_share_nothing(tmp_path, expected, monkeypatch):
    path = tmp_path / "s.sqlite"
    run(store=path)
    measure(PROGRAMS, DATA, WIDTHS, COUNTS, seed=5, store=path)
    measure(PROGRAMS, 2 * DATA, WIDTHS, COUNTS, seed=4, store=path)
    assert rows(path) == (3 * ROWS, 3 * ROWS)
    with monkeypatch.context() as patch:
        patch.setattr(store_module, "VERSION", "another")
        run(store=path)
    assert rows(path) == (4 * ROWS, 4 * ROWS)
    same(run(store=path), expected)


def test_samples_of_another_version_are_told_of(tmp_path, expected, monkeypatch):
    path = tmp_path / "s.sqlite"
    with monkeypatch.context() as patch:
        patch.setattr(store_module, "VERSION", "0.2.0")
        run(store=path)
    sampling = Sampling(seed=4, store=path)
    with pytest.warns(OtherVersionWarning, match=rf"holds {ROWS} numbers drawn by version 0\.2\.0: they are kept"):
        same(sampling.measure(PROGRAMS, DATA, WIDTHS, COUNTS), expected)
    assert rows(path) == (2 * ROWS, 2 * ROWS)


def test_readings_share_nothing(tmp_path):
    path = tmp_path / "s.sqlite"
    for method in ("dense", "exact"):
        same(run(store=path, method=method), run(method=method))
    assert rows(path) == (2 * ROWS, 2 * ROWS)


@pytest.mark.parametrize("method", ["dense", "exact"])
def test_numbers_that_overflow_are_an_error_and_not_stored(tmp_path, method):
    path = tmp_path / "s.sqlite"
    with pytest.raises(SamplingError, match=r"width 64 are not finite.*use smaller inputs"):
        measure(PROGRAMS, 1e300 * DATA, WIDTHS, COUNTS, store=path, method=method)
    assert not path.exists()


def test_more_samples_extend_a_run(tmp_path):
    path = tmp_path / "s.sqlite"
    few = measure(PROGRAMS[:1], DATA, WIDTHS, [20], seed=4, store=path)
    many = measure(PROGRAMS[:1], DATA, WIDTHS, [50], seed=4, store=path)
    np.testing.assert_allclose(many[0][1][:20], few[0][1], rtol=1e-12)
    assert rows(path)[0] == 100


def test_a_full_store_is_an_error_that_loses_nothing(tmp_path, expected, monkeypatch):
    path = tmp_path / "s.sqlite"
    monkeypatch.setattr(jobs, "TARGET", 1e-3)
    opened = Store._open

    def small(self):
        db = opened(self)
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {pages + 1}")
        return db

    with monkeypatch.context() as patch, pytest.raises(SamplingError, match=r"full.*safe.*same command goes on"):
        patch.setattr(Store, "_open", small)
        run(store=path)
    assert 0 < rows(path)[0] < ROWS
    same(run(store=path), expected)


def test_a_commit_that_fails_leaves_the_store_readable(tmp_path):
    resource = pytest.importorskip("resource")
    path, values = tmp_path / "s.sqlite", np.arange(6000.0).reshape(2, 3000)
    with Store(path) as store:
        store.add(KEY, range(3000), values)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        written = max(file.stat().st_size for file in tmp_path.iterdir())
        resource.setrlimit(resource.RLIMIT_FSIZE, (written + 10_000, limits[1]))
        try:
            with pytest.raises(SamplingError, match=r"disk I/O error.*free some space .* same command goes on"):
                store.add(KEY, range(3000, 6000), values)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert set(store.known(KEY, 2)) == set(range(3000))
    assert rows(path) == (6000, 6000)
    with Store(path) as store:
        store.add(KEY, range(3000, 6000), values)
        np.testing.assert_array_equal(store.known(KEY, 2)[5999], values[:, 2999])


def test_a_run_that_fails_removes_nothing_of_another(tmp_path):
    path = tmp_path / "new" / "s.sqlite"
    with Store(path) as failing:
        assert not path.parent.exists()
        with Store(path) as other:
            other.add(KEY, [0], np.ones((1, 1)))
        assert failing.known(KEY, 1) == {}
    with Store(path) as again:
        assert set(again.known(KEY, 1)) == {0}


def test_two_stores_of_one_process_share_a_file(tmp_path):
    path = tmp_path / "s.sqlite"
    with Store(path) as one, Store(path) as two:
        one.add(KEY, [0, 1], np.array([[1.0, 2.0]]))
        two.add(KEY, [1, 2], np.array([[2.0, 3.0]]))
        assert one.known(KEY, 1) == two.known(KEY, 1) == {0: 1.0, 1: 2.0, 2: 3.0}
    assert rows(path) == (3, 3)


def test_a_store_may_be_left_at_any_statement_of_its_making(tmp_path, monkeypatch):
    """Copies of the folder, made before every statement, are what a killed process leaves."""
    path, copies, connect = tmp_path / "made" / "s.sqlite", [], sqlite3.connect

    def copy(_):
        with suppress(FileNotFoundError):
            copies.append(shutil.copytree(path.parent, tmp_path / f"copy{len(copies)}"))

    def traced(*arguments, **options):
        db = connect(*arguments, **options)
        db.set_trace_callback(copy)
        return db

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", traced)
        with Store(path, "identity") as store:
            store.add(KEY, [0], np.ones((1, 1)))
            store.add(KEY, [1], np.ones((1, 1)))
    assert len(copies) > 10
    for folder in copies:
        with Store(folder / path.name, "identity") as store:
            assert set(store.known(KEY, 1)) in (set(), {0})
            store.add(KEY, [0, 1], np.ones((1, 2)))
            assert set(store.known(KEY, 1)) == {0, 1}


@pytest.mark.parametrize("seeds", [(4, 4), (4, 5)])
def test_two_runs_at_the_same_time_share_a_store(tmp_path, expected, seeds):
    path = tmp_path / "new" / "s.sqlite"
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    processes = [process(path, 1, seed, 1e-4, "meet", **pipes) for seed in seeds]
    for one in processes:
        assert one.stdout.readline() == "ready\n"
    for one in processes:
        one.stdin.write("\n")
        one.stdin.flush()
    for one in processes:
        assert one.communicate(timeout=60) == ("begun\nsubmitted\n", "")
        assert one.returncode == 0
    assert rows(path) == (ROWS * len(set(seeds)),) * 2
    for seed in set(seeds):
        same(run(seed, store=path), expected if seed == 4 else run(seed))
    assert rows(path) == (ROWS * len(set(seeds)),) * 2


def kill_until_done(path, workers, seed):
    """Start the run, kill it at a random moment, again and again; how often it was killed.

    In two of three cases once it has stored something new, otherwise while it starts.
    """
    rng = np.random.default_rng(seed)
    log = path.with_name(path.name + "-wal")
    killed = 0
    for _ in range(200):
        before = written(log)
        running = process(path, workers, 4, 0, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + (20.0 if rng.random() < 2 / 3 else float(rng.uniform(0.0, 2.0 * workers)))
        while written(log) in (0, before) and running.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        try:
            running.wait(float(rng.uniform(0.02, 0.5 * workers)))
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGKILL)
            running.wait()
            killed += 1
        else:
            if running.returncode == 0:
                return killed
    raise AssertionError("the run never ended")


def written(log):
    """When something was written to the log, or 0."""
    try:
        return log.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


@pytest.mark.long
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("seed", range(4))
def test_kill_9_at_random_moments(tmp_path, expected, seed, workers):
    path = tmp_path / "s.sqlite"
    assert kill_until_done(path, workers, seed) >= 1
    same(run(store=path), expected)
    count, distinct = rows(path)
    assert count == distinct == ROWS

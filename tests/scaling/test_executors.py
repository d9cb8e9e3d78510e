"""Any executor gives the numbers of one process, also when it loses workers, and when it breaks the run goes on."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager

import dask
import pytest
from distributed import Client, LocalCluster
from scaling.runs import ROWS, rows, run, same

from tensorprog.errors import SamplingError
from tensorprog.scaling import jobs
from tensorprog.scaling.store import Store

LOST = r"the executor could not finish a job \({}.*the same call goes on from what is stored"


@pytest.fixture(autouse=True)
def short_jobs(monkeypatch):
    monkeypatch.setattr(jobs, "TARGET", 0.005)


@pytest.fixture
def stored(monkeypatch):
    """(key, sample) of everything that is stored, in order."""
    found, add = [], Store.add

    def watched(self, key, samples, values):
        add(self, key, samples, values)
        found.extend((key, sample) for sample in samples)

    monkeypatch.setattr(Store, "add", watched)
    return found


@contextmanager
def after(jobs_done, act, monkeypatch):
    """Call `act` when so many jobs are stored, while others are under way."""
    add, calls = Store.add, []

    def watched(self, key, samples, values):
        add(self, key, samples, values)
        calls.append(key)
        if len(calls) == jobs_done:
            act()

    with monkeypatch.context() as patch:
        patch.setattr(Store, "add", watched)
        yield
    assert len(calls) >= jobs_done


def kill(pid):
    os.kill(pid, signal.SIGKILL)


def kill_a_child():
    kill(multiprocessing.active_children()[0].pid)


def processes():
    return ProcessPoolExecutor(2, multiprocessing.get_context("spawn"))


@pytest.mark.parametrize("make", [lambda: ThreadPoolExecutor(2), processes], ids=["threads", "processes"])
def test_a_pool_of_the_user_s(tmp_path, expected, stored, make):
    with make() as pool:
        same(run(executor=pool, workers=2, store=tmp_path / "s.sqlite"), expected)
        same(run(executor=pool, workers=2), expected)
    assert len(stored) == len(set(stored))
    assert rows(tmp_path / "s.sqlite") == (ROWS, ROWS)


@pytest.mark.parametrize("workers", [1, 3, 1000])
def test_as_many_jobs_are_under_way_as_the_workers_need(expected, workers, monkeypatch):
    monkeypatch.setattr(jobs, "TARGET", 0)
    gate, submitted, seen = threading.Event(), [], []

    class Watched(ThreadPoolExecutor):
        def submit(self, *arguments):
            submitted.append(super().submit(*arguments))
            return submitted[-1]

    def open_gate():
        seen.append(len(submitted) - 1)
        gate.set()

    with Watched(1) as pool:
        pool.submit(gate.wait)
        threading.Timer(0.5, open_gate).start()
        same(run(executor=pool, workers=workers), expected)
    assert seen == [min(2 * (60 + 12), jobs.QUEUED * workers)]


def test_workers_of_an_executor_have_memory_of_their_own():
    with ThreadPoolExecutor(1) as pool:
        run(executor=pool, workers=10**9)
        with pytest.raises(SamplingError, match="fewer workers"):
            run(executor=pool, workers=10**9, memory=10**9)
        with pytest.raises(SamplingError, match="workers=0 must be a positive integer"):
            run(executor=pool, workers=0)


# executors that break


@pytest.mark.parametrize("own", [True, False], ids=["--workers 2", "a user's pool"])
def test_a_killed_process_of_a_pool_is_an_error_that_loses_nothing(tmp_path, expected, stored, monkeypatch, own):
    path = tmp_path / "s.sqlite"
    message = "a worker process died.*the same call goes on from what is stored" if own else LOST.format("BrokenProc")
    with (
        after(3, kill_a_child, monkeypatch),
        pytest.raises(SamplingError, match=message),
        processes() as pool,
    ):
        run(store=path, workers=2, executor=None if own else pool)
    kept, _ = rows(path)
    assert 0 < kept < ROWS
    same(run(store=path), expected)
    assert len(stored) == len(set(stored)), "something stored was computed again"
    assert rows(path) == (ROWS, ROWS)


class Broken(ThreadPoolExecutor):
    """Finishes some jobs, then fails in one way or another, along with jobs that finish."""

    def __init__(self, good, error):
        super().__init__(1)
        self.left, self.error = good, error

    def submit(self, *arguments):
        self.left -= 1
        if self.left >= 0:
            future = super().submit(*arguments)
            future.exception()
            return future
        future = Future()
        if self.error is None:
            future.cancel()
            future.set_running_or_notify_cancel()
        else:
            future.set_exception(self.error)
        return future


@pytest.mark.parametrize(
    ("error", "name"),
    [(BrokenExecutor("gone"), "BrokenExecutor: gone"), (OSError("no route"), "OSError"), (None, "CancelledError")],
)
def test_an_executor_that_breaks_loses_nothing(tmp_path, expected, stored, error, name):
    path = tmp_path / "s.sqlite"
    with Broken(5, error) as pool, pytest.raises(SamplingError, match=LOST.format(name)):
        run(executor=pool, workers=3, store=path)
    assert len({key for key, _ in stored}) >= 1
    same(run(store=path), expected)
    assert len(stored) == len(set(stored))


def test_an_executor_that_takes_no_jobs_is_an_error():
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(SamplingError, match=LOST.format("RuntimeError: cannot schedule")):
        run(executor=pool)


def test_errors_of_a_job_are_its_own(monkeypatch):
    def overflowing(self, job):
        raise SamplingError("numbers overflow")

    monkeypatch.setattr(jobs.Task, "__call__", overflowing)
    with ThreadPoolExecutor(1) as pool, pytest.raises(SamplingError, match=r"^numbers overflow$"):
        run(executor=pool)


# Dask


@contextmanager
def cluster(**options):
    with (
        dask.config.set({"distributed.worker.daemon": True, **options}),
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as local,
        Client(local) as client,
    ):
        yield client


def test_a_dask_cluster(tmp_path, expected, monkeypatch):
    """Undisturbed, and with a worker killed while jobs are under way."""
    path = tmp_path / "s.sqlite"
    with cluster() as client:
        same(run(executor=client.get_executor(), workers=2, store=tmp_path / "calm.sqlite"), expected)
        pids = list(client.run(os.getpid).values())
        with after(3, lambda: kill(pids[0]), monkeypatch):
            same(run(executor=client.get_executor(), workers=2, store=path), expected)
    assert rows(path) == (ROWS, ROWS)


def test_a_dask_cluster_that_gives_up_is_an_error_that_loses_nothing(tmp_path, expected, stored, monkeypatch):
    path = tmp_path / "s.sqlite"
    with cluster(**{"distributed.scheduler.allowed-failures": 0}) as client:
        pids = list(client.run(os.getpid).values())
        with (
            after(3, lambda: [kill(pid) for pid in pids], monkeypatch),
            pytest.raises(SamplingError, match=LOST.format("KilledWorker")),
        ):
            run(executor=client.get_executor(), workers=2, store=path)
    same(run(store=path), expected)
    assert len(stored) == len(set(stored))

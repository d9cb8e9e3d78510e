"""What a run starts and takes ends with it: processes, memory, the number of BLAS threads."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Event
from weakref import WeakSet

import numpy as np
import pytest
from scaling.runs import DATA, PROGRAMS, WIDTHS, process, run
from threadpoolctl import threadpool_info, threadpool_limits

from tensorprog.readings import Joint
from tensorprog.scaling import jobs
from tensorprog.scaling.jobs import Block, Job, Task, run_blocks

ONE_SAMPLE = 0  # target of a job
LONG = 200.0  # seconds after which something hangs, on a machine however busy


def task():
    return Task((Joint.of(PROGRAMS[:1]),), DATA, 0, np.dtype(np.float64), 1, "exact")


# processes


@contextmanager
def running(path):
    """A run with two workers, which have begun as soon as `begin` is called."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    main = process(path, 2, 4, ONE_SAMPLE, "meet", start_new_session=True, **pipes)
    try:
        assert main.stdout.readline() == "ready\n"
        main.stdin.write("\n")
        main.stdin.flush()
        yield main
    finally:
        with suppress(ProcessLookupError):
            os.killpg(main.pid, signal.SIGKILL)
        main.communicate()


def wait_for(path):
    deadline = time.monotonic() + LONG
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_the_process_that_started_them(tmp_path, how):
    """Its pipes are closed when the last process that has them is gone."""
    with running(tmp_path / "s.sqlite") as main:
        wait_for(tmp_path / "s.sqlite")
        main.send_signal(how)
        main.communicate(timeout=LONG)
        assert main.returncode == -how


@pytest.fixture
def interrupts():
    """Processes that are started hear them, though who runs the tests may ignore them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
@pytest.mark.parametrize("event", ["begun", "submitted", "stored"])
def test_an_interrupt_from_the_terminal_is_told_once(tmp_path, event):
    """At once, while workers start, and while they work; how long each takes depends on what else the machine does."""
    with running(tmp_path / "s.sqlite") as main:
        if event == "stored":
            wait_for(tmp_path / "s.sqlite")
        else:
            while (line := main.stdout.readline()) != f"{event}\n":
                assert line, main.stderr.read()
        os.killpg(main.pid, signal.SIGINT)
        _, told = main.communicate(timeout=LONG)
    assert told.count("Traceback") == 1, told
    assert told.endswith("KeyboardInterrupt\n")


# BLAS threads


def test_jobs_that_end_in_any_order_leave_the_number_of_blas_threads(monkeypatch):
    """The first ends while the second, which began later, is under way."""
    compute, seen = Task.__call__, []
    second_began, first_ended = Event(), Event()

    def read(joint, data, width, samples, *_):
        if samples.start == 0:
            assert second_began.wait(10)
        else:
            second_began.set()
            assert first_ended.wait(10)
        seen.append(threads())
        return np.zeros((1, 1))

    def watched(self, job):
        if job.samples.start == 0:
            found = compute(self, job)
            first_ended.set()
            return found
        return compute(self, job)

    def threads():
        return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}

    monkeypatch.setattr(Task, "__call__", watched)
    monkeypatch.setitem(jobs.READINGS, "exact", read)
    monkeypatch.setattr(jobs, "TARGET", ONE_SAMPLE)
    with threadpool_limits(2), ThreadPoolExecutor(2) as pool:
        assert threads() == {2}
        run_blocks(task(), [Block(0, 8, 2)], 2, None, pool, False)
        assert threads() == {2}
    assert seen == [{1}, {1}]


def test_jobs_of_other_processes_limit_themselves(monkeypatch):
    seen = []
    monkeypatch.setitem(
        jobs.READINGS,
        "exact",
        lambda *_: seen.extend(each["num_threads"] for each in threadpool_info()) or np.zeros((1, 1)),
    )
    with threadpool_limits(2):
        task()(Job(0, 8, range(1)))
    assert set(seen) == {1}


def test_a_run_that_is_stopped_waits_for_threads_that_are_at_work(monkeypatch):
    begun, ended = Event(), []

    def slow(self, job):
        if job.samples.start:
            assert begun.wait(10)
            raise KeyboardInterrupt
        begun.set()
        time.sleep(0.3)
        ended.append(job)
        return np.zeros((1, len(job.samples))), 0.3

    monkeypatch.setattr(Task, "__call__", slow)
    monkeypatch.setattr(jobs, "TARGET", ONE_SAMPLE)
    with ThreadPoolExecutor(2) as pool:
        with pytest.raises(KeyboardInterrupt):
            run_blocks(task(), [Block(0, 8, 9)], 2, None, pool, False)
        assert len(ended) == 1


# memory


@pytest.fixture
def alive(monkeypatch):
    """Memories of jobs that are still there; `made` counts all that were."""

    class Watched(jobs.Memory):
        def __init__(self):
            super().__init__()
            if self not in found:
                found.add(self)
                found.made += 1

    class Found(WeakSet):
        made = 0

    found = Found()
    jobs._held.forget()
    monkeypatch.setattr(jobs, "Memory", Watched)
    yield found
    jobs._held.forget()


def remaining(alive):
    gc.collect()
    return len(alive)


def test_nothing_is_held_after_a_run_and_one_memory_a_block_during_it(alive):
    run()
    assert alive.made == 2 * len(WIDTHS)
    assert remaining(alive) == 0


def test_nothing_is_held_after_a_run_that_was_stopped(alive, monkeypatch):
    compute, done = Task.__call__, []

    def interrupted(self, job):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(job)
        return compute(self, job)

    monkeypatch.setattr(Task, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert alive.made
    assert remaining(alive) == 0


def test_idle_threads_of_a_user_s_pool_hold_nothing(alive):
    with ThreadPoolExecutor(2) as pool:
        run(executor=pool, workers=2)
        assert alive.made
        assert remaining(alive) == 0


def test_what_a_process_of_the_user_s_holds_is_of_one_run(alive):
    one, other = task(), task()
    for sent in (one, pickle.loads(pickle.dumps(one))):
        sent(Job(0, 8, range(2)))
        assert alive.made == remaining(alive) == 1
    one(Job(0, 16, range(2)))
    assert (alive.made, remaining(alive)) == (2, 1)
    other(Job(0, 16, range(2)))
    assert (alive.made, remaining(alive)) == (3, 1)

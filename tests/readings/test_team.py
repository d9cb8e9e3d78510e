"""Threads that share numbered tasks."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from tensorprog.readings.team import Team


@pytest.mark.parametrize("size", [1, 2, 5])
def test_results_are_in_order_and_each_task_is_done_once(size):
    done = []

    def task(i):
        done.append(i)
        return i * i

    with Team(size) as team:
        assert team.each(40, task) == [i * i for i in range(40)]
        assert team.each(0, task) == []
    assert sorted(done) == list(range(40))


@pytest.mark.parametrize("size", [1, 3])
def test_an_error_stops_all(size):
    done = []

    def task(i):
        if i == 3:
            raise KeyboardInterrupt
        done.append(i)
        return i

    with Team(size) as team, pytest.raises(KeyboardInterrupt):
        team.each(10**6, task)
    assert len(done) < 10**5


def test_threads_work_at_the_same_time():
    barrier = threading.Barrier(2, timeout=10)
    with Team(2) as team:
        team.each(2, lambda _: barrier.wait())


def test_tasks_keep_the_settings_of_the_caller():
    with np.errstate(over="raise"), Team(2) as team:
        states = team.each(8, lambda _: np.geterr()["over"])
    assert set(states) == {"raise"}

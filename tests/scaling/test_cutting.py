"""A run is cut into jobs of less than a second, from the first one on, and not into more than that takes."""

from __future__ import annotations

import itertools
from collections import deque

import numpy as np
import pytest
from scaling.runs import DATA, PROGRAMS

import tensorprog as tp
from tensorprog.readings import Joint
from tensorprog.scaling import jobs, measure
from tensorprog.scaling.jobs import Block, Job, Task

WIDTH = 8
PLAIN, NORMS = 0, 1
TASK = Task((Joint.of(PROGRAMS[:3]), Joint.of(PROGRAMS[3:])), DATA, 0, np.dtype(np.float64), 1)


def cutter(group, count, speeds=None):
    return jobs._Cutter(TASK, [(Block(group, WIDTH, count), range(count))], speeds or {})


def times(cut, seconds, under_way=4, each=0.0):
    """Seconds that every job takes when a sample takes so many, and `each` job some more."""
    submitted, found = deque(), []
    while True:
        while len(submitted) < under_way and (job := cut.next()) is not None:
            submitted.append(job)
        if not submitted:
            return found
        job = submitted.popleft()
        found.append(each + seconds * len(job.samples))
        cut.learn(job, found[-1])


@pytest.mark.parametrize("under_way", [1, 4, 32])
@pytest.mark.parametrize("group", [PLAIN, NORMS])
@pytest.mark.parametrize("error", [0.1, 1, 30, 400])
def test_jobs_take_less_than_a_second_however_wrong_the_expected_time(error, group, under_way):
    seconds = error * TASK.expected(group, WIDTH)
    total = 300.0
    found = times(cutter(group, int(total / seconds)), seconds, under_way, each=1e-3)
    assert max(found) < 1
    assert len(found) < total / 0.3 + 14 * under_way
    assert sum(found) > 0.99 * total


@pytest.mark.parametrize(("group", "few"), [(PLAIN, 8), (NORMS, 6)])
def test_jobs_are_small_until_one_is_finished_and_then_grow(group, few):
    cut = cutter(group, 10**6)
    first = [cut.next() for _ in range(50)]
    assert {len(job.samples) for job in first} == {few}
    cut.learn(first[0], 1e-9)
    assert len(cut.next().samples) == 4 * few
    cut.learn(first[1], 1e-9)
    assert len(cut.next().samples) == 4 * few


def test_large_samples_go_one_by_one():
    cut = jobs._Cutter(TASK, [(Block(PLAIN, 2**16, 9), range(9))], {})
    assert cut.next() == Job(PLAIN, 2**16, range(1))


def test_a_speed_that_is_known_is_taken():
    cut = cutter(PLAIN, 10**6, {(PLAIN, WIDTH): 1e-3})
    assert len(cut.next().samples) == int(jobs.TARGET / 1e-3)


def test_the_first_jobs_of_a_run_of_many_cheap_samples(monkeypatch):
    compute, sizes = Task.__call__, []

    def watched(self, job):
        if len(sizes) == 4:
            raise KeyboardInterrupt
        sizes.append(len(job.samples))
        return compute(self, job)

    monkeypatch.setattr(Task, "__call__", watched)
    program = tp.correlation(tp.trace(tp.architectures.mlp, inputs=1), 2, 0)
    with pytest.raises(KeyboardInterrupt):
        measure([program], DATA[:1], (4, 8), [60_000])
    assert sizes[0] <= 6
    assert all(after <= 4 * before for before, after in itertools.pairwise(sizes))

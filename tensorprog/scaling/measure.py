"""Monte Carlo over widths: all correlations on the same weights, in one process or several.

Work is cut into jobs of consecutive samples. Every sample has streams of its own, so the numbers do not depend on the
cut, on the number of workers, or on the order in which jobs finish.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from tensorprog.errors import SamplingError
from tensorprog.program import Program
from tensorprog.readings import (
    BAR,
    READINGS,
    Joint,
    as_norms,
    check_data,
    check_memory,
    check_request,
    check_width,
    reading_of,
)
from tensorprog.readings.costs import seconds
from tensorprog.readings.exact import batch_size

JOBS_A_WIDTH = 16
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Job:
    """Samples of one group of programs at one width."""

    group: int
    width: int
    samples: range


@dataclass(frozen=True)
class Task:
    """What every job of a run shares; sent to each worker once."""

    joints: tuple[Joint, ...]
    data: Array
    seed: int
    dtype: np.dtype[np.floating]
    threads: int
    method: str = "auto"

    def reading(self, job: Job) -> str:
        """The reading that computes a job."""
        return reading_of(self.joints[job.group].program, job.width, self.data.shape[-1], self.method)

    def __call__(self, job: Job) -> Array:
        """(programs of the group, samples of the job)."""
        try:
            with threadpool_limits(self.threads), np.errstate(all="ignore"):
                read, joint = READINGS[self.reading(job)], self.joints[job.group]
                values = read(joint, self.data, job.width, job.samples, self.seed, self.dtype, self.threads)
        except np.linalg.LinAlgError:
            values = np.array(np.nan)
        if not np.isfinite(values).all():
            raise SamplingError(
                f"samples at width {job.width} are not finite: numbers overflow; use smaller inputs or weight_std"
            )
        return np.asarray(values, dtype=np.float64)


def check_widths(widths: Sequence[int], programs: Sequence[Program]) -> tuple[int, ...]:
    """At least two increasing positive integers at which every program has integer widths, or SamplingError."""
    found = tuple(widths)
    for program in programs:
        for width in found:
            check_width(program, width)
    if len(found) < 2 or any(a >= b for a, b in itertools.pairwise(found)):
        raise SamplingError(f"widths {list(found)} must be at least two increasing positive integers")
    return tuple(int(width) for width in found)


def check_counts(counts: Sequence[int]) -> None:
    """Sample counts of at least 2, or SamplingError."""
    for count in counts:
        check_request(count, 0, "dense", np.float64)
        if count < 2:
            raise SamplingError(f"samples={count} must be at least 2, quantiles need a spread")


def threads_of(workers: int) -> int:
    """BLAS threads of each of so many processes: the cores shared out, at least one."""
    return max(1, (os.cpu_count() or 1) // workers)


def measure(
    programs: Sequence[Program],
    data: ArrayLike,
    widths: Sequence[int],
    samples: Sequence[int],
    seed: int = 0,
    *,
    workers: int = 1,
    progress: bool = False,
    method: str = "auto",
    memory: int | None = None,
) -> list[list[Array]]:
    """Samples of the norm of every program at every width.

    Parameters
    ----------
    programs: correlations of one architecture. samples: how many of each; programs with equal counts share work.
    data, widths, seed: as in `tp.sample`.
    workers: processes; 1 stays in this one. progress: a bar on the terminal after two seconds.
    method: as in `tp.sample`. memory: bytes that all processes together may use, by default half of what is free.

    Returns one list a program, with an array (samples,) of ‖C‖ a width.

    Raises SamplingError before any work when a width does not fit the memory.
    """
    kept = check_widths(widths, programs)
    check_counts(samples)
    dtype = check_request(2, seed, method, np.float64)
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise SamplingError(f"workers={workers!r} must be a positive integer")
    counts = sorted(set(samples))
    groups = [[i for i, count in enumerate(samples) if count == wanted] for wanted in counts]
    joints = tuple(Joint.of([programs[i] for i in group]) for group in groups)
    array = check_data(max((joint.program for joint in joints), key=lambda p: p.inputs), data)
    task = Task(joints, array, seed, dtype, threads_of(workers), method)
    for joint in joints:
        check_memory(joint.program, kept, array.shape[-1], method, memory, workers)
    jobs = [
        Job(group, width, part)
        for width in reversed(kept)
        for group, count in enumerate(counts)
        for part in _cut(count, workers)
    ]
    done = _run(task, jobs, workers, progress)
    results: list[list[Array]] = [[] for _ in programs]
    for width in kept:
        for group, members in enumerate(groups):
            blocks = [done[job] for job in jobs if (job.group, job.width) == (group, width)]
            rows = np.concatenate(blocks, axis=1)
            for row, i in zip(rows, members, strict=True):
                results[i].append(np.abs(as_norms(programs[i], row)))
    return results


def _cut(count: int, workers: int) -> Iterator[range]:
    size = count if workers == 1 and count < JOBS_A_WIDTH else max(1, -(-count // JOBS_A_WIDTH))
    for first in range(0, count, size):
        yield range(first, min(first + size, count))


def _run(task: Task, jobs: Sequence[Job], workers: int, progress: bool) -> dict[Job, Array]:
    total = sum(_cost(task, job) for job in jobs)
    hidden = None if progress else True  # None: hidden unless on a terminal
    with tqdm(total=total, desc="sampling", delay=2, disable=hidden, bar_format=BAR) as bar:
        return _collect(task, jobs, workers, lambda job: bar.update(_cost(task, job)))


def _collect(task: Task, jobs: Sequence[Job], workers: int, finished: Callable[[Job], object]) -> dict[Job, Array]:
    done: dict[Job, Array] = {}
    if workers == 1:
        for job in jobs:
            done[job] = task(job)
            finished(job)
        return done
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_install, initargs=(task,)) as pool:
        futures = {pool.submit(_call, job): job for job in jobs}
        try:
            for future in as_completed(futures):
                done[futures[future]] = future.result()
                finished(futures[future])
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return done


def _cost(task: Task, job: Job) -> float:
    """Seconds of a job's products, about."""
    program, d0 = task.joints[job.group].program, task.data.shape[-1]
    return len(job.samples) * seconds(program, job.width, d0, batch_size(job.width))[task.reading(job)]


_installed: list[Task] = []


def _install(task: Task) -> None:
    _installed[:] = [task]


def _call(job: Job) -> Array:
    return _installed[0](job)

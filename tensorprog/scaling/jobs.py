"""Cutting a run into jobs of less than a second, here or in other processes, and keeping what is finished."""

from __future__ import annotations

import itertools
import sys
import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from threading import local
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from tensorprog.errors import SamplingError
from tensorprog.readings import BAR, READINGS, Joint, reading_of
from tensorprog.readings.auto import expected
from tensorprog.readings.exact import Memory, Request, batch_size
from tensorprog.readings.team import MANY
from tensorprog.scaling.store import Key, Store, key_of
from tensorprog.scaling.workers import Submit, submitting

Array = NDArray[np.float64]
Place = tuple[int, int]
"""(group of programs, width)."""
TARGET = 0.4  # seconds a job should take, so that at most a second's work is lost
FIRST, FIRST_NORMS = 8, 6  # samples of a job while its speed is not known, and where spectral norms are iterated
GROWTH = 4  # of a job over the largest that was finished at this width
QUEUED = 2  # jobs under way for each worker


@dataclass(frozen=True)
class Block:
    """The samples 0 … count - 1 of one group of programs at one width."""

    group: int
    width: int
    count: int


@dataclass(frozen=True)
class Job:
    """Some consecutive samples of a block."""

    group: int
    width: int
    samples: range


class _Held:
    """The memory of each thread's last job, for its next one of the same run at the same width."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Drop that of all threads."""
        self._of_thread = local()

    def memory(self, run: str, group: int, width: int) -> Memory:
        mine, key = self._of_thread, (run, group, width)
        if getattr(mine, "key", None) != key:
            mine.key, mine.memory = key, Memory()
        memory: Memory = mine.memory
        return memory


_held = _Held()
_here: set[str] = set()


@dataclass(frozen=True)
class Task:
    """What every job of a run shares; sent to each worker once."""

    joints: tuple[Joint, ...]
    data: Array
    seed: int
    dtype: np.dtype[np.floating]
    threads: int
    method: str = "auto"
    most: Mapping[tuple[int, int], int] = field(default_factory=dict)
    """(group, width) -> samples to hold at once."""
    run: str = field(default_factory=lambda: uuid4().hex)

    def reading(self, group: int, width: int) -> str:
        """The reading that computes a block."""
        return reading_of(self.joints[group], width, self.data.shape[-1], self.method)

    def expected(self, group: int, width: int) -> float:
        """Seconds that a sample takes, about."""
        return expected(self.joints[group], width, self.data.shape[-1], self.method)

    def key(self, group: int, width: int) -> Key:
        """What its samples are kept under."""
        return key_of(self.joints[group], self.data, self.seed, self.dtype, self.reading(group, width), width)

    def __call__(self, job: Job) -> tuple[Array, float]:
        """(programs of the group, samples of the job), and the seconds it took."""
        start = time.perf_counter()
        try:
            limits = nullcontext() if self.run in _here else threadpool_limits(self.threads)
            with limits, np.errstate(all="ignore"):
                read, joint = READINGS[self.reading(job.group, job.width)], self.joints[job.group]
                memory, most = _held.memory(self.run, job.group, job.width), self.most.get((job.group, job.width), MANY)
                request = Request(self.seed, self.dtype, self.threads, memory, most)
                values = read(joint, self.data, job.width, job.samples, request)
        except np.linalg.LinAlgError:
            values = np.array(np.nan)
        if not np.isfinite(values).all():
            raise SamplingError(
                f"samples at width {job.width} are not finite: numbers overflow; use smaller inputs or weight_std"
            )
        return np.asarray(values, dtype=np.float64), time.perf_counter() - start


def run_blocks(
    task: Task,
    blocks: Sequence[Block],
    workers: int,
    store: Store | None,
    executor: Executor | None,
    progress: bool,
    speeds: dict[Place, float] | None = None,
) -> dict[Place, Array]:
    """(group, width) -> values (programs, count); what the store has is not computed again.

    speeds: seconds that a sample takes, of blocks where that is known; gets them of all of which something is computed.
    """
    found: dict[Place, Array] = {}
    keys: dict[Place, Key] = {}
    missing: list[tuple[Block, range]] = []
    for block in blocks:
        key, joint = (block.group, block.width), task.joints[block.group]
        found[key] = np.full((len(joint.programs), block.count), np.nan)
        known: dict[int, Array] = {}
        if store is not None:
            keys[key] = task.key(*key)
            known = store.known(keys[key], len(joint.programs))
        for sample in sorted(known):
            if sample < block.count:
                found[key][:, sample] = known[sample]
        missing += [(block, part) for part in _runs([i for i in range(block.count) if i not in known])]

    def finish(job: Job, values: Array) -> None:
        key = job.group, job.width
        found[key][:, job.samples.start : job.samples.stop] = values
        if store is not None:
            store.add(keys[key], job.samples, values)

    total = sum(len(part) * task.expected(block.group, block.width) for block, part in missing)
    hidden = None if progress else True  # None: hidden unless on a terminal
    cutter = _Cutter(task, missing, speeds or {})
    try:
        with (
            _limited(task),
            tqdm(total=total, desc="sampling", delay=2, disable=hidden, bar_format=BAR) as bar,
            submitting(task, workers, executor) as submit,
            closing(_carried_out(cutter, submit, QUEUED * workers)) as finished,
        ):
            for job, values in finished:
                finish(job, values)
                bar.update(len(job.samples) * task.expected(job.group, job.width))
    finally:
        _held.forget()
    if speeds is not None:
        speeds.update(cutter.speeds())
    return found


@contextmanager
def _limited(task: Task) -> Iterator[None]:
    """Set the BLAS threads of the jobs that this process does, of all together: jobs of threads end in any order."""
    with threadpool_limits(task.threads):
        _here.add(task.run)
        try:
            yield
        finally:
            _here.discard(task.run)


def stored(task: Task, group: int, width: int, store: Store) -> int:
    """How many samples of a block the store has without a gap, from the first on."""
    known = store.known(task.key(group, width), len(task.joints[group].programs))
    return next(i for i in itertools.count() if i not in known)


def _runs(samples: Sequence[int]) -> Iterator[range]:
    """Maximal runs of consecutive indices."""
    for _, members in itertools.groupby(enumerate(samples), lambda pair: pair[1] - pair[0]):
        indices = [sample for _, sample in members]
        yield range(indices[0], indices[-1] + 1)


class _Cutter:
    """Takes jobs off the missing samples, as many samples each as the measured speed makes take `TARGET` seconds.

    Where no speed is known, the first jobs are small: what a sample is expected to take leaves out much of it.
    """

    def __init__(self, task: Task, missing: Sequence[tuple[Block, range]], speeds: Mapping[Place, float]) -> None:
        self._task, self._left = task, deque(missing)
        self._rate = dict(speeds)
        self._most = dict.fromkeys(speeds, sys.maxsize)
        self._took: dict[Place, float] = {}
        self._samples: dict[Place, int] = {}

    def next(self) -> Job | None:
        if not self._left:
            return None
        block, part = self._left.popleft()
        cut = part.start + min(len(part), self._size((block.group, block.width)))
        if cut < part.stop:
            self._left.appendleft((block, range(cut, part.stop)))
        return Job(block.group, block.width, range(part.start, cut))

    def _size(self, key: Place) -> int:
        group, width = key
        first = FIRST_NORMS if any(program.slots for program in self._task.joints[group].programs) else FIRST
        most = self._most.get(key, min(first, batch_size(width)))
        rate = self._rate.get(key, 4 * self._task.expected(group, width))
        return max(1, min(most, int(TARGET / max(rate, 1e-9))))

    def learn(self, job: Job, took: float) -> None:
        key, count = (job.group, job.width), len(job.samples)
        self._rate[key] = took / count
        self._most[key] = max(self._most.get(key, 0), GROWTH * count)
        self._took[key] = self._took.get(key, 0.0) + took
        self._samples[key] = self._samples.get(key, 0) + count

    def speeds(self) -> dict[Place, float]:
        """Seconds a sample, over all jobs."""
        return {key: took / self._samples[key] for key, took in self._took.items()}


def _carried_out(
    cutter: _Cutter, submit: Submit[Job, tuple[Array, float]], most: int
) -> Generator[tuple[Job, Array], None, None]:
    """Jobs as they finish, a few under way at a time; those that finished come before one that failed."""
    under_way: dict[Future[tuple[Array, float]], Job] = {}
    while True:
        while len(under_way) < most and (job := cutter.next()) is not None:
            future = submit(job)
            under_way[future] = job
            if future.done():
                break
        if not under_way:
            return
        for future in sorted(wait(under_way, return_when=FIRST_COMPLETED).done, key=_failed):
            job = under_way.pop(future)
            values, took = future.result()
            cutter.learn(job, took)
            yield job, values


def _failed(future: Future[tuple[Array, float]]) -> bool:
    return future.cancelled() or future.exception() is not None

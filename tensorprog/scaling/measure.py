"""Monte Carlo over widths: all correlations on the same weights, in one process or several.

Every sample has streams of its own, so the numbers do not depend on how the work is cut, on the number of workers, or
on the order in which jobs finish.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from numbers import Real
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tensorprog.errors import SamplingError
from tensorprog.program import Program
from tensorprog.readings import Joint, as_norms, check_data, check_memory, check_request, check_results, check_width
from tensorprog.scaling.jobs import Block, Task, run_blocks
from tensorprog.scaling.planning import plan
from tensorprog.scaling.store import Store

Array = NDArray[np.float64]
MOST_WORKERS = 8
MOST_WIDTHS = 256


def check_widths(widths: Sequence[int], programs: Sequence[Program]) -> tuple[int, ...]:
    """At least two increasing positive integers at which every program has integer widths, or SamplingError."""
    if isinstance(widths, str) or not hasattr(widths, "__iter__"):
        raise SamplingError(f"widths={widths!r} must be a list of at least two increasing positive integers")
    found = tuple(itertools.islice(widths, MOST_WIDTHS + 1))
    if len(found) > MOST_WIDTHS:
        given = len(widths) if hasattr(widths, "__len__") else "too many"
        raise SamplingError(f"{given} widths are given, at most {MOST_WIDTHS} are taken; a slope needs few")
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


def check_workers(workers: int, executor: Executor | None = None) -> None:
    """A number of processes, or of jobs at once, that makes sense, or SamplingError."""
    most = MOST_WORKERS * (os.cpu_count() or 1) if executor is None else math.inf
    if isinstance(workers, bool) or not isinstance(workers, int) or not 1 <= workers <= most:
        wanted = (
            f"an integer from 1 to {most}, {MOST_WORKERS} for each core" if executor is None else "a positive integer"
        )
        raise SamplingError(f"workers={workers!r} must be {wanted}")


def threads_of(workers: int) -> int:
    """BLAS threads of each of so many processes: the cores shared out, at least one."""
    return max(1, (os.cpu_count() or 1) // workers)


def measure(
    programs: Sequence[Program],
    data: ArrayLike,
    widths: Sequence[int],
    samples: Sequence[int] | None = None,
    seed: int = 0,
    *,
    minutes: float | None = None,
    workers: int = 1,
    progress: bool = False,
    method: str = "auto",
    memory: int | None = None,
    store: str | Path | None = None,
    executor: Executor | None = None,
    identity: str | None = None,
    together: bool = False,
) -> list[list[Array]]:
    """Samples of the norm of every program at every width.

    Parameters
    ----------
    programs: correlations of one architecture. samples: how many of each; programs with equal counts share work.
    minutes: instead of `samples`, about how long to sample: each width gets the number that narrows the intervals most
        (`allotment`), decided from pilot samples, and kept in the store before the run.
    data, widths, seed: as in `tp.sample`.
    workers: processes; 1 stays in this one. progress: a bar on the terminal after two seconds.
    method: as in `tp.sample`. memory: bytes that samples of all processes together may use, by default
        half of what is free; batches shrink to it.
    store: a file that keeps finished samples, see `store`; those that it has already are not computed again.
    executor: any `concurrent.futures.Executor` to use instead of processes of this machine; `workers` then says how
        many jobs it can run at once, and each may use half of the memory that is free here unless `memory` is given.
    identity: digest of the architecture; a store that keeps samples of another one is refused.
    together: of equal counts, the joint law as well, as in `tp.sample`.

    Returns one list a program, with an array (samples,) of ‖C‖ a width.

    Raises SamplingError before any work when a width does not fit the memory.
    """
    if samples is None:
        _checked_minutes(minutes)
    kept = check_widths(widths, programs)
    task, groups = prepared(programs, data, kept, samples, seed, workers, method, memory, executor, together)

    def sizes(group: int, done: Mapping[tuple[int, int], Array]) -> list[list[Array]]:
        members = enumerate(groups[group])
        return [[np.abs(as_norms(programs[i], done[group, width][row])) for width in kept] for row, i in members]

    speeds: dict[tuple[int, int], float] = {}
    with nullcontext() if store is None else Store(store, identity) as opened:
        if samples is None:
            counts, speeds = plan(task, kept, _checked_minutes(minutes), sizes, workers, opened, executor, progress)
        else:
            counts = {
                (group, width): int(samples[members[0]]) for group, members in enumerate(groups) for width in kept
            }
        blocks = [Block(group, width, count) for (group, width), count in reversed(counts.items())]
        done = run_blocks(task, blocks, workers, opened, executor, progress, speeds)
    results = {
        i: found for group in range(len(groups)) for i, found in zip(groups[group], sizes(group, done), strict=True)
    }
    return [results[i] for i in range(len(programs))]


def positive(name: str, value: object, remedy: str = "") -> float:
    """A positive number, or SamplingError, which ends in a remedy."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real) or not 0 < float(value) < math.inf:
        raise SamplingError(f"{name}={value!r} must be a positive number{remedy}")
    return float(value)


def _checked_minutes(minutes: float | None) -> float:
    return positive("minutes", minutes, ", unless samples are given")


def prepared(
    programs: Sequence[Program],
    data: ArrayLike,
    widths: Sequence[int],
    samples: Sequence[int] | None,
    seed: int,
    workers: int,
    method: str,
    memory: int | None,
    executor: Executor | None,
    together: bool = False,
) -> tuple[Task, list[list[int]]]:
    """The task of a run, and which of the programs share work; parameters and errors as those of `measure`."""
    if samples is not None:
        check_counts(samples)
    dtype = check_request(2, seed, method, np.float64)
    check_workers(workers, executor)
    costs = [bool(program.slots) for program in programs] if samples is None else list(samples)
    groups = [[i for i, cost in enumerate(costs) if cost == kind] for kind in sorted(set(costs))]
    joints = tuple(Joint.of([programs[i] for i in group], together) for group in groups)
    array, *_ = [check_data(program, data) for program in programs]
    budget = check_results([] if samples is None else list(samples) * len(widths), memory)
    sharing = 1 if executor is not None and memory is None else workers
    threads, d0 = threads_of(workers), array.shape[-1]
    most: dict[tuple[int, int], int] = {}
    for group, joint in enumerate(joints):
        known = {} if samples is None else dict.fromkeys(widths, int(samples[groups[group][0]]))
        held = check_memory(joint, widths, d0, method, budget, sharing, known, threads)
        most |= {(group, width): count for width, count in held.items()}
    return Task(joints, array, seed, dtype, threads, method, most), groups

"""From a time to a number of samples at each width: pilot samples, then a plan, which is kept before the run."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor

from tensorprog.scaling.allotment import PILOT, Key, allot, information
from tensorprog.scaling.jobs import Block, Task, run_blocks, stored
from tensorprog.scaling.quantiles import Array
from tensorprog.scaling.store import Store, key_of

LOOK = 1.5  # seconds of pilot samples at each width, where they are cheap
MOST_PILOTS = 2000
Sizes = Callable[[int, Mapping[Key, Array]], list[list[Array]]]
"""From what was sampled, the sizes ‖C‖ of each correlation of a group: one array a width."""


def plan(
    task: Task,
    widths: Sequence[int],
    minutes: float,
    sizes: Sizes,
    workers: int,
    store: Store | None,
    executor: Executor | None,
    progress: bool,
) -> tuple[dict[Key, int], dict[Key, float]]:
    """Samples for every group of the task and every width, so that sampling takes about so many minutes.

    With them come the seconds that a sample takes, where pilot samples were timed.

    A plan that the store keeps for this request is taken as it is: a run that was stopped goes on with it.
    """
    keys = [(group, width) for group in range(len(task.joints)) for width in widths]
    request = _request(task, widths, minutes)
    if store is not None and (kept := store.plan(request, len(keys))) is not None:
        return dict(zip(keys, kept, strict=True)), {}
    start = time.perf_counter()
    speeds: dict[Key, float] = {}
    pilots = dict.fromkeys(keys, PILOT)
    rounds = 0
    while rounds < 2 or len(speeds) < len(keys):
        rounds += 1
        blocks = [Block(group, width, pilots[group, width]) for group, width in reversed(keys)]
        found = run_blocks(task, blocks, workers, store, executor, progress, speeds)
        for key in keys:
            if key not in speeds and store is not None:  # all of them were in it: how long one takes is not known yet
                pilots[key] = stored(task, *key, store) + 2
            elif rounds == 1:
                pilots[key] = max(PILOT, min(MOST_PILOTS, int(LOOK / speeds[key])))
    pilots = {key: values.shape[1] for key, values in found.items()}
    informed = {
        group: [matrix for each in sizes(group, found) if (matrix := information(widths, each)) is not None]
        for group in range(len(task.joints))
    }
    budget = (60 * minutes - (time.perf_counter() - start)) * workers
    counts = allot(widths, informed, speeds, pilots, budget)
    if store is not None:
        store.keep_plan(request, [counts[key] for key in keys])
        kept = store.plan(request, len(keys))  # of another run, when that was faster
        counts = dict(zip(keys, kept, strict=True)) if kept else counts
    return counts, speeds


def _request(task: Task, widths: Sequence[int], minutes: float) -> str:
    """What a plan is kept under."""
    keys = [key_of(joint, task.data, task.seed, task.dtype, task.method, 0) for joint in task.joints]
    return hashlib.sha256(repr((keys, tuple(widths), float(minutes))).encode()).hexdigest()

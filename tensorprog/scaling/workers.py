"""Where jobs are done: in this process, in processes of its own, or by an executor of the user's.

Processes of its own end with the run, whatever ends it: each waits for the end of a pipe whose other end only this
process holds. A Ctrl-C on the terminal is for this process alone, which ends them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for
from threading import Thread, current_thread, main_thread
from typing import Any, TypeVar

from tensorprog.errors import SamplingError, TensorProgramError

Job = TypeVar("Job")
Result = TypeVar("Result")
Work = Callable[[Job], Result]
Submit = Callable[[Job], "Future[Result]"]


@contextmanager
def submitting(work: Work[Job, Result], workers: int, executor: Executor | None) -> Iterator[Submit[Job, Result]]:
    """What takes a job and gives its future; jobs that have not begun when the context is left are dropped.

    Those that have begun are dropped too, in processes of its own, and waited for in threads of this process.
    """
    if executor is not None:
        with _lent(work, executor) as submit:
            yield submit
    elif workers == 1:
        yield lambda job: _at_once(work, job)
    else:
        with _started(work, workers) as submit:
            yield submit


def _at_once(work: Work[Job, Result], job: Job) -> Future[Result]:
    future: Future[Result] = Future()
    future.set_result(work(job))
    return future


@contextmanager
def _lent(work: Work[Job, Result], executor: Executor) -> Iterator[Submit[Job, Result]]:
    under_way: set[Future[Result]] = set()

    def submit(job: Job) -> Future[Result]:
        future = executor.submit(_elsewhere, work, job)
        under_way.add(future)
        future.add_done_callback(under_way.discard)
        return future

    try:
        yield submit
    except TensorProgramError:
        raise
    except Exception as error:
        raise SamplingError(
            f"the executor could not finish a job ({type(error).__name__}: {error}); see to its workers and their "
            "memory, then the same call goes on from what is stored"
        ) from error
    finally:
        begun = [future for future in list(under_way) if not future.cancel()]
        if isinstance(executor, ThreadPoolExecutor):
            wait(begun)


def _elsewhere(work: Work[Job, Result], job: Job) -> Result:
    return work(job)


@contextmanager
def _started(work: Work[Job, Result], workers: int) -> Iterator[Submit[Job, Result]]:
    context = get_context("spawn")
    theirs, ours = context.Pipe(duplex=False)
    with theirs, ours, ProcessPoolExecutor(workers, context, _install, (work, theirs)) as pool:

        def submit(job: Job) -> Future[Result]:
            with _without_interrupts():
                return pool.submit(_call, job)

        try:
            yield submit
        except BrokenProcessPool:
            ours.close()
            raise SamplingError(
                "a worker process died, for lack of memory, or because a script calls this outside of "
                "`if __name__ == '__main__':`, which processes that are started anew need; use workers=1 there; "
                "the same call goes on from what is stored"
            ) from None
        except BaseException:
            ours.close()
            raise


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """A Ctrl-C comes afterwards, whichever thread of this process gets it; processes started here never get one."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    told: list[int] = []
    here = current_thread() is main_thread()
    handler = signal.signal(signal.SIGINT, lambda number, _: told.append(number)) if here else None
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if here:
            signal.signal(signal.SIGINT, signal.SIG_DFL if handler is None else handler)
        if told:
            signal.raise_signal(signal.SIGINT)


_installed: list[Callable[[Any], Any]] = []


def _install(work: Callable[[Any], Any], theirs: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with, args=(theirs,), daemon=True).start()
    _installed[:] = [work]


def _end_with(pipe: Connection) -> None:
    """End this process, in the middle of a job too, when the other end of a pipe is closed."""
    wait_for([pipe])
    os._exit(1)


def _call(job: Any) -> Any:
    return _installed[0](job)

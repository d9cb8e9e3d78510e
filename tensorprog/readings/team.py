"""Threads that share numbered tasks: numpy computes outside of the interpreter's lock."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache, wraps
from typing import ParamSpec, TypeVar

from threadpoolctl import ThreadpoolController

P = ParamSpec("P")
T = TypeVar("T")
MANY = 2**62  # a limit that limits nothing


def cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def blas() -> ThreadpoolController:
    """Sets the number of threads of numpy's own products; looking the libraries up takes milliseconds."""
    return ThreadpoolController()


def single(function: Callable[P, T]) -> Callable[P, T]:
    """The function with numpy's own products in one thread: small ones are several times slower in two."""

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> T:
        with blas().limit(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return called


class Team:
    """So many threads, that of the caller included; use it as a context. Tasks must not use the same team again."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._pool = ThreadPoolExecutor(size - 1) if size > 1 else None

    def __enter__(self) -> Team:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def each(self, count: int, task: Callable[[int], T]) -> list[T]:
        """task(0), …, task(count - 1): whoever is free takes the next one."""
        found: dict[int, T] = {}
        numbers = itertools.count()
        failed: list[BaseException] = []

        def work() -> None:
            try:
                while not failed and (i := next(numbers)) < count:
                    found[i] = task(i)
            except BaseException as error:
                failed.append(error)
                raise

        helpers = []
        if self._pool is not None:
            helpers = [self._pool.submit(copy_context().run, work) for _ in range(min(self.size, count) - 1)]
        work()
        for helper in helpers:
            helper.result()
        return [found[i] for i in range(count)]

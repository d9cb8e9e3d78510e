"""NTK and NNGP of a 5-layer erf MLP, 1000 x 1000 inputs, float64: against the arcsine recursion in plain numpy."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

import tensorprog as tp
from tensorprog.architectures import mlp

DEPTH, ROWS, D0 = 5, 1000, 64
ROUNDS = 12
Array = NDArray[np.float64]


def recursion(X: Array, X2: Array, which: str) -> Array:
    """K ← (2/π) asin(2K/√(AB)), A = 1 + 2K(x, x), B alike; Θ ← K + Θ·(4/π)/√(AB - 4K²). (Williams 1997)"""
    kernel = X @ X2.T / D0
    one, other = np.sum(X**2, axis=1) / D0, np.sum(X2**2, axis=1) / D0
    tangent = kernel
    for _ in range(DEPTH):
        product = np.outer(1 + 2 * one, 1 + 2 * other)
        slopes = 4 / np.pi / np.sqrt(product - 4 * kernel**2) if which == "ntk" else None
        kernel = 2 / np.pi * np.arcsin(2 * kernel / np.sqrt(product))
        one, other = (2 / np.pi * np.arcsin(2 * k / (1 + 2 * k)) for k in (one, other))
        tangent = kernel if slopes is None else kernel + tangent * slopes
    return tangent


def least(tasks: Sequence[Callable[[], object]]) -> Array:
    """Seconds by the clock and of processors, (tasks, 2): the least of some rounds, all tasks in turn in each."""
    found = np.full((len(tasks), 2), np.inf)
    for _ in range(ROUNDS):
        for best, task in zip(found, tasks, strict=True):
            start = time.perf_counter(), time.process_time()
            task()
            best[:] = np.minimum(best, [time.perf_counter() - start[0], time.process_time() - start[1]])
    return found


def run() -> None:
    program = tp.trace(mlp, inputs=1, depth=DEPTH)
    X, X2 = np.random.default_rng(0).standard_normal((2, ROWS, D0))
    print(f"milliseconds, the least of {ROUNDS} rounds; derivation: of the equations from the program, and one entry")
    print("kernel             tensorprog  derivation  plain numpy  whole / numpy")
    for which in ("ntk", "nngp"):
        whole, one = (partial(tp.kernel, program, rows, columns, which) for rows, columns in ((X, X2), (X[:1], X2[:1])))
        plain = partial(recursion, X, X2, which)
        apart = np.abs(whole() - plain()).max()
        assert apart < 1e-12, f"the two kernels differ by {apart:.1g}"
        for kind, (a, b, c) in zip(("clock", "processors"), least([whole, one, plain]).T, strict=True):
            print(f"{which:<6}{kind:<11}{1e3 * a:12.1f}{1e3 * b:12.1f}{1e3 * c:13.1f}{a / c:15.2f}")
    print()

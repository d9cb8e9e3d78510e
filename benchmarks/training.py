"""Ten full-batch steps on eight inputs, erf MLP of depth 3, float64: exact against dense, and against a numpy loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from math import pi, sqrt
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

import tensorprog as tp
from benchmarks.readings import seconds
from tensorprog.architectures import mlp
from tensorprog.program import Program
from tensorprog.readings.team import blas

STEPS, TRAINED, RATE, D0 = 10, 8, 0.3, 10
DATA = np.random.default_rng(0).standard_normal((TRAINED + 1, D0))
TARGETS = np.array([1.0, -1.0] * (TRAINED // 2))
WIDTHS = (1024, 2048, 4096)
LARGE = 2**17

Array = NDArray[np.float64]


def trained() -> Program:
    """F(θ_10) at the one input that is not trained on."""
    program = tp.train(tp.trace(mlp, inputs=TRAINED + 1), TARGETS, steps=STEPS, learning_rate=RATE)
    return program.restricted([f"F{TRAINED}"])


def by_hand(n: int, seed: int = 0) -> float:
    """The same training with dense matrices: draw, forward, backward, W += update of rank 8."""
    draw = np.random.default_rng(seed).standard_normal
    u, w1, w2, v = draw((n, D0)) / sqrt(D0), draw((n, n)) / sqrt(n), draw((n, n)) / sqrt(n), draw(n) / sqrt(n)
    x = DATA[:TRAINED]

    def slope(z: Array) -> Array:
        return 2 / sqrt(pi) * np.exp(-z * z)

    for _ in range(STEPS):
        z1 = x @ u.T
        h1 = erf(z1)
        z2 = h1 @ w1.T
        h2 = erf(z2)
        z3 = h2 @ w2.T
        h3 = erf(z3)
        error = (h3 @ v - TARGETS) / TRAINED
        d3 = np.outer(error, v) * slope(z3)
        d2 = (d3 @ w2) * slope(z2)
        d1 = (d2 @ w1) * slope(z1)
        v -= RATE / n * (error @ h3)
        w2 -= (RATE / n * d3).T @ h2
        w1 -= (RATE / n * d2).T @ h1
        u -= (RATE / D0 * d1).T @ x
    return float(erf(w2 @ erf(w1 @ erf(u @ DATA[TRAINED]))) @ v)


def one_sample(width: int) -> tuple[float, float]:
    """Seconds of the first sample in a fresh process, and the peak memory of the process in GiB."""
    program = trained()
    start = time.perf_counter()
    tp.sample(program, DATA, width, 1, 0, "exact")
    return time.perf_counter() - start, peak()


def peak() -> float:
    """Most GiB this process has had in use, on Linux; what getrusage tells may be its parent's."""
    status = Path("/proc/self/status")
    return int(status.read_text().split("VmHWM:")[1].split()[0]) / 2**20 if status.exists() else float("nan")


def best(task: Callable[[], object]) -> float:
    """Seconds, with one thread in numpy's products or all of them: on a busy machine one is often faster."""
    with blas().limit(limits=1, user_api="blas"):
        alone = seconds(task)
    return min(alone, seconds(task))


def run() -> None:
    program = trained()
    print(f"{len(program.nodes)} nodes, built in {seconds(trained):.2f} s")
    print(f"{'n':>6} {'first':>8} {'exact':>8} {'dense':>8} {'by hand':>8}  dense/exact by hand/exact")
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        for width in WIDTHS:
            first = pool.submit(one_sample, width).result()[0]
            exact = best(partial(tp.sample, program, DATA, width, 1, 0, "exact"))
            dense = best(partial(tp.sample, program, DATA, width, 1, 0, "dense"))
            hand = best(partial(by_hand, width))
            times = " ".join(f"{t:7.2f}s" for t in (first, exact, dense, hand))
            print(f"{width:6d} {times}  {dense / exact:11.1f} {hand / exact:13.1f}")
        time_taken, memory = pool.submit(one_sample, LARGE).result()
    print(f"one sample at n = {LARGE} in a fresh process: {time_taken:.1f} s, peak memory {memory:.2f} GiB\n")

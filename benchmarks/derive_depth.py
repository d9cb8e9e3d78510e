"""The table of exponents of an MLP, D ≤ 2, d ≤ 4, D+d ≤ 5, five distinct inputs, against depth."""

from __future__ import annotations

import time

import numpy as np

import tensorprog as tp
from tensorprog.architectures import mlp

DEPTHS = (2, 4, 8, 16, 32, 64)
REPEATS = 3


def run() -> None:
    seconds = []
    for depth in DEPTHS:
        program = tp.trace(mlp, inputs=5, depth=depth)
        runs = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            tp.derive(program)
            runs.append(time.perf_counter() - start)
        seconds.append(float(np.median(runs)))
        print(f"depth {depth:3d}: {seconds[-1]:7.3f} s")
    large = np.array(DEPTHS) >= 8
    slope = np.polyfit(np.log(np.array(DEPTHS)[large]), np.log(np.array(seconds)[large]), 1)[0]
    print(f"time ~ depth^{slope:.2f} from depth 8 on; depth 64 / depth 16 = {seconds[-1] / seconds[3]:.2f}\n")

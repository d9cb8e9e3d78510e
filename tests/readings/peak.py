"""The peak memory of one call in this process, against what is counted; run in a process of its own."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
from cases import CASES

import tensorprog as tp
from tensorprog.readings.costs import memory
from tensorprog.readings.joint import Joint

CASE = CASES[0]


def program_of(kind):
    """A program and its data: "D,d" for a correlation, a matrix alone, or a network after five steps."""
    if kind == "matrix":
        return tp.trace(lambda x: tp.readout("v", tp.linear("W", tp.linear("U", x)))), np.ones((1, 4))
    if kind == "training":
        trained = tp.train(CASE.trace(6), [1.0, -1.0] * 3, steps=5, learning_rate=0.3)
        return trained.restricted(["F0"]), CASE.data(6)
    return tp.correlation(CASE.trace(3), *map(int, kind.split(","))), CASE.data(3)


def told(name):
    return int(re.search(rf"^{name}:\s*(\d+)", Path("/proc/self/status").read_text(), re.MULTILINE)[1]) * 1024


def main():
    """Arguments: kind, reading, width, samples. A small run first, so that what is imported late is there."""
    kind, method, width, samples = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    program, data = program_of(kind)
    tp.sample(program, data, 8, 1, 1, method)
    before = told("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    tp.sample(program, data, width, samples, 1, method)
    print(told("VmHWM") - before, memory(Joint.of([program]), width, data.shape[-1], method, samples))

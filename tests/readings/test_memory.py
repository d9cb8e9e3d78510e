"""Memory: what is held, what a budget counts against what a process really takes, and what is said when it is short."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from cases import CASES

import tensorprog as tp
from tensorprog.readings.exact import Memory, sample_exact
from tensorprog.readings.joint import Joint

CASE = CASES[0]
DATA = CASE.data(3)


def held_after(program, lengths):
    """Bytes that a memory keeps when batches of these lengths have used it one after the other."""
    memory, joint = Memory(), Joint.of([program])
    tracemalloc.start()
    for length in lengths:
        sample_exact(joint, DATA, 64, range(length), 1, np.dtype(np.float64), 1, memory)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return held


@pytest.mark.parametrize(("D", "d"), [(0, 2), (2, 1)])
def test_batches_of_other_lengths_leave_nothing_behind(D, d):
    program = tp.correlation(CASE.trace(3), D, d)
    held_after(program, [1])
    lengths = list(range(10, 41, 6))
    assert held_after(program, lengths) < 1.5 * held_after(program, lengths[-1:])

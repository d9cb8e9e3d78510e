"""Memory: what is held, what a budget counts against what a process really takes, and what is said when it is short."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from cases import CASES

import tensorprog as tp
from tensorprog.errors import SamplingError
from tensorprog.readings import check_memory, costs, reading_of
from tensorprog.readings.exact import Memory, Request, sample_exact
from tensorprog.readings.joint import Joint

CASE = CASES[0]
DATA = CASE.data(3)
C = tp.correlation(CASE.trace(3), 0, 1)
NORM = tp.correlation(CASE.trace(3), 2, 1)
JOINT = Joint.of([C])


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A folder with what the system tells, and nothing of a control group yet."""
    monkeypatch.setattr(costs, "SYSTEM", tmp_path / "meminfo")
    monkeypatch.setattr(costs, "CONTAINER", tmp_path)
    return tmp_path


@pytest.fixture
def available(system):
    """`available(bytes)` is what the system then has, in whole kB."""

    def tell(free):
        (system / "meminfo").write_text(f"MemTotal:  99 kB\nMemAvailable:  {free // 1024} kB\nCached: 5 kB\n")

    tell(8192)
    return tell


measured = pytest.mark.skipif(
    not os.access("/proc/self/clear_refs", os.W_OK), reason="needs /proc/self/clear_refs: only Linux tells a peak"
)


def traced(call):
    """What a call returns, bytes held afterwards, and at the peak."""
    tracemalloc.start()
    found = call()
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return found, held, peak


def taken_and_counted(kind, method, width, samples):
    """Bytes that `tp.sample` adds to a process of its own at the peak, and those that the model counts."""
    command = [sys.executable, "-c", "from readings.peak import main; main()", kind, method, str(width), str(samples)]
    places = os.pathsep.join([str(Path(__file__).parents[1]), str(Path(tp.__file__).parents[1])])
    done = subprocess.run(command, capture_output=True, check=True, env={**os.environ, "PYTHONPATH": places})
    taken, counted = map(int, done.stdout.split())
    return taken, counted


def honest(taken, counted):
    """Within a factor of 1.5, and at most 20 % too low; 2 MB are the allocator's and the interpreter's."""
    return counted / 1.5 - 2e6 < taken < 1.2 * counted + 2e6


LARGE = [
    ("matrix", "dense", 4000, 1),
    ("matrix", "dense", 4000, 6),
    ("0,2", "dense", 512, 40),
    ("0,2", "dense", 4096, 1),
    ("0,2", "exact", 64, 600),
    ("0,2", "exact", 4096, 8),
    ("1,1", "exact", 4096, 8),
    ("0,2", "exact", 2**18, 1),
    ("1,1", "exact", 2**18, 1),
    ("0,2", "exact", 2**20, 1),
    ("2,1", "exact", 256, 128),
    ("2,1", "exact", 8192, 2),
    ("2,1", "exact", 65536, 1),
    ("2,1", "dense", 1024, 2),
    ("training", "exact", 256, 128),
    ("training", "exact", 32768, 1),
]


@measured
@pytest.mark.parametrize(
    ("kind", "method", "width", "samples"),
    [("matrix", "dense", 2000, 6), ("0,2", "exact", 2**16, 1), ("2,1", "exact", 256, 32)]
    + [pytest.param(*row, marks=pytest.mark.long) for row in LARGE],
)
def test_what_is_counted_is_what_is_taken(kind, method, width, samples):
    taken, counted = taken_and_counted(kind, method, width, samples)
    assert honest(taken, counted), (taken, counted)


@pytest.mark.parametrize(("D", "d"), [(0, 2), (2, 1)])
def test_batches_of_other_lengths_leave_nothing_behind(D, d):
    joint = Joint.of([tp.correlation(CASE.trace(3), D, d)])

    def batches(lengths):
        memory = Memory()
        for length in lengths:
            sample_exact(joint, DATA, 32, range(length), Request(1, np.dtype(np.float64), 1, memory))
        return memory

    batches([1])
    lengths = list(range(10, 41, 10))
    assert traced(lambda: batches(lengths))[1] < 1.5 * traced(lambda: batches(lengths[-1:]))[1]


# -- a budget


@pytest.mark.parametrize(("program", "method", "width"), [(C, "dense", 300), (C, "exact", 64), (NORM, "exact", 16)])
def test_batches_shrink_to_the_budget_and_values_stay(program, method, width, available):
    available(10**12)
    whole, _, most = traced(lambda: tp.sample(program, DATA, width, 60, 1, method))
    budget = most // 5
    available(2 * budget)
    small, _, peak = traced(lambda: tp.sample(program, DATA, width, 60, 1, method))
    np.testing.assert_allclose(small, whole, rtol=1e-6 if program is NORM else 1e-12)
    assert peak < 1.2 * budget


@pytest.mark.parametrize("method", ["dense", "exact"])
def test_half_of_what_is_free_may_be_used(method, available):
    one = costs.memory(JOINT, 512, 3, method, 1)
    assert one > 8 * 512
    calls = [lambda: tp.sample(C, DATA, 512, 9, method=method), lambda: check_memory(JOINT, [64, 512], 3, method)]
    available(2 * one + 2048)
    for call in calls:
        call()
    available(2 * one - 1024)
    for call in calls:
        with pytest.raises(SamplingError, match="width 512 needs"):
            call()


def test_workers_share_a_budget():
    one = costs.memory(JOINT, 512, 3, "exact", 1)
    check_memory(JOINT, [64, 512], 3, "exact", 3 * one, workers=3)
    with pytest.raises(SamplingError, match=f"width 512 needs about {3 * one} bytes"):
        check_memory(JOINT, [64, 512], 3, "exact", 3 * one - 1, workers=3)


def test_float32_needs_half():
    assert costs.memory(JOINT, 512, 3, "dense", 1, None, np.dtype(np.float32)) * 2 == costs.memory(
        JOINT, 512, 3, "dense", 1
    )


def refusal(call):
    with pytest.raises(SamplingError) as error:
        call()
    return str(error.value)


def test_a_run_names_the_widths_of_its_list_that_fit():
    """Fewer workers are advised where there are several only."""
    found = refusal(lambda: check_memory(JOINT, [64, 512, 65536], 3, "dense", 10_000_000))
    assert re.search(
        r"^width 65536 needs about \d{11} bytes by the dense reading, 10000000 may be used; widths that fit: 64, 512; "
        r"use them, or give more memory$",
        found,
    )
    found = refusal(lambda: check_memory(JOINT, [64, 512], 3, "exact", 10_000, workers=4))
    assert re.search(r"reading in 4 processes, 10000 .*: none of those given; use smaller .*fewer workers$", found)
    assert set(check_memory(JOINT, [64, 512, 65536], 3, "auto", 10**9)) == {64, 512, 65536}


def halves(x):
    h = tp.tanh(tp.linear("U", x, width=Fraction(1, 2)))
    return tp.readout("v", tp.tanh(tp.linear("W", h, width=Fraction(1, 3))))


@pytest.mark.parametrize(("method", "asked"), [("dense", 6 * 10**6), ("exact", 6 * 10**8), ("auto", 6 * 10**8)])
def test_a_call_names_the_largest_width_that_fits(method, asked, available):
    """One that the program accepts, a multiple of 6 here."""
    available(1024 * 200_000)
    program = tp.trace(halves, inputs=1)
    found = refusal(lambda: tp.sample(program, np.ones((1, 4)), asked, 2, method=method))
    assert "102400000 may be used" in found and "process" not in found and "workers" not in found
    largest = int(re.search(r"the largest width that fits is (\d+);", found)[1])
    assert largest % 6 == 0 and largest < asked

    def fits(n):
        return costs.fitting(Joint.of([program]), n, 4, reading_of(program, n, 4, method), 102_400_000, samples=2)

    assert fits(largest) and not fits(largest + 6)
    if method == "dense":
        assert tp.sample(program, np.ones((1, 4)), largest, 2, method=method).shape == (2,)
    available(0)
    assert refusal(lambda: tp.sample(program, np.ones((1, 4)), 6, 2, method=method)).endswith("; no width fits")


# -- what is free


@pytest.mark.parametrize(
    ("limit", "current", "free"),
    [("5000\n", "3000\n", 2000), ("3000", "5000", 0), ("max\n", "3000\n", 8192), ("50000", "3000", 8192)],
)
def test_a_container_may_leave_less_than_the_system(system, available, limit, current, free):
    (system / "memory.max").write_text(limit)
    assert costs.free_memory() == 8192
    (system / "memory.current").write_text(current)
    assert costs.free_memory() == free


def test_files_in_the_cache_of_a_container_make_way(system, available):
    for name, text in {"max": "5000", "current": "4000", "stat": "anon 900\ninactive_file 1500\n"}.items():
        (system / f"memory.{name}").write_text(text)
    assert costs.free_memory() == 2500


def test_all_memory_is_free_where_nothing_is_told(system):
    assert costs.free_memory() == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

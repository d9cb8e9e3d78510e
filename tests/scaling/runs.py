"""One small run that the tests of stores and executors stop, share, damage and repeat."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager

import numpy as np
from cases import CASES

import tensorprog as tp
from tensorprog.scaling import measure

PROGRAM = CASES[0].trace(3)
PROGRAMS = [tp.correlation(PROGRAM, D, d) for D, d in [(0, 1), (0, 2), (1, 1), (2, 0)]]
COUNTS = [60, 60, 60, 12]
WIDTHS = (8, 64)
DATA = CASES[0].data(3)
ROWS = len(WIDTHS) * sum(COUNTS)
SCRIPT = """
import sys
sys.path[:0] = {paths!r}
from scaling import runs
runs.start(*sys.argv[1:])
"""


def run(seed=4, **options):
    return measure(PROGRAMS, DATA, WIDTHS, COUNTS, seed=seed, **options)


def same(one, other):
    for a, b in zip(one, other, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-12)


def rows(path):
    """How many samples are kept, and how many of them are distinct."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute(
            "SELECT count(*), count(DISTINCT run || ' ' || correlation || ' ' || sample) FROM samples"
        ).fetchone()


def process(*arguments, **options):
    """`start(*arguments)` in a process of its own."""
    code = SCRIPT.format(paths=sys.path)
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], text=True, **options)


def start(path, workers="1", seed="4", target="0.005", meet=""):
    """The run, cut into jobs of so many seconds.

    With `meet`, when a line comes in after it said that it is ready; then it says when it begins, and when the first
    job is given away: workers that do it are being started.
    """
    from tensorprog.scaling import jobs

    jobs.TARGET = float(target)
    if meet:
        print("ready", flush=True)
        sys.stdin.readline()
        jobs.submitting = told(jobs.submitting)
        print("begun", flush=True)
    run(store=path, workers=int(workers), seed=int(seed))


def told(submitting):
    """As `submitting`, saying when the first job is given away."""

    @contextmanager
    def telling(*arguments):
        first = ["submitted"]
        with submitting(*arguments) as submit:

            def submit_and_tell(job):
                future = submit(job)
                if first:
                    print(first.pop(), flush=True)
                return future

            yield submit_and_tell

    return telling

"""Monte Carlo over widths: the numbers of `tp.sample`, however the work is cut."""

from __future__ import annotations

import numpy as np
import pytest
from cases import CASES

import tensorprog as tp
from tensorprog.errors import DataError, SamplingError
from tensorprog.scaling import measure

CASE = CASES[0]
PROGRAM = CASE.trace(3)
DATA = CASE.data(3)
ORDERS = [(0, 1), (0, 2), (1, 1), (2, 0)]
PROGRAMS = [tp.correlation(PROGRAM, D, d) for D, d in ORDERS]
WIDTHS = (4, 8)


def test_measurements_are_the_sizes_of_samples():
    found = measure(PROGRAMS, DATA, WIDTHS, [20, 20, 20, 7], seed=2)
    for program, count, rows in zip(PROGRAMS, [20, 20, 20, 7], found, strict=True):
        for width, row in zip(WIDTHS, rows, strict=True):
            np.testing.assert_allclose(row, np.abs(tp.sample(program, DATA, width, count, seed=2)), rtol=2e-6)


def test_workers_change_nothing():
    one = measure(PROGRAMS[:3], DATA, WIDTHS, [40] * 3, seed=1)
    two = measure(PROGRAMS[:3], DATA, WIDTHS, [40] * 3, seed=1, workers=2)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"widths": (8, 4)}, SamplingError, r"\[8, 4\] must be at least two increasing"),
        ({"widths": (8, 8)}, SamplingError, "increasing"),
        ({"widths": (8,)}, SamplingError, "at least two"),
        ({"widths": (4, 8.0)}, SamplingError, "width=8.0"),
        ({"widths": (0, 8)}, SamplingError, "width=0"),
        ({"samples": [1]}, SamplingError, "samples=1 must be at least 2"),
        ({"samples": [2.5]}, SamplingError, "samples=2.5"),
        ({"seed": -1}, SamplingError, "seed=-1"),
        ({"workers": 0}, SamplingError, "workers=0"),
        ({"data": DATA[:1]}, DataError, "have 1 inputs, the program reads 2"),
    ],
)
def test_bad_requests(change, error, message):
    request = {"programs": PROGRAMS[:1], "data": DATA, "widths": WIDTHS, "samples": [4]} | change
    with pytest.raises(error, match=message):
        measure(**request)

"""What is no real number is refused by everything that takes arrays or numbers, and never turned into one."""

from __future__ import annotations

import datetime
import itertools
import math
import warnings
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

import tensorprog as tp
from tensorprog.architectures import mlp
from tensorprog.arrays import real_array
from tensorprog.errors import DataError, ExpressionError, SamplingError, TensorProgramError
from tensorprog.exponents import exact
from tensorprog.report.figures import TICKS, exponent_ticks, kappa
from tensorprog.report.tables import markdown
from tensorprog.report.wording import markdown_text

PROGRAM = tp.trace(mlp, inputs=2, depth=1)
GOOD = np.array([[1.0, 2.0], [3.0, 4.0]])


class Broken:
    def __array__(self, dtype=None, copy=None):
        raise ZeroDivisionError


WRONG = {
    "complex": (GOOD + 0j, "type complex128"),
    "complex in a list": ([[1, 2j], [3, 4]], "type complex128"),
    "masked": (np.ma.masked_array(GOOD, [[0, 1], [0, 0]]), "hide 1 masked entries"),
    "days": (np.array([["2024-01-01"] * 2] * 2, dtype="M8[D]"), r"type datetime64\[D\]"),
    "durations": (np.ones((2, 2), dtype="m8[s]"), r"type timedelta64\[s\]"),
    "dates": ([[datetime.date(2024, 1, 1)] * 2] * 2, "is a date"),
    "texts": ([["1", "2"], ["3", "4"]], "type <U1"),
    "bytes": (np.array([[b"1", b"2"]] * 2), "type .S1"),
    "a text among numbers": (np.array([[1, "2"], [3, 4]], dtype=object), r"'2' at index \(0, 1\) is a str"),
    "nothing": (np.array([[1, None], [3, 4]], dtype=object), "None at index .0, 1. is a NoneType"),
    "ragged": ([[1, 2], [3]], "no array of real numbers"),
    "records": (np.zeros(2, dtype=[("a", "f8")]), "type .*'a'"),
    "an object": (SimpleNamespace(), "is a SimpleNamespace"),
    "what raises": (Broken(), "ZeroDivisionError"),
    "complex objects": (np.array([[1, 2j], [3, 4]], dtype=object), "is a complex"),
}
TAKERS = {
    "sample": lambda values: tp.sample(PROGRAM.restricted(["F0"]), values, 8, 2),
    "verify": lambda values: tp.verify(PROGRAM, values, [(0, 1)], (8, 16), 2, progress=False),
    "derive": lambda values: tp.derive(PROGRAM, [(0, 1)], data=values),
    "kernel": lambda values: tp.kernel(PROGRAM, values),
    "kernel of two": lambda values: tp.kernel(PROGRAM, GOOD, values),
    "prove": lambda values: tp.prove(PROGRAM, 0, 1, data=values),
    "linearity": lambda values: tp.linearity(PROGRAM, values, [1.0], progress=False),
    "targets": lambda values: tp.train(PROGRAM, values, steps=1, learning_rate=0.1),
    "targets of linearity": lambda values: tp.linearity(PROGRAM, GOOD, values, progress=False),
}


@pytest.mark.parametrize("taker", TAKERS)
@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_real_number_is_refused(taker, kind):
    values, message = WRONG[kind]
    with warnings.catch_warnings(), pytest.raises(TensorProgramError, match=message):
        warnings.simplefilter("error")
        TAKERS[taker](values)


@pytest.mark.parametrize(
    "values",
    [
        [[1, 2], [3, 4]],
        GOOD.astype(">f4"),
        GOOD.astype(np.longdouble),
        np.ma.masked_array(GOOD, False),
        np.array([[Fraction(1), 2], [3, 2**70 - 2**70 + 4]], dtype=object),
        np.asfortranarray(GOOD),
        np.matrix(GOOD),
    ],
)
def test_real_numbers_of_any_kind_are_taken(values):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        found = real_array(values, "the data", "")
    assert type(found) is not np.ma.MaskedArray and found.dtype == np.float64
    np.testing.assert_array_equal(found, GOOD)


def test_numbers_that_are_too_large_are_infinite_and_refused():
    assert real_array(np.array([10**400], dtype=object), "", "")[0] == math.inf
    with pytest.raises(DataError, match="NaN or infinite"):
        tp.sample(PROGRAM.restricted(["F0"]), np.array([[10**400, 1], [1, 1]], dtype=object), 8, 2)


@pytest.mark.parametrize(
    "number", ["1", "1/2", b"1", 1j, np.complex128(1), math.nan, math.inf, None, [1], "1e5", object()]
)
def test_what_is_no_number_is_no_exponent(number):
    with warnings.catch_warnings(), pytest.raises(ExpressionError, match="is not a finite real number"):
        warnings.simplefilter("error")
        exact(number)


def test_numbers_are_exact():
    assert [exact(x) for x in (0.1, 2, Fraction(1, 3), np.float64(0.5), np.int64(7), Decimal("0.25"))] == [
        Fraction(1, 10),
        2,
        Fraction(1, 3),
        Fraction(1, 2),
        7,
        Fraction(1, 4),
    ]


@pytest.mark.parametrize("memory", [-1, 0, math.inf, -math.inf, math.nan, 1e9, "4GiB", True, 2.5, [1]])
def test_memory_that_is_no_number_of_bytes_is_refused(memory):
    with pytest.raises(SamplingError, match="must be a positive number of bytes"):
        tp.verify(PROGRAM, GOOD, [(0, 1)], (8, 16), 2, memory=memory, progress=False)


# what names and scales do to a report


def test_names_mean_nothing_in_markdown():
    assert (
        markdown_text("mlp weight_std=2 phi=expression(z0*tanh(z0))")
        == r"mlp weight_std=2 phi=expression(z0\*tanh(z0))"
    )
    assert markdown_text("a|b\n# <c> [d](e) `f` _g_ \\") == r"a\|b \# \<c\> \[d\](e) \`f\` \_g\_ " + "\\\\"


def test_a_name_is_escaped_in_the_table_of_a_report():
    name = "evil | <script>\n\n# heading"
    report = tp.verify(PROGRAM, GOOD, [(0, 0)], (8, 16), 4, progress=False, name=name)
    first, second, *_ = markdown(report).splitlines()
    assert (first, second) == (r"# evil \| \<script\> \# heading", "")


@pytest.mark.parametrize(("low", "high"), [(-0.25, 1.35), (-5, 3), (-100000.5, 0.35), (-1e7, 1e7), (-3, 1e30)])
def test_there_are_few_ticks_whatever_the_exponents(low, high):
    ticks = exponent_ticks(low, high)
    assert 2 <= len(ticks) <= TICKS + 1
    assert all(low <= tick <= high for tick in ticks) and 0 in ticks
    assert len({b - a for a, b in itertools.pairwise(ticks)}) == 1


def test_ticks_of_common_exponents_are_halves():
    assert exponent_ticks(-1.25, 0.35) == [-1, Fraction(-1, 2), 0]


def test_a_parametrisation_of_large_exponents_is_drawn():
    table = tp.derive(PROGRAM, [(0, 0), (0, 1)], abc=tp.abc(100000, 0, 0))
    assert kappa(table).startswith("<svg")


@pytest.mark.parametrize("wrap", [list, tuple, lambda rows: [[rows[0]], [rows[1]]]])
def test_masked_rows_in_a_list_are_masked(wrap):
    rows = wrap([np.ma.masked_array([1.0, 2.0], mask=[True, False]), np.ma.masked_array([1.0, 2.0], mask=[True, True])])
    with pytest.raises(DataError, match="hide 3 masked entries"):
        real_array(rows, "the data", "give numbers")

"""Requests that are no requests: each is refused at the boundary, in words."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from cases import CASES

import tensorprog as tp
from tensorprog.errors import ArchitectureError, ExpressionError, OrderError, ProgramError, SamplingError

CASE = CASES[0]
PROGRAM = CASE.trace(3)
DATA = CASE.data(3)
C = tp.correlation(PROGRAM, 0, 1)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tp.derive(CASE.architecture), ProgramError, "not a Program; pass what tp.trace"),
        (lambda: tp.derive(PROGRAM, (0, 2)), OrderError, r"orders=\(0, 2\) is no list of pairs.*\[\(0, 2\)"),
        (lambda: tp.derive(PROGRAM, ["0,2"]), OrderError, "no list of pairs"),
        (lambda: tp.derive(PROGRAM, []), OrderError, "no list of pairs"),
        (lambda: tp.derive(PROGRAM, [(0, 1)], points=(0, -1)), OrderError, r"points=\(0, -1\) must be numbers"),
        (lambda: tp.verify(PROGRAM, DATA, [(0, 1)], widths=64), SamplingError, "widths=64 must be a list"),
        (lambda: tp.verify(PROGRAM, DATA, [(0, 1)], margin=float("nan")), SamplingError, "margin=nan"),
        (lambda: tp.verify(PROGRAM, DATA, [(0, 1)], workers=10_000), SamplingError, "workers=10000 must be"),
        (lambda: tp.sample(C, 1e200 * DATA, 8, 3, method="dense"), SamplingError, "not finite"),
        (lambda: tp.sample(C, DATA, 10**9, 2, method="dense"), SamplingError, r"needs about \d+ bytes by the dense"),
        (lambda: tp.trace(CASE.architecture, dept=3), ArchitectureError, "options are the architecture's own"),
        (lambda: tp.trace(lambda x: tp.readout("v", np.tanh(tp.linear("U", x)))), ArchitectureError, "tp.tanh"),
        (lambda: tp.n ** "1/2", ExpressionError, "'1/2' is not a finite real number"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_refusals(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_powers_of_n_are_exact():
    assert (tp.n**0.1).power == Fraction(1, 10)


def test_what_m_rests_on_is_said():
    """m(n) from some orders only is marked; from all of them it is not."""
    some = tp.derive(PROGRAM, [(0, 2)])
    assert not some.fixed.complete and "on these orders" in str(some.fixed)
    every = tp.derive(CASE.trace(5))
    assert every.fixed.complete and "on these orders" not in str(every.fixed)

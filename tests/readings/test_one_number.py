"""A sample of (seed, width, index, correlation) is one number, to the last bit, whatever else is asked for."""

from __future__ import annotations

import numpy as np
import pytest
from cases import CASES

import tensorprog as tp
from tensorprog.architectures import mlp
from tensorprog.errors import ProgramError
from tensorprog.readings import blockwise, exact, reading_of, sweep
from tensorprog.readings.joint import Joint
from tensorprog.scaling.measure import measure

ORDERS = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0), (2, 1)]
POINTS = (0, 1, 2, 0)
FEW = [(0, 1), (0, 2), (1, 1)]
by_case = pytest.mark.parametrize("case", [CASES[0], CASES[5]], ids=lambda case: case.name)


def correlations(case):
    program = case.trace(3)
    return {(D, d): tp.correlation(program, D, d, POINTS[: d + 1]) for D, d in ORDERS}


def large(monkeypatch):
    """The code of large widths, at small ones."""
    monkeypatch.setattr(exact, "LARGE", 4)
    monkeypatch.setattr(sweep, "BLOCK", 5)
    monkeypatch.setattr(blockwise, "BLOCK", 7)


@by_case
@pytest.mark.parametrize(
    ("method", "width"), [("exact", 4), ("exact", 32), ("dense", 12), ("auto", 32), ("large", 12), ("auto", 192)]
)
def test_lists_change_nothing(case, method, width, monkeypatch):
    """Any choice of correlations, in any order, any number of samples."""
    orders = ORDERS
    if method == "large":
        large(monkeypatch)
        method, orders = "exact", FEW
    wanted, rng = {order: c for order, c in correlations(case).items() if order in orders}, np.random.default_rng(width)
    most = 3 if width > 100 else 9
    alone = {order: tp.sample(c, case.data(3), width, most, 3, method) for order, c in wanted.items()}
    for _ in range(3):
        chosen = [orders[i] for i in rng.permutation(len(orders))[: rng.integers(2, len(orders))]]
        samples = int(rng.integers(1, most + 1))
        found = tp.sample([wanted[order] for order in chosen], case.data(3), width, samples, 3, method)
        for order, values in zip(chosen, found, strict=True):
            np.testing.assert_array_equal(values, alone[order][:samples], str(order))


@pytest.mark.parametrize(("phi", "rounding"), [("erf", 0), ("relu", 1e-12)])
def test_batches_change_nothing(phi, rounding, monkeypatch):
    """Iterations end sooner for some samples than for others; where vectors vanish in some only, to rounding."""
    program = tp.trace(mlp, inputs=3, phi=getattr(tp, phi))
    wanted = [tp.correlation(program, D, 1) for D in ((0, 1, 2) if phi == "erf" else (0, 1))]
    data = CASES[0].data(3)
    whole = tp.sample(wanted, data, 4, 30, 3, "exact")
    monkeypatch.setattr(exact, "BATCH_NUMBERS", 20)
    monkeypatch.setattr(exact, "BATCH_OF_NORMS", 8)
    for one, other in zip(whole, tp.sample(wanted, data, 4, 30, 3, "exact"), strict=True):
        np.testing.assert_allclose(one, other, rtol=rounding, atol=0)


def test_runs_of_several_widths_and_counts_give_the_samples_of_a_call():
    """`measure` groups by count, and cuts into jobs; `auto` reads each program as it would by itself."""
    wanted = correlations(CASES[0])
    chosen = [(2, 0), (0, 2), (1, 1), (0, 0)]
    counts = [3, 5, 5, 5]
    for method in ("exact", "auto"):
        found = measure([wanted[o] for o in chosen], CASES[0].data(3), (16, 200), counts, 4, method=method)
        for order, count, values in zip(chosen, counts, found, strict=True):
            for width, here in zip((16, 200), values, strict=True):
                alone = tp.sample(wanted[order], CASES[0].data(3), width, count, 4, method)
                np.testing.assert_array_equal(here, np.abs(alone))


def test_auto_takes_for_each_program_its_own_reading():
    wanted = list(correlations(CASES[0]).values())
    readings = {n: {reading_of(c, n, 3, "auto") for c in wanted} for n in range(16, 512, 8)}
    mixed = [n for n, found in readings.items() if len(found) > 1]
    assert mixed, "no width at which the programs differ"
    joint = Joint.of(wanted)
    assert all(reading_of(joint, n, 3, "auto") == "mixed" for n in mixed)


@pytest.mark.parametrize("method", ["dense", "exact"])
def test_together_the_order_makes_no_difference(method):
    wanted = correlations(CASES[0])
    chosen = [(0, 1), (1, 1), (0, 2)]
    one, other = (
        tp.sample([wanted[o] for o in orders], CASES[0].data(3), 16, 5, 3, method, together=True)
        for orders in (chosen, chosen[::-1])
    )
    for a, b in zip(one, other[::-1], strict=True):
        np.testing.assert_array_equal(a, b)


def test_one_name_is_one_weight():
    one, other = (tp.trace(lambda x, s=s: tp.readout("v", tp.linear("U", x, std=s))) for s in (1, 2))
    with pytest.raises(ProgramError, match="'U' is defined twice"):
        tp.sample([one, other], np.ones((1, 3)), 8, 2)

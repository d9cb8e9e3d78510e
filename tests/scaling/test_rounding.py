"""Rounding errors of what cancels: no exponent, no verdict, whatever the net and the reading."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import tensorprog as tp
from tensorprog.exponents import Exponent
from tensorprog.scaling import judge, measure
from tensorprog.scaling.advice import Reason
from tensorprog.scaling.rounding import RATIO, SAFETY, rounding_floors

WIDTHS = (16, 64, 256)
DATA = np.random.default_rng(0).standard_normal((3, 4))
LAW = Exponent(Fraction(0))


def transposed(x):
    """⟨h, W h⟩ = ⟨h, Wᵀ h⟩."""
    h = tp.tanh(tp.linear("U", x))
    return tp.n ** Fraction(1, 2) * tp.mean(h * (tp.linear("W", h) - tp.linear("W", h, transpose=True)))


def doubled(x):
    """sin 2a = 2 sin a cos a."""
    a = tp.linear("W", tp.erf(tp.linear("U", x)))
    return tp.readout("v", tp.sin(2 * a) - 2 * tp.sin(a) * tp.cos(a))


def tiny(x):
    """Nothing cancels: outputs of 1e-40."""
    return Fraction(1, 10**40) * tp.readout("v", tp.relu(tp.linear("W", tp.tanh(tp.linear("U", x)))))


def chaotic(x):
    """Errors grow at each of 12 layers until no digit is left, and the law is what it is."""
    h = tp.linear("U", x)
    for layer in range(12):
        h = tp.linear(f"W{layer}", tp.sin(30 * h))
    return tp.readout("v", tp.sin(h))


def sampled(net, order=(0, 0), scale=1.0, **options):
    program = tp.correlation(tp.trace(net, inputs=3), *order)
    values = measure([program], scale * DATA, WIDTHS, [40], **options)
    return values[0], rounding_floors([program], scale * DATA, WIDTHS, values, **options)[0]


@pytest.mark.parametrize("method", ["dense", "exact"])
@pytest.mark.parametrize(("net", "scale"), [(transposed, 1.0), (transposed, 1e-6), (doubled, 1.0), (doubled, 30.0)])
def test_what_cancels_has_no_exponent(net, scale, method):
    values, floors = sampled(net, scale=scale, method=method)
    assert max(x.max() for x in values) > 0
    for bound in (True, False):
        found = judge(WIDTHS, values, LAW, bound=bound, floors=floors)
        assert found.verdict == "inconclusive" and found.tight is None and np.isnan(found.slope)
        assert found.advice is not None and found.advice.reason is Reason.ROUNDING
        assert "0 to rounding" in str(found.advice) and "0 to rounding" in found.method


@pytest.mark.parametrize("order", [(0, 1), (1, 1)])
def test_correlations_of_what_cancels_have_none_either(order):
    values, floors = sampled(doubled, order)
    assert all(np.quantile(x, 0.9) <= floor for x, floor in zip(values, floors, strict=True))


@pytest.mark.parametrize(("net", "order"), [(tiny, (0, 0)), (tiny, (0, 2)), (tiny, (1, 1)), (chaotic, (0, 0))])
def test_what_is_there_is_far_above_the_floor(net, order):
    values, floors = sampled(net, order)
    for x, floor in zip(values, floors, strict=True):
        assert np.median(x) > 100 * floor


def test_a_vanishing_correlation_may_round():
    noise, floors = [np.full(30, 1e-17)] * 3, [1e-15] * 3
    for given, word in ((floors, "confirmed"), (None, "refuted"), ([1e-15, 1e-15, 1e-18], "refuted")):
        assert judge(WIDTHS, noise, None, bound=False, floors=given).verdict == word


def test_widths_lost_to_rounding_are_left_out():
    rng = np.random.default_rng(0)
    widths = tuple(64 << k for k in range(9))
    values = [np.exp(0.1 * rng.standard_normal(300)) * max(n**-3.0, 1e-10) for n in widths]
    floors = [1e-9 if n > 2000 else 1e-12 for n in widths]
    found = judge(widths, values, Exponent(Fraction(-3)), bound=False, floors=floors)
    assert found.slope == pytest.approx(-3, abs=0.1) and len(found.local_slopes) == 4
    assert found.method.startswith("without n = 2048, 4096, 8192, 16384, where samples are 0 to rounding; ")
    assert judge(widths, values, Exponent(Fraction(-3)), bound=False).verdict != "confirmed"


def test_exact_zeros_are_no_rounding():
    zero = [np.zeros(30)] * 3
    assert judge(WIDTHS, zero, LAW, bound=True, floors=[1e-9] * 3).verdict == "confirmed"
    rare = [np.where(np.arange(30) < 4, 1.0, 0.0)] * 3
    found = judge(WIDTHS, rare, LAW, bound=True, floors=[0.0] * 3)
    assert found.advice is not None and found.advice.reason is Reason.MOSTLY_ZERO


def test_floors_are_the_ratio_of_the_precisions_times_what_float32_says():
    program = tp.correlation(tp.trace(tiny, inputs=3), 0, 0)
    values = [[1e-40 * np.ones(4)] * 3]
    floors = rounding_floors([program], DATA, WIDTHS, values)[0]
    single = np.abs(tp.sample(program, DATA, WIDTHS[0], 4, seed=0, dtype=np.float32))
    assert floors[0] == pytest.approx(SAFETY * RATIO * float(np.median(single)))


def test_the_report_says_so():
    program = tp.trace(transposed, inputs=1)
    report = tp.verify(program, DATA[:1], orders=[(0, 0)], widths=WIDTHS, samples=40, progress=False)
    lines = str(report).splitlines()
    assert any("are 0 to rounding; there is no exponent to read" in line for line in lines)
    assert "1 correlation: 0 confirmed, 1 inconclusive, 0 refuted" in lines
    assert report.measurements[0].to_object()["slope"] is None

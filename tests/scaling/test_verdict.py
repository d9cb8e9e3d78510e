"""Verdicts: what confirms, what refutes, what is left open, and the edges."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from scaling.synthetic import sizes

from tensorprog.exponents import UNBOUNDED_LOG, Exponent
from tensorprog.scaling import judge
from tensorprog.scaling.advice import Advice, Reason

WIDTHS = (64, 128, 256, 512, 1024, 2048, 4096)
FEW = (64, 128, 256)


def law(power, log=0):
    return Exponent(Fraction(power), log)


def test_an_exact_law_is_confirmed_and_its_neighbours_refuted():
    samples = sizes("narrow", WIDTHS, 1000, 1)
    assert judge(WIDTHS, samples, law(-1), bound=False).verdict == "confirmed"
    for wrong in (Fraction(-3, 2), Fraction(-1, 2), 0, -2):
        found = judge(WIDTHS, samples, law(wrong), bound=False)
        assert (found.verdict, found.advice) == ("refuted", None)


def test_few_samples_decide_nothing():
    for claim, word in ((-3, "refuted"), (-1, "confirmed")):
        few, enough = (judge(WIDTHS, sizes("narrow", WIDTHS, n, 1), law(claim), bound=False) for n in (19, 200))
        assert (few.verdict, enough.verdict) == ("inconclusive", word)
        assert str(few.advice) == "fewer than 20 samples at a width decide nothing; use at least 20"


def test_an_upper_bound_is_one_sided_and_says_whether_it_is_tight():
    samples = sizes("narrow", WIDTHS, 1000, 2)
    tight, loose = (judge(WIDTHS, samples, law(power), bound=True) for power in (-1, Fraction(-1, 2)))
    assert (tight.verdict, tight.tight) == ("confirmed", True)
    assert (loose.verdict, loose.tight) == ("confirmed", False)
    assert judge(WIDTHS, samples, law(Fraction(-3, 2)), bound=True).verdict == "refuted"


def test_the_logarithm_is_divided_out():
    samples = sizes("narrow", WIDTHS, 1000, 3, log=1)
    found = judge(WIDTHS, samples, law(-1, Fraction(1)), bound=False)
    assert found.verdict == "confirmed"
    assert abs(found.slope + 1) < 0.05
    assert found.raw_slope > -0.9  # the straight line through n^-1 log n
    assert not found.raw_interval[0] <= -1 <= found.raw_interval[1]
    assert judge(WIDTHS, samples, law(-1), bound=False).verdict != "confirmed"


def test_a_drift_widens_the_interval_and_forbids_refutation():
    """Local slopes near -1.6 that drift to -2: the sizes are n^-2/(1 + 4 n_1/n)."""
    n = np.array(FEW, dtype=float)
    rng = np.random.default_rng(0)
    samples = [np.exp(0.3 * rng.standard_normal(400)) * w**-2 / (1 + 4 * n[0] / w) for w in n]
    found = judge(FEW, samples, law(-2), bound=True)
    assert max(found.local_slopes) > -1.7
    assert found.verdict == "inconclusive"
    assert found.advice is not None and (found.advice.plan or found.advice.largest)
    still = [np.exp(0.3 * rng.standard_normal(400)) * w**-2 for w in n]
    width = [high - low for low, high in (found.interval, judge(FEW, still, law(-2), bound=True).interval)]
    assert width[0] > width[1]


def test_two_widths_are_judged_with_an_unseen_correction():
    samples = sizes("narrow", (64, 128), 4000, 4)
    found = judge((64, 128), samples, law(-1), bound=True)
    assert found.verdict == "inconclusive"
    assert found.interval[1] - found.interval[0] > 0.4
    assert "two widths" in found.method
    assert judge((64, 4096), sizes("narrow", (64, 4096), 4000, 4), law(-2), bound=True).verdict == "refuted"


def test_advice_is_kept_by_a_run_that_follows_it():
    few = judge(FEW, sizes("narrow", FEW, 200, 5), law(-1), bound=True)
    assert few.verdict == "inconclusive" and few.advice is not None and few.advice.plan is not None
    plan, samples = tuple(map(int, few.advice.plan.widths)), int(few.advice.plan.samples)
    settled = [judge(plan, sizes("narrow", plan, samples, s), law(-1), bound=True).verdict for s in range(5)]
    assert settled.count("confirmed") >= 3


def test_an_unbounded_logarithm_never_refutes():
    samples = sizes("narrow", WIDTHS, 500, 6, power=0.25)
    found = judge(WIDTHS, samples, law(0, UNBOUNDED_LOG), bound=True)
    assert found.verdict == "inconclusive" and found.advice == Advice(Reason.LOGARITHM)
    assert judge(WIDTHS, samples, law(1, UNBOUNDED_LOG), bound=True).verdict == "confirmed"


def test_sizes_that_vanish():
    zero, one = [np.zeros(50)] * 3, [np.ones(50)] * 3
    for bound in (False, True):
        assert judge(FEW, zero, None, bound=bound).verdict == "confirmed"
        assert judge(FEW, one, None, bound=bound).verdict == "refuted"
    assert judge(FEW, zero, law(-1), bound=True).verdict == "confirmed"
    assert judge(FEW, zero, law(-1), bound=False).verdict == "refuted"
    rare = [np.where(np.arange(50) % 25 == 0, 1.0, 0.0)] * 3
    found = judge(FEW, rare, law(-1), bound=True)
    assert found.verdict == "inconclusive" and math.isnan(found.slope)


def test_sizes_without_fluctuation():
    samples = [np.full(20, n**-0.5) for n in WIDTHS]
    found = judge(WIDTHS, samples, law(Fraction(-1, 2)), bound=False)
    assert found.verdict == "confirmed"
    assert found.slope == pytest.approx(-0.5, abs=1e-6)


def test_the_same_seed_gives_the_same_verdict():
    samples = sizes("product", FEW, 100, 7)
    assert judge(FEW, samples, law(-1), bound=True, seed=3) == judge(FEW, samples, law(-1), bound=True, seed=3)

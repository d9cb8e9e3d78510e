"""The arithmetic of fits and their average, and which of them a refutation must survive."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from tensorprog.exponents import Exponent
from tensorprog.scaling import judge
from tensorprog.scaling.advice import Advice, Plan, Reason, advise
from tensorprog.scaling.fit import Fit, average, linear_fits
from tensorprog.scaling.quantiles import points, quantiles
from tensorprog.scaling.verdict import _student

WIDTHS = np.array([64.0, 128.0, 256.0, 512.0, 1024.0])


def logs(correction=0.0, samples=300, power=1.0):
    rng = np.random.default_rng(1)
    found = [np.exp(0.5 * rng.standard_normal(samples)) / n * (1 + correction * (64 / n) ** power) for n in WIDTHS]
    return points(WIDTHS, quantiles(found, 500, rng), [0, 1])


def test_akaike_counts_parameters_and_points_left_out():
    found = {fit.name: fit.aic - fit.chi2 for fit in linear_fits(logs())}
    assert found["straight line"] == pytest.approx(2 * 3)
    assert found["straight line from n = 128"] == pytest.approx(2 * 3 + 2 * 2)
    assert found["extrapolation in 1/n"] == pytest.approx(2 * 5)


def test_the_average_has_the_variance_within_and_between_its_fits():
    one, two = (Fit(name, slope, 0.3, 1.0, 4, 5.0) for name, slope in (("one", 0.0), ("two", 1.0)))
    assert (average([one, two]).slope, average([one, two]).scale) == (0.5, 1)
    assert average([one, two]).error == pytest.approx((0.3**2 + 0.5**2) ** 0.5)


def test_errors_grow_where_no_fit_is_good():
    poor = Fit("poor", -1.0, 0.1, 40.0, 4, 46.0)
    assert average([poor]).error == pytest.approx(0.1 * 10**0.5)
    assert "no fit is good" in average([poor]).describe()


def test_intervals_are_two_sided():
    found = logs()
    assert _student(0.95, found) == pytest.approx(stats.t.ppf(0.975, 2 * 5 * 300**0.5))


def test_a_correction_that_fits_forbids_a_refutation():
    """n^-2/(1 + 4 n_1/n) at three widths: the interval misses -2 ± 0.05, a bounded correction does not."""
    rng = np.random.default_rng(0)
    widths = (64, 128, 256)
    samples = [np.exp(0.3 * rng.standard_normal(20_000)) * n**-2.0 / (1 + 4 * 64 / n) for n in widths]
    found = judge(widths, samples, Exponent(Fraction(-2)), bound=True, margin=0.05)
    assert found.interval[0] > -1.95
    assert found.verdict == "inconclusive"
    assert found.advice is not None and found.advice.reason is Reason.CORRECTION_ALLOWS


def test_the_cheapest_plan_is_found():
    """Twice the samples at the same widths are the least that one can ask for."""
    said = advise(logs(), [0, 1], -1.0, (-1.11, -0.95), -1.1, -0.9, 0.1, 5.0)
    assert said.reason is Reason.REACHES_OUT
    assert said.plan == Plan(tuple(WIDTHS), 600.0)


def test_a_slope_at_the_end_of_the_margin_is_not_chased():
    """The nearer end counts: -0.91 is 0.01 from the upper end of -1 ± 0.1."""
    said = advise(logs(), [0, 1], -0.91, (-0.93, -0.89), -1.1, -0.9, 0.1, 0.15)
    assert said.reason is Reason.REACHES_OUT and said.close and said.plan is None
    assert "out of the margin" in str(said) and "use another margin" in str(said)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_told_with_its_numbers(reason):
    said = Advice(reason, 0.25, (0.125, 0.5), 20).words("operator samples")
    numbers = {
        Reason.LOGARITHM: ["n^o(1)"],
        Reason.MOSTLY_ZERO: ["operator samples"],
        Reason.CORRECTION_ALLOWS: ["0.25"],
    }
    short = {Reason.FEW_SAMPLES: ["20 operator samples"], Reason.ROUNDING: ["operator samples of at most 2e+01"]}
    for shown in (numbers | short).get(reason, ["[0.12, 0.50]"]):
        assert shown in said


def test_an_interval_across_the_lower_end_leaves_tightness_open():
    rng = np.random.default_rng(4)
    samples = [np.exp(0.3 * rng.standard_normal(4000)) / n for n in (64, 128)]
    found = judge((64, 128), samples, Exponent(Fraction(-1)), bound=True)
    assert found.interval[0] < -1.1 < found.interval[1] and found.tight is None


def test_a_median_that_vanishes_in_many_resamples_is_not_used():
    samples = [np.where(np.arange(100) < 47, 0.0, 1.0) for _ in WIDTHS]
    found = quantiles(samples, 400, np.random.default_rng(0))
    assert (found.values > 0).all() and found.usable() == [1]

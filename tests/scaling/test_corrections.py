"""Families of corrections: the exponents that they allow, against a plain minimisation, and when they matter."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from tensorprog.scaling.corrections import FAMILIES, RESOLUTION, Family, Form, allowed, families_of, profile
from tensorprog.scaling.quantiles import Points, points, quantiles

WIDTHS = np.array([64.0, 128.0, 256.0, 512.0, 1024.0])
SIGNS = {Form.SUM: 1, Form.INVERSE: -1}


def logs(correction=0.0, samples=300, power=1.0, spread=0.5):
    rng = np.random.default_rng(1)
    found = [np.exp(spread * rng.standard_normal(samples)) / n * (1 + correction * (64 / n) ** power) for n in WIDTHS]
    return points(WIDTHS, quantiles(found, 500, rng), [0, 1])


def least(found: Points, family: Family, slope: float) -> float:
    """χ² at a slope, minimised over intercepts and coefficients by a general method."""
    z = [(WIDTHS[0] / WIDTHS) ** power for power in family.powers]
    most = np.log(family.largest)

    def chi2(free):
        left = found.logs - slope * np.log(WIDTHS)[:, None] - free[:2]
        for j in range(2):
            grown = np.expm1(free[2 + j]) * z[j]
            left[:, j] -= SIGNS[family.form] * np.log1p(grown) if family.form in SIGNS else free[2 + j] * z[j]
        return np.einsum("ki,kij,kj->", left, np.linalg.inv(found.covariance), left)

    starts = [[*found.logs[0] - slope * np.log(64), u, v] for u in (-1.0, 0.3, 1.5) for v in (-1.0, 0.3, 1.5)]
    bounds = [(None, None)] * 2 + [(-most, most)] * 2
    return min(minimize(chi2, start, bounds=bounds).fun for start in starts)


@pytest.mark.parametrize("family", [*FAMILIES[1:4], Family(Form.EXPONENTIAL, (0.25, 0.25), 100.0)], ids=str)
def test_profiles_end_where_the_least_chi2_has_risen_by_the_critical_value(family):
    found = logs(0.5)
    seen = profile(found, family, [0, 1], 2.0)
    for end in seen.interval:
        assert least(found, family, end) == pytest.approx(seen.chi2 + 4, abs=0.1)


def test_a_correction_of_a_family_is_followed():
    """(1 + 8 n_1/n) hides the exponent from a straight line, and from nothing else."""
    found = logs(8.0, samples=4000, spread=0.3)
    low, high = allowed(found, [0, 1], 2.0, families_of(found))
    assert low <= -1 <= high


def test_more_is_allowed_than_a_line_says_and_less_by_better_data():
    rough, fine = (allowed(logs(0.0, samples), [0, 1], 2.0, FAMILIES) for samples in (300, 30_000))
    assert rough[0] < fine[0] <= -1 <= fine[1] < rough[1]
    assert fine[1] - fine[0] < 0.3


def test_data_that_no_family_fits_widen_the_errors():
    found = logs(0.0, 30_000)
    bent = Points(WIDTHS, found.logs + 0.2 * np.array([[1], [-1], [1], [-1], [1]]), found.covariance, found.counts)
    assert all(profile(bent, family, [0, 1], 2.0).p_value < 1e-3 for family in FAMILIES)
    low, high = allowed(bent, [0, 1], 2.0, FAMILIES)
    assert high - low > 0.2


def test_one_quantile_is_enough():
    both = logs(0.5)
    one = Points(WIDTHS, both.logs[:, 1:], both.covariance[:, 1:, 1:], both.counts)
    low, high = allowed(one, [1], 2.0, families_of(one))
    assert low <= -1 <= high


def test_the_tail_of_a_size_says_how_much_it_may_still_add():
    """exp(τ g) has the mean exp(τ²/2) and the median 1."""
    for spread in (0.5, 2.0):
        for family in families_of(logs(samples=10_000, spread=spread))[len(FAMILIES) :]:
            assert np.log(family.largest) == pytest.approx(spread**2, rel=0.1)


def test_precise_data_are_followed_to_the_resolution():
    found = Points(WIDTHS, -np.log(WIDTHS)[:, None] * [1, 1], np.array([1e-16 * np.eye(2)] * 5), np.full(5, 1000.0))
    low, high = allowed(found, [0, 1], 2.0, families_of(found))
    assert low <= -1 <= high and high - low < 40 * RESOLUTION

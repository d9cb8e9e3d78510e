"""Quantiles and their bootstrap against the plain definitions."""

from __future__ import annotations

import numpy as np
import pytest

from tensorprog.scaling.fit import Projection, line, linear_fits
from tensorprog.scaling.quantiles import LEVELS, log_draws, points, quantiles

WIDTHS = np.array([64.0, 128.0, 256.0, 512.0, 1024.0])


def drawn(seed=0, samples=300, slope=-1.0, correction=0.0):
    rng = np.random.default_rng(seed)
    z = np.exp(0.5 * rng.standard_normal((len(WIDTHS), samples)))
    return [z[k] * n**slope * (1 + correction * WIDTHS[0] / n) for k, n in enumerate(WIDTHS)]


def test_values_are_median_unbiased_quantiles():
    samples = drawn()
    found = quantiles(samples, 100, np.random.default_rng(0))
    expected = [[np.quantile(s, level, method="median_unbiased") for level in LEVELS] for s in samples]
    np.testing.assert_allclose(found.values, expected, rtol=1e-12)


@pytest.mark.parametrize("samples", [2, 5, 37, 200])
def test_draws_have_the_law_of_resampling_with_replacement(samples):
    """Means and deviations of 20,000 draws each; the tolerance of 5 standard errors fails once in a million."""
    rng = np.random.default_rng(samples)
    values = rng.standard_normal(samples) ** 2
    draws = quantiles([values], 20_000, rng).draws[:, 0]
    resampled = rng.choice(values, (20_000, samples))
    plain = np.quantile(resampled, LEVELS, axis=1, method="median_unbiased").T
    error = np.sqrt((draws.var(axis=0) + plain.var(axis=0)) / 20_000)
    assert (np.abs(draws.mean(axis=0) - plain.mean(axis=0)) <= 5 * error + 1e-12).all()
    np.testing.assert_allclose(draws.std(axis=0), plain.std(axis=0), rtol=0.06, atol=1e-12)


def test_levels_with_zeros_are_not_used():
    samples = [np.where(np.arange(100) < 70, 0.0, 1.0 + np.arange(100) / 100) for _ in WIDTHS]
    assert quantiles(samples, 200, np.random.default_rng(0)).usable() == [1]


def test_errors_of_slopes_are_those_of_repetitions():
    """The stated error of the straight line against its spread over 300 repetitions, to 20 %."""
    found = []
    for seed in range(300):
        q = quantiles(drawn(seed, 200), 200, np.random.default_rng(seed))
        found.append(line(points(WIDTHS, q, [0, 1]), ""))
    spread = np.std([fit.slope for fit in found])
    assert np.mean([fit.error for fit in found]) == pytest.approx(spread, rel=0.2)


def test_extrapolation_removes_a_correction_in_one_over_n():
    q = quantiles(drawn(1, 20_000, correction=0.2), 500, np.random.default_rng(1))
    found = {fit.name: fit for fit in linear_fits(points(WIDTHS, q, [0, 1]))}
    straight, corrected = found["straight line"], found["extrapolation in 1/n"]
    assert abs(straight.slope + 1) > 5 * straight.error
    assert abs(corrected.slope + 1) < 4 * corrected.error
    assert straight.p_value < 1e-3 < corrected.p_value


def test_projection_of_draws_spreads_like_the_error():
    q = quantiles(drawn(3), 4000, np.random.default_rng(3))
    algebra = Projection.of(points(WIDTHS, q, [0, 1]))
    assert np.std(algebra.slope(log_draws(q, [0, 1]))) == pytest.approx(algebra.error, rel=0.25)

"""Samples go where they narrow the interval most for the time they take."""

from __future__ import annotations

import numpy as np
import pytest
from scaling.synthetic import sizes

from tensorprog.scaling.allotment import MOST, PILOT, allot, information
from tensorprog.scaling.fit import line
from tensorprog.scaling.quantiles import points, quantiles

WIDTHS = (64, 128, 256, 512, 1024, 2048)


def variance(counts):
    """Of the slope of an extrapolation in 1/n, measured over repetitions of the experiment."""
    slopes = []
    for seed in range(150):
        samples = [sizes("half normal", [n], m, 1000 * seed + n)[0] for n, m in zip(WIDTHS, counts, strict=True)]
        found = quantiles(samples, 200, np.random.default_rng(seed))
        at = points(np.array(WIDTHS, float), found, [0, 1])
        slopes.append(line(at, "", [at.widths[0] / at.widths]).slope)
    return np.var(slopes)


def plan(seconds, budget, shape="half normal", seed=0):
    informed = {0: [information(WIDTHS, sizes(shape, WIDTHS, 200, seed))]}
    keys = [(0, n) for n in WIDTHS]
    found = allot(WIDTHS, informed, {key: seconds(key[1]) for key in keys}, dict.fromkeys(keys, PILOT), budget)
    return [found[key] for key in keys]


def test_the_budget_is_used_and_not_exceeded():
    counts = plan(lambda n: n * 1e-4, 200.0)
    spent = sum((m - PILOT) * n * 1e-4 for n, m in zip(WIDTHS, counts, strict=True))
    assert 0.85 * 200 < spent <= 200


def test_expensive_widths_get_fewer_samples():
    counts = plan(lambda n: n * 1e-4, 200.0)
    assert counts[0] > 3 * counts[-1]
    assert min(counts) > PILOT


def test_the_plan_beats_equal_counts_at_equal_time():
    def seconds(n):
        return n * 1e-4

    counts = plan(seconds, 60.0)
    total = sum(m * seconds(n) for n, m in zip(WIDTHS, counts, strict=True))
    equal = int(total / sum(map(seconds, WIDTHS)))
    # the ratio of two variances from 150 runs each exceeds 0.8 by chance about once in 10^4 when it is 0.45
    assert variance(counts) < 0.8 * variance([equal] * len(WIDTHS))


def test_nothing_to_tell_gets_nothing():
    zero = [np.zeros(20) for _ in WIDTHS]
    assert information(WIDTHS, zero) is None
    keys = [(0, n) for n in WIDTHS]
    found = allot(WIDTHS, {0: []}, dict.fromkeys(keys, 1.0), dict.fromkeys(keys, PILOT), 240.0)
    assert found == dict.fromkeys(keys, PILOT + 10), "the even share only"


def test_counts_are_bounded():
    assert max(plan(lambda n: 1e-9, 1e3)) == MOST


@pytest.mark.parametrize("widths", [(64, 128), (64, 128, 256)])
def test_few_widths(widths):
    keys = [(0, n) for n in widths]
    informed = {0: [information(widths, sizes("narrow", widths, 50, 0))]}
    found = allot(widths, informed, dict.fromkeys(keys, 1e-2), dict.fromkeys(keys, PILOT), 10.0)
    assert sum(found.values()) > 500

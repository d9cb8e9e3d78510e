"""Sizes that concentrate: c n^e (1 + σ g/√n + b/n), whose 0.9 quantile is corrected at order 1/√n."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tensorprog.exponents import Exponent
from tensorprog.scaling import judge

WIDTHS = (64, 128, 256, 512, 1024)


def concentrating(seed, samples=1000, power=-1.0, spread=6.0, correction=20.0):
    rng = np.random.default_rng(seed)
    return [
        float(n) ** power * np.abs(1 + spread * rng.standard_normal(samples) / np.sqrt(n) + correction / n)
        for n in WIDTHS
    ]


def test_the_exponent_is_found_and_covered():
    """Of 40 95 % intervals at least 32 contain the truth (38 expected), all narrower than ±0.1 on average."""
    found = [judge(WIDTHS, concentrating(s), Exponent(Fraction(-1)), bound=True, seed=s) for s in range(40)]
    assert sum(v.interval[0] <= -1 <= v.interval[1] for v in found) >= 32
    assert np.mean([v.interval[1] - v.interval[0] for v in found]) < 0.2
    assert abs(np.mean([v.slope for v in found]) + 1) < 0.02
    assert not any(v.verdict == "refuted" for v in found)


@pytest.mark.parametrize("claim", [Fraction(-3, 2), Fraction(-1, 2)])
def test_wrong_exponents_are_refuted(claim):
    found = [judge(WIDTHS, concentrating(s), Exponent(claim), bound=False, seed=s).verdict for s in range(20)]
    assert found.count("refuted") >= 16

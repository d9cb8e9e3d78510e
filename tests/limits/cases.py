"""Laws and factors the suites share, and what an honest error is."""

from __future__ import annotations

import numpy as np

COVARIANCE = np.array([[1.3, 0.6], [0.6, 0.8]])
MEAN = np.array([0.4, -0.7])


def pair(f, i, g, j):
    return [(f, (i,), (0,)), (g, (j,), (1,))]


def five():
    rows = np.random.default_rng(5).normal(size=(5, 7))
    return rows @ rows.T / 7


def assert_honest(found, truth, slack=1e-13):
    assert np.all(np.isfinite(found.value))
    assert np.all(np.abs(found.value - truth) <= found.error + slack * np.maximum(1, np.abs(truth)))

"""z = m + L w with independent standard w: triangular square roots of covariances of any rank."""

from __future__ import annotations

import numpy as np

from tensorprog.functions.base import Array
from tensorprog.limits.law import minor, quotient

NEGLIGIBLE = 1e-13


def root(covariance: Array) -> Array:
    """Lower triangular L, L Lᵀ = Σ, for Σ of shape (elements, k, k); a column without a pivot is 0.

    Pivots of the first elimination come from minors without cancellation, so that correlations of 1 - 1e-15 keep
    their digits. Later pivots are rounded, and are nothing below 1e-13 of the variance.
    """
    size = covariance.shape[-1]
    rest = {(i, j): np.array(covariance[:, i, j]) for i in range(size) for j in range(i, size)}
    result = np.zeros_like(covariance)
    for i in range(size):
        pivot = np.maximum(rest[i, i], 0)
        if i > 1:
            pivot[pivot < NEGLIGIBLE * covariance[:, i, i]] = 0
        result[:, i, i] = np.sqrt(pivot)
        for j in range(i + 1, size):
            bound = np.sqrt(np.maximum(rest[j, j], 0))
            result[:, j, i] = np.clip(quotient(rest[i, j], result[:, i, i]), -bound, bound)
        rest = {
            (j, k): np.where(pivot > 0, quotient(minor(value, pivot, rest[i, j], rest[i, k]), pivot), value)
            for (j, k), value in rest.items()
            if j > i
        }
    return result

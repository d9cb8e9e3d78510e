"""z = m + L w with independent standard w: pivoted square roots of covariances of any rank."""

from __future__ import annotations

import numpy as np

from tensorprog.functions.base import Array
from tensorprog.limits.law import minor, quotient

NEGLIGIBLE = 1e-13


def root(covariance: Array) -> Array:
    """L with L Lᵀ = Σ, for Σ of shape (elements, k, k); columns without a pivot are 0.

    Cholesky's elimination, the coordinate with the largest part of its variance left first. The first elimination
    works on minors without cancellation, so that correlations of 1 - 1e-15 keep their digits. Later pivots are
    rounded, and are nothing below 1e-13 of the variance.
    """
    count, size = covariance.shape[:2]
    every = np.arange(count)
    variance = np.maximum(np.diagonal(covariance, axis1=1, axis2=2), 0)
    rest, result = covariance, np.zeros_like(covariance)
    for step in range(size):
        left = np.maximum(np.diagonal(rest, axis1=1, axis2=2), 0)
        share = quotient(left, variance)
        chosen = share.argmax(1)
        pivot = left[every, chosen]
        if step > 1:
            pivot = np.where(share[every, chosen] < NEGLIGIBLE, 0, pivot)
        column = rest[every, :, chosen]
        bound = np.sqrt(left)
        result[:, :, step] = np.clip(quotient(column, np.sqrt(pivot)[:, None]), -bound, bound)
        pivot = pivot[:, None, None]
        reduced = quotient(minor(rest, pivot, column[:, :, None], column[:, None, :]), pivot)
        reduced[every, chosen] = reduced[every, :, chosen] = 0
        rest = np.where(pivot > 0, reduced, 0)
    return result

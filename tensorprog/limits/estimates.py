"""Values with errors: how those of operands pass through sums, products and functions of scalars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorprog.functions import Function
from tensorprog.limits.sampling import standard_errors

Array = NDArray[np.float64]
EPS = float(np.finfo(float).eps)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Value, absolute error, and how it was found; floats where all symbols are, which is many times faster.

    deviations: of every scrambling on a last axis, where some operand was sampled. Their part is not in the error, but
    for what an `Evaluation` returns.
    """

    value: Any
    error: Any
    method: int = 0
    deviations: Array | None = None

    @property
    def whole_error(self) -> Any:
        """The error with three standard errors of the sampling."""
        return self.error if self.deviations is None else plain(self.error + standard_errors(self.deviations))


def with_variances(entries: Sequence[Estimate]) -> list[Estimate]:
    """A covariance, lower triangle row by row; a variance negative by less than its error is 0, with all its row.

    Such is that of a vector that vanishes identically, as a sum of terms that cancel.
    """
    found = list(entries)
    rows = [(i, i * (i + 3) // 2) for i in range(len(entries)) if i * (i + 3) // 2 < len(entries)]
    for i, diagonal in rows:
        variance = entries[diagonal]
        zero = (np.asarray(variance.value) < 0) & (variance.value >= -2 * np.asarray(variance.whole_error))
        if zero.any():
            for j, _ in rows:
                place = max(i, j) * (max(i, j) + 1) // 2 + min(i, j)
                found[place] = replace(found[place], value=plain(np.where(zero, 0.0, found[place].value)))
    return found


def plain(array: Array) -> Any:
    """A float where it is one number."""
    return array.item() if array.ndim == 0 else array


def summed(parts: Sequence[tuple[float, Estimate]], followed: bool) -> Estimate:
    value: Any = 0.0
    error: Any = 0.0
    deviations = None
    for c, p in parts:
        value = value + c * p.value
        if followed:
            error = error + abs(c) * (p.error + EPS * abs(p.value))
        deviations = _added(deviations, c, p.deviations)
    return Estimate(value, error, max(p.method for _, p in parts), deviations)


def multiplied(parts: Sequence[Estimate], followed: bool) -> Estimate:
    value, error, deviations = parts[0].value, parts[0].error if followed else 0.0, parts[0].deviations
    for p in parts[1:]:
        if followed:
            error = abs(p.value) * error + (abs(value) + error) * p.error
        deviations = _added(_added(None, p.value, deviations), value, p.deviations)
        value = value * p.value
    if followed:
        error = error + EPS * len(parts) * abs(value)
    return Estimate(value, error, max(p.method for p in parts), deviations)


def _added(whole: Array | None, scale: Any, deviations: Array | None) -> Array | None:
    """whole + scale · deviations."""
    if deviations is None:
        return whole
    more = np.asarray(scale)[..., None] * deviations
    return more if whole is None else whole + more


def applied(function: Function, order: tuple[int, ...], args: Sequence[Estimate]) -> Estimate:
    values = [p.value for p in args]
    value: Any = plain(function.evaluate(order, *values))
    error = EPS * abs(value)
    deviations = None
    for i, p in enumerate(args):
        slope = function.evaluate(tuple(k + (i == j) for j, k in enumerate(order)), *values)
        error = error + abs(slope) * p.error
        deviations = _added(deviations, slope, p.deviations)
        if function.smoothness is not None:  # a jump within the error
            reach = p.whole_error
            up, down = ([*values[:i], p.value + e, *values[i + 1 :]] for e in (reach, -reach))
            error = error + abs(function.evaluate(order, *up) - function.evaluate(order, *down))
    return Estimate(value, error, max(p.method for p in args), deviations)

"""Expectations of products of nonlinearities at jointly Gaussian arguments: closed form, quadrature, or sampling.

Kinked functions are differentiated almost everywhere: point masses, as that of relu'', are taken out of an expectation
before it comes here (`conditioning`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import prod

import numpy as np
import numpy.typing as npt

from tensorprog.errors import DataError, ExpressionError, SamplingError
from tensorprog.functions.base import Array
from tensorprog.limits.atoms import Atom
from tensorprog.limits.closed import EPS, closed_form, terms_of
from tensorprog.limits.factors import Factor, check, kinks, product, vanishes
from tensorprog.limits.integrals import CLOSED, METHODS, QUADRATURE, SAMPLING, Entries, Part, Parts, integrate
from tensorprog.limits.law import Law
from tensorprog.limits.sampling import SCRAMBLINGS, Memory, standard_errors
from tensorprog.limits.trapezoid import blocks

__all__ = ["CLOSED", "METHODS", "QUADRATURE", "SAMPLING", "Expectation", "average", "expectation"]
BLOCK = 2**15
NEGATIVE = 1e-12
LARGE = 1e140
CANCELLED = 1e-10
GAIN = 0.1


@dataclass(frozen=True)
class Expectation:
    """Values, and the least exact of the methods they came from.

    rounding: estimates of their absolute errors but for sampling. deviations: of every scrambling, on a last axis,
    where something was sampled.
    """

    value: Array
    rounding: Array
    method: str
    deviations: Array | None = None

    @property
    def error(self) -> Array:
        """Estimates of the absolute errors, of sampling three standard errors."""
        return self.rounding if self.deviations is None else self.rounding + standard_errors(self.deviations)


def expectation(
    factors: Sequence[Factor],
    covariance: npt.ArrayLike,
    mean: npt.ArrayLike | None = None,
    *,
    points: int = 2**14,
    method: str | None = None,
    memory: Memory | None = None,
) -> Expectation:
    """E[Π_f ∂^{order_f} ψ_f(z_{arguments_f})] for z ~ N(mean, covariance).

    `factors` are (function, order, arguments); a coordinate may occur in several. `covariance` has shape (..., k, k),
    its upper triangle is read; `mean` has shape (..., k), None is 0. `points` are those of each Sobol sequence, used
    above three dimensions (above two with kinks), or where standard deviations ask for too fine a quadrature.
    `method` allows one of `METHODS` only. `memory` keeps sampled factors for more expectations of one
    law. What overflows is infinite, with an infinite error.

    Raises DataError for arrays that are no covariances or means, ExpressionError for factors that do not fit, that
    are singular, or that the demanded method does not know, SamplingError for `points` that are no power of 2.
    """
    covariance = np.asarray(covariance, dtype=float)
    size = covariance.shape[-1] if covariance.ndim else 0
    if covariance.ndim < 2 or covariance.shape[-2] != size:
        raise DataError(f"a covariance of shape {covariance.shape}; give (..., k, k)")
    if points < 2 or points & (points - 1):
        raise SamplingError(f"points={points}; a Sobol sequence is balanced for powers of 2 only, such as {2**14}")
    check(factors, size)
    centre = None if mean is None else np.asarray(mean, dtype=float)
    if centre is not None and centre.shape[-1:] != (size,):
        raise DataError(f"a mean of shape {centre.shape} for a covariance of shape {covariance.shape}; give (..., k)")
    shape = np.broadcast_shapes(covariance.shape[:-2], () if centre is None else centre.shape[:-1])
    entries = {pair: covariance[..., *pair] for pair in combinations_with_replacement(range(size), 2)}
    means = None if centre is None else [centre[..., i] for i in range(size)]
    return average(factors, shape, entries, means, points, memory, method)


def average(
    factors: Sequence[Factor],
    shape: tuple[int, ...],
    entries: Mapping[tuple[int, int], Array],
    means: Sequence[Array] | None = None,
    points: int = 2**14,
    memory: Memory | None = None,
    method: str | None = None,
    errors: Mapping[tuple[int, int], npt.ArrayLike] | None = None,
) -> Expectation:
    """`expectation` by entries (i, j), i ≤ j, of the covariance, and of the mean; `shape` is theirs when broadcast.

    A closed form reads them as they are: what depends on the rows of a matrix only is computed once for a row.
    `errors` of entries (i, i) are absolute: a variance that is negative within its error counts as 0. They enter no
    stated error; those of other entries are not read.
    """
    if means is not None and not any(x.any() for x in means):
        means = None
    used = sorted({i for _, _, arguments in factors for i in arguments})
    renamed = [(f, order, tuple(used.index(i) for i in arguments)) for f, order, arguments in factors]
    if means is None and vanishes(renamed) and method in (None, CLOSED):
        return Expectation(np.zeros(shape), np.zeros(shape), CLOSED)
    if not used:
        constant = float(product(factors, []))
        return Expectation(np.full(shape, constant), np.full(shape, EPS * abs(constant)), CLOSED)
    task = _Task(renamed, len(used), means is None, points, method, {} if memory is None else memory)
    pairs = combinations_with_replacement(range(len(used)), 2)
    read = {(i, j): np.atleast_1d(entries[used[i], used[j]]) for i, j in pairs}
    centres = None if means is None else [np.atleast_1d(means[i]) for i in used]
    known = {} if errors is None else {n: np.asarray(errors.get((i, i), 0.0)) for n, i in enumerate(used)}
    read = _checked(read, centres, bool(kinks(renamed, len(used))), known)
    part = task.run(read, centres, shape or (1,))
    deviations = None if part.deviations is None else part.deviations.reshape(*shape, SCRAMBLINGS)
    return Expectation(part.value.reshape(shape), part.error.reshape(shape), METHODS[part.rank], deviations)


def _checked(
    entries: Entries, centres: Sequence[Array] | None, kinked: bool, errors: Mapping[int, Array]
) -> dict[tuple[int, int], Array]:
    """Numbers that can be computed with; variances that are negative within their errors become 0."""
    sizes = [max(float(x.max(initial=0)), -float(x.min(initial=0))) for x in (*entries.values(), *(centres or ()))]
    if not all(size < LARGE for size in sizes):
        raise DataError(f"a covariance or mean has entries that are not finite, or not below {LARGE:g}")
    result = dict(entries)
    for (i, j), value in entries.items():
        if i != j:
            continue
        if (value < 0).any():
            beyond = value + np.maximum(NEGATIVE * max(sizes), errors.get(i, np.zeros(())))
            if (beyond < 0).any():
                worst = float(np.broadcast_to(value, beyond.shape)[beyond < 0].min())
                raise DataError(f"coordinate {i} has the variance {worst:.3g}; variances are not negative")
            result[i, i] = np.maximum(value, 0)
        if kinked and ((value > 0) & (value < 1 / LARGE)).any():
            raise DataError(f"coordinate {i} has a variance below {1 / LARGE:g}, not 0; scale the arguments of kinks")
    return result


@dataclass(frozen=True)
class _Task:
    """Factors over the coordinates 0 to size - 1, all of them used."""

    factors: list[Factor]
    size: int
    centred: bool
    points: int
    method: str | None
    memory: Memory

    def run(self, entries: Entries, means: Sequence[Array] | None, shape: tuple[int, ...]) -> Part:
        """All elements: in the shapes they come in where a closed form is known, otherwise in flat blocks."""
        varying = all(entries[i, i].all() for i in range(self.size))
        if varying and (terms := self.terms()) is not None:
            return self.close(terms, entries, means, shape)
        whole = Parts(prod(shape))
        flat = {pair: np.broadcast_to(x, shape).reshape(-1) for pair, x in entries.items()}
        centres = None if means is None else np.stack([np.broadcast_to(x, shape).reshape(-1) for x in means], axis=-1)
        for some in blocks(prod(shape), BLOCK):
            here = {pair: x[some] for pair, x in flat.items()}
            whole.put(some, self.apart(here, None if centres is None else centres[some]))
        return whole

    def apart(self, entries: Entries, means: Array | None) -> Part:
        """Elements with constant coordinates apart from the others."""
        variances = [entries[i, i] for i in range(self.size)]
        if all(v.all() for v in variances):
            return self.vary(entries, means)
        whole = Parts(len(entries[0, 0]))
        constant = np.stack([v == 0 for v in variances], -1)
        for pattern in np.unique(constant, axis=0):
            some = (constant == pattern).all(-1)
            here = means[some] if means is not None else None
            part = {pair: x[some] for pair, x in entries.items()}
            whole.put(some, self.fix(part, here, set(np.flatnonzero(pattern).tolist())))
        return whole

    def fix(self, entries: Entries, means: Array | None, fixed: set[int]) -> Part:
        """With factors of fixed coordinates taken at the mean, and the others averaged."""
        count = len(entries[0, 0])
        centres = np.zeros((count, self.size)) if means is None else means
        known = [f for f in self.factors if fixed.issuperset(f[2])]
        constant = np.broadcast_to(product(known, list(centres.T)), (count,))
        left = [f for f in self.factors if not fixed.issuperset(f[2])]
        if not left:
            return Part(constant, EPS * len(known) * np.abs(constant))
        if self.centred and vanishes(left):
            return Part(np.zeros(count), np.zeros(count))
        used = sorted({i for f in left for i in f[2]})
        renamed = [(f, order, tuple(used.index(i) for i in arguments)) for f, order, arguments in left]
        part = {(used.index(i), used.index(j)): x for (i, j), x in entries.items() if i in used and j in used}
        task = _Task(renamed, len(used), self.centred, self.points, self.method, self.memory)
        found = task.vary(part, None if means is None else means[:, used])
        value, error = constant * found.value, np.abs(constant) * found.error
        deviations = None if found.deviations is None else constant[:, None] * found.deviations
        return Part(value, error + EPS * len(known) * np.abs(value), found.rank, deviations)

    def vary(self, entries: Entries, means: Array | None) -> Part:
        """By the first method that knows these factors."""
        if (terms := self.terms()) is None:
            return self.integrate(entries, means)
        return self.close(terms, entries, None if means is None else list(means.T), entries[0, 0].shape)

    def terms(self) -> tuple[Atom, ...] | None:
        """The product as a sum of atoms with a closed form, None where it is none; of factors that can be averaged."""
        singular = [f.spec for f, _, _ in self.factors if not f.regular]
        if singular:
            raise ExpressionError(f"{singular[0]} is singular: it has no average over a Gaussian argument that varies")
        found = terms_of(tuple(self.factors), self.size, self.centred) if self.method in (None, CLOSED) else None
        if found is None and self.method == CLOSED:
            raise ExpressionError(f"no closed form is known for the average of {_shown(self.factors)}")
        return found

    def close(
        self, terms: tuple[Atom, ...], entries: Entries, means: Sequence[Array] | None, shape: tuple[int, ...]
    ) -> Part:
        mean = None if means is None else dict(enumerate(means))
        with np.errstate(over="ignore", invalid="ignore"):
            value, error = closed_form(terms, Law(range(self.size), lambda i, j: entries[i, j], mean))
        kept = error <= CANCELLED * np.abs(value)
        if kept.all():
            return Part(np.broadcast_to(value, shape), np.broadcast_to(error, shape))
        value, error = (np.nan_to_num(x, nan=np.inf, posinf=np.inf) for x in (value, error))
        part = Part(np.broadcast_to(value, shape), np.broadcast_to(error, shape))
        lost = np.broadcast_to(~kept & np.isfinite(error), shape)
        if self.method is not None or self.size > 2 or not lost.any():
            return part
        return self.recovered(part, lost, entries, means)

    def recovered(self, part: Part, lost: Array, entries: Entries, means: Sequence[Array] | None) -> Part:
        """With digits that terms of both signs have cancelled, by quadrature where it keeps more."""
        some = {pair: np.broadcast_to(x, lost.shape)[lost] for pair, x in entries.items()}
        centres = None if means is None else np.stack([np.broadcast_to(x, lost.shape)[lost] for x in means], axis=-1)
        value, error = part.value.copy(), part.error.copy()
        found = self.integrate(some, centres)
        kept = found.error < GAIN * error[lost]
        value[lost], error[lost] = np.where(kept, found.value, value[lost]), np.where(kept, found.error, error[lost])
        return Part(value, error, int(kept.any() and found.rank))

    def integrate(self, entries: Entries, means: Array | None) -> Part:
        return integrate(self.factors, self.size, entries, means, self.points, self.method, self.memory)


def _shown(factors: Sequence[Factor]) -> str:
    return " · ".join(f"{f.spec}{order}" for f, order, _ in factors)

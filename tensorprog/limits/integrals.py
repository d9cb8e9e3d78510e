"""Averages by quadrature or sampling: which rule takes which elements, in an order that no exchange of inputs changes.

Up to two independent Gaussians the cheap rules come first, and what they leave, thin or wide, goes to `adaptive`; from
three on it is the trapezoidal rule, and sampling where that does not resolve the factors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count as numbers
from typing import Any

import numpy as np

from tensorprog.errors import ExpressionError
from tensorprog.functions.base import Array
from tensorprog.functions.custom import Expression
from tensorprog.functions.kinked import LeakyRelu
from tensorprog.functions.piecewise import Piecewise
from tensorprog.limits.adaptive import adaptive
from tensorprog.limits.bisection import bisected
from tensorprog.limits.expansion import LARGEST, expanded, series_of
from tensorprog.limits.factors import Factor, kinks
from tensorprog.limits.lattice import HIGHEST, lattice
from tensorprog.limits.meshes import Mesh, mesh
from tensorprog.limits.panels import panels
from tensorprog.limits.roots import root
from tensorprog.limits.sampling import SCRAMBLINGS, Memory, quasi_monte_carlo, standard_errors
from tensorprog.limits.trapezoid import EPS, resolved, trapezoid

CLOSED, QUADRATURE, SAMPLING = METHODS = ("closed form", "quadrature", "quasi-Monte Carlo")
Entries = Mapping[tuple[int, int], Array]
"""Covariances of coordinates (i, j), i ≤ j."""
WIDTHS = 4
"""Widths of a Gaussian are told apart by this part of an octave."""
FAILED = 1e-10
ROUGH = 2**10  # points of a sequence with which a lattice is too dear
SCATTERED = 64  # points at which the rounding of expressions is looked at
COARSE = 1e-6
CHEAP = {1: 5.0, 2: 3.0}
"""Octaves that the trapezoid takes, by dimensions; panels, where factors are smooth beside kinks, take 1."""


@dataclass
class Part:
    """Values, errors but for sampling, the number of the method, and deviations of scramblings."""

    value: Array
    error: Array
    rank: int = 0
    deviations: Array | None = None


class Parts(Part):
    """A part of this many elements that is filled by parts."""

    def __init__(self, count: int) -> None:
        super().__init__(np.empty(count), np.empty(count))

    def put(self, some: Any, part: Part) -> None:
        self.value[some], self.error[some] = part.value, part.error
        self.rank = max(self.rank, part.rank)
        if self.deviations is not None:
            self.deviations[some] = 0 if part.deviations is None else part.deviations
        elif part.deviations is not None:
            self.deviations = np.zeros((len(self.value), SCRAMBLINGS))
            self.deviations[some] = part.deviations


def integrate(
    factors: Sequence[Factor],
    size: int,
    entries: Entries,
    means: Array | None,
    points: int,
    method: str | None,
    memory: Memory,
) -> Part:
    """By series where variances are small, what is left by rules.

    Expressions are not computed without cancellation, as 1 - cos z near 0; of the functions of the catalogue only what
    a closed form has lost comes here with no expression in it.
    """
    count = len(entries[0, 0])
    centred = means is None or not means.any()
    if method is not None or size > 2 or not centred or not any(isinstance(f, Expression) for f, _, _ in factors):
        return _by_rules(factors, size, entries, means, points, method, memory)
    thinnest = min(mesh(f, order).thinnest for f, order, _ in factors if isinstance(f, Expression))
    small = np.all([entries[i, i] <= min(LARGEST, (thinnest / 2) ** 2) for i in range(size)], axis=0)
    series = series_of(factors, size) if small.any() else None
    if series is None:
        return _by_rules(factors, size, entries, means, points, method, memory)
    part = {pair: x[small] for pair, x in entries.items()}
    value, error, converged = expanded(series, [part[i, i] for i in range(size)], part.get((0, 1)))
    whole, done = Parts(count), np.flatnonzero(small)[converged]
    whole.put(done, Part(value[converged], error[converged], 1))
    left = np.ones(count, dtype=bool)
    left[done] = False
    if left.any():
        rest = {pair: x[left] for pair, x in entries.items()}
        centres = None if means is None else means[left]
        whole.put(left, _by_rules(factors, size, rest, centres, points, method, memory))
    return whole


def _by_rules(
    factors: Sequence[Factor],
    size: int,
    entries: Entries,
    means: Array | None,
    points: int,
    method: str | None,
    memory: Memory,
) -> Part:
    """Elements of one order of coordinates, one rank and nearly one width at a time."""
    count = len(entries[0, 0])
    covariance = np.empty((count, size, size))
    for (i, j), x in entries.items():
        covariance[:, i, j] = covariance[:, j, i] = x
    centres = np.zeros((count, size)) if means is None else means
    whole = Parts(count)
    orders = _canonical(factors, covariance, centres)
    for order in np.unique(orders, axis=0):
        some = (orders == order).all(1)
        place = {int(old): new for new, old in enumerate(order)}
        placed = sorted(
            ((f, k, tuple(place[i] for i in arguments)) for f, k, arguments in factors),
            key=lambda factor: (factor[0].spec, factor[1], factor[2]),
        )
        rules = _Rules(placed, size, points, method, memory)
        whole.put(some, rules(covariance[some][:, order[:, None], order], centres[some][:, order]))
    return whole


def _canonical(factors: Sequence[Factor], covariance: Array, centres: Array) -> Array:
    """(elements, k): coordinates by variance, mean, size of covariances, and by their factors where these are equal."""
    size = covariance.shape[1]
    if size == 1:
        return np.zeros((len(covariance), 1), dtype=int)
    roles = [sorted((f.spec, order, a.index(i)) for f, order, a in factors if i in a) for i in range(size)]
    ranks = {str(role): n for role, n in zip(sorted(roles, key=str), numbers(), strict=False)}
    rank = np.broadcast_to([ranks[str(role)] for role in roles], centres.shape)
    variance = np.diagonal(covariance, axis1=1, axis2=2)
    others = np.sort(covariance, axis=2).sum(2) if size > 2 else np.zeros_like(variance)
    return np.asarray(np.lexsort((rank, others, centres, variance), axis=-1))


@dataclass(frozen=True)
class _Rules:
    """Factors over coordinates in their canonical order."""

    factors: Sequence[Factor]
    size: int
    points: int
    method: str | None
    memory: Memory

    def __call__(self, covariance: Array, centres: Array) -> Part:
        roots = root(covariance)
        width = (np.sqrt((roots**2).sum(-1)) * self.steep()).max(1)
        octaves = np.ceil(WIDTHS * np.log2(np.maximum(width, 1))) / WIDTHS
        kinds = np.column_stack([octaves, roots.any(1)])
        whole = Parts(len(covariance))
        for kind in np.unique(kinds, axis=0):
            some, pattern = (kinds == kind).all(-1), kind[1:] > 0
            whole.put(some, self.rule(centres[some], roots[some][:, :, pattern], float(kind[0])))
        return whole

    def meshes(self) -> list[Mesh | None]:
        """Of factors that may be steep: the functions of the catalogue are not."""
        return [
            mesh(f, order) if isinstance(f, Expression | Piecewise) and f.arity == 1 else None
            for f, order, _ in self.factors
        ]

    def steep(self) -> list[float]:
        """By coordinate, the inverse of the shortest scale of its factors, 1 for those of the catalogue."""
        scales = [1 / min(1.0, 2 * x.thinnest) if x else 1.0 for x in self.meshes()]
        return [max(s for s, f in zip(scales, self.factors, strict=True) if i in f[2]) for i in range(self.size)]

    def rounded(self, found: tuple[Array, Array, Array], mean: Array, root: Array) -> Part:
        """By value, error and size, with the rounding of arguments at which factors are steep in the error, and what
        rounding leaves of terms that cancel in expressions, at some points."""
        value, error, scale = found
        condition = max((x.condition for x in self.meshes() if x), default=1.0)
        error = error + (4 * EPS * condition * scale if condition > 4 else 0)
        if any(isinstance(f, Expression | Piecewise) for f, _, _ in self.factors):
            w = 2 * np.random.default_rng(0).standard_normal((root.shape[-1], SCATTERED))  # tails too: by their weight
            weight = 2.0 ** len(w) * np.exp(-3 / 8 * (w**2).sum(0)) / SCATTERED
            z = list(np.moveaxis(mean[..., None] + root @ w, -2, 0))
            sizes, errors = np.ones(()), np.ones(())
            with np.errstate(all="ignore"):
                for f, order, arguments in self.factors:
                    size, places = np.abs(f.evaluate(order, *(z[i] for i in arguments))), [z[i] for i in arguments]
                    sizes, errors = sizes * size, errors * (size + f.rounding(order, *places))
                lost = np.broadcast_to(errors - sizes, z[0].shape)
            error = error + 2 * np.where(np.isfinite(lost), lost, 0.0) @ weight  # where numbers overflow is no place
        return Part(value, error, 1)

    def rule(self, mean: Array, root: Array, octave: float) -> Part:
        """By the rules for this many independent Gaussians, the next where one fails."""
        dimension = root.shape[-1]
        curved = any(f.curved for f, _, _ in self.factors)
        kinked = curved or bool(kinks(self.factors, self.size))
        possible = dimension <= (2 if kinked else HIGHEST)
        rough = self.points <= ROUGH and dimension > 2 and self.method is None
        if self.method == SAMPLING or rough:
            return self.sample(mean, root)
        if self.method == QUADRATURE and not possible:
            names = " · ".join(f"{f.spec}{order}" for f, order, _ in self.factors)
            raise ExpressionError(f"no quadrature in {dimension} dimensions for the average of {names}")
        if not possible:
            return self.sample(mean, root)
        if curved:
            return self.or_sampled(bisected(self.factors, mean, root), mean, root)
        if dimension > 3 or (dimension == 3 and not resolved(octave, dimension)):
            return self.gridded(mean, root)
        smooth = not all(isinstance(f, LeakyRelu) for f, _, _ in self.factors)
        limit = (1.0 if smooth else np.inf) if kinked else CHEAP.get(dimension, np.inf)
        fits = dimension <= 2 and all(f.smoothness is None or f.arity == 1 for f, _, _ in self.factors)
        if fits and octave > limit:
            return self.adapted(mean, root)
        found = (panels if kinked else trapezoid)(self.factors, mean, root, octave)
        _, error, scale = found
        whole, cheap = Parts(len(mean)), self.rounded(found, mean, root)
        whole.put(slice(None), cheap)
        left = ~((error <= (FAILED if fits else COARSE) * scale) & (scale > 0))
        if left.any() and fits:
            first = Part(cheap.value[left], cheap.error[left], 1)
            whole.put(left, self.better(first, self.adapted(mean[left], root[left])))
        elif left.any():
            whole.put(left, self.gridded(mean[left], root[left]))
        return whole

    def gridded(self, mean: Array, root: Array) -> Part:
        return self.or_sampled(lattice(self.factors, mean, root, self.steep()), mean, root)

    def or_sampled(self, found: tuple[Array, Array, Array], mean: Array, root: Array) -> Part:
        """Value, error and size by a rule; by sampling too where it leaves a large error."""
        value, error, scale = found
        part = self.rounded(found, mean, root)
        left = ~((error <= COARSE * scale) & (scale > 0))
        if self.method is not None or not left.any():
            return part
        whole = Parts(len(mean))
        whole.put(slice(None), part)
        whole.put(left, self.better(Part(value[left], error[left], 1), self.sample(mean[left], root[left])))
        return whole

    def better(self, one: Part, other: Part) -> Part:
        """Of every element the value of the smaller error."""
        whole = Parts(len(one.value))
        more = other.error if other.deviations is None else other.error + standard_errors(other.deviations)
        first = one.error < more
        for some, part in ((first, one), (~first, other)):
            if some.any():
                deviations = None if part.deviations is None else part.deviations[some]
                whole.put(some, Part(part.value[some], part.error[some], part.rank, deviations))
        return whole

    def adapted(self, mean: Array, root: Array) -> Part:
        part = self.rounded(adaptive(self.factors, mean, root), mean, root)
        left = ~np.isfinite(part.error)
        if self.method is not None or not left.any():
            return part
        whole = Parts(len(mean))
        whole.put(slice(None), part)
        whole.put(left, self.sample(mean[left], root[left]))
        return whole

    def sample(self, mean: Array, root: Array) -> Part:
        value, error, deviations = quasi_monte_carlo(self.factors, mean, root, self.points, self.memory)
        return Part(value, error, 2, deviations)

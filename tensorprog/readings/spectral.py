"""The subordinate norm of a D = 2 correlation: the spectral norm of u ↦ C^{2,d} u, by Lanczos, batched over samples.

Every term of C^{2,d} u is an outer product with one side that does not depend on u. With orthonormal bases Q_R, Q_L
of those fixed right and left sides, all u that matter are  A Q_Rᵀ + Q_L Bᵀ  with Q_Lᵀ A = 0, and |A|² + |B|² is the
squared norm of u: a Krylov space in these coordinates has fixed rank and never sees an n x n array.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tensorprog.errors import SamplingError
from tensorprog.program import Coefficient, Slot
from tensorprog.readings.draws import Array
from tensorprog.readings.evaluate import LowRank, Value, array_of

TOLERANCE = 1e-6
MAX_ITERATIONS = 300
CHECK_EVERY = 4


@dataclass(frozen=True)
class Coordinates:
    """Orthonormal coordinates of one parameter's directions, and the terms of the slot in them.

    `fixed_right` are terms whose left side moves with u, `fixed_left` those whose right side does; for a vector or
    scalar parameter there are only terms without a right side. Coefficients include the slot scale.
    """

    slot: Slot
    scale: float
    n: int
    shape: tuple[int, ...]
    right: Array | None  # (batch, cols, k_R)
    left: Array | None  # (batch, rows, k_L)
    fixed_right: tuple[tuple[Coefficient, str, str], ...]
    fixed_left: tuple[tuple[Coefficient, str, str], ...]

    @property
    def size(self) -> int:
        if self.right is None or self.left is None:
            return math.prod(self.shape)
        rows, cols = self.shape
        return rows * int(self.right.shape[2]) + cols * int(self.left.shape[2])

    def direction(self, flat: Array) -> Value:
        """Coordinates (batch, size) -> the value of the free node, slot scale included."""
        if self.right is None or self.left is None:
            return flat.reshape(len(flat), *self.shape) * self.scale
        rows, cols = self.shape
        cut = rows * self.right.shape[2]
        a = flat[:, :cut].reshape(len(flat), rows, -1)
        b = flat[:, cut:].reshape(len(flat), cols, -1)
        return LowRank(np.concatenate([a, self.left], axis=2) * self.scale, np.concatenate([self.right, b], axis=2))

    def image(self, values: Mapping[str, Value]) -> Array:
        """The slot's value in coordinates (batch, size)."""
        if self.right is None or self.left is None:
            parts = [array_of(values, x) * (c.at(self.n) * self.scale) for c, x, _ in self.slot.terms]
            total = sum(parts[1:], parts[0])
            return total.reshape(len(total), -1)
        a = self._gather(values, self.fixed_right, self.right, moving=1, fixed=2)
        b = self._gather(values, self.fixed_left, self.left, moving=2, fixed=1)
        overlap = self.left.swapaxes(1, 2) @ a
        a = a - self.left @ overlap
        b = b + self.right @ overlap.swapaxes(1, 2)
        return np.concatenate([a.reshape(len(a), -1), b.reshape(len(b), -1)], axis=1)

    def _gather(
        self,
        values: Mapping[str, Value],
        terms: Sequence[tuple[Coefficient, str, str]],
        basis: Array,
        moving: int,
        fixed: int,
    ) -> Array:
        length = self.shape[0] if moving == 1 else self.shape[1]
        if not terms:
            return np.zeros((len(basis), length, basis.shape[2]), basis.dtype)
        sides = _columns(values, [str(term[moving]) for term in terms], len(basis))
        known = _columns(values, [str(term[fixed]) for term in terms], len(basis))
        scale = np.array([c.at(self.n) * self.scale for c, _, _ in terms])
        image: Array = (sides * scale) @ (known.swapaxes(1, 2) @ basis)
        return image


def coordinates(
    slot: Slot, moving: set[str], values: Mapping[str, Value], shape: tuple[int, ...], scale: float, n: int, batch: int
) -> Coordinates:
    """Coordinates of one slot; `moving` are the nodes that depend on the free direction."""
    if len(shape) < 2:
        return Coordinates(slot, scale, n, shape, None, None, (), ())
    whole = [(c, left, right) for c, left, right in slot.terms if right is not None]
    fixed_right = tuple(term for term in whole if term[1] in moving)
    fixed_left = tuple(term for term in whole if term[1] not in moving)
    right = _basis(values, [right for _, _, right in fixed_right], shape[1], batch)
    left = _basis(values, [left for _, left, _ in fixed_left], shape[0], batch)
    return Coordinates(slot, scale, n, shape, right, left, fixed_right, fixed_left)


def spectral_norm(operator: Callable[[Array], Array], start: Array) -> Array:
    """Largest |eigenvalue| of a symmetric operator for each sample of a batch, to a relative 1e-6.

    Parameters
    ----------
    operator: (batch, size) -> (batch, size), symmetric, samples independent.
    start: (batch, size), random: its component along the extreme eigenvector must not vanish.

    Lanczos with full reorthogonalisation. A sample's value is final when the bound residual²/gap (Parlett, The
    Symmetric Eigenvalue Problem, section 11.7) and the change since the check before are below the tolerance; from then
    on its direction is zero: neither its value nor what the operator draws for it depends on the others of the batch.

    Raises SamplingError when a value is not final after 300 steps.
    """
    batch, size = start.shape
    basis = [_normalised(start)[0]]
    alphas: list[Array] = []
    betas: list[Array] = []
    largest: Array = np.zeros(batch)
    final = np.zeros(batch, dtype=bool)
    for step in range(1, min(size, MAX_ITERATIONS) + 1):
        image = operator(basis[-1])
        alphas.append(np.vecdot(basis[-1], image))
        stacked = np.stack(basis, axis=1)
        for _ in range(2):
            image = image - (stacked.swapaxes(1, 2) @ (stacked @ image[:, :, None]))[:, :, 0]
        del stacked  # as large as the basis: no second one while the next is made
        following, beta = _normalised(image)
        betas.append(beta)
        regular = step % CHECK_EVERY == 0 or step == size
        checked = ~final & (regular | (beta <= TOLERANCE * np.abs(alphas[-1])))
        if checked.any():
            now, error = _extreme(alphas, betas)
            settled = (error <= TOLERANCE * now) & (np.abs(now - largest) <= TOLERANCE * now)
            largest = np.where(checked, now, largest)
            final |= checked & settled
            if final.all():
                return largest
        basis.append(np.where(final[:, None], 0, following))
    if size > MAX_ITERATIONS:
        raise SamplingError(
            f"{np.sum(~final)} of {batch} spectral norms are not known to {TOLERANCE:g} after {MAX_ITERATIONS} steps; "
            "take D = 0 or 1 here, or another width or seed"
        )
    return largest


def _extreme(alphas: list[Array], betas: list[Array]) -> tuple[Array, Array]:
    """The extreme Ritz value by modulus and a bound on its error, each (batch,)."""
    m = len(alphas)
    batch = len(alphas[0])
    matrix = np.zeros((batch, m, m))
    index = np.arange(m)
    matrix[:, index, index] = np.stack(alphas, axis=1)
    if m > 1:
        off = np.stack(betas[:-1], axis=1)
        matrix[:, index[1:], index[:-1]] = off
        matrix[:, index[:-1], index[1:]] = off
    ritz, vectors = np.linalg.eigh(matrix)
    pick = np.argmax(np.abs(ritz), axis=1)
    rows = np.arange(batch)
    value = ritz[rows, pick]
    residual = betas[-1] * np.abs(vectors[rows, -1, pick])
    distance = np.abs(ritz - value[:, None])
    distance[rows, pick] = np.inf
    gap = distance.min(axis=1) if m > 2 else np.zeros(batch)
    return np.abs(value), np.minimum(residual, residual**2 / np.maximum(gap - residual, 1e-300))


def _normalised(vectors: Array) -> tuple[Array, Array]:
    norms = np.sqrt(np.vecdot(vectors, vectors))
    return vectors / np.where(norms > 0, norms, 1)[:, None], norms


def _columns(values: Mapping[str, Value], names: Sequence[str], batch: int) -> Array:
    arrays = [array_of(values, name) for name in names]
    return np.stack([np.broadcast_to(a, (batch, a.shape[-1])) for a in arrays], axis=2)


def _basis(values: Mapping[str, Value], names: Sequence[str], length: int, batch: int) -> Array:
    distinct = list(dict.fromkeys(names))
    if not distinct:
        return np.zeros((batch, length, 0))
    return np.linalg.qr(_columns(values, distinct, batch))[0]


def depends_on(nodes: Mapping[str, object], roots: set[str], reads: Callable[[str], Sequence[str]]) -> set[str]:
    """Nodes that are among the roots or read, directly or not, one of them; `nodes` in topological order."""
    found = set(roots)
    for name in nodes if roots else ():
        if any(operand in found for operand in reads(name)):
            found.add(name)
    return found

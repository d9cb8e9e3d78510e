"""`Revealed` at large width: several vectors at once, every pass over the coordinates cut into blocks for two threads.

The same formulas as in `revealed`, for the vectors X of one block together. X is orthogonalised twice against the
basis, then within itself by Cholesky factors of its Gram matrix, twice (CholeskyQR2: Yamamoto, Nakatsukasa, Yanagisawa
and Fukaya, ETNA 44, 2015). Where X is too nearly dependent for that, its vectors go one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tensorprog.readings.arena import Arena
from tensorprog.readings.draws import Array
from tensorprog.readings.revealed import SQUARES, Draw, Revealed, Span
from tensorprog.readings.team import Team

BLOCK = 8192
WELL_CONDITIONED = {
    "float64": 1e-6,
    "float32": 1e-3,
}  # smallest eigenvalue of the normalised Gram matrix that CholeskyQR2 is trusted with
REMAINDER = {
    "float64": 1e-6,
    "float32": 1e-3,
}  # a vector that keeps less of its length than this is left to the careful way


class Blockwise(Revealed):
    """A `Revealed` matrix of one sample whose products are computed in blocks; `team` carries them out.

    What can be done to a block is done while it is in the cache: the vectors pass through it five times.
    """

    def __init__(
        self,
        team: Team,
        arena: Arena,
        rows: int,
        cols: int,
        std: float,
        draw: Draw,
        products: tuple[int, int],
        dtype: np.dtype[np.floating],
    ) -> None:
        super().__init__(1, rows, cols, std, draw, products, dtype)
        self.team, self.arena = team, arena

    def multiply(self, vectors: Sequence[Array], transpose: bool, names: Sequence[str]) -> list[Array]:
        own, other = self.spans[transpose], self.spans[not transpose]
        if len(vectors) + own.count <= vectors[0].shape[-1]:
            own.reserve(len(vectors))
            found = self._orthonormal(own, [x[0] for x in vectors])
            if found is not None:
                return [row[None] for row in self._products(own, other, *found, names)]
        return super().multiply(vectors, transpose, names)

    def _orthonormal(self, own: Span, x: Sequence[Array]) -> tuple[Array, Array, Array] | None:
        """x = coefficients · basis + mixing · q, and `turn` with q = turn · (what is written behind the basis).

        None when x is nearly dependent, or too small or large to be squared.
        """
        number, length = len(x), len(x[0])
        basis, rest = own.vectors[0, : own.count], own.vectors[0, own.count : own.count + number]

        def first(s: slice) -> Array:
            np.stack([row[s] for row in x], out=rest[:, s])
            return np.concatenate([rest[:, s] @ basis[:, s].T, _gram(rest[:, s])], axis=1)

        part, sizes = np.split(self._sum(length, first), [own.count], axis=1)

        def remove(s: slice) -> Array:
            rest[:, s] -= part @ basis[:, s]
            return np.concatenate([rest[:, s] @ basis[:, s].T, _gram(rest[:, s])], axis=1)

        again, gram = np.split(self._sum(length, remove), [own.count], axis=1)
        gram -= again @ again.T  # of what is left when `again` is removed too
        smallest, largest = SQUARES[gram.dtype.name]
        if not ((smallest < np.diag(sizes)) & (np.diag(sizes) < largest)).all():
            return None
        norms = np.sqrt(np.maximum(np.diag(gram), 0))
        if not (norms > REMAINDER[gram.dtype.name] * np.sqrt(np.diag(sizes))).all():
            return None
        if np.linalg.eigvalsh(gram / np.outer(norms, norms))[0] < WELL_CONDITIONED[gram.dtype.name]:
            return None
        factor = np.linalg.cholesky(gram)
        inverse = np.linalg.inv(factor)

        def rotate(s: slice) -> Array:
            rest[:, s] = inverse @ (rest[:, s] - again @ basis[:, s])
            return _gram(rest[:, s])

        second = np.linalg.cholesky(self._sum(length, rotate))
        return part + again, factor @ second, np.linalg.inv(second)

    def _products(
        self, own: Span, other: Span, coefficients: Array, mixing: Array, turn: Array, names: Sequence[str]
    ) -> Array:
        """W q for the new q = turn · (what is behind the basis), written behind the images; returns W x."""
        number = len(mixing)
        q = own.vectors[0, own.count : own.count + number]
        fresh = own.products[0, own.count : own.count + number]
        basis, images = other.vectors[0, : other.count], other.products[0, : other.count]
        known, std = own.products[0, : own.count], fresh.dtype.type(self.std)
        self.team.each(number, lambda i: self.normals(names[i], fresh[i : i + 1], np.ones(1, bool)))

        def finish_q(s: slice) -> Array:
            q[:, s] = turn @ q[:, s]
            overlap: Array = q[:, s] @ images[:, s].T
            return overlap

        seen = self._sum(q.shape[1], finish_q)
        if other.count:
            seen -= std * self._sum(fresh.shape[1], lambda s: fresh[:, s] @ basis[:, s].T)
        result = self.arena.empty(fresh.shape, fresh.dtype)

        def finish(s: slice) -> None:
            fresh[:, s] = std * fresh[:, s] + seen @ basis[:, s]
            result[:, s] = mixing @ fresh[:, s] + coefficients @ known[:, s]

        slices = _slices(fresh.shape[1])
        self.team.each(len(slices), lambda i: finish(slices[i]))
        own.count += number
        own.rank += number
        return result

    def _sum(self, length: int, task: Callable[[slice], Array]) -> Array:
        """Sum of the task over the blocks, in a fixed order."""
        slices = _slices(length)
        total: Array = np.sum(self.team.each(len(slices), lambda i: task(slices[i])), axis=0)
        return total


def _slices(length: int) -> list[slice]:
    return [slice(a, min(a + BLOCK, length)) for a in range(0, length, BLOCK)]


def _gram(x: Array) -> Array:
    """x xᵀ by a plain product: on a copy, since numpy hands x @ x.T to a routine that is many times slower here."""
    product: Array = x @ x.copy().T
    return product

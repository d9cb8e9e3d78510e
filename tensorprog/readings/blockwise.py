"""`Revealed` at large width: several vectors at once, every pass over the coordinates cut into blocks for two threads.

The same formulas as in `revealed`, for the vectors X of one block together. X is orthogonalised twice against the
basis, then within itself by Cholesky factors of its Gram matrix, twice (CholeskyQR2: Yamamoto, Nakatsukasa, Yanagisawa
and Fukaya, ETNA 44, 2015). Where X is too nearly dependent for that, its vectors go one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from tensorprog.readings.draws import Array
from tensorprog.readings.revealed import Revealed, Span

BLOCK = 16_384
WELL_CONDITIONED = 1e-6  # smallest eigenvalue of the normalised Gram matrix that CholeskyQR2 is trusted with
REMAINDER = 1e-6  # a vector that keeps less of its length than this is left to the careful way


class Blockwise(Revealed):
    """A `Revealed` matrix of one sample whose products are computed in blocks; `pool` carries them out."""

    pool: ThreadPoolExecutor

    def multiply(self, vectors: Array, transpose: bool, names: Sequence[str]) -> Array:
        own, other = self.spans[transpose], self.spans[not transpose]
        x = vectors[0]
        if len(x) + own.count > x.shape[1]:
            return super().multiply(vectors, transpose, names)
        own.reserve(len(x))
        found = self._orthonormal(own, np.ascontiguousarray(x))
        if found is None:
            return super().multiply(vectors, transpose, names)
        coefficients, mixing = found
        return self._products(own, other, coefficients, mixing, names)[None]

    def _orthonormal(self, own: Span, x: Array) -> tuple[Array, Array] | None:
        """x = coefficients · basis + mixing · q, the q written behind the basis; None when x is nearly dependent."""
        number, length = x.shape
        basis, fresh = own.vectors[0, : own.count], own.vectors[0, own.count : own.count + number]
        coefficients = np.zeros((number, own.count))
        rest: Array = x
        for _ in range(2 if own.count else 0):
            part = self._sum(length, partial(_overlap, rest, basis))
            self._each(length, partial(_remove, fresh, rest, part, basis))
            coefficients += part
            rest = fresh
        if not own.count:
            fresh[:] = x
        sizes = self._sum(length, lambda s: _gram(x[:, s]))
        gram = self._sum(length, lambda s: _gram(fresh[:, s]))
        norms = np.sqrt(np.diag(gram))
        if not (norms > REMAINDER * np.sqrt(np.diag(sizes))).all():
            return None
        if np.linalg.eigvalsh(gram / np.outer(norms, norms))[0] < WELL_CONDITIONED:
            return None
        mixing = np.eye(number)
        for _ in range(2):
            factor = np.linalg.cholesky(gram)
            self._each(length, partial(_rotate, fresh, np.linalg.inv(factor).astype(x.dtype)))
            mixing = mixing @ factor
            gram = self._sum(length, lambda s: _gram(fresh[:, s]))
        return coefficients, mixing

    def _products(self, own: Span, other: Span, coefficients: Array, mixing: Array, names: Sequence[str]) -> Array:
        """W q for the new q, written behind the images; returns W x."""
        number = len(mixing)
        q = own.vectors[0, own.count : own.count + number]
        fresh = own.products[0, own.count : own.count + number]
        length = fresh.shape[1]
        self._draw_rows(fresh, names)
        if other.count:
            basis, images = other.vectors[0, : other.count], other.products[0, : other.count]
            seen = self._sum(q.shape[1], partial(_overlap, q, images))
            seen -= self.std * self._sum(length, partial(_overlap, fresh, basis))
        known, std = own.products[0, : own.count], fresh.dtype.type(self.std)
        result = np.empty((number, length), fresh.dtype)
        coefficients, mixing = coefficients.astype(fresh.dtype), mixing.astype(fresh.dtype)

        def finish(s: slice) -> None:
            fresh[:, s] *= std
            if other.count:
                fresh[:, s] += seen @ basis[:, s]
            result[:, s] = mixing @ fresh[:, s]
            if len(known):
                result[:, s] += coefficients @ known[:, s]

        self._each(length, finish)
        own.count += number
        return result

    def _draw_rows(self, rows: Array, names: Sequence[str]) -> None:
        """Fresh normals in every row, each from a stream of its own."""

        def row(i: int) -> None:
            self.normals(names[i], rows[i : i + 1])

        for _ in self.pool.map(row, range(len(rows))):
            pass

    def _each(self, length: int, task: Callable[[slice], object]) -> None:
        for _ in self.pool.map(task, _slices(length)):
            pass

    def _sum(self, length: int, task: Callable[[slice], Array]) -> Array:
        """Sum of the task over the blocks, in a fixed order."""
        total: Array = np.sum(np.stack(list(self.pool.map(task, _slices(length)))), axis=0)
        return total


def _slices(length: int) -> list[slice]:
    return [slice(a, min(a + BLOCK, length)) for a in range(0, length, BLOCK)]


def _overlap(x: Array, basis: Array, s: slice) -> Array:
    part: Array = x[:, s] @ basis[:, s].T
    return part


def _remove(target: Array, x: Array, part: Array, basis: Array, s: slice) -> None:
    target[:, s] = x[:, s] - part @ basis[:, s]


def _rotate(x: Array, inverse: Array, s: slice) -> None:
    x[:, s] = inverse @ x[:, s]


def _gram(x: Array) -> Array:
    """x xᵀ by a plain product: on a copy, since numpy hands x @ x.T to a routine that is many times slower here."""
    product: Array = x @ x.copy().T
    return product

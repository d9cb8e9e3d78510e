"""A Gaussian matrix that is revealed product by product, exactly in law, and never built.

Whoever touches W only through products W x and Wᵀ u cannot tell it from a matrix drawn beforehand (Bolthausen, Commun.
Math. Phys. 325, 2014; Bayati and Montanari, IEEE Trans. Inf. Theory 57, 2011). Kept are orthonormal Q_X of the vectors
multiplied so far with W Q_X, and orthonormal Q_U of those multiplied by Wᵀ with Wᵀ Q_U. For a new x = Q_X a + r q,

    W q = Q_U (Wᵀ Q_U)ᵀ q + (1 - Q_U Q_Uᵀ) g,   g ~ N(0, s² 1) fresh,    W x = (W Q_X) a + r W q,

and the same for Wᵀ, with the same s², the variance of an entry of W whichever side is multiplied. A vector in the span
of earlier ones draws nothing. Cost O(n k) for a product after k others, memory O(n k). Vectors that are multiplied
together pass through the basis together, but for the second orthogonalisation.

A span is full when k reaches its dimension; whatever is left of a vector then is rounding, and is dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from tensorprog.readings.draws import Array

DEPENDENT = {"float64": 1e-13, "float32": 2e-5}
"""A remainder smaller than this part of the vector is rounding."""
ITERATED = {"float64": 1e-10, "float32": 2e-5}
"""The same in the iterations of a spectral norm, whose vectors come back into the span and carry more rounding."""
GROWTH = 8  # products by which a basis grows at least when it is full

Draw = Callable[[str, int, Array], None]
"""(node of the product, how often it was computed before, target (batch, length)): fill with fresh normals."""


class Span:
    """Orthonormal vectors of one side and their products, (batch, capacity, length); `count` of them are in use."""

    def __init__(self, batch: int, capacity: int, length: int, image: int, dtype: np.dtype[np.floating]) -> None:
        self.vectors = np.zeros((batch, capacity, length), dtype)
        self.products = np.zeros((batch, capacity, image), dtype)
        self.count = 0

    def reserve(self, more: int) -> None:
        """Room for so many further vectors."""
        wanted = self.count + more
        if wanted > self.vectors.shape[1]:
            extra = max(wanted - self.vectors.shape[1], GROWTH)
            self.vectors = np.pad(self.vectors, ((0, 0), (0, extra), (0, 0)))
            self.products = np.pad(self.products, ((0, 0), (0, extra), (0, 0)))

    @property
    def basis(self) -> Array:
        return self.vectors[:, : self.count]

    @property
    def images(self) -> Array:
        return self.products[:, : self.count]


class Revealed:
    """One matrix of a batch of samples; `multiply` gives W x or Wᵀ x.

    Parameters
    ----------
    rows, cols: its shape. std: standard deviation of an entry. draw: fresh normals, see `Draw`.
    products: how many products of either side are expected, (by W, by Wᵀ), so that memory is allocated once.
    """

    def __init__(
        self,
        batch: int,
        rows: int,
        cols: int,
        std: float,
        draw: Draw,
        products: tuple[int, int],
        dtype: np.dtype[np.floating],
    ) -> None:
        self.std, self.draw, self.batch = std, draw, batch
        right = Span(batch, min(products[0], cols), cols, rows, dtype)
        left = Span(batch, min(products[1], rows), rows, cols, dtype)
        self.spans = (right, left)
        self.computed: Counter[str] = Counter()
        self.dependent = DEPENDENT[dtype.name]

    def forget(self, draw: Draw, iterated: bool = False) -> None:
        """Become another matrix of the same law, in the same memory; `iterated`: for the iterations of a norm."""
        self.draw = draw
        self.dependent = (ITERATED if iterated else DEPENDENT)[self.spans[0].vectors.dtype.name]
        self.computed.clear()
        for span in self.spans:
            span.count = 0

    def multiply(self, vectors: Sequence[Array], transpose: bool, names: Sequence[str]) -> list[Array]:
        """The product with each vector (batch, N); `names` are the nodes of the products."""
        own, other = self.spans[transpose], self.spans[not transpose]
        own.reserve(len(vectors))
        known = own.count
        x = np.stack([np.broadcast_to(v, (self.batch, v.shape[-1])) for v in vectors], axis=1)
        coefficients, new = self._split(own, x)
        if new:
            own.products[:, known : own.count] = self._fresh(own, other, own.basis[:, known:], [names[j] for j in new])
        products = coefficients @ own.images
        return [products[:, j] for j in range(len(vectors))]

    def normals(self, name: str, target: Array) -> None:
        """Fresh normals for a product: a stream of its own for each node, and each time that it is computed."""
        self.computed[name] += 1
        self.draw(name, self.computed[name] - 1, target)

    def _split(self, own: Span, x: Array) -> tuple[Array, list[int]]:
        """Coefficients (batch, vectors, basis) of x, once the basis is completed, and which vectors completed it.

        Every vector is orthogonalised twice: first against what is known, for all vectors together, and against what
        those before it have added; then against all of that again.
        """
        known, number = own.count, x.shape[1]
        coefficients = np.zeros((len(x), number, known + number), x.dtype)
        coefficients[:, :, :known] = x @ own.basis.swapaxes(1, 2)
        rest = x - coefficients[:, :, :known] @ own.basis
        smallest = self.dependent * np.sqrt(np.vecdot(x, x))
        new: list[int] = []
        for j in range(number):
            row = rest[:, j]
            for start in (known, 0) if new else (0,):
                basis = own.basis[:, start:]
                part = (basis @ row[:, :, None])[:, :, 0]
                row -= (part[:, None, :] @ basis)[:, 0]
                coefficients[:, j, start : own.count] += part
            length = np.sqrt(np.vecdot(row, row))
            fresh = length > smallest[:, j]
            if fresh.any():
                coefficients[:, j, own.count] = np.where(fresh, length, 0)
                own.vectors[:, own.count] = row * np.where(fresh, 1 / np.where(fresh, length, 1), 0)[:, None]
                own.count += 1
                new.append(j)
        return coefficients[:, :, : own.count], new

    def _fresh(self, own: Span, other: Span, q: Array, names: Sequence[str]) -> Array:
        """W q for q (batch, vectors, N), orthonormal and orthogonal to earlier ones; for q = 0 it is never used."""
        g = np.empty((*q.shape[:2], own.products.shape[2]), q.dtype)
        for j, name in enumerate(names):
            self.normals(name, g[:, j])
        g *= q.dtype.type(self.std)
        if other.count:
            seen = q @ other.images.swapaxes(1, 2) - g @ other.basis.swapaxes(1, 2)
            g += seen @ other.basis
        return g

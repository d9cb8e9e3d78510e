"""A Gaussian matrix that is revealed product by product, exactly in law, and never built.

Whoever touches W only through products W x and Wᵀ u cannot tell it from a matrix drawn beforehand (Bolthausen, Commun.
Math. Phys. 325, 2014; Bayati and Montanari, IEEE Trans. Inf. Theory 57, 2011). Kept are orthonormal Q_X of the vectors
multiplied so far with W Q_X, and orthonormal Q_U of those multiplied by Wᵀ with Wᵀ Q_U. For a new x = Q_X a + r q,

    W q = Q_U (Wᵀ Q_U)ᵀ q + (1 - Q_U Q_Uᵀ) g,   g ~ N(0, s² 1) fresh,    W x = (W Q_X) a + r W q,

and the same for Wᵀ, with the same s², the variance of an entry of W whichever side is multiplied. A vector in the span
of earlier ones draws nothing. Cost O(n k) for a product after k others, memory O(n k).

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

    def split(self, x: Array) -> tuple[Array, Array]:
        """Coefficients (batch, count) of x in the basis, and what is left of it; orthogonalised twice."""
        coefficients = np.zeros((len(x), self.count), x.dtype)
        rest = x
        for _ in range(2):
            part = (self.basis @ rest[:, :, None])[:, :, 0]
            rest = rest - (part[:, None, :] @ self.basis)[:, 0]
            coefficients += part
        return coefficients, rest

    def add(self, vector: Array, product: Array) -> None:
        self.vectors[:, self.count] = vector
        self.products[:, self.count] = product
        self.count += 1


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
        """The product with each vector (batch, N), one after the other; `names` are the nodes of the products."""
        own, other = self.spans[transpose], self.spans[not transpose]
        own.reserve(len(vectors))
        whole = [np.broadcast_to(x, (self.batch, x.shape[-1])) for x in vectors]
        return [self._product(own, other, x, name) for x, name in zip(whole, names, strict=True)]

    def normals(self, name: str, target: Array) -> None:
        """Fresh normals for a product: a stream of its own for each node, and each time that it is computed."""
        self.computed[name] += 1
        self.draw(name, self.computed[name] - 1, target)

    def _product(self, own: Span, other: Span, x: Array, name: str) -> Array:
        size = np.sqrt(np.vecdot(x, x))
        coefficients, rest = own.split(x)
        length = np.sqrt(np.vecdot(rest, rest))
        fresh = length > self.dependent * size
        known: Array = (coefficients[:, None, :] @ own.images)[:, 0]
        if not fresh.any():
            return known
        scale = np.where(fresh, length, 0)
        q = rest * np.where(fresh, 1 / np.where(fresh, length, 1), 0)[:, None]
        product = self._fresh(own, other, q, name)
        product *= fresh[:, None]
        own.add(q, product)
        return known + scale[:, None] * product

    def _fresh(self, own: Span, other: Span, q: Array, name: str) -> Array:
        """W q for a q orthogonal to all earlier ones."""
        g = np.empty((self.batch, own.products.shape[2]), q.dtype)
        self.normals(name, g)
        g *= q.dtype.type(self.std)
        if not other.count:
            return g
        seen = (other.images @ q[:, :, None])[:, :, 0] - (other.basis @ g[:, :, None])[:, :, 0]
        fresh: Array = g + (seen[:, None, :] @ other.basis)[:, 0]
        return fresh

"""A Gaussian matrix that is revealed product by product, exactly in law, and never built.

Whoever touches W only through products W x and Wᵀ u cannot tell it from a matrix drawn beforehand (Bolthausen, Commun.
Math. Phys. 325, 2014; Bayati and Montanari, IEEE Trans. Inf. Theory 57, 2011). Kept are orthonormal Q_X of the vectors
multiplied so far with W Q_X, and orthonormal Q_U of those multiplied by Wᵀ with Wᵀ Q_U. For a new x = Q_X a + r q,

    W q = Q_U (Wᵀ Q_U)ᵀ q + (1 - Q_U Q_Uᵀ) g,   g ~ N(0, s² 1) fresh,    W x = (W Q_X) a + r W q,

and the same for Wᵀ, with the same s², the variance of an entry of W whichever side is multiplied. A vector in the span
of earlier ones draws nothing. Cost O(n k) for a product after k others, memory O(n k). Vectors that are multiplied
together pass through the basis together, but for the second orthogonalisation.

A span is full when its rank reaches the dimension; whatever is left of a vector then is rounding, and is dropped.
Which vectors draw, and from which stream, each sample of a batch decides for itself: where one has nothing to add, its
basis gets a zero vector. In iterations, which end sooner for some samples than for others, every vector gets a place
in it, so that shapes, and with them the last bits of a sample, do not depend on the others of its batch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from tensorprog.readings.draws import Array

DEPENDENT = {"float64": 1e-13, "float32": 1e-6}
"""A remainder smaller than this part of the vector is rounding."""
ITERATED = {"float64": 1e-10, "float32": 1e-5}
"""The same in the iterations of a spectral norm, whose vectors come back into the span with more rounding: if that
drew, the law would be the same, but what a sample is would depend on rounding."""
SQUARES = {"float64": (1e-250, 1e250), "float32": (1e-25, 1e30)}
"""Squared lengths that are neither close to the smallest number nor to the largest."""
Products = tuple[int, int]
"""How many products with a matrix, and with its transpose."""
GROWTH = 8  # products by which a basis grows at least when it is full

Draw = Callable[[str, NDArray[np.intp], Array], None]
"""(node of the product, of each sample: how often it drew for the node before, or -1 where it draws nothing, target
(batch, length)): fill with fresh normals."""


class Span:
    """Orthonormal vectors of one side and their products, (batch, capacity, length); `count` of them are in use.

    `rank` (batch,): how many of these are not zero.
    """

    def __init__(self, batch: int, capacity: int, length: int, image: int, dtype: np.dtype[np.floating]) -> None:
        self.vectors = np.zeros((batch, capacity, length), dtype)
        self.products = np.zeros((batch, capacity, image), dtype)
        self.clear()

    def clear(self) -> None:
        self.count, self.rank = 0, np.zeros(len(self.vectors), np.intp)

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
        products: Products,
        dtype: np.dtype[np.floating],
    ) -> None:
        self.std, self.batch, self.dtype = std, batch, dtype
        right = Span(batch, min(products[0], cols), cols, rows, dtype)
        left = Span(batch, min(products[1], rows), rows, cols, dtype)
        self.spans = (right, left)
        self.forget(draw)

    def forget(self, draw: Draw, iterated: Collection[str] = ()) -> None:
        """Become another matrix of the same law, in the same memory; `iterated` are products that a norm repeats."""
        self.draw, self.iterated = draw, iterated
        self.drawn: dict[str, NDArray[np.intp]] = {}
        for span in self.spans:
            span.clear()

    def room(self, products: Products) -> Products:
        """What there is room for, or these where they are more."""
        right, left = (span.vectors.shape[1] for span in self.spans)
        return max(right, products[0]), max(left, products[1])

    def holds(self, products: Products) -> bool:
        """Whether there is room for so many, at least as far as a span can be filled."""
        return all(
            span.vectors.shape[1] >= min(more, span.vectors.shape[2])
            for span, more in zip(self.spans, products, strict=True)
        )

    def multiply(self, vectors: Sequence[Array], transpose: bool, names: Sequence[str]) -> list[Array]:
        """The product with each vector (batch, N); `names` are the nodes of the products."""
        x = np.stack([np.broadcast_to(v, (self.batch, v.shape[-1])) for v in vectors], axis=1)
        smallest, largest = SQUARES[self.dtype.name]
        squares = np.vecdot(x, x)
        plain = (smallest < squares) & (squares < largest)
        if plain.all():
            products = self._multiply(x, squares, transpose, names)
        else:  # those in range stay as they are, to the last bit
            most = np.where(plain[:, :, None], 1, np.abs(x).max(axis=2, keepdims=True))
            x = x / np.where((most > 0) & np.isfinite(most), most, 1)
            products = self._multiply(x, np.vecdot(x, x), transpose, names)
            products *= np.where(np.isfinite(most), most, np.nan)
        return [products[:, j] for j in range(len(vectors))]

    def _multiply(self, x: Array, squares: Array, transpose: bool, names: Sequence[str]) -> Array:
        """The products with x (batch, vectors, N), whose squared lengths are given."""
        own, other = self.spans[transpose], self.spans[not transpose]
        own.reserve(x.shape[1])
        known = own.count
        limits = [(ITERATED if name in self.iterated else DEPENDENT)[self.dtype.name] for name in names]
        always = np.array([name in self.iterated for name in names])
        coefficients, new = self._split(own, x, np.array(limits, self.dtype) * np.sqrt(squares), always)
        if new:
            q, drawing = own.basis[:, known:], [(names[j], fresh) for j, fresh in new.items()]
            own.products[:, known : own.count] = self._fresh(own, other, q, drawing)
        products: Array = coefficients @ own.images
        return products

    def normals(self, name: str, target: Array, drawing: NDArray[np.bool_]) -> None:
        """Fresh normals for a product, where samples draw: a stream for each node, and each time that it draws."""
        before = self.drawn.setdefault(name, np.zeros(self.batch, np.intp))
        self.draw(name, np.where(drawing, before, -1), target)
        before += drawing

    def _split(
        self, own: Span, x: Array, smallest: Array, always: NDArray[np.bool_]
    ) -> tuple[Array, dict[int, NDArray[np.bool_]]]:
        """Coefficients (batch, vectors, basis) of x, once the basis is completed; which vectors did so, and where.

        Every vector is orthogonalised twice: first against what is known, for all vectors together, and against what
        those before it have added; then against all of that again. Remainders below `smallest` are dropped.
        """
        known, number = own.count, x.shape[1]
        coefficients = np.zeros((len(x), number, known + number), x.dtype)
        coefficients[:, :, :known] = x @ own.basis.swapaxes(1, 2)
        rest = x - coefficients[:, :, :known] @ own.basis
        new: dict[int, NDArray[np.bool_]] = {}
        for j in range(number):
            row = rest[:, j]
            for start in (known, 0) if new else (0,):
                basis = own.basis[:, start:]
                part = (basis @ row[:, :, None])[:, :, 0]
                row -= (part[:, None, :] @ basis)[:, 0]
                coefficients[:, j, start : own.count] += part
            length = np.sqrt(np.vecdot(row, row))
            fresh = self._leaves(own, length, smallest[:, j])
            if fresh.any() or always[j]:
                coefficients[:, j, own.count] = np.where(fresh, length, 0)
                own.vectors[:, own.count] = row / np.where(fresh, length, 1)[:, None]
                own.vectors[~fresh, own.count] = 0
                own.count += 1
                own.rank += fresh
                new[j] = fresh
        return coefficients[:, :, : own.count], new

    def _leaves(self, own: Span, length: Array, smallest: Array) -> NDArray[np.bool_]:
        """In which samples a remainder of this length leaves the span."""
        found: NDArray[np.bool_] = (length > smallest) & (own.rank < own.vectors.shape[2])
        return found

    def _fresh(self, own: Span, other: Span, q: Array, drawing: Sequence[tuple[str, NDArray[np.bool_]]]) -> Array:
        """W q for q (batch, vectors, N), orthonormal and orthogonal to earlier ones, or 0 where nothing is drawn."""
        g = np.empty((*q.shape[:2], own.products.shape[2]), q.dtype)
        for j, (name, fresh) in enumerate(drawing):
            self.normals(name, g[:, j], fresh)
            g[~fresh, j] = 0
        g *= q.dtype.type(self.std)
        if other.count:
            seen = q @ other.images.swapaxes(1, 2) - g @ other.basis.swapaxes(1, 2)
            g += seen @ other.basis
        return g

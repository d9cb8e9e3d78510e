"""The numbers that fused operations share while a batch of samples runs: scalars in one array, vectors in families."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any

import numpy as np

from tensorprog.readings.draws import Array
from tensorprog.readings.fuse import Fusion
from tensorprog.readings.operations import Blend, Gram, Stack, Total

WHOLE = slice(None)


class Bulk:
    """Scalars (batch, places) and families (batch, members, N) of one run, filled as the values are computed."""

    def __init__(
        self,
        fusion: Fusion,
        batch: int,
        n: int,
        d0: int,
        dtype: np.dtype[np.floating],
        empty: Callable[[tuple[int, ...], np.dtype[np.floating]], Array] = np.empty,
    ) -> None:
        self.fusion, self.n = fusion, n
        self.scalars = np.ones((batch, 1 + len(fusion.places)), dtype)
        self.families = [empty((batch, len(names), width.at(n, d0)), dtype) for width, names in fusion.families]

    def row(self, name: str) -> Array | None:
        """Where a vector of a family is kept, (batch, N)."""
        place = self.fusion.rows.get(name)
        return None if place is None else self.families[place[0]][:, place[1]]

    def keep(self, names: Iterable[str], values: MutableMapping[str, Any]) -> None:
        """Note values that were computed or given where fused operations read them."""
        for name in names:
            place, row = self.fusion.places.get(name), self.row(name)
            if place is not None and name in values:
                self.scalars[:, place] = values[name]
            if row is not None:
                if not np.may_share_memory(row, values[name]):
                    row[...] = values[name]
                values[name] = row

    def products(self, gram: Gram, values: Mapping[str, Any], part: slice = WHOLE) -> Array:
        """Sums over coordinates of row · column, (batch, rows, columns); values are of that `part` of them."""
        rows, cols = self._stacked(gram.rows, values, part), self._stacked(gram.cols, values, part)
        if gram.rows.names == gram.cols.names:
            cols = cols.copy()  # numpy hands x @ x.T to a routine that is many times slower here
        found: Array = rows @ cols.swapaxes(1, 2)
        return found

    def averages(self, gram: Gram, products: Array, length: int, values: MutableMapping[str, Any]) -> None:
        """Note the averages that such sums are N times of."""
        self.scalars[:, gram.places] = products[:, *gram.pairs] / length
        values.update({name: self.scalars[:, place] for name, place in gram.shown})

    def weights(self, operation: Blend | Total) -> Array:
        """(batch, rows, columns)."""
        return operation.weights.at(self.n, self.scalars)

    def blended(self, blend: Blend, weights: Array, values: Mapping[str, Any], part: slice = WHOLE) -> Array:
        """Σ_j weights_ij vector_j, (batch, rows, N)."""
        found: Array = weights @ self._stacked(blend.vectors, values, part)
        return found

    def _stacked(self, stack: Stack, values: Mapping[str, Any], part: slice) -> Array:
        if stack.family is not None:
            return self.families[stack.family][:, stack.index, part]
        arrays = [values[name] for name in stack.names]
        batch = max(len(x) for x in arrays)
        return np.stack([np.broadcast_to(x, (batch, x.shape[-1])) for x in arrays], axis=1)

"""Input data at the boundary: shapes and values are checked once, before any work."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tensorprog.arrays import real_array
from tensorprog.errors import DataError
from tensorprog.program import Input, Program


def check_data(program: Program, data: ArrayLike) -> NDArray[np.float64]:
    """The data as float64, (inputs, d0) or (inputs, positions, d0), or a DataError that names the numbers.

    More rows than the program reads are allowed: a correlation of few points uses the first ones.
    """
    array = real_array(data, "the data", "pass an array (inputs, d0)")
    wanted = "(inputs, d0)" if program.positions is None else "(inputs, positions, d0)"
    if array.ndim != (2 if program.positions is None else 3):
        raise DataError(f"data of shape {array.shape} were given, the program was traced for {wanted}")
    if len(array) < program.inputs:
        raise DataError(f"data of shape {array.shape} have {len(array)} inputs, the program reads {program.inputs}")
    if program.positions is not None and array.shape[1] < program.positions:
        raise DataError(
            f"data of shape {array.shape} have {array.shape[1]} positions, the program reads {program.positions}"
        )
    if array.shape[-1] == 0:
        raise DataError(f"data of shape {array.shape} have dimension d0 = 0; give at least one coordinate")
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        where = tuple(int(i) for i in bad[0])
        raise DataError(
            f"the data hold {len(bad)} NaN or infinite values, the first at index {where}: {array[where]}; remove them"
        )
    return array


def input_values(
    program: Program, data: NDArray[np.float64], dtype: np.dtype[np.floating]
) -> dict[str, NDArray[np.floating]]:
    """Values of the input nodes, arrays (1, d0)."""
    found = {}
    for name, node in program.leaves.items():
        if isinstance(node, Input):
            row = data[node.index] if node.position is None else data[node.index, node.position]
            found[name] = row[None].astype(dtype)
    return found

"""Arrays of real numbers from whatever is given: what is no real number is refused, never turned into one."""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tensorprog.errors import DataError, TensorProgramError, described

NUMBERS = "fiub"


def real_array(
    values: ArrayLike, what: str, remedy: str, error: type[TensorProgramError] = DataError
) -> NDArray[np.float64]:
    """The values as float64; infinite where they are too large, for the caller to refuse.

    Raises the error for complex numbers, dates, texts of numbers, masked entries, and what is no array.
    """
    if hidden := _hidden(values):
        raise error(f"{what} hide {hidden} masked entries; fill them in, or leave those rows out")
    try:
        array = np.asarray(values)
    except Exception as fault:  # of an object's own conversion too
        raise error(f"{what} are no array of real numbers ({described(fault)}); {remedy}") from None
    if array.dtype.kind == "O":
        return _of_objects(array, what, remedy, error)
    if array.dtype.kind not in NUMBERS:
        raise error(f"{what} are no array of real numbers (they are of type {array.dtype}); {remedy}")
    with np.errstate(all="ignore"):
        return np.asarray(array, dtype=np.float64)


def _hidden(values: object) -> int:
    """Masked entries, of arrays in lists too."""
    if isinstance(values, np.ma.MaskedArray):
        return int(np.ma.getmaskarray(values).sum())
    return sum(map(_hidden, values)) if isinstance(values, list | tuple) else 0


def _of_objects(
    array: NDArray[np.generic], what: str, remedy: str, error: type[TensorProgramError]
) -> NDArray[np.float64]:
    """Fractions, long integers and the like, each of them a real number."""
    found = np.empty(array.shape)
    for index, value in np.ndenumerate(array):
        if not isinstance(value, Real) or isinstance(value, np.timedelta64):
            fault = f"{repr(value)[:40]} at index {index} is a {type(value).__name__}"
            raise error(f"{what} are no array of real numbers ({fault}); {remedy}")
        try:
            found[index] = float(value)
        except OverflowError:
            found[index] = np.inf
    return found

"""Kernel matrices of infinitely wide networks over a data set, from the limit of one pair of inputs."""

from __future__ import annotations

from typing import Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tensorprog.arrays import real_array
from tensorprog.errors import DataError, ProgramError
from tensorprog.limits.pairs import covariance, paired
from tensorprog.limits.routes import TOLERANCE, KernelMatrix
from tensorprog.passes import correlation
from tensorprog.program import Program
from tensorprog.readings import check_data, check_gaussian

Array = NDArray[np.float64]
KINDS = ("nngp", "ntk")


@overload
def kernel(
    program: Program,
    X: ArrayLike,
    X2: ArrayLike | None = None,
    which: str = "ntk",
    tolerance: float = TOLERANCE,
    errors: Literal[False] = False,
) -> Array: ...


@overload
def kernel(
    program: Program,
    X: ArrayLike,
    X2: ArrayLike | None = None,
    which: str = "ntk",
    tolerance: float = TOLERANCE,
    *,
    errors: Literal[True],
) -> tuple[Array, Array]: ...


def kernel(
    program: Program,
    X: ArrayLike,
    X2: ArrayLike | None = None,
    which: str = "ntk",
    tolerance: float = TOLERANCE,
    errors: bool = False,
) -> Array | tuple[Array, Array]:
    """The infinite-width kernel of a network, between all rows of X and of X2 (X itself by default).

    Parameters
    ----------
    program: from `tp.trace`, with any number of inputs; of several outputs, which are alike, the first one's.
    X, X2: (m, d0) or (m, positions, d0), any number of rows.
    which: "ntk", Σ_P ∇_P F(x)·∇_P F(x') over trainable parameters at η = 1 (Jacot et al., arXiv 1806.07572), or
        "nngp", the covariance of F(x) and F(x') (Lee et al., arXiv 1711.00165).
    tolerance: the largest error that an entry may have, as a multiple of (K(x, x) K(x', x'))^(1/2).
    errors: return the absolute errors too, whatever they are.

    Kinks inside functions of functions, as of relu(relu(h) - 1), are looked for along every line of integration: such
    entries take about a second each.

    Returns K (m, m2), float64; with errors, K and the errors, both (m, m2), infinite where an entry has no value (nan).
    K is symmetric, equal rows have equal entries, and which rows are beside it changes an entry by less than its error.

    Raises DataError for data that do not fit, ProgramError when the kernel has no finite limit, or none the calculus
    can take, PrecisionError for entries whose errors are above the tolerance.
    """
    if which not in KINDS:
        raise ProgramError(f"which={which!r} is not one of {', '.join(KINDS)}")
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or not tolerance > 0:
        raise ProgramError(
            f"tolerance={tolerance!r} is no positive number; give a relative error, such as {TOLERANCE:g}"
        )
    check_gaussian(program)
    pair = paired(program)
    first = check_data(pair, _two(X, "X"))
    second = first if X2 is None else check_data(pair, _two(X2, "X2"))
    if first.shape[1:] != second.shape[1:]:
        raise DataError(f"rows of X have the shape {first.shape[1:]}, those of X2 {second.shape[1:]}")
    rows = first[: len(np.asarray(X))]
    columns = None if X2 is None else second[: len(np.asarray(X2))]
    target = correlation(pair, 0, 1) if which == "ntk" else covariance(pair)
    matrix = KernelMatrix(target, rows, columns, float(tolerance))
    if errors:
        return matrix.values, matrix.errors
    matrix.check()
    return matrix.values


def _two(X: ArrayLike, name: str) -> Array:
    """At least two rows, as a pair reads them; the rest of the check is that of any data."""
    array = real_array(X, name, "pass an array (m, d0)")
    if array.ndim not in (2, 3) or not len(array):
        raise DataError(f"{name} has the shape {array.shape}; give (m, d0), or (m, positions, d0) for sequences")
    return array if len(array) > 1 else np.concatenate([array, array])

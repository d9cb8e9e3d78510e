"""Input data and targets from a file, or the handwritten digits that scikit-learn ships.

Accepted are `.npy` arrays, (inputs, d0) or (inputs, positions, d0), and `.csv` tables of numbers, one input a row.
Pickled objects are never loaded.
"""

from __future__ import annotations

import csv
import math
import os
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tensorprog.arrays import NUMBERS
from tensorprog.errors import DataError, message_of

DIGITS = "digits"
PIXELS = 64
ZIP = b"PK"
Array = NDArray[np.float64]


def inputs_from(source: str, positions: int | None = None) -> Array:
    """The data that "digits", a `.npy` file or a `.csv` file hold, as float64.

    `positions` splits the digits for architectures of sequences, see `digits`; files are taken as they are.
    Raises DataError, naming the file and the place in it.
    """
    if source == DIGITS:
        return digits(positions)
    array = _read(f"the inputs {source!r}", Path(source), ", or digits")
    if array.ndim not in (2, 3):
        shape = f"the inputs {source!r} have shape {array.shape}"
        raise DataError(f"{shape}; give (inputs, d0) or (inputs, positions, d0)")
    return array


def targets_from(source: str) -> Array:
    """The targets (inputs,) or (inputs, outputs) that a `.npy` or `.csv` file holds, one row an input.

    A single column is returned as (inputs,). Raises DataError, naming the file and the place in it.
    """
    array = _read(f"the targets {source!r}", Path(source), "")
    if array.ndim not in (1, 2):
        raise DataError(f"the targets {source!r} have shape {array.shape}; give (inputs,) or (inputs, outputs)")
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def _read(what: str, path: Path, other: str) -> Array:
    """A file of real, finite numbers, at least one."""
    reader = {".npy": _npy, ".csv": _csv}.get(path.suffix.lower())
    if path.is_dir():
        raise DataError(f"{what} are a folder; give a .npy or .csv file{other}")
    if not path.is_file():
        raise DataError(f"{what} do not exist; give a .npy or .csv file{other}")
    if reader is None:
        raise DataError(f"{what} are neither .npy nor .csv; save them with numpy.save as .npy")
    try:
        return _checked(what, reader(path))
    except OSError as error:
        raise DataError(f"{what} cannot be read: {error.strerror or error}") from None
    except MemoryError:
        raise DataError(f"{what} do not fit the memory; give fewer inputs") from None


def digits(positions: int | None = None) -> Array:
    """Ten 8 × 8 handwritten digits, the first image of each label 0, 1, …, 9, every vector scaled to |x|² = d0.

    Returns (10, 64) for `positions` None. Otherwise (10, p, 64/p), p consecutive blocks of pixels, where p divides 64,
    and (10, p, 8), the first p rows of the image, for other p up to 8.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise DataError(
            "the inputs 'digits' come with scikit-learn, which is not installed; "
            "run: pip install 'tensorprog[digits]', or give a .npy or .csv file"
        ) from None
    images, labels = load_digits(return_X_y=True)
    first = np.stack([images[int(np.flatnonzero(labels == label)[0])] for label in range(10)])
    if positions is None:
        parts = first[:, None, :]
    elif PIXELS % positions == 0:
        parts = first.reshape(10, positions, PIXELS // positions)
    elif positions <= 8:
        parts = first.reshape(10, 8, 8)[:, :positions]
    else:
        raise DataError(f"the digits have no {positions} positions; give a divisor of {PIXELS}, or at most 8 rows")
    squares = (parts**2).sum(axis=-1, keepdims=True)
    if not squares.all():
        raise DataError(f"a digit cut into {positions} positions has a blank one; use fewer positions")
    scaled = np.asarray(parts * np.sqrt(parts.shape[-1] / squares), dtype=np.float64)
    return scaled[:, 0] if positions is None else scaled


def _npy(path: Path) -> NDArray[np.generic]:
    """The array of a file, whose header is judged before memory is taken for what it announces."""
    with path.open("rb") as file:
        if file.read(2) == ZIP:
            raise DataError(f"{str(path)!r} holds several arrays; save one with numpy.save")
        file.seek(0)
        try:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file)
        except (KeyboardInterrupt, OSError):
            raise
        except BaseException as error:  # whatever reading a text as a Python literal may raise
            raise _no_array(path, message_of(error).partition("\n")[0]) from None
        if dtype.hasobject:
            raise _no_array(path, "it holds pickled objects")
        announced, held = prod(shape) * dtype.itemsize, os.fstat(file.fileno()).st_size - file.tell()
        if min(shape, default=0) < 0 or announced > held:
            what = f"its header announces shape {_shortened(shape)} of {dtype}, {_shortened(announced)} bytes"
            raise _no_array(path, f"{what}, the file holds {held}")
        file.seek(0)
        try:
            found = np.load(file, allow_pickle=False)
        except (ValueError, EOFError, OverflowError, TypeError) as error:
            raise _no_array(path, str(error).partition("\n")[0]) from None
    if not isinstance(found, np.ndarray):
        raise _no_array(path, f"it holds {type(found).__name__}")
    return found


def _no_array(path: Path, reason: str) -> DataError:
    return DataError(f"{str(path)!r} is no .npy array of numbers: {_cut(reason)}; save one with numpy.save")


def _shortened(value: object) -> str:
    """A number or a shape from a file, which may have more digits than anybody reads."""
    try:
        return _cut(str(value))
    except ValueError:
        return "of very many digits"


def _cut(text: str, most: int = 120) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def _csv(path: Path) -> Array:
    """Rows of numbers; a first line without any number is a header and skipped, so are blank lines."""
    rows: list[list[float]] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            for line, cells in enumerate(csv.reader(lines), 1):
                if not any(cell.strip() for cell in cells):
                    continue
                if line == 1 and all(_number(cell) is None for cell in cells):
                    continue
                rows.append(_row(path, line, cells, len(rows[0]) if rows else len(cells)))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{str(path)!r} is no table of comma-separated numbers: {error}") from None
    return np.array(rows, dtype=np.float64).reshape(len(rows), -1) if rows else np.empty((0, 0))


def _row(path: Path, line: int, cells: list[str], expected: int) -> list[float]:
    if len(cells) != expected:
        raise DataError(
            f"line {line} of {str(path)!r} has {len(cells)} numbers, the lines before have {expected}; "
            "every line is one input, give all of them the same length"
        )
    numbers = []
    for column, cell in enumerate(cells, 1):
        value = _number(cell)
        if value is None:
            raise DataError(f"line {line} of {str(path)!r} has {cell[:40]!r} in column {column}, not a number")
        if not math.isfinite(value):
            raise DataError(f"line {line} of {str(path)!r} has {cell[:40]!r} in column {column}; give finite numbers")
        numbers.append(value)
    return numbers


def _number(cell: str) -> float | None:
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def _checked(what: str, found: NDArray[np.generic]) -> Array:
    """Real, finite, not empty."""
    if found.dtype.kind not in NUMBERS:
        raise DataError(f"{what} have entries of type {found.dtype}; give real numbers")
    if found.size == 0:
        raise DataError(f"{what} are empty, of shape {found.shape}; give one row an input")
    with np.errstate(all="ignore"):  # what is too large for a double becomes infinite
        array = np.asarray(found, dtype=np.float64)
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        where = tuple(int(i) for i in bad[0])
        raise DataError(f"{what} hold {len(bad)} NaN or infinite values, the first at index {where}; remove them")
    return array

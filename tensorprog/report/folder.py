"""The folder that a report is saved to: everything is made first, then written, so that nothing is half there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tensorprog.writing import Content, encoded, write_files

Array = NDArray[np.float64]
SAMPLES = "samples.npz"


def write(
    folder: str | Path, texts: Mapping[str, str], arrays: Mapping[str, Array], samples: Mapping[str, Array]
) -> Path:
    """Texts by file name, arrays as `name.npy`, samples together as samples.npz; returns the folder.

    Raises WritingError, naming the file.
    """
    contents: dict[str, Content] = {name: encoded(text) for name, text in texts.items()}
    contents |= {f"{name}.npy": _array(array) for name, array in arrays.items()}
    contents[SAMPLES] = _archive(samples)
    return write_files(folder, contents)


def _array(array: Array) -> Content:
    return lambda file: np.save(file, array)


def _archive(samples: Mapping[str, Array]) -> Content:
    named: dict[str, Any] = dict(samples)

    def put(file: BinaryIO) -> None:
        np.savez_compressed(file, **named)

    return put

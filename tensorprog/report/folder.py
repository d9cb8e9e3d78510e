"""The folder that a report is saved to: everything is made first, then written, so that nothing is half there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def write(
    folder: str | Path, texts: Mapping[str, str], arrays: Mapping[str, Array], samples: Mapping[str, Array]
) -> Path:
    """Texts by file name, arrays as `name.npy`, samples together as samples.npz; returns the folder."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (target / name).write_text(text, encoding="utf-8")
    for name, array in arrays.items():
        np.save(target / f"{name}.npy", array)
    named: dict[str, Any] = dict(samples)
    np.savez_compressed(target / "samples.npz", **named)
    return target

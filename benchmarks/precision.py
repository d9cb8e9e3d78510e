"""What float32 costs in accuracy: the same Gaussians, rounded, in both precisions."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

import tensorprog as tp
from benchmarks.readings import DATA
from tensorprog.architectures import mlp
from tensorprog.readings import draws, exact, realise

ORDERS = [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (1, 1)]


class Rounded:
    """A stream whose float32 numbers are the float64 ones, rounded."""

    def __init__(self, seed: int, width: int, sample: int, name: str, *place: int) -> None:
        self._stream = draws.stream(seed, width, sample, name, *place)

    def standard_normal(self, dtype: np.dtype[np.floating], out: NDArray[np.floating]) -> None:
        out[...] = self._stream.standard_normal(out.shape)


def run() -> None:
    program = tp.trace(mlp, inputs=5)
    correlations = [tp.correlation(program, D, d) for D, d in ORDERS]
    print("relative error of float32, median and largest of the samples, exact reading")
    print(f"{'n':>8}  " + "".join(f"{f'C^{D},{d}':>20}" for D, d in ORDERS))
    for width, samples in ((64, 200), (1024, 100), (2**14, 20), (2**18, 5)):
        with patch.object(exact, "stream", Rounded), patch.object(realise, "draw", _draw):
            single, double = (
                np.array(tp.sample(correlations, DATA, width, samples, 0, "exact", dtype=kind))
                for kind in (np.float32, np.float64)
            )
        error = np.abs(single - double) / np.abs(double)
        shown = "".join(f"{np.median(row):10.0e}{row.max():10.0e}" for row in error)
        print(f"{width:8d}  {shown}")
    print()


def _draw(
    name: str, size: tuple[int, ...], width: int, samples: range, seed: int, dtype: np.dtype[np.floating]
) -> NDArray[np.floating]:
    return draws.draw(name, size, width, samples, seed, np.dtype(np.float64)).astype(dtype)

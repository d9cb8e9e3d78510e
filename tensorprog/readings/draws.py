"""Parameters at a finite width, one random stream for each (seed, width, sample, parameter).

The stream of a parameter depends on nothing else: not on the batch it is drawn in, nor on the other parameters of the
program, so every correlation of one architecture sees the same weights.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy.special import erf

from tensorprog.errors import SamplingError
from tensorprog.program import Matrix, Parameter, Program, Vector

Array = NDArray[np.floating]
ENTRIES: Mapping[str, Callable[[Array], Array]] = MappingProxyType(
    {
        "gaussian": lambda g: g,
        "rademacher": lambda g: np.sign(g, out=g),
        "uniform": lambda g: np.multiply(erf(np.divide(g, math.sqrt(2), out=g), out=g), math.sqrt(3), out=g),
        "constant": lambda g: np.clip(g, 1, 1, out=g),
    }
)
"""Entries of each law, of mean square 1, in place of standard normals: a matrix may take half of the memory."""


class Key(np.random.bit_generator.ISeedSequence):
    """A seed sequence that hands out the words of a hash; numpy's own takes as long as a thousand Gaussians."""

    def __init__(self, *parts: object) -> None:
        self._digest = hashlib.blake2b(repr(parts).encode()).digest()

    def generate_state(self, n_words: int, dtype: DTypeLike = np.uint32) -> NDArray[np.uint32 | np.uint64]:
        words: NDArray[np.uint32 | np.uint64] = np.frombuffer(self._digest, dtype)[:n_words]
        return words


def stream(seed: int, width: int, sample: int, name: str, *place: int) -> np.random.Generator:
    """The generator of one parameter's entries, or of one product with it; its state is a hash of the arguments."""
    key: Any = Key(int(seed), width, sample, name, *place)  # numpy's stubs know SeedSequence only
    return np.random.Generator(np.random.SFC64(key))


def shape(program: Program, name: str, width: int, d0: int) -> tuple[int, ...]:
    """Array shape of a parameter: (rows, cols), (length,) or ()."""
    kind = program.types[name]
    if isinstance(kind, Matrix):
        return kind.rows.at(width, d0), kind.cols.at(width, d0)
    return (kind.width.at(width, d0),) if isinstance(kind, Vector) else ()


def entry_scale(parameter: Parameter, width: int, d0: int) -> float:
    """What multiplies the unit-variance entries: n^(-a) σ (fan-in / n)^(-1/2), or σ d0^(-1/2)."""
    fan = 1.0
    if parameter.cols is not None:
        fan = float(parameter.cols.ratio) if parameter.cols.growing else float(d0)
    return float(parameter.std) * math.pow(width, -float(parameter.a)) / math.sqrt(fan)


def slot_scale(parameter: Parameter, width: int, d0: int) -> float:
    """What a free slot on this parameter carries: the entry scale times n^(-c/2)."""
    return entry_scale(parameter, width, d0) * math.pow(width, -float(parameter.c) / 2)


def draw(
    name: str, size: tuple[int, ...], width: int, samples: range, seed: int, dtype: np.dtype[np.floating]
) -> Array:
    """Unit-variance entries of one parameter, (len(samples), *size)."""
    values = np.empty((len(samples), *size), dtype)
    for row, sample in enumerate(samples):
        stream(seed, width, sample, name).standard_normal(dtype=dtype, out=values[row, ...])
    return values


def check_width(program: Program, width: object) -> int:
    """A positive integer at which every ratio·n is an integer, or a SamplingError that says which is not."""
    if isinstance(width, bool) or not isinstance(width, int | np.integer) or width < 1:
        raise SamplingError(f"width={width!r} must be a positive integer")
    for side, name in program.widths.items():
        if side.growing and (side.ratio * int(width)).denominator != 1:
            raise SamplingError(
                f"width {width} gives node {name!r} {side.ratio}·{width} coordinates; use a multiple of "
                f"{side.ratio.denominator}"
            )
    return int(width)

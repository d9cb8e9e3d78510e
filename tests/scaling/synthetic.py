"""Samples of sizes with a known law: what verdicts are calibrated on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Shape = Callable[[np.random.Generator, int], np.ndarray]

SHAPES: dict[str, Shape] = {
    "half normal": lambda rng, m: np.abs(rng.standard_normal(m)),
    "narrow": lambda rng, m: np.exp(0.3 * rng.standard_normal(m)),
    "product": lambda rng, m: np.abs(rng.standard_normal(m) * rng.standard_normal(m)),
    "lognormal": lambda rng, m: np.exp(2 * rng.standard_normal(m)),
}
"""A scalar of mean zero, a norm, the product of two scalars of mean zero, and a heavy tail."""


def sizes(
    shape: str,
    widths: Sequence[int],
    samples: int,
    seed: int,
    *,
    power: float = -1.0,
    log: float = 0.0,
    correction: float = 0.0,
) -> list[np.ndarray]:
    """n^power (log n)^log times a random size, which a correction of order 1/n moves, quantiles differently."""
    rng = np.random.default_rng(seed)
    found = []
    for n in widths:
        z = SHAPES[shape](rng, samples)
        moved = z * (1 + correction * widths[0] / n * (1 + 0.5 * np.tanh(z)))
        found.append(moved * float(n) ** power * np.log(n) ** log)
    return found


@dataclass(frozen=True)
class Corrected:
    """n^-1 times a random size times (1 + c (n_1/n)^a + half (n_1/n)^{1/2}), or one over that: for all quantiles."""

    shape: str
    samples: int
    widths: tuple[int, ...]
    c: float = 0.0
    a: float = 1.0
    inverse: bool = False
    half: float = 0.0
    power = -1

    def __str__(self) -> str:
        sign = "/" if self.inverse else "*"
        return f"{self.shape} {self.samples}x{len(self.widths)} {sign}(1+{self.c:g}z^{self.a:g}+{self.half:g}z^0.5)"

    def draw(self, seed: int) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        found = []
        for n in self.widths:
            z = self.widths[0] / n
            factor = 1 + self.c * z**self.a + self.half * z**0.5
            found.append(SHAPES[self.shape](rng, self.samples) / n * (1 / factor if self.inverse else factor))
        return found


@dataclass(frozen=True)
class Exponential:
    """v·exp(Ux)/√n, Ux of standard deviation `spread`; with `mean`, the average of exp(2Ux): constant at large n.

    Averages of lognormal sizes grow until a width of about exp(2 spread²) sees the tail.
    """

    spread: float
    samples: int
    widths: tuple[int, ...]
    mean: bool = False
    power = 0

    def __str__(self) -> str:
        return f"{'mean of exp' if self.mean else 'v exp'}({self.spread:g} g) {self.samples}x{len(self.widths)}"

    def draw(self, seed: int) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        found = []
        for n in self.widths:
            squares = np.exp(2 * self.spread * rng.standard_normal((self.samples, n), dtype=np.float32)).mean(axis=1)
            size = squares if self.mean else np.sqrt(squares) * np.abs(rng.standard_normal(self.samples))
            found.append(size.astype(np.float64))
        return found

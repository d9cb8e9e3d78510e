"""Samples of sizes with a known law: what verdicts are calibrated on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Shape = Callable[[np.random.Generator, int], np.ndarray]

SHAPES: dict[str, Shape] = {
    "half normal": lambda rng, m: np.abs(rng.standard_normal(m)),
    "narrow": lambda rng, m: np.exp(0.3 * rng.standard_normal(m)),
    "product": lambda rng, m: np.abs(rng.standard_normal(m) * rng.standard_normal(m)),
}
"""A scalar of mean zero, a norm, and the product of two scalars of mean zero."""


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

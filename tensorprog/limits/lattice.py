"""Averages over three to five independent Gaussians: the trapezoidal rule on a body-centred lattice in a ball.

The points h Z^d and their copies shifted by (h/2, …, h/2) are together a lattice whose dual's shortest vectors are √2
longer than those of either half (Conway & Sloane, Sphere Packings, chapter 4). For integrands analytic near the real
axis the error of a rule is exponential in that length, so that d, half the difference of the halves in units of
E|F|, stands for an error of about d^√2 of the whole; 10 d^{5/4} is stated, or four times the change of the whole from
the lattice before, of longer steps. Steps are wider in directions in which the factors hardly vary.

Known limits: factors without kinks only; nodes are at most `MOST_POINTS`, and where these leave an error that is large
the caller samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import gamma, log, pi, sqrt

import numpy as np

from tensorprog.functions.base import Array
from tensorprog.limits.factors import Factor, parity, product
from tensorprog.limits.trapezoid import EPS, SAFETY, blocks

HIGHEST = 5
STEP = 0.85
FLATTEST = 0.85
SMALLEST, LARGEST = 1.15, 1.5
RADIUS = 7.5
FARTHEST = 12.0
TAIL = 1e-9
BEYOND = 1e-2  # the ball, of what is in its outermost shell of width 1: e^{1/2-R} and powers of R
TARGET = 1e-8
MOST_POINTS = 2**20
BLOCK = 2**14  # nodes at a time: larger arrays cost a system call each
POWER = 1.25


def lattice(factors: Sequence[Factor], mean: Array, root: Array, steep: Sequence[float]) -> tuple[Array, Array, Array]:
    """E Π_f ∂ψ_f(m + L w), its error, and E |Π_f ∂ψ_f|, for means (elements, k) and roots L (elements, k, r), r ≤ 5.

    `steep` are the inverse scales of the factors by coordinate. Errors are infinite where the nodes are too many.
    """
    value, error, size = np.empty((3, len(mean)))
    even = parity(factors) == 1
    for i in range(len(mean)):
        value[i], error[i], size[i] = _element(factors, mean[i], root[i], steep, even and not mean[i].any())
    return value, error, size


def _element(
    factors: Sequence[Factor], mean: Array, root: Array, steep: Sequence[float], half: bool
) -> tuple[float, float, float]:
    columns = np.abs(root * np.asarray(steep)[:, None]).max(0)
    steps = STEP / np.maximum(2.0 ** (np.ceil(4 * np.log2(columns)) / 4), FLATTEST)
    radius, value, error, scale = RADIUS, 0.0, np.inf, 0.0
    while count(steps, radius, half) <= MOST_POINTS:
        (one, size, _), (other, more, tail) = (_sum(factors, mean, root, steps, radius, half, s) for s in (0.0, 0.5))
        scale = (size + more) / 2
        if tail > TAIL * scale and radius < FARTHEST:
            radius += 1
            continue
        before, value, apart = value, (one + other) / 2, abs(one - other) / 2
        analytic = 10 * scale * (apart / scale) ** POWER if scale else 0.0
        changed = SAFETY * abs(value - before) if np.isfinite(error) else np.inf
        error = min(SAFETY * apart, analytic, changed) + tail + 8 * EPS * scale
        if error <= TARGET * scale or not np.isfinite(value):
            break
        steps = steps / _shrinking(apart / scale, count(steps, radius, half), len(steps))
    return value, error if scale and np.isfinite(value) else np.inf, scale


def _shrinking(apart: float, points: float, dimension: int) -> float:
    """By how much shorter steps should be: as d of this size foretells, or as the nodes allow."""
    wanted = log(TARGET / 10) / (POWER * log(apart)) if apart < 0.1 else LARGEST
    allowed = (MOST_POINTS / points) ** (1 / dimension) * 0.999
    factor = min(max(1.05 * wanted, SMALLEST), LARGEST)
    return allowed if SMALLEST <= allowed < factor else factor


def count(steps: Array, radius: float, half: bool) -> float:
    """About how many nodes both halves have."""
    dimension = len(steps)
    ball = pi ** (dimension / 2) / gamma(dimension / 2 + 1) * radius**dimension
    return float((1 if half else 2) * ball / steps.prod())


def _sum(
    factors: Sequence[Factor], mean: Array, root: Array, steps: Array, radius: float, half: bool, shift: float
) -> tuple[float, float, float]:
    """Sums of the integrand and of its size over one half of the lattice, and what may lie beyond."""
    rest, square = _sheet(tuple(steps[1:].tolist()), radius, shift)
    weight = np.exp(-square / 2) * float((steps / sqrt(2 * pi)).prod())
    moved, moving = root[:, 1:] @ rest, np.asarray(root.any(1))
    total = scale = tail = 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for x in _line(steps[0], radius, shift):
            if half and x < 0:
                continue
            inside = int(np.searchsorted(square, radius**2 - x * x, "right"))
            factor = np.exp(-x * x / 2) * (2 if half and x > 0 else 1)
            start = mean + root[:, 0] * x
            for some in blocks(inside, BLOCK):
                part = slice(some.start, min(some.stop, inside))
                places = [m + z[part] if s else np.asarray(m) for m, z, s in zip(start, moved, moving, strict=True)]
                values = product(factors, places) * weight[part]
                size = np.abs(values)
                total += factor * float(values.sum())
                scale += factor * float(size.sum())
                edge = (radius - 1) ** 2 - x * x
                if square[part.stop - 1] > edge:
                    tail += factor * float(size[np.searchsorted(square[part], edge, "right") :].sum())
    return total, scale, BEYOND * tail


@lru_cache(16)
def _sheet(steps: tuple[float, ...], radius: float, shift: float) -> tuple[Array, Array]:
    """The nodes in all directions but the first, by their squares; elements often share them."""
    rest = np.stack([x.ravel() for x in np.meshgrid(*(_line(h, radius, shift) for h in steps), indexing="ij")])
    square = (rest**2).sum(0)
    order = np.argsort(square, kind="stable")
    order = order[: np.searchsorted(square[order], radius**2, "right")]
    return rest[:, order], square[order]


def _line(step: float, radius: float, shift: float) -> Array:
    reach = int(radius / step) + 1
    line = (np.arange(-reach - (shift > 0), reach + 1) + shift) * step
    return np.asarray(line[np.abs(line) <= radius])

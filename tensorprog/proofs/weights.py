"""Programs at given weights: sign flips, and derivatives by finite differences, without any derivative pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray

from tensorprog.program import Apply, Program, Vector
from tensorprog.readings.draws import draw, entry_scale, shape
from tensorprog.readings.evaluate import Value, array_of, run
from tensorprog.readings.inputs import input_values
from tensorprog.readings.realise import constant_lengths
from tensorprog.readings.schedule import schedule

Array = NDArray[np.float64]
DOUBLE = np.dtype(np.float64)
STEP, OUTER, SHORT = 0.04, 0.1, 1e-3  # of first derivatives, of gradients of higher ones, of kinked nets
BATCH = 2_000_000  # numbers in one batch of weights


def smallest_width(program: Program, least: int) -> int:
    """The smallest width from `least` on at which every ratio·n is an integer."""
    kinds = [kind.width for kind in program.types.values() if isinstance(kind, Vector)]
    bottom = int(np.lcm.reduce([1, *(width.ratio.denominator for width in kinds if width.growing)]))
    return -(-least // bottom) * bottom


def drawn(program: Program, width: int, d0: int, samples: int, seed: int) -> dict[str, Array]:
    """Unit-variance entries of all parameters, (samples, *shape)."""
    sizes = {name: shape(program, name, width, d0) for name in program.parameters}
    return {
        name: np.asarray(draw(name, size, width, range(samples), seed, DOUBLE), dtype=np.float64)
        for name, size in sizes.items()
    }


def values(program: Program, data: Array, width: int, weights: Mapping[str, Array]) -> Array:
    """The only output of a program at these unit-variance weights, (samples,)."""
    d0 = data.shape[-1]
    inputs = input_values(program, data, DOUBLE)
    target = program.end
    steps = schedule(program.nodes, [target], {*program.parameters, *inputs})
    scaled = {name: weights[name] * entry_scale(node, width, d0) for name, node in program.parameters.items()}
    found: dict[str, Value] = {**inputs, **scaled}
    run(program.nodes, steps, found, width, constant_lengths(program, width, d0))
    return np.broadcast_to(array_of(found, target), (max(map(len, weights.values()), default=1),)).astype(np.float64)


def squared_gradient(
    program: Program, data: Array, width: int, weights: Mapping[str, Array], names: Sequence[str]
) -> float:
    """‖∇S‖² of a scalar program by the unit-variance Gaussians of some parameters, by central differences."""
    total = 0.0
    for name in names:
        entries = weights[name]
        unit = np.eye(entries.size).reshape(entries.size, *entries.shape[1:])
        found = []
        for h in (STEP, STEP / 2):
            same = {k: np.broadcast_to(v, (entries.size, *v.shape[1:])) for k, v in weights.items()}
            ahead, behind = (values(program, data, width, {**same, name: entries + s * h * unit}) for s in (1, -1))
            found.append((ahead - behind) / (2 * h))
        total += float(np.sum(((4 * found[1] - found[0]) / 3) ** 2))
    return total


def flipped(weights: Mapping[str, Array], names: Sequence[str]) -> dict[str, Array]:
    """The weights with the signs of some parameters turned."""
    return {name: -entries if name in names else entries for name, entries in weights.items()}


class Differences:
    """Derivatives of the outputs of a traced program at one set of weights, by central differences.

    Weights are one flat vector of unit-variance coordinates. Two steps h and h/2 are extrapolated to 0. Nets with
    kinks, of which there are two derivatives at most, take shorter ones: a step that crosses a kink tells nothing.
    """

    def __init__(self, program: Program, data: Array, width: int, sample: int, seed: int) -> None:
        self.program, self.data, self.width = program, data, width
        functions = [node.function for node in program.nodes.values() if isinstance(node, Apply)]
        self.step, self.outer = (STEP, OUTER) if all(f.smoothness is None for f in functions) else (SHORT, SHORT)
        d0 = data.shape[-1]
        self.sizes = {name: shape(program, name, width, d0) for name in program.parameters}
        entries = drawn(program, width, d0, sample + 1, seed)
        self.origin = np.concatenate([entries[name][sample].ravel() for name in self.sizes])
        parts = [(prod(self.sizes[name]), node) for name, node in program.parameters.items()]
        self.free = np.concatenate([np.full(k, node.trainable * width ** (-float(node.c) / 2)) for k, node in parts])

    def weights(self, flat: Array) -> dict[str, Array]:
        """(samples, coordinates) as arrays by parameters."""
        found, start = {}, 0
        for name, size in self.sizes.items():
            stop = start + prod(size)
            found[name] = flat[:, start:stop].reshape(len(flat), *size)
            start = stop
        return found

    def at(self, point: int, flat: Array) -> Array:
        """F(x_point) at these weights."""
        program = self.program.at(point)
        size = max(1, BATCH // flat.shape[1])
        parts = [self.weights(flat[i : i + size]) for i in range(0, len(flat), size)]
        return np.concatenate([values(program, self.data, self.width, part) for part in parts])

    def along(self, point: int, origins: Array, directions: Sequence[Array], step: float) -> Array:
        """∂^d F(x_point) along d directions of length one at these origins, extrapolated in the step."""
        coarse, fine = (self._plain(point, origins, directions, h) for h in (step, step / 2))
        return (4 * fine - coarse) / 3

    def _plain(self, point: int, origins: Array, directions: Sequence[Array], h: float) -> Array:
        total = np.zeros(len(origins))
        for signs in product((1.0, -1.0), repeat=len(directions)):
            moved = origins + h * sum((s * g for s, g in zip(signs, directions, strict=True)), np.zeros(1))
            total += prod(signs) * self.at(point, moved)
        return total / (2 * h) ** len(directions)

    def slopes(self, point: int, directions: Sequence[Array]) -> Array:
        """The gradient of ∂^d F(x_point) along fixed directions, coordinate by coordinate."""
        step = self.outer if directions else self.step
        unit = step * np.eye(len(self.origin))
        found = []
        for h in (1.0, 0.5):
            pairs = np.concatenate([self.origin + h * unit, self.origin - h * unit])
            moved = self.along(point, pairs, directions, step) if directions else self.at(point, pairs)
            ahead, behind = np.split(moved, 2)
            found.append((ahead - behind) / (2 * h * step))
        return (4 * found[1] - found[0]) / 3

    def derivative(self, D: int, points: Sequence[int]) -> tuple[float, float]:
        """The lengths of ∇F(x_1)…∇F(x_d), multiplied, and ∇^{D+d}F(x_0) along these gradients, made of length one.

        For D = 1 it is the squared norm of the free slot.
        """
        gradients = {point: self.free**2 * self.slopes(point, []) for point in set(points[1:])}
        lengths = {point: float(np.linalg.norm(g)) or 1.0 for point, g in gradients.items()}
        scale = prod(lengths[point] for point in points[1:])
        directions = [gradients[point] / lengths[point] for point in points[1:]]
        if not D:
            return scale, float(self.along(points[0], self.origin[None], directions, self.step)[0])
        return scale, float(np.sum((self.free * self.slopes(points[0], directions)) ** 2))

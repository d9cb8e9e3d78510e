"""Running a joint program on batches of samples, whatever its matrices are made of."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from contextlib import nullcontext

import numpy as np
from numpy.typing import NDArray

from tensorprog.program import Constant, Parameter, Program
from tensorprog.readings.arena import Arena
from tensorprog.readings.bulk import Bulk
from tensorprog.readings.draws import ENTRIES, Array, draw, entry_scale, shape, slot_scale, stream
from tensorprog.readings.evaluate import Value, array_of, run
from tensorprog.readings.inputs import input_values
from tensorprog.readings.joint import Joint
from tensorprog.readings.schedule import schedule
from tensorprog.readings.spectral import coordinates, spectral_norm
from tensorprog.readings.team import Team, blas

Matrices = Callable[[range], dict[str, Value]]
"""The matrices of a batch of samples, entries scaled."""

Execute = Callable[[MutableMapping[str, Value]], None]
"""Compute what is wanted from what is given, in place."""


def cut(samples: range, size: int, threads: int) -> list[range]:
    """Consecutive runs of at most `size` samples, as many as there are threads where there are samples enough."""
    size = max(1, min(size, -(-len(samples) // threads)))
    return [range(a, min(a + size, samples.stop)) for a in range(samples.start, samples.stop, size)]


def realise(
    joint: Joint,
    data: NDArray[np.float64],
    width: int,
    batches: Sequence[range],
    seed: int,
    dtype: np.dtype[np.floating],
    matrices: Matrices,
    team: Team,
    execute: Execute | None = None,
    arena: Arena | None = None,
) -> Array:
    """Values of every program of `joint` at the samples of these batches, (programs, samples).

    An output's value as it is; for slots the spectral norm of the operator. Parts follow each other on the same drawn
    weights. Threads share the batches, unless `execute` is given, which computes `wanted` of the only part and may use
    the team itself; by default it is node by node. arena: of the matrices' products.
    """
    d0 = data.shape[-1]
    inputs = [input_values(part.program, data, dtype) for part in joint.parts]
    lengths = [constant_lengths(part.program, width, d0) for part in joint.parts]

    def one(batch: range) -> Array:
        given = matrices(batch)
        drawn = {
            name: _drawn(name, parameter, shape(part.program, name, width, d0), width, d0, batch, seed, dtype)
            for name, (parameter, part) in joint.drawn.items()
            if name not in given
        }
        rows = []
        for number, part in enumerate(joint.parts):
            weights = {name: given[name] if name in given else drawn[name] for name in part.program.parameters}
            values: dict[str, Value] = {**inputs[number], **weights}
            if execute is None:
                bulk = None if part.fusion is None else Bulk(part.fusion, len(batch), width, d0, dtype)
                run(part.operations, part.steps, values, width, lengths[number], bulk)
            else:
                execute(values)
            for index, output in enumerate(part.outputs):
                if output is not None:
                    rows.append(np.broadcast_to(array_of(values, output), (len(batch),)))
                else:
                    rows.append(_operator_norm(part, index, values, width, d0, batch, seed, arena))
        return np.stack(rows)

    if execute is None and team.size > 1 and len(batches) > 1:
        with blas().limit(limits=1, user_api="blas"):
            results = team.each(len(batches), lambda i: one(batches[i]))
    else:
        results = [one(batch) for batch in batches]
    return np.concatenate(results, axis=1)


def _drawn(
    name: str,
    parameter: Parameter,
    size: tuple[int, ...],
    width: int,
    d0: int,
    batch: range,
    seed: int,
    dtype: np.dtype[np.floating],
) -> Array:
    entries = ENTRIES[parameter.law](draw(name, size, width, batch, seed, dtype))
    entries *= dtype.type(entry_scale(parameter, width, d0))
    return entries


def constant_lengths(program: Program, width: int, d0: int) -> dict[str, int]:
    """Coordinates of vector constants."""
    return {
        name: node.width.at(width, d0)
        for name, node in program.leaves.items()
        if isinstance(node, Constant) and node.width is not None
    }


def _operator_norm(
    joint: Joint,
    index: int,
    values: dict[str, Value],
    width: int,
    d0: int,
    batch: range,
    seed: int,
    arena: Arena | None,
) -> Array:
    program = joint.program
    found = []
    for slot in joint.slots[index]:
        parameter = program.parameters[slot.parameter]
        size = shape(program, slot.parameter, width, d0)
        scale = slot_scale(parameter, width, d0)
        found.append(coordinates(slot, joint.moving, values, size, scale, width, len(batch)))
    bounds = np.cumsum([0, *(part.size for part in found)])
    sides = [side for side in joint.sides(index) if side in joint.moving]
    free = {part.slot.parameter: program.free.get(part.slot.parameter) for part in found}
    given = [name for name in program.nodes if name in values] + [name for name in free.values() if name]
    steps = schedule(program.nodes, sides, given)
    lengths = constant_lengths(program, width, d0)

    def operator(flat: Array) -> Array:
        local: dict[str, Value] = dict(values)
        for part, low, high in zip(found, bounds[:-1], bounds[1:], strict=True):
            name = free[part.slot.parameter]
            if name is not None:
                local[name] = part.direction(flat[:, low:high])
        with nullcontext() if arena is None else arena.scope():
            run(program.nodes, steps, local, width, lengths, None, arena)
            images = [part.image(local) for part in found]
        return np.concatenate([np.broadcast_to(x, (len(flat), x.shape[1])) for x in images], axis=1)

    start = np.stack([stream(seed, width, i, "Lanczos start").standard_normal(bounds[-1]) for i in batch])
    return spectral_norm(operator, operator(start))  # coordinates of an image obey Q_Lᵀ A = 0, random ones do not

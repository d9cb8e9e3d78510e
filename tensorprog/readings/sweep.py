"""Running a program at large width: vectors pass through the cache once between products.

Instructions are put into stages. A stage begins with the products whose vectors are ready, then one sweep over blocks
of coordinates computes everything else: coordinatewise nodes of a block follow each other in the cache, averages are
summed block by block in a fixed order, and only vectors that a later stage reads are ever stored. Threads share the
blocks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tensorprog.program import Constant, Instruction, MatMul, Moment, Scalar, Vector, ancestors, operands
from tensorprog.program.types import Type, Width
from tensorprog.readings.arena import Arena
from tensorprog.readings.evaluate import Value, compute, dtype_of, multiply_matrix
from tensorprog.readings.team import Team

BLOCK = 32_768  # coordinates: small enough for the cache, large enough to hide the interpreter


@dataclass
class Stage:
    """Products, scalars, then one sweep for every width: coordinatewise nodes and averages, in order."""

    products: dict[tuple[str, bool], list[str]] = field(default_factory=dict)
    scalars: list[str] = field(default_factory=list)
    sweeps: dict[Width, list[str]] = field(default_factory=dict)
    release: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """Stages, and the vectors that are stored."""

    stages: tuple[Stage, ...]
    stored: frozenset[str]


def plan(
    nodes: Mapping[str, Instruction], types: Mapping[str, Type], targets: Sequence[str], given: Collection[str]
) -> Plan:
    """The stages that compute the targets from the given values."""
    known = set(given)
    wanted = ancestors(nodes, list(targets)) - known
    place: dict[str, int] = {}  # the stage that computes a node
    ready: dict[str, int] = dict.fromkeys(known, 0)  # the first stage that may read it
    readers: dict[str, int] = {}
    stored = set(targets)
    stages: dict[int, Stage] = {}
    for name, node in nodes.items():
        if name not in wanted:
            continue
        here = max((ready[x] for x in operands(node)), default=0)
        if isinstance(node, MatMul):
            here = max(here, place.get(node.vector, -1) + 1)
        place[name] = here
        ready[name] = here + isinstance(node, Moment)
        stage = stages.setdefault(here, Stage())
        if isinstance(node, MatMul):
            stage.products.setdefault((node.matrix, node.transpose), []).append(name)
        elif isinstance(node, Moment) or isinstance(types[name], Vector):
            stage.sweeps.setdefault(_width(node, name, types), []).append(name)
        else:
            stage.scalars.append(name)
        for x in operands(node):
            readers[x] = max(readers.get(x, 0), here)
            if place.get(x, here) < here or isinstance(nodes[x], MatMul):
                stored.add(x)
    for x, last in readers.items():
        if x not in known and x not in targets:
            stages[last].release.append(x)
    return Plan(tuple(stages.get(i, Stage()) for i in range(max(stages, default=-1) + 1)), frozenset(stored))


def _width(node: Instruction, name: str, types: Mapping[str, Type]) -> Width:
    for x in (name, *operands(node)):
        kind = types[x]
        if isinstance(kind, Vector):
            return kind.width
    raise AssertionError(f"{name} has no vector")


def run_stages(
    nodes: Mapping[str, Instruction],
    types: Mapping[str, Type],
    planned: Plan,
    values: MutableMapping[str, Value],
    n: int,
    d0: int,
    team: Team,
    arena: Arena,
) -> None:
    """Carry out the stages in place, one sample: vectors are (1, N), scalars (1,)."""
    for stage in planned.stages:
        for (matrix, transpose), names in stage.products.items():
            vectors = [values[nodes[x].vector] for x in names]  # type: ignore[union-attr]  # they are products
            values.update(zip(names, multiply_matrix(values[matrix], vectors, transpose, names), strict=True))
        for name in stage.scalars:
            values[name] = compute(nodes[name], values, n, None)
        for width, names in stage.sweeps.items():
            _sweep(nodes, types, names, planned.stored, values, n, width.at(n, d0), team, arena)
        for name in stage.release:
            values.pop(name, None)


def _sweep(
    nodes: Mapping[str, Instruction],
    types: Mapping[str, Type],
    names: Sequence[str],
    stored: Collection[str],
    values: MutableMapping[str, Value],
    n: int,
    length: int,
    team: Team,
    arena: Arena,
) -> None:
    """One pass over the coordinates for nodes of one width."""
    dtype = dtype_of(values)
    inside = set(names)
    outside = list(dict.fromkeys(x for name in names for x in operands(nodes[name]) if x not in inside))
    vectors = {x: values[x] for x in outside if isinstance(types[x], Vector)}
    scalars: dict[str, Value] = {x: values[x] for x in outside if isinstance(types[x], Scalar)}
    kept = {x: arena.empty((1, length), dtype) for x in names if x in stored and isinstance(types[x], Vector)}
    bounds = [(a, min(a + BLOCK, length)) for a in range(0, length, BLOCK)]
    averages = {x: np.zeros(len(bounds)) for x in names if isinstance(nodes[x], Moment)}
    last: dict[str, int] = {}
    for i, name in enumerate(names):
        for x in (name, *operands(nodes[name])):
            last[x] = i
    dying: dict[int, list[str]] = {}
    for x, i in last.items():
        if x in inside:
            dying.setdefault(i, []).append(x)

    def block(index: int) -> None:
        low, high = bounds[index]
        local: dict[str, Value] = dict(scalars)
        for x, whole in vectors.items():
            assert isinstance(whole, np.ndarray)
            local[x] = whole[:, low:high]
        for i, name in enumerate(names):
            node = nodes[name]
            value = compute(node, local, n, high - low if isinstance(node, Constant) else None)
            if name in averages:
                averages[name][index] = value[0] * ((high - low) / length)
            else:
                local[name] = value
                if name in kept:
                    kept[name][:, low:high] = value
            for x in dying.get(i, ()):
                local.pop(x, None)

    team.each(len(bounds), block)
    values.update(kept)
    for name, parts in averages.items():
        values[name] = np.array([parts.sum()], dtype)

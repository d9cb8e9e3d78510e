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

from tensorprog.errors import ProgramError
from tensorprog.program import Constant, MatMul, Moment, Scalar, Vector
from tensorprog.program.types import Type, Width
from tensorprog.readings.arena import Arena
from tensorprog.readings.bulk import Bulk
from tensorprog.readings.draws import Array
from tensorprog.readings.evaluate import Value, array_of, blended, compute, dtype_of, multiply_matrix, run_one
from tensorprog.readings.operations import Blend, Gram, Operation, Total, needed, reads, writes
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
    nodes: Mapping[str, Operation], types: Mapping[str, Type], targets: Sequence[str], given: Collection[str]
) -> Plan:
    """The stages that compute the targets from the given values."""
    known = set(given)
    wanted = needed(nodes, targets, known)
    place: dict[str, int] = {}  # the stage that computes a node
    ready: dict[str, int] = dict.fromkeys(known, 0)  # the first stage that may read it
    readers: dict[str, int] = {}
    stored = set(targets)
    stages: dict[int, Stage] = {}
    for name, node in nodes.items():
        if name not in wanted:
            continue
        here = max((ready[x] for x in reads(node)), default=0)
        if isinstance(node, MatMul):
            here = max(here, place.get(node.vector, -1) + 1)
        for x in writes(name, node):
            place[x] = here
            ready[x] = here + isinstance(node, Moment | Gram)
        stage = stages.setdefault(here, Stage())
        if isinstance(node, MatMul):
            stage.products.setdefault((node.matrix, node.transpose), []).append(name)
        elif isinstance(node, Moment | Gram) or isinstance(types[name], Vector):
            stage.sweeps.setdefault(_width(node, name, types), []).append(name)
        else:
            stage.scalars.append(name)
        for x in reads(node):
            readers[x] = max(readers.get(x, 0), here)
            if place.get(x, here) < here or isinstance(nodes.get(x), MatMul):
                stored.add(x)
    for x, last in readers.items():
        if x not in known and x not in targets:
            stages[last].release.append(x)
    return Plan(tuple(stages.get(i, Stage()) for i in range(max(stages, default=-1) + 1)), frozenset(stored))


def _width(node: Operation, name: str, types: Mapping[str, Type]) -> Width:
    for x in (name, *reads(node)):
        kind = types[x]
        if isinstance(kind, Vector):
            return kind.width
    raise AssertionError(f"{name} has no vector")


def run_stages(
    nodes: Mapping[str, Operation],
    types: Mapping[str, Type],
    planned: Plan,
    values: MutableMapping[str, Value],
    n: int,
    d0: int,
    team: Team,
    arena: Arena,
    bulk: Bulk | None = None,
) -> None:
    """Carry out the stages in place, one sample: vectors are (1, N), scalars (1,). `bulk`: of fused programs.

    Stored vectors are of the arena, and given back with the values that a stage releases.
    """
    if bulk is not None:
        bulk.keep(list(values), values)
    for stage in planned.stages:
        for (matrix, transpose), names in stage.products.items():
            vectors = [values[node.vector] for node in map(nodes.__getitem__, names) if isinstance(node, MatMul)]
            products = dict(zip(names, multiply_matrix(values[matrix], vectors, transpose, names), strict=True))
            values.update(products)
            if bulk is not None:
                bulk.keep(names, values)
            arena.hold({x: found for x, found in products.items() if values[x] is found})
            arena.give_back(products.values())  # where all were copied into families
        for name in stage.scalars:
            run_one(name, nodes[name], values, n, None, bulk)
        for width, names in stage.sweeps.items():
            _sweep(nodes, types, names, planned.stored, values, n, width.at(n, d0), team, arena, bulk)
        for name in stage.release:
            values.pop(name, None)
            arena.drop(name)


def _sweep(
    nodes: Mapping[str, Operation],
    types: Mapping[str, Type],
    names: Sequence[str],
    stored: Collection[str],
    values: MutableMapping[str, Value],
    n: int,
    length: int,
    team: Team,
    arena: Arena,
    bulk: Bulk | None,
) -> None:
    """One pass over the coordinates for nodes of one width."""
    dtype = dtype_of(values)
    inside = {x for name in names for x in writes(name, nodes[name])}
    outside = list(dict.fromkeys(x for name in names for x in reads(nodes[name]) if x not in inside))
    vectors = {x: array_of(values, x) for x in outside if isinstance(types[x], Vector)}
    scalars: dict[str, Value] = {x: values[x] for x in outside if isinstance(types[x], Scalar) and x in values}
    kept: dict[str, Array] = {}
    new: dict[str, Array] = {}
    for x in inside:
        row = None if bulk is None else bulk.row(x)
        if row is not None:
            kept[x] = row
        elif x in stored and isinstance(types[x], Vector):
            kept[x] = new[x] = arena.empty((1, length), dtype)
    arena.hold(new)
    grams = {x: node for x in names if isinstance(node := nodes[x], Gram)}
    blends = {x: node for x in names if isinstance(node := nodes[x], Blend)}
    plain = {x: node for x in names if not isinstance(node := nodes[x], Gram | Blend | Total)}
    if len(grams) + len(blends) + len(plain) < len(names) or (bulk is None and len(plain) < len(names)):
        raise ProgramError(f"{', '.join(names)} cannot be swept over in one pass; this is a fault of the library")
    weights = {} if bulk is None else {x: bulk.weights(node) for x, node in blends.items()}
    bounds = [(a, min(a + BLOCK, length)) for a in range(0, length, BLOCK)]
    averages = {x: np.zeros(len(bounds)) for x in names if isinstance(nodes[x], Moment)}
    products: dict[str, list[Array]] = {x: [np.empty(0)] * len(bounds) for x in grams}
    last: dict[str, int] = {}
    for i, name in enumerate(names):
        for x in (*writes(name, nodes[name]), *reads(nodes[name])):
            last[x] = i
    dying: dict[int, list[str]] = {}
    for x, i in last.items():
        if x in inside:
            dying.setdefault(i, []).append(x)

    def block(index: int) -> None:
        low, high = bounds[index]
        local: dict[str, Value] = dict(scalars)
        for x, whole in vectors.items():
            local[x] = whole[:, low:high]
        for i, name in enumerate(names):
            found: Mapping[str, Array]
            if bulk is not None and name in grams:
                products[name][index], found = bulk.products(grams[name], local, slice(low, high)), {}
            elif bulk is not None and name in blends:
                found = blended(blends[name], weights[name], local, n, bulk, slice(low, high))
            else:
                node = plain[name]
                found = {name: compute(node, local, n, high - low if isinstance(node, Constant) else None)}
            if name in averages:
                averages[name][index] = found[name][0] * ((high - low) / length)
                found = {}
            local.update(found)
            for x in found.keys() & kept.keys():
                kept[x][:, low:high] = found[x]
            for x in dying.get(i, ()):
                local.pop(x, None)

    team.each(len(bounds), block)
    values.update(kept)
    for name, parts in averages.items():
        values[name] = np.array([parts.sum()], dtype)
    if bulk is not None:
        bulk.keep([*kept, *averages], values)
        for name, sums in products.items():
            bulk.averages(grams[name], np.sum(sums, axis=0), length, values)

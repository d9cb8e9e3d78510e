"""How many vectors are alive at once while a program runs, by their width; costs multiplies them by bytes.

A run is told as events: arrays are allocated, each for some names, and names are released. An array lives as long as
one of its names, since products are rows of one array. What a family of `bulk` keeps is not counted here, it has a
place there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from tensorprog.program import (
    Apply,
    Constant,
    Free,
    Input,
    LinComb,
    MatMul,
    Moment,
    Multiply,
    Parameter,
    Vector,
)
from tensorprog.program.types import Type, Width
from tensorprog.readings.operations import Blend, Gram, Operation, Stack, Total, writes
from tensorprog.readings.schedule import Step
from tensorprog.readings.sweep import Plan

Side = Width | None
"""The width of a vector, None for a scalar."""
Array = tuple[Side, int]
"""The width of the vectors of an array, and how many they are."""
COORDINATEWISE = 3  # vectors at work while one instruction that is not a product is computed


@dataclass
class Event:
    """Arrays allocated together, each a tuple of names; what is needed meanwhile; names released afterwards."""

    arrays: list[tuple[str, ...]] = field(default_factory=list)
    meanwhile: Counter[Side] = field(default_factory=Counter)
    release: Sequence[str] = ()


def node_by_node(nodes: Mapping[str, Operation], types: Mapping[str, Type], steps: Iterable[Step]) -> list[Event]:
    """The events of `evaluate.run`: products copy their vectors together, and make as many again of both sides."""
    events = []
    for step in steps:
        event = Event([step.nodes], Counter(), step.release)
        node = nodes[step.nodes[0]]
        match node:
            case MatMul():
                event.meanwhile[side(types, node.vector)] += 2 * len(step.nodes)
                event.meanwhile[side(types, step.nodes[0])] += 2 * len(step.nodes)
            case Gram():
                event.arrays = [(name,) for name, _ in node.shown]
                event.meanwhile += _copied(types, node.rows) + _copied(types, node.cols)
            case Blend():
                event.arrays = [(name,) for name in node.names]
                event.meanwhile += _copied(types, node.vectors)
                event.meanwhile[side(types, node.names[0])] += len(node.names)
                event.meanwhile[None] += 2 * node.weights.values.size
            case Total() | Input() | Parameter() | Free() | Constant() | Apply() | Multiply() | LinComb() | Moment():
                event.meanwhile[side(types, step.nodes[0])] += COORDINATEWISE
            case _:
                assert_never(node)
        events.append(event)
    return events


def in_stages(nodes: Mapping[str, Operation], types: Mapping[str, Type], plan: Plan) -> list[Event]:
    """The events of `sweep.run_stages`: a sweep allocates the vectors that are stored."""
    events = []
    for stage in plan.stages:
        events += [Event([tuple(names)]) for names in stage.products.values()]
        swept = [x for names in stage.sweeps.values() for name in names for x in writes(name, nodes[name])]
        events.append(Event([(x,) for x in swept if x in plan.stored and isinstance(types[x], Vector)]))
        events.append(Event(release=stage.release))
    return events


def most_alive(
    events: Iterable[Event], types: Mapping[str, Type], rows: Collection[str], pooled: bool
) -> Counter[Side]:
    """Vectors of each width that are alive at once at most; `rows` are kept in families.

    pooled: arrays of every number of vectors have their own memory, which is never given back, as in `Arena`.
    """
    alive: Counter[Array] = Counter()
    most: Counter[Array] = Counter()
    array_of: dict[str, tuple[str, ...]] = {}
    waiting: dict[tuple[str, ...], set[str]] = {}
    for event in events:
        for names in event.arrays:
            alive[side(types, names[0]), len(names) if pooled else 1] += 1 if pooled else len(names)
            waiting[names] = {name for name in names if name not in rows}
            array_of.update(dict.fromkeys(names, names))
        now = alive if pooled else alive + Counter({(x, 1): count for x, count in event.meanwhile.items()})
        most |= now
        released = [array_of[name] for name in event.release if name in array_of]
        for name in event.release:
            waiting.get(array_of.get(name, ()), set()).discard(name)
        for names in dict.fromkeys([*event.arrays, *released]):
            if names in waiting and not waiting[names]:
                del waiting[names]
                alive[side(types, names[0]), len(names) if pooled else 1] -= 1 if pooled else len(names)
    total: Counter[Side] = Counter()
    for (x, size), count in most.items():
        total[x] += size * count
    return total


def side(types: Mapping[str, Type], name: str) -> Side:
    """The width of a vector, None of a scalar."""
    kind = types[name]
    return kind.width if isinstance(kind, Vector) else None


def _copied(types: Mapping[str, Type], stack: Stack) -> Counter[Side]:
    """Vectors that are copied to be stacked; a run of rows of a family is read where it is."""
    return (
        Counter()
        if isinstance(stack.index, slice) and stack.family is not None
        else Counter({side(types, stack.names[0]): len(stack.names)})
    )

"""The order in which a program is run: products with one matrix grouped, values released after their last use."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tensorprog.program import MatMul
from tensorprog.readings.operations import Operation, needed, reads, writes


@dataclass(frozen=True, slots=True)
class Step:
    """Nodes computed together (several only for products of one matrix), then the values no longer needed."""

    nodes: tuple[str, ...]
    release: tuple[str, ...]


def schedule(nodes: Mapping[str, Operation], targets: Sequence[str], given: Collection[str]) -> tuple[Step, ...]:
    """Steps that compute the targets from the given values.

    A node's stage is the largest number of products on a path to it; products of one matrix at one stage form a group,
    so the matrix is read once for all of them.
    """
    known = set(given)
    wanted = needed(nodes, targets, known)
    stages: dict[str, int] = {}
    groups: dict[tuple[int, str, bool], list[str]] = {}
    rest: dict[int, list[str]] = {}
    for name, node in nodes.items():
        if name not in wanted:
            continue
        stage = max((stages.get(x, 0) for x in reads(node)), default=0)
        if isinstance(node, MatMul):
            stage += 1
            groups.setdefault((stage, node.matrix, node.transpose), []).append(name)
        else:
            rest.setdefault(stage, []).append(name)
        stages.update(dict.fromkeys(writes(name, node), stage))
    products: dict[int, list[tuple[str, ...]]] = {}
    for (stage, _, _), members in groups.items():
        products.setdefault(stage, []).append(tuple(members))
    batches: list[tuple[str, ...]] = []
    for stage in range(max(stages.values(), default=0) + 1):
        batches += products.get(stage, ())
        batches += [(name,) for name in rest.get(stage, ())]
    last: dict[str, int] = {}
    for position, batch in enumerate(batches):
        for name in batch:
            for value in (*writes(name, nodes[name]), *reads(nodes[name])):
                last[value] = position
    keep = set(targets) | known
    ends: dict[int, list[str]] = {}
    for name, position in last.items():
        if name not in keep:
            ends.setdefault(position, []).append(name)
    return tuple(Step(batch, tuple(ends.get(i, ()))) for i, batch in enumerate(batches))

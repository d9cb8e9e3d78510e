"""Layered placement of an acyclic graph: layers by longest path, few crossings, straight long edges.

The steps of Sugiyama, Tagawa and Toda (IEEE Trans. SMC 11, 1981): layers, waypoints on edges that skip layers,
barycentre sweeps, then coordinates by isotonic least squares. Deterministic. Meant for pictures: a thousand nodes take
seconds, and order within a layer is a heuristic.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import networkx as nx
import numpy as np
from scipy.optimize import isotonic_regression

Edge = tuple[Hashable, Hashable]
SWEEPS = 12
DIRECT, SKIPPING, WAYPOINT = 8.0, 1.0, 0.2  # pull of a direct edge, of an edge with waypoints; weight of a waypoint


@dataclass(frozen=True)
class Placement:
    """`layer[node]`, `offset[node]` across the flow, and `route[edge]`: the offsets of an edge in layers it skips."""

    layer: Mapping[Hashable, int]
    offset: Mapping[Hashable, float]
    route: Mapping[Edge, tuple[float, ...]]


@dataclass(frozen=True)
class Waypoint:
    """Where an edge passes through a layer that it skips."""

    edge: Edge
    layer: int


def layers(graph: nx.DiGraph) -> dict[Hashable, int]:
    """The layer of each node: its longest path from a source; sources stand directly before their first reader."""
    found = {node: i for i, generation in enumerate(nx.topological_generations(graph)) for node in generation}
    for node in graph:
        if not graph.in_degree(node) and graph.out_degree(node):
            found[node] = min(found[reader] for reader in graph.successors(node)) - 1
    return found


def place(graph: nx.DiGraph, size: Mapping[Hashable, float], gap: float) -> Placement:
    """Place nodes that extend `size` across the flow, at least `gap` apart within a layer.

    Offsets are centres; the smallest edge of any node is at 0.
    """
    layer = layers(graph)
    extended = _with_waypoints(graph, layer)
    ranks = _ordered(extended)
    extent = {node: size.get(node, 0.0) for node in extended}
    offset = _coordinates(extended, ranks, extent, gap)
    lowest = min((offset[node] - extent[node] / 2 for node in extended), default=0.0)
    offset = {node: value - lowest for node, value in offset.items()}
    route = {
        (u, v): tuple(offset[Waypoint((u, v), k)] for k in range(layer[u] + 1, layer[v])) for u, v in graph.edges()
    }
    return Placement(layer, {node: offset[node] for node in graph}, route)


def _with_waypoints(graph: nx.DiGraph, layer: Mapping[Hashable, int]) -> nx.DiGraph:
    extended = nx.DiGraph()
    for node in graph:
        extended.add_node(node, layer=layer[node], weight=1.0)
    for u, v in graph.edges():
        stops = [Waypoint((u, v), k) for k in range(layer[u] + 1, layer[v])]
        for stop in stops:
            extended.add_node(stop, layer=stop.layer, weight=WAYPOINT)
        chain = [u, *stops, v]
        for start, end in pairwise(chain):
            straight = isinstance(start, Waypoint) == isinstance(end, Waypoint)
            extended.add_edge(start, end, pull=DIRECT if straight else SKIPPING)
    return extended


def _ordered(graph: nx.DiGraph) -> list[list[Hashable]]:
    """The nodes of each layer in an order with few crossings."""
    ranks: list[list[Hashable]] = [[] for _ in range(1 + max(nx.get_node_attributes(graph, "layer").values()))]
    for node, layer in graph.nodes(data="layer"):
        ranks[layer].append(node)
    best, fewest = [list(rank) for rank in ranks], _crossings(graph, ranks)
    for sweep in range(SWEEPS if fewest else 0):
        down = sweep % 2 == 0
        position = {node: i for rank in ranks for i, node in enumerate(rank)}
        for rank in ranks if down else reversed(ranks):
            means = {}
            for node in rank:
                near = [position[x] for x in (graph.pred if down else graph.succ)[node]]
                means[node] = sum(near) / len(near) if near else position[node]
            rank.sort(key=means.__getitem__)
            position.update({node: i for i, node in enumerate(rank)})
        crossings = _crossings(graph, ranks)
        if crossings < fewest:
            best, fewest = [list(rank) for rank in ranks], crossings
    return best


def _crossings(graph: nx.DiGraph, ranks: list[list[Hashable]]) -> int:
    """How many pairs of edges cross, layer by layer."""
    position = {node: i for rank in ranks for i, node in enumerate(rank)}
    total = 0
    for rank in ranks:
        ends = np.array([(position[u], position[v]) for u in rank for v in graph.succ[u]], dtype=float).reshape(-1, 2)
        gaps = ends[:, None, :] - ends[None, :, :]
        total += int((gaps[..., 0] * gaps[..., 1] < 0).sum()) // 2
    return total


def _coordinates(
    graph: nx.DiGraph, ranks: list[list[Hashable]], extent: Mapping[Hashable, float], gap: float
) -> dict[Hashable, float]:
    """Each layer in turn moves to the weighted mean of its neighbours, as near as order and distances allow."""
    spacing: list[np.ndarray] = []
    offset: dict[Hashable, float] = {}
    for rank in ranks:
        sizes = np.array([extent[node] for node in rank])
        steps = (sizes[:-1] + sizes[1:]) / 2 + gap
        start = np.concatenate([[0.0], np.cumsum(steps)])
        spacing.append(start)
        offset.update({node: float(x) for node, x in zip(rank, start - start.mean(), strict=True)})
    for sweep in range(2 * SWEEPS):
        order = range(len(ranks)) if sweep % 2 == 0 else reversed(range(len(ranks)))
        for k in order:
            wanted, weights = [], []
            for node in ranks[k]:
                edges = [*graph.in_edges(node, data="pull"), *graph.out_edges(node, data="pull")]
                pulls = [(pull, offset[v if u == node else u]) for u, v, pull in edges]
                total = sum(pull for pull, _ in pulls)
                wanted.append(sum(pull * x for pull, x in pulls) / total if pulls else offset[node])
                weights.append(graph.nodes[node]["weight"])
            moved = isotonic_regression(np.array(wanted) - spacing[k], weights=weights).x + spacing[k]
            offset.update({node: float(x) for node, x in zip(ranks[k], moved, strict=True)})
    return offset

"""Programs as graphs for others to draw: Mermaid and DOT texts, and a layered layout for networkx.

`svg` is the finished picture of a small program. No drawing program is needed for any of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import networkx as nx

from tensorprog.program.instructions import Input, LinComb, Parameter, operands
from tensorprog.program.layered import layers, place
from tensorprog.program.picture import svg
from tensorprog.program.program import Program
from tensorprog.program.text import write_instruction
from tensorprog.program.types import ONE, Coefficient, Matrix, Scalar

MAX_LABEL = 60
MAX_SPAN = 4000
MERMAID_MARKS = '#"<>&`|{}[]\\\n\r'

MERMAID = {"data": '[/"{}"/]', "matrix": '["{}"]', "vector": '("{}")', "scalar": '(("{}"))', "end": '(["{}"])'}
DOT = {
    "data": 'shape=parallelogram, fillcolor="#e7eef8"',
    "matrix": 'shape=box, fillcolor="#fdf2e0"',
    "vector": 'shape=box, style="rounded,filled", fillcolor="#eaf5ee"',
    "scalar": 'shape=ellipse, fillcolor="#f3eaf7"',
    "end": 'shape=doublecircle, fillcolor="#ffffff"',
}


def mermaid(program: Program) -> str:
    """A Mermaid flowchart of every node, as Markdown pages on many hosts show it."""
    lines = ["flowchart LR"]
    for key, kind, label in _boxes(program):
        lines.append(f"    {key}{MERMAID[kind].format(_for_mermaid(label))}")
    for source, target, label in _arrows(program):
        arrow = f'-->|"{_for_mermaid(label)}"|' if label else "-->"
        lines.append(f"    {source} {arrow} {target}")
    return "\n".join(lines) + "\n"


def graphviz(program: Program) -> str:
    """A DOT text of every node; render it with `dot -Tsvg`."""
    lines = ["digraph program {", "    rankdir=LR;", '    node [style=filled, fontname="Helvetica"];']
    for key, kind, label in _boxes(program):
        lines.append(f'    {key} [label="{_for_dot(label)}", {DOT[kind]}];')
    for source, target, label in _arrows(program):
        lines.append(f"    {source} -> {target}" + (f' [label="{_for_dot(label)}"];' if label else ";"))
    return "\n".join([*lines, "}"]) + "\n"


def layout(program: Program) -> dict[str, tuple[float, float]]:
    """Node -> (x, y), computation running to the right: `networkx.draw(program.graph, layout(program))`.

    x is the layer, a node's longest distance from a source; layers are one apart, and so are nodes within one.
    """
    graph = nx.DiGraph(program.graph.edges())
    graph.add_nodes_from(program.nodes)
    layer = layers(graph)
    if sum(layer[v] - layer[u] for u, v in graph.edges()) > MAX_SPAN:  # too many waypoints: long edges run free
        graph.remove_edges_from([(u, v) for u, v in list(graph.edges()) if layer[v] - layer[u] > 1])
        ordered = nx.multipartite_layout(_with_layers(graph, layer), subset_key="layer")
        rows: dict[int, list[str]] = {}
        for name in sorted(program.nodes, key=lambda name: float(ordered[name][1])):
            rows.setdefault(layer[name], []).append(name)
        return {
            name: (float(k), place - (len(row) - 1) / 2) for k, row in rows.items() for place, name in enumerate(row)
        }
    placed = place(graph, {}, 1.0)
    return {name: (float(placed.layer[name]), -placed.offset[name]) for name in program.nodes}


def _with_layers(graph: nx.DiGraph, layer: dict[object, int]) -> nx.DiGraph:
    nx.set_node_attributes(graph, layer, "layer")
    return graph


def _boxes(program: Program) -> Iterator[tuple[str, str, str]]:
    """(key, kind, label) of each node and end; keys are numbered, so no name has to be an identifier."""
    for number, (name, node) in enumerate(program.nodes.items()):
        kind = program.types[name]
        if isinstance(node, Parameter):
            shape = kind if isinstance(kind, Scalar) else f"{node.rows or 1} x {node.cols or 1}"
            label = f"{name}: {shape}"
        else:
            label = f"{name} = {write_instruction(node)}"
        what = "data" if isinstance(node, Input) else "matrix" if isinstance(kind, Matrix) else "vector"
        yield f"n{number}", "scalar" if isinstance(kind, Scalar) else what, label
    for number, label in enumerate([*program.outputs, *(f"slot {slot.parameter}" for slot in program.slots)]):
        yield f"end{number}", "end", label


def _arrows(program: Program) -> Iterator[tuple[str, str, str]]:
    """(source, target, label) of each edge; the label is a coefficient other than 1."""
    keys = {name: f"n{number}" for number, name in enumerate(program.nodes)}
    for name, node in program.nodes.items():
        factors = [c for c, _ in node.terms] if isinstance(node, LinComb) else [ONE] * len(operands(node))
        for operand, factor in zip(operands(node), factors, strict=True):
            yield keys[operand], keys[name], _factor(factor)
    for number, output in enumerate(program.outputs.values()):
        yield keys[output.node], f"end{number}", ""
    for number, slot in enumerate(program.slots, start=len(program.outputs)):
        for factor, left, right in slot.terms:
            yield keys[left], f"end{number}", _factor(factor)
            if right is not None:
                yield keys[right], f"end{number}", "(x)"


def _factor(coefficient: Coefficient) -> str:
    return "" if coefficient == ONE else str(coefficient)


def _short(label: str) -> str:
    """A label that fits, without characters that a text cannot hold or that break its lines."""
    label = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in label)
    return label if len(label) <= MAX_LABEL else f"{label[: MAX_LABEL - 1]}…"


def _for_mermaid(label: str) -> str:
    return _short(label).translate({ord(c): f"#{ord(c)};" for c in MERMAID_MARKS})


def _for_dot(label: str) -> str:
    return _short(label).replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


__all__ = ["graphviz", "layout", "mermaid", "svg"]

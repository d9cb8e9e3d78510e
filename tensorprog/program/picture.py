"""`svg`: the picture of an architecture, for a reader of a report.

Weights stand inside the boxes that use them, multiples on the arrows, so the picture shows what one would draw by hand.
Meant for programs of some tens of nodes and one input; larger ones are drawn too, but not to be read.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from html import escape
from itertools import pairwise

import networkx as nx

from tensorprog.program.layered import Placement, place
from tensorprog.program.program import Program
from tensorprog.program.sketch import Box, Sketch, Span, sketch

FONT = 15.0
NOTE = 10.5
PADDING = 11.0
HEIGHT = 32.0
GAP = 22.0
MARGIN = 14.0
HEAD = 6.0
WIDEST = 1000.0  # a picture wider than this turns to run downwards
INK = "#1d2130"
LINE = "#6b7280"
COLOURS: Mapping[str, tuple[str, str]] = {
    "data": ("#e7eef8", "#5a7cab"),
    "weight": ("#fdf2e0", "#c58a2e"),
    "function": ("#e6f4eb", "#3f9063"),
    "operation": ("#f3f4f6", "#7a8190"),
    "scalar": ("#f3eaf7", "#8b60a3"),
    "output": ("#ffffff", "#1d2130"),
}


@dataclass(frozen=True)
class _Frame:
    """Lays layers along x, or along y when the picture runs downwards."""

    down: bool
    start: tuple[float, ...]  # of each layer, along the flow
    depth: tuple[float, ...]  # of each layer, along the flow

    def point(self, along: float, across: float) -> tuple[float, float]:
        return (across + MARGIN, along + MARGIN) if self.down else (along + MARGIN, across + MARGIN)


def svg(program: Program, title: str = "") -> str:
    """A self-contained SVG element that fits the width of its page; text is escaped, no scripts, no fonts to load.

    title: what a screen reader says, by default the program's inputs, weights and outputs.
    """
    drawn = sketch(program)
    sizes = {key: _size(box) for key, box in drawn.boxes.items()}
    frame, placed = _frame(drawn, sizes, down=False)
    if frame.start[-1] + frame.depth[-1] > WIDEST:
        frame, placed = _frame(drawn, sizes, down=True)
    along = frame.start[-1] + frame.depth[-1]
    across = max([*(_end(placed, sizes, key, frame.down) for key in sizes), *_waypoints(placed)])
    width, height = frame.point(along, across)
    width, height = width + MARGIN, height + MARGIN
    body = [_edge(drawn, edge, frame, placed, sizes) for edge in drawn.edges]
    body += [_box(box, _centre(key, frame, placed), sizes[key]) for key, box in drawn.boxes.items()]
    name = title or (
        f"Computation of {', '.join(program.outputs) or 'a free slot'} from {program.inputs} input(s) "
        f"with the weights {', '.join(program.parameters) or '(none)'}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{_text(name)}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'style="max-width:100%;height:auto" font-family="Georgia, \'Times New Roman\', serif" fill="{INK}">'
        f"<title>{_text(name)}</title>"
        f'<rect width="100%" height="100%" rx="8" fill="#ffffff"/>' + "".join(body) + "</svg>"
    )


def _frame(drawn: Sketch, sizes: Mapping[Hashable, tuple[float, float]], down: bool) -> tuple[_Frame, Placement]:
    graph = nx.DiGraph()
    graph.add_nodes_from(drawn.boxes)
    graph.add_edges_from(drawn.edges)
    placed = place(graph, {key: size[0 if down else 1] for key, size in sizes.items()}, GAP)
    count = 1 + max(placed.layer.values())
    depth, gaps = [0.0] * count, [GAP + HEAD] * count
    for key, size in sizes.items():
        depth[placed.layer[key]] = max(depth[placed.layer[key]], size[1 if down else 0])
    for (u, _), label in drawn.edges.items():
        room = (FONT if down else _width(label, NOTE + 1.5)) + 12 + HEAD if label else 0.0
        gaps[placed.layer[u]] = max(gaps[placed.layer[u]], room)
    start = [0.0]
    for extent, gap in zip(depth[:-1], gaps[:-1], strict=True):
        start.append(start[-1] + extent + gap)
    return _Frame(down, tuple(start), tuple(depth)), placed


def _centre(key: Hashable, frame: _Frame, placed: Placement) -> tuple[float, float]:
    layer = placed.layer[key]
    return frame.point(frame.start[layer] + frame.depth[layer] / 2, placed.offset[key])


def _end(placed: Placement, sizes: Mapping[Hashable, tuple[float, float]], key: Hashable, down: bool) -> float:
    return placed.offset[key] + sizes[key][0 if down else 1] / 2


def _waypoints(placed: Placement) -> list[float]:
    return [offset for route in placed.route.values() for offset in route]


def _edge(
    drawn: Sketch,
    edge: tuple[Hashable, Hashable],
    frame: _Frame,
    placed: Placement,
    sizes: Mapping[Hashable, tuple[float, float]],
) -> str:
    u, v = edge
    axis = 1 if frame.down else 0
    first, last = placed.layer[u], placed.layer[v]
    leave = frame.start[first] + (frame.depth[first] + sizes[u][axis]) / 2
    enter = frame.start[last] + (frame.depth[last] - sizes[v][axis]) / 2 - HEAD
    stops = [(leave, placed.offset[u]), (frame.start[first] + frame.depth[first], placed.offset[u])]
    for layer, offset in enumerate(placed.route[edge], start=first + 1):
        stops += [(frame.start[layer], offset), (frame.start[layer] + frame.depth[layer], offset)]
    stops += [(frame.start[last] - HEAD, placed.offset[v]), (enter, placed.offset[v])]
    path = "M{:.1f},{:.1f}".format(*frame.point(*stops[0]))
    for (a, x), (b, y) in pairwise(stops):
        if x == y:
            path += " L{:.1f},{:.1f}".format(*frame.point(b, y))
        else:
            bends = frame.point((a + b) / 2, x), frame.point((a + b) / 2, y), frame.point(b, y)
            path += " C" + " ".join(f"{p:.1f},{q:.1f}" for p, q in bends)
    tip = (enter + HEAD, placed.offset[v])
    corners = [tip, (enter - 1, tip[1] - HEAD / 2), (enter - 1, tip[1] + HEAD / 2)]
    points = " ".join("{:.1f},{:.1f}".format(*frame.point(*corner)) for corner in corners)
    head = (
        f'<path d="{path}" fill="none" stroke="{LINE}" stroke-width="1.4"/><polygon points="{points}" fill="{LINE}"/>'
    )
    label = drawn.edges[edge]
    if not label:
        return head
    after = stops[2]
    x, y = frame.point((stops[1][0] + after[0]) / 2, (stops[1][1] + after[1]) / 2)
    x, y = (x + 5, y + 4) if frame.down else (x, y - 6)
    return head + _spans(label, x, y, NOTE + 1.5, "start" if frame.down else "middle")


def _box(box: Box, centre: tuple[float, float], size: tuple[float, float]) -> str:
    (x, y), (width, height) = centre, size
    fill, stroke = COLOURS[box.kind]
    corner = height / 2 if box.scalar else 4 if box.kind == "data" else 8
    shape = (
        f'<rect x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'rx="{corner:.1f}" fill="{fill}" stroke="{stroke}" stroke-width="{2 if box.kind == "output" else 1.3}"/>'
    )
    lift = 5 if not box.note else -1
    text = _spans(box.label, x, y + lift, FONT, "middle")
    if box.note:
        text += _spans(box.note, x, y + 14, NOTE, "middle")
    return f"<g><title>{_text(box.meaning)}</title>{shape}{text}</g>"


def _size(box: Box) -> tuple[float, float]:
    height = HEIGHT + (10 if box.note else 0)
    width = max(_width(box.label, FONT), _width(box.note, NOTE)) + 2 * PADDING
    return max(width, height), height


def _width(spans: tuple[Span, ...], font: float) -> float:
    return sum(len(span.text) * (0.56 if span.level == 0 else 0.4) * font for span in spans)


def _spans(spans: tuple[Span, ...], x: float, y: float, font: float, anchor: str) -> str:
    parts, raised = [], 0
    for span in spans:
        shift = (raised - span.level) * font * 0.3
        size = f' font-size="{font * 0.72:.1f}"' if span.level else ""
        style = ' font-style="italic"' if span.italic else ""
        parts.append(f'<tspan dy="{shift:.1f}"{size}{style}>{_text(span.text)}</tspan>')
        raised = span.level
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{font:g}" text-anchor="{anchor}">{"".join(parts)}</text>'


def _text(text: str) -> str:
    """Escaped, without characters that XML cannot hold."""
    return escape("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text))

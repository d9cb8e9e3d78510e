"""Pictures: well formed whatever the names are, complete, laid out to the right, and always the same."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise

import networkx as nx
import pytest
from cases import CASES
from program.pictured import SEVERAL, SLOTS, SMALL, SVG, TINY, every_program, visible

import tensorprog as tp
from tensorprog.program import Program, operands
from tensorprog.program import drawing as drawing_module
from tensorprog.program.drawing import graphviz, layout, mermaid, svg
from tensorprog.program.text import read

# -- SVG

TAGS = {"svg", "title", "rect", "path", "polygon", "text", "tspan", "g"}
ATTRIBUTES = {
    *("role", "aria-label", "viewBox", "width", "height", "style", "font-family", "fill", "rx", "x", "y", "dy", "d"),
    *("stroke", "stroke-width", "points", "font-size", "font-style", "text-anchor"),
}


def written(element: ET.Element) -> str:
    return "".join(element.itertext())


def names_of(root: ET.Element) -> list[str]:
    return [written(element) for element in root.iter(f"{SVG}text")]


@every_program
def test_svg_is_self_contained_xml_without_scripts(program):
    text = svg(program, title=next(iter(program.outputs), ""))
    root = ET.fromstring(text)
    elements = list(root.iter())
    assert {element.tag.removeprefix(SVG) for element in elements} <= TAGS
    assert {name for element in elements for name in element.attrib} <= ATTRIBUTES
    assert not [value for element in elements for value in element.attrib.values() if "url(" in value]
    for element in elements:
        if element.tag != f"{SVG}svg":
            assert "style" not in element.attrib and "aria-label" not in element.attrib
    assert "\n" not in text and text.count("<svg") == 1
    shown = visible("".join(names_of(root)))
    assert all(visible(label) in shown for label in program.outputs if label != "F0")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_svg_shows_every_weight_and_function(case):
    program = case.trace(1)
    root = ET.fromstring(svg(program))
    texts = names_of(root)
    for name in program.parameters:
        shown = re.sub(r"(?<=[a-zA-Z])_?(\d+)(?:_(\d+))?\Z", lambda m: ",".join(filter(None, m.groups())), name)
        shown = re.sub(r"(?<=[a-zA-Z])_(?=[a-zA-Z]\w*\Z)", "", shown)  # W_Q is W with the index Q
        assert any(shown in text for text in texts), name
    assert "F" in texts
    assert program.parameters.keys() <= set(re.findall(r"[\w.]+", root.attrib["aria-label"]))


def test_svg_of_a_small_network():
    root = ET.fromstring(svg(SMALL))
    texts = names_of(root)
    assert texts == [
        *("−1/2", "n"),
        *("x", "U", "erf", "W1", "n−1/2", "+ W1.bias", "tanh", "+", "⟨v, · ⟩", "n−1/2", "F"),
    ]
    meanings = [written(group.find(f"{SVG}title")) for group in root.iter(f"{SVG}g")]
    assert meanings[0] == "in0 = input 0: vector of width d0"
    assert meanings[-1] == "output F0"
    assert len(meanings) == 9
    assert len(list(root.iter(f"{SVG}path"))) == len(list(root.iter(f"{SVG}polygon"))) == 9


def test_svg_title_is_the_callers_or_says_what_is_computed():
    for title, shown in (("", "Computation of F0 from 1 input(s) with the weights U, v"), ('<b> & "c"', '<b> & "c"')):
        root = ET.fromstring(svg(TINY, title))
        assert root.attrib["aria-label"] == written(root.find(f"{SVG}title")) == shown


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_svg_boxes_lie_inside_and_apart(case):
    root = ET.fromstring(svg(case.trace(1)))
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    boxes = []
    for group in root.iter(f"{SVG}g"):
        rect = group.find(f"{SVG}rect").attrib
        x, y, w, h = (float(rect[key]) for key in ("x", "y", "width", "height"))
        assert x >= 0 and y >= 0 and x + w <= width + 1 and y + h <= height + 1
        boxes.append((x, y, x + w, y + h))
    for (a, b, c, d), (e, f, g, h) in combinations(boxes, 2):
        assert c <= e or g <= a or d <= f or h <= b
    for path in root.iter(f"{SVG}path"):
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", path.attrib["d"])]
        assert all(0 <= x <= width for x in numbers[::2]) and all(0 <= y <= height for y in numbers[1::2])


def test_wide_pictures_turn_to_run_downwards():
    def deep(x, depth):
        h = tp.linear("U", x)
        for layer in range(depth):
            h = tp.linear(f"W{layer}", tp.erf(h))
        return tp.readout("v", h)

    for depth, down in ((2, False), (20, True)):
        _, _, width, height = map(float, ET.fromstring(svg(tp.trace(deep, depth=depth))).attrib["viewBox"].split())
        assert (height > width) == down
        assert width < 1100


# -- layout


def check_layout(program: Program) -> dict[str, tuple[float, float]]:
    places = layout(program)
    assert places.keys() == program.nodes.keys()
    assert all(type(x) is float and type(y) is float for x, y in places.values())
    assert all(places[v][0] >= places[u][0] + 1 for u, v, _ in program.graph.edges)
    for name, node in program.nodes.items():
        if operands(node):
            assert places[name][0] == 1 + max(places[operand][0] for operand in operands(node))
    layers: dict[float, list[float]] = {}
    for x, y in places.values():
        layers.setdefault(x, []).append(y)
    for ys in layers.values():
        ys.sort()
        assert all(b - a >= 1 - 1e-9 for a, b in pairwise(ys))
    return places


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_layout_is_distinct_and_flows_to_the_right(case):
    check_layout(case.trace(1))


def test_layout_serves_correlations():
    places = check_layout(tp.correlation(SEVERAL, 1, 1))
    assert len(set(places.values())) == len(places) > 40
    check_layout(SLOTS)


def test_layout_of_programs_with_too_many_long_edges(monkeypatch):
    program = tp.correlation(SEVERAL, 1, 1)
    usual = layout(program)
    monkeypatch.setattr(drawing_module, "MAX_SPAN", 1)
    places = check_layout(program)
    assert places != usual
    assert {name: x for name, (x, _) in places.items()} == {name: x for name, (x, _) in usual.items()}


def test_layout_is_what_networkx_draws():
    positions = nx.rescale_layout_dict(layout(TINY))
    assert positions.keys() == set(TINY.graph)


# -- the same again


def pictures(program: Program) -> str:
    return "\n".join([svg(program), mermaid(program), graphviz(program), repr(layout(program)), program.digest])


@pytest.mark.parametrize("program", [TINY, SMALL, SLOTS, SEVERAL], ids=["tiny", "small", "slots", "several"])
def test_the_same_program_gives_the_same_picture(program):
    assert pictures(pickle.loads(pickle.dumps(program))) == pictures(read(str(program))) == pictures(program)


def test_pictures_do_not_depend_on_the_process():
    """Another process orders its sets in another way."""
    code = (
        "import sys; from tensorprog.program.text import read; from tensorprog.program.drawing import *\n"
        "p = read(sys.stdin.buffer.read().decode())\n"
        "text = '\\n'.join([svg(p), mermaid(p), graphviz(p), repr(layout(p)), p.digest])\n"
        "sys.stdout.buffer.write(text.encode())"
    )
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    run = subprocess.run(
        [sys.executable, "-c", code],
        input=str(SLOTS).encode(),
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        check=True,
    )
    assert run.stdout.decode() == pictures(SLOTS)


def test_another_program_gives_another_picture():
    found = [pictures(program).split("\n") for program in (TINY, SMALL, SLOTS)]
    assert all(a != b for one, other in combinations(found, 2) for a, b in ((one[0], other[0]), (one[-1], other[-1])))

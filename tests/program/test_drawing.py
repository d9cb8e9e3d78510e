"""Drawings as texts, Mermaid and Graphviz: well formed whatever the names are, and complete."""

from __future__ import annotations

import re
from collections import Counter

from program.pictured import SMALL, TINY, check_complete, every_program

from tensorprog.program import Input
from tensorprog.program.drawing import graphviz, mermaid, svg
from tensorprog.program.types import Scalar

# -- Mermaid

BOX = re.compile(
    r'    (n\d+|end\d+)(?:\[/"([^"]*)"/\]|\["([^"]*)"\]|\("([^"]*)"\)|\(\("([^"]*)"\)\)|\(\["([^"]*)"\]\))'
)
ARROW = re.compile(r'    (n\d+) -->(?:\|"([^"]*)"\|)? (n\d+|end\d+)')


@every_program
def test_mermaid_is_well_formed_and_complete(program):
    text = mermaid(program)
    head, *lines = text.removesuffix("\n").split("\n")
    assert head == "flowchart LR"
    labels: dict[str, str] = {}
    edges: Counter[tuple[str, str]] = Counter()
    for line in lines:
        if found := BOX.fullmatch(line):
            raw = "".join(filter(None, found.groups()[1:]))
            assert found[1] not in labels and not edges
            labels[found[1]] = re.sub(r"#(\d+);", lambda mark: chr(int(mark[1])), raw)
        else:
            found = ARROW.fullmatch(line)
            assert found, line
            raw = found[2] or ""
            edges[found[1], found[3]] += 1
        assert not set(re.sub(r"#\d+;", "", raw)) & set('"<>&`|{}[]#\\')
    check_complete(program, labels, edges)


def test_mermaid_of_a_small_network():
    assert mermaid(TINY) == (
        "flowchart LR\n"
        '    n0[/"in0 = input 0"/]\n'
        '    n1["U: n x d0"]\n'
        '    n2("x1 = U @ in0")\n'
        '    n3("x2 = erf(x1)")\n'
        '    n4("v: 1 x n")\n'
        '    n5(("s3 = mean(v * x2)"))\n'
        '    n6(("s4 = n^1*s3"))\n'
        '    end0(["F0"])\n'
        "    n1 --> n2\n"
        "    n0 --> n2\n"
        "    n2 --> n3\n"
        "    n4 --> n5\n"
        "    n3 --> n5\n"
        '    n5 -->|"n^1"| n6\n'
        "    n6 --> end0\n"
    )


# -- Graphviz

STRING = r'"((?:[^"\\\n]|\\.)*)"'
NODE = re.compile(rf'    (n\d+|end\d+) \[label={STRING}, shape=\w+(?:, style="[\w,]+")?, fillcolor="#[0-9a-f]{{6}}"\];')
EDGE = re.compile(rf"    (n\d+) -> (n\d+|end\d+)(?: \[label={STRING}\])?;")


@every_program
def test_graphviz_is_well_formed_and_complete(program):
    text = graphviz(program)
    assert text.endswith("}\n")
    head, rank, style, *lines, foot = text.removesuffix("\n").split("\n")
    assert (head, rank, foot) == ("digraph program {", "    rankdir=LR;", "}")
    assert re.fullmatch(rf"    node \[style=filled, fontname={STRING}\];", style)
    labels: dict[str, str] = {}
    edges: Counter[tuple[str, str]] = Counter()
    for line in lines:
        if found := NODE.fullmatch(line):
            assert found[1] not in labels and not edges
            assert set(re.findall(r"\\(.)", found[2])) <= {'"', "\\"}
            labels[found[1]] = re.sub(r"\\(.)", r"\1", found[2])
        else:
            found = EDGE.fullmatch(line)
            assert found, line
            edges[found[1], found[2]] += 1
    check_complete(program, labels, edges)


def test_graphviz_of_a_small_network():
    lines = graphviz(TINY).splitlines()
    assert '    n1 [label="U: n x d0", shape=box, fillcolor="#fdf2e0"];' in lines
    assert '    n5 -> n6 [label="n^1"];' in lines
    assert lines.count("    n6 -> end0;") == 1


@every_program
def test_texts_can_be_stored(program):
    for text in (mermaid(program), graphviz(program), svg(program)):
        assert all(c.isprintable() or c == "\n" for c in text)
        assert text.encode("utf-8").decode("utf-8") == text


def test_kinds_of_nodes_have_shapes_of_their_own():
    boxes = dict(re.findall(r"    (\w+)([\[(]+/?)\"", mermaid(SMALL)))
    for number, (name, node) in enumerate(SMALL.nodes.items()):
        kind = SMALL.types[name]
        if isinstance(node, Input):
            shape = "[/"
        elif isinstance(kind, Scalar):
            shape = "(("
        else:
            shape = "[" if name in ("U", "W1") else "("
        assert boxes[f"n{number}"] == shape
    assert boxes["end0"] == "(["

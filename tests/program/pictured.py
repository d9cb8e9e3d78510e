"""Programs to draw, hostile names among them, and what every drawing of them must show."""

from __future__ import annotations

from collections import Counter

import pytest

import tensorprog as tp
from tensorprog.program import Input, LinComb, Moment, Parameter, Program
from tensorprog.program.text import write_instruction
from tensorprog.program.types import N

LONGEST = 60
SVG = "{http://www.w3.org/2000/svg}"

HOSTILE = [
    '"];} n0 -> n1; /*',
    '"]\n    n0 --> n1\n    click n0 "javascript:alert(1)"',
    "</title></svg><script>alert(1)</script>",
    '" onload="alert(1)',
    "]]> --> <!-- <![CDATA[",
    "&lt;script&gt; &#60;b&#62; #60;b#62;",
    "%%{init: {'theme': 'dark'}}%%",
    "\\",
    '\\"',
    "`|{}[]()<>&'\"#;",
    "end",
    "subgraph x",
    "a\r\nb",
    "\x00\x08\x1b[31m",
    "\u202e\u2028\x85",
    "\ud800",
    "\ufffe",
    "é λ 数",
    "x" * 500,
    "",
]


def network(x):
    h = tp.linear("W1", tp.erf(tp.linear("U", x)), bias=1)
    return tp.readout("v", h - tp.tanh(h) / 2)


TINY = tp.trace(lambda x: tp.readout("v", tp.erf(tp.linear("U", x))))
SMALL = tp.trace(network)
SLOTS = tp.correlation(tp.trace(network), 2, 0)
SEVERAL = tp.trace(network, inputs=2)


def hostile(text: str) -> Program:
    """A program with this text in the name of its data, of a weight, of a node and of an output."""
    x, v, y, s = (f"{kind}{text}" for kind in "xvys")
    nodes = {x: Input(0), "U": Parameter(N, None), v: Parameter(None, N), y: LinComb(((tp.n, "U"), (tp.n, v)))}
    return Program({**nodes, s: Moment((y, v)), "t": Moment((x,))}, {text: s, "t": "t"})


PROGRAMS = {"tiny": TINY, "small": SMALL, "slots": SLOTS, "several": SEVERAL} | {
    ascii(text)[:30]: hostile(text) for text in HOSTILE
}
every_program = pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)


def expected(program: Program) -> tuple[dict[str, str], Counter[tuple[str, str]]]:
    """Key -> start of its label, and the edges, of a complete drawing."""
    keys = {name: f"n{i}" for i, name in enumerate(program.nodes)}
    labels = {}
    for name, node in program.nodes.items():
        labels[keys[name]] = f"{name}: " if isinstance(node, Parameter) else f"{name} = {write_instruction(node)}"
    edges = Counter((keys[u], keys[v]) for u, v in program.graph.edges(keys=False))
    ends = [*program.outputs, *(f"slot {slot.parameter}" for slot in program.slots)]
    labels |= {f"end{i}": label for i, label in enumerate(ends)}
    edges += Counter((keys[name], f"end{i}") for i, name in enumerate(x.node for x in program.outputs.values()))
    for i, slot in enumerate(program.slots, start=len(program.outputs)):
        edges += Counter((keys[side], f"end{i}") for _, *sides in slot.terms for side in sides if side is not None)
    return labels, edges


def visible(label: str) -> str:
    """The characters of a label that every drawing must show."""
    return "".join(c for c in label if c.isprintable() and not c.isspace() and c not in "…\N{REPLACEMENT CHARACTER}")


def check_complete(program: Program, labels: dict[str, str], edges: Counter[tuple[str, str]]) -> None:
    wanted, arrows = expected(program)
    assert edges == arrows
    assert labels.keys() == wanted.keys()
    for key, label in labels.items():
        assert len(label) <= LONGEST
        assert visible(label).startswith(visible(wanted[key][: LONGEST - 1]))

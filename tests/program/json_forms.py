"""A program of every instruction as a JSON object, and a network to damage."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import tensorprog as tp
from tensorprog.program import (
    Program,
)
from tensorprog.program.interchange import to_object

HALF = Fraction(1, 2)
ONE = {"value": "1", "power": "0"}
TRAINED, FROZEN = {"trainable": True}, {"trainable": False}

EVERYTHING = {
    "format": "tensorprog program",
    "version": 2,
    "nodes": [
        {"name": "x0", "op": "input", "index": 0},
        {"name": "x1", "op": "input", "index": 1},
        {"name": "W", "op": "parameter", "rows": "2n", "cols": "d0", "std": "1/10", "a": "0", "c": "-1", **TRAINED},
        {"name": "R", "op": "parameter", "rows": "1/2n", "cols": "2n", "std": "1", "a": "1/2", "c": "0", **FROZEN},
        {"name": "t", "op": "parameter", "rows": None, "cols": None, "std": "1", "a": "0", "c": "0", **TRAINED},
        {"name": "dW", "op": "free", "parameter": "W"},
        {"name": "k", "op": "constant", "coefficient": {"value": "-3/2", "power": "-1/2"}},
        {"name": "one", "op": "constant", "coefficient": ONE, "width": "2n"},
        {"name": "h", "op": "matmul", "matrix": "W", "vector": "x0", "transpose": False},
        {"name": "g", "op": "matmul", "matrix": "dW", "vector": "x1", "transpose": False},
        {"name": "z", "op": "matmul", "matrix": "R", "vector": "h", "transpose": False},
        {"name": "y", "op": "matmul", "matrix": "R", "vector": "z", "transpose": True},
        {"name": "f", "op": "apply", "function": "expression(z0*sin(z1))", "order": [0, 2], "args": ["h", "k"]},
        {"name": "p", "op": "multiply", "args": ["h", "h", "t"]},
        {
            "name": "c",
            "op": "lincomb",
            "terms": [
                {"coefficient": {"value": "-1", "power": "2"}, "of": "g"},
                {"coefficient": ONE, "of": "y"},
                {"coefficient": ONE, "of": "one"},
            ],
        },
        {"name": "s", "op": "moment", "args": ["f", "p", "c"]},
    ],
    "outputs": [
        {"label": "F0", "node": "s", "input": 0, "component": 2, "measure": "value"},
        {"label": "a loss", "node": "t", "input": None, "component": None, "measure": "squared norm"},
    ],
    "slots": [
        {"parameter": "W", "terms": [{"coefficient": {"value": "2", "power": "1/2"}, "left": "h", "right": "x0"}]},
        {"parameter": "t", "terms": [{"coefficient": ONE, "left": "s", "right": None}]},
    ],
}  # fmt: skip


def network() -> Program:
    return tp.trace(lambda x: tp.readout("v", tp.erf(tp.linear("U", x))))


def changed(*path: Any, value: Any) -> str:
    """The JSON of `network` with one value replaced; nodes are found by name."""
    content = to_object(network())
    place: Any = content
    for step in path[:-1]:
        named = place is content["nodes"]
        place = next(node for node in place if node["name"] == step) if named else place[step]
    place[path[-1]] = value
    return json.dumps(content)


GOOD = network().to_json()

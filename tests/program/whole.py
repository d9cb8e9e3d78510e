"""A program of every instruction, and a small network: what the tests of programs share."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import tensorprog as tp
from tensorprog.program import (
    Apply,
    Coefficient,
    Input,
    Instruction,
    LinComb,
    MatMul,
    Moment,
    Multiply,
    Output,
    Parameter,
    Program,
    Width,
)
from tensorprog.program.types import DATA, N

ONE = Coefficient()
TWO = Width(Fraction(2))

NODES: Mapping[str, Instruction] = {
    "x0": Input(0),
    "U": Parameter(N, DATA),
    "W": Parameter(TWO, N),
    "b": Parameter(N, None),
    "v": Parameter(None, TWO),
    "t": Parameter(None, None),
    "h": MatMul("U", "x0"),
    "f": Apply(tp.erf, (0,), ("h",)),
    "y": MatMul("W", "f"),
    "z": MatMul("W", "y", transpose=True),
    "c": LinComb(((ONE, "z"), (tp.n, "b"))),
    "p": Multiply(("c", "t")),
    "s": Moment(("p", "h")),
    "r": Moment(("v", "y")),
}
OUTPUTS: Mapping[str, Output | str] = {"F0": Output("s", 0), "F1": Output("r", 1)}
TYPES = Program(NODES, OUTPUTS).types


def network(x):
    h = tp.linear("W", tp.erf(tp.linear("U", x)), bias=1)
    return tp.readout("v", tp.tanh(h) + h)

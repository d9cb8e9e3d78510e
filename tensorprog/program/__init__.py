"""The language: a small closed set of typed instructions, `Program`, and the tracing front end."""

from tensorprog.program.builder import Builder
from tensorprog.program.constants import NamedConstant, symbol
from tensorprog.program.instructions import (
    GAUSSIAN,
    LAWS,
    Apply,
    Constant,
    Free,
    Input,
    Instruction,
    LinComb,
    MatMul,
    Moment,
    Multiply,
    Parameter,
    ancestors,
    operands,
)
from tensorprog.program.layers import Std, linear, mean, readout
from tensorprog.program.outputs import Measure, Output
from tensorprog.program.program import Program, Slot
from tensorprog.program.scales import ABC, MEAN_FIELD, MUP, NTK, PRESETS, Preset, abc
from tensorprog.program.tracing import Sequence, Symbol, trace
from tensorprog.program.types import Coefficient, Matrix, Scalar, Vector, Width

n = Coefficient(power=Coefficient().power + 1)

__all__ = [
    "ABC",
    "GAUSSIAN",
    "LAWS",
    "MEAN_FIELD",
    "MUP",
    "NTK",
    "PRESETS",
    "Apply",
    "Builder",
    "Coefficient",
    "Constant",
    "Free",
    "Input",
    "Instruction",
    "LinComb",
    "MatMul",
    "Matrix",
    "Measure",
    "Moment",
    "Multiply",
    "NamedConstant",
    "Output",
    "Parameter",
    "Preset",
    "Program",
    "Scalar",
    "Sequence",
    "Slot",
    "Std",
    "Symbol",
    "Vector",
    "Width",
    "abc",
    "ancestors",
    "linear",
    "mean",
    "n",
    "operands",
    "readout",
    "symbol",
    "trace",
]

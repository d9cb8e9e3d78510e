"""Coordinatewise nonlinearities: value, derivatives, parity, growth. A new one is one new file.

A module of this package names what it offers, instances and makers, in a tuple `NONLINEARITIES`; `parse_function`
finds it there.
"""

from tensorprog.functions.base import Function
from tensorprog.functions.catalogue import parse_function
from tensorprog.functions.custom import expression
from tensorprog.functions.gaussian import erf, gelu
from tensorprog.functions.grammar import parse_expression, parse_number
from tensorprog.functions.kinked import leaky_relu, relu
from tensorprog.functions.logistic import sigmoid, softplus, tanh
from tensorprog.functions.polynomials import identity, polynomial
from tensorprog.functions.powers import power
from tensorprog.functions.waves import cos, exp, sin

__all__ = [
    "Function",
    "cos",
    "erf",
    "exp",
    "expression",
    "gelu",
    "identity",
    "leaky_relu",
    "parse_expression",
    "parse_function",
    "parse_number",
    "polynomial",
    "power",
    "relu",
    "sigmoid",
    "sin",
    "softplus",
    "tanh",
]

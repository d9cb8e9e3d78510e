"""Texts to expressions and numbers, without ever executing a text.

Python's own parser reads the text into a syntax tree (`ast.parse`, which runs nothing); a whitelist of node kinds
turns that tree into sympy. Everything else is refused, naming the offending part. Lengths, depths, powers and the
size of numbers are limited, so that no short text costs much time or memory.

Limits: no exponent with a variable in it (write exp(z*log(2)) for 2**z).
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Mapping
from fractions import Fraction

import sympy

from tensorprog.errors import ExpressionError
from tensorprog.functions import switches, trees

MAX_LENGTH = 10_000
MAX_DEPTH = 60
MAX_POWER = 64
MAX_BITS = 4096
MAX_EXPONENTIAL = 64
MAX_SIZE = 2000
MAX_DIGITS = 300

LITERAL = re.compile(r"(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?\Z", re.ASCII)
NUMBER = re.compile(r"\s*([+-]?)\s*([\d.]+(?:[eE][+-]?\d{1,3})?)\s*(?:/\s*(\d+)\s*)?\Z", re.ASCII)

CONSTANTS: Mapping[str, sympy.Expr] = {"pi": sympy.pi, "E": sympy.E}

FUNCTIONS: Mapping[str, Callable[[sympy.Expr], sympy.Expr]] = {
    "erf": sympy.erf,
    "tanh": trees.tanh,
    "sigmoid": trees.sigmoid,
    "softplus": trees.softplus,
    "gelu": lambda u: u * trees.Phi(u),
    "Phi": trees.Phi,
    "exp": sympy.exp,
    "log": sympy.log,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "sinh": sympy.sinh,
    "cosh": sympy.cosh,
    "atan": sympy.atan,
    "sqrt": sympy.sqrt,
    "abs": switches.Abs,
    "sign": switches.Sign,
    "heaviside": switches.Heaviside,
}
EXPLOSIVE = frozenset({"exp", "sinh", "cosh"})
OUTSIDE = (sympy.I, sympy.zoo, sympy.oo, sympy.nan, sympy.Abs, sympy.sign, sympy.re, sympy.im, sympy.arg)


def parse_expression(text: str, names: Mapping[str, sympy.Symbol]) -> sympy.Expr:
    """The expression a text denotes, over the symbols in `names`; decimals are exact rationals.

    Accepted: numbers, names, pi, E, + - * / **, parentheses, and the functions erf, tanh, sigmoid, softplus, gelu,
    Phi, exp, log, sin, cos, sinh, cosh, atan, sqrt, abs, sign, heaviside, max, min.
    Raises ExpressionError for anything else.

    >>> parse_expression("3*n/2 + 0.1", {"n": sympy.Symbol("n")})
    3*n/2 + 1/10
    """
    return trees.standard(build(text, names))


def parse_number(text: str) -> Fraction:
    """An exact rational: "3/2", "0.1", "-2", "1e-3".

    >>> parse_number("0.1") + parse_number("3/2")
    Fraction(8, 5)
    """
    found = NUMBER.match(text) if isinstance(text, str) and len(text) <= MAX_DIGITS else None
    if found is None or not LITERAL.match(found[2]) or (found[3] and int(found[3]) == 0):
        raise ExpressionError(f"{_shown(text)} is no rational number; write it as 3/2, 0.1, -2 or 1e-3")
    value = Fraction(found[2]) / int(found[3] or 1)
    if len(str(value)) >= MAX_DIGITS:
        raise ExpressionError(f"{_shown(text)} has more than {MAX_DIGITS} digits; use a number of fewer")
    return -value if found[1] == "-" else value


def build(text: str, names: Mapping[str, sympy.Symbol]) -> sympy.Expr:
    """As `parse_expression`, with sigmoid, tanh, Phi and softplus as the functions of `trees`."""
    if not isinstance(text, str):
        raise ExpressionError(f"{text!r} is not a text; pass an expression such as 'z*tanh(z)'")
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"an expression of {len(text)} characters; at most {MAX_LENGTH} are read")
    if not text.isascii():
        strange = next(c for c in text if not c.isascii())
        raise ExpressionError(f"{strange!r} in {_shown(text)} is not part of an expression; use ASCII letters")
    source = re.sub(r"\s", " ", text).strip()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise ExpressionError(f"{_shown(text)} is no expression: {getattr(error, 'msg', error)}") from None
    except (RecursionError, MemoryError):
        raise ExpressionError(f"{_shown(text)} is nested too deeply") from None
    return _Reader(source, names).read(tree, 0)


class _Reader:
    """One walk over a syntax tree; `source` is kept to quote from."""

    def __init__(self, source: str, names: Mapping[str, sympy.Symbol]) -> None:
        self.source, self.names = source, names

    def read(self, node: ast.expr, depth: int) -> sympy.Expr:
        if depth > MAX_DEPTH:
            raise self.error(node, f"is nested more than {MAX_DEPTH} deep; split it up")
        try:
            result = self._read(node, depth + 1)
            real = result.free_symbols or result.evalf(15).is_real
        except (ZeroDivisionError, OverflowError):
            raise self.error(node, "is too close to a division by zero, or too large, to be computed") from None
        if not trees.smaller_than(MAX_SIZE, result):
            raise self.error(node, f"has more than {MAX_SIZE} terms when it is written out; use a simpler expression")
        if result.has(*OUTSIDE):
            raise self.error(
                node, "is not a real number; avoid division by 0, √ or log of negatives, and write abs(z) for √(z²)"
            )
        if not real:
            raise self.error(node, "is not a real number")
        if result.is_Rational and max(int(result.p).bit_length(), int(result.q).bit_length()) > MAX_BITS:
            raise self.error(node, f"is a number of more than {MAX_BITS} bits; use a smaller one")
        return result

    def _read(self, node: ast.expr, depth: int) -> sympy.Expr:
        match node:
            case ast.Constant():
                return self._literal(node)
            case ast.Name(id=name):
                if name in self.names:
                    return self.names[name]
                if name in CONSTANTS:
                    return CONSTANTS[name]
                raise self.error(node, f"is not known here; known are {', '.join([*self.names, *CONSTANTS])}")
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.read(operand, depth)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.read(operand, depth)
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                return self._sum(node, depth)
            case ast.BinOp(op=ast.Mult() | ast.Div()):
                return self._product(node, depth)
            case ast.BinOp(left=base, op=ast.Pow(), right=exponent):
                return self._power(node, self.read(base, depth), self.read(exponent, depth))
            case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
                return self._call(node, name, self.read(argument, depth))
            case ast.Call(func=ast.Name(id="max" | "min" as name), args=[first, *others], keywords=[]) if others:
                result = self.read(first, depth)
                for other in others:
                    result = switches.NAMES[name](result, self.read(other, depth))
                return result
            case ast.Call(func=ast.Name(id="max" | "min" as name)):
                raise self.error(node, f"calls {name}, which takes two arguments or more")
            case ast.Call(func=ast.Name(id=name)) if name in FUNCTIONS:
                raise self.error(node, f"calls {name}, which takes one argument")
            case ast.Call(func=function):
                raise self.error(
                    function, f"is no function known here; known are {', '.join([*FUNCTIONS, 'max', 'min'])}"
                )
            case _:
                raise self.error(node, "is not arithmetic; only + - * / **, numbers, names and functions are read")

    def _literal(self, node: ast.Constant) -> sympy.Expr:
        text = self.quote(node)
        if not LITERAL.match(text) or len(text) > MAX_DIGITS:
            raise self.error(node, "is no decimal number; write it as 2, 0.5 or 1e-3")
        value = Fraction(text)
        return sympy.Rational(value.numerator, value.denominator)

    def _sum(self, node: ast.expr, depth: int) -> sympy.Expr:
        terms: list[sympy.Expr] = []
        while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
            term = self.read(node.right, depth)
            terms.append(term if isinstance(node.op, ast.Add) else -term)
            node = node.left
        return sympy.Add(self.read(node, depth), *reversed(terms))

    def _product(self, node: ast.expr, depth: int) -> sympy.Expr:
        factors: list[sympy.Expr] = []
        while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
            factor = self.read(node.right, depth)
            if isinstance(node.op, ast.Div):
                factor = self._power(node.right, factor, sympy.S.NegativeOne)
            factors.append(factor)
            node = node.left
        return sympy.Mul(self.read(node, depth), *reversed(factors))

    def _power(self, node: ast.expr, base: sympy.Expr, exponent: sympy.Expr) -> sympy.Expr:
        if not exponent.is_Rational:
            raise self.error(node, "has an exponent that is no rational number; write exp(z*log(2)) for 2**z")
        if max(abs(int(exponent.p)), int(exponent.q)) > MAX_POWER:
            raise self.error(node, f"has too large an exponent; at most {MAX_POWER} is read")
        if base.is_zero and exponent < 0:
            raise self.error(node, "is 0 and is divided by")
        if exponent.q != 1 and base.is_negative:
            raise self.error(node, "is a fractional power of a negative number")
        size = abs(int(exponent.p))
        for number in base.atoms(sympy.Rational):
            if max(int(number.p).bit_length(), int(number.q).bit_length()) * size > MAX_BITS:
                raise self.error(node, f"holds a number of more than {MAX_BITS} bits; use a smaller power")
        result = trees.reciprocal_of_logistic(base, exponent) or sympy.Pow(base, exponent)
        for power in result.atoms(sympy.Pow):
            if power.exp.is_Rational and abs(power.exp) > MAX_POWER:
                raise self.error(node, f"is a power above {MAX_POWER} in all; use a smaller one")
        return result

    def _call(self, node: ast.expr, name: str, argument: sympy.Expr) -> sympy.Expr:
        if name in EXPLOSIVE:
            constant, _ = argument.as_independent(*argument.free_symbols, as_Add=True)
            if not abs(constant.evalf(15)) <= MAX_EXPONENTIAL:
                raise self.error(node, f"is {name} of a constant beyond {MAX_EXPONENTIAL}; use a smaller one")
        result = FUNCTIONS[name](argument)
        for power in result.atoms(sympy.Pow):  # exp(k*log(z)) is z**k
            if power.exp.is_Rational and abs(power.exp) > MAX_POWER:
                raise self.error(node, f"is a power above {MAX_POWER} in all; use a smaller one")
        return result

    def quote(self, node: ast.expr) -> str:
        return self.source[node.col_offset : node.end_col_offset]

    def error(self, node: ast.expr, fault: str) -> ExpressionError:
        return ExpressionError(f"{_shown(self.quote(node))} in {_shown(self.source)} {fault}")


def _shown(text: object) -> str:
    shown = repr(text)
    return shown if len(shown) <= 72 else f"{shown[:60]}…{shown[0]}"

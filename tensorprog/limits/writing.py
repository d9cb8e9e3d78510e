"""Scalar equations as sympy and LaTeX."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import assert_never

import sympy

from tensorprog.limits.evaluate import reachable
from tensorprog.limits.scalars import (
    Affine,
    Equations,
    Expectation,
    Factor,
    Given,
    Mixed,
    Node,
    Number,
    Product,
    Rational,
    Scalar,
    Sum,
    Symbol,
    Value,
)

E = sympy.Function("E")
"""E(expression, covariance): the average over z0, z1, … ~ N(0, covariance); a third argument is the mean."""
LIMIT = sympy.Symbol("limit", real=True)


def equations_of(equations: Equations, target: int | None) -> list[sympy.Eq]:
    """One equation e_i = E(…) for each expectation, then limit = …; none for an exact zero."""
    return [sympy.Eq(left, right, evaluate=False) for left, right in _rows(equations, target)]


def latex_of(equations: Equations, target: int | None) -> str:
    """The same in LaTeX, an environment for the math mode of amsmath."""
    nodes = [equations.nodes[x] for x in reachable(equations, [] if target is None else [target])]
    names = {
        symbol(x.name, x.positive): _subscripts(x.name) for x in nodes if isinstance(x, Symbol) and x.name[0] == "⟨"
    }
    names[LIMIT] = r"\mathrm{limit}"
    rows = []
    for left, right in _rows(equations, target):
        if isinstance(right, sympy.Function) and right.func == E:
            average, *law = (sympy.latex(x, symbol_names=names) for x in right.args)
            normal = rf"\mathcal{{N}}\left({law[1] if len(law) == 2 else 0}, {law[0]}\right)"
            body = rf"\mathbb{{E}}\left[{average}\right],\quad z \sim {normal}"
        else:
            body = sympy.latex(right, symbol_names=names)
        rows.append(rf"{sympy.latex(left, symbol_names=names)} &= {body}")
    joined = " \\\\\n".join(rows) or "0"
    return "\\begin{aligned}\n" + joined + "\n\\end{aligned}"


def _rows(equations: Equations, target: int | None) -> list[tuple[sympy.Expr, sympy.Expr]]:
    if target is None:
        return []
    names: dict[int, sympy.Expr] = {}
    rows: list[tuple[sympy.Expr, sympy.Expr]] = []
    for here in reachable(equations, [target]):
        node = equations.nodes[here]
        right = _expression(node, names)
        if isinstance(node, Expectation):
            names[here] = sympy.Symbol(f"e_{len(rows)}", real=True)
            rows.append((names[here], right))
        else:
            names[here] = right
    return [*rows, (LIMIT, names[target])]


def _rational(number: Rational) -> sympy.Rational:
    return sympy.Rational(number.numerator, number.denominator)


def _expression(node: Node, names: dict[int, sympy.Expr]) -> sympy.Expr:
    def at(value: Value) -> sympy.Expr:
        return sympy.Integer(0) if value is None else names[value]

    match node:
        case Number(value):
            return _rational(value)
        case Symbol(name, positive):
            return symbol(name, positive)
        case Sum(terms):
            return sympy.Add(*(_rational(c) * names[x] for c, x in terms))
        case Product(factors):
            return sympy.Mul(*(names[x] for x in factors))
        case Scalar(function, order, args):
            return _derivative(function.sympy, order, [at(x) for x in args])
        case Expectation(factors, covariance, mean, inner):
            z = [sympy.Symbol(f"z{i}", real=True) for i in range(len(mean))]
            matrix = sympy.zeros(len(mean), len(mean))
            pairs = [(i, j) for i in range(len(mean)) for j in range(i + 1)]
            for (i, j), x in zip(pairs, covariance, strict=True):
                matrix[i, j] = matrix[j, i] = at(x)
            steps: list[sympy.Expr] = []
            for factor in inner:
                steps.append(_factor(factor, z, steps, names))
            averaged = sympy.Mul(*(_factor(factor, z, steps, names) for factor in factors))
            law = [matrix.as_immutable()]
            if any(x is not None for x in mean):
                law.append(sympy.ImmutableMatrix([at(x) for x in mean]))
            return E(averaged, *law)
        case _:
            assert_never(node)


def symbol(name: str, positive: bool) -> sympy.Symbol:
    """An average over data ⟨in0 in1⟩ as K_in0_in1, a named constant under its name."""
    data = re.fullmatch(r"⟨(.*)⟩", name)
    written = "K_" + data[1].replace(" ", "_") if data else name
    return sympy.Symbol(written, positive=True) if positive else sympy.Symbol(written, real=True)


def _subscripts(name: str) -> str:
    """An average over data ⟨in0 in1⟩ in LaTeX."""
    inputs = (rf"\mathrm{{{x}}}" for x in name[1:-1].replace("_", r"\_").split())
    return rf"K_{{{', '.join(inputs)}}}"


def _factor(factor: Factor, z: list[sympy.Symbol], steps: list[sympy.Expr], names: dict[int, sympy.Expr]) -> sympy.Expr:
    """A factor over the coordinates z, given the factors inside its arguments."""
    arguments: list[sympy.Expr] = []
    for arg in factor.args:
        match arg:
            case Affine(index):
                arguments.append(z[index])
            case Given(value):
                arguments.append(sympy.Integer(0) if value is None else names[value])
            case Mixed(terms):
                parts = (
                    names[c] * sympy.Mul(*(z[i] for i in xs), *(steps[i] for i in inner)) for c, xs, inner in terms
                )
                arguments.append(sympy.Add(*parts))
            case _:
                assert_never(arg)
    return _derivative(factor.function.sympy, factor.order, arguments)


def _derivative(function: Callable[..., sympy.Expr], order: tuple[int, ...], arguments: list[sympy.Expr]) -> sympy.Expr:
    """∂^order of a function of symbols, at these arguments."""
    variables = [sympy.Dummy(f"x{i}", real=True) for i in range(len(order))]
    tree = function(*variables)
    for variable, k in zip(variables, order, strict=True):
        tree = sympy.diff(tree, variable, k) if k else tree
    return tree.subs(dict(zip(variables, arguments, strict=True)), simultaneous=True)

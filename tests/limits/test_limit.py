"""`tp.limit`: equations that can be evaluated by anyone, LaTeX, compiled functions, and refusals."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pytest
import sympy
from cases import CASES
from scipy import special

import tensorprog as tp
from tensorprog import architectures
from tensorprog.errors import DataError, OrderError, ProgramError
from tensorprog.functions import erf, gelu, sin, tanh
from tensorprog.limits.symbols import symbol_values

BY_NAME = {case.name: case for case in CASES}
NODES, WEIGHTS = special.roots_hermitenorm(80)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def evaluated(found):
    """The last equation's value, each E(…) by Gauss–Hermite in at most two dimensions."""
    known = {}
    numbers = symbol_values(found.interpreter, found.data)
    for name, value in numbers.items():
        data = re.fullmatch("⟨(.*)⟩", name)
        known[("K_" + data[1].replace(" ", "_")) if data else name] = float(value)
    for equation in found.equations:
        left, right = equation.lhs, equation.rhs
        values = {s: known[s.name] for s in right.free_symbols if s.name in known}
        known[left.name] = average(right, values) if right.func.__name__ == "E" else float(right.subs(values))
    return known["limit"]


def average(call, values):
    """E(expression, covariance[, mean])."""
    expression, *law = call.args
    covariance = np.array(law[0].subs(values), dtype=float)
    size = len(covariance)
    mean = np.array(law[1].subs(values), dtype=float).ravel() if len(law) == 2 else np.zeros(size)
    assert size <= 2
    lower = np.linalg.cholesky(covariance)
    grids = np.stack([x.ravel() for x in np.meshgrid(*[NODES] * size, indexing="ij")])
    weights = np.prod([x.ravel() for x in np.meshgrid(*[WEIGHTS] * size, indexing="ij")], axis=0)
    z = [sympy.Symbol(f"z{i}", real=True) for i in range(size)]
    function = sympy.lambdify(z, expression.subs(values), ["scipy", "numpy"])
    return float(np.sum(weights * function(*(mean[:, None] + lower @ grids))))


def limit_of(name, D, d, points=None):
    case = BY_NAME[name]
    return tp.limit(tp.correlation(case.trace(d + 1), D, d, points), case.data(d + 1))


EXAMPLES = [("mlp", 0, 1, None), ("mlp", 1, 0, None), ("mlp_bias", 0, 1, None), ("resnet", 0, 1, None)]
EXAMPLES += [("glu", 0, 1, None), ("layernorm_mlp", 0, 1, None), ("attention_tied", 0, 1, (0, 0)), ("rnn", 1, 0, None)]
EXAMPLES += [("mlp", 0, 3, (0, 0, 0, 0)), ("resnet", 1, 1, (0, 0)), ("shallow", 0, 3, (0, 1, 0, 1))]


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_equations_evaluate_to_the_value(example):
    """By an evaluator of its own, with 80 nodes a dimension."""
    name, D, d, points = example
    case = BY_NAME[name]
    inputs = max(points or (d,)) + 1
    found = tp.limit(tp.correlation(case.trace(inputs), D, d, points), case.data(inputs))
    assert all(isinstance(equation, sympy.Eq) for equation in found.equations)
    assert [e.lhs.name for e in found.equations] == [*(f"e_{i}" for i in range(len(found.equations) - 1)), "limit"]
    assert evaluated(found) == pytest.approx(found.value, rel=1e-6)


def test_equations_with_symbols_evaluate_to_the_value():
    stds = {"weight_std": tp.symbol("sigma_w", 1.25), "bias_std": tp.symbol("sigma_b", 0.5)}
    found = tp.limit(tp.correlation(tp.trace(architectures.mlp, inputs=2, **stds), 0, 1), BY_NAME["mlp"].data(2))
    assert {"sigma_w", "sigma_b"} <= {s.name for equation in found.equations for s in equation.rhs.free_symbols}
    assert evaluated(found) == pytest.approx(found.value, rel=1e-6)


def test_equations_only_read_what_came_before():
    seen = set()
    for equation in limit_of("mlp", 0, 1).equations:
        read = {s.name for s in equation.rhs.free_symbols if s.name.startswith("e_")}
        assert read <= seen
        seen.add(equation.lhs.name)


@pytest.mark.parametrize("example", EXAMPLES[:6], ids=str)
def test_latex_is_balanced_and_complete(example):
    found = limit_of(*example)
    text = found.latex()
    assert text.count("{") == text.count("}")
    assert text.count(r"\left") == text.count(r"\right")
    for word in ("aligned", "matrix"):
        assert text.count(rf"\begin{{{word}}}") == text.count(rf"\end{{{word}}}") > 0
    rows = [row for row in text.split("\n") if " &= " in row]
    assert len(rows) == len(found.equations)
    assert all(rf"e_{{{i}}} &= \mathbb{{E}}" in row for i, row in enumerate(rows[:-1]))
    assert rows[-1].startswith(r"\mathrm{limit} &= ")
    assert set(re.findall(r"K_(.{11})", text)) == {r"{\mathrm{in"}
    assert "<" not in text


def test_an_exact_zero_has_no_equations():
    found = limit_of("attention", 0, 3)
    assert found.is_zero
    assert found.equations == []
    assert found.latex() == "\\begin{aligned}\n0\n\\end{aligned}"
    assert (found.value, found.error) == (0, 0)
    assert found.compile()({}) == 0
    assert repr(found).startswith("Limit(0 at n^")


def squares(x, weight_std=1, bias_std=Fraction(1, 2)):
    """The variance of a hidden layer, averaged."""
    h = tp.erf(tp.linear("U", x, std=weight_std, bias=bias_std))
    y = tp.linear("W1", h, std=weight_std)
    return tp.mean(y * y)


@pytest.mark.parametrize("std", [1, 2])
def test_compiled_limits_take_symbols(std):
    """σ² K + σ_b² inside, σ² outside; arrays broadcast."""
    compiled = tp.limit(tp.trace(squares, weight_std=std)).compile()
    ks = np.array([0.3, 1.0, 5.0])
    c = std**2 * ks + 0.25
    np.testing.assert_allclose(
        compiled({"⟨in0 in0⟩": ks}), std**2 * 2 / np.pi * np.arcsin(2 * c / (1 + 2 * c)), rtol=1e-12
    )
    with pytest.raises(ProgramError, match=r"no value for ⟨in0 in0⟩"):
        compiled({})


def test_compiled_limits_are_the_value():
    for name, D, d, points in EXAMPLES[:4]:
        found = limit_of(name, D, d, points)
        assert float(found.compile()(symbol_values(found.interpreter, found.data))) == pytest.approx(
            found.value, rel=1e-9
        )


@pytest.mark.parametrize(("phi", "method"), [(erf, "closed form"), (sin, "closed form"), (tanh, "quadrature")])
def test_values_have_errors_and_methods(phi, method):
    program = tp.trace(architectures.mlp, inputs=2, depth=2, phi=phi)
    found = tp.limit(tp.correlation(program, 0, 1), BY_NAME["mlp"].data(2))
    assert found.method == method
    assert 0 < found.error < 1e-9
    assert f"n^{found.power}" in repr(found) and "±" in repr(found)


def test_a_value_needs_data():
    found = tp.limit(tp.correlation(BY_NAME["mlp"].trace(1), 0, 1, (0, 0)))
    assert found.equations
    assert "value" not in repr(found)
    for attribute in ("value", "error", "method"):
        with pytest.raises(ProgramError, match=r"pass tp\.limit\(program, data\)"):
            getattr(found, attribute)


def test_wrong_programs_are_refused():
    program = BY_NAME["mlp"].trace(2)
    with pytest.raises(ProgramError, match="F0, F1"):
        tp.limit(program)
    with pytest.raises(ProgramError, match="one scalar"):
        tp.limit(tp.correlation(program, 2, 0, (0,)))
    for wrong in (None, "mlp", architectures.mlp):
        with pytest.raises(ProgramError, match=r"not a Program; pass tp\.correlation"):
            tp.limit(wrong)
    relu = tp.trace(architectures.mlp, inputs=1, phi=tp.relu)
    with pytest.raises(OrderError, match="derivatives"):
        tp.limit(tp.correlation(relu, 0, 3, (0, 0, 0, 0)))


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("mlp", np.ones(3), r"shape \(3,\)"),
        ("mlp", np.ones((1, 3)), "have 1 inputs"),
        ("mlp", np.ones((2, 2, 3)), r"was traced for \(inputs, d0\)"),
        ("mlp", np.ones((2, 0)), "d0 = 0"),
        ("mlp", [[1, 2], [3, np.nan]], r"NaN or infinite values.*\(1, 1\)"),
        ("mlp", "data", "no array of real numbers"),
        ("rnn", np.ones((2, 3)), r"\(inputs, positions, d0\)"),
        ("rnn", np.ones((2, 2, 3)), "have 2 positions"),
    ],
)
def test_wrong_data_are_refused(name, data, told):
    with pytest.raises(DataError, match=told):
        tp.limit(tp.correlation(BY_NAME[name].trace(2), 0, 1), data)


def test_more_data_than_needed_do_not_matter():
    program = tp.correlation(BY_NAME["mlp"].trace(2), 0, 1)
    data = BY_NAME["mlp"].data(5)
    assert tp.limit(program, data).value == tp.limit(program, data[:2]).value


def test_gelu_squared_by_quadrature():
    """E[gelu(z)²] for unit variance, by Gauss–Hermite."""

    def net(x):
        h = tp.gelu(tp.linear("U", x))
        return tp.mean(h * h)

    truth = WEIGHTS @ gelu.evaluate((0,), NODES) ** 2
    assert tp.limit(tp.trace(net), np.ones((1, 2))).value == pytest.approx(truth, rel=1e-9)

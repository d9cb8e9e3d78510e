"""Standard deviations that stay symbols: the same law as the number at every width, and the number's limits."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import sympy
from cases import CASES

import tensorprog as tp
from tensorprog.architectures import mlp
from tensorprog.errors import ProgramError

HALF = Fraction(1, 2)
DATA = np.random.default_rng(0).standard_normal((3, 4))
NUMBERS = {"weight_std": 2, "bias_std": Fraction(1, 4)}
SYMBOLS = {"weight_std": tp.symbol("sigma_w", 2), "bias_std": tp.symbol("sigma_b", Fraction(1, 4))}
by_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
with_limits = pytest.mark.parametrize(
    "case", [case for case in CASES if case.name != "attention_sqrt"], ids=lambda case: case.name
)


def both(case, inputs):
    """The case with numbers and with symbols of the same values."""
    return [replace(case, options={**case.options, **stds}).trace(inputs) for stds in (NUMBERS, SYMBOLS)]


def networks(inputs, depth=2, **options):
    return [tp.trace(mlp, inputs=inputs, depth=depth, **stds, **options) for stds in (NUMBERS, SYMBOLS)]


def squares(x, std, bias=HALF):
    """The variance of a hidden layer, averaged: σ² E[erf²] with the variance σ² K + σ_b² inside."""
    y = tp.linear("W1", tp.erf(tp.linear("U", x, std=std, bias=bias)), std=std)
    return tp.mean(y * y)


def closed_form(std, K, bias=0.5):
    c = std**2 * K + bias**2
    return std**2 * 2 / np.pi * np.arcsin(2 * c / (1 + 2 * c))


# -- the same law


@pytest.mark.parametrize("method", ["dense", "exact"])
@by_case
def test_samples_are_those_of_the_number(case, method):
    """Powers of two only move binary exponents: F is equal to the bit; the others are sums in another order."""
    number, name = both(case, 2)
    data = case.data(2)
    options = {"width": 16, "samples": 5, "seed": 1, "method": method}
    assert np.array_equal(*(tp.sample(tp.correlation(p, 0, 0), data, **options) for p in (number, name)))
    for D, d in ((0, 1), (1, 1), (2, 0)):
        one, other = (tp.sample(tp.correlation(p, D, d), data, **options) for p in (number, name))
        np.testing.assert_allclose(other, one, rtol=1e-12)


@by_case
def test_exponents_are_those_of_the_number(case):
    one, other = (tp.derive(p, points=(0,) * 5) for p in both(case, 1))
    assert [str(entry) for entry in one] == [str(entry) for entry in other]


@pytest.mark.parametrize("abc", [tp.MUP, tp.MEAN_FIELD, {"W1": tp.abc(1, 0, Fraction(-1, 2))}], ids=repr)
def test_other_parametrisations(abc):
    one, other = (tp.derive(p, [(0, 1), (0, 2), (1, 1)], abc=abc, data=DATA) for p in networks(3))
    assert [(str(x), x.status) for x in one] == [(str(x), x.status) for x in other]
    constants = [[entry.constant for entry in table] for table in (one, other)]
    np.testing.assert_allclose(*constants, rtol=1e-12)


def test_rescaled_weights_in_the_trace():
    programs = [
        tp.trace(lambda x, s=s: tp.readout("v", tp.erf(tp.linear("U", x, std=s, bias=s, scale=tp.MUP)), scale=tp.MUP))
        for s in (2, tp.symbol("s", 2))
    ]
    assert np.array_equal(*(tp.sample(p, DATA[:1], 16, 5, seed=0) for p in programs))
    one, other = (tp.limit(tp.correlation(p, 0, 1, (0, 0)), DATA[:1]) for p in programs)
    assert one.power == other.power
    assert other.value == pytest.approx(one.value, rel=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", [64, 40_000])
def test_symbols_keep_the_precision_of_a_run(width, dtype):
    """At both a small and a blockwise width; a float64 among float32 would show in the last digits."""
    one, other = (tp.sample(p.restricted(["F0"]), DATA, width, 2, seed=0, dtype=dtype) for p in networks(1))
    assert np.array_equal(one, other)


# -- limits


@with_limits
def test_limits_and_kernels_are_those_of_the_number(case):
    number, name = both(case, 2)
    data = case.data(2)
    one, other = (tp.limit(tp.correlation(p, 0, 1), data) for p in (number, name))
    assert other.power == one.power
    assert abs(other.value - one.value) <= one.error + other.error
    for which in ("ntk", "nngp"):
        (expected, off), (found, error) = (tp.kernel(p, data, which=which, errors=True) for p in (number, name))
        assert (np.abs(found - expected) <= off + error).all()


def test_higher_orders_are_those_of_the_number():
    orders = [(0, 2), (0, 3), (1, 1)]
    one, other = (tp.derive(p, orders, (0, 1, 2, 0), data=DATA) for p in networks(3))
    for x, y in zip(one, other, strict=True):
        assert x.status == y.status == "definite"
        assert y.constant == pytest.approx(x.constant, rel=1e-11)
        assert y.constant_of == x.constant_of


def test_the_recursion_shows_the_symbols():
    """Θ = σ_w² e_1 + σ_b² + σ_w² E[φ'φ'] (σ_w² K + σ_b²), term by term."""
    found = tp.limit(tp.correlation(networks(2, depth=1)[1], 0, 1))
    assert set(found.symbols) == {"sigma_w", "sigma_b", "⟨in0 in0⟩", "⟨in0 in1⟩", "⟨in1 in1⟩"}
    *expectations, last = found.equations
    w, b = sympy.symbols("sigma_w sigma_b", positive=True)
    K = sympy.Symbol("K_in0_in1", real=True)
    (slopes,) = (e.lhs for e in expectations if e.rhs.args[0].has(sympy.exp))
    (values,) = (e.lhs for e in expectations if e.rhs.args[0].has(sympy.erf))
    assert sympy.expand(last.rhs - w**2 * (values + slopes * (w**2 * K + b**2)) - b**2) == 0
    assert all(e.rhs.args[1][0, 1] == w**2 * K + b**2 for e in expectations)
    assert r"\sigma_{w}^{2}" in found.latex() and r"\sigma_{b}^{2}" in found.latex()


def test_compiled_limits_take_symbols():
    compiled = tp.limit(tp.trace(squares, std=tp.symbol("sigma_w", 2))).compile()
    ks = np.array([0.3, 1.0, 5.0])
    stds = np.array([[0.5], [1.0], [3.0]])
    np.testing.assert_allclose(compiled({"⟨in0 in0⟩": ks}), closed_form(2, ks), rtol=1e-12)
    np.testing.assert_allclose(compiled({"⟨in0 in0⟩": ks, "sigma_w": stds}), closed_form(stds, ks), rtol=1e-12)
    with pytest.raises(ProgramError, match=r"no value for ⟨in0 in0⟩"):
        compiled({"sigma_w": 1})
    with pytest.raises(ProgramError, match=r"'sigma' is no symbol of the limit; its symbols are .*sigma_w"):
        compiled({"⟨in0 in0⟩": 1, "sigma": 1})


def test_other_values_are_those_of_the_other_program():
    """One compiled kernel with symbols gives the kernels of all standard deviations."""
    compiled = tp.limit(tp.correlation(networks(2)[1], 0, 1)).compile()
    averages = {f"⟨in{i} in{j}⟩": DATA[i] @ DATA[j] / 4 for i, j in ((0, 0), (0, 1), (1, 1))}
    for w, b in ((1, HALF), (Fraction(3, 2), 2)):
        expected = tp.limit(
            tp.correlation(tp.trace(mlp, inputs=2, depth=2, weight_std=w, bias_std=b), 0, 1), DATA
        ).value
        found = compiled({**averages, "sigma_w": float(w), "sigma_b": float(b)})
        assert float(found) == pytest.approx(expected, rel=1e-12)


def test_the_sign_of_the_value_is_that_of_the_symbol():
    program = tp.trace(lambda x: tp.symbol("shift", -2) * tp.symbol("s", 3) * squares(x, 1))
    found = {s.name: s for s in tp.limit(program).equations[-1].rhs.free_symbols}
    assert found["s"].is_positive
    assert found["shift"].is_positive is None and found["shift"].is_real
    assert tp.limit(program, DATA).value == pytest.approx(-6 * closed_form(1, DATA[0] @ DATA[0] / 4), rel=1e-12)


def test_a_power_of_n_is_not_in_the_symbol():
    """η = 3/n, as of a learning rate: the limit is n^(-1) eta times the average's."""
    found = tp.limit(tp.trace(lambda x: tp.symbol("eta", 3 / tp.n) * squares(x, 1)), DATA)
    assert found.power == -1
    assert found.value == pytest.approx(3 * closed_form(1, DATA[0] @ DATA[0] / 4), rel=1e-12)
    assert "eta" in found.symbols
    K = DATA[0] @ DATA[0] / 4
    assert found.compile()({"⟨in0 in0⟩": K, "eta": 6}) == pytest.approx(2 * found.value)


@pytest.mark.parametrize("function", [lambda x, s: s * x, lambda x, s: 3 * (s * x) / 2, lambda x, s: x * s * s])
def test_multiples_of_the_data_stand_before_their_averages(function):
    program = tp.trace(lambda x: squares(function(x, tp.symbol("s", 2)), 1))
    found = tp.limit(program, DATA)
    assert set(found.symbols) == {"s", "⟨in0 in0⟩"}
    assert found.value == pytest.approx(closed_form(1, np.mean(function(DATA[0], 2) ** 2)), rel=1e-12)
    assert found.compile()({"⟨in0 in0⟩": 1, "s": 3}) == pytest.approx(closed_form(1, function(1, 3) ** 2), rel=1e-12)


def test_other_functions_of_the_data_are_averaged_at_the_value():
    """No average of tanh(s x) is a polynomial in s: it is a symbol of its own."""
    found = tp.limit(tp.trace(lambda x: squares(tp.tanh(tp.symbol("s", 2) * x), 1)), DATA)
    assert found.value == pytest.approx(closed_form(1, np.mean(np.tanh(2 * DATA[0]) ** 2)), rel=1e-12)
    assert "s" not in found.symbols


def test_symbols_inside_singular_functions():
    """σ^(-1/2) of a scalar symbol, and a variance divided out: layer normalisation forgets σ."""
    s = tp.symbol("s", 4)
    found = tp.limit(tp.trace(lambda x: squares(x, 1) / s), DATA)
    assert found.value == pytest.approx(closed_form(1, DATA[0] @ DATA[0] / 4) / 4, rel=1e-12)

    def normalised(x):
        h = tp.linear("U", x, std=s)
        return tp.mean(tp.erf(h * tp.mean(h * h) ** -0.5) ** 2)

    assert tp.limit(tp.trace(normalised), DATA).value == pytest.approx(2 / np.pi * np.arcsin(2 / 3), rel=1e-12)


def test_kernels_of_outputs_that_are_multiplied():
    """F times symbols and averages over data still has the covariance of its readout."""
    number, name, average = (
        tp.trace(lambda x, f=f: f(x) * tp.readout("v", tp.erf(tp.linear("U", x))))
        for f in (lambda x: 2, lambda x: tp.symbol("s", 2), lambda x: tp.mean(x * x))
    )
    for which in ("nngp", "ntk"):
        expected = tp.kernel(number, DATA, which=which)
        np.testing.assert_allclose(tp.kernel(name, DATA, which=which), expected, rtol=1e-12)
        lengths = np.mean(DATA**2, axis=1)
        np.testing.assert_allclose(
            tp.kernel(average, DATA, which=which), expected * np.outer(lengths, lengths) / 4, rtol=1e-12
        )


# -- what builds on limits


def test_fluctuations_are_those_of_the_number():
    one, other = (tp.fluctuation(tp.correlation(p, 0, 1, (0, 0)), DATA) for p in networks(1, depth=1))
    assert one.power == other.power
    assert other.value == pytest.approx(one.value, rel=1e-10)


def test_proofs_are_those_of_the_number():
    one, other = (tp.prove(p, 0, 2, data=DATA) for p in networks(3, depth=1))
    assert [(s.kind, s.power, s.premises) for s in one.steps] == [(s.kind, s.power, s.premises) for s in other.steps]
    assert [s.value for s in other.steps if s.value is not None] == pytest.approx(
        [s.value for s in one.steps if s.value is not None], rel=1e-11
    )
    assert any("sigma_w" in {x.name for x in e.rhs.free_symbols} for e in other.equations)


def test_proofs_with_symbols_are_confirmed():
    """A true proof has a step refuted with a chance below 1e-3; the seed is fixed."""
    proof = tp.prove(networks(2)[1], 0, 1, data=DATA)
    assert proof.verify(seed=0).summary.startswith(f"{len(proof.steps)} steps: {len(proof.steps)} confirmed")

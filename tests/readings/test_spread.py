"""Programs written out are the same function, and nets without nonlinearity get the exponents that samples have."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import tensorprog as tp
from tensorprog import architectures
from tensorprog.functions import identity
from tensorprog.readings.spread import spread

HALF = Fraction(1, 2)
LINEAR = {
    "mlp": (architectures.mlp, {"depth": 3}, None),
    "mlp_bias": (architectures.mlp_bias, {"depth": 3, "bias_std": 1}, None),
    "resnet": (architectures.resnet, {"depth": 3}, None),
}
SHARP = {(0, 1): Fraction(0), (0, 2): Fraction(-1), (0, 3): Fraction(-2), (0, 4): Fraction(-3), (1, 3): Fraction(-2)}


def linear_attention(xs):
    """Σ_j (q₀·k_j/n) v_j, read out."""
    q = tp.linear("Q", xs[0])
    sums = [tp.mean(q * tp.linear("K", x)) * tp.linear("V", x) for x in xs]
    return tp.readout("v", sums[0] + sums[1])


def gated(x):
    """Products of vectors, of sums of them, and of random scalars."""
    h, s = tp.linear("U", x), tp.readout("q", tp.linear("U", x))
    g = (s * h + tp.linear("W", h)) * h
    return tp.mean(tp.linear("W", s * g + h) * (g - h)) + tp.readout("v", tp.tanh(s * h))


def program_of(name, inputs=5):
    net, options, positions = LINEAR[name]
    return tp.trace(net, inputs=inputs, positions=positions, phi=identity, **options)


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("order", SHARP, ids=str)
def test_linear_nets_have_the_exponents_of_products_of_scalars(name, order):
    """C^{0,3} of a linear net is Σ F F K/n², C^{0,4} Σ F F F K/n³: F is odd, and of order one."""
    assert tp.derive(program_of(name), [order])[order].exponent == SHARP[order]


def test_a_nonlinearity_has_larger_ones():
    program = tp.trace(architectures.mlp, inputs=5, depth=3, phi=tp.expression("z + z**2/9"))
    table = tp.derive(program, [(0, 3), (0, 4)])
    assert [e.exponent for e in table] == [-1, -2]


def test_linear_attention_has_small_kernels():
    table = tp.derive(tp.trace(linear_attention, inputs=3, positions=2), [(0, 0), (0, 1), (0, 2), (1, 1)])
    assert [e.exponent for e in table] == [-HALF, -1, -3 * HALF, -1]
    assert "written out" in str(table[0, 1].derivation)


@pytest.mark.parametrize("net", [gated, "mlp", "resnet", linear_attention])
@pytest.mark.parametrize("order", [(0, 1), (0, 2), (1, 1), (1, 2)], ids=str)
def test_a_program_written_out_is_the_same_function(net, order):
    positions = 2 if net is linear_attention else None
    program = program_of(net, 3) if isinstance(net, str) else tp.trace(net, inputs=3, positions=positions)
    data = np.random.default_rng(0).standard_normal((3, 3) if positions is None else (3, positions, 3))
    whole = tp.correlation(program, *order)
    one, other = (tp.sample(p, data, 7, 3, seed=1, method="dense") for p in (whole, spread(whole)))
    np.testing.assert_allclose(other, one, rtol=1e-9)


@pytest.mark.long
@pytest.mark.parametrize("net", ["mlp", "resnet", linear_attention])
def test_samples_have_these_exponents(net):
    """Not refuted as bounds, nor loose: the slopes are within 0.25 of them."""
    positions = 2 if net is linear_attention else None
    program = program_of(net, 5) if isinstance(net, str) else tp.trace(net, inputs=5, positions=positions)
    shape = (5, 3) if positions is None else (5, positions, 3)
    data = np.random.default_rng(0).standard_normal(shape)
    orders = [(0, 1), (1, 1)] if net is linear_attention else [(0, 3), (0, 4), (1, 3)]
    report = tp.verify(program, data, orders, widths=[64, 128, 256, 512, 1024], samples=600, seed=1, patience=1e-3)
    assert not report.refuted, str(report)
    for m in report.measurements:
        assert abs(m.verdict.slope - float(m.entry.exponent)) < 0.25, str(report)

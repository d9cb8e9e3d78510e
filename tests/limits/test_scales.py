"""Averages at every scale: stated errors hold against references of other kinds, and are small."""

from __future__ import annotations

from math import pi

import mpmath
import numpy as np
import pytest
from limits.cases import pair

import tensorprog as tp
from tensorprog.architectures import mlp, transposed
from tensorprog.errors import DataError, ExpressionError
from tensorprog.functions import erf, expression, gelu, relu, sigmoid, softplus, tanh
from tensorprog.limits import expectation
from tensorprog.limits.expectations import CLOSED, QUADRATURE, SAMPLING, average
from tensorprog.limits.meshes import mesh

SCALES = [1e-8, 1e-4, 1e-2, 1.0, 30.0, 1e4, 1e8]
CORRELATIONS = [-1.0, -0.999999, 0.0, 0.5, 1 - 1e-9, 1.0]
SILU = expression("z*sigmoid(z)")
PRECISE = {
    tanh: (mpmath.tanh, lambda z: mpmath.sech(z) ** 2),
    sigmoid: (lambda z: 1 / (1 + mpmath.exp(-z)), lambda z: mpmath.sech(z / 2) ** 2 / 4),
    softplus: (lambda z: mpmath.log1p(mpmath.exp(-abs(z))) + max(z, 0), lambda z: 1 / (1 + mpmath.exp(-z))),
    SILU: (
        lambda z: z / (1 + mpmath.exp(-z)),
        lambda z: (1 + z / (1 + mpmath.exp(z))) / (1 + mpmath.exp(-z)),
    ),
}


def law(scale, correlation):
    return scale**2 * np.array([[1, correlation], [correlation, 1]])


def precise(formula, scale):
    """E f(σw) by 20 digits and more, over intervals that double from the scale of f to the ends of the Gaussian."""
    with mpmath.workdps(40 if scale < 1 else 20):  # its errors are absolute
        edge = min(mpmath.mpf(1), mpmath.mpf(scale))
        ends = [mpmath.mpf(0)]
        while edge < 12 * scale:
            ends.append(edge)
            edge *= 2
        ends.append(mpmath.mpf(12 * scale))
        grid = [-x for x in reversed(ends[1:])] + ends
        total = mpmath.quad(lambda u: formula(u) * mpmath.exp(-((u / scale) ** 2) / 2), grid)
        return float(total / (scale * mpmath.sqrt(2 * mpmath.pi)))


@pytest.mark.parametrize("k", [0, 1])
@pytest.mark.parametrize("f", [tanh, sigmoid, SILU], ids=str)
def test_squares_at_every_scale(f, k):
    """|value − truth| ≤ stated error ≤ 1e-10 of the truth, from 1e-8 to 1e8."""
    for scale in (1e-8, 3.0, 1e8):
        truth = precise(lambda z: PRECISE[f][k](z) ** 2, scale)
        found = expectation([(f, (k,), (0,)), (f, (k,), (0,))], [[scale**2]])
        assert abs(found.value - truth) <= found.error + 1e-15 * abs(truth), scale
        assert found.error <= 1e-10 * abs(truth), scale


@pytest.mark.parametrize("correlation", CORRELATIONS)
@pytest.mark.parametrize(("f", "k"), [(erf, 0), (erf, 1), (gelu, 0), (relu, 0), (relu, 1)], ids=str)
def test_pairs_at_every_scale_against_closed_forms(f, k, correlation):
    for scale in SCALES:
        covariance = law(scale, correlation)
        found, truth = (expectation(pair(f, k, f, k), covariance, method=m) for m in (QUADRATURE, CLOSED))
        size = expectation([(f, (k,), (0,)), (f, (k,), (0,))], covariance).value
        assert abs(found.value - truth.value) <= found.error + truth.error, scale
        assert found.error <= 1e-10 * size, scale


def by_hermite(f, k, scale, correlation):
    """Σ_j ρ^j a_j²/j!, a_j = E f(σw) He_j(w), by a fine trapezoidal rule; for correlations that are not near ±1."""
    step = 2.0 ** -np.ceil(np.log2(max(40, 20 * scale)))
    w = np.arange(-12 / step, 12 / step + 1) * step
    weight = np.exp(-w * w / 2) * step / np.sqrt(2 * pi)
    values = f.evaluate((k,), scale * w) * weight
    total, before, now = 0.0, np.zeros_like(w), np.ones_like(w)
    for j in range(80):  # now is He_j/√j!
        total += correlation**j * float(values @ now) ** 2
        before, now = now, (w * now - np.sqrt(j) * before) / np.sqrt(j + 1)
    return total


@pytest.mark.parametrize("k", [0, 1])
@pytest.mark.parametrize("f", [tanh, sigmoid, softplus, SILU], ids=str)
def test_pairs_against_hermite_series(f, k):
    for scale in (1e-8, 1e-4, 0.1, 1.0, 30.0, 300.0):
        for correlation in (-0.5, 0.0, 0.5, 0.6):
            found = expectation(pair(f, k, f, k), law(scale, correlation))
            size = expectation([(f, (k,), (0,)), (f, (k,), (0,))], [[scale**2]]).value
            truth = by_hermite(f, k, scale, correlation)
            assert abs(found.value - truth) <= found.error + 5e-15 * size, (scale, correlation)
            assert found.error <= 1e-10 * size, (scale, correlation)


@pytest.mark.parametrize("k", [0, 1])
@pytest.mark.parametrize("f", [tanh, sigmoid, softplus, SILU], ids=str)
def test_pairs_at_the_ends_of_correlation(f, k):
    """At ±1 it is one integral, and near 1 differs from it by (1 − ρ) σ² E f′² and less at most."""
    for scale in SCALES:
        size = expectation([(f, (k,), (0,)), (f, (k,), (0,))], [[scale**2]]).value
        full = expectation(pair(f, k, f, k), law(scale, 1.0))
        near = expectation(pair(f, k, f, k), law(scale, 1 - 1e-9))
        slope = expectation([(f, (k + 1,), (0,)), (f, (k + 1,), (0,))], [[scale**2]]).value
        assert abs(full.value - size) <= full.error + 1e-15 * size
        assert -near.error - full.error <= full.value - near.value <= 1e-9 * scale**2 * slope * 1.001 + near.error
        for found in (full, near, expectation(pair(f, k, f, k), law(scale, -1.0))):
            assert found.error <= 1e-10 * size, scale


@pytest.mark.parametrize("steepness", [1, 400, 10**6])
@pytest.mark.parametrize("centre", [0, 1, -2.5])
@pytest.mark.parametrize("method", [None, QUADRATURE])
def test_narrow_peaks_are_found(steepness, centre, method):
    """E e^{-2a(z-c)²} = e^{-2ac²/(1+4aσ²)}/√(1+4aσ²)."""
    f = expression(f"exp(-{steepness}*(z - {centre})**2)")
    for variance in (0.01, 1.0, 1e6):
        found = expectation([(f, (0,), (0,)), (f, (0,), (0,))], [[variance]], method=method)
        spread = 1 + 4 * steepness * variance
        truth = np.exp(-2 * steepness * centre**2 / spread) / np.sqrt(spread)
        assert found.value == pytest.approx(truth, rel=1e-9)
        assert abs(found.value - truth) <= found.error + 1e-15 * truth


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("tanh(max(z, 0))", lambda z: mpmath.tanh(max(z, 0))),
        ("exp(-abs(z - 1))", lambda z: mpmath.exp(-abs(z - 1))),
        ("max(-1, min(z, 1))", lambda z: max(-1, min(z, 1))),
        ("z*min(max(z + 3, 0), 6)/6", lambda z: z * min(max(z + 3, 0), 6) / 6),
    ],
)
@pytest.mark.parametrize("scale", [0.01, 200.0, 1e6])
def test_kinked_functions_at_every_scale(text, formula, scale):
    f = expression(text)
    found = expectation([(f, (0,), (0,)), (f, (0,), (0,))], [[scale**2]])
    with mpmath.workdps(20):
        ends = sorted({x * mpmath.mpf(2) ** j for x in (-1, 1) for j in range(-8, 24)} | {0, 3, -3, 1, -1})
        grid = [x for x in ends if abs(x) < 12 * scale]
        grid = [mpmath.mpf(-12) * scale, *grid, mpmath.mpf(12) * scale]
        total = mpmath.quad(lambda u: formula(u) ** 2 * mpmath.exp(-((u / scale) ** 2) / 2), grid)
        truth = float(total / (scale * mpmath.sqrt(2 * mpmath.pi)))
    assert abs(found.value - truth) <= found.error + 1e-14 * truth
    assert found.error <= 1e-10 * truth
    pairs = [expectation(pair(f, 0, f, 0), law(scale, c)) for c in (1.0, 1 - 1e-12)]
    assert pairs[0].value == pytest.approx(truth, rel=1e-12)
    if scale <= 200:
        assert pairs[1].value == pytest.approx(truth, rel=1e-5)


def test_steep_transitions_are_found():
    f = expression("tanh(1000*(z - 1))")
    found = expectation([(f, (1,), (0,)), (f, (1,), (0,))], [[1.0]])
    truth = precise(lambda z: (1000 * mpmath.sech(1000 * (z - 1)) ** 2) ** 2 if abs(z - 1) < 0.2 else 0, 1.0)
    flat = 4000 / 3 * np.exp(-0.5) / np.sqrt(2 * pi)  # of a point mass
    assert found.value == pytest.approx(flat, rel=1e-5)
    assert truth == pytest.approx(flat, rel=0.5)
    assert found.error < 1e-9 * found.value


def test_waves_that_no_mesh_reaches_are_sampled_and_say_so():
    f = expression("sin(z)*tanh(z)")
    found = expectation([(f, (0,), (0,))], [[1e12]])
    assert abs(found.value) <= found.error
    assert mesh(f, (0,)).range < 1e6


def test_meshes():
    assert mesh(relu, (0,)).ends.size == 3
    peak = mesh(expression("exp(-400*(z - 1)**2)"), (0,))
    assert 0.01 < peak.thinnest < 0.1
    assert np.abs(peak.ends - 1).min() < 1e-6
    assert mesh(tanh, (0,)).range == np.inf


def test_exchanged_inputs_and_batches():
    """The same number for (x, x′) and (x′, x), and whatever elements stand beside."""
    rng = np.random.default_rng(0)
    for size, count in ((2, 40), (3, 4), (5, 2)):
        rows = rng.standard_normal((count, size, 6)) * 1.3
        whole = rows @ np.swapaxes(rows, 1, 2) / 6
        factors = [(tanh, (i % 2,), (i,)) for i in range(size)]
        turned = [(f, k, (size - 1 - i,)) for f, k, (i,) in factors]
        value = expectation(factors, whole).value
        assert np.abs(expectation(turned, whole[:, ::-1, ::-1]).value - value).max() <= 1e-15
        parts = np.array([expectation(factors, covariance).value for covariance in whole])
        assert np.abs(parts - value).max() <= 1e-15


def chain(size, scale, seed=0):
    rows = np.random.default_rng(seed).standard_normal((size, size + 3))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return scale**2 * rows @ rows.T


@pytest.mark.parametrize(
    ("size", "scale", "most"), [(3, 1.0, 1e-10), (3, 4.0, 1e-6), (4, 0.6, 1e-7), (4, 1.2, 1e-6), (5, 0.5, 1e-5)]
)
def test_three_to_five_gaussians(size, scale, most):
    """erf, which has closed forms, by the lattice; tanh within what it says of quasi-Monte Carlo."""
    covariance = chain(size, scale)
    for f in (erf, tanh):
        factors = [(f, (int(i < size - 1),), (i,)) for i in range(size)] + [(f, (0,), (0,))]
        found = expectation(factors, covariance, method=QUADRATURE)
        other = expectation(factors, covariance, method=CLOSED if f is erf else SAMPLING)
        size_of = expectation([(f, (1,), (0,)), (f, (1,), (0,))], covariance).value
        assert abs(found.value - other.value) <= found.error + other.error
        assert found.error <= most * size_of
        assert expectation(factors, covariance).method == (CLOSED if f is erf else QUADRATURE)


def test_what_no_lattice_resolves_is_sampled():
    factors = [(tanh, (1,), (i,)) for i in range(5)]
    found = expectation(factors, chain(5, 30.0))
    assert found.method == SAMPLING
    assert found.error > 0
    with pytest.raises(ExpressionError, match="no quadrature in 6 dimensions"):
        expectation([(tanh, (1,), (i,)) for i in range(6)], chain(6, 1.0), method=QUADRATURE)


def test_a_variance_that_is_negative_within_its_error_is_zero():
    entries = {(0, 0): np.array([1.0, 1.0]), (0, 1): np.zeros(2), (1, 1): np.array([-1e-9, 0.5])}
    factors = pair(tanh, 1, tanh, 1)
    with pytest.raises(DataError, match="coordinate 1 has the variance -1e-09"):
        average(factors, (2,), entries)
    found = average(factors, (2,), entries, errors={(1, 1): 2e-9})
    assert found.value[0] == expectation([(tanh, (1,), (0,))], [[1.0]]).value
    with pytest.raises(DataError, match="-1e-09"):
        average(factors, (2,), entries, errors={(1, 1): np.array([1e-10, 1])})


def test_kernels_of_pixels():
    """tanh at inputs of a hundred and more; values by adaptive quadrature in 30 digits."""
    a = np.array([[1.0, 0.2], [-0.3, 1.1]])
    program = tp.trace(mlp, inputs=2, depth=1, phi=tanh)
    assert tp.kernel(program, 100 * a)[0, 1] == pytest.approx(-0.0877277, abs=1e-7)
    found = tp.limit(tp.correlation(program, 0, 1), np.full((2, 1), 1e8))
    assert found.value == pytest.approx(5.319e7, rel=1e-3)
    assert found.error < 1e-8 * found.value


def test_kernel_of_a_narrow_function():
    z = np.linspace(-9, 9, 200_001)
    density = np.exp(-z * z / 2) / np.sqrt(2 * pi) * (z[1] - z[0])
    f = np.exp(-400 * (z - 1) ** 2)
    truth = float(np.sum(density * (f**2 + (800 * (z - 1) * f) ** 2)))
    bell = expression("exp(-400*(z-1)**2)")
    program = tp.trace(lambda x: tp.readout("v", bell(tp.linear("U", x))), inputs=1)
    found = tp.limit(tp.correlation(program, 0, 1, points=(0, 0)), np.ones((1, 3)))
    assert found.value == pytest.approx(truth, rel=1e-9)


def test_sampled_kernels_are_symmetric():
    x = np.random.default_rng(0).standard_normal((3, 4))
    program = tp.trace(transposed, inputs=2, depth=3)
    k = tp.kernel(program, x)
    assert np.abs(k - k.T).max() <= 1e-14 * k.max()
    assert np.abs(tp.kernel(program, x[:2], x) - k[:2]).max() <= 1e-13 * k.max()

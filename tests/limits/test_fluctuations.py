"""Variances by the Poincaré–Mehler formula against exact moments and the sampler."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cases import CASES

import tensorprog as tp
from tensorprog.errors import ProgramError
from tensorprog.functions import erf
from tensorprog.limits.fluctuations import twice

X = np.random.default_rng(1).standard_normal((3, 4))


def linear_energy(x):
    h = tp.linear("U", x)
    return tp.mean(h * h)


def test_a_variance_known_exactly():
    """⟨h²⟩ for h = U x is K χ²_n/n with K = |x|²/d0: its variance is 2K²/n."""
    found = tp.fluctuation(tp.trace(linear_energy), X[:1])
    k = (X[0] ** 2).mean()
    assert found.power == -1
    assert found.value == pytest.approx(2 * k**2, rel=1e-12)
    assert found.integrand[0] == pytest.approx(0, abs=1e-12)  # ∇S is odd, so uncorrelated with an independent copy's
    assert found.integrand[1] == pytest.approx(4 * k**2, rel=1e-12)


def test_the_output_varies_by_its_covariance():
    """Var F is the NNGP kernel, the integrand t ↦ K(t) a power series with non-negative coefficients."""
    program = tp.trace(tp_mlp, inputs=1)
    found = tp.fluctuation(program.restricted(["F0"]), X[:1])
    assert found.power == 0
    assert found.value == pytest.approx(tp.kernel(program, X[:1], which="nngp")[0, 0], rel=1e-7)
    assert 0 <= found.integrand[0] <= found.value <= found.integrand[1]


def tp_mlp(x):
    h = tp.linear("U", x)
    return tp.readout("v", erf(tp.linear("W", erf(h))))


def sampled(c, data, power, width, samples):
    values = tp.sample(c, data, width, samples, 7) * width ** (-float(power) / 2)
    variance = values.var(ddof=1)
    return variance, np.sqrt((((values - values.mean()) ** 4).mean() - variance**2) / samples)


def check(case, d, points, width, samples):
    """Within three standard errors: fails by chance once in 370."""
    data = case.data(max(points) + 1)
    c = tp.correlation(case.trace(max(points) + 1), 0, d, points)
    found = tp.fluctuation(c, data, patience=600)
    variance, error = sampled(c, data, found.power, width, samples)
    assert abs(variance - found.value) < 3 * error + found.error
    return found


@pytest.mark.parametrize(("d", "points", "power"), [(1, (0, 0), -1), (1, (0, 1), -1), (2, (0, 0, 0), -2)])
def test_fluctuations_of_an_mlp(d, points, power):
    """lim n Var of the NTK, lim n² E[C^{0,2}²]."""
    assert check(CASES[0], d, points, 1024, 1500).power == power


@pytest.mark.long
@pytest.mark.parametrize("name", ["resnet", "rnn"])
def test_fluctuations_of_the_kernel(name):
    (case,) = [case for case in CASES if case.name == name]
    assert check(case, 1, (0, 0), 2048, 1500).power == -1


def test_fluctuations_of_a_residual_block():
    """lim n² E[C^{0,2}²]; of erf the integrand is a closed form."""
    assert check(smooth("resnet", depth=2), 2, (0, 0, 0), 1024, 4000).method == "closed form"


@pytest.mark.long
@pytest.mark.parametrize("name", ["resnet", "rnn"])
def test_fluctuations_of_the_second_correlation(name):
    """Two residual blocks, and a weight tied over three positions."""
    assert check(smooth(name), 2, (0, 0, 0), 2048, 8000).power == -2


@pytest.mark.long
def test_an_integrand_of_tanh():
    """Products of four factors, by quadrature on a lattice."""
    (case,) = [case for case in CASES if case.name == "resnet"]
    found = check(replace(case, options={**case.options, "depth": 2}), 2, (0, 0, 0), 2048, 4000)
    assert found.method == "quadrature"
    assert 0 < found.error < found.value / 20


def smooth(name, **options):
    (case,) = [case for case in CASES if case.name == name]
    return replace(case, options={**case.options, "phi": erf, **options})


def test_the_two_copies_have_independent_names():
    both, copies = twice(tp.correlation(tp.trace(tp_mlp, inputs=2), 0, 1))
    assert set(copies.values()) == {"U", "W", "v"}
    assert set(both.parameters) == set(copies) | set(copies.values())


def test_bad_requests():
    program = tp.trace(tp_mlp, inputs=2)
    with pytest.raises(ProgramError, match="one scalar output"):
        tp.fluctuation(program, X)
    with pytest.raises(ProgramError, match="longer than the patience allowed"):
        tp.fluctuation(tp.correlation(program, 0, 1), X, patience=1e-9)

"""Averages of vectors times scalars: nets with random gates, centred vectors and scalars added to every coordinate."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import forward
from oracles.correlations import Autodiff
from oracles.weights import SEED, close, weights
from scipy import stats

import tensorprog as tp
from tensorprog.errors import ProgramError
from tensorprog.program import MatMul, Moment
from tensorprog.readings import blockwise, exact, sweep
from tensorprog.readings.evaluate import compute

WIDTH = 6
DATA = np.random.default_rng(0).standard_normal((3, 6))
ORDERS = [(0, 0), (0, 1), (1, 0), (1, 1)]
L, R, M = tp.linear, tp.readout, tp.mean


def gated(x):
    u = L("U", x)
    y = M((u + u) * u) * (u + u)
    g = tp.sigmoid(R("q", y)) * y
    return R("v", L("W", g - M(g)) + M(tp.tanh(y)))


def gated_by_hand(theta, x):
    u = forward.dense(theta, "U", x, 1.0)
    y = jnp.mean(2 * u * u) * 2 * u
    g = jax.nn.sigmoid(forward.dense(theta, "q", y, 1.0)) * y
    return forward.dense(theta, "v", forward.dense(theta, "W", g - jnp.mean(g), 1.0) + jnp.mean(jnp.tanh(y)), 1.0)


def normalised(x):
    h = L("U", x)
    h = tp.tanh(R("q", tp.erf(h))) * (h * tp.power(-0.5)(M(h * h) + 0.1))
    centred = h - M(h)
    return R("v", tp.erf(L("W", centred * tp.power(-0.5)(M(centred * centred) + 0.1))))


def normalised_by_hand(theta, x):
    h = forward.dense(theta, "U", x, 1.0)
    gate = jnp.tanh(forward.dense(theta, "q", jax.scipy.special.erf(h), 1.0))
    h = gate * h / jnp.sqrt(jnp.mean(h * h) + 0.1)
    h = (h - jnp.mean(h)) / jnp.sqrt(jnp.var(h) + 0.1)
    return forward.dense(theta, "v", jax.scipy.special.erf(forward.dense(theta, "W", h, 1.0)), 1.0)


def shifted(x):
    h = tp.tanh(L("U", x))
    return R("v", tp.tanh(L("W", h + R("q", h)))) * M(h * R("q", h) - M(h))


def shifted_by_hand(theta, x):
    h = jnp.tanh(forward.dense(theta, "U", x, 1.0))
    read = forward.dense(theta, "q", h, 1.0)
    return forward.dense(theta, "v", jnp.tanh(forward.dense(theta, "W", h + read, 1.0)), 1.0) * (
        jnp.mean(h) * read - jnp.mean(h)
    )


NETS = {"gated": (gated, gated_by_hand), "normalised": (normalised, normalised_by_hand)}
NETS["shifted"] = shifted, shifted_by_hand
by_net = pytest.mark.parametrize("name", NETS)


def correlations(name):
    program = tp.trace(NETS[name][0], inputs=3)
    return program, [tp.correlation(program, D, d) for D, d in ORDERS]


@by_net
def test_correlations_are_those_of_autodiff_at_the_same_weights(name):
    program, wanted = correlations(name)
    scalars, norms = Autodiff(NETS[name][1], weights(program, WIDTH, 6), DATA, WIDTH).scalars_and_norms((0, 1))
    for (D, d), value in zip(ORDERS, tp.sample(wanted, DATA, WIDTH, 1, SEED, "dense"), strict=True):
        close(value[0], (scalars, norms)[D][d])


@by_net
def test_the_exact_reading_has_the_same_law(name, monkeypatch):
    """At width 16, 300 samples each; the code of large widths gives the same numbers."""
    _, wanted = correlations(name)
    right, found = (tp.sample(wanted, DATA, 16, 300, seed, method) for seed, method in ((1, "dense"), (2, "exact")))
    assert min(stats.ks_2samp(a, b).pvalue for a, b in zip(right, found, strict=True)) > 1e-4
    monkeypatch.setattr(exact, "LARGE", 4)
    monkeypatch.setattr(sweep, "BLOCK", 5)
    monkeypatch.setattr(blockwise, "BLOCK", 7)
    large = tp.sample(wanted, DATA, 16, 3, 2, "exact")
    np.testing.assert_allclose(large, np.array(found)[:, :3], rtol=1e-7)


@pytest.mark.parametrize("args", ["x", "xs", "sx", "xx", "xsx", "sxx", "xxs", "sxs"])
def test_every_average_of_vectors_and_scalars(args):
    """⟨x y s⟩ in any order of its factors, some of them the same for all samples."""
    rng = np.random.default_rng(1)
    values = {f"{a}{i}": rng.standard_normal((3 - 2 * (i == 1), 7)[: 1 + (a == "x")]) for i, a in enumerate(args)}
    wide = [v[:, None] if v.ndim == 1 else v for v in values.values()]
    found = compute(Moment(tuple(values)), values, 7, None)
    np.testing.assert_allclose(found, np.prod(np.broadcast_arrays(*wide), axis=0).mean(axis=-1), rtol=1e-12)


def test_a_product_with_a_matrix_is_not_computed_by_coordinate():
    with pytest.raises(ProgramError, match="given, or a matrix product"):
        compute(MatMul("W", "x", False), {}, 4, None)

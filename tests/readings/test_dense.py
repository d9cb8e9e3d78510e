"""The dense reading: streams, batches, laws with known moments, bad requests."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import tensorprog as tp
from tensorprog.errors import DataError, SamplingError
from tensorprog.readings.draws import stream
from tensorprog.readings.joint import Joint
from tensorprog.readings.realise import cut
from tensorprog.readings.spectral import spectral_norm

RNG = np.random.default_rng(7)
DATA = RNG.standard_normal((5, 6))


def mlp(x, depth=2, phi=tp.erf):
    h = tp.linear("U", x)
    for layer in range(1, depth):
        h = tp.linear(f"W{layer}", phi(h))
    return tp.readout("v", phi(h))


def test_first_samples_do_not_depend_on_how_many_or_on_the_batch(monkeypatch):
    program = tp.correlation(tp.trace(mlp, inputs=3), 0, 2)
    many = tp.sample(program, DATA, 16, 40, seed=3)
    few = tp.sample(program, DATA, 16, 7, seed=3)
    np.testing.assert_allclose(few, many[:7], rtol=1e-12)
    monkeypatch.setattr("tensorprog.readings.dense.BATCH_NUMBERS", 48)
    assert np.allclose(tp.sample(program, DATA, 16, 40, seed=3), many, rtol=1e-12)
    assert not np.allclose(tp.sample(program, DATA, 16, 40, seed=4), many)


def test_every_key_of_a_stream_matters():
    """Seed, width, sample, name and place each give other numbers."""
    keys = [(1, 8, 0, "W"), (2, 8, 0, "W"), (1, 16, 0, "W"), (1, 8, 1, "W"), (1, 8, 0, "V"), (1, 8, 0, "W", 0, 0)]
    keys += [(1, 8, 0, "W", 1, 0), (1, 8, 0, "W", 0, 1)]
    firsts = {float(stream(*key).standard_normal()) for key in keys}
    assert len(firsts) == len(keys)


def test_a_list_is_evaluated_on_the_same_weights():
    program = tp.trace(mlp, inputs=3)
    orders = [(0, 1), (0, 2), (1, 1), (2, 0), (2, 1)]
    alone = [tp.sample(tp.correlation(program, D, d), DATA, 12, 9, seed=1) for D, d in orders]
    together = tp.sample([tp.correlation(program, D, d) for D, d in orders], DATA, 12, 9, seed=1)
    for (D, _), one, other in zip(orders, alone, together, strict=True):
        assert np.allclose(one, other, rtol=2e-6 if D == 2 else 1e-10)


def test_joint_programs_share_nodes():
    program = tp.trace(mlp, inputs=4)
    parts = [tp.correlation(program, 0, d) for d in range(4)]
    whole = Joint.of(parts)
    assert len(whole.program.nodes) < sum(len(part.nodes) for part in parts)
    assert len(whole.program.parameters) == 3


@pytest.mark.parametrize("layers", [1, 3])
def test_deep_linear_net_has_its_exact_second_moment(layers):
    """E[(|h^L|²/n)²] = K² (1 + 2/n)^L for a fixed |h⁰|²/n = K; here h⁰ = U x adds one more factor."""

    def deep(x):
        h = tp.linear("U", x)
        for layer in range(layers):
            h = tp.linear(f"W{layer}", h)
        return tp.mean(h * h)

    n, samples = 6, 40_000
    x = np.ones((1, 4))
    values = tp.sample(tp.trace(deep), x, n, samples, seed=11)
    squares = values**2
    expected = (1 + 2 / n) ** (layers + 1)
    error = squares.std() / np.sqrt(samples)
    assert abs(squares.mean() - expected) < 4 * error  # fails by chance once in 16,000
    assert abs(values.mean() - 1) < 4 * values.std() / np.sqrt(samples)


def test_a_width_ratio_keeps_the_variance():
    def wide(x):
        h = tp.linear("W", tp.linear("U", x, width=2), width=Fraction(1, 2))
        return tp.readout("v", h)

    values = tp.sample(tp.trace(wide), np.ones((1, 3)), 8, 20_000, seed=2)
    squares = values**2
    assert abs(squares.mean() - 1) < 4 * squares.std() / np.sqrt(len(values))
    with pytest.raises(SamplingError, match="multiple of 2"):
        tp.sample(tp.trace(wide), np.ones((1, 3)), 7, 2)


def test_float32_is_close():
    program = tp.correlation(tp.trace(mlp, inputs=2), 0, 1)
    double = tp.sample(program, DATA, 32, 5)
    assert tp.sample(program, DATA, 32, 5, dtype=np.float32).dtype == np.float64
    assert np.isfinite(double).all()


@pytest.mark.parametrize(("size", "threads"), [(1, 1), (4, 2), (100, 2), (3, 50)])
def test_batches_cover_all_samples(size, threads):
    parts = cut(range(3, 40), size, threads)
    assert [i for part in parts for i in part] == list(range(3, 40))
    assert max(map(len, parts)) <= size
    assert len(parts) >= min(threads, 37)


def test_spectral_norm_against_eigenvalues():
    matrices = RNG.standard_normal((6, 40, 40))
    matrices = matrices + matrices.swapaxes(1, 2)
    matrices[1] *= -1
    matrices[2] = np.outer(*RNG.standard_normal((2, 40)))
    matrices[2] = matrices[2] + matrices[2].T
    found = spectral_norm(lambda v: (matrices @ v[:, :, None])[:, :, 0], RNG.standard_normal((6, 40)))
    exact = np.abs(np.linalg.eigvalsh(matrices)).max(axis=1)
    assert np.allclose(found, exact, rtol=1e-6)
    zero = spectral_norm(lambda v: 0 * v, RNG.standard_normal((2, 5)))
    assert np.array_equal(zero, np.zeros(2))
    one = spectral_norm(lambda v: -3 * v, RNG.standard_normal((2, 1)))
    assert np.allclose(one, 3)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"data": DATA[:1]}, DataError, "have 1 inputs, the program reads 3"),
        ({"data": DATA[0]}, DataError, r"shape \(6,\)"),
        ({"data": DATA[:, :0]}, DataError, "d0 = 0"),
        ({"data": np.where(DATA > 1, np.nan, DATA)}, DataError, "NaN or infinite"),
        ({"data": "digits"}, DataError, "no array"),
        ({"width": 0}, SamplingError, "width=0"),
        ({"width": 8.5}, SamplingError, "8.5"),
        ({"samples": 0}, SamplingError, "samples=0"),
        ({"samples": True}, SamplingError, "samples=True"),
        ({"seed": -1}, SamplingError, "seed=-1"),
        ({"method": "magic"}, SamplingError, "magic"),
        ({"dtype": np.int32}, SamplingError, "float64"),
    ],
)
def test_bad_requests(change, error, message):
    request = {"data": DATA, "width": 8, "samples": 3} | change
    with pytest.raises(error, match=message):
        tp.sample(tp.correlation(tp.trace(mlp, inputs=3), 0, 2), **request)


def test_bad_programs():
    with pytest.raises(SamplingError, match="3 outputs"):
        tp.sample(tp.trace(mlp, inputs=3), DATA, 8, 3)
    with pytest.raises(SamplingError, match="not a Program"):
        tp.sample([mlp], DATA, 8, 3)
    with pytest.raises(SamplingError, match="empty"):
        tp.sample([], DATA, 8, 3)

"""The exact reading has the law of the dense one at every width; wrong samplers do not pass the same tests."""

from __future__ import annotations

import numpy as np
import pytest
from cases import CASES
from scipy import stats

import tensorprog as tp
from tensorprog.readings import blockwise, draws, exact, realise, sweep
from tensorprog.readings.revealed import Revealed

ORDERS = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2)]
POINTS = (0, 1, 2, 0)
SAMPLES = 2000


def values(case, width, samples, seed, method):
    """(orders, samples) of C^{D,d} on the same weights."""
    program = case.trace(3)
    correlations = [tp.correlation(program, D, d, POINTS[: d + 1]) for D, d in ORDERS]
    return np.array(tp.sample(correlations, case.data(3), width, samples, seed, method, together=True))


def p_values(one, other):
    """Of each row: Kolmogorov–Smirnov on the values, Ansari–Bradley on their spread; and of products of rows."""
    found = [stats.ks_2samp(a, b).pvalue for a, b in zip(one, other, strict=True)]
    found += [stats.ks_2samp(np.abs(a), np.abs(b)).pvalue for a, b in zip(one, other, strict=True)]
    for i, j in ((1, 4), (1, 5), (2, 5)):
        left, right = (np.log(np.abs(rows[i]) + 1e-300) - np.log(np.abs(rows[j]) + 1e-300) for rows in (one, other))
        found.append(stats.ks_2samp(left, right).pvalue)
    return np.array(found)


def same_law(one, other, chance=1e-4):
    """Whether no test rejects; rejects equal laws at most once in 1/chance calls (Bonferroni)."""
    p = p_values(one, other)
    return p.min() > chance / len(p)


by_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@by_case
@pytest.mark.parametrize("width", [4, 32])
def test_same_law_as_the_dense_reading(case, width):
    assert same_law(values(case, width, SAMPLES, 1, "dense"), values(case, width, SAMPLES, 2, "exact"))


@pytest.mark.long
@by_case
@pytest.mark.parametrize("width", [4, 8, 32, 128])
def test_same_law_with_many_samples(case, width):
    samples = 10_000 if width < 100 else 3000
    assert same_law(values(case, width, samples, 3, "dense"), values(case, width, samples, 4, "exact"))


@pytest.mark.parametrize(
    "case", [CASES[0], *(pytest.param(CASES[k], marks=pytest.mark.long) for k in (5, 9))], ids=lambda case: case.name
)
def test_blocks_and_threads_have_the_same_law(case, monkeypatch):
    """The code of large widths, at a small one."""
    monkeypatch.setattr(exact, "LARGE", 16)
    monkeypatch.setattr(blockwise, "BLOCK", 7)
    monkeypatch.setattr(sweep, "BLOCK", 5)
    assert same_law(values(case, 16, 400, 1, "dense"), values(case, 16, 400, 2, "exact"))


# -- mutants: each fails at the width and with the samples stated


def without_projection(self, own, other, q, drawing):
    """No (1 - Q_U Q_Uᵀ) before the fresh Gaussians."""
    g = np.empty((*q.shape[:2], own.products.shape[2]))
    for j, (name, fresh) in enumerate(drawing):
        self.normals(name, g[:, j], fresh)
        g[~fresh, j] = 0
    return g * self.std + q @ other.images.swapaxes(1, 2) @ other.basis


def one_stream(self, own, other, q, drawing):
    """The k-th products with W and with Wᵀ draw from one stream."""
    places = list(self.draw.args[4])
    g = np.empty((*q.shape[:2], own.products.shape[2]))
    for j in range(len(drawing)):
        self.draw(places[own.count - len(drawing) + j], np.zeros(self.batch, int), g[:, j])
    g *= self.std
    return g + (q @ other.images.swapaxes(1, 2) - g @ other.basis.swapaxes(1, 2)) @ other.basis


def mutant_values(case, width, samples, monkeypatch, attribute, replacement):
    monkeypatch.setattr(Revealed, attribute, replacement)
    return values(case, width, samples, 2, "exact")


@pytest.mark.parametrize("name", ["mlp", "transposed"])
def test_without_the_projection_the_law_is_wrong(name, monkeypatch):
    """At n = 4, 2000 samples."""
    (case,) = [c for c in CASES if c.name == name]
    right = values(case, 4, SAMPLES, 1, "dense")
    assert not same_law(right, mutant_values(case, 4, SAMPLES, monkeypatch, "_fresh", without_projection))


def there_and_back(x):
    """⟨Wh, Wᵀh⟩, of mean zero only when both sides draw for themselves."""
    h = tp.erf(tp.linear("U", x))
    return tp.mean(tp.linear("W", h) * tp.linear("W", h, transpose=True))


def test_one_stream_for_both_sides_is_noticed(monkeypatch):
    """At n = 16, 500 samples."""

    def law(method, seed):
        return tp.sample(tp.trace(there_and_back), CASES[0].data(1), 16, 500, seed, method)

    right = law("dense", 1)
    assert not rejected([right], [law("exact", 2)])
    monkeypatch.setattr(Revealed, "_fresh", one_stream)
    assert rejected([right], [law("exact", 2)])


def test_without_the_span_check_full_spans_go_wrong(monkeypatch):
    """At n = 4, 2000 samples: products exceed the width."""
    right = values(CASES[0], 4, SAMPLES, 1, "dense")
    monkeypatch.setattr(Revealed, "_leaves", lambda self, own, length, smallest: length > 0)
    assert not same_law(right, values(CASES[0], 4, SAMPLES, 2, "exact"))


def wide(x):
    h = tp.tanh(tp.linear("U", x, width=3))
    h = tp.tanh(tp.linear("W", h, width=1))
    h = tp.tanh(tp.linear("W", h, transpose=True))
    return tp.readout("v", tp.tanh(tp.linear("V", h)))


def wide_values(method, seed):
    program = tp.trace(wide, inputs=2)
    data = CASES[0].data(2)
    wanted = [tp.correlation(program, D, 1) for D in (0, 1)]
    return np.array(tp.sample(wanted, data, 8, SAMPLES, seed, method, together=True))


def rejected(one, other):
    return min(stats.ks_2samp(a, b).pvalue for a, b in zip(one, other, strict=True)) < 1e-4


def test_unequal_widths_keep_the_variance_of_the_weight(monkeypatch):
    """At n = 8, 2000 samples: Wᵀ has the variance of W's fan-in; with that of its own the law is wrong."""
    right = wide_values("dense", 1)
    assert not rejected(right, wide_values("exact", 2))

    fresh = Revealed._fresh

    def own_fan_in(self, own, other, q, drawing):
        back = own is self.spans[1]
        ratio = np.sqrt(own.products.shape[2] / own.vectors.shape[2]) if back else 1.0
        self.std *= ratio
        found = fresh(self, own, other, q, drawing)
        self.std /= ratio
        return found

    monkeypatch.setattr(Revealed, "_fresh", own_fan_in)
    assert rejected(right, wide_values("exact", 2))


@pytest.mark.parametrize("layers", [1, 3])
def test_deep_linear_net_has_its_exact_second_moment(layers):
    """E[(|h^L|²/n)²] = K² (1 + 2/n)^L, here with one more factor for h⁰ = U x; 4 errors, once in 16,000 runs."""

    def deep(x):
        h = tp.linear("U", x)
        for layer in range(layers):
            h = tp.linear(f"W{layer}", h)
        return tp.mean(h * h)

    n, samples = 5, 30_000
    squares = tp.sample(tp.trace(deep), np.ones((1, 4)), n, samples, seed=11, method="exact") ** 2
    assert abs(squares.mean() - (1 + 2 / n) ** (layers + 1)) < 4 * squares.std() / np.sqrt(samples)


def test_first_samples_do_not_depend_on_how_many_or_on_the_batch(monkeypatch):
    case = CASES[0]
    program = case.trace(3)
    correlations = [tp.correlation(program, D, d) for D, d in [(0, 2), (1, 1), (2, 1)]]
    many = np.array(tp.sample(correlations, case.data(3), 16, 12, 3, "exact"))
    few = np.array(tp.sample(correlations, case.data(3), 16, 5, 3, "exact"))
    np.testing.assert_allclose(few, many[:, :5], rtol=1e-12)
    monkeypatch.setattr(exact, "BATCH_NUMBERS", 32)
    np.testing.assert_allclose(np.array(tp.sample(correlations, case.data(3), 16, 12, 3, "exact")), many, rtol=1e-12)


class Rounded:
    """A stream whose float32 numbers are the float64 ones, rounded."""

    def __init__(self, *key):
        self.stream = draws.stream(*key)

    def standard_normal(self, dtype, out):
        out[...] = self.stream.standard_normal(out.shape)


@pytest.mark.parametrize("width", [16, 64])
def test_float32_errs_by_rounding_only(width, monkeypatch):
    """Relative errors near 1e-6, also where vectors repeat; a direction made of rounding errors gives 1e-2."""
    program, data = CASES[0].trace(3), CASES[0].data(3)
    correlations = [tp.correlation(program, D, d, (0, 1, 2, 0)[: d + 1]) for D, d in [(0, 1), (0, 2), (0, 3), (1, 1)]]
    monkeypatch.setattr(exact, "stream", Rounded)
    monkeypatch.setattr(realise, "draw", lambda *a: draws.draw(*a[:-1], np.dtype(np.float64)).astype(a[-1]))
    single, double = (
        np.array(tp.sample(correlations, data, width, 50, 0, "exact", kind)) for kind in (np.float32, np.float64)
    )
    assert (np.median(np.abs(single - double) / np.abs(double), axis=1) < 1e-4).all()


@pytest.mark.parametrize("case", [CASES[0], CASES[5]], ids=lambda case: case.name)
@pytest.mark.parametrize("d", [0, 1])
def test_spectral_norms_have_the_same_law(case, d):
    program = case.trace(2)
    c = tp.correlation(program, 2, d)
    one, other = (tp.sample(c, case.data(2), 8, 600, seed, m) for seed, m in ((1, "dense"), (2, "exact")))
    assert stats.ks_2samp(one, other).pvalue > 1e-4

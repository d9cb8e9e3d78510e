"""The exact reading has the law of the dense one at every width; wrong samplers do not pass the same tests."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from cases import CASES
from scipy import stats

import tensorprog as tp
from tensorprog.readings import blockwise, draws, exact, realise, revealed, sweep
from tensorprog.readings.arena import Arena
from tensorprog.readings.revealed import Revealed
from tensorprog.readings.team import Team

ORDERS = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2)]
POINTS = (0, 1, 2, 0)
SAMPLES = 2000


def values(case, width, samples, seed, method):
    """(orders, samples) of C^{D,d} on the same weights."""
    program = case.trace(3)
    correlations = [tp.correlation(program, D, d, POINTS[: d + 1]) for D, d in ORDERS]
    return np.array(tp.sample(correlations, case.data(3), width, samples, seed, method))


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
    samples = 20_000 if width < 100 else 6000
    assert same_law(values(case, width, samples, 3, "dense"), values(case, width, samples, 4, "exact"))


@pytest.mark.parametrize("case", [CASES[0], CASES[5], CASES[9]], ids=lambda case: case.name)
def test_blocks_and_threads_have_the_same_law(case, monkeypatch):
    """The code of large widths, at a small one."""
    monkeypatch.setattr(exact, "LARGE", 16)
    monkeypatch.setattr(blockwise, "BLOCK", 7)
    monkeypatch.setattr(sweep, "BLOCK", 5)
    assert same_law(values(case, 16, 400, 1, "dense"), values(case, 16, 400, 2, "exact"))


# -- mutants: each fails at the width and with the samples stated


def without_projection(self, own, other, q, names):
    """No (1 - Q_U Q_Uᵀ) before the fresh Gaussians."""
    g = np.empty((*q.shape[:2], own.products.shape[2]))
    for j, name in enumerate(names):
        self.normals(name, g[:, j])
    return g * self.std + q @ other.images.swapaxes(1, 2) @ other.basis


def one_stream(self, own, other, q, names):
    """The k-th products with W and with Wᵀ draw from one stream."""
    places = list(self.draw.args[4])
    g = np.empty((*q.shape[:2], own.products.shape[2]))
    for j in range(len(names)):
        self.draw(places[own.count - len(names) + j], 0, g[:, j])
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
    monkeypatch.setitem(revealed.DEPENDENT, "float64", 0.0)
    assert not same_law(right, values(CASES[0], 4, SAMPLES, 2, "exact"))


def wide(x):
    h = tp.tanh(tp.linear("U", x, width=3))
    h = tp.tanh(tp.linear("W", h, width=1))
    h = tp.tanh(tp.linear("W", h, transpose=True))
    return tp.readout("v", tp.tanh(tp.linear("V", h)))


def wide_values(method, seed):
    program = tp.trace(wide, inputs=2)
    data = CASES[0].data(2)
    return np.array(tp.sample([tp.correlation(program, D, 1) for D in (0, 1)], data, 8, SAMPLES, seed, method))


def rejected(one, other):
    return min(stats.ks_2samp(a, b).pvalue for a, b in zip(one, other, strict=True)) < 1e-4


def test_unequal_widths_keep_the_variance_of_the_weight(monkeypatch):
    """At n = 8, 2000 samples: Wᵀ has the variance of W's fan-in; with that of its own the law is wrong."""
    right = wide_values("dense", 1)
    assert not rejected(right, wide_values("exact", 2))

    fresh = Revealed._fresh

    def own_fan_in(self, own, other, q, names):
        back = own is self.spans[1]
        ratio = np.sqrt(own.products.shape[2] / own.vectors.shape[2]) if back else 1.0
        self.std *= ratio
        found = fresh(self, own, other, q, names)
        self.std /= ratio
        return found

    monkeypatch.setattr(Revealed, "_fresh", own_fan_in)
    assert rejected(right, wide_values("exact", 2))


# -- identities, exact up to rounding


def matrix(rows, cols, batch=3, seed=0):
    rng = np.random.default_rng(seed)

    def draw(name, again, target):
        target[:] = rng.standard_normal(target.shape)

    found = Revealed(batch, rows, cols, 0.5, draw, (4, 4), np.dtype(np.float64))
    return found, rng


@pytest.mark.parametrize(("rows", "cols"), [(50, 50), (20, 60), (6, 6)])
def test_products_are_those_of_one_matrix(rows, cols):
    """⟨y, W x⟩ = ⟨Wᵀ y, x⟩ for all pairs, W(a x + b y) = a W x + b W y, and W x twice is the same."""
    w, rng = matrix(rows, cols)
    xs, ys = rng.standard_normal((3, 8, cols)), rng.standard_normal((3, 7, rows))
    images = np.empty((3, 8, rows))
    backs = np.empty((3, 7, cols))
    for i in range(8):
        images[:, i] = w.multiply([xs[:, i]], False, ["x"])[0]
        if i < 7:
            backs[:, i] = w.multiply([ys[:, i]], True, ["y"])[0]
    np.testing.assert_allclose(images @ ys.swapaxes(1, 2), xs @ backs.swapaxes(1, 2), atol=1e-10)
    before = w.spans[0].count, w.spans[1].count
    mixed = w.multiply([2 * xs[:, 0] - 3 * xs[:, 5]], False, ["z"])[0]
    np.testing.assert_allclose(mixed, 2 * images[:, 0] - 3 * images[:, 5], atol=1e-10)
    again = w.multiply(list(xs.swapaxes(0, 1)), False, ["x"] * 8)
    np.testing.assert_allclose(np.stack(again, axis=1), images, atol=1e-10)
    assert (w.spans[0].count, w.spans[1].count) == before, "a vector of the span drew something"


def test_spans_fill_up():
    """Whoever multiplies by more than n vectors has seen the whole matrix."""
    w, rng = matrix(5, 5)
    xs = rng.standard_normal((3, 5, 5))
    images = np.stack(w.multiply(list(xs.swapaxes(0, 1)), False, list("abcde")), axis=1)
    whole = np.linalg.solve(xs, images).swapaxes(1, 2)
    ys = rng.standard_normal((3, 4, 5))
    backs = np.stack(w.multiply(list(ys.swapaxes(0, 1)), True, list("fghi")), axis=1)
    np.testing.assert_allclose(backs, ys @ whole, atol=1e-8)
    assert w.spans[0].count == 5


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


@pytest.mark.long
def test_orthogonality_is_kept_over_200_products():
    """n = 2^20, 100 products with W and 100 with Wᵀ in blocks of five: |QᵀQ - 1| below 1e-10."""
    n = 2**20
    rng = np.random.default_rng(0)

    def draw(name, again, target):
        rng.standard_normal(out=target)

    with Team(2) as team:
        w = blockwise.Blockwise(team, Arena(), n, n, 0.5, draw, (100, 100), np.dtype(np.float64))
        xs = list(rng.standard_normal((5, 1, n)))
        for i in range(20):
            ys = [np.tanh(y) + 0.1 * rng.standard_normal((1, n)) for y in w.multiply(xs, False, ["x"] * 5)]
            xs = [np.tanh(x) + (i % 2) * old for x, old in zip(w.multiply(ys, True, ["y"] * 5), xs, strict=True)]
    for span in w.spans:
        assert span.count == 100
        gram = sum(part @ part.copy().T for part in np.array_split(span.vectors[0, :100], 64, axis=1))
        assert np.abs(gram - np.eye(100)).max() < 1e-10


def close_products(x):
    """10¹² (W(h + 10⁻¹² u) − W h): the product with what a nearly equal vector adds."""
    h, u = tp.linear("U", x), tp.linear("B", x)
    return tp.readout("v", 10**12 * (tp.linear("W", h + Fraction(1, 10**12) * u) - tp.linear("W", h)))


@pytest.mark.parametrize("width", [64, 2**15])
def test_a_vector_nearly_in_the_span_still_draws(width):
    """Its law is that of a product with u: mean square |x|²/d0 = 1, five standard errors; without a draw it is 0."""
    samples = 400 if width == 64 else 60
    values = tp.sample(tp.trace(close_products), np.ones((1, 4)), width, samples, 3, method="exact")
    squares = values**2
    assert abs(squares.mean() - 1) < 5 * squares.std() / np.sqrt(samples)
    assert squares.mean() > 0.3

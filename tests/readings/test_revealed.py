"""A matrix that is revealed product by product: identities of one matrix, exact up to rounding, and what draws when."""

from __future__ import annotations

from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from cases import CASES

import tensorprog as tp
from tensorprog.errors import SamplingError
from tensorprog.readings import blockwise, exact, spectral
from tensorprog.readings.arena import Arena
from tensorprog.readings.revealed import DEPENDENT, Revealed
from tensorprog.readings.spectral import spectral_norm
from tensorprog.readings.team import Team


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


@pytest.mark.long
def test_orthogonality_is_kept_over_200_products():
    """n = 2^16, 100 products with W and 100 with Wᵀ in blocks of five: |QᵀQ - 1| below 1e-10."""
    n = 2**16
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


def close_products(x, power=12):
    """10^power (W(h + 10^-power u) − W h): the product with what a nearly equal vector adds."""
    h, u = tp.linear("U", x), tp.linear("B", x)
    return tp.readout("v", 10**power * (tp.linear("W", h + Fraction(1, 10**power) * u) - tp.linear("W", h)))


@pytest.mark.parametrize("width", [64, 2**15])
def test_a_vector_nearly_in_the_span_still_draws(width):
    """Its law is that of a product with u: mean square |x|²/d0 = 1, five standard errors; without a draw it is 0."""
    samples = 400 if width == 64 else 60
    values = tp.sample(tp.trace(close_products), np.ones((1, 4)), width, samples, 3, method="exact")
    squares = values**2
    assert abs(squares.mean() - 1) < 5 * squares.std() / np.sqrt(samples)
    assert squares.mean() > 0.3


@pytest.mark.parametrize("width", [64, 2**15])
def test_single_precision_drops_rounding_only(width):
    """A component of 1e-5, a hundred times the rounding of float32, draws; see above."""
    samples = 400 if width == 64 else 60
    program = tp.trace(partial(close_products, power=5))
    squares = tp.sample(program, np.ones((1, 4)), width, samples, 3, "exact", np.float32) ** 2
    assert abs(squares.mean() - 1) < 5 * squares.std() / np.sqrt(samples)


def test_a_spectral_norm_beside_it_changes_no_law():
    """See above: also where iterations come back to the same weights later."""
    one, two = tp.trace(close_products), tp.correlation(CASES[0].trace(2), 2, 1)
    squares = tp.sample([one, two], np.ones((2, 3)), 64, 200, 3, "exact")[0] ** 2
    assert abs(squares.mean() - 1) < 5 * squares.std() / np.sqrt(200)


def product(x):
    return tp.readout("v", tp.linear("W", tp.linear("U", x)))


@pytest.mark.parametrize(
    ("scale", "dtype"),
    [
        (1e160, np.float64),
        (1e-161, np.float64),
        (1e-165, np.float64),
        (1e25, np.float32),
        (1e-24, np.float32),
        (1e-30, np.float32),
    ],
)
@pytest.mark.parametrize("width", [8, 2**15])
def test_vectors_whose_squares_overflow_or_vanish_are_multiplied(scale, dtype, width):
    """The same weights: a linear net is as much larger as its input."""
    one, scaled = (
        tp.sample(tp.trace(product), s * np.ones((1, 4)), width, 3, method="exact", dtype=dtype) for s in (1, scale)
    )
    assert (one != 0).all()
    np.testing.assert_allclose(scaled / scale, one, rtol=100 * np.finfo(dtype).eps)


def test_what_is_not_finite_stays_so_and_spoils_nothing():
    w, rng = matrix(50, 50)
    xs = rng.standard_normal((4, 3, 50))
    xs[0, 0, 7] = np.nan
    xs[2, 1, 7] = np.inf
    with np.errstate(invalid="ignore"):
        images = np.stack(w.multiply(list(xs), False, list("abcd")))
    bad = ~np.isfinite(xs).all(axis=2)
    assert np.isnan(images[bad]).all() and np.isfinite(images[~bad]).all()
    np.testing.assert_allclose(w.multiply([2 * xs[3] - xs[0]], False, ["e"])[0], 2 * images[3] - images[0], atol=1e-10)


@pytest.mark.parametrize("width", [64, 256])
def test_samples_of_several_norms_do_not_depend_on_the_batch(width):
    """All on the same weights, of which each norm reveals more, in every sample as much as its own iterations take."""
    case = CASES[5]
    correlations = [tp.correlation(case.trace(3), 2, d) for d in (0, 1, 2)]
    many = np.array(tp.sample(correlations, case.data(3), width, 12, 3, "exact"))
    for few in (1, 3):
        found = np.array(tp.sample(correlations, case.data(3), width, few, 3, "exact"))
        np.testing.assert_allclose(found, many[:, :few], rtol=1e-12)


def test_a_node_that_is_computed_again_draws_anew():
    """As iterations do: W q for two orthonormal q, two independent vectors, E|W (q₁ - q₂)|² = 2; 5 errors."""
    n, batch = 64, range(40)
    w = Revealed(40, n, n, n**-0.5, partial(exact._fresh, 1, n, batch, "W", {"x": 0}), (4, 4), np.dtype(float))
    first, second = (w.multiply([np.broadcast_to(q, (40, n))], False, ["x"])[0] for q in np.eye(n)[:2])
    squares = np.vecdot(first - second, first - second)
    assert abs(squares.mean() - 2) < 5 * squares.std() / np.sqrt(40)


def test_samples_that_add_nothing_draw_nothing():
    """Each counts its own draws."""
    drawn = []

    def draw(name, again, target):
        drawn.append(again.tolist())
        target[:] = np.where(again < 0, np.nan, 1)[:, None]

    w = Revealed(2, 9, 9, 1.0, draw, (4, 4), np.dtype(float))
    one, two = np.eye(9)[:2]
    for x in ([one, one], [two, one], [one + two, 0 * one], [one, two]):
        (image,) = w.multiply([np.array(x)], False, ["x"])
        assert np.isfinite(image).all()
    assert drawn == [[0, 0], [1, -1], [-1, 1]]
    assert w.spans[0].rank.tolist() == [2, 2]


def orthogonality(span):
    q = span.basis
    return max(np.abs(one @ one.T - np.diag(np.vecdot(one, one) > 0)).max() for one in q)


def revealed(large, n, team):
    rng = np.random.default_rng(1)

    def draw(name, again, target):
        rng.standard_normal(out=target)

    options = n, n, 0.5, draw, (30, 4), np.dtype(np.float64)
    return (blockwise.Blockwise(team, Arena(), *options) if large else Revealed(1, *options)), rng


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("to_each_other", [False, True])
@pytest.mark.parametrize("remainder", [1e-2, 3e-3, 1e-5, 1e-8, 1e-11])
def test_vectors_that_are_nearly_dependent_are_made_orthogonal(remainder, to_each_other, large):
    """Blocks close to the span, or to each other: |QᵀQ - 1| is rounding, however little is left of a vector."""
    n = 3000
    with Team(2) as team:
        w, rng = revealed(large, n, team)
        first = rng.standard_normal((3, 1, n))
        w.multiply(list(first), False, list("abc"))
        for _ in range(6):
            at = rng.standard_normal((1, 1, n)) if to_each_other else first
            w.multiply(list(at + remainder * rng.standard_normal((3, 1, n))), False, list("abc"))
    assert w.spans[0].count == 21
    assert orthogonality(w.spans[0]) < 1e-13


@pytest.mark.parametrize("large", [False, True])
def test_no_span_is_larger_than_its_space(large, monkeypatch):
    """Even where no remainder is called rounding."""
    monkeypatch.setitem(DEPENDENT, "float64", 0.0)
    with Team(2) as team:
        w, rng = revealed(large, 20, team)
        for _ in range(10):
            w.multiply(list(rng.standard_normal((3, 1, 20))), False, list("abc"))
    assert w.spans[0].count == w.spans[0].rank[0] == 20


def test_a_norm_that_does_not_settle_is_an_error(monkeypatch):
    monkeypatch.setattr(spectral, "MAX_ITERATIONS", 30)
    eigenvalues = np.linspace(-1, 1, 2001)
    with pytest.raises(SamplingError, match="1 of 2 spectral norms are not known to 1e-06 after 30 steps"):
        start = np.random.default_rng(0).standard_normal((2, 2001))
        spectral_norm(lambda x: x * np.stack([eigenvalues, np.where(eigenvalues == 1, 2, eigenvalues)]), start)

"""Limit variables against brute force: Stein's lemma, derivatives, independence, exact zeros, shared equations."""

from __future__ import annotations

import inspect
import sys
from contextlib import contextmanager
from fractions import Fraction

import numpy as np
import pytest

from tensorprog.functions import erf, relu, sigmoid, sin, tanh
from tensorprog.limits.evaluate import Evaluation
from tensorprog.limits.gaussian import ScalarArgument, Space, UndecidedLimit, VectorArgument
from tensorprog.limits.scalars import Equations, Expectation, Number, Product, Sum
from tensorprog.readings.patience import now

CORRELATED = np.array([[1.3, 0.6, -0.3], [0.6, 0.8, 0.2], [-0.3, 0.2, 1.1]])
COVARIANCES = {"correlated": CORRELATED, "independent": np.diag([1.3, 0.8, 1.1]), "degenerate": np.ones((3, 3)) * 0.7}
SAMPLES = 10**6


def space_of(covariance):
    """Three Gaussians whose covariances are symbols; exact zeros where the matrix has them."""
    equations = Equations()
    symbols = {f"c{i}{j}": covariance[i, j] for i in range(3) for j in range(i + 1)}

    def entry(low, high):
        return equations.symbol(f"c{high}{low}") if covariance[high, low] else None

    space = Space(equations)
    return space, [space.variable(space.gaussian(entry)) for _ in range(3)], symbols


class Sampled:
    """Polynomials beside functions of samples: `parts` pairs one with the other."""

    def __init__(self, covariance, seed=0):
        self.space, self.g, self.symbols = space_of(covariance)
        rng = np.random.default_rng(seed)
        self.z = rng.multivariate_normal(np.zeros(3), covariance, SAMPLES, method="eigh").T

    def phi(self, function, poly, order=0):
        return self.space.apply(function, (order,), (VectorArgument(self.space.intern(poly)),))

    def product(self, *polys):
        found = polys[0]
        for poly in polys[1:]:
            found = self.space.product(found, poly)
        return found

    def sum(self, *terms):
        return self.space.combined([(self.space.equations.number(c), poly) for c, poly in terms])

    def value(self, poly):
        return self.number(self.space.expectation(poly))

    def number(self, node):
        return float(Evaluation(self.space.equations, self.symbols)(node).value)


def examples(s):
    """(polynomial, samples of it)."""
    (g, h, k), (x, y, z) = s.g, s.z
    inner = s.sum((1, g), (Fraction(1, 2), h))
    mixed = s.sum((1, g), (Fraction(1, 2), s.phi(sin, h)))
    u, v = x + y / 2, x + np.sin(y) / 2
    return [
        (s.product(g, g), x * x),
        (s.product(g, g, h, h), x * x * y * y),
        (s.product(g, g, g, h), x**3 * y),
        (s.product(g, h, k, k), x * y * z * z),
        (s.product(g, s.phi(tanh, h)), x * np.tanh(y)),
        (s.product(g, h, s.phi(sin, inner)), x * y * np.sin(u)),
        (s.product(g, s.phi(sin, inner), s.phi(tanh, k)), x * np.sin(u) * np.tanh(z)),
        (s.product(g, g, s.phi(sin, h), s.phi(sin, h)), x * x * np.sin(y) ** 2),
        (s.product(h, s.phi(sin, mixed)), y * np.sin(v)),
        (s.product(g, k, s.phi(sin, mixed), s.phi(sin, h)), x * z * np.sin(v) * np.sin(y)),
        (s.product(s.sum((2, g), (-3, s.phi(erf, h, 1))), s.sum((1, h), (1, k))), None),
    ]


@pytest.mark.parametrize("name", list(COVARIANCES))
def test_expectations_are_those_of_samples(name):
    """Within 4.5 standard errors; 30 comparisons fail once in 5000 seeds."""
    s = Sampled(COVARIANCES[name])
    for poly, samples in examples(s):
        if samples is not None:
            assert abs(s.value(poly) - samples.mean()) < 4.5 * samples.std() / np.sqrt(SAMPLES) + 1e-6


@pytest.mark.parametrize("name", list(COVARIANCES))
def test_products_need_not_be_formed(name):
    s = Sampled(COVARIANCES[name])
    polys = [poly for poly, _ in examples(s)][:6]
    for one in polys[:3]:
        for other in polys[3:]:
            whole = s.space.expectation(s.space.product(one, other))
            assert s.number(s.space.product_expectation(one, other)) == pytest.approx(s.number(whole), rel=1e-10)


@pytest.mark.parametrize("name", list(COVARIANCES))
def test_steins_lemma(name):
    """E[g F] = E[Σ_h Cov(g, h) ∂F/∂h], the right side without a Gaussian factor."""
    s = Sampled(COVARIANCES[name])
    for poly, _ in examples(s):
        for number, g in enumerate(s.g):
            contracted = s.space.contract(number, s.space.intern(poly))
            assert s.value(s.product(g, poly)) == pytest.approx(s.value(contracted), rel=1e-8, abs=1e-9)


def test_known_moments():
    """E[g⁴] = 3 c², E[g² h²] = c d + 2 e², E[g⁶] = 15 c³ (Isserlis)."""
    s = Sampled(CORRELATED)
    g, h, _ = s.g
    c, d, e = CORRELATED[0, 0], CORRELATED[1, 1], CORRELATED[0, 1]
    assert s.value(s.product(g, g)) == pytest.approx(c, rel=1e-14)
    assert s.value(s.product(g, g, g, g)) == pytest.approx(3 * c**2, rel=1e-14)
    assert s.value(s.product(g, g, h, h)) == pytest.approx(c * d + 2 * e**2, rel=1e-14)
    assert s.value(s.product(g, g, g, g, g, g)) == pytest.approx(15 * c**3, rel=1e-14)


def at(space, poly, z, numbers):
    """A polynomial at values of the Gaussians."""
    total = 0.0
    for (gs, xs), c in poly.items():
        term = numbers(c) * np.prod([z[g] for g in gs])
        for x in xs:
            atom = space.atoms[x]
            term *= atom.function.evaluate(atom.order, *(at(space, space.polys[a.poly], z, numbers) for a in atom.args))
        total = total + term
    return total


def test_derivatives_are_differences():
    """Central differences at step 1e-5, errors near 1e-9; through nested arguments too."""
    s = Sampled(CORRELATED)
    z = np.array([0.3, -0.8, 1.1])
    for poly, _ in examples(s):
        slopes = []
        for i in range(3):
            move = 1e-5 * np.eye(3)[i]
            up, down = (at(s.space, poly, z + sign * move, s.number) for sign in (1, -1))
            slopes.append((up - down) / 2e-5)
            found = at(s.space, s.space.derivative(poly, i), z, s.number)
            assert found == pytest.approx(slopes[-1], abs=1e-8)
        for i in range(3):
            found = at(s.space, s.space.contract(i, s.space.intern(poly)), z, s.number)
            assert found == pytest.approx(CORRELATED[i] @ slopes, abs=1e-8)


def test_independent_groups_are_products():
    """E[φ(g) φ(h) φ(k)²] with k alone is a product of two expectations; correlated, it is one of three coordinates."""
    for covariance, sizes in ((np.diag([1.3, 0.8, 1.1]), [1, 1, 1]), (CORRELATED, [3])):
        space, (g, h, k), _ = space_of(covariance)
        factors = [space.apply(tanh, (1,), (VectorArgument(space.intern(x)),)) for x in (g, h, k)]
        whole = space.product(space.product(factors[0], factors[1]), factors[2])
        node = space.equations.nodes[space.expectation(whole)]
        parts = [space.equations.nodes[x] for x in node.factors] if isinstance(node, Product) else [node]
        assert all(isinstance(part, Expectation) for part in parts)
        assert sorted(len(part.mean) for part in parts) == sizes


def test_zeros_are_exact():
    """Odd functions of symmetric groups, in every group by itself."""
    space, (g, h, k), _ = space_of(np.array([[1.3, 0.6, 0], [0.6, 0.8, 0], [0, 0, 1.1]]))

    def phi(f, x, order=0):
        return space.apply(f, (order,), (VectorArgument(space.intern(x)),))

    def mean(*polys):
        found = polys[0]
        for poly in polys[1:]:
            found = space.product(found, poly)
        return space.expectation(found)

    assert mean(phi(erf, g)) is None
    assert mean(g, k) is None
    assert mean(phi(erf, g), phi(erf, k)) is None
    assert mean(g, phi(erf, g), phi(erf, k)) is None
    assert mean(phi(erf, g, 1), phi(erf, h)) is None
    assert mean(phi(erf, g), phi(erf, h)) is not None
    assert mean(phi(erf, g, 1)) is not None
    assert mean(phi(relu, g)) is not None
    shifted = space.combined([(space.equations.one, g), (space.equations.one, space.constant(space.equations.one))])
    assert mean(phi(erf, shifted)) is not None, "an odd function at a mean that is not 0"
    nested = space.combined([(space.equations.one, g), (space.equations.one, phi(erf, h))])
    assert mean(phi(sin, nested)) is None
    nested = space.combined([(space.equations.one, g), (space.equations.one, phi(erf, h, 1))])
    assert mean(phi(sin, nested)) is not None
    assert space.apply(erf, (0,), (ScalarArgument(None),)) == {}
    assert space.apply(relu, (2,), (VectorArgument(space.intern(g)),)) == {}


def test_a_deadline_in_the_past_is_noticed():
    space = Space(Equations(), deadline=now() - 1)
    g = space.variable(space.gaussian(lambda one, other: space.equations.one))
    with pytest.raises(UndecidedLimit, match="patience"):
        space.expectation(space.product(g, g))


def test_equal_equations_are_one_node():
    e = Equations()
    a, b, c = map(e.symbol, "abc")
    assert e.symbol("a") == a
    assert e.add([(1, a), (2, b)]) == e.add([(2, b), (1, a)])
    assert e.multiply(a, e.multiply(b, c)) == e.multiply(e.multiply(c, a), b)
    assert e.nodes[e.multiply(a, e.multiply(b, a))] == Product((a, a, b))
    assert e.multiply(e.number(Fraction(1, 2)), a, e.number(2)) == a
    assert e.multiply(e.number(3), e.number(Fraction(1, 3))) == e.one
    assert e.number(Fraction(6, 3)) == e.number(2)


def test_sums_flatten_and_cancel():
    e = Equations()
    a, b = map(e.symbol, "ab")
    both = e.add([(1, a), (2, b)])
    assert e.nodes[e.add([(3, both), (-3, a)])] == Sum(((6, b),))
    assert e.add([(1, both), (-1, a), (-2, b)]) is None
    assert e.add([(1, both), (-2, b)]) == a
    assert e.add([(1, None), (0, a)]) is None
    assert e.add([(2, e.one), (Fraction(-1, 2), e.number(4))]) is None
    assert e.nodes[e.add([(2, e.one), (1, e.one)])] == Number(3)
    assert e.multiply(a, None) is None
    assert e.number(0) is None
    doubled = e.multiply(e.number(2), a)
    assert e.add([(1, doubled), (-2, a)]) is None
    assert e.nodes[e.multiply(doubled, doubled)] == Sum(((4, e.multiply(a, a)),))


def test_a_gaussian_inside_a_product_becomes_a_factor():
    """E[g F(g h)], where every derivative by g brings h and every one by h brings g again."""
    s = Sampled(CORRELATED)
    (g, h, k), (x, y, z) = s.g, s.z
    square, both = s.product(g, g), s.product(g, h)
    gated = s.product(g, s.phi(sigmoid, g))
    for poly, samples in [
        (s.product(g, g, s.phi(sin, square)), x**2 * np.sin(x * x)),
        (s.product(k, h, s.phi(sin, both)), z * y * np.sin(x * y)),
        (s.product(k, g, s.phi(tanh, gated, 1)), z * x * (1 - np.tanh(x / (1 + np.exp(-x))) ** 2)),
        (s.product(k, s.phi(relu, s.sum((1, g), (1, s.phi(relu, h))))), z * np.maximum(x + np.maximum(y, 0), 0)),
    ]:
        assert abs(s.value(poly) - samples.mean()) < 4.5 * samples.std() / np.sqrt(SAMPLES) + 1e-6


def test_a_long_product_is_no_deep_recursion():
    """E[Π g_i²] = Π E g_i², with fewer frames than factors."""
    equations = Equations()
    space = Space(equations)
    variances = [equations.symbol(f"c{i}") for i in range(120)]
    g = [space.gaussian(lambda one, other: variances[one] if one == other else None, i) for i in range(120)]
    with few_frames():
        value = space.expectation({(tuple(x for x in g for _ in range(2)), ()): equations.one})
    assert equations.nodes[value] == Product(tuple(sorted(variances)))


def test_functions_in_functions_to_any_depth():
    """E[sin_400(g)²] = ∫, E[g sin_400(g)], and their printed form."""
    space, (g, _, _), symbols = space_of(CORRELATED)
    poly = g
    with few_frames():
        for _ in range(400):
            poly = space.combined(
                [(space.equations.one, space.apply(sin, (0,), (VectorArgument(space.intern(poly)),)))]
            )
        values = [space.expectation(space.product(poly, poly)), space.expectation(space.product(g, poly))]
        found = [float(Evaluation(space.equations, symbols)(value).value) for value in values]
    z = np.linspace(-9, 9, 4001)
    chain = z * np.sqrt(CORRELATED[0, 0])
    weight, place = np.exp(-z * z / 2) / np.sqrt(2 * np.pi) * (z[1] - z[0]), chain
    for _ in range(400):
        chain = np.sin(chain)
    assert found == pytest.approx([(chain**2) @ weight, (chain * place) @ weight], rel=1e-8)


@contextmanager
def few_frames():
    """200 frames above those of the test."""
    depth, before = len(inspect.stack(0)), sys.getrecursionlimit()
    sys.setrecursionlimit(depth + 200)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)

"""Every correlation of every architecture against autodiff of a forward pass written by hand, at the same weights."""

from __future__ import annotations

import numpy as np
import pytest
from cases import CASES, Case
from oracles import forward
from oracles.correlations import Autodiff
from oracles.weights import SEED, applied, close, weights

from tensorprog.architectures import ARCHITECTURES
from tensorprog.passes import correlation
from tensorprog.readings import sample

WIDTH = 6
POINTS = [(0, 1, 2, 3, 4), (0, 0, 0, 0, 0), (0, 1, 1, 0, 2)]
by_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
by_points = pytest.mark.parametrize("points", POINTS, ids=lambda points: "".join(map(str, points)))


def oracle(case: Case, program, data):
    by_hand = getattr(forward, case.architecture.__name__)
    options = {k: float(v) if k.endswith("_std") else v for k, v in case.options.items()}
    options["phi"] = forward.ACTIVATIONS[case.options["phi"].spec]
    theta = weights(program, WIDTH, case.d0)
    return Autodiff(lambda theta, x: by_hand(theta, x, **options), theta, data, WIDTH)


def test_every_architecture_has_a_case():
    assert {case.architecture.__name__ for case in CASES} == set(ARCHITECTURES)


@by_points
@by_case
def test_scalars_and_gradient_norms(case, points):
    data = case.data(5)
    program = case.trace(5)
    scalars, norms = oracle(case, program, data).scalars_and_norms(points)
    orders = [(D, d) for D in (0, 1) for d in range(5)]
    found = sample([correlation(program, D, d, points[: d + 1]) for D, d in orders], data, WIDTH, 1, SEED, "dense")
    for (D, d), value in zip(orders, found, strict=True):
        close(value[0], (scalars, norms)[D][d])


@by_points
@by_case
def test_operators(case, points):
    data = case.data(4)
    program = case.trace(4)
    rng = np.random.default_rng(1)
    u = {name: rng.standard_normal(value.shape) for name, value in weights(program, WIDTH, case.d0).items()}
    for d, expected in oracle(case, program, data).operators(points[:4], u).items():
        found = applied(correlation(program, 2, d, points[: d + 1]), data, WIDTH, u)
        for name, value in expected.items():
            close(found.get(name, np.zeros_like(value)), value)


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.name in ("mlp", "transposed", "attention_tied")], ids=lambda c: c.name
)
@pytest.mark.parametrize("d", [0, 1, 2])
def test_spectral_norms(case, d):
    data = case.data(3)
    program = case.trace(3)
    matrix = np.asarray(oracle(case, program, data).matrix(tuple(range(d + 1))))
    assert np.allclose(matrix, matrix.T, rtol=0, atol=1e-12 * np.abs(matrix).max())
    expected = np.abs(np.linalg.eigvalsh(matrix)).max()
    close(sample(correlation(program, 2, d), data, WIDTH, 1, SEED, "dense")[0], expected, rtol=2e-6)

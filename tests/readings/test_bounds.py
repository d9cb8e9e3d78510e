"""Bounds of small programs, each of which needs one rule of the calculus.

Logarithms and the layer norm are pinned as the calculus gives them; the other sizes are known by hand.
"""

from __future__ import annotations

from fractions import Fraction

import pytest

import tensorprog as tp
from tensorprog import architectures
from tensorprog.readings.derive import Analysis

HALF = Fraction(1, 2)
SMALL = tp.abc(HALF)  # coordinates of order n^{-1/2}


def entry(net, D, d, **options):
    """(exponent, power of log n) of one correlation."""
    found = tp.derive(tp.trace(net, inputs=d + 1, **options), [(D, d)])[D, d]
    return found.exponent, found.log_power


def scalar_in_a_mean(x):
    return tp.mean(tp.tanh(tp.linear("U", x)) + tp.readout("q", tp.erf(tp.linear("G", x))))


@pytest.mark.parametrize(("D", "d"), [(0, 0), (1, 0)])
def test_a_scalar_added_to_every_coordinate_is_not_averaged_away(D, d):
    """F = ⟨1, tanh⟩ + s with s and its gradient of order one."""
    assert entry(scalar_in_a_mean, D, d) == (0, 0)


def test_functions_that_do_not_vanish_at_zero_stay_of_order_one():
    """cos and softplus at arguments n^{-1/2}: only an odd function is small there."""
    assert entry(lambda x: tp.readout("v", tp.cos(tp.linear("U", x, scale=SMALL))), 0, 0) == (0, 0)
    assert entry(lambda x: tp.readout("v", tp.softplus(tp.linear("U", x, scale=SMALL))), 0, 0) == (0, 0)
    assert entry(lambda x: tp.readout("v", tp.tanh(tp.linear("U", x, scale=SMALL))), 0, 0) == (-HALF, 0)


def cube(x):
    return tp.readout("v", tp.linear("W", tp.linear("U", x) ** 3))


def cube_there_and_back(x):
    h = tp.linear("W", tp.linear("W", tp.linear("U", x) ** 3), transpose=True)
    return tp.readout("v", h**3)


def sixth_power_there_and_back(x):
    h = tp.linear("W", tp.linear("W", tp.linear("U", x) ** 6), transpose=True)
    return tp.readout("v", tp.tanh(h) * h)


def score(x, powers):
    """⟨Q x, WᵀW x⟩ with powers in between: odd in Q, no other scalar is random."""
    first, second, third = powers
    h = tp.linear("W", tp.linear("U", x) ** first)
    return tp.mean(tp.linear("Q", x) * tp.linear("W", h**second, transpose=True) ** third)


def score_behind_a_layer(x):
    """As `score`, the way back through one more weight."""
    h = tp.linear("W", tp.linear("U", x) ** 2) ** 3
    return tp.mean(tp.linear("Q", x) * tp.linear("V", tp.linear("W", h, transpose=True) ** 2))


def score_of_cubes(x):
    q, h = tp.linear("Q", x), tp.linear("W", tp.linear("U", x)) ** 3
    return tp.mean(q * tp.linear("W", h, transpose=True) ** 3)


@pytest.mark.parametrize(
    ("net", "d", "log"),
    [
        (cube, 0, 2),
        (cube, 1, 3),
        (cube_there_and_back, 0, 4),
        (sixth_power_there_and_back, 1, 17),
        (lambda x: score(x, (2, 3, 2)), 0, 4),
        (lambda x: score(x, (4, 1, 1)), 0, Fraction(3, 2)),
        (score_behind_a_layer, 0, 4),
        (score_of_cubes, 1, 6),
    ],
    ids=["cube", "cube-d1", "cube back", "sixth power back", "score-232", "score-411", "behind a layer", "of cubes"],
)
def test_logarithms_of_largest_coordinates(net, d, log):
    """A polynomial of degree τ in Gaussians brings (log n)^{τ/2}, and again where Wᵀ brings it back."""
    assert entry(net, 2, d)[1] == log


def test_the_scalars_of_a_layer_norm_keep_their_small_derivatives():
    assert entry(architectures.layernorm_mlp, 2, 0, depth=2) == (-HALF, HALF)
    assert entry(architectures.layernorm_mlp, 1, 1, depth=2) == (-HALF, 0)


def test_a_weight_times_a_free_direction_may_sit_on_one_coordinate():
    """W y for a unit y along a row of W has one coordinate of order one: no norm but l1 gains."""
    program = tp.trace(lambda x: tp.readout("v", tp.linear("W", tp.linear("U", x), trainable=False)))
    analysis = Analysis(program, [0])
    products = [name for name, node in program.nodes.items() if getattr(node, "matrix", "") == "W"]
    judged = analysis.calculus.norms(products[0], (0, 1, 0))
    assert judged is not None and judged.norms is not None
    assert [norm.power for norm in (judged.norms.l1, judged.norms.l2, judged.norms.linf)] == [HALF, 0, 0]

"""Learning-rate exponents, parameters that do not learn, several widths, kinks: against autodiff by hand."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import forward
from oracles.correlations import Autodiff
from oracles.weights import SEED, applied, close, weights

from tensorprog.architectures import mlp
from tensorprog.errors import OrderError
from tensorprog.functions import leaky_relu, relu, tanh
from tensorprog.passes import correlation
from tensorprog.program import MEAN_FIELD, abc, linear, mean, readout, symbol, trace
from tensorprog.readings import all_orders, sample

WIDTH = 6
DATA = np.random.default_rng(0).standard_normal((5, 3))
RATES = {"U": 0.5, "W": -1, "V": 1, "v": 0.25, "W.bias": 0}


def net(x, frozen=(), std=1.5, bias=0.5):
    """2n neurons, then n/2, then n, one weight used forwards and transposed, each weight with its own learning rate."""

    def scaled(name, a):
        return {"scale": abc(a, 0, RATES[name]), "trainable": name not in frozen}

    h = tanh(linear("U", x, width=2, **scaled("U", 0)))
    h = tanh(linear("W", h, width=0.5, bias=bias, std=std, **scaled("W", 0.5)))
    h = tanh(linear("W", h, transpose=True, std=std, **scaled("W", 0.5)))
    h = tanh(linear("V", h, **scaled("V", 0.75)))
    return readout("v", h, **scaled("v", 0.5))


def net_by_hand(theta, x):
    n = WIDTH
    W = 1.5 * (2 * n) ** -0.5 * theta["W"]
    h = forward.jnp.tanh(theta["U"] @ x / 3**0.5)
    h = forward.jnp.tanh(W @ h + 0.5 * theta["W.bias"])
    h = forward.jnp.tanh(W.T @ h)
    h = forward.jnp.tanh(n**-0.75 * 2**-0.5 * theta["V"] @ h)
    return n**-0.5 * theta["v"] @ h


def compare(program, autodiff, data, points=(0, 1, 2, 1)):
    scalars, norms = autodiff.scalars_and_norms(points)
    for D, expected in ((0, scalars), (1, norms)):
        for d, value in expected.items():
            close(sample(correlation(program, D, d, points[: d + 1]), data, WIDTH, 1, SEED, "dense")[0], value)
    rng = np.random.default_rng(1)
    u = {name: rng.standard_normal(value.shape) for name, value in weights(program, WIDTH, 3).items()}
    for d, expected in autodiff.operators(points[:3], u).items():
        found = applied(correlation(program, 2, d, points[: d + 1]), data, WIDTH, u)
        for name, value in expected.items():
            close(found.get(name, np.zeros_like(value)), value)


@pytest.mark.parametrize("frozen", [(), ("U",), ("W",), ("V", "v")], ids=lambda names: "+".join(names) or "none")
def test_rates_frozen_parameters_and_widths(frozen):
    program = trace(net, inputs=3, frozen=frozen)
    still = {*frozen, "W.bias"} if "W" in frozen else set(frozen)
    compare(program, Autodiff(net_by_hand, weights(program, WIDTH, 3), DATA, WIDTH, RATES, still), DATA)


def test_symbols_carry_their_squares():
    """A weight before which σ stands learns with σ², exactly as one whose standard deviation is the number."""
    program = trace(net, inputs=3, std=symbol("sigma_w", 1.5), bias=symbol("sigma_b", 0.5))
    assert {name: p.std for name, p in program.parameters.items() if p.std != 1} == {}
    compare(program, Autodiff(net_by_hand, weights(program, WIDTH, 3), DATA, WIDTH, RATES), DATA)


def test_mean_field():
    def mean_field(x):
        h = tanh(linear("U", x, scale=MEAN_FIELD, bias=1))
        return readout("v", tanh(linear("W", h, scale=MEAN_FIELD)), scale=MEAN_FIELD)

    def by_hand(theta, x):
        h = forward.jnp.tanh(theta["U"] @ x / 3**0.5 + theta["U.bias"])
        return theta["v"] @ forward.jnp.tanh(WIDTH**-0.5 * theta["W"] @ h) / WIDTH

    program = trace(mean_field, inputs=3)
    rates = dict.fromkeys(program.parameters, -1)
    compare(program, Autodiff(by_hand, weights(program, WIDTH, 3), DATA, WIDTH, rates), DATA)


@pytest.mark.parametrize("phi", [relu, leaky_relu(0.25)], ids=str)
def test_kinked_activations_stop_at_order_two(phi):
    program = trace(mlp, inputs=5, depth=2, phi=phi)
    slope = float(getattr(phi, "slope", 0))
    jnp = forward.jnp

    def by_hand(theta, x):
        return forward.mlp(theta, x, 2, lambda z: jnp.where(z > 0, z, slope * z))

    autodiff = Autodiff(by_hand, weights(program, WIDTH, 3), DATA, WIDTH)
    scalars, norms = autodiff.scalars_and_norms((0, 1, 2))
    for D, d in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1)):
        close(sample(correlation(program, D, d), DATA, WIDTH, 1, SEED, "dense")[0], (scalars, norms)[D][d])
    u = {name: np.ones_like(value) for name, value in weights(program, WIDTH, 3).items()}
    found = applied(correlation(program, 2, 0), DATA, WIDTH, u)
    for name, value in autodiff.operators((0,), u)[0].items():
        close(found[name], value)
    for D, d in ((0, 3), (1, 2), (2, 1), (0, 4)):
        with pytest.raises(OrderError, match=rf"D\+d = {D + d} needs {D + d} derivatives"):
            correlation(program, D, d)
    assert max(D + d for D, d in all_orders(program)) == 2


def test_gradients_that_are_multiples_of_ones():
    """F = ⟨1, U x + b⟩: C^{0,1} = (x_0·x_1/d0 + 1)/n without any randomness, and ‖∇F‖² is C^{0,1} at one point."""
    program = trace(lambda x: mean(linear("U", x, bias=1)), inputs=2)
    close(sample(correlation(program, 0, 1), DATA, WIDTH, 1, SEED, "dense")[0], (DATA[0] @ DATA[1] / 3 + 1) / WIDTH)
    close(
        sample(correlation(program, 1, 0), DATA, WIDTH, 1, SEED, "dense")[0] ** 2, (DATA[0] @ DATA[0] / 3 + 1) / WIDTH
    )


def test_an_operator_whose_slots_read_no_weight():
    """F = v·Ux: C^{2,0} pairs v with U and reads neither, so its norm is exactly |x|/(2 √(d0 n))."""
    program = correlation(trace(lambda x: readout("v", linear("U", x)), inputs=1), 2, 0)
    assert set(program.parameters) == {"U", "v"}
    close(
        sample(program, DATA, WIDTH, 1, SEED, "dense")[0], np.linalg.norm(DATA[0]) / (2 * (3 * WIDTH) ** 0.5), rtol=2e-6
    )


def test_a_readout_of_a_wide_layer_has_its_fan_in():
    def wide(x):
        return readout("v", tanh(linear("U", x, width=2)), std=1.5)

    def by_hand(theta, x):
        return 1.5 * (2 * WIDTH) ** -0.5 * theta["v"] @ forward.jnp.tanh(theta["U"] @ x / 3**0.5)

    program = trace(wide, inputs=3)
    compare(program, Autodiff(by_hand, weights(program, WIDTH, 3), DATA, WIDTH), DATA)

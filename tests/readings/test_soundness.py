"""Programs that tempt the calculus to claim too much; each claim is held against samples."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import tensorprog as tp
from tensorprog.readings.sizes import UnboundedSize

HALF = Fraction(1, 2)
DATA = np.random.default_rng(3).standard_normal((3, 5))


def small_and_odd(x):
    """|z| has an odd first derivative that is not small at small z."""
    h = tp.linear("U", x, scale=tp.abc(HALF))
    return tp.n**HALF * tp.readout("v", tp.leaky_relu(-1)(h), trainable=False)


def kink_in_a_scalar(x):
    """∂F/∂s of ReLU jumps as s changes its sign: no Poincaré inequality for it."""
    s = tp.readout("q", tp.erf(tp.linear("V", x)))
    return tp.mean(tp.relu(s * tp.linear("U", x)))


def into_the_data_dimension(x):
    """A frozen random scalar times the data: what U multiplies has the fixed width d0 and depends on parameters."""
    s = tp.readout("q", tp.erf(tp.linear("G", x, trainable=False)), trainable=False)
    return tp.mean(tp.erf(tp.linear("V", s * x)) * tp.linear("V", x))


def gated(x):
    """A scalar gate of a linear readout."""
    gate = tp.readout("g", tp.tanh(tp.linear("G", x)))
    return gate * tp.readout("v", tp.tanh(tp.linear("U", x)))


def normalised(x):
    h = tp.linear("U", x)
    return tp.readout("v", tp.erf(tp.linear("W", h * tp.mean(h * h) ** -HALF)))


def there_and_back(x):
    h = tp.linear("U", x)
    return tp.readout("v", tp.tanh(tp.linear("W", tp.linear("W", h), transpose=True)))


def tied_readout(x):
    h = tp.tanh(tp.linear("U", x))
    return tp.n**HALF * tp.mean(tp.linear("W", h) * tp.linear("W", h, transpose=True))


def _pair(x):
    return tp.linear("A", x), tp.linear("B", x)


PROGRAMS = [small_and_odd, kink_in_a_scalar, into_the_data_dimension, gated, normalised, there_and_back, tied_readout]
EXPECTED = {
    (small_and_odd, 0, 1): Fraction(0),
    (small_and_odd, 1, 0): Fraction(0),
    (kink_in_a_scalar, 0, 1): Fraction(0),
    (into_the_data_dimension, 0, 0): Fraction(0),
    (gated, 0, 0): Fraction(0),
    (gated, 0, 1): Fraction(0),
    (gated, 0, 2): Fraction(0),
    (normalised, 0, 2): Fraction(-1),
    (there_and_back, 0, 2): Fraction(-1),
}
by_program = pytest.mark.parametrize("net", PROGRAMS, ids=lambda f: f.__name__)


@pytest.mark.parametrize("case", EXPECTED, ids=lambda c: f"{c[0].__name__}-{c[1]}{c[2]}")
def test_exponents_that_samples_have(case):
    net, D, d = case
    assert tp.derive(tp.trace(net, inputs=3), [(D, d)])[D, d].exponent == EXPECTED[case]


@pytest.mark.long
@by_program
def test_no_measured_exponent_exceeds_the_derived_one(net):
    """D ≤ 1, d ≤ 2 at widths 64…1024: nothing is refuted; a true bound is, by chance, once in a hundred runs."""
    table = tp.derive(tp.trace(net, inputs=3), points=[0, 1, 2])
    orders = [(e.D, e.d) for e in table if e.D < 2]
    report = tp.verify(tp.trace(net, inputs=3), DATA, orders, widths=[64, 128, 256, 512, 1024], samples=200, seed=1)
    assert not report.refuted, str(report)


@pytest.mark.parametrize(
    "net",
    [
        lambda x: tp.readout("v", tp.linear("U", x) ** -1),
        lambda x: tp.readout("v", (tp.linear("U", x) ** 2) ** HALF),
        lambda x: tp.readout("v", tp.exp(tp.linear("U", x) * tp.linear("G", x))),
        lambda x: tp.readout("v", tp.tanh(tp.exp(tp.linear("U", x) ** 2))),
        lambda x: tp.readout("v", tp.expression("exp(z**2)")(tp.linear("U", x))),
        *(
            lambda x, text=text: tp.readout("v", tp.expression(text)(tp.linear("U", x), tp.linear("G", x)))
            for text in ("exp(z0*z1)", "sinh(z0*z1)", "z0 + exp(z1*tanh(z0)*z1)", "tanh(exp(z0*z1))")
        ),
        lambda x: tp.readout("v", tp.tanh(tp.linear("W", tp.expression("exp(z0*z1)")(*_pair(x))))),
        lambda x: tp.readout("v", tp.linear("U", x)) * tp.mean(tp.linear("G", x)) ** -1,
        lambda x: tp.readout("v", tp.exp(tp.n * tp.mean(tp.linear("U", x) ** 2)) * tp.linear("U", x)),
    ],
)
def test_what_nothing_bounds_is_refused(net):
    with pytest.raises(UnboundedSize, match="at node"):
        tp.derive(tp.trace(net, inputs=2), [(0, 1)])


def test_an_exponential_of_a_scalar_times_a_vector_is_allowed():
    """e^{s z} with a random scalar s of order one: below any power of n at every s."""

    def net(x):
        s = tp.readout("q", tp.erf(tp.linear("G", x)))
        return tp.readout("v", tp.expression("exp(z0*z1)")(s, tp.linear("U", x)))

    assert tp.derive(tp.trace(net, inputs=2), [(0, 0)])[0, 0].exponent == 0


def test_a_bounded_function_of_an_exponential_is_allowed():
    table = tp.derive(
        tp.trace(lambda x: tp.readout("v", tp.tanh(tp.exp(tp.linear("U", x)))), inputs=2), [(0, 1), (2, 0)]
    )
    assert table[0, 1].exponent == 0
    sinh = tp.expression("sinh(z)")
    assert tp.derive(tp.trace(lambda x: tp.readout("v", sinh(tp.linear("U", x)))), [(2, 0)])[2, 0].log_power is None


def test_logarithms_do_not_depend_on_how_many_inputs_are_traced():
    def net(x):
        return tp.readout("v", tp.tanh(tp.linear("W", tp.linear("W", tp.tanh(tp.linear("U", x))), transpose=True)))

    powers = {tp.derive(tp.trace(net, inputs=m), [(2, 0)])[2, 0].log_power for m in (1, 3, 5)}
    assert len(powers) == 1


def test_a_scalar_in_a_vector_keeps_its_logarithm():
    def inside(x, outside):
        s, g = tp.mean(tp.linear("H", x) ** 6), tp.linear("G", x, trainable=False)
        if outside:
            return s * tp.mean(tp.linear("W", g) ** 2)
        return tp.mean(tp.linear("W", s * g) * tp.linear("W", g))

    one, two = (tp.derive(tp.trace(inside, outside=o), [(2, 0)])[2, 0] for o in (False, True))
    assert (one.exponent, one.log_power) == (two.exponent, two.log_power)
    assert one.log_power == 2


def test_a_random_scalar_undoes_the_parity_of_a_logarithm():
    """What returns through the transpose keeps its logarithm beside an odd scalar, wherever that is declared."""

    def net(x, first):
        def scalar():
            return tp.readout("q", tp.cos(tp.linear("Q", x, trainable=False)), trainable=False)

        s = scalar() if first else None
        h = tp.linear("U", x)
        y = tp.polynomial(0, 0, 0, 1)(tp.linear("G", x, trainable=False))
        s = s if first else scalar()
        seen = s * tp.erf(tp.linear("W", y, trainable=False))
        return tp.n**HALF * tp.mean(seen * tp.linear("W", tp.sin(h + tp.gelu(h)), trainable=False))

    found = [tp.derive(tp.trace(net, first=first), [(2, 0)])[2, 0].log_power for first in (True, False)]
    assert found == [Fraction(3, 2)] * 2

"""Entries that are not Gaussian: drawn by the dense reading, refused by the exact one and by everything derived."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy import stats

import tensorprog as tp
from tensorprog.errors import ProgramError, SamplingError
from tensorprog.program import LAWS
from tensorprog.program.interchange import program_from_json
from tensorprog.program.text import read
from tensorprog.readings.draws import ENTRIES, draw

OTHERS = ("rademacher", "uniform", "constant")
FOURTH = {"gaussian": 3.0, "rademacher": 1.0, "uniform": 9 / 5, "constant": 1.0}
DATA = np.random.default_rng(0).standard_normal((3, 4))


def net(x, first="gaussian", hidden="gaussian", last="gaussian"):
    h = tp.erf(tp.linear("U", x, law=first))
    h = tp.erf(tp.linear("W", h, law=hidden))
    return tp.readout("v", tp.tanh(tp.linear("W", h, transpose=True, law=hidden)), law=last)


def refused(call, *words):
    with pytest.raises((ProgramError, SamplingError)) as error:
        call()
    assert all(word in str(error.value) for word in words), str(error.value)


def test_every_law_has_entries():
    assert tuple(ENTRIES) == LAWS == tuple(FOURTH)


@pytest.mark.parametrize("law", LAWS)
def test_moments_of_entries(law):
    """Mean 0, or 1 where they are constant; mean square 1; fourth moment; five errors. Here h = std·entries."""

    def powers(x):
        h = tp.linear("U", x, std=2, law=law)
        return tp.mean(h), tp.mean(h * h), tp.mean(h**4)

    n, samples = 50, 400
    for j, expected in enumerate((2.0 * (law == "constant"), 4.0, 16 * FOURTH[law])):
        values = tp.sample(tp.trace(lambda x, j=j: powers(x)[j]), np.ones((1, 1)), n, samples, 3)
        assert abs(values.mean() - expected) <= 5 * values.std() / np.sqrt(samples) + 1e-12
        assert values.std() > 0 or law in ("rademacher", "constant")


@pytest.mark.parametrize("law", LAWS)
def test_a_matrix_is_drawn_without_a_second_copy(law):
    size = (200, 500)
    tracemalloc.start()
    entries = ENTRIES[law](draw("W", size, 200, range(2), 1, np.dtype(np.float64)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert entries.nbytes == 2 * 200 * 500 * 8
    assert peak < 1.2 * entries.nbytes


def test_products_of_a_matrix_of_signs():
    """E[mean((W x)⁴)] = 3 - 2/n for x of signs and W of signs, by counting; five errors. Gaussians would give 3."""

    def fourth(x):
        return tp.mean(tp.linear("W", tp.linear("U", x, law="rademacher"), law="rademacher") ** 4)

    n, samples = 4, 20_000
    values = tp.sample(tp.trace(fourth), np.ones((1, 1)), n, samples, 5)
    assert abs(values.mean() - (3 - 2 / n)) < 5 * values.std() / np.sqrt(samples)


@pytest.mark.parametrize("law", OTHERS)
def test_the_exact_reading_refuses_such_matrices_and_auto_takes_the_dense_one(law):
    for options, name in (({"first": law}, "U"), ({"hidden": law}, "W")):
        program = tp.trace(net, inputs=3, **options)
        for D, d in ((0, 0), (0, 2), (1, 1), (2, 1)):
            c = tp.correlation(program, D, d)
            refused(lambda c=c: tp.sample(c, DATA, 8, 2, method="exact"), repr(name), law, 'method="dense"')
            auto, dense = (tp.sample(c, DATA, 8, 4, 1, method) for method in ("auto", "dense"))
            np.testing.assert_array_equal(auto, dense)
    wide = tp.correlation(tp.trace(net, inputs=3, hidden=law), 0, 1)
    refused(lambda: tp.sample(wide, DATA, 10**7, 2), "bytes by the dense reading")


def test_vectors_of_any_law_are_drawn_by_both_readings():
    """Two-sample test, wrong once in 10,000 runs; signs at width 1 bound |F| by 1."""
    program = tp.trace(net, inputs=1, last="rademacher")
    dense, exact = (tp.sample(program, DATA, 1, 2000, seed, m) for seed, m in ((1, "dense"), (2, "exact")))
    assert stats.ks_2samp(dense, exact).pvalue > 1e-4
    gaussian = tp.sample(tp.trace(net, inputs=1), DATA, 1, 2000, 3)
    assert max(np.abs(dense).max(), np.abs(exact).max()) <= 1 < np.abs(gaussian).max()


@pytest.mark.parametrize("options", [{"first": "uniform"}, {"hidden": "rademacher"}, {"last": "constant"}], ids=str)
def test_nothing_is_derived_of_other_laws(options):
    program = tp.trace(net, inputs=3, **options)
    c = tp.correlation(program, 0, 1)
    law = next(iter(options.values()))
    for call in (
        lambda: tp.derive(program, [(0, 1)]),
        lambda: tp.derive(program, [(0, 1)], data=DATA),
        lambda: tp.limit(c),
        lambda: tp.kernel(program, DATA),
        lambda: tp.kernel(program, DATA, which="nngp"),
        lambda: tp.fluctuation(c, DATA),
        lambda: tp.prove(program, 0, 1),
        lambda: tp.verify(program, DATA, [(0, 1)], widths=[8, 16], samples=4),
        lambda: tp.linearity(program, DATA, np.ones(2), widths=[8, 16, 32], samples=4, learning_rate=0.1),
    ):
        refused(call, "Gaussian entries", law, 'method="dense"')


@pytest.mark.parametrize("law", OTHERS)
def test_training_keeps_the_law(law):
    """The matrices of a trained program are drawn like those of the program."""
    program = tp.trace(net, inputs=2, hidden=law)
    trained = tp.train(program, targets=[1.0], steps=1, learning_rate=0.1)
    assert {p.law for name, p in trained.parameters.items() if name.startswith("W")} == {law}


@pytest.mark.parametrize("law", OTHERS)
def test_text_and_json(law):
    program = tp.trace(net, inputs=1, hidden=law, first=law)
    assert f", law {law}\n" in str(program)
    assert read(str(program)) == program == program_from_json(program.to_json())
    assert program != tp.trace(net, inputs=1)
    assert program.digest != tp.trace(net, inputs=1).digest


def test_unknown_laws_and_two_laws_of_one_weight():
    refused(lambda: tp.trace(net, hidden="cauchy"), "'W'", "'cauchy'", "rademacher")
    text = str(tp.trace(net, hidden="uniform"))
    refused(lambda: read(text.replace("law uniform", "law cauchy")), "'cauchy'", "gaussian")
    refused(lambda: program_from_json(tp.trace(net, hidden="uniform").to_json().replace("uniform", "x")), "'x'")

    def both(x):
        h = tp.linear("W", tp.linear("U", x), law="uniform")
        return tp.readout("v", tp.linear("W", h))

    refused(lambda: tp.trace(both), "'W' is defined twice", "law uniform and gaussian")

"""Fused operations give what the instructions give, up to rounding, at every width and in every batch."""

from __future__ import annotations

import gc
import pickle
import weakref

import numpy as np
import pytest
from cases import CASES

import tensorprog as tp
from tensorprog.program import Moment, Multiply
from tensorprog.readings import blockwise, exact, fuse, sweep
from tensorprog.readings.joint import Joint
from tensorprog.readings.operations import Blend, Gram, Total, reads, writes

ORDERS = [(0, 2), (1, 1), (2, 1)]
TARGETS = [1.0, -1.0, 0.25]
OPTIONS = {"steps": 4, "learning_rate": 0.3, "momentum": 0.5, "weight_decay": 0.1}
NEVER = 10**9
BY_CASE = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def fusing(monkeypatch, least):
    """Fuse whatever comes at least so many times."""
    monkeypatch.setattr(fuse, "PAIRS", least)
    monkeypatch.setattr(fuse, "TERMS", least)
    monkeypatch.setattr(fuse, "FILLED", 0.0)


def fresh(program):
    """An equal program with which nothing is kept yet."""
    return pickle.loads(pickle.dumps(program))


def large(monkeypatch):
    """The code of large widths, at small ones."""
    monkeypatch.setattr(exact, "LARGE", 4)
    monkeypatch.setattr(sweep, "BLOCK", 5)
    monkeypatch.setattr(blockwise, "BLOCK", 7)


def both(monkeypatch, programs, data, width, method):
    found = []
    for least in (NEVER, 1):
        fusing(monkeypatch, least)
        new = [fresh(program) for program in programs]
        assert [part.fusion is None for part in Joint.of(new).parts] == [least == NEVER] * len(new)
        found.append(np.array(tp.sample(new, data, width, 3, 1, method)))
    return found


def fused_of(program):
    fusion = Joint.of([program]).fusion
    return [] if fusion is None else list(fusion.nodes.values())


@BY_CASE
@pytest.mark.parametrize("method", ["dense", "exact", "large"])
def test_shipped_cases(case, method, monkeypatch):
    if method == "large":
        large(monkeypatch)
    correlations = [tp.correlation(case.trace(3), D, d, (0, 1, 2, 0)[: D + d and d + 1]) for D, d in ORDERS]
    plain, fused = both(monkeypatch, correlations, case.data(3), 12, "exact" if method == "large" else method)
    np.testing.assert_allclose(fused[:2], plain[:2], rtol=1e-9, atol=1e-12 * np.abs(plain[:2]).max())
    np.testing.assert_allclose(fused[2], plain[2], rtol=1e-5)  # twice the tolerance of spectral norms


@pytest.mark.parametrize("name", ["mlp", "mlp_bias", "rnn", "transposed", "glu"])
@pytest.mark.parametrize("method", ["dense", "exact", "large"])
def test_trained_networks(name, method, monkeypatch):
    (case,) = [c for c in CASES if c.name == name]
    if method == "large":
        large(monkeypatch)
    trained = tp.train(case.trace(4), TARGETS, **OPTIONS).restricted(["F3"])
    apart = tp.deviation(case.trace(4), TARGETS, **OPTIONS)
    plain, fused = both(monkeypatch, [trained, apart], case.data(4), 12, "exact" if method == "large" else method)
    np.testing.assert_allclose(fused, plain, rtol=1e-9, atol=1e-12)


def test_trained_networks_are_fused_as_they_come():
    """Most of the nodes are products and averages; each step needs a few fused operations of each layer."""
    program = tp.train(CASES[0].trace(6), [1.0, -1.0] * 3, steps=5, learning_rate=0.3)
    operations, counts = fused_of(program.restricted(["F0"])), program.counts()
    grams, blends = (sum(isinstance(x, kind) for x in operations) for kind in (Gram, Blend))
    assert 5 <= grams <= 4 * 5 and 5 <= blends <= 6 * 5
    assert counts["Moment"] + counts["Multiply"] > 2500
    assert 3 * sum(isinstance(x, Moment | Multiply) for x in operations) < counts["Moment"] + counts["Multiply"]


def test_sums_of_kernels_are_fused():
    program = tp.linearised(CASES[0].trace(8), [1.0, -1.0] * 4, steps=2, learning_rate=0.3).restricted(["F0"])
    assert any(isinstance(x, Total) for x in fused_of(program))


def test_operations_read_what_was_written_before():
    program = tp.train(CASES[0].trace(4), TARGETS, **OPTIONS)
    fusion = Joint.of([program.restricted(["F3"])]).fusion
    written = set()
    for name, operation in fusion.nodes.items():
        assert written.issuperset(reads(operation)), name
        written.update(writes(name, operation))


def test_small_programs_stay_as_they_are():
    assert fused_of(tp.correlation(CASES[0].trace(2), 0, 1)) == []


@pytest.mark.parametrize("method", ["dense", "exact"])
def test_samples_do_not_depend_on_their_batch(method):
    program = tp.train(CASES[0].trace(4), TARGETS, steps=6, learning_rate=0.3).restricted(["F3"])
    assert any(isinstance(x, Gram) for x in fused_of(program))
    data = CASES[0].data(4)
    together = tp.sample(program, data, 64, 7, 2, method)
    for count in (1, 3):
        np.testing.assert_allclose(tp.sample(program, data, 64, count, 2, method), together[:count], rtol=1e-12)


def test_float32(monkeypatch):
    program = tp.train(CASES[0].trace(4), TARGETS, steps=6, learning_rate=0.3).restricted(["F3"])
    fused = tp.sample(program, CASES[0].data(4), 64, 5, 2, "dense", np.float32)
    fusing(monkeypatch, NEVER)
    plain = tp.sample(fresh(program), CASES[0].data(4), 64, 5, 2, "dense", np.float32)
    np.testing.assert_allclose(fused, plain, rtol=1e-3, atol=1e-5)
    assert (fused != plain).any()


def test_what_was_prepared_is_kept_with_the_program_and_ends_with_it():
    program = tp.correlation(CASES[0].trace(2), 0, 1)
    other = fresh(program)
    kept = Joint.of([program])
    assert Joint.of([program]) is kept and Joint.of([program, other]).parts[0] is kept
    assert Joint.of([other]) is not kept
    ends = weakref.ref(kept)
    del program, kept
    gc.collect()
    assert ends() is None

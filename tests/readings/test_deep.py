"""Depth: a thousand layers, and products nested a thousand times, in every reading."""

from __future__ import annotations

import numpy as np
import pytest

import tensorprog as tp
from tensorprog.architectures import mlp
from tensorprog.program import Builder, operands
from tensorprog.readings import blockwise, exact, fuse, sweep
from tensorprog.readings.joint import Joint

DEPTH = 1000


@pytest.fixture(scope="module")
def deep():
    return tp.correlation(tp.trace(mlp, inputs=1, depth=DEPTH), 0, 0)


@pytest.mark.parametrize("method", ["dense", "exact", "large"])
def test_a_thousand_layers(deep, method, monkeypatch):
    """Finite values, and not zero."""
    if method == "large":
        monkeypatch.setattr(exact, "LARGE", 4)
        monkeypatch.setattr(sweep, "BLOCK", 5)
        monkeypatch.setattr(blockwise, "BLOCK", 7)
    found = tp.sample(deep, np.ones((1, 3)), 4, 2, 0, "exact" if method == "large" else method)
    assert np.isfinite(found).all() and (found != 0).all()


def nested():
    """⟨v_0 Σ_i s_i ⟨v_i h⟩ v_i⟩ with s_0 a product nested a thousand times, and other s_i = 1."""

    def net(x):
        h = tp.erf(tp.linear("U", x))
        vectors = [tp.erf(tp.linear(f"W{i}", h)) for i in range(9)]
        return tuple(tp.mean(v * h) for v in [h, *vectors])

    base = tp.trace(net)
    b = Builder(base)
    scalars = [output.node for output in base.outputs.values()]
    vectors = [operands(b.nodes[s])[1] for s in scalars[1:]]
    product = scalars[0]
    for i in range(DEPTH):
        product = b.multiply(product, b.apply(tp.cos, (0,), (scalars[i % 9],)))
    first, *others = zip(scalars[1:], vectors, strict=True)
    total = b.add(b.multiply(product, *first), *[b.multiply(s, v) for s, v in others])
    return b.build({"F": b.moment(total, vectors[0])})


@pytest.mark.parametrize("method", ["dense", "exact"])
def test_products_nested_a_thousand_times(method, monkeypatch):
    """Fused or not."""
    monkeypatch.setattr(fuse, "TERMS", 4)
    program = nested()
    fused = tp.sample(program, np.ones((1, 3)), 6, 3, 0, method)
    assert Joint.of([program]).fusion is not None
    monkeypatch.setattr(fuse, "TERMS", 10**6)
    plain = tp.sample(nested(), np.ones((1, 3)), 6, 3, 0, method)
    assert (plain != 0).all()
    np.testing.assert_allclose(fused, plain, rtol=1e-9)

"""Proofs of several orders: those that cannot be definite are refused, the cheap refusals first."""

from __future__ import annotations

import numpy as np
import pytest

from tensorprog.architectures import mlp
from tensorprog.errors import DataError, OrderError
from tensorprog.functions import erf, identity, relu
from tensorprog.program import Program, trace
from tensorprog.proofs import definite
from tensorprog.proofs.definite import definite_proofs

DATA = np.random.default_rng(0).standard_normal((4, 3))


def net(phi=erf, depth: int = 1) -> Program:
    return trace(mlp, inputs=4, depth=depth, phi=phi)


def proofs(program: Program, orders, points=None, data=DATA, patience=60.0):
    return definite_proofs(program, orders, points, data, patience)


def test_each_order_is_proved_once_at_the_first_points():
    found = proofs(net(), [(1, 1), (0, 1), (1, 1)], points=(2, 0, 0))
    assert [proof.order for proof in found] == [(1, 1, (2, 0)), (0, 1, (2, 0))]
    assert {proof.conclusion.status for proof in found} == {"definite"}
    assert all(np.array_equal(proof.data, DATA) for proof in found)
    assert proofs(net(), None) == ()


@pytest.mark.parametrize(
    ("orders", "points", "message"),
    [
        ((0, 2), None, r"proofs=\(0, 2\) is no list of pairs"),
        ([], None, r"proofs=\[\] is no list of pairs"),
        ([(0, 1), (2, 1)], None, r"C\^\{2,1\} has bounds"),
        ([(0, 1), (0, 4)], None, r"C\^\{0,4\} at points .* needs 5 inputs"),
        ([(0, 1), (0, 2)], (0, 0), r"C\^\{0,2\} takes 3 points"),
    ],
)
def test_what_no_proof_can_be_of_is_refused_before_any_limit(monkeypatch, orders, points, message):
    monkeypatch.setattr(definite, "prove", lambda *_, **__: pytest.fail("work has started"))
    with pytest.raises(OrderError, match=message):
        proofs(net(), orders, points)


def test_data_that_do_not_fit_are_refused_before_any_limit(monkeypatch):
    monkeypatch.setattr(definite, "prove", lambda *_, **__: pytest.fail("work has started"))
    with pytest.raises(DataError, match="2"):
        proofs(net(), [(0, 1), (0, 2)], data=DATA[:2])


@pytest.mark.parametrize(
    ("program", "order", "options", "message"),
    [
        (
            net(relu, 2),
            (0, 2),
            {},
            r"C\^\{0,2\} cannot be proved at these data, only the upper bound n\^-1: .*leave 0,2 out",
        ),
        (net(), (0, 1), {"data": np.eye(4)}, r"only the upper bound n\^0: the limit is not told from zero"),
        (net(), (0, 1), {"patience": 1e-9}, r"longer than the patience allowed; .*raise patience=1e-09"),
        (net(identity), (0, 3), {}, r"C\^\{0,3\} vanishes identically and has no exponent to prove; leave 0,3"),
    ],
)
def test_upper_bounds_are_refused_with_the_reason(program, order, options, message):
    with pytest.raises(OrderError, match=message):
        proofs(program, [order], **options)


@pytest.mark.parametrize("patience", [0, -1.0, True, "long"])
def test_patience_is_a_positive_number(patience):
    with pytest.raises(OrderError, match=r"patience=.* must be a positive number of seconds"):
        proofs(net(), [(0, 1)], patience=patience)

"""Proofs of several orders at once, for those who build on them: each has to be definite."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

from tensorprog.errors import OrderError
from tensorprog.passes.correlation import order_of
from tensorprog.program import Program
from tensorprog.proofs.proof import Proof
from tensorprog.proofs.prove import check_D, prove
from tensorprog.readings import check_data
from tensorprog.readings.derive import checked_pairs


def definite_proofs(
    program: Program,
    orders: Sequence[tuple[int, int]] | None,
    points: Sequence[int] | None,
    data: ArrayLike,
    patience: float,
) -> tuple[Proof, ...]:
    """A proof of each order, once each; parameters as for `tp.prove`, the first d + 1 of the points are used.

    Raises OrderError for orders that cannot be proved: malformed ones and those with D = 2 before any limit is taken,
    as is DataError for data that do not fit; those for which only an upper bound is found as soon as it is.
    """
    if orders is None:
        return ()
    wanted = []
    for D, d in dict.fromkeys(checked_pairs(orders, "proofs")):
        wanted.append(order_of(program, D, d, None if points is None else tuple(points)[: d + 1]))
        check_D(D, d)
    last = max(max(order.points) for order in wanted)
    array = check_data(program.at(last), data)
    proofs = []
    for order in wanted:
        proofs.append(prove(program, order.D, order.d, order.points, data=array, patience=patience))
        _check_definite(proofs[-1], patience)
    return tuple(proofs)


def _check_definite(proof: Proof, patience: float) -> None:
    """Raise OrderError when the proof leaves an upper bound."""
    last = proof.conclusion
    if last.status == "definite":
        return
    D, d, _ = proof.order
    name, remedy = f"C^{{{D},{d}}}", f"leave {D},{d} out of proofs"
    if last.kind == "vanishing":
        raise OrderError(f"{name} vanishes identically and has no exponent to prove; {remedy}")
    why = next((s.rule for s in proof.steps if s.undecided), last.rule)
    raise OrderError(
        f"the exponent of {name} cannot be proved at these data, only the upper bound n^{last.power}: {why}; {remedy}, "
        f"choose other points or data, or raise patience={patience:g} where time was short"
    )

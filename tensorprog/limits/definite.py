"""Exponents proved from both sides: a positive limit, or a zero mean and a positive limit of the gradient's norm.

For S = C^{0,d}, or ‖C^{1,d}‖²: a limit of n^(-p) S that is not zero makes p definite. Where that limit is exactly zero
and a flip of signs of Gaussian parameters turns S into -S, Var S = ∫₀¹ E⟨∇S(θ), ∇S(θ_t)⟩ dt is of the order of
‖∇S‖²: it is at most E‖∇S‖² (Poincaré), and at least a positive multiple, already for the gradient by some of the
parameters, since the integrand tends to a power series in t with non-negative coefficients that is positive at t = 1.
By the L⁴ Poincaré inequality and that of Paley and Zygmund, |S| exceeds a multiple of ‖∇S‖ with a probability that does
not vanish. A number that is not larger than its error decides nothing.

Norms have bounds on both sides: the norm calculus above, and below the size of one slot or along a gradient. Where the
powers of the two are equal, that of n is proved.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from tensorprog.errors import ContradictionError, OrderError
from tensorprog.limits.assumed import Finding, settled
from tensorprog.limits.estimates import Estimate
from tensorprog.limits.gaussian import UndecidedLimit
from tensorprog.limits.leading import is_sure, leading_part, told
from tensorprog.limits.ways import HALF, Way, name_of, ways
from tensorprog.program import Program
from tensorprog.readings import BAR, Derivation, Entry, Status, Step, Table, check_data
from tensorprog.readings import derive as bounds
from tensorprog.readings.assumptions import Assumption
from tensorprog.readings.derive import Scales, reparametrised
from tensorprog.readings.patience import now

Array = NDArray[np.float64]
PATIENCE = 120.0


def derive(
    program: Program,
    orders: Sequence[tuple[int, int]] | None = None,
    points: Sequence[int] | None = None,
    kappa: int | float | Fraction = 0,
    abc: Scales = None,
    *,
    data: ArrayLike | None = None,
    patience: float = PATIENCE,
    progress: bool = False,
) -> Table:
    """The power of n of derivative correlations, exactly, with derivations; with data, definite ones and constants.

    Parameters
    ----------
    program: from `tp.trace`; C^{D,d} with distinct inputs needs d + 1 of them.
    orders: pairs (D, d); by default all with D ≤ 2, d ≤ 4, D+d ≤ 5 that the activations' smoothness allows.
    points: which traced inputs x_0, x_1, … are (repeats allowed); an order uses the first d + 1.
    kappa: external scale F → n^(-κ) F with η → n^(2κ) η; adds κ(D+d-1) to every entry.
    abc: other parametrisation: a preset, an abc, or a mapping from weight names to either.
    data: (inputs, d0) or (inputs, positions, d0). Without data all exponents are upper bounds; with data those of D ≤ 1
        whose limit can be taken are definite, with the constant in front, and so are powers of n of D = 2.
    patience: seconds for the limit of one order; what takes longer stays an upper bound.
    progress: show a bar on a terminal when it takes more than two seconds.

    Raises OrderError for orders the program cannot have and a patience that is not positive, ProgramError for
    parameters that are not Gaussian, DataError for data that do not fit.
    """
    check_patience(patience)
    table = bounds(program, orders, points, kappa, abc, progress=progress)
    return (
        table if data is None else with_limits(reparametrised(program, abc), table, data, patience, progress=progress)
    )


def with_limits(program: Program, table: Table, data: ArrayLike, patience: float, *, progress: bool = False) -> Table:
    """A table of upper bounds, its entries definite where their limits can be taken at these data."""
    check_patience(patience)
    last = max(max(entry.points) for entry in table)
    array = check_data(program.at(last), data)
    bar = tqdm(table, desc="limits", delay=2, disable=None if progress else True, bar_format=BAR)
    seen: dict[Assumption, Finding] = {}
    entries = [decided(program, settled(program, e, array, patience, seen), table.kappa, array, patience) for e in bar]
    boundless = [entry for entry in entries if not entry.has_bound]
    return replace(
        table,
        entries=tuple(entry for entry in entries if entry.has_bound),
        boundless=(*table.boundless, *boundless),
    )


def check_patience(patience: float) -> None:
    """Raise OrderError for what is no positive number of seconds."""
    if isinstance(patience, bool) or not isinstance(patience, int | float) or not patience > 0:
        raise OrderError(f"patience={patience!r} must be a positive number of seconds")


def decided(program: Program, entry: Entry, kappa: Fraction, data: Array, patience: float) -> Entry:
    """The entry, definite where its limit can be taken at these data; one that still assumes something stays."""
    if entry.exponent is None or entry.assumptions:
        return entry
    reasons: list[str] = []
    try:
        known = _tried(program, entry, kappa, data, patience, reasons)
    except UndecidedLimit as error:
        known = None
        reasons.append(str(error))
    if known is not None:
        return known
    return _with_step(entry, Step(reasons[0], name_of(entry), "", (str(entry),), str(entry)))


def _tried(
    program: Program, entry: Entry, kappa: Fraction, data: Array, patience: float, reasons: list[str]
) -> Entry | None:
    """The entry by the first way that decides it; what the others came to is added to `reasons`."""
    if entry.exponent is None:
        return None
    deadline = now() + patience
    shift = kappa * (entry.D + entry.d - 1)
    bound = entry.exponent - shift
    late = False
    tried = ways(program, entry)
    while True:
        if now() > deadline:  # programs of ways take time too
            reasons.append(f"no further limit of {name_of(entry)}: it takes longer than the patience allowed")
            return None
        way = next(tried, None)
        if way is None:
            return None
        if late and way.part < 1:
            continue
        try:
            power, number = _size(way, data, (deadline - now()) * way.part)
        except UndecidedLimit as error:
            reasons.append(f"no limit of {way.shown}: {error}")
            late = True
            continue
        if number is None:
            unsure = "" if way.ray is None else ", not told from zero"
            reasons.append(f"the limit of {way.shown} is zero{unsure}, or random; only the bound is known")
            continue
        what = f"lim n^{-power} {way.shown}"
        if not is_sure(number):
            reasons.append(f"{told(what, number)} is not told from zero")
            continue
        text = f"{way.rule}: {told(what, number)}"
        found = power * way.share
        if found > bound:
            raise ContradictionError(
                f"{told(what, number)}, which is above the bound n^{bound} of {name_of(entry)}: one of the two "
                "proofs is wrong, and no exponent of this program can be trusted; please report it"
            )
        if way.both or found == bound:
            return _known(entry, text, what, number, found + shift, way.both)
        reasons.append(f"{text}, below the bound")


def _known(entry: Entry, text: str, what: str, number: Estimate, exponent: Fraction, both: bool) -> Entry:
    """The entry with the exponent and the constant that were found; a limit from both sides has no logarithm."""
    log = Fraction(0) if both else entry.log_power
    known = replace(
        entry,
        exponent=exponent,
        log_power=log,
        status=Status.DEFINITE if log == 0 else Status.DEFINITE_POWER,
        constant=float(number.value),
        constant_error=float(number.error),
        constant_of=what,
    )
    return _with_step(known, Step(text, name_of(entry), "", (str(entry),), f"n^{exponent} {known.status}"))


def _size(way: Way, data: Array, patience: float) -> tuple[Fraction, Estimate | None]:
    """Power and limit of what a way shows; None where it is zero or unknown."""
    deadline = now() + patience
    if way.ray is None:
        found, number = leading_part(way.scalar, data, patience)
        return found.power, number
    ray, square = leading_part(way.ray, data, patience)
    if square is None or not is_sure(square):
        return ray.power, None
    found, number = leading_part(way.scalar, data, deadline - now())
    if number is None or not is_sure(number):
        return found.power, None
    low, value, high = (
        way.factor * (abs(number.value) + k * number.error) ** way.root / math.sqrt(square.value - k * square.error)
        for k in (-1, 0, 1)
    )
    error = max(value - low, high - value)
    return found.power * way.root - ray.power * HALF, Estimate(value, error, max(number.method, square.method))


def _with_step(entry: Entry, first: Step) -> Entry:
    return replace(entry, derivation=Derivation((first, *entry.derivation.steps)))

"""Exponents proved from both sides: a positive limit, or a zero mean and a positive limit of the gradient's norm.

For S = C^{0,d}, or ‖C^{1,d}‖²: a limit of n^(-p) S that is not zero makes p definite. Where that limit is exactly zero
and a flip of signs of Gaussian parameters turns S into -S, Var S = ∫₀¹ E⟨∇S(θ), ∇S(θ_t)⟩ dt is of the order of
‖∇S‖²: it is at most E‖∇S‖² (Poincaré), and at least a positive multiple, already for the gradient by some of the
parameters, since the integrand tends to a power series in t with non-negative coefficients that is positive at t = 1.
By the L⁴ Poincaré inequality and that of Paley and Zygmund, |S| exceeds a multiple of ‖∇S‖ with a probability that does
not vanish. A number that is not larger than its error decides nothing.

‖C^{2,d}‖ has bounds on both sides: the norm calculus above, and below a direction, the unit vector along a gradient.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from tensorprog.errors import OrderError
from tensorprog.limits.evaluate import Estimate, Evaluation
from tensorprog.limits.expectations import METHODS, SAMPLING
from tensorprog.limits.gaussian import UndecidedLimit
from tensorprog.limits.interpreter import Interpreter
from tensorprog.limits.kernels import every_parameter
from tensorprog.limits.symbols import roundings, symbol_values
from tensorprog.limits.terms import Term
from tensorprog.passes import correlation
from tensorprog.passes.correlation import norm_share, squared_norm
from tensorprog.passes.gradient import Gradient, gradient
from tensorprog.program import Builder, Program
from tensorprog.readings import BAR, Entry, Step, Table, check_data
from tensorprog.readings import derive as bounds
from tensorprog.readings.derive import Scales, kinked, proved_sizes, reparametrised
from tensorprog.readings.symmetry import odd_flip
from tensorprog.readings.table import Derivation

Array = NDArray[np.float64]
PATIENCE = 120.0
SURE = 10 / 3  # sampled errors are three standard errors, and ten are demanded
HALF = Fraction(1, 2)


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

    Raises OrderError for orders the program cannot have, DataError for data that do not fit.
    """
    table = bounds(program, orders, points, kappa, abc, progress=progress)
    return (
        table if data is None else with_limits(reparametrised(program, abc), table, data, patience, progress=progress)
    )


def with_limits(program: Program, table: Table, data: ArrayLike, patience: float, *, progress: bool = False) -> Table:
    """A table of upper bounds, its entries definite where their limits can be taken at these data."""
    check_patience(patience)
    last = max(max(entry.points) for entry in table)
    array = check_data(program.restricted([f"F{last}"]), data)
    bar = tqdm(table, desc="limits", delay=2, disable=None if progress else True, bar_format=BAR)
    return replace(table, entries=tuple(decided(program, entry, table.kappa, array, patience) for entry in bar))


def check_patience(patience: float) -> None:
    """Raise OrderError for what is no positive number of seconds."""
    if isinstance(patience, bool) or not isinstance(patience, int | float) or not patience > 0:
        raise OrderError(f"patience={patience!r} must be a positive number of seconds")


def decided(program: Program, entry: Entry, kappa: Fraction, data: Array, patience: float) -> Entry:
    """The entry, definite where its limit can be taken at these data."""
    if entry.exponent is None:
        return entry
    if entry.D > 1:
        return _along_gradients(program, entry, kappa, data, patience)
    name = _name(entry)
    shown = f"‖{name}‖²" if entry.D else name
    share = HALF if entry.D else Fraction(1)
    shift = kappa * (entry.D + entry.d - 1)
    try:
        scalar = correlation(program, entry.D, entry.d, entry.points)
        found, number = leading_part(scalar, data, patience)
        rule = "the limit is not zero"
        if number is None and entry.D == 0 and _is_odd(scalar):
            share, rule = HALF, "zero mean by a sign flip, and the gradient norm has a limit"
            for names in _choices(scalar):
                by = "" if len(names) > 1 else f"_{names[0]} "
                shown = f"‖∇{by}{name}‖²"
                found, number = leading_part(gradient_norm(scalar, names), data, patience)
                sharp = entry.log_power == 0 and found.power * share + shift == entry.exponent
                if number is not None and sharp:
                    break
    except UndecidedLimit as error:
        return _still(entry, f"no limit: {error}")
    if number is None:
        return _still(entry, "the limit is zero, or random; only the bound is known")
    what = f"lim n^{-found.power} {shown}"
    if not _is_sure(number):
        return _still(entry, f"{_told(what, number)} is not told from zero")
    power = found.power * share
    assert power <= entry.exponent - shift, (
        f"{name} has a limit at n^{power}, above its bound n^{entry.exponent - shift}"
    )
    definite = replace(
        entry,
        exponent=power + shift,
        log_power=Fraction(0),
        status="definite",
        constant=float(number.value),
        constant_error=float(number.error),
        constant_of=what,
    )
    return _with_step(definite, Step(f"{rule}: {_told(what, number)}", name, "", (), f"n^{power + shift} definite"))


def _along_gradients(program: Program, entry: Entry, kappa: Fraction, data: Array, patience: float) -> Entry:
    """The entry of C^{2,d}, its power of n definite where the direction of a gradient reaches its bound.

    For d ≥ 2 the other slot is tried on one vector of parameters first: a smaller norm, but a much cheaper limit.
    """
    assert entry.exponent is not None
    deadline = time.monotonic() + patience
    shift = kappa * (entry.d + 1)
    reason = ""
    parts = _choices(program) if entry.d > 1 else [tuple(program.parameters)]
    for names, y in product(parts, dict.fromkeys((*entry.points[1:], entry.points[0]))):
        ray = f"∇F(x_{entry.points.index(y)})"
        along = f"{_name(entry)} {ray}"
        what = f"‖{along}‖/‖{ray}‖" if len(names) > 1 else f"‖({along})_{names[0]}‖/‖{ray}‖"
        try:
            found, ratio = _ratio(program, entry, y, names, data, deadline)
        except UndecidedLimit as error:
            return _still(entry, f"no limit of {what}: {error}")
        if ratio is None:
            reason = f"{what} has a limit that is zero, not told from zero, or random; only the bound is known"
            continue
        what = f"lim n^{-found} {what}"
        told = f"‖{_name(entry)}‖ is at least that along a gradient: {_told(what, ratio)}"
        assert found <= entry.exponent - shift, f"{what} is above its bound n^{entry.exponent - shift}"
        if found == entry.exponent - shift:
            known = replace(
                entry,
                status="definite" if entry.log_power == 0 else "definite power",
                constant=float(ratio.value),
                constant_error=float(ratio.error),
                constant_of=what,
            )
            return _with_step(known, Step(told, _name(entry), "", (str(entry),), f"n^{entry.exponent} {known.status}"))
        reason = f"{told}, below the bound"
    return _still(entry, reason)


def _ratio(
    program: Program, entry: Entry, y: int, names: Sequence[str], data: Array, deadline: float
) -> tuple[Fraction, Estimate | None]:
    """Power and limit of ‖C^{2,d} ∇F(y)‖/‖∇F(y)‖, the numerator on some parameters; None unless told from zero.

    C^{2,d}(x_0; x_1…x_d)·∇F(y) = (d+1)/2 C^{1,d+1}(x_0; x_1…x_d, y), and ‖∇F(y)‖² = C^{0,1}(y; y).
    """
    powers, numbers = [], []
    for scalar in (
        correlation(program, 0, 1, (y, y)),
        norm_share(program, entry.d + 1, (*entry.points, y), names),
    ):
        found, number = leading_part(scalar, data, deadline - time.monotonic())
        if number is None or not _is_sure(number):
            return found.power, None
        powers.append(found.power)
        numbers.append(number)
    kernel, square = numbers
    low, value, high = (
        (entry.d + 1) / 2 * math.sqrt((square.value + k * square.error) / (kernel.value - k * kernel.error))
        for k in (-1, 0, 1)
    )
    error = max(value - low, high - value)
    return (powers[1] - powers[0]) * HALF, Estimate(value, error, max(square.method, kernel.method))


def leading_part(program: Program, data: Array, patience: float) -> tuple[Term[int], Estimate | None]:
    """Power and limit of a scalar program, and the limit's number, None where it is zero or unknown."""
    deadline = time.monotonic() + patience
    interpreter = Interpreter(program, proved_sizes(program), deadline=deadline)
    (target,) = program.outputs.values()
    found = interpreter.limit(target)
    if found.payload is None:
        return found, None
    symbols = symbol_values(interpreter, data)
    errors = roundings(interpreter, data)
    return found, Evaluation(interpreter.equations, symbols, deadline=deadline, errors=errors)(found.payload)


def gradient_norm(scalar: Program, parameters: Sequence[str]) -> Program:
    """‖∇_P S‖² of a scalar program by the unit-variance Gaussians of these parameters, as a program."""
    builder = Builder(every_parameter(scalar))
    (target,) = scalar.outputs.values()
    found = gradient(builder, target)
    kept = Gradient({name: terms for name, terms in found.terms.items() if name in parameters})
    return builder.build({"squared norm": squared_norm(builder, kept) or builder.zero()})


def _choices(scalar: Program) -> list[tuple[str, ...]]:
    """Parameters whose gradient may decide: one vector, cheap, gives a lower bound, enough for a bound without logs."""
    vectors = [k for k, node in scalar.parameters.items() if node.rows is None and node.cols is not None]
    return [*((name,) for name in vectors[:1]), tuple(scalar.parameters)]


def _is_odd(scalar: Program) -> bool:
    """Whether a flip of signs turns S into -S, and S has a gradient without jumps."""
    (target,) = scalar.outputs.values()
    flip = odd_flip(scalar.nodes, [target])
    return flip is not None and not kinked(scalar.nodes, scalar.parameters)


def _name(entry: Entry) -> str:
    return f"C^{{{entry.D},{entry.d}}}"


def _is_sure(number: Estimate) -> bool:
    """Whether a number is told from zero."""
    return bool(abs(float(number.value)) > float(number.error) * (SURE if METHODS[number.method] == SAMPLING else 1.0))


def _told(what: str, number: Estimate) -> str:
    return f"{what} = {float(number.value):.6g} ± {float(number.error):.1g} ({METHODS[number.method]})"


def _still(entry: Entry, reason: str) -> Entry:
    """The entry as it is, the reason for it in front of its derivation."""
    return _with_step(entry, Step(reason, _name(entry), "", (str(entry),), str(entry)))


def _with_step(entry: Entry, first: Step) -> Entry:
    return replace(entry, derivation=Derivation((first, *entry.derivation.steps)))

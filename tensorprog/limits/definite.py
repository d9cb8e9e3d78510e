"""Exponents proved from both sides: a positive limit, or a zero mean and a positive limit of the gradient's norm.

For S = C^{0,d}, or ‖C^{1,d}‖²: a limit of n^(-p) S that is not zero makes p definite. Where that limit is exactly zero
and a flip of signs of Gaussian parameters turns S into -S, Var S = ∫₀¹ E⟨∇S(θ), ∇S(θ_t)⟩ dt is of the order of
‖∇S‖²: it is at most E‖∇S‖² (Poincaré), and at least a positive multiple, already for the gradient by some of the
parameters, since the integrand tends to a power series in t with non-negative coefficients that is positive at t = 1.
By the L⁴ Poincaré inequality and that of Paley and Zygmund, |S| exceeds a multiple of ‖∇S‖ with a probability that does
not vanish. A number that is not larger than its error decides nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from tensorprog.errors import OrderError
from tensorprog.limits.evaluate import Estimate, Evaluation
from tensorprog.limits.expectations import METHODS, SAMPLING
from tensorprog.limits.gaussian import UndecidedLimit
from tensorprog.limits.interpreter import Interpreter
from tensorprog.limits.kernels import every_parameter
from tensorprog.limits.symbols import averages, roundings
from tensorprog.limits.terms import Term
from tensorprog.passes import correlation
from tensorprog.passes.correlation import squared_norm
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
        whose limit can be taken are definite, with the constant in front.
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
    if entry.D > 1 or entry.exponent is None:
        return entry
    name = f"C^{{{entry.D},{entry.d}}}"
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
        return _with_step(entry, f"no limit: {error}", name, str(entry))
    if number is None:
        return _with_step(entry, "the limit is zero, or random; only the bound is known", name, str(entry))
    what = f"lim n^{-found.power} {shown}"
    method = METHODS[number.method]
    if not abs(float(number.value)) > float(number.error) * (SURE if method == SAMPLING else 1.0):
        told = f"{what} = {float(number.value):.3g} ± {float(number.error):.1g} ({method}) is not told from zero"
        return _with_step(entry, told, name, str(entry))
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
    told = f"{what} = {float(number.value):.6g} ± {float(number.error):.1g} ({method})"
    return _with_step(definite, f"{rule}: {told}", name, f"n^{power + shift} definite")


def leading_part(program: Program, data: Array, patience: float) -> tuple[Term[int], Estimate | None]:
    """Power and limit of a scalar program, and the limit's number, None where it is zero or unknown."""
    deadline = time.monotonic() + patience
    interpreter = Interpreter(program, proved_sizes(program), deadline=deadline)
    (target,) = program.outputs.values()
    found = interpreter.limit(target)
    if found.payload is None:
        return found, None
    symbols = averages(interpreter, data)
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
    vectors = [name for name, node in scalar.parameters.items() if node.rows is None and node.cols is not None]
    return [*((name,) for name in vectors[:1]), tuple(scalar.parameters)]


def _is_odd(scalar: Program) -> bool:
    """Whether a flip of signs turns S into -S, and S has a gradient without jumps."""
    (target,) = scalar.outputs.values()
    flip = odd_flip(scalar.nodes, [target])
    return flip is not None and not kinked(scalar.nodes, scalar.parameters)


def _with_step(entry: Entry, rule: str, node: str, after: str) -> Entry:
    before = (str(entry),) if entry.status != "definite" else ()
    first = Step(rule, node, "", before, after)
    return replace(entry, derivation=Derivation((first, *entry.derivation.steps)))

"""The leading part of one scalar program at given data, in the time that is left, and whether it is told from zero."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from tensorprog.exponents import Exponent
from tensorprog.limits.estimates import Estimate
from tensorprog.limits.evaluate import Evaluation
from tensorprog.limits.expectations import METHODS, SAMPLING
from tensorprog.limits.gaussian import UndecidedLimit
from tensorprog.limits.interpreter import Interpreter
from tensorprog.limits.symbols import roundings, symbol_values
from tensorprog.limits.terms import Term
from tensorprog.program import Program
from tensorprog.readings.derive import proved_sizes
from tensorprog.readings.patience import OutOfPatience, now

Array = NDArray[np.float64]
SURE = 10 / 3  # sampled errors are three standard errors, and ten are demanded
POINTS = (2**10, 2**14)  # of a Sobol sequence, for a rough number and for a fine one
SLOWER = POINTS[1] // POINTS[0]


def sizes_in_time(program: Program, deadline: float, skip: Collection[str] = ()) -> dict[str, Exponent]:
    """`proved_sizes`; raises UndecidedLimit where they take longer than the deadline allows."""
    try:
        return proved_sizes(program, skip, deadline)
    except OutOfPatience as error:
        raise UndecidedLimit(str(error)) from None


def leading_part(program: Program, data: Array, patience: float) -> tuple[Term[int], Estimate | None]:
    """Power and limit of a scalar program, and the limit's number, None where it is zero or unknown.

    What has to be sampled is sampled roughly first, and finely when there is time, or when it is not told from zero.
    """
    deadline = now() + patience
    interpreter = Interpreter(program, sizes_in_time(program, deadline), deadline=deadline)
    target = program.end
    found = interpreter.limit(target)
    if found.payload is None:
        return found, None
    symbols = symbol_values(interpreter, data)
    errors = roundings(interpreter, data)
    start = now()
    rough, fine = (
        Evaluation(interpreter.equations, symbols, points, deadline=deadline, errors=errors) for points in POINTS
    )
    number = rough(found.payload)
    took, left = now() - start, deadline - now()
    if METHODS[number.method] != SAMPLING or (is_sure(number) and took * SLOWER > left):
        return found, number
    try:
        return found, fine(found.payload)
    except UndecidedLimit:
        if is_sure(number):
            return found, number
        raise


def is_sure(number: Estimate) -> bool:
    """Whether a number is told from zero."""
    return bool(abs(float(number.value)) > float(number.error) * (SURE if METHODS[number.method] == SAMPLING else 1.0))


def told(what: str, number: Estimate) -> str:
    return f"{what} = {float(number.value):.6g} ± {float(number.error):.1g} ({METHODS[number.method]})"

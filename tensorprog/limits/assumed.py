"""Assumptions of bounds, held against data: the limit of a scalar says whether it keeps away from the poles."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from tensorprog.errors import DataError, ProgramError
from tensorprog.functions.base import ANYTHING, Interval
from tensorprog.limits.expectations import METHODS, SAMPLING
from tensorprog.limits.gaussian import UndecidedLimit
from tensorprog.limits.leading import SURE, leading_part, told
from tensorprog.program import Apply, Program, Vector, ancestors
from tensorprog.readings import Derivation, Entry, Status, Step
from tensorprog.readings.assumptions import Assumption

Array = NDArray[np.float64]


class Answer(Enum):
    """What data say of an assumption."""

    HOLDS = "shown"
    FALSE = "false at these data"
    OPEN = "not decided"


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer, and the limit it rests on."""

    answer: Answer
    reason: str


@dataclass(frozen=True, slots=True)
class _Seen:
    """A scalar divided by its power of n: where its limit lies, and how that was told."""

    interval: Interval
    certain: bool
    text: str


def settled(
    program: Program, entry: Entry, data: Array, patience: float, seen: MutableMapping[Assumption, Finding]
) -> Entry:
    """The entry without the assumptions that these data show; withdrawn where they show one to be false.

    `seen` keeps findings from one entry to the next.
    """
    for assumption in entry.assumptions:
        if assumption not in seen:
            seen[assumption] = find(program, assumption, data, patience)
    found = [(assumption, seen[assumption]) for assumption in entry.assumptions]
    false = tuple(a for a, f in found if f.answer is Answer.FALSE)
    if false:
        return entry.withdrawn("; ".join(f"{a} is assumed, but {seen[a].reason}" for a in false), false)
    left = tuple(a for a, f in found if f.answer is not Answer.HOLDS)
    steps = [Step(f"{f.answer.value}: {a}: {f.reason}", a.node, "", (), str(entry)) for a, f in found]
    return replace(
        entry,
        assumptions=left,
        status=Status.UPPER_BOUND if entry.status is Status.ASSUMED and not left else entry.status,
        derivation=Derivation((*steps, *entry.derivation.steps[len(entry.assumptions) :])),  # theirs come first
    )


def find(program: Program, assumption: Assumption, data: Array, patience: float) -> Finding:
    """What the limits of the scalars that a function reads say about its poles."""
    node = program.nodes[assumption.node]
    if not isinstance(node, Apply):
        raise ProgramError(f"{assumption}, and that node, {node}, is no function; this is a fault of the library")
    vectors = [isinstance(program.types[x], Vector) for x in node.args]
    powers = [assumption.power if i == assumption.argument else Fraction(0) for i in range(len(vectors))]
    scalars = [
        None if vector else _limit(program, x, power, data, patience)
        for x, vector, power in zip(node.args, vectors, powers, strict=True)
    ]
    domain: Sequence[Interval] = [ANYTHING if s is None else s.interval for s in scalars]
    reason = "; ".join(s.text for s in scalars if s is not None)
    if node.function.regular_on(domain):
        return Finding(Answer.HOLDS, reason)
    certain = all(s.certain for s in scalars if s is not None)
    return Finding(Answer.FALSE if certain else Answer.OPEN, reason)


def _limit(program: Program, name: str, power: Fraction, data: Array, patience: float) -> _Seen:
    """Where the limit of n^{-power} times a scalar lies."""
    wanted = ancestors(program.nodes, [name])
    alone = Program({k: node for k, node in program.nodes.items() if k in wanted}, {"value": name})
    try:
        with np.errstate(all="ignore"):  # a pole further up is an assumption of its own
            found, number = leading_part(alone, data, patience)
    except (UndecidedLimit, DataError) as error:
        return _Seen(ANYTHING, False, f"no limit of {name!r}: {error}")
    what = f"lim n^{-power} {name}"
    if number is not None and found.power == power:
        sampled = METHODS[number.method] == SAMPLING
        if not np.isfinite([float(number.value), float(number.error)]).all():
            return _Seen(ANYTHING, False, f"{what} is not finite")
        value, reach = float(number.value), float(number.error) * (SURE if sampled else 1.0)
        return _Seen((value - reach, value + reach), not sampled, told(what, number))
    size = found.size
    if size is None or size < (power, 1):
        return _Seen((0.0, 0.0), True, f"{what} = 0")
    return _Seen(ANYTHING, False, f"{what} is random, or not known")

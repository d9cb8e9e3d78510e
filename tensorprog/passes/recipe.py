"""`Recipe`: how a program is trained, checked as a whole before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import index
from typing import SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from tensorprog.arrays import real_array
from tensorprog.errors import ExpressionError, ProgramError, TrainingError
from tensorprog.exponents import exact
from tensorprog.passes.losses import Loss, loss_of
from tensorprog.program import Measure, Program
from tensorprog.program.types import Coefficient

OPTIMIZERS = ("sgd", "gd")
MOST_WRITTEN = 50_000  # nodes, each step taken as large as the program


Number = float | Fraction
Batches = Iterable[Sequence[int]]


@dataclass(frozen=True, slots=True)
class Rule:
    """How every step is made, whatever the targets, the number of steps and the learning rate; as in `tp.train`."""

    loss: object = "squared"
    batches: Batches | None = None
    momentum: Number = 0
    weight_decay: Number = 0
    optimizer: str = "sgd"

    def recipe(
        self,
        program: Program,
        targets: ArrayLike,
        steps: int,
        learning_rate: Number | Sequence[Number],
        kappa: Number = 0,
        rho: Number = 0,
    ) -> Recipe:
        """The recipe for these targets. Raises TrainingError, naming the argument, its value and the remedy."""
        if not isinstance(program, Program):
            raise ProgramError(f"{program!r} is not a Program; pass what tp.trace returns")
        if self.optimizer not in OPTIMIZERS:
            raise TrainingError(
                f"optimizer={self.optimizer!r} is not one of {', '.join(OPTIMIZERS)}: an update must be a sum of "
                "gradients to stay of low rank, and Adam and its kind divide them coordinate by coordinate; use sgd "
                "with momentum"
            )
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            raise TrainingError(f"steps={steps!r} must be a positive integer")
        if steps * len(program.nodes) > MOST_WRITTEN:
            raise TrainingError(
                f"steps={steps} of a program of {len(program.nodes)} nodes make one of more than {MOST_WRITTEN}; take "
                f"at most {MOST_WRITTEN // len(program.nodes)}"
            )
        labels = _labels(program)
        chosen, rows = loss_of(self.loss), _targets(targets, labels)
        for row in rows:
            if (fault := chosen.fault(row)) is not None:
                raise TrainingError(fault)
        power = 2 * _number("kappa", kappa) + _number("rho", rho)
        rates = [Coefficient(rate, power) for rate in _rates(learning_rate, steps)]
        mu, decay = _number("momentum", self.momentum), _number("weight_decay", self.weight_decay)
        if not 0 <= mu < 1:
            raise TrainingError(f"momentum={self.momentum!r} must be at least 0 and less than 1")
        if decay < 0:
            raise TrainingError(f"weight_decay={self.weight_decay!r} must not be negative")
        found = _batches(self.batches, steps, len(rows))
        return Recipe(labels, rows, chosen, tuple(rates), found, mu, decay, _number("kappa", kappa))


@dataclass(frozen=True, slots=True)
class Recipe:
    """Targets, loss, and for every step its batch and learning rate η n^(2κ+ρ).

    `labels[i]` are the outputs of the program at input i; the first `len(targets)` inputs are trained on.
    """

    labels: tuple[tuple[str, ...], ...]
    targets: tuple[tuple[Fraction, ...], ...]
    loss: Loss
    rates: tuple[Coefficient, ...]
    batches: tuple[tuple[int, ...], ...]
    momentum: Fraction
    decay: Fraction
    kappa: Fraction

    @property
    def steps(self) -> int:
        return len(self.rates)

    @property
    def scale(self) -> Coefficient:
        """What multiplies every output: n^(-κ)."""
        return Coefficient(power=-self.kappa)


def _labels(program: Program) -> tuple[tuple[str, ...], ...]:
    """Output labels by input."""
    if not program.outputs:
        raise TrainingError("the program has free slots and no output; pass what tp.trace returns")
    found: dict[int, list[str]] = {}
    for label, output in program.outputs.items():
        if output.input is None or output.measure is not Measure.VALUE:
            raise TrainingError(f"output {label!r} is not one of a traced network; pass what tp.trace returns")
        found.setdefault(output.input, []).append(label)
    if sorted(found) != list(range(len(found))):
        raise TrainingError(
            f"the program has outputs at the inputs {', '.join(map(str, sorted(found)))}; all from 0 on must be there"
        )
    return tuple(tuple(found[i]) for i in range(len(found)))


def _targets(targets: ArrayLike, labels: Sequence[Sequence[str]]) -> tuple[tuple[Fraction, ...], ...]:
    outputs = len(labels[0])
    array = real_array(targets, "targets", "give numbers", TrainingError)
    if array.ndim == 1 and outputs == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] != outputs or not 1 <= len(array) <= len(labels):
        wanted = f"(m,) or (m, {outputs})" if outputs == 1 else f"(m, {outputs})"
        raise TrainingError(
            f"targets have shape {np.shape(targets)}; give {wanted} for the first m of the {len(labels)} traced inputs"
        )
    if not np.isfinite(array).all():
        raise TrainingError("targets contain NaN or infinite values; give finite numbers")
    return tuple(tuple(exact(y) for y in row) for row in array)


def _rates(learning_rate: object, steps: int) -> list[Fraction]:
    if isinstance(learning_rate, Sequence) or (isinstance(learning_rate, np.ndarray) and learning_rate.ndim):
        given = list(learning_rate)
    else:
        given = [learning_rate] * steps
    if len(given) != steps:
        raise TrainingError(f"{len(given)} learning rates are given for {steps} steps; give one number, or one a step")
    rates = [_number("learning_rate", rate) for rate in given]
    if min(rates) <= 0:
        raise TrainingError(f"learning_rate={learning_rate!r} must be positive")
    return rates


def _batches(batches: Iterable[Sequence[int]] | None, steps: int, trained: int) -> tuple[tuple[int, ...], ...]:
    if batches is None:
        return (tuple(range(trained)),) * steps
    try:
        found = tuple(tuple(_index(i) for i in batch) for batch in batches)
    except TypeError:
        raise TrainingError(f"batches={batches!r} must be a list of lists of input numbers, one a step") from None
    if len(found) != steps:
        raise TrainingError(f"{len(found)} batches are given for {steps} steps; give one a step")
    for number, batch in enumerate(found):
        if not batch or min(batch) < 0 or max(batch) >= trained or len(set(batch)) < len(batch):
            raise TrainingError(
                f"batch {number} is {list(batch)}; it must name different inputs of the {trained} with targets, from 0"
            )
    return found


def _index(number: SupportsIndex) -> int:
    if isinstance(number, bool | np.bool_):
        raise TypeError
    return index(number)


def _number(name: str, value: object) -> Fraction:
    try:
        return exact(value)
    except ExpressionError:
        raise TrainingError(f"{name}={value!r} is not a finite real number") from None

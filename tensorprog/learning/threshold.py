"""`threshold`: the learning rate below which every step contracts the linear model, from the kernel of infinite width.

A step of the squared error on a batch B moves θ by −η H (θ − θ*), H = JᵀJ/|B| + λ with the gradients J at B and the
weight decay λ; the eigenvalues of H are those of Θ/|B|, λ added to them, and λ. Without momentum, η < 2/λ_max(H) is
when all directions contract; θ ← θ − η b, b ← μ b + H (θ − θ*) contracts all of them when η < 2(1 + μ)/λ_max(H)
(Polyak 1964), where −1 leaves the unit circle.

Known limits: other losses have slopes that are not linear in F, and momentum over changing batches mixes directions, so
that none contracts by itself: no threshold is given for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from tensorprog.errors import ProgramError, TrainingError
from tensorprog.limits.kernels import kernel
from tensorprog.passes.losses import Squared
from tensorprog.passes.recipe import Recipe
from tensorprog.program import Program


@dataclass(frozen=True)
class Threshold:
    """`eigenvalue`: the largest one of Θ/|B|, the limit kernel on any of the batches; None where it cannot be taken.

    error: of the eigenvalue, at most the Frobenius norm of those of the kernel's entries (Weyl).

    rate: 2(1 + μ)/(eigenvalue + λ), for momentum μ and weight decay λ; below it every step contracts the linear model,
    above it the leading direction of one batch grows at each of its steps, whatever the width. None where no such rate
    is known, for the `reason`.
    """

    eigenvalue: float | None
    reason: str = ""
    momentum: float = 0.0
    decay: float = 0.0
    error: float = 0.0

    @property
    def rate(self) -> float | None:
        if self.eigenvalue is None or self.reason or self.eigenvalue + self.decay <= 0:
            return None
        return 2 * (1 + self.momentum) / (self.eigenvalue + self.decay)


def threshold(program: Program, data: ArrayLike, recipe: Recipe) -> Threshold:
    """Over all batches of a recipe, the smallest one; without a rate, and with the reason, where none is derived."""
    batches = list(dict.fromkeys(tuple(sorted(batch)) for batch in recipe.batches))
    inputs = sorted({i for batch in batches for i in batch})
    try:
        matrix, errors = kernel(program, np.asarray(data, dtype=np.float64)[inputs], errors=True)
    except ProgramError as refused:
        return Threshold(None, str(refused))
    place = {i: k for k, i in enumerate(inputs)}
    places = [np.ix_(*[[place[i] for i in batch]] * 2) for batch in batches]
    largest = max(float(np.linalg.eigvalsh(matrix[chosen])[-1]) / len(chosen[0]) for chosen in places)
    error = max(float(np.linalg.norm(errors[chosen])) / len(chosen[0]) for chosen in places)
    reason = _unknown(program, recipe, batches)
    return Threshold(largest, reason, float(recipe.momentum), float(recipe.decay), error)


def _unknown(program: Program, recipe: Recipe, batches: Sequence[tuple[int, ...]]) -> str:
    """Why the rate is not known, in words; empty when it is."""
    if not isinstance(recipe.loss, Squared):
        return "thresholds are known for the squared error"
    if recipe.momentum and len(batches) > 1:
        return "thresholds with momentum are known for steps on one batch, and the batches differ"
    if recipe.decay:
        powers = {name: -node.c for name, node in program.parameters.items() if node.trainable}
        fastest = max(powers, key=lambda name: powers[name])
        if powers[fastest] > 0:
            return f"the weight decay of {fastest!r}, η λ n^{powers[fastest]}, grows with the width"
        if set(powers.values()) != {Fraction(0)}:
            slowest = min(powers, key=lambda name: powers[name])
            return (
                f"with weight decay, thresholds are known for weights that learn at one rate; η has the factor "
                f"n^{powers[slowest]} for {slowest!r} and n^{powers[fastest]} for {fastest!r}"
            )
    return ""


def default_rate(found: Threshold) -> float:
    """Half of the threshold, in two digits; TrainingError where there is none."""
    if found.rate is None:
        why = found.reason or "the limit kernel is zero on the batch"
        raise TrainingError(f"no learning rate is given, and none can be chosen: {why}; give learning_rate")
    return float(f"{found.rate / 2:.2g}")

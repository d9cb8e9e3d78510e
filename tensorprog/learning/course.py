"""`Course`: what predictions read of how a network is trained: which inputs its steps use, momentum, weight decay.

After s steps of rate η the weights have moved by −η Σ_i m_i C′_i ∇F(x_i) at first order, and at second order in η

    F(θ_s)(x) − F_lin(s)(x) = η² Σ_ij C′_i C′_j {m_i m_j C(x; i, j) + w_ij C(i; x, j) + w_ji C(j; x, i)},  C = C^{0,2},

where m_i is the sum of 1/|B| over the steps whose batch B has input i, each times the momentum 1 + μ + … that it
gathers until s, and w_ij the same over pairs of a step that uses j and a later one that uses i: m_i m_j = s²/|B|² and
w_ij = s(s−1)/2|B|² for s steps on one batch without momentum.

Weight decay λ moves θ by −η λ n^(-c) θ as well, at every step. Both F and F_lin decay, but F_lin only at first order:
∇²F contracted with θ is of the size of F, so that F(θ_s) − F_lin(s) has the further terms, up to factors,

    η² λ² ∇²F·(θ, θ) + η² λ Σ_i C′_i ∇²F·(θ, ∇F(x_i)).

Contracting a slot with θ is a derivative by the scale of the weights. It changes no size, since no bound depends on
that scale. The second term is definite where S = ∇²F·(θ, ∇F(x_i)) at a trained input x_i has a limit that is not zero:
all its parts at x_i have one sign, and only they depend on the target of x_i.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from tensorprog.errors import ProgramError
from tensorprog.limits.leading import is_sure, leading_part
from tensorprog.passes.learning import stretch
from tensorprog.passes.recipe import Recipe
from tensorprog.program import Apply, Program

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Decay:
    """Weight decay: at every step θ shrinks by η λ n^power, η n^(2κ+ρ) aside.

    stretched: the power of n of S where its limit is not zero, at a trained input and at the first one, whose gradient
        is looked at; None where that is not known.
    """

    power: Fraction
    stretched: Fraction | None = None

    def at(self, rho: Fraction, kappa: Fraction) -> Fraction:
        """The power of n of the share of θ that one step takes away."""
        return self.power + rho + 2 * kappa

    def mixed(self, rho: Fraction, kappa: Fraction) -> Fraction | None:
        """The power of n of the term of second order in η with one slot in θ, where it is definite."""
        return None if self.stretched is None else self.stretched + 2 * rho + 2 * kappa


@dataclass(frozen=True, slots=True)
class Course:
    """Batches (one a step; None for all `trained` inputs at every step), momentum and weight decay of a training."""

    trained: int
    batches: tuple[tuple[int, ...], ...] | None = None
    momentum: Fraction = Fraction(0)
    decay: Decay | None = None

    def uses(self, i: int, steps: int) -> bool:
        """Whether input i is trained on within so many steps."""
        return any(i in batch for batch in self._first(steps))

    def keeps(self, points: Sequence[int], steps: int) -> bool:
        """Whether the terms of second order in η cannot be smaller than C^{0,2} at these points (x, i, j).

        They are linear in the three C^{0,2} of x, i and j, and known at all three inputs, in the part of x only with
        slopes at i and j. C(x; i, j) must be a combination of them.
        """
        x, i, j = points
        known = dict.fromkeys(_unknown(*p) for p in ((x, i, j), (i, x, j), (j, x, i)))
        place = {unknown: column for column, unknown in enumerate(known)}
        rows = []
        for a, b, c in ((x, i, j), (i, x, j), (j, x, i)):
            row = np.zeros(len(place))
            row[place[_unknown(a, b, c)]] += self._reach(b, steps) * self._reach(c, steps)
            row[place[_unknown(b, a, c)]] += self._follows(b, c, steps)
            row[place[_unknown(c, a, b)]] += self._follows(c, b, steps)
            if self.uses(b, steps) and self.uses(c, steps):
                rows.append(row)
        wanted = np.eye(len(place))[place[_unknown(x, i, j)]]
        if not rows:
            return False
        return bool(np.linalg.matrix_rank(np.array(rows)) == np.linalg.matrix_rank(np.array([*rows, wanted])))

    def _first(self, steps: int) -> Sequence[Sequence[int]]:
        """The batches of so many steps; of steps beyond those that are known nothing is said."""
        return [range(self.trained)] * steps if self.batches is None else self.batches[:steps]

    def _gathered(self, count: int) -> float:
        """1 + μ + … + μ^(count − 1), what one gradient moves the weights by in so many steps."""
        mu = float(self.momentum)
        return (1 - mu**count) / (1 - mu)

    def _reach(self, i: int, steps: int) -> float:
        """m_i."""
        return self._weighed(i, steps, lambda t: 1.0)

    def _follows(self, i: int, j: int, steps: int) -> float:
        """w_ij."""
        return self._weighed(i, steps, lambda t: self._reach(j, t))

    def _weighed(self, i: int, steps: int, factor: Callable[[int], float]) -> float:
        """Over the steps t that use input i: what they move until the end, times a factor of t."""
        found = enumerate(self._first(steps))
        return sum(self._gathered(steps - t) * factor(t) / len(batch) for t, batch in found if i in batch)


def _unknown(x: int, i: int, j: int) -> tuple[int, int, int]:
    """C^{0,2}(x; i, j), which is symmetric in i and j."""
    return x, min(i, j), max(i, j)


def course_of(program: Program, recipe: Recipe, data: Array, patience: float) -> Course:
    """The course of a recipe; of weight decay the limit of S is taken, in the patience given."""
    full = tuple(range(len(recipe.targets)))
    batches = None if set(recipe.batches) == {full} else recipe.batches
    decay = _decay(program, recipe, data, patience) if recipe.decay else None
    return Course(len(recipe.targets), batches, recipe.momentum, decay)


def _decay(program: Program, recipe: Recipe, data: Array, patience: float) -> Decay:
    power = max((-node.c for node in program.parameters.values() if node.trainable), default=Fraction(0))
    if not patience or not _smooth(program):
        return Decay(power)
    looked = dict.fromkeys([recipe.labels[recipe.batches[0][0]][0], recipe.labels[0][0]])
    found = {_stretched(program, label, data, patience / len(looked)) for label in looked}
    return Decay(power, found.pop() if len(found) == 1 else None)


def _stretched(program: Program, label: str, data: Array, patience: float) -> Fraction | None:
    """The power of n of S at one input; None where its limit is zero, or cannot be taken."""
    try:
        found, number = leading_part(stretch(program, label), data, patience)
    except ProgramError:
        return None
    return found.power if number is not None and is_sure(number) else None


def _smooth(program: Program) -> bool:
    """Whether the second derivative of F by its weights is that of its formula, without parts at kinks."""
    nodes = program.nodes.values()
    return all(not (isinstance(node, Apply) and node.function.smoothness is not None) for node in nodes)

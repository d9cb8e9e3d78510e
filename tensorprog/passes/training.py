"""Training is a pass: the network after some gradient steps, and its linearised model, as programs.

After s steps every weight is its initial value plus a sum of outer products (`replay.Moved`), so F(θ_s)(x) is a tensor
program of the same weights; every reading applies. The linearised model F_lin(s) = F(θ_0) + ∇F(θ_0)·(θ_lin(s) − θ_0) is
trained by the same steps, in function space: with the kernel Θ_0 of the same initialisation.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from fractions import Fraction

from tensorprog.errors import TrainingError
from tensorprog.passes.descent import Descent
from tensorprog.passes.gradient import Term, contract, gradient
from tensorprog.passes.recipe import Recipe
from tensorprog.passes.replay import INITIAL, Moved, Update, Weights, placed, replay
from tensorprog.program import Builder, Program
from tensorprog.program.builder import Value
from tensorprog.program.instructions import parameter_at
from tensorprog.program.types import ONE, Coefficient

START = None  # the key of an initial value
LONGEST = 1_000_000  # instructions of a trained program: about 1 GB
SHORT, LOOKED_AT = 16, 4  # steps that are never too many, and steps from which the length of more is estimated
Outputs = Mapping[str, Value]


class Trained:
    """A program trained step by step, written into `builder`: weights and outputs after 0, 1, 2, … steps."""

    def __init__(self, builder: Builder, program: Program, recipe: Recipe) -> None:
        self.builder, self.program, self.recipe = builder, program, recipe
        self.source = Builder(program)
        learned = {label for i in range(len(recipe.targets)) for label in recipe.labels[i]}
        self.gradients = {x: gradient(self.source, program.outputs[x].node) for x in program.outputs if x in learned}
        trained = [name for name, node in program.parameters.items() if node.trainable]
        self._states = {name: self._start(name) for name in trained}
        self.weights: list[Weights] = [INITIAL]

    def weights_after(self, steps: int) -> Weights:
        """The weights after so many steps."""
        while len(self.weights) <= steps:
            self._step(len(self.weights) - 1)
        return self.weights[steps]

    def outputs(self, steps: int) -> dict[str, Value]:
        """n^(-κ) F(θ_s)(x) by label."""
        outputs = {label: output.node for label, output in self.program.outputs.items()}
        found = replay(self.builder, self.source.nodes, outputs.values(), self.weights_after(steps))
        return {label: self.builder.scaled(self.recipe.scale, found[name]) for label, name in outputs.items()}

    def _step(self, step: int) -> None:
        builder, recipe = self.builder, self.recipe
        batch, rate = recipe.batches[step], recipe.rates[step]
        labels = [label for i in batch for label in recipe.labels[i]]
        wanted = {label: self.gradients[label] for label in labels}
        targets = [
            *(side for found in wanted.values() for side in found.sides),
            *(self.program.outputs[label].node for label in labels),
        ]
        at = replay(builder, self.source.nodes, targets, self.weights[step])
        found = {label: builder.scaled(recipe.scale, at[self.program.outputs[label].node]) for label in labels}
        slopes = batch_slopes(builder, recipe, batch, found)
        moved: dict[str, dict[Term | None, Value]] = {name: {} for name in self._states}
        for label in labels:
            for name, terms in placed(wanted[label], at).terms.items():
                for term in terms:
                    moved[name][term] = builder.add(moved[name].get(term), slopes[label])
        self._states = {name: state.step(builder, moved[name], rate) for name, state in self._states.items()}
        self.weights.append({name: _moved(state) for name, state in self._states.items()})

    def _start(self, name: str) -> Descent[Term | None]:
        node = parameter_at(self.program.nodes, name)
        decay = Coefficient(self.recipe.decay, -node.c)
        return Descent(self.recipe.momentum, decay, {START: self.builder.constant(ONE)})


def check_length(program: Program, recipe: Recipe) -> None:
    """TrainingError when the program after all steps would be too long, before it is written.

    An update of every step enters the products of all later ones, so that the length is a quadratic polynomial in the
    steps where batches are equally long; it is continued from the first ones.
    """
    if recipe.steps <= SHORT:
        return
    builder = Builder(program)
    trained, lengths = Trained(builder, program, recipe), list[int]()
    for steps in range(1, LOOKED_AT + 1):
        trained.weights_after(steps)
        lengths.append(len(builder.nodes))
    found = continued(lengths, recipe.steps)
    if found > LONGEST:
        most = bisect_right(range(recipe.steps), LONGEST, key=lambda steps: continued(lengths, steps)) - 1
        raise TrainingError(
            f"steps={recipe.steps} on batches of {len(recipe.batches[0])} make a program of about {found:.2g} "
            f"instructions, at most {LONGEST} are written; use at most {most} steps, or smaller batches"
        )


def continued(lengths: Sequence[int], steps: int) -> int:
    """The length after so many steps, by those after 1, 2, …, the last three of which lie on a parabola."""
    more, last = steps - len(lengths), lengths[-1] - lengths[-2]
    return lengths[-1] + more * last + (last - lengths[-2] + lengths[-3]) * more * (more + 1) // 2


def batch_slopes(builder: Builder, recipe: Recipe, batch: tuple[int, ...], outputs: Outputs) -> dict[str, Value]:
    """∂L/∂F by label, times n^(-κ), for the mean loss L of a batch at these outputs."""
    share = Coefficient(Fraction(1, len(batch))) * recipe.scale
    found: dict[str, Value] = {}
    for i in batch:
        labels = recipe.labels[i]
        slopes = recipe.loss.slopes(builder, [outputs[label] for label in labels], recipe.targets[i])
        found |= {label: builder.scaled(share, slope) for label, slope in zip(labels, slopes, strict=True)}
    return found


def _moved(state: Descent[Term | None]) -> Moved:
    updates = [Update(factor, *key) for key, factor in state.theta.items() if key is not START and factor is not None]
    return Moved(state.theta[START], tuple(updates))


class Linearised:
    """The linearised model under the same steps: outputs after 0, 1, 2, … of them.

    Weights of one decay rate move alike: F_lin(x) = F_0(x) + Σ_P [Σ_i a_i Θ_P(x, x_i) + (γ − 1) ∂F_0(x)/∂P · P].
    """

    def __init__(self, builder: Builder, program: Program, recipe: Recipe) -> None:
        self.builder, self.program, self.recipe = builder, program, recipe
        self.gradients = {label: gradient(builder, output.node) for label, output in program.outputs.items()}
        groups: dict[Coefficient, list[str]] = {}
        for name, node in program.parameters.items():
            if node.trainable:
                groups.setdefault(Coefficient(recipe.decay, -node.c if recipe.decay else Fraction(0)), []).append(name)
        self.groups = {decay: tuple(names) for decay, names in groups.items()}
        start = {decay: Descent[str | None](recipe.momentum, decay, {START: builder.constant(ONE)}) for decay in groups}
        self._states: list[dict[Coefficient, Descent[str | None]]] = [start]
        self._kernels: dict[tuple[Coefficient, str, str], Value] = {}

    def outputs(self, steps: int) -> dict[str, Value]:
        """n^(-κ) F_lin(s)(x) by label."""
        while len(self._states) <= steps:
            self._step(len(self._states) - 1)
        return {label: self._output(label, steps) for label in self.program.outputs}

    def _output(self, label: str, steps: int) -> Value:
        builder = self.builder
        parts: list[tuple[Coefficient, Value]] = [(ONE, self.program.outputs[label].node)]
        for decay, state in self._states[steps].items():
            for key, factor in state.theta.items():
                if key is not START:
                    parts.append((ONE, builder.multiply(factor, self._kernel(decay, label, key))))
            shrunk = builder.lincomb([(ONE, state.theta[START]), (Coefficient(Fraction(-1)), builder.constant(ONE))])
            if shrunk is not None:
                parts.append((ONE, builder.multiply(shrunk, self._radial(decay, label))))
        return builder.scaled(self.recipe.scale, builder.lincomb(parts))

    def _step(self, step: int) -> None:
        builder, recipe = self.builder, self.recipe
        batch = recipe.batches[step]
        outputs = {label: self._output(label, step) for i in batch for label in recipe.labels[i]}
        slopes: dict[str | None, Value] = dict(batch_slopes(builder, recipe, batch, outputs).items())
        rate = recipe.rates[step]
        states = self._states[step]
        self._states.append({decay: state.step(builder, slopes, rate) for decay, state in states.items()})

    def _kernel(self, decay: Coefficient, label: str, other: str) -> Value:
        """Θ_P(x, x') summed over the parameters P of one group, at η = 1."""
        key = (decay, min(label, other), max(label, other))
        if key not in self._kernels:
            one, two = self.gradients[label].terms, self.gradients[other].terms
            pairs = [(p, a, b) for p in self.groups[decay] for a in one.get(p, ()) for b in two.get(p, ())]
            self._kernels[key] = self.builder.add(*(contract(self.builder, p, a, b) for p, a, b in pairs))
        return self._kernels[key]

    def _radial(self, decay: Coefficient, label: str) -> Value:
        """∂F/∂P · P summed over the parameters P of one group: what a common shrinking of them changes."""
        builder, parts = self.builder, []
        for name in self.groups[decay]:
            for coefficient, left, right in self.gradients[label].terms.get(name, ()):
                there = name if right is None else builder.matmul(name, right)
                parts.append((coefficient, builder.dot(left, there)))
        return builder.lincomb(parts)

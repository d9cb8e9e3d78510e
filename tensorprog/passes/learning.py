"""`train`, `linearised`, `deviation`, `moved`: what a network is after some gradient steps, as programs.

One step is θ ← θ − η ∇L with the mean loss L of a batch; each is a pass, so the result can be sampled, printed and
analysed like any program (Shem-Ur and Oz, arXiv 2401.04013, sections 2 and 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from numpy.typing import ArrayLike

from tensorprog.errors import OrderError, TrainingError
from tensorprog.passes.correlation import MAX_D, Order, check_smoothness, gradient_coefficient, squared, squared_norm
from tensorprog.passes.directions import DecayDirection, Direction, GradientDirection, SumDirection
from tensorprog.passes.gradient import Gradient, Term, gradient
from tensorprog.passes.recipe import Batches, Number, Recipe, Rule
from tensorprog.passes.replay import INITIAL, Weights, placed, replay
from tensorprog.passes.taylor import Taylor, below
from tensorprog.passes.training import Linearised, Trained, batch_slopes, check_length
from tensorprog.program import Builder, Coefficient, Program, Slot
from tensorprog.program.builder import Value
from tensorprog.program.types import ONE

MINUS = Coefficient(Fraction(-1))


def train(
    program: Program,
    targets: ArrayLike,
    *,
    steps: int,
    learning_rate: Number | Sequence[Number],
    loss: object = "squared",
    batches: Batches | None = None,
    momentum: Number = 0,
    weight_decay: Number = 0,
    kappa: Number = 0,
    rho: Number = 0,
    optimizer: str = "sgd",
) -> Program:
    """F(θ_s)(x) at every traced input, after training on the first ones.

    Parameters
    ----------
    program: from `tp.trace`; the inputs beyond those with targets are test inputs.
    targets: (m,), or (m, k) for a network of k outputs; exact decimals.
    steps: s. learning_rate: η, one number or one a step; a weight of scale (a, b, c) learns with η n^(-c).
    loss: "squared" ½(F − y)², "logistic" (y = ±1), "cross_entropy" (one-hot rows), or an expression C(F, y), as a text
        or in sympy; the mean over a batch is descended.
    batches: a list of input numbers for each step; all trained inputs by default.
    momentum, weight_decay: μ and λ of b ← μ b + ∇L + λ θ, θ ← θ − η b.
    kappa, rho: external scale F → n^(-κ) F with η → n^(2κ) η, and a further η → n^ρ η.
    optimizer: "sgd"; whatever divides gradients coordinate by coordinate is not of low rank and refused.

    Returns a program with the outputs of `program`, n^(-κ) F(θ_s), of the same initial weights.

    Raises TrainingError for arguments that do not fit, naming them.
    """
    rule = Rule(loss, batches, momentum, weight_decay, optimizer)
    return _learned(Trained, program, rule.recipe(program, targets, steps, learning_rate, kappa, rho))


def linearised(
    program: Program,
    targets: ArrayLike,
    *,
    steps: int,
    learning_rate: Number | Sequence[Number],
    loss: object = "squared",
    batches: Batches | None = None,
    momentum: Number = 0,
    weight_decay: Number = 0,
    kappa: Number = 0,
    rho: Number = 0,
    optimizer: str = "sgd",
) -> Program:
    """F_lin(s)(x): the first-order Taylor model at θ_0 under the same steps; arguments as in `train`.

    F_lin(s+1)(x) = F_lin(s)(x) − η Σ_i Θ_0(x, x_i) ∂L/∂F(x_i), with the kernel Θ_0 of the same initialisation.
    """
    rule = Rule(loss, batches, momentum, weight_decay, optimizer)
    return _learned(Linearised, program, rule.recipe(program, targets, steps, learning_rate, kappa, rho))


def expansion(
    program: Program,
    targets: ArrayLike,
    *,
    order: int,
    learning_rate: Number,
    loss: object = "squared",
    batches: Batches | None = None,
    momentum: Number = 0,
    weight_decay: Number = 0,
    kappa: Number = 0,
    rho: Number = 0,
    optimizer: str = "sgd",
) -> Program:
    """F(θ_1)(x) up to an order in the step, see `expanded`.

    Arguments as in `train`, for one step.
    """
    rule = Rule(loss, batches, momentum, weight_decay, optimizer)
    return expanded(program, rule.recipe(program, targets, 1, learning_rate, kappa, rho), range(order + 1))


def expanded(program: Program, recipe: Recipe, orders: Sequence[int]) -> Program:
    """Some orders k of F(θ_1)(x) = Σ_k (−η)^k/k! ∇^k F · (∇L + λθ)^k, at every traced input.

    Without weight decay λ that is a sum of C^{0,k} with factors C′. Raises OrderError when the activations have fewer
    derivatives.
    """
    check_smoothness(program, max(orders))
    builder = Builder(program)
    batch, rate = recipe.batches[0], recipe.rates[0]
    labels = [label for i in batch for label in recipe.labels[i]]
    start = {x: builder.scaled(recipe.scale, program.outputs[x].node) for x in labels}
    slopes = batch_slopes(builder, recipe, batch, start)
    terms: dict[str, tuple[Term, ...]] = {}
    for label in labels:
        for name, parts in gradient(builder, program.outputs[label].node).terms.items():
            weighed = [(c, builder.multiply(slopes[label], left), right) for c, left, right in parts]
            found = tuple((c, left, right) for c, left, right in weighed if left is not None)
            terms[name] = (*terms.get(name, ()), *found)
    top = (max(orders),)
    direction: Direction = GradientDirection(Gradient(terms))
    if recipe.decay:
        direction = SumDirection(((ONE, direction), (Coefficient(recipe.decay), DecayDirection())))
    taylor = Taylor(builder, [output.node for output in program.outputs.values()], [direction], top)
    taylor.expand(below(top))
    outputs: dict[str, Value] = {}
    for label, output in program.outputs.items():
        outputs[label] = builder.lincomb(
            (recipe.scale * (MINUS * rate) ** k, taylor.coefficient(output.node, (k,))) for k in orders
        )
    return _program(builder, program, outputs)


def stretch(program: Program, label: str) -> Program:
    """∇²F(x)·(n^(-c) θ, ∇F(x)) at η = 1, as "S": half of what the kernel Θ(x, x) changes by as the weights grow.

    Where its limit is not zero, weight decay takes a network of any width away from its linear model.
    """
    builder = Builder(program)
    target = program.outputs[label].node
    top = (1, 1)
    taylor = Taylor(builder, [target], [GradientDirection(gradient(builder, target)), DecayDirection()], top)
    taylor.expand(below(top))
    return builder.build({"S": taylor.coefficient(target, top) or builder.zero()})


def deviation(
    program: Program,
    targets: ArrayLike,
    *,
    steps: int,
    learning_rate: Number | Sequence[Number],
    points: Sequence[int] | None = None,
    loss: object = "squared",
    batches: Batches | None = None,
    momentum: Number = 0,
    weight_decay: Number = 0,
    kappa: Number = 0,
    rho: Number = 0,
    optimizer: str = "sgd",
) -> Program:
    """(F(θ_s) − F_lin(s))², the mean over some inputs (all by default); `tp.sample` takes the root.

    Arguments as in `train`; points: numbers of traced inputs.
    """
    rule = Rule(loss, batches, momentum, weight_decay, optimizer)
    return deviations(program, rule.recipe(program, targets, steps, learning_rate, kappa, rho), points)[-1]


def deviations(program: Program, recipe: Recipe, points: Sequence[int] | None = None) -> list[Program]:
    """The deviation after 1, 2, … steps, one program each."""
    chosen = range(len(recipe.labels)) if points is None else _points(points, len(recipe.labels))
    check_length(program, recipe)
    labels = [label for i in chosen for label in recipe.labels[i]]
    builder = Builder(program)
    trained, linear = Trained(builder, program, recipe), Linearised(builder, program, recipe)
    found = []
    for steps in range(1, recipe.steps + 1):
        one, two = trained.outputs(steps), linear.outputs(steps)
        gaps = [builder.add(one[label], builder.scaled(MINUS, two[label])) for label in labels]
        found.append(_mean_square(builder, gaps, "deviation squared"))
    return found


def mean_square(program: Program) -> Program:
    """The mean square of all outputs of a program; `tp.sample` takes the root."""
    builder = Builder(program)
    return _mean_square(builder, [output.node for output in program.outputs.values()], "mean squared")


def moved(
    program: Program,
    targets: ArrayLike,
    *,
    D: int,
    steps: int,
    learning_rate: Number | Sequence[Number],
    point: int = 0,
    loss: object = "squared",
    batches: Batches | None = None,
    momentum: Number = 0,
    weight_decay: Number = 0,
    kappa: Number = 0,
    rho: Number = 0,
    optimizer: str = "sgd",
) -> Program:
    """∇^D F(θ_s)(x) − ∇^D F(θ_0)(x), D ≤ 2, at one input of a network of one output, at η = 1.

    D = 0: a scalar; D = 1: its squared norm; D = 2: slots, as `tp.correlation` has them. Coordinates
    are the unit-variance ones, weighted by n^(-c/2), and with an external scale by n^κ, the root of its η. Arguments as
    in `train`.
    """
    rule = Rule(loss, batches, momentum, weight_decay, optimizer)
    return motions(program, rule.recipe(program, targets, steps, learning_rate, kappa, rho), D, point)[-1]


def motions(program: Program, recipe: Recipe, D: int, point: int = 0) -> list[Program]:
    """The moved derivative after 1, 2, … steps, one program each."""
    if isinstance(D, bool) or not isinstance(D, int) or not 0 <= D <= MAX_D:
        raise OrderError(f"D={D!r} must be 0, 1 or 2")
    (chosen,) = _points([point], len(recipe.labels))
    if len(recipe.labels[chosen]) > 1:
        raise TrainingError(f"input {chosen} has {len(recipe.labels[chosen])} outputs; moved derivatives are of one")
    if D == 2 and recipe.decay:
        raise TrainingError("the moved second derivative is not available with weight decay; use weight_decay=0")
    check_length(program, recipe)
    (label,) = recipe.labels[chosen]
    builder = Builder(program)
    trained = Trained(builder, program, recipe)
    return [_motion(builder, trained, label, D, steps) for steps in range(1, recipe.steps + 1)]


def _motion(builder: Builder, trained: Trained, label: str, D: int, steps: int) -> Program:
    program, kappa = trained.program, trained.recipe.kappa
    scale = Coefficient(power=kappa * (D - 1))
    if D == 0:
        gap = builder.lincomb([(ONE, trained.outputs(steps)[label]), (MINUS * scale, program.outputs[label].node)])
        return builder.build({"moved": gap or builder.zero()})
    source = Builder(program)
    target = program.outputs[label].node
    found = gradient(source, target) if D == 1 else gradient_coefficient(source, program, Order(2, 0, (0,)), target)
    now = _at(builder, source, found, trained.weights_after(steps))
    before = _at(builder, source, found, INITIAL)
    names = dict.fromkeys([*now.terms, *before.terms])
    change = {
        name: tuple(
            [(scale * c, a, b) for c, a, b in now.terms.get(name, ())]
            + [(MINUS * scale * c, a, b) for c, a, b in before.terms.get(name, ())]
        )
        for name in names
    }
    if D == 1:
        return builder.build({"moved squared": squared(squared_norm(builder, Gradient(change)) or builder.zero())})
    return builder.build({}, [Slot(name, terms) for name, terms in change.items() if terms])


def _at(builder: Builder, source: Builder, found: Gradient, weights: Weights) -> Gradient:
    """The outer products of a derivative taken at other weights."""
    return placed(found, replay(builder, source.nodes, found.sides, weights))


def _mean_square(builder: Builder, values: Sequence[Value], label: str) -> Program:
    share = Coefficient(Fraction(1, len(values)))
    total = builder.lincomb((share, builder.multiply(value, value)) for value in values)
    return builder.build({label: squared(total or builder.zero())})


def _learned(model: type[Trained | Linearised], program: Program, recipe: Recipe) -> Program:
    """What a model of the program returns after all steps."""
    check_length(program, recipe)
    builder = Builder(program)
    return _program(builder, program, model(builder, program, recipe).outputs(recipe.steps))


def _program(builder: Builder, program: Program, outputs: dict[str, Value]) -> Program:
    """The outputs of a program at other nodes."""
    return builder.build(
        {label: replace(program.outputs[label], node=value or builder.zero()) for label, value in outputs.items()}
    )


def _points(points: Sequence[int], inputs: int) -> list[int]:
    found = list(points)
    if not found or any(isinstance(p, bool) or not isinstance(p, int) or not 0 <= p < inputs for p in found):
        raise TrainingError(f"points={points!r} must be numbers of the {inputs} traced inputs, from 0")
    return found

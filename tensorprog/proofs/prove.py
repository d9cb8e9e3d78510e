"""`prove`: the exponent of a derivative correlation as numbered steps, from the leading parts of all its scalars."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tensorprog.errors import OrderError, ProgramError
from tensorprog.limits.assumed import Answer, find
from tensorprog.limits.definite import PATIENCE, check_patience
from tensorprog.limits.gaussian import UndecidedLimit
from tensorprog.limits.interpreter import Interpreter
from tensorprog.limits.leading import sizes_in_time
from tensorprog.limits.ways import gradient_norm
from tensorprog.passes import correlation
from tensorprog.passes.correlation import Order, order_of
from tensorprog.program import Constant, Parameter, Program, ancestors
from tensorprog.proofs.proof import Proof
from tensorprog.proofs.scalars import MASTER, NORMS, POINCARE, Scalars
from tensorprog.proofs.steps import GRADIENT, WHOLE, Kind, ProofStep
from tensorprog.readings import check_data
from tensorprog.readings.assumptions import assumptions
from tensorprog.readings.derive import kinked, proved_sizes
from tensorprog.readings.patience import now
from tensorprog.readings.symmetry import odd_flip

HALF = Fraction(1, 2)
DEFINITION = "Shem-Ur and Oz, arXiv 2401.04013, Definition 3.1"
ZYGMUND = "Paley and Zygmund 1932"
MEANING = "Shem-Ur and Oz, arXiv 2401.04013, Definition 2.1"
FLOOR = 0.02  # the constant with which a lower bound is tested


def prove(
    program: Program,
    D: int,
    d: int,
    points: Sequence[int] | None = None,
    *,
    data: ArrayLike | None = None,
    patience: float = PATIENCE,
) -> Proof:
    """The derivation of the exponent of C^{D,d}, D ≤ 1, as numbered steps that `Proof.verify` can test one by one.

    Parameters
    ----------
    program: from `tp.trace`. D, d: free and contracted slots. points: which traced inputs x_0…x_d are.
    data: (inputs, d0) or (inputs, positions, d0), for the values of the limits; without them a limit that is not zero
        as a formula is taken to be not zero.
    patience: seconds for the limits; what takes longer leaves an upper bound.

    Raises OrderError for orders the program cannot have and for D = 2, DataError for data that do not fit.
    """
    if not isinstance(program, Program):
        raise ProgramError(f"{program!r} is not a Program; pass what tp.trace returns")
    order = order_of(program, D, d, points)
    check_D(D, d)
    check_patience(patience)
    scalar = correlation(program, D, d, order.points)
    array = None if data is None else check_data(scalar, data)
    notes = _assumed(program, order, array, patience)
    proof = _Writer(program, scalar, (D, d, order.points), now() + patience, notes).proof()
    return proof if array is None else proof.at(array)


def _assumed(program: Program, order: Order, data: NDArray[np.float64] | None, patience: float) -> tuple[str, ...]:
    """What is assumed at these points, and whether the data show it; raises OrderError where they show it false."""
    wanted = ancestors(program.nodes, [program.target(point) for point in set(order.points)])
    notes: list[str] = []
    for assumption in assumptions(program.nodes, program.types, proved_sizes(program), wanted):
        if data is None:
            notes.append(f"assumed: {assumption}")
            continue
        found = find(program, assumption, data, patience)
        if found.answer is Answer.FALSE:
            raise OrderError(
                f"C^{{{order.D},{order.d}}} has no bound at these data: {assumption} is assumed, but {found.reason}; "
                "choose other data or points"
            )
        notes.append(f"{found.answer.value}: {assumption}: {found.reason}")
    return tuple(notes)


def check_D(D: int, d: int) -> None:
    """Raise OrderError for D = 2."""
    if D > 1:
        raise OrderError(f"C^{{{D},{d}}} has bounds, no limit to prove; take D = 0 or 1, or tp.derive for its bounds")


class _Writer:
    """Collects the steps of one proof."""

    def __init__(
        self,
        source: Program,
        scalar: Program,
        order: tuple[int, int, tuple[int, ...]],
        deadline: float,
        notes: tuple[str, ...],
    ) -> None:
        self.source, self.scalar, self.order, self.deadline, self.notes = source, scalar, order, deadline, notes
        self.target = scalar.end
        self.interpreters: dict[str, Interpreter] = {}
        self.programs = {WHOLE: Program(scalar.nodes, {"value": self.target})}
        self.steps: list[ProofStep] = []
        D, d, points = order
        self.factor = Fraction(1, factorial(D) * factorial(d))
        self.name = f"C^{{{D},{d}}}({', '.join(f'x_{p}' for p in points)})"
        self.shown = f"‖{self.name}‖²" if D else self.name
        self.share = HALF if D else Fraction(1)

    def proof(self) -> Proof:
        sizes = proved_sizes(self.scalar)
        interpreter = self.interpreters[WHOLE] = Interpreter(self.scalar, sizes, deadline=self.deadline)
        definition = "; ".join(["the program of the correlation, by forward and reverse differentiation", *self.notes])
        self._add("definition", definition, DEFINITION, (), WHOLE, self.shown, factor=self.factor)
        if isinstance(self.scalar.nodes[self.target], Constant):
            rule = "every term of the derivative vanishes (at a kink no derivative is taken)"
            self._add("vanishing", rule, DEFINITION, (1,), WHOLE, self.name)
            return self._written()
        try:
            found = interpreter.limit(self.target)
        except UndecidedLimit as error:
            power = Fraction(sizes[self.target].power)
            rule = f"norm calculus; no limit: {error}"
            self._add("bound", rule, NORMS, (1,), WHOLE, self.shown, power=power, undecided=True)
            return self._concluded(power, "an upper bound")
        last = self._scalars(interpreter)
        if found.payload is not None:
            return self._concluded(found.power, "definite", last)
        flip = odd_flip(self.scalar.nodes, [self.target])
        power = Fraction(0) if found.rest is None else found.rest[0]
        if found.rest is None or not flip or self.order[0] or kinked(self.scalar.nodes, self.scalar.parameters):
            return self._concluded(power, "an upper bound", last)
        return self._fluctuation(tuple(sorted(flip)), last, power)

    def _scalars(self, interpreter: Interpreter) -> int:
        """Steps for the scalars; the number of the one that carries the correlation."""
        writer = Scalars(self.scalar, interpreter, self.target, len(self.steps))
        self.steps += writer.steps()
        self.programs.update({name: self._single(name) for name in writer.needed})
        return len(self.steps)

    def _single(self, name: str) -> Program:
        return Program(self.scalar.nodes, {"value": name, "whole": self.target}).restricted(["value"])

    def _fluctuation(self, flip: tuple[str, ...], last: int, bound: Fraction) -> Proof:
        """Zero mean, Poincaré above, and the gradient's limit below."""
        rule = "the flip keeps the law of the Gaussians"
        odd = self._add("symmetry", rule, "sign symmetry of N(0, 1)", (1,), WHOLE, self.shown, flips=flip)
        try:
            found, names = self._gradient(flip)
        except UndecidedLimit:
            found, names = None, ()
        if found is None:
            return self._concluded(bound, "an upper bound", last)
        by = f"_{names[0]}" if len(names) == 1 else ""
        shown = f"‖∇{by} S‖²"
        rule = "the mean over the flipped Gaussians is zero, so the mean square is at most that of the gradient"
        above = self._add("poincaré", rule, POINCARE, (odd,), WHOLE, shown, parameters=names)
        power, payload = found
        rule = "the Master Theorem for the program of the gradient, average by average as above"
        limit = self._add("limit", rule, MASTER, (1,), GRADIENT, shown, power=power, payload=payload)
        rule = (
            "Var S = ∫₀¹ E⟨∇S(θ), ∇S(θ_t)⟩ dt, whose integrand tends to a power series in t with coefficients ≥ 0, "
            "continuous and positive at t = 1"
        )
        source = "Poincaré–Mehler formula (Houdré and Kagan 1995)"
        below = self._add("lower bound", rule, source, (odd, limit), WHOLE, shown, value=FLOOR, parameters=names)
        return self._concluded(power * HALF, "definite", above, limit, below)

    def _gradient(self, flip: tuple[str, ...]) -> tuple[tuple[Fraction, int] | None, tuple[str, ...]]:
        """Power and limit of the gradient's squared norm, by the flipped vector where one is enough."""
        parameters = self.scalar.parameters
        vectors = [name for name in flip if parameters[name].rows is None and parameters[name].cols is not None]
        choices = [(vectors[0],)] if list(flip) == vectors[:1] else []
        for names in [*choices, tuple(parameters)]:
            program = gradient_norm(self.scalar, names)
            interpreter = Interpreter(program, sizes_in_time(program, self.deadline), deadline=self.deadline)
            found = interpreter.limit(program.end)
            if found.payload is not None:
                self.interpreters[GRADIENT] = interpreter
                nodes = {k: parameters[k] if isinstance(v, Parameter) else v for k, v in program.nodes.items()}
                self.programs[GRADIENT] = Program(nodes, {"value": program.end})
                return (found.power, found.payload), names
        return None, ()

    def _concluded(self, power: Fraction, status: str, *premises: int) -> Proof:
        power = power * self.share
        if status != "definite":
            rule = "only the bound is known"
        elif len(premises) > 1:
            rule = (
                "E(S - ES)⁴ ≤ c E‖∇S‖⁴ and bounded moments of the gradient: |S| ≥ ε n^power with a probability that "
                "stays positive, and not more than a constant times it"
            )
        else:
            rule = "a limit that is not zero bounds from both sides"
        source = f"{ZYGMUND}; {MEANING}" if len(premises) > 1 else MEANING
        self._add(
            "conclusion", rule, source, premises or (len(self.steps),), WHOLE, self.name, power=power, status=status
        )
        return self._written()

    def _written(self) -> Proof:
        return Proof(tuple(self.steps), self.source, self.order, self.programs, self.interpreters, None)

    def _add(
        self, kind: Kind, rule: str, source: str, premises: Sequence[int], subject: str, shown: str, **more: Any
    ) -> int:
        number = len(self.steps) + 1
        self.steps.append(ProofStep(number, kind, rule, source, tuple(premises), subject, shown, **more))
        return number

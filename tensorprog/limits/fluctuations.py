"""Variances at infinite width by the Poincaré–Mehler formula.

For a function S of iid standard Gaussians θ, and θ_t = tθ + √(1-t²) θ' with an independent copy θ',

    Var S = ∫₀¹ E⟨∇S(θ), ∇S(θ_t)⟩ dt,

exactly, with weak derivatives: of S that holds φ' of a kinked φ, ∇S has point masses, and the integrand grows like
(1-t²)^{-1/2}; it is integrated over s, t = sin s. ∇S is one more derivative pass, and W_t x is in the language, so
that the integrand is a program: S twice, with parameters P and copies P* of correlation t, and the product of the two
gradients. Its limit is a power series in t.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import inf, pi

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tensorprog.errors import ProgramError
from tensorprog.limits.estimates import Estimate
from tensorprog.limits.evaluate import Evaluation, reachable
from tensorprog.limits.expectations import METHODS, SAMPLING
from tensorprog.limits.gaussian import UndecidedLimit
from tensorprog.limits.interpreter import Interpreter
from tensorprog.limits.leading import sizes_in_time
from tensorprog.limits.masses import Weak, jumping
from tensorprog.limits.pairs import every_parameter
from tensorprog.limits.scalars import Symbol
from tensorprog.limits.symbols import symbol_values
from tensorprog.limits.weights import COPIES
from tensorprog.passes.correlation import inner_product
from tensorprog.passes.gradient import Gradient, gradient
from tensorprog.program import Apply, Builder, Instruction, Program, Vector, ancestors
from tensorprog.program.instructions import renamed
from tensorprog.readings import check_data
from tensorprog.readings.patience import now

Array = NDArray[np.float64]
PATIENCE = 120.0
NODES = 16  # of the Gauss–Legendre rule in t
ROUGH = 8  # where the integrand is sampled, each t by itself, since factors are shared at one t
STAR = "*"


@dataclass(frozen=True)
class Fluctuation:
    """Var S = n^power (value + o(1)).

    error: of the value; the difference between quadratures in t with 16 and 8 nodes is included. method: the least
    exact way in which an expectation was taken. integrand: its limits at t = 0 and t = 1, between which the value lies;
    infinite at 1 where S holds a derivative that jumps.
    """

    power: Fraction
    value: float
    error: float
    method: str
    integrand: tuple[float, float]


def fluctuation(program: Program, data: ArrayLike, patience: float = PATIENCE) -> Fluctuation:
    """The infinite-width variance of a scalar program over the initialisation, by the Poincaré–Mehler formula.

    program: with one scalar output, such as the NTK, `tp.correlation(program, 0, 1)`. data: as in `tp.limit`.

    patience: seconds it may take.

    Raises ProgramError where a limit is undecided, or takes too long; DataError for data that do not fit.
    """
    if not isinstance(program, Program) or len(program.outputs) != 1 or program.slots:
        raise ProgramError("fluctuations are of a program with one scalar output, as tp.correlation(program, 0, d) has")
    array = check_data(program, data)
    both, copies = twice(program)
    deadline = now() + patience
    interpreter = Interpreter(both, sizes_in_time(both, deadline, _mixed(both, copies)), copies, deadline)
    found = interpreter.limit(both.end)
    if found.payload is None:
        raise UndecidedLimit("the integrand ⟨∇S(θ), ∇S(θ_t)⟩ has no positive limit at its leading power")
    given = symbol_values(interpreter, array)

    def at(t: Array | float) -> Estimate:
        symbols = {**given, COPIES: t}
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # told below
            return Evaluation(interpreter.equations, symbols, deadline=deadline)(found.payload)

    low = at(0.0)
    high = Estimate(inf, inf) if _is_singular(interpreter, found.payload) else at(1.0)
    sampled = METHODS[low.method] == SAMPLING
    integrals, method = [], max(low.method, high.method)
    for count in (ROUGH // 2, ROUGH) if sampled else (NODES // 2, NODES):
        places, weights = np.polynomial.legendre.leggauss(count)
        angles = (places + 1) * pi / 4
        t, weights = np.sin(angles), weights * np.cos(angles) * pi / 4
        parts = [at(one) for one in t] if sampled else [at(t)]
        values, errors = (
            np.concatenate([np.broadcast_to(x, count // len(parts)) for x in column])
            for column in zip(*((p.value, p.error) for p in parts), strict=True)
        )
        integrals.append((float(weights @ values), float(weights @ errors)))
        method = max(method, *(p.method for p in parts))
    (rough, _), (value, error) = integrals
    if not np.isfinite(value + error):
        raise UndecidedLimit(
            "the integrand is not finite for these data; a kink is met by an argument that does not vary"
        )
    return Fluctuation(found.power, value, error + abs(value - rough), METHODS[method], (low.value, high.value))


def _is_singular(interpreter: Interpreter, target: int) -> bool:
    """Whether point masses of the two copies meet as t → 1, where the integrand is infinite like (1-t²)^{-1/2}."""
    equations = interpreter.equations
    wanted = interpreter.space.variances.intersection(reachable(equations, [target]))
    nodes = (equations.nodes[x] for x in reachable(equations, sorted(wanted)))
    return any(isinstance(node, Symbol) and node.name == COPIES for node in nodes)


def _mixed(both: Program, copies: dict[str, str]) -> set[str]:
    """Nodes that read both a parameter and a copy: signs of the two do not flip independently."""
    found = set()
    for name in both.nodes:
        read = ancestors(both.nodes, [name])
        if read & copies.keys() and read & set(copies.values()):
            found.add(name)
    return found


def twice(program: Program) -> tuple[Program, dict[str, str]]:
    """⟨∇S(θ), ∇S(θ*)⟩ for a copy P* of every parameter P, and the copies by name."""
    whole = weak(every_parameter(program))
    builder = Builder(whole)
    target = whole.end

    def star(name: str) -> str:
        return name + STAR if name in whole.parameters else name

    nodes = {star(name): renamed(node, star) for name, node in whole.nodes.items()}
    names = builder.include(Program(nodes, whole.outputs))
    one, other = gradient(builder, target), gradient(builder, names[target])
    copy = Gradient({name: other.terms[name + STAR] for name in one.terms})
    product = inner_product(builder, one, copy) or builder.zero()
    return builder.build({"K": product}), {name + STAR: name for name in whole.parameters}


def weak(program: Program) -> Program:
    """The program with derivatives that jump marked, so that their own derivatives are weak ones."""
    nodes = dict[str, Instruction]()
    for name, node in program.nodes.items():
        nodes[name] = node
        kind = program.types[name]
        if isinstance(node, Apply) and isinstance(kind, Vector) and kind.width.growing:
            places = jumping(node.function, node.order)
            if places is None:
                what = f"{node.function.spec} at {name!r}, differentiated {sum(node.order)} times"
                raise UndecidedLimit(f"{what}, jumps across a curve or by what is no number; its variance is not known")
            if places:
                nodes[name] = Apply(Weak(node.function, node.order[0]), (0,), node.args)
    return Program(nodes, program.outputs)

"""`correlation`: the derivative correlations C^{D,d} of a program, again as a program.

C^{D,d}(x_0; x_1…x_d) = 1/(D! d!) ∇^{D+d}F(x_0) · ∇F(x_1) ⊗ … ⊗ ∇F(x_d) at η = 1 (Shem-Ur and Oz, arXiv 2401.04013,
Definition 3.1). The gradients are frozen; only the first factor is differentiated.

D = 0 is a Taylor coefficient of F, its last order taken by adjoints. D = 1 and D = 2 are Taylor coefficients of the
gradient of F: forward over reverse, so directions stay frozen without any bookkeeping.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import factorial, prod

from tensorprog.errors import OrderError, ProgramError
from tensorprog.passes.directions import Direction, FreeDirection, GradientDirection
from tensorprog.passes.gradient import Gradient, Term, adjoints, contract, gradient
from tensorprog.passes.taylor import Index, Taylor, below, minus
from tensorprog.program import Apply, Builder, Coefficient, Measure, Output, Program, Slot

MAX_D = 2
MAX_TOTAL = 16
MOST_NODES = 400_000


@dataclass(frozen=True, slots=True)
class Order:
    """An order (D, d) at points x_0…x_d: `base` is x_0, `directions` the distinct x_1…x_d with multiplicities."""

    D: int
    d: int
    points: tuple[int, ...]

    @property
    def base(self) -> int:
        return self.points[0]

    @property
    def directions(self) -> tuple[int, ...]:
        return tuple(sorted(set(self.points[1:])))

    @property
    def degrees(self) -> Index:
        return tuple(self.points[1:].count(point) for point in self.directions)

    @property
    def factor(self) -> Fraction:
        """From the Taylor coefficient Π t_a^{m_a} to 1/(D! d!) times the derivative."""
        return Fraction(prod(map(factorial, self.degrees)), factorial(self.d) * factorial(self.D))


def order_of(program: Program, D: int, d: int, points: Sequence[int] | None = None) -> Order:
    """Check an order against a program: its inputs, its outputs, its smoothness. Raises OrderError."""
    if not isinstance(program, Program):
        raise ProgramError(f"{program!r} is not a Program; pass what tp.trace returns")
    for letter, value in (("D", D), ("d", d)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise OrderError(f"{letter}={value!r} must be a nonnegative integer")
    if D > MAX_D:
        raise OrderError(f"D={D} is not supported; at most {MAX_D} slots of C^{{D,d}} can stay free")
    if D + d > MAX_TOTAL:
        raise OrderError(f"C^{{{D},{d}}} has D+d = {D + d}, at most {MAX_TOTAL} is supported; choose lower orders")
    chosen = tuple(range(d + 1)) if points is None else tuple(points)
    if any(isinstance(p, bool) or not isinstance(p, int) or p < 0 for p in chosen):
        raise OrderError(f"points={chosen} must be numbers of traced inputs, counted from 0")
    if len(chosen) != d + 1:
        raise OrderError(f"C^{{{D},{d}}} takes {d + 1} points x_0…x_{d}, {len(chosen)} were given: {chosen}")
    traced = len(program.points)
    if any(point not in program.points for point in chosen):
        raise OrderError(
            f"C^{{{D},{d}}} at points {chosen} needs {max(chosen) + 1} inputs, the program was traced with {traced}; "
            f"trace with inputs={max(chosen) + 1}, or repeat points, as in points={(0,) * (d + 1)}"
        )
    check_smoothness(program, D + d)
    return Order(D, d, chosen)


def check_smoothness(program: Program, total: int) -> None:
    """Raise OrderError when an activation has fewer than `total` derivatives."""
    for name, node in program.nodes.items():
        if isinstance(node, Apply) and node.function.smoothness is not None:
            available = node.function.smoothness - sum(node.order)
            if total > available:
                raise OrderError(
                    f"order D+d = {total} needs {total} derivatives, but {node.function.spec} at node {name!r} has "
                    f"{available} almost everywhere; use a smooth activation or orders with D+d <= {available}"
                )


def _check_size(program: Program, order: Order) -> None:
    """Raise OrderError for a program that would be too large to write.

    A node has a Taylor coefficient for each multi-index below the degrees, each a sum over ways to split the index:
    2.5 times as many terms for a further point, as measured; a squared norm pairs them.
    """
    share = len(program.nodes) / program.inputs
    pairs = 2 ** max(0, order.d - 2) if order.D else 1
    about = share * prod(1 + 1.5 * m for m in order.degrees) * pairs
    if about > MOST_NODES:
        raise OrderError(
            f"C^{{{order.D},{order.d}}} of this program would have about {about:.2g} nodes, at most {MOST_NODES} are "
            "written; choose lower orders, or repeat points"
        )


def correlation(program: Program, D: int, d: int, points: Sequence[int] | None = None) -> Program:
    """C^{D,d} of a traced program, as a program.

    Parameters
    ----------
    program: from `tp.trace`, with one output at each input.
    D, d: free and contracted slots; D at most 2.
    points: which traced inputs are x_0…x_d (repeats allowed); 0…d by default.

    Returns a program whose output is the value C^{0,d} for D = 0, the squared norm ‖C^{1,d}‖² for D = 1. For D = 2 its
    `free` nodes are a direction u (unit-variance coordinates) and its `slots` are C^{2,d} u, one entry a parameter.

    Raises OrderError for orders the program cannot have, naming the numbers.
    """
    order = order_of(program, D, d, points)
    _check_size(program, order)
    if D == 1:
        return norm_share(program, d, order.points, tuple(program.parameters))
    builder = Builder(program)
    target = program.target(order.base)
    if D == 0:
        return builder.build({"C": _scalar(builder, program, order, target)})
    gradients = gradient_coefficient(builder, program, order, target)
    scale = Coefficient(order.factor)
    slots = [
        Slot(name, tuple((c * scale, left, right) for c, left, right in terms))
        for name, terms in gradients.terms.items()
    ]
    if not slots:
        return builder.build({"C": Output(builder.zero(), measure=Measure.OPERATOR)})
    return builder.build({}, slots)


def norm_share(program: Program, d: int, points: Sequence[int] | None, parameters: Sequence[str]) -> Program:
    """What the free slot on some parameters contributes to ‖C^{1,d}‖², as a program of one squared norm."""
    builder, slot = _slot(program, d, points, parameters)
    return builder.build({"C squared": squared(squared_norm(builder, slot) or builder.zero())})


def slot_along_gradient(
    program: Program, d: int, points: Sequence[int] | None, y: int, parameters: Sequence[str]
) -> Program:
    """What the free slot on some parameters contributes to C^{1,d} ∇F(y), as a program of one value."""
    builder, slot = _slot(program, d, points, parameters)
    product = inner_product(builder, slot, gradient(builder, program.target(y)))
    return builder.build({"C": product or builder.zero()})


def _slot(
    program: Program, d: int, points: Sequence[int] | None, parameters: Sequence[str]
) -> tuple[Builder, Gradient]:
    """C^{1,d} on some parameters."""
    order = order_of(program, 1, d, points)
    builder = Builder(program)
    found = gradient_coefficient(builder, program, order, program.target(order.base))
    scale = Coefficient(order.factor)
    kept = {name: terms for name, terms in found.terms.items() if name in parameters}
    return builder, Gradient({name: tuple((c * scale, x, y) for c, x, y in terms) for name, terms in kept.items()})


def directions_of(builder: Builder, program: Program, order: Order) -> list[Direction]:
    """One gradient direction for each distinct point among x_1…x_d."""
    return [GradientDirection(gradient(builder, program.target(point))) for point in order.directions]


def squared_norm(builder: Builder, gradients: Gradient) -> str | None:
    """‖g‖² = Σ_P n^{-c_P} Σ_{jk} (left_j · left_k)(right_j · right_k), in unit-variance coordinates."""
    parts: list[tuple[Coefficient, str | None]] = []
    for name, terms in gradients.terms.items():
        for j, one in enumerate(terms):
            for k in range(j + 1):
                parts.append((Coefficient(Fraction(1 + (k < j))), contract(builder, name, one, terms[k])))
    return builder.lincomb(parts)


def squared(node: str) -> Output:
    """A node that is a squared norm as an output."""
    return Output(node, measure=Measure.SQUARED_NORM)


def inner_product(builder: Builder, one: Gradient, other: Gradient) -> str | None:
    """Σ_P n^{-c_P} Σ_{jk} (left_j · left_k)(right_j · right_k), over the parameters of both."""
    parts = [
        contract(builder, name, left, right)
        for name, terms in one.terms.items()
        for left in terms
        for right in other.terms.get(name, ())
    ]
    return builder.add(*parts)


def _scalar(builder: Builder, program: Program, order: Order, target: str) -> str:
    if order.d == 0:
        return target
    expansion = Taylor(builder, [target], directions_of(builder, program, order), order.degrees)
    expansion.expand([index for index in below(order.degrees) if index != order.degrees])
    top = expansion.top(adjoints(builder, target), order.degrees)
    return builder.scaled(Coefficient(order.factor), top) or builder.zero()


def gradient_coefficient(builder: Builder, program: Program, order: Order, target: str) -> Gradient:
    """The coefficient of Π t_a^{m_a} (times a free direction for D = 2) in ∇F(x_0), as sums of outer products."""
    directions: list[Direction] = directions_of(builder, program, order)
    index = order.degrees
    if order.D == 2:
        directions, index = [*directions, FreeDirection()], (*index, 1)
    plain = gradient(builder, target)
    expansion = Taylor(builder, plain.sides, directions, index)
    expansion.expand(below(index))
    found: dict[str, tuple[Term, ...]] = {}
    for name, terms in plain.terms.items():
        parts: list[Term] = []
        for scale, left, right in terms:
            for part in below(index) if right is not None else (index,):
                moved = expansion.coefficient(left, part)
                other = None if right is None else expansion.coefficient(right, minus(index, part))
                if moved is not None and (right is None or other is not None):
                    parts.append((scale, moved, other))
        if parts:
            found[name] = tuple(parts)
    return Gradient(found)

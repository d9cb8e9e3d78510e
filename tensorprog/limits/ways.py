"""Scalars whose limits decide an exponent, the cheap ones first.

For D ≤ 1 a limit of C^{0,d} itself, or of ‖C^{1,d}‖², bounds from both sides, and so does that of ‖∇C^{0,d}‖² where a
flip of signs makes the mean zero. What bounds from below is enough where it reaches the upper bound: one parameter's
share of these norms, and the size along a gradient, with y one of the points,

    ‖∇_P C^{0,d}‖ ≥ |∇_P C^{0,d} · ∇_P F(y)|/‖∇_P F(y)‖,    ‖C^{1,d}‖ ≥ |(C^{1,d})_P · ∇_P F(y)|/‖∇_P F(y)‖,
    ‖C^{2,d}‖ ≥ ‖C^{2,d} ∇F(y)‖/‖∇F(y)‖ ≥ ‖(C^{2,d} ∇F(y))_P‖/‖∇F(y)‖.

A norm is a square, with twice the factors of what is taken along a gradient: its limit is much dearer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from tensorprog.errors import ProgramError
from tensorprog.limits.gaussian import UndecidedLimit
from tensorprog.limits.pairs import every_parameter
from tensorprog.passes import correlation
from tensorprog.passes.correlation import inner_product, norm_share, slot_along_gradient, squared_norm
from tensorprog.passes.gradient import Gradient, gradient
from tensorprog.program import Builder, Program
from tensorprog.readings import Entry
from tensorprog.readings.derive import kinked
from tensorprog.readings.symmetry import odd_flip

HALF = Fraction(1, 2)
PART = 1 / 3
"""Of the time that is left, what a norm may take while there are cheaper ways."""


@dataclass(frozen=True)
class Way:
    """A scalar with a limit, or the ratio of one to the length of a gradient.

    shown: what the limit is of. rule: why it decides. share: the power of n of the size for one of `shown`. both:
    whether it bounds from both sides. part: of the time that is left. ray: ‖∇F(y)‖², to divide by the root of it; then
    `shown` is factor · scalar^root/ray^{1/2}, in absolute value.
    """

    shown: str
    rule: str
    scalar: Program
    share: Fraction = Fraction(1)
    both: bool = False
    part: float = 1.0
    ray: Program | None = None
    factor: float = 1.0
    root: Fraction = Fraction(1)


def ways(program: Program, entry: Entry) -> Iterator[Way]:
    """Ways to decide an entry of a table of bounds, to be tried in turn.

    Ends with an UndecidedLimit where a gradient by all Gaussians, frozen ones too, is no program.
    """
    name = name_of(entry)
    if entry.D == 2:
        yield from _hessians(program, entry, name)
    elif entry.D == 1:
        yield from _gradients(program, entry, name)
    else:
        scalar = correlation(program, 0, entry.d, entry.points)
        if is_odd(scalar):
            try:
                yield from _fluctuations(program, scalar, entry, name)
            except ProgramError as error:
                raise UndecidedLimit(f"{name} has no gradient: {error}") from None
        else:
            yield Way(name, "the limit is not zero", scalar, both=True)


def name_of(entry: Entry) -> str:
    return f"C^{{{entry.D},{entry.d}}}"


def _fluctuations(program: Program, scalar: Program, entry: Entry, name: str) -> Iterator[Way]:
    """‖∇S‖ for S = C^{0,d} of mean zero, by one vector of parameters before all."""
    rule = "zero mean by a sign flip, and the gradient norm has a limit"
    every = tuple(scalar.parameters)
    vectors = vectors_of(scalar) if entry.log_power == 0 else []
    for names in (*vectors, every):
        by = "" if names == every else f"_{names[0]} "
        square = gradient_norm(scalar, names)
        yield Way(f"‖∇{by}{name}‖²", rule, square, HALF, both=names == every, part=PART if vectors else 1.0)
    rule = "zero mean by a sign flip, and the gradient norm is at least that along a gradient"
    for names, y in product(vectors, _points(entry)):
        output = program.at(y)
        by, ray = names[0], f"∇_{names[0]} F(x_{entry.points.index(y)})"
        yield Way(
            f"|∇_{by} {name}·{ray}|/‖{ray}‖",
            rule,
            gradient_product(scalar, output, names),
            ray=gradient_norm(output, names),
        )


def _gradients(program: Program, entry: Entry, name: str) -> Iterator[Way]:
    """‖C^{1,d}‖, whole, along gradients, and by its shares."""
    whole = correlation(program, 1, entry.d, entry.points)
    yield Way(f"‖{name}‖²", "the limit is not zero", whole, HALF, both=True, part=PART if entry.log_power == 0 else 1.0)
    if entry.log_power != 0:
        return
    rule = f"‖{name}‖ is at least that of one slot"
    slots = _slots(program, entry.points[0])
    for y in _points(entry):
        ray, names = f"∇_{slots[0]} F(x_{entry.points.index(y)})", slots[:1]
        scalar = slot_along_gradient(program, entry.d, entry.points, y, names)
        if is_odd(scalar):
            break
        ray_norm = norm_share(program, 0, (y,), names)
        yield Way(f"|({name})_{slots[0]}·{ray}|/‖{ray}‖", f"{rule} along a gradient", scalar, ray=ray_norm)
    for slot in slots:
        yield Way(f"‖({name})_{slot}‖²", rule, norm_share(program, entry.d, entry.points, [slot]), HALF)


def _hessians(program: Program, entry: Entry, name: str) -> Iterator[Way]:
    """‖C^{2,d} ∇F(y)‖/‖∇F(y)‖, for d ≥ 2 with the other slot on one vector of parameters first.

    C^{2,d}(x_0; x_1…x_d)·∇F(y) = (d+1)/2 C^{1,d+1}(x_0; x_1…x_d, y), and ‖∇F(y)‖² = C^{0,1}(y; y).
    """
    every = tuple(program.parameters)
    for names, y in product([*vectors_of(program), every] if entry.d > 1 else [every], _points(entry)):
        ray = f"∇F(x_{entry.points.index(y)})"
        along = f"{name} {ray}" if names == every else f"({name} {ray})_{names[0]}"
        yield Way(
            f"‖{along}‖/‖{ray}‖",
            f"‖{name}‖ is at least that along a gradient",
            norm_share(program, entry.d + 1, (*entry.points, y), names),
            ray=correlation(program, 0, 1, (y, y)),
            factor=(entry.d + 1) / 2,
            root=HALF,
        )


def gradient_norm(scalar: Program, parameters: Sequence[str]) -> Program:
    """‖∇_P S‖² of a scalar program by the unit-variance Gaussians of these parameters, as a program."""
    builder = Builder(every_parameter(scalar))
    target = scalar.end
    square = squared_norm(builder, _by(gradient(builder, target), parameters))
    return builder.build({"squared norm": square or builder.zero()})


def gradient_product(one: Program, other: Program, parameters: Sequence[str]) -> Program:
    """∇_P S · ∇_P T of two scalar programs made from one, by the unit-variance Gaussians of these parameters."""
    s, t = one.end, other.end
    builder = Builder(every_parameter(Program({**one.nodes, **other.nodes}, {"S": s, "T": t})))
    left, right = gradient(builder, s), gradient(builder, t)
    return builder.build({"product": inner_product(builder, _by(left, parameters), right) or builder.zero()})


def _by(found: Gradient, parameters: Sequence[str]) -> Gradient:
    return Gradient({name: terms for name, terms in found.terms.items() if name in parameters})


def vectors_of(program: Program) -> list[tuple[str, ...]]:
    """One vector of parameters, of which derivatives are cheap; none where the program has none, or no others."""
    found = [k for k, node in program.parameters.items() if node.rows is None and node.cols is not None]
    return [(name,) for name in found[:1] if len(program.parameters) > 1]


def _slots(program: Program, base: int) -> list[str]:
    """Trainable parameters, those with the least in their part of the gradient first."""
    trained = [name for name, node in program.parameters.items() if node.trainable]
    return sorted(trained, key=lambda name: len(norm_share(program, 0, (base,), [name]).nodes))


def _points(entry: Entry) -> tuple[int, ...]:
    """Points whose gradients may be directions: x_0 last."""
    return tuple(dict.fromkeys((*entry.points[1:], entry.points[0])))


def is_odd(scalar: Program) -> bool:
    """Whether a flip of signs turns S into -S, and S has a gradient without jumps."""
    target = scalar.end
    flip = odd_flip(scalar.nodes, [target])
    return flip is not None and not kinked(scalar.nodes, scalar.parameters)

"""`derive`: the exponent of every derivative correlation of a program, with its derivation.

The decision procedure: the bound of the norm calculus; where D = 0, d is even and a sign flip of some parameters P
makes the mean of S = C^{0,d}, given all others, exactly zero, the bound of its gradient with respect to P, by the
Poincaré inequality Var(S | others) ≤ E[‖∇_P S‖² | others], with

    ∇S = ∇^{d+1}F(x_0)·g_1…g_d + Σ_a ∇²F(x_a)·(∇^d F(x_0)·Π_{b≠a} g_b).

For a net whose functions of vectors are linear also the size of the correlation's program, written out (`spread`). All
are upper bounds, and the least one counts; where it assumes that scalars keep away from poles (`assumptions`) it is an
"assumed bound", and an order without a bound is "refused". Correlations that vanish identically are definite. Limits
make others definite, whole or in the power of n (`limits.definite`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import partial
from math import inf

from tqdm import tqdm

from tensorprog.errors import ExpressionError, OrderError, ProgramError
from tensorprog.exponents import Exponent, exact
from tensorprog.passes import correlation
from tensorprog.passes.correlation import MAX_D, Order, order_of
from tensorprog.passes.gradient import Gradient, adjoints, gradient
from tensorprog.program import (
    ABC,
    GAUSSIAN,
    Apply,
    Builder,
    Instruction,
    LinComb,
    Moment,
    Parameter,
    Preset,
    Program,
    Scalar,
    Vector,
    ancestors,
    operands,
)
from tensorprog.program.scales import rescaled
from tensorprog.program.types import Type
from tensorprog.readings.assumptions import Assumption, assumptions
from tensorprog.readings.entry import Entry
from tensorprog.readings.judgement import Counts, Judgement, largest
from tensorprog.readings.kinds import Functional, Kind, KnownDirection, UnitDirection, less, parts
from tensorprog.readings.norms import NormCalculus
from tensorprog.readings.sizes import UnboundedSize, node_sizes
from tensorprog.readings.spread import spread
from tensorprog.readings.symmetry import odd_flip, parities
from tensorprog.readings.table import Table

MAX_d = 4
MAX_TOTAL = 5
MAX_NODES = 400
"""Of a correlation's program that is written out."""
BAR = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
Scales = Preset | ABC | Mapping[str, object] | None


def all_orders(program: Program, points: Sequence[int] | None = None) -> list[tuple[int, int]]:
    """Every (D, d) with D ≤ 2, d ≤ 4, D+d ≤ 5 that the smoothness of the activations and given points allow."""
    smooth = [
        node.function.smoothness - sum(node.order)
        for node in program.nodes.values()
        if isinstance(node, Apply) and node.function.smoothness is not None
    ]
    total = min([MAX_TOTAL, *smooth])
    most = MAX_d if points is None else len(points) - 1
    return [(D, d) for D in range(MAX_D + 1) for d in range(most + 1) if D + d <= total]


def reparametrised(program: Program, abc: Scales) -> Program:
    """The program with other abc exponents: one preset for all weights, or a mapping weight -> preset or abc.

    Raises ExpressionError for names that are no parameters.
    """
    if abc is None:
        return program
    table = abc if isinstance(abc, Mapping) else dict.fromkeys(program.parameters, abc)
    unknown = [name for name in table if name not in program.parameters]
    if unknown:
        raise ExpressionError(
            f"the abc table names {', '.join(map(repr, unknown))}; the parameters are {', '.join(program.parameters)}"
        )
    nodes = {
        name: rescaled(node, name, table[name]) if isinstance(node, Parameter) and name in table else node
        for name, node in program.nodes.items()
    }
    return Program(nodes, program.outputs, program.slots)


def checked_pairs(orders: Iterable[tuple[int, int]], name: str = "orders") -> list[tuple[int, int]]:
    """The orders as pairs, or an OrderError that names them and shows the form."""
    try:
        found = [(D, d) for D, d in orders if not isinstance(D, str)]
    except (TypeError, ValueError):
        found = []
    if not found:
        raise OrderError(f"{name}={orders!r} is no list of pairs (D, d); write it as [(0, 2), (1, 1)], or leave it out")
    return found


def derive(
    program: Program,
    orders: Sequence[tuple[int, int]] | None = None,
    points: Sequence[int] | None = None,
    kappa: int | float | Fraction = 0,
    abc: Scales = None,
    *,
    progress: bool = False,
) -> Table:
    """Upper bounds on the powers of n of derivative correlations; parameters as in `tp.derive`, without data.

    An order that the program cannot have, or that nothing bounds, is refused in the table, with the reason; OrderError
    says so where that is all of them. Raises ProgramError for parameters that are not Gaussian.
    """
    if not isinstance(program, Program):
        raise ProgramError(f"{program!r} is not a Program; pass what tp.trace returns")
    check_gaussian(program)
    program = reparametrised(program, abc)
    scale = exact(kappa)
    wanted = list(dict.fromkeys(all_orders(program, points) if orders is None else checked_pairs(orders)))
    checked: list[Order] = []
    refused: dict[tuple[int, int], OrderError] = {}
    for D, d in wanted:
        try:
            checked.append(_order(program, D, d, points))
        except OrderError as error:
            if not all(type(x) is int for x in (D, d)):
                raise
            refused[D, d] = error
    if not checked:
        raise next(iter(refused.values()))
    analysis = Analysis(program, sorted({point for order in checked for point in order.points}))
    entries: list[Entry] = []
    for order in tqdm(checked, desc="deriving", delay=2, disable=None if progress else True, bar_format=BAR):
        try:
            entries.append(analysis.entry(order, scale))
        except UnboundedSize as error:
            refused[order.D, order.d] = error
    if not entries:
        raise next(iter(refused.values()))
    kept = [Entry.refused(D, d, points, str(refused[D, d])) for D, d in wanted if (D, d) in refused]
    return Table(tuple(entries), scale, tuple(kept))


def _order(program: Program, D: int, d: int, points: Sequence[int] | None) -> Order:
    """The order at the first d + 1 of the points; raises OrderError."""
    if points is not None and isinstance(d, int) and len(points) < d + 1:
        raise OrderError(f"C^{{{D},{d}}} takes {d + 1} points, points={tuple(points)} has {len(points)}")
    return order_of(program, D, d, None if points is None else points[: d + 1])


class Analysis:
    """A program with the adjoints of some of its outputs, its sizes, and the kinds of its gradient directions.

    symmetric: whether sign symmetries may make scalars smaller.
    """

    def __init__(self, program: Program, points: Sequence[int], symmetric: bool = True) -> None:
        self.program = program
        self.builder = Builder(program)
        self.gradients: dict[int, Gradient] = {}
        for point in points:
            target = program.target(point)
            self.gradients[point] = gradient(self.builder, target, adjoints(self.builder, target))
        outputs = frozenset(output.node for output in program.outputs.values())
        skip = outputs if symmetric else self.builder.nodes
        improved = partial(_improved, self.builder.nodes, self.builder.types, skip, inf)
        self.sizes = node_sizes(self.builder.nodes, self.builder.types, improved)
        self.linear = not any(map(self._bends, program.nodes))
        self._assumed: dict[tuple[str, ...], tuple[Assumption, ...]] = {}
        self._small_ones: dict[tuple[int, tuple[int, ...]], Program | None] = {}
        targets = [program.target(point) for point in points]
        self.flip = odd_flip(self.builder.nodes, targets) if symmetric else None
        self.parity = {} if self.flip is None else parities(self.builder.nodes, self.flip)
        parameters = program.parameters
        self.weighted = UnitDirection({k: -p.a - p.c / 2 for k, p in parameters.items() if p.trainable})
        self.plain = UnitDirection({k: -p.a for k, p in parameters.items() if k in (self.flip or ())}, "e")
        kinds: list[Kind] = []
        self.kind_of: dict[int, int] = {}
        for point in points:
            kind = self._direction(self.gradients[point])
            if kind not in kinds:
                kinds.append(kind)
            self.kind_of[point] = kinds.index(kind)
        self.calculus = self._calculus([*kinds, self.weighted, self.plain])

    def entry(self, order: Order, kappa: Fraction) -> Entry:
        """The decision for one order."""
        target = self.program.target(order.base)
        bound = self.calculus.scalar(target, self._counts(order, weighted=order.D))
        reasons = [] if bound is None else [bound]
        flips: frozenset[str] = frozenset()
        if order.D == 0 and order.d % 2 == 0:
            flips = self.flip or frozenset()
            jumps = kinked(self.program.nodes, flips, order.d)
            if flips and not jumps and (fluctuation := self._fluctuation(order)) is not None:
                reasons.append(fluctuation)
        written = self._written_out(order) if bound is not None and self.linear else None
        reasons += [] if written is None else [written]
        best = min(reasons, key=lambda j: j.bound) if reasons else None
        shift = kappa * (order.D + order.d - 1)
        labels = tuple(kind.label for kind in self.calculus.kinds)
        decisive = flips if best is not bound and best is not written else frozenset()
        return Entry.from_judgement(order, best, shift, labels, decisive, self.assumptions(order))

    def _written_out(self, order: Order) -> Judgement | None:
        """The size of the program of C^{0,d}, or of ‖C^{1,d}‖², where scalars that a flip makes odd are small.

        It is sharp where derivatives are products of such scalars, as all of a net without nonlinearity are.
        """
        if order.D == 2:
            return None
        whole = self._small(order.D, order.points)
        if whole is None:
            return None
        written = spread(whole)
        size, share = proved_sizes(written)[written.end], Fraction(1, 1 + order.D)
        rule = "the program written out: averages that a sign flip makes odd, by Poincaré"
        bound = Exponent(size.power * share, size.log * share if size.log != inf else inf)
        return Judgement(bound, rule, self.program.target(order.base), self._counts(order, weighted=order.D))

    def _small(self, D: int, points: tuple[int, ...]) -> Program | None:
        """The program of a correlation where it, and those along fewer gradients, are small."""
        if (D, points) not in self._small_ones:
            whole = None
            if len(points) == 1 or self._small(D, points[:-1]) is not None:
                whole = correlation(self.program, D, len(points) - 1, points)
            self._small_ones[D, points] = None if whole is None or len(whole.nodes) > MAX_NODES else whole
        return self._small_ones[D, points]

    def assumptions(self, order: Order) -> tuple[Assumption, ...]:
        """What the bounds of correlations at these points assume."""
        targets = tuple(self.program.target(point) for point in sorted(set(order.points)))
        if targets not in self._assumed:
            wanted = ancestors(self.program.nodes, targets)
            self._assumed[targets] = assumptions(self.program.nodes, self.program.types, self.sizes, wanted)
        return self._assumed[targets]

    def _bends(self, name: str) -> bool:
        """Whether a node is a function of vectors with a second derivative, or a kink."""
        node = self.program.nodes[name]
        if not isinstance(node, Apply) or not isinstance(self.program.types[name], Vector):
            return False
        pairs = [(i, j) for i in range(len(node.args)) for j in range(i + 1)]
        seconds = [tuple(k + (a == i) + (a == j) for a, k in enumerate(node.order)) for i, j in pairs]
        return node.function.smoothness is not None or not all(map(node.function.is_zero, seconds))

    def _counts(self, order: Order, weighted: int = 0, plain: int = 0) -> Counts:
        counts = [0] * len(self.calculus.kinds)
        for point in order.points[1:]:
            counts[self.kind_of[point]] += 1
        counts[-2], counts[-1] = weighted, plain
        return tuple(counts)

    def _fluctuation(self, order: Order) -> Judgement | None:
        """The exponent of ‖∇S‖, S = C^{0,d}, over the parameters that the flip changes, trainable or not."""
        base = self.program.target(order.base)
        counts = self._counts(order)
        terms = [self.calculus.scalar(base, self._counts(order, plain=1))]
        for point in sorted(set(order.points[1:])):
            i = self.kind_of[point]
            rest = less(counts, tuple(int(i == j) for j in range(len(counts))))
            moved = self._direction(self.gradients[order.base], rest)
            terms.append(self._calculus([moved, self.plain]).scalar(self.program.target(point), (1, 1)))
        best = largest(terms)
        return best and best.via("zero mean and Poincaré: the gradient norm", base, counts, best.bound)

    def _direction(self, found: Gradient, along: Counts | None = None) -> KnownDirection:
        """Sizes of the outer products in a gradient, or in its coefficient along other gradients."""
        pairs: dict[str, frozenset[tuple[Functional, Functional | None]]] = {}
        for name, terms in found.terms.items():
            sizes: set[tuple[Functional, Functional | None]] = set()
            for coefficient, left, right in terms:
                for part in [None] if along is None else parts(along) if right else [along]:
                    one = self._size(left, part)
                    other = None if right is None else self._size(right, less(along, part) if along and part else None)
                    if one is not None and (right is None or other is not None):
                        sizes.add((one.shift(coefficient.power), other))
            if sizes:
                pairs[name] = frozenset(sizes)
        odd = int(self.flip is not None)
        return KnownDirection(pairs, odd) if along is None else KnownDirection(pairs, odd * (1 + sum(along)) % 2, "y")

    def _size(self, name: str, counts: Counts | None) -> Functional | None:
        parity = self.parity.get(name, 0)
        if counts is None:
            return Functional(self.sizes[name], parity)
        judged = self.calculus.known(name, counts)
        if judged is None:
            return None
        return Functional(judged.bound, parity ^ (sum(counts) * int(self.flip is not None) % 2))

    def _calculus(self, kinds: Sequence[Kind]) -> NormCalculus:
        return NormCalculus(self.builder.nodes, self.builder.types, kinds, self.sizes, self.parity)


def _improved(
    nodes: Mapping[str, Instruction],
    types: Mapping[str, Type],
    outputs: Collection[str],
    deadline: float,
    name: str,
    size: Exponent,
    sizes: Mapping[str, Exponent],
) -> Exponent:
    """A scalar, an adjoint too, that a flip makes odd is as small as its gradient along the flipped parameters."""
    skip = name in outputs or not isinstance(nodes[name], LinComb | Moment)
    flip = None if skip or not isinstance(types[name], Scalar) else odd_flip(nodes, [name])
    if flip is None:
        return size
    wanted = ancestors(nodes, [name])
    below = {k: v for k, v in nodes.items() if k in wanted}
    if kinked(below, flip):
        return size
    plain = UnitDirection({k: -v.a for k, v in below.items() if isinstance(v, Parameter) and k in flip}, "e")
    judged = NormCalculus(below, types, [plain], {**sizes, name: size}, deadline=deadline).scalar(name, (1,))
    return size if judged is None else min(size, judged.bound)


def check_gaussian(program: Program) -> None:
    """Raise ProgramError for parameters of another law: bounds and limits are those of Gaussian entries."""
    for name, parameter in program.parameters.items():
        if parameter.law != GAUSSIAN:
            raise ProgramError(
                f"exponents and limits are derived for Gaussian entries, those of {name!r} are {parameter.law}; drop "
                'its law=, or only sample the program, by the dense reading: tp.sample(…, method="dense")'
            )


def proved_sizes(program: Program, skip: Collection[str] = (), deadline: float = inf) -> dict[str, Exponent]:
    """Size classes of all nodes of any program; scalars that a sign flip makes odd are improved, but those to skip.

    Raises OutOfPatience after the deadline, in the time of `patience.now`.
    """
    check_gaussian(program)
    improved = partial(_improved, program.nodes, program.types, skip, deadline)
    return node_sizes(program.nodes, program.types, improved, deadline)


def kinked(nodes: Mapping[str, Instruction], flipped: Collection[str], further: int = 0) -> bool:
    """Whether a scalar that takes `further` derivatives of these nodes may jump as the flipped parameters move."""
    moved = set(flipped)
    for name, node in nodes.items():
        if any(x in moved for x in operands(node)):
            moved.add(name)
            if isinstance(node, Apply) and sum(node.order) + further + 2 > (node.function.smoothness or inf):
                return True
    return False

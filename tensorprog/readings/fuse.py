"""Finding what can be done in bulk: averages over the same vectors, and sums of multiples of the same vectors.

Values are those of the instructions up to rounding. A program with too few of them for a gemm to pay stays as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tensorprog.errors import ProgramError
from tensorprog.program import Coefficient, Instruction, LinComb, MatMul, Moment, Multiply, Scalar, Vector, operands
from tensorprog.program.types import Type, Width
from tensorprog.readings.operations import Blend, Gram, Operation, Stack, Total, Weights

PAIRS = 16  # averages from which on a Gram matrix is formed
FILLED = 0.25  # part of it that must be wanted
TERMS = 8  # multiples of vectors, or products of scalars, from which on a sum is a matrix product

Term = tuple[Coefficient, tuple[str, ...], str | None]
"""coefficient · Π scalars · vector"""


@dataclass(frozen=True, eq=False)
class Fusion:
    """Operations in topological order; places of scalars (0 is that of the constant 1); rows of vectors in families."""

    nodes: Mapping[str, Operation]
    places: Mapping[str, int]
    families: tuple[tuple[Width, tuple[str, ...]], ...]
    rows: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Sum:
    """A linear combination: terms of different vectors, or of none, and what is left of it as it was."""

    terms: tuple[Term, ...]
    rest: LinComb | None

    @property
    def scalars(self) -> list[str]:
        return [x for _, scalars, _ in self.terms for x in scalars]

    @property
    def vectors(self) -> list[str]:
        return [x for _, _, x in self.terms if x is not None]


def fuse(nodes: Mapping[str, Instruction], types: Mapping[str, Type], targets: Collection[str]) -> Fusion | None:
    """The program that computes the targets, fused; None where nothing is worth it."""
    drafts = _with_sums(nodes, types, targets)
    order = _Order(nodes, types, drafts)
    grams, sums = order.grams(), order.blends()
    totals = [name for name, draft in drafts.items() if isinstance(draft, Sum) and isinstance(types[name], Scalar)]
    if not (grams or sums or totals):
        return None
    return _Assembly(types, drafts, order, grams, sums, targets).fusion()


def _operands(draft: Instruction | Sum) -> tuple[str, ...]:
    if isinstance(draft, Sum):
        return (*draft.vectors, *draft.scalars, *(operands(draft.rest) if draft.rest else ()))
    return operands(draft)


def _with_sums(
    nodes: Mapping[str, Instruction], types: Mapping[str, Type], targets: Collection[str]
) -> dict[str, Instruction | Sum]:
    """The nodes that the targets need when long linear combinations read products' factors instead of the products."""
    uses = Counter(targets)
    elsewhere = Counter(targets)  # uses by anything but long sums
    for node in nodes.values():
        uses.update(operands(node))
        if not isinstance(node, LinComb) or len(node.terms) < TERMS:
            elsewhere.update(operands(node))
    own = {name for name, node in nodes.items() if isinstance(node, MatMul)}  # of one sum only: would keep sums apart

    def factors(name: str) -> tuple[str, ...]:
        """A product that long sums alone read, or one reader, as its factors; scalar factors likewise."""
        found, left = [], [name]
        while left:
            x = left.pop()
            node = nodes[x]
            whole = (uses[x] > 1 and elsewhere[x]) or (x != name and not isinstance(types[x], Scalar))
            if isinstance(node, Multiply) and not whole:
                left += reversed(node.args)
            else:
                found.append(x)
        return tuple(found)

    def split(node: LinComb, scalar: bool) -> Instruction | Sum:
        terms: list[Term] = []
        rest: list[tuple[Coefficient, str]] = []
        seen = set(own)
        for coefficient, name in node.terms:
            parts = factors(name)
            scalars = tuple(x for x in parts if isinstance(types[x], Scalar))
            vectors = [x for x in parts if not isinstance(types[x], Scalar)]
            if scalar:
                terms.append((coefficient, scalars, None))
            elif scalars and len(vectors) == 1 and vectors[0] not in seen:
                seen.add(vectors[0])
                terms.append((coefficient, scalars, vectors[0]))
            else:
                rest.append((coefficient, name))
        return Sum(tuple(terms), LinComb(tuple(rest)) if rest else None) if len(terms) >= TERMS else node

    wanted = set(targets)
    found: list[tuple[str, Instruction | Sum]] = []
    for name, node in reversed(list(nodes.items())):
        if name in wanted:
            draft = split(node, isinstance(types[name], Scalar)) if isinstance(node, LinComb) else node
            wanted.update(_operands(draft))
            found.append((name, draft))
    return dict(reversed(found))


class _Order:
    """When a node can be computed: products with matrices on the way to it, then averages and sums since."""

    def __init__(
        self, nodes: Mapping[str, Instruction], types: Mapping[str, Type], drafts: Mapping[str, Instruction | Sum]
    ) -> None:
        self.types, self.drafts = types, drafts
        self.position = {name: i for i, name in enumerate(nodes)}
        self.stage: dict[str, int] = {}
        self.level: dict[str, int] = {}
        for name, draft in drafts.items():
            before = _operands(draft)
            self.stage[name] = max((self.stage[x] for x in before), default=0) + isinstance(draft, MatMul)
            self.level[name] = max((self.level[x] for x in before), default=0) + self._grouped(name)

    def _grouped(self, name: str) -> bool:
        draft = self.drafts[name]
        if isinstance(draft, Moment):
            return len(draft.args) == 2 and all(isinstance(self.types[x], Vector) for x in draft.args)
        return isinstance(draft, Sum) and isinstance(self.types[name], Vector)

    def _classes(self, kind: type[Moment] | type[Sum]) -> list[list[str]]:
        """Groupable nodes of one kind that can be computed at the same time."""
        found: dict[tuple[int, int], list[str]] = {}
        for name, draft in self.drafts.items():
            if isinstance(draft, kind) and self._grouped(name):
                found.setdefault((self.stage[name], self.level[name]), []).append(name)
        return list(found.values())

    def pair(self, name: str) -> tuple[str, str]:
        """The vectors of an average, the later one first."""
        one, other = _operands(self.drafts[name])
        return (one, other) if self.position[one] >= self.position[other] else (other, one)

    def grams(self) -> list[list[str]]:
        """Averages that are done together."""
        found = []
        for names in self._classes(Moment):
            pairs = {name: self.pair(name) for name in names}
            ends = {name: [("row", one), ("column", other)] for name, (one, other) in pairs.items()}
            for group in connected(names, ends.__getitem__):
                rows, cols = ({pairs[name][side] for name in group} for side in (0, 1))
                if len(group) >= max(PAIRS, FILLED * len(rows) * len(cols)):
                    found.append(group)
        return found

    def blends(self) -> list[list[str]]:
        """Sums over the same vectors that are done together."""
        found: list[list[str]] = []
        sums = {name: draft for name, draft in self.drafts.items() if isinstance(draft, Sum)}
        for names in self._classes(Sum):
            groups: dict[frozenset[str], list[str]] = {}
            for name in names:
                groups.setdefault(frozenset(sums[name].vectors), []).append(name)
            found += groups.values()
        return found

    def key(self, name: str, grouped: bool) -> tuple[int, bool, int, bool, int]:
        """Sorts the nodes topologically, groups together, products with matrices in the order of the program."""
        if isinstance(self.drafts[name], MatMul):
            return self.stage[name], False, 0, False, self.position[name]
        return self.stage[name], True, self.level[name], not grouped, self.position[name]


def connected(items: Iterable[str], ends: Callable[[str], Sequence[Hashable]]) -> list[list[str]]:
    """Items in classes: two that have an end in common are in one."""
    parent: dict[Hashable, Hashable] = {}

    def root(x: Hashable) -> Hashable:
        parent.setdefault(x, x)
        while parent[x] != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        return x

    kept = list(items)
    for item in kept:
        first, *others = map(root, ends(item))
        for other in others:
            parent[root(other)] = root(first)
    found: dict[Hashable, list[str]] = {}
    for item in kept:
        found.setdefault(root(ends(item)[0]), []).append(item)
    return list(found.values())


class _Assembly:
    """Operations written down, with places for scalars and families of vectors."""

    def __init__(
        self,
        types: Mapping[str, Type],
        drafts: Mapping[str, Instruction | Sum],
        order: _Order,
        grams: Sequence[list[str]],
        blends: Sequence[list[str]],
        targets: Collection[str],
    ) -> None:
        self.types, self.drafts, self.order = types, drafts, order
        self.groups = {group[0]: group for group in [*grams, *blends]}
        members = {name: group[0] for group in self.groups.values() for name in group}
        self.sequence = list(
            dict.fromkeys(
                members.get(name, name) for name in sorted(drafts, key=lambda x: order.key(x, grouped=x in members))
            )
        )
        when = {name: i for i, first in enumerate(self.sequence) for name in self.groups.get(first, [first])}
        self.read = set(targets)
        scalars: dict[str, None] = {}
        sums = {name: draft for name, draft in drafts.items() if isinstance(draft, Sum)}
        for total in sums.values():
            scalars.update(dict.fromkeys(total.scalars))
            self.read.update(operands(total.rest) if total.rest else ())
        for name, draft in drafts.items():
            if not isinstance(draft, Sum) and name not in members:
                self.read.update(operands(draft))
        scalars.update(dict.fromkeys(name for group in grams for name in group))
        self.places = {name: 1 + i for i, name in enumerate(scalars)}
        lists = [dict.fromkeys(order.pair(name)[1] for name in group) for group in grams]
        lists += [dict.fromkeys(sums[group[0]].vectors) for group in blends]
        within: dict[str, list[int]] = {}
        for number, names in enumerate(lists):
            for name in names:
                within.setdefault(name, []).append(number)
        self.families = [sorted(names, key=lambda x: when[x]) for names in connected(within, within.__getitem__)]
        self.rows = {x: (number, row) for number, names in enumerate(self.families) for row, x in enumerate(names)}

    def fusion(self) -> Fusion:
        nodes = {name: self._operation(name) for name in self.sequence}
        families = tuple((_width(self.types[names[0]]), tuple(names)) for names in self.families)
        return Fusion(nodes, self.places, families, self.rows)

    def _operation(self, name: str) -> Operation:
        draft = self.drafts[name]
        if name in self.groups:
            return self._gram(self.groups[name]) if isinstance(draft, Moment) else self._blend(self.groups[name])
        return Total(self._weights([draft], None)) if isinstance(draft, Sum) else draft

    def _gram(self, names: Sequence[str]) -> Gram:
        pairs = [self.order.pair(name) for name in names]
        rows, cols = (self._stack(dict.fromkeys(pair[side] for pair in pairs)) for side in (0, 1))
        row, col = ({x: i for i, x in enumerate(stack.names)} for stack in (rows, cols))
        where = np.array([row[x] for x, _ in pairs]), np.array([col[y] for _, y in pairs])
        shown = tuple((name, self.places[name]) for name in names if name in self.read)
        return Gram(rows, cols, tuple(names), where, np.array([self.places[name] for name in names]), shown)

    def _blend(self, names: Sequence[str]) -> Blend:
        sums = [draft for draft in map(self.drafts.__getitem__, names) if isinstance(draft, Sum)]
        vectors = self._stack(sums[0].vectors)
        return Blend(tuple(names), tuple(x.rest for x in sums), vectors, self._weights(sums, vectors.names))

    def _weights(self, sums: Sequence[Sum], vectors: Sequence[str] | None) -> Weights:
        """One row a sum; columns are vectors, or the terms of a scalar sum as they come."""
        if vectors is None:
            rows = [list(x.terms) for x in sums]
        else:
            column = {x: i for i, x in enumerate(vectors)}
            rows = [sorted(x.terms, key=lambda term: column[term[2] or ""]) for x in sums]
        depth = max(len(scalars) for terms in rows for _, scalars, _ in terms)
        factors = np.zeros((depth, len(rows), len(rows[0])), np.intp)
        for i, terms in enumerate(rows):
            for j, (_, scalars, _) in enumerate(terms):
                factors[: len(scalars), i, j] = [self.places[x] for x in scalars]
        values, powers = (
            np.array([[float(getattr(c, part)) for c, _, _ in terms] for terms in rows]) for part in ("value", "power")
        )
        names = tuple(dict.fromkeys(x for one in sums for x in one.scalars))
        return Weights(values, powers, tuple(factors), names)

    def _stack(self, names: Iterable[str]) -> Stack:
        """Rows of one family in their order there, where all of them have one."""
        places = {name: self.rows.get(name) for name in names}
        found = sorted((place, name) for name, place in places.items() if place is not None)
        families = {family for (family, _), _ in found}
        if len(found) < len(places) or len(families) > 1:
            return Stack(tuple(places), None, slice(None))
        rows = [row for (_, row), _ in found]
        whole = rows == list(range(rows[0], rows[-1] + 1))
        index = slice(rows[0], rows[-1] + 1) if whole else np.array(rows)
        return Stack(tuple(name for _, name in found), families.pop(), index)


def _width(kind: Type) -> Width:
    if not isinstance(kind, Vector):
        raise ProgramError(f"{kind} is in a family of vectors; this is a fault of the library")
    return kind.width

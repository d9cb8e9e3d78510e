"""Products of nonlinearities of Gaussians: independent groups of arguments, each an expectation of its own."""

from __future__ import annotations

from collections.abc import Iterator

from tensorprog.limits.gaussian import ONE, Atom, Poly, ScalarArgument, Space, VectorArgument
from tensorprog.limits.scalars import Affine, Expectation, Factor, Given, Mixed, Value


def independent_groups(space: Space, atoms: tuple[int, ...]) -> Iterator[Value]:
    """The expectations whose product is E[Π atoms]; stops at the first exact zero."""
    reads = [_coordinates(space, space.atoms[x]) for x in atoms]
    coordinates = sorted(set().union(*reads))
    covariance = {
        (i, j): _covariance(space, space.polys[i], space.polys[j]) for i in coordinates for j in coordinates if j <= i
    }
    left = list(range(len(atoms)))
    while left:
        members = [left.pop(0)]
        group = set(reads[members[0]])
        while joining := [a for a in left if any(i in group or _connected(covariance, i, group) for i in reads[a])]:
            members += joining
            left = [a for a in left if a not in joining]
            group = group.union(*(reads[a] for a in joining))
        value = _expectation(space, [space.atoms[atoms[a]] for a in sorted(members)], sorted(group), covariance)
        yield value
        if value is None:
            return


def _connected(covariance: dict[tuple[int, int], Value], i: int, group: set[int]) -> bool:
    return any(covariance[max(i, j), min(i, j)] is not None for j in group)


def _coordinates(space: Space, atom: Atom) -> set[int]:
    """The affine polynomials that an atom is a function of."""
    found: set[int] = set()
    for arg in atom.args:
        if isinstance(arg, VectorArgument):
            poly = space.polys[arg.poly]
            if space.affine(poly):
                found.add(arg.poly)
            else:
                for gs, xs in poly:
                    found |= {space.intern(space.variable(g)) for g in gs}
                    for x in xs:
                        found |= _coordinates(space, space.atoms[x])
    return found


def _covariance(space: Space, one: Poly, other: Poly) -> Value:
    """Of two affine polynomials."""
    terms = []
    for (gs, _), c in one.items():
        for (hs, _), e in other.items():
            if gs and hs:
                terms.append((1, space.equations.multiply(c, e, space.covariance(gs[0], hs[0]))))
    return space.equations.add(terms)


def _expectation(space: Space, atoms: list[Atom], group: list[int], covariance: dict[tuple[int, int], Value]) -> Value:
    place = {poly: i for i, poly in enumerate(group)}
    factors = tuple(sorted((_factor(space, atom, place) for atom in atoms), key=repr))
    mean = tuple(space.polys[poly].get(ONE) for poly in group)
    if all(m is None for m in mean):
        signs = [_parity(factor) for factor in factors]
        if None not in signs and signs.count(-1) % 2:
            return None
    entries = tuple(covariance[i, j] for i in group for j in group if j <= i)
    return space.equations.expectation(Expectation(factors, entries, mean))


def _factor(space: Space, atom: Atom, place: dict[int, int]) -> Factor:
    args: list[Affine | Mixed | Given] = []
    for arg in atom.args:
        if isinstance(arg, ScalarArgument):
            args.append(Given(arg.value))
        elif arg.poly in place:
            args.append(Affine(place[arg.poly]))
        else:
            terms = []
            for (gs, xs), c in sorted(space.polys[arg.poly].items()):
                coordinates = tuple(place[space.intern(space.variable(g))] for g in gs)
                terms.append((c, coordinates, tuple(_factor(space, space.atoms[x], place) for x in xs)))
            args.append(Mixed(tuple(terms)))
    return Factor(atom.function, atom.order, tuple(args))


def _parity(factor: Factor) -> int | None:
    """+1 or -1 when the factor is even or odd as all coordinates change sign, else None."""
    sign = 1
    for i, arg in enumerate(factor.args):
        inner = 1 if isinstance(arg, Given) else -1 if isinstance(arg, Affine) else _parity_of_terms(arg)
        if inner == 1:
            continue
        outer = factor.function.parity(factor.order, i)
        if inner is None or outer is None:
            return None
        sign *= outer
    return sign


def _parity_of_terms(arg: Mixed) -> int | None:
    signs: set[int | None] = set()
    for _, coordinates, factors in arg.terms:
        inner = [_parity(factor) for factor in factors]
        signs.add(None if None in inner else (-1) ** (len(coordinates) + inner.count(-1)))
    return signs.pop() if len(signs) == 1 else None

"""Products of nonlinearities of Gaussians: independent groups of arguments, each an expectation of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

from tensorprog.limits.gaussian import ONE, Atom, Poly, ScalarArgument, Space, VectorArgument
from tensorprog.limits.scalars import Affine, Expectation, Factor, Given, Mixed, Value


def independent_groups(space: Space, atoms: tuple[int, ...]) -> Iterator[Value]:
    """The expectations whose product is E[Π atoms]; stops at the first exact zero."""
    reads = [space.coordinates([x]) for x in atoms]
    coordinates = sorted(set().union(*reads))
    covariance = _covariances(space, coordinates)
    left = list(range(len(atoms)))
    while left:
        members = [left.pop(0)]
        group = set(reads[members[0]])
        while joining := [a for a in left if any(i in group or _connected(covariance, i, group) for i in reads[a])]:
            members += joining
            left = [a for a in left if a not in joining]
            group = group.union(*(reads[a] for a in joining))
        value = _expectation(space, [atoms[a] for a in sorted(members)], sorted(group), covariance)
        yield value
        if value is None:
            return


def _connected(covariance: dict[tuple[int, int], Value], i: int, group: set[int]) -> bool:
    return any(covariance[max(i, j), min(i, j)] is not None for j in group)


def _covariances(space: Space, polys: list[int]) -> dict[tuple[int, int], Value]:
    """Of affine polynomials, whose Gaussians correlate within their families only."""
    found: dict[tuple[int, int], Value] = {}
    for i in polys:
        for j in polys:
            if j <= i:
                found[i, j] = space.equations.add(
                    (1, space.equations.multiply(c, e, space.covariance(g, h)))
                    for family, parts in (space.parts(i) or {}).items()
                    for g, c in parts
                    for h, e in space.related(j, family)
                )
    return found


def _expectation(space: Space, atoms: list[int], group: list[int], covariance: dict[tuple[int, int], Value]) -> Value:
    place = {poly: i for i, poly in enumerate(group)}
    nested = space.inside(x for number in atoms for x in space.inner[number])
    steps = {number: step for step, number in enumerate(nested)}
    inner = tuple(_factor(space, space.atoms[number], place, steps) for number in nested)
    factors = tuple(sorted((_factor(space, space.atoms[number], place, steps) for number in atoms), key=repr))
    mean = tuple(space.polys[poly].get(ONE) for poly in group)
    if all(m is None for m in mean):
        signs = _parities(inner)
        parities = [_parity(factor, signs) for factor in factors]
        if None not in parities and parities.count(-1) % 2:
            return None
    entries = tuple(covariance[i, j] for i in group for j in group if j <= i)
    return space.equations.expectation(Expectation(factors, entries, mean, inner))


def _factor(space: Space, atom: Atom, place: dict[int, int], steps: dict[int, int]) -> Factor:
    args: list[Affine | Mixed | Given] = []
    for arg in atom.args:
        match arg:
            case ScalarArgument(value):
                args.append(Given(value))
            case VectorArgument(poly) if poly in place:
                args.append(Affine(place[poly]))
            case VectorArgument(poly):
                args.append(_mixed(space, space.polys[poly], place, steps))
            case _:
                assert_never(arg)
    return Factor(atom.function, atom.order, tuple(args))


def _mixed(space: Space, poly: Poly, place: dict[int, int], steps: dict[int, int]) -> Mixed:
    return Mixed(
        tuple(
            (c, tuple(place[space.intern(space.variable(g))] for g in gs), tuple(steps[x] for x in xs))
            for (gs, xs), c in sorted(poly.items())
        )
    )


def _parities(inner: Iterable[Factor]) -> list[int | None]:
    """Of factors, each after those inside it."""
    signs: list[int | None] = []
    for factor in inner:
        signs.append(_parity(factor, signs))
    return signs


def _parity(factor: Factor, inner: list[int | None]) -> int | None:
    """+1 or -1 when the factor is even or odd as all coordinates change sign, else None."""
    sign = 1
    for i, arg in enumerate(factor.args):
        match arg:
            case Given():
                continue
            case Affine():
                changed: int | None = -1
            case Mixed(terms):
                changed = _parity_of_terms(terms, inner)
            case _:
                assert_never(arg)
        if changed == 1:
            continue
        outer = factor.function.parity(factor.order, i)
        if changed is None or outer is None:
            return None
        sign *= outer
    return sign


def _parity_of_terms(
    terms: tuple[tuple[int, tuple[int, ...], tuple[int, ...]], ...], inner: list[int | None]
) -> int | None:
    signs: set[int | None] = set()
    for _, coordinates, factors in terms:
        found = [inner[x] for x in factors]
        signs.add(None if None in found else (-1) ** (len(coordinates) + found.count(-1)))
    return signs.pop() if len(signs) == 1 else None

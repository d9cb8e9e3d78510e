"""Averages written out: sums taken out of them, and scalars out of vectors, ⟨a, W(s b)⟩ = s ⟨a, W b⟩.

The same function of the same parameters. An average that is one factor of a term has a parity of its own, so that a
sign flip can make it small, where a whole average of terms in which scalars stand has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product as cartesian
from typing import assert_never

from tensorprog.program import (
    Apply,
    Coefficient,
    Constant,
    Free,
    Input,
    Instruction,
    LinComb,
    MatMul,
    Moment,
    Multiply,
    Parameter,
    Program,
    Vector,
    ancestors,
)
from tensorprog.program.types import ONE

Form = dict[tuple[str, ...], tuple[tuple[Coefficient, str], ...]]
"""A vector Σ_m (Π scalars of m) · (Σ coefficient · vector), by m."""

MAX_TERMS = 64
"""Of a form; one of more is left as it is."""


def spread(program: Program) -> Program:
    """The program with its averages written out."""
    return _Spreading(program).program()


class _Spreading:
    """One walk through the nodes, operands first."""

    def __init__(self, source: Program) -> None:
        self.source = source
        self.nodes: dict[str, Instruction] = {}
        self._made: dict[Instruction, str] = {}
        self._forms: dict[str, Form] = {}

    def program(self) -> Program:
        for name, node in self.source.nodes.items():
            self.nodes[name] = self._average(node) if isinstance(node, Moment) else node
            if isinstance(self.source.types[name], Vector):
                form = self._form(name, node)
                kept = set(form) != {()} and sum(map(len, form.values())) <= MAX_TERMS
                self._forms[name] = form if kept else {(): ((ONE, name),)}
        live = ancestors(self.nodes, self.source.ends)
        nodes = {k: node for k, node in self.nodes.items() if k in live or isinstance(node, Input)}
        return Program(nodes, self.source.outputs)

    def _form(self, name: str, node: Instruction) -> Form:
        match node:
            case LinComb(terms) if all(x in self._forms for _, x in terms):
                return _sum((c, self._forms[x]) for c, x in terms)
            case Multiply(args):
                vectors = [x for x in args if x in self._forms]
                outside = tuple(x for x in args if x not in self._forms)
                return _sum((ONE, {(*outside, *m): ((c, y),)}) for m, c, y in self._product(vectors))
            case MatMul(matrix, vector, transpose):
                form = self._forms[vector]
                if set(form) == {()}:
                    return {(): ((ONE, name),)}
                return {m: ((ONE, self._new(MatMul(matrix, self._vector(y), transpose))),) for m, y in form.items()}
            case LinComb() | Input() | Parameter() | Free() | Constant() | Apply():
                return {(): ((ONE, name),)}
            case Moment():
                raise TypeError(f"the average {name!r} is no vector")
            case _:
                assert_never(node)

    def _product(self, vectors: list[str]) -> Iterator[tuple[tuple[str, ...], Coefficient, str]]:
        """Scalars, coefficient and vector of each term of a product."""
        for choice in cartesian(*(self._forms[x].items() for x in vectors)):
            scalars = tuple(s for m, _ in choice for s in m)
            factors = tuple(sorted(self._vector(y) for _, y in choice))
            yield scalars, ONE, factors[0] if len(factors) == 1 else self._new(Multiply(factors))

    def _average(self, node: Moment) -> Instruction:
        if any(x not in self._forms for x in node.args) or all(set(self._forms[x]) == {()} for x in node.args):
            return node
        terms = []
        for choice in cartesian(*(self._forms[x].items() for x in node.args)):
            core = self._new(Moment(tuple(sorted(self._vector(y) for _, y in choice))))
            scalars = tuple(sorted(s for m, _ in choice for s in m))
            terms.append((ONE, self._new(Multiply((core, *scalars))) if scalars else core))
        return LinComb(tuple(terms))

    def _vector(self, terms: tuple[tuple[Coefficient, str], ...]) -> str:
        """The node of a linear combination."""
        return terms[0][1] if len(terms) == 1 and terms[0][0] == ONE else self._new(LinComb(terms))

    def _new(self, node: Instruction) -> str:
        if node not in self._made:
            number = len(self._made)
            while (name := f"spread{number}") in self.source.nodes or name in self.nodes:
                number += 1
            self._made[node] = name
            self.nodes[name] = node
        return self._made[node]


def _sum(terms: Iterator[tuple[Coefficient, Form]]) -> Form:
    found: dict[tuple[str, ...], tuple[tuple[Coefficient, str], ...]] = {}
    for scale, form in terms:
        for scalars, vectors in form.items():
            key = tuple(sorted(scalars))
            found[key] = (*found.get(key, ()), *((scale * c, y) for c, y in vectors))
    return found

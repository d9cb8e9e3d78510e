"""Steps for the scalars of a correlation: averages that converge, averages that vanish, and sums of them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any, assert_never

from tensorprog.errors import ProgramError
from tensorprog.limits.interpreter import Interpreter, ScalarTerm
from tensorprog.limits.terms import Bound, times
from tensorprog.program import (
    Apply,
    Coefficient,
    Constant,
    Free,
    Input,
    LinComb,
    MatMul,
    Moment,
    Multiply,
    Parameter,
    Program,
    operands,
)
from tensorprog.program.types import ONE
from tensorprog.proofs.steps import WHOLE, Kind, ProofStep, Summand
from tensorprog.readings.sizes import node_sizes
from tensorprog.readings.symmetry import odd_flip

MASTER = "Yang, arXiv 2009.10685, Theorem 2.10"
NORMS = "norm calculus: Hölder's inequality and O(1) operator norms of Gaussian matrices"
POINCARE = "Gaussian Poincaré inequality (Chernoff 1981)"
SIGNS = "sign symmetry of N(0, 1)"


class Scalars:
    """The steps of the scalar nodes that a target needs, numbered from `offset` + 1; data averages need none.

    `needed` are the nodes whose values the steps speak about.
    """

    def __init__(self, program: Program, interpreter: Interpreter, target: str, offset: int) -> None:
        self.program, self.interpreter, self.target, self.offset = program, interpreter, target, offset
        self.plain = node_sizes(program.nodes, program.types)
        self.needed: dict[str, None] = {}
        self._steps: list[ProofStep] = []
        self._number: dict[str, tuple[int, ...]] = {}
        self._readers: dict[str, list[str]] = {}
        for name, node in program.nodes.items():
            for x in operands(node):
                self._readers.setdefault(x, []).append(name)

    def steps(self) -> list[ProofStep]:
        """One or two steps for each scalar that is not a mere multiple or product inside one sum."""
        for name in self.program.nodes:
            self._number[name] = self._read(name)
            if name in self.interpreter.scalars and not self._is_inlined(name) and not self._is_given(name):
                self._write(name, self.interpreter.scalars[name])
        return self._steps

    def _is_given(self, name: str) -> bool:
        """A constant, or an average over the data."""
        node = self.program.nodes[name]
        return isinstance(node, Constant) or (
            isinstance(node, Moment) and all(x in self.interpreter.data for x in node.args)
        )

    def _is_inlined(self, name: str) -> bool:
        """A product or a multiple that only sums read."""
        node = self.program.nodes[name]
        simple = isinstance(node, Multiply) or (isinstance(node, LinComb) and len(node.terms) == 1)
        scalars = self.interpreter.scalars
        readers = self._readers.get(name, [])
        sums = all(isinstance(self.program.nodes[x], LinComb | Multiply) and x in scalars for x in readers)
        return name != self.target and simple and sums

    def _read(self, name: str) -> tuple[int, ...]:
        """Numbers of the steps nearest above a node."""
        return tuple(sorted({i for x in operands(self.program.nodes[name]) for i in self._number[x]}))

    # -- steps

    def _write(self, name: str, term: ScalarTerm) -> None:
        node = self.program.nodes[name]
        if isinstance(node, LinComb | Multiply):
            self._algebra(name, term)
        elif term.payload is not None:
            rule = "the average over the coordinates tends to the expectation"
            if isinstance(node, Apply):
                rule = "a continuous function of scalars that converge"
            self._add(name, "limit", rule, MASTER, power=term.power, payload=term.payload)
        else:
            flip = odd_flip(self.program.nodes, [name])
            if flip:
                self._add(name, "zero", "a flip that keeps the law", SIGNS, flips=tuple(sorted(flip)))
            sharper = term.rest is not None and term.rest[0] < self.plain[name].power
            rule = "zero mean, and Poincaré" if flip and sharper else "sizes of what it reads"
            self._bounded(name, term.rest, rule, f"{POINCARE}; {NORMS}" if flip and sharper else NORMS)

    def _bounded(self, name: str, rest: Bound | None, rule: str, source: str, terms: tuple[Summand, ...] = ()) -> None:
        if rest is not None:
            self._add(name, "bound", rule, source, power=rest[0], little=not rest[1], dropped=terms)

    def _algebra(self, name: str, term: ScalarTerm) -> None:
        terms = self._summands(name)
        for summand in terms:
            self.needed.update(dict.fromkeys(summand.factors))
        if term.payload is None:
            flip = odd_flip(self.program.nodes, [name])
            sized = [(t.size, 1 - t.little) for t in terms if t.size is not None]
            sharper = term.rest is not None and bool(sized) and term.rest < max(sized)
            rule = "zero mean by a flip, and Poincaré" if sharper and flip else "the largest of its terms"
            self._bounded(
                name, term.rest, rule, f"{POINCARE}; {NORMS}" if sharper else "algebra of bounds", tuple(terms)
            )
            return
        kept = tuple(t for t in terms if t.size == term.power and not t.little)
        dropped = tuple(t for t in terms if t not in kept)
        rule = "the terms of the largest power stay; the others are proved smaller"
        more: dict[str, Any] = {"power": term.power, "payload": term.payload, "kept": kept, "dropped": dropped}
        self._add(name, "algebra", rule if dropped else "sums and products of limits", "continuous mapping", **more)

    def _add(self, name: str, kind: Kind, rule: str, source: str, **more: Any) -> None:
        number = self.offset + len(self._steps) + 1
        premises = self._number[name] or (1,)
        subject = WHOLE if name == self.target else name
        step = ProofStep(number, kind, rule, source, premises, subject, self._formula(name))
        self._steps.append(replace(step, **more))
        self._number[name] = (number,)
        self.needed[name] = None

    # -- formulas

    def _formula(self, name: str) -> str:
        node = self.program.nodes[name]
        match node:
            case Moment(args):
                return f"mean({'·'.join(args)})"
            case LinComb() | Multiply():
                return " + ".join(str(t) for t in self._summands(name))
            case Apply(function, order, args):
                return f"{function.spec}{list(order) if any(order) else ''}({', '.join(args)})"
            case Parameter():
                return f"the Gaussian {name}"
            case Input() | Free() | Constant() | MatMul():
                return name
            case never:
                assert_never(never)

    def _summands(self, name: str) -> list[Summand]:
        """A sum written out: products and multiples that nothing else reads are opened."""
        node = self.program.nodes[name]
        if isinstance(node, LinComb):
            return [self._opened(c, x) for c, x in node.terms]
        if not isinstance(node, Multiply):
            raise ProgramError(f"the node {name!r}, {node}, is no sum; this is a fault of the library")
        return [self._product(ONE, node.args)]

    def _opened(self, coefficient: Coefficient, name: str) -> Summand:
        node = self.program.nodes[name]
        if self._is_inlined(name) and isinstance(node, Multiply):
            return self._product(coefficient, node.args)
        if self._is_inlined(name) and isinstance(node, LinComb):
            ((inner, core),) = node.terms
            return self._opened(coefficient * inner, core)
        return self._sized(coefficient, (name,))

    def _product(self, coefficient: Coefficient, args: tuple[str, ...]) -> Summand:
        parts = [self._opened(ONE, x) for x in args]
        for part in parts:
            coefficient = coefficient * Coefficient(part.coefficient, part.power)
        return self._sized(coefficient, tuple(x for part in parts for x in part.factors))

    def _sized(self, coefficient: Coefficient, factors: tuple[str, ...]) -> Summand:
        size: Bound | None = times([self.interpreter.scalars[x].size for x in factors])
        power = Fraction(coefficient.power)
        whole = (None, False) if size is None else (size[0] + power, not size[1])
        return Summand(coefficient.value, power, factors, *whole)

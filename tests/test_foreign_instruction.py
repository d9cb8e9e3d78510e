"""An instruction without a rule is an error that names it, in every pass and reading: never zero, never even."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import pytest

import tensorprog as tp
from tensorprog.errors import ProgramError
from tensorprog.passes.gradient import gradient, pullback
from tensorprog.passes.replay import replay
from tensorprog.passes.taylor import Taylor
from tensorprog.program import Apply, Builder, Instruction, Moment, Multiply, Program, instructions
from tensorprog.program import checks as program_checks
from tensorprog.program.drawing import graphviz, mermaid, svg
from tensorprog.program.interchange import to_object
from tensorprog.program.text import write
from tensorprog.readings.coefficients import Coefficients
from tensorprog.readings.fuse import fuse
from tensorprog.readings.sizes import node_sizes
from tensorprog.readings.symmetry import odd_flip, parities

X = np.array([[1.0, -0.5, 2.0], [0.5, 1.0, -1.0], [2.0, 0.25, 1.0]])


@dataclass(frozen=True, slots=True)
class Foreign:
    """What is no instruction: of the type of its first operand."""

    args: tuple[str, ...]


class ForeignProduct(Multiply):
    """A subclass that a match would take for its base."""


def net(x):
    return tp.readout("v", tp.tanh(tp.linear("W", tp.tanh(tp.linear("U", x)))))


def smuggled(program: Program) -> Program:
    """The program with a foreign instruction for every tanh, past the checks."""
    nodes = {k: Foreign(v.args) if isinstance(v, Apply) else v for k, v in program.nodes.items()}
    found = object.__new__(Program)
    vars(found).update({**vars(program), "nodes": MappingProxyType(nodes)})
    assert sum(isinstance(node, Foreign) for node in found.nodes.values()) >= 2
    return found


PLAIN = tp.trace(net, inputs=3)
PROGRAM = smuggled(PLAIN)
SCALAR = smuggled(tp.correlation(PLAIN, 0, 1))
NORM = smuggled(tp.correlation(PLAIN, 1, 1))
OPERATOR = smuggled(tp.correlation(PLAIN, 2, 0))
TARGET = PLAIN.target(0)
FOREIGN = next(name for name, node in PROGRAM.nodes.items() if isinstance(node, Foreign))


def grown(program: Program) -> Builder:
    """A builder that holds the program, past its checks."""
    builder = Builder()
    builder.nodes.update(program.nodes)
    builder.types.update(program.types)
    return builder


def expanded() -> object:
    builder = grown(PROGRAM)
    directions = [tp.passes.directions.FreeDirection()]
    return Taylor(builder, [TARGET], directions, (1,)).expand([(0,), (1,)])


def monomials() -> object:
    return list(Coefficients(PROGRAM.nodes, PROGRAM.types, [], {}, {})._monomials(FOREIGN, ()))


ACTIONS: dict[str, Callable[[], object]] = {
    "gradient": lambda: gradient(grown(PROGRAM), TARGET),
    "pullback": lambda: pullback(grown(PROGRAM), PROGRAM.nodes[FOREIGN], FOREIGN, set(PROGRAM.nodes)),
    "taylor": expanded,
    "replay": lambda: replay(Builder(), PROGRAM.nodes, [TARGET]),
    "leaf": lambda: Builder().leaf(PROGRAM.nodes[FOREIGN]),
    "include": lambda: Builder().include(PROGRAM),
    "correlation D=0": lambda: tp.correlation(PROGRAM, 0, 1),
    "correlation D=1": lambda: tp.correlation(PROGRAM, 1, 1),
    "correlation D=2": lambda: tp.correlation(PROGRAM, 2, 1),
    "train": lambda: tp.train(PROGRAM, [1.0], steps=1, learning_rate=0.5),
    "linearised": lambda: tp.linearised(PROGRAM, [1.0], steps=1, learning_rate=0.5),
    "deviation": lambda: tp.deviation(PROGRAM, [1.0], steps=1, learning_rate=0.5),
    "moved": lambda: tp.moved(PROGRAM, [1.0], D=1, steps=1, learning_rate=0.5),
    "sign symmetry": lambda: odd_flip(PROGRAM.nodes, [TARGET]),
    "parities": lambda: parities(PROGRAM.nodes, frozenset({"v"})),
    "sizes": lambda: node_sizes(PROGRAM.nodes, PROGRAM.types),
    "coefficients": monomials,
    "derive": lambda: tp.derive(PROGRAM, [(0, 1)]),
    "derive D=1": lambda: tp.derive(PROGRAM, [(1, 1)]),
    "derive with data": lambda: tp.derive(PROGRAM, [(0, 1)], data=X),
    "limit": lambda: tp.limit(SCALAR, X),
    "fluctuation": lambda: tp.fluctuation(SCALAR, X),
    "ntk": lambda: tp.kernel(PROGRAM, X, which="ntk"),
    "nngp": lambda: tp.kernel(PROGRAM, X, which="nngp"),
    "prove": lambda: tp.prove(PROGRAM, 0, 1, data=X),
    "verify": lambda: tp.verify(PROGRAM, X, orders=[(0, 1)], widths=[8, 16, 32], samples=8),
    "fuse": lambda: fuse(SCALAR.nodes, SCALAR.types, [SCALAR.end]),
    **{
        f"sample {what}, {method}": lambda p=p, method=method: tp.sample(p, X, 8, 2, method=method)
        for what, p in (("value", SCALAR), ("norm", NORM), ("operator", OPERATOR))
        for method in ("auto", "dense", "exact")
    },
    "text": lambda: write(PROGRAM),
    "digest": lambda: PROGRAM.digest,
    "json": lambda: to_object(PROGRAM),
    "svg": lambda: svg(PROGRAM),
    "mermaid": lambda: mermaid(PROGRAM),
    "graphviz": lambda: graphviz(PROGRAM),
    "graph or its drawing": lambda: (PROGRAM.graph, mermaid(PROGRAM)),
}


@pytest.fixture
def admitted(monkeypatch) -> Iterator[None]:
    """What reads no meaning takes the foreign instruction for one of the language: operands, names and types."""
    plain = {"operands": instructions.operands, "renamed": instructions.renamed, "infer": program_checks.infer}

    def operands(instruction: Instruction) -> tuple[str, ...]:
        return instruction.args if isinstance(instruction, Foreign) else plain["operands"](instruction)

    def renamed(instruction: Instruction, name: Callable[[str], str]) -> Instruction:
        if isinstance(instruction, Foreign):
            return replace(instruction, args=tuple(map(name, instruction.args)))
        return plain["renamed"](instruction, name)

    def infer(name: str, instruction: Instruction, types: dict) -> object:
        return (
            types[instruction.args[0]] if isinstance(instruction, Foreign) else plain["infer"](name, instruction, types)
        )

    for module in [module for name, module in sys.modules.items() if name.startswith("tensorprog")]:
        for name, function in (("operands", operands), ("renamed", renamed), ("infer", infer)):
            if getattr(module, name, None) is plain[name]:
                monkeypatch.setattr(module, name, function)
    yield


@pytest.mark.parametrize("action", ACTIONS)
def test_every_pass_and_reading_refuses_it_by_name(action):
    with pytest.raises((ProgramError, AssertionError), match="Foreign"):
        ACTIONS[action]()


COPIES = {"include", "fuse"}  # they move nodes and give them no meaning


@pytest.mark.parametrize("action", [action for action in ACTIONS if action not in COPIES])
def test_every_rule_refuses_it_by_name_where_it_is_admitted(action, admitted):
    with pytest.raises((ProgramError, AssertionError), match="Foreign"):
        ACTIONS[action]()


@pytest.mark.parametrize("kind", [Foreign, ForeignProduct])
def test_programs_and_builders_refuse_it_at_once(kind):
    nodes = {**PLAIN.nodes, "f": kind((TARGET,))}
    with pytest.raises(ProgramError, match=f"node 'f' is a {kind.__name__}, which is no instruction of the language"):
        Program(nodes, {**PLAIN.outputs, "G": "f"})
    with pytest.raises(ProgramError, match=f"is a {kind.__name__}, which is no instruction"):
        Builder(PLAIN)._emit(kind((TARGET,)))


def test_the_checks_do_not_refuse_the_language():
    assert type(PLAIN.nodes[TARGET]) in instructions.INSTRUCTIONS and Moment in instructions.INSTRUCTIONS
    assert write(PLAIN) and tp.sample(tp.correlation(PLAIN, 0, 1), X, 8, 2).shape == (2,)

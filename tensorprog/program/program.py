"""`Program`: an immutable tensor program over a `networkx.MultiDiGraph`.

A MultiDiGraph because `x * x` reads one node twice: edges are keyed by argument position.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import networkx as nx

from tensorprog.errors import ProgramError
from tensorprog.program.checks import check_leaf, check_output, check_slot, infer
from tensorprog.program.instructions import Constant, Free, Input, Instruction, MatMul, Parameter, ancestors, operands
from tensorprog.program.outputs import Measure, Output, signature
from tensorprog.program.types import Coefficient, Matrix, Type, Vector, Width


@dataclass(frozen=True, slots=True)
class Slot:
    """One parameter's part of a free slot of a correlation: Σ_j coefficient_j · left_j ⊗ right_j.

    `right` is None for vector and scalar parameters. Coordinates are the unit-variance ones.
    """

    parameter: str
    terms: tuple[tuple[Coefficient, str, str | None], ...]


class Program:
    """A well-formed tensor program: nodes in topological order, scalar outputs, free slots.

    Parameters
    ----------
    nodes: name -> instruction; every operand is defined before it is used.
    outputs: label -> `Output`, or the name of a scalar node for a value; labels are for people.
    slots: the free slot a D = 2 correlation returns, one entry a parameter; empty otherwise.

    Raises ProgramError, naming node and remedy, when something does not fit.

    `program.graph` has one graph node a program node, with the attributes `instruction` (the instruction),
    `type` (Scalar, Vector or Matrix) and `op` (the instruction's class name in lower case); an edge u -> v
    with key i says that u is operand number i of v. The graph is frozen.
    """

    nodes: Mapping[str, Instruction]
    outputs: Mapping[str, Output]
    slots: tuple[Slot, ...]
    types: Mapping[str, Type]

    def __init__(
        self,
        nodes: Mapping[str, Instruction],
        outputs: Mapping[str, Output | str],
        slots: Iterable[Slot] = (),
    ) -> None:
        types: dict[str, Type] = {}
        for name, instruction in nodes.items():
            types[name] = infer(name, instruction, types)
            check_leaf(name, instruction, nodes)
        vars(self).update(
            nodes=MappingProxyType(dict(nodes)),
            outputs=MappingProxyType({k: Output(x) if isinstance(x, str) else x for k, x in outputs.items()}),
            slots=tuple(slots),
            types=MappingProxyType(types),
        )
        self._check_ends()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a program is immutable, {name!r} cannot be set; make a new Program")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a program is immutable, {name!r} cannot be deleted; make a new Program")

    def _check_ends(self) -> None:
        if not self.outputs and not self.slots:
            raise ProgramError("the program has no output; return a scalar, for instance tp.readout('v', x)")
        for label, output in self.outputs.items():
            check_output(label, output, self.types)
        for slot in self.slots:
            check_slot(slot.parameter, slot.terms, self.nodes, self.types)
        live = ancestors(self.nodes, self.ends)
        for name, instruction in self.nodes.items():
            if name not in live and not isinstance(instruction, Input) and not self._is_slot_parameter(name):
                what = "parameter" if isinstance(instruction, Parameter) else "node"
                raise ProgramError(f"unused {what} {name!r}: no output depends on it; use it or remove it")

    def _is_slot_parameter(self, name: str) -> bool:
        return any(slot.parameter == name for slot in self.slots)

    @property
    def ends(self) -> list[str]:
        """Names of all nodes read by outputs and slots."""
        sides = [side for slot in self.slots for _, left, right in slot.terms for side in (left, right) if side]
        return [*(output.node for output in self.outputs.values()), *sides]

    @cached_property
    def graph(self) -> nx.MultiDiGraph:
        """The program as a frozen networkx.MultiDiGraph; attributes as in the class docstring."""
        graph = nx.MultiDiGraph(outputs=dict(self.outputs))
        for name, instruction in self.nodes.items():
            graph.add_node(name, instruction=instruction, type=self.types[name], op=type(instruction).__name__.lower())
            for position, operand in enumerate(operands(instruction)):
                graph.add_edge(operand, name, key=position)
        return nx.freeze(graph)

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        """The Gaussian parameters by name."""
        return MappingProxyType({name: node for name, node in self.nodes.items() if isinstance(node, Parameter)})

    @cached_property
    def leaves(self) -> Mapping[str, Instruction]:
        """What reads no other value by name: inputs, parameters, free directions and constants."""
        kinds = Input | Parameter | Free | Constant
        return MappingProxyType({name: node for name, node in self.nodes.items() if isinstance(node, kinds)})

    @cached_property
    def products(self) -> Mapping[str, MatMul]:
        """The products of a matrix and a vector by name."""
        return MappingProxyType({name: node for name, node in self.nodes.items() if isinstance(node, MatMul)})

    @cached_property
    def widths(self) -> Mapping[Width, str]:
        """The widths of its vectors and matrices, each with the first node that has it."""
        found: dict[Width, str] = {}
        for name, kind in self.types.items():
            if isinstance(kind, Vector):
                found.setdefault(kind.width, name)
            elif isinstance(kind, Matrix):
                found.setdefault(kind.rows, name)
                found.setdefault(kind.cols, name)
        return MappingProxyType(found)

    @cached_property
    def inputs(self) -> int:
        """How many rows of data the program needs: one more than the largest input index it reads."""
        return 1 + max((node.index for node in self.nodes.values() if isinstance(node, Input)), default=-1)

    @cached_property
    def positions(self) -> int | None:
        """How many positions each input needs, or None when inputs are vectors."""
        found = [node.position for node in self.nodes.values() if isinstance(node, Input) and node.position is not None]
        return 1 + max(found) if found else None

    @cached_property
    def free(self) -> Mapping[str, str]:
        """Parameter name -> node of its free direction, for programs that take one."""
        found = {node.parameter: name for name, node in self.nodes.items() if isinstance(node, Free)}
        return MappingProxyType(found)

    def restricted(self, labels: Iterable[str]) -> Program:
        """The program of some of the outputs only."""
        wanted = [labels] if isinstance(labels, str) else list(labels)
        unknown = [label for label in wanted if label not in self.outputs]
        if unknown:
            raise ProgramError(f"the program has no output {unknown[0]!r}; its outputs are {', '.join(self.outputs)}")
        outputs = {label: self.outputs[label] for label in wanted}
        live = ancestors(self.nodes, [output.node for output in outputs.values()])
        return Program({k: v for k, v in self.nodes.items() if k in live}, outputs)

    @cached_property
    def points(self) -> tuple[int, ...]:
        """The traced inputs that its outputs are at, ascending."""
        return tuple(sorted({x.input for x in self.outputs.values() if x.input is not None}))

    def at(self, *points: int) -> Program:
        """The program of its outputs at these traced inputs only."""
        missing = [point for point in points if point not in self.points]
        if missing:
            raise ProgramError(f"the program has no output at input {missing[0]}; its outputs are {self._described()}")
        return self.restricted(label for point in points for label, x in self.outputs.items() if x.input == point)

    def target(self, point: int) -> str:
        """The node of the one output at a traced input; ProgramError where there is none, or several."""
        found = [x.node for x in self.outputs.values() if x.input == point and x.measure is Measure.VALUE]
        if len(found) == 1:
            return found[0]
        labels = [label for label, x in self.outputs.items() if x.input == point]
        if not labels:
            raise ProgramError(f"the program has no output at input {point}; its outputs are {self._described()}")
        raise ProgramError(
            f"the program has {len(labels)} outputs at input {point} ({', '.join(labels)}) where one is needed; "
            f"take one of each input, as in program.restricted([{labels[0]!r}])"
        )

    @property
    def end(self) -> str:
        """The node of its only output; ProgramError for slots and for several outputs."""
        if len(self.outputs) != 1 or self.slots:
            raise ProgramError(f"the program returns {self._described()} where one scalar output is needed")
        (output,) = self.outputs.values()
        return output.node

    @property
    def measure(self) -> Measure:
        """How the number of a program that returns one thing is taken; ProgramError for several outputs."""
        found = [Measure.OPERATOR] * bool(self.slots) + [output.measure for output in self.outputs.values()]
        if len(found) != 1:
            raise ProgramError(f"the program returns {self._described()} where one output is needed")
        return found[0]

    def _described(self) -> str:
        return ", ".join(self.outputs) or "one free slot"

    def counts(self) -> dict[str, int]:
        """Number of nodes of each instruction."""
        found: dict[str, int] = {}
        for node in self.nodes.values():
            op = type(node).__name__
            found[op] = found.get(op, 0) + 1
        return found

    @cached_property
    def digest(self) -> str:
        """SHA-256 of nodes, outputs without their labels, and slots: equal for equal programs, on any machine."""
        from tensorprog.program.text import lines_of_nodes, lines_of_slots

        ends = [f"output {signature(i, x)} = {x.node}" for i, x in enumerate(self.outputs.values())]
        lines = [*lines_of_nodes(self), *ends, *lines_of_slots(self)]
        return hashlib.sha256(("\n".join(lines) + "\n").encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        """Equal nodes, outputs and slots in an equal order, so that equal programs have equal texts and digests."""
        if not isinstance(other, Program):
            return NotImplemented
        return (
            list(self.nodes.items()) == list(other.nodes.items())
            and list(self.outputs.items()) == list(other.outputs.items())
            and self.slots == other.slots
        )

    def __hash__(self) -> int:
        return hash(self.digest)

    def __str__(self) -> str:
        from tensorprog.program.text import write

        return write(self)

    def __repr__(self) -> str:
        vectors = sum(isinstance(t, Vector) for t in self.types.values())
        return (
            f"Program({len(self.nodes)} nodes, {vectors} vectors, parameters {', '.join(self.parameters)}; "
            f"outputs {self._described()})"
        )

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(str(self))}</pre>"

    def to_json(self) -> str:
        """The program as one JSON object; `program_from_json` reads it back."""
        from tensorprog.program.interchange import to_object

        return json.dumps(to_object(self), indent=1)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Program, (dict(self.nodes), dict(self.outputs), self.slots))

"""Several programs over the same weights, each evaluated by itself or all of them as one.

A product that is revealed depends on those before it, so what one program draws depends on what is evaluated with it.
By default each program is therefore evaluated for itself: its samples are the same numbers whatever else is asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import NamedTuple

from tensorprog.program import Builder, Free, Input, Parameter, Program, Slot, operands
from tensorprog.readings.fuse import Fusion, fuse
from tensorprog.readings.operations import Operation
from tensorprog.readings.schedule import Step, schedule
from tensorprog.readings.spectral import depends_on
from tensorprog.readings.storage import Side, in_stages, most_alive, node_by_node
from tensorprog.readings.sweep import Plan, plan


class Union(NamedTuple):
    """One program for several, equal nodes computed once; of each its output's node, or None, and its slots there."""

    program: Program
    outputs: tuple[str | None, ...]
    slots: tuple[tuple[Slot, ...], ...]


@dataclass(frozen=True, eq=False)
class Joint:
    """Programs that are evaluated on the same weights; `parts` are what is evaluated for itself.

    together: as one program, so that shared work is done once and their joint law is that of the same weights in every
    reading. Otherwise each is a part of its own.
    """

    programs: tuple[Program, ...]
    together: bool = False

    @staticmethod
    def of(programs: Sequence[Program], together: bool = False) -> Joint:
        """Of these programs; that of one program is kept with the program.

        Raises ProgramError where two programs mean different weights by one name.
        """
        if len(programs) > 1:
            builder = Builder()
            for program in programs:
                for name, parameter in program.parameters.items():
                    builder.parameter(name, parameter)
            return Joint(tuple(programs), together)
        kept = vars(programs[0])  # as its cached properties are
        found: Joint | None = kept.get("_joint")
        return kept.setdefault("_joint", Joint(tuple(programs))) if found is None else found

    def __reduce__(self) -> tuple[object, ...]:
        return Joint.of, (self.programs, self.together)

    @cached_property
    def parts(self) -> tuple[Joint, ...]:
        """What is evaluated for itself, in the order of the programs."""
        if self.together or len(self.programs) == 1:
            return (self,)
        return tuple(Joint.of([program]) for program in self.programs)

    @cached_property
    def drawn(self) -> Mapping[str, tuple[Parameter, Joint]]:
        """The weights of all programs by name, each with the first part that has it."""
        found: dict[str, tuple[Parameter, Joint]] = {}
        for part in self.parts:
            for name, parameter in part.program.parameters.items():
                found.setdefault(name, (parameter, part))
        return found

    @cached_property
    def _union(self) -> Union:
        builder = Builder()
        outputs: dict[int, str | None] = {}
        slots: dict[int, tuple[Slot, ...]] = {}
        several = len(self.programs) > 1
        order = sorted(range(len(self.programs)), key=lambda i: self.programs[i].digest if several else "")
        for i in order:
            program = self.programs[i]
            names = builder.include(program)
            outputs[i] = next((names[output.node] for output in program.outputs.values()), None)
            slots[i] = tuple(
                Slot(s.parameter, tuple((c, names[a], b if b is None else names[b]) for c, a, b in s.terms))
                for s in program.slots
            )
        ends = {f"C{i}": name for i in order if (name := outputs[i]) is not None}
        whole = builder.build(ends, [slot for i in order for slot in slots[i]])
        return Union(whole, tuple(outputs[i] for i in sorted(order)), tuple(slots[i] for i in sorted(order)))

    @property
    def program(self) -> Program:
        """All programs as one; the order in which they were given makes no difference."""
        return self._union.program

    @property
    def outputs(self) -> tuple[str | None, ...]:
        """The node of each program's only output, or None for an operator."""
        return self._union.outputs

    @property
    def slots(self) -> tuple[tuple[Slot, ...], ...]:
        """The slots of each program."""
        return self._union.slots

    @cached_property
    def digest(self) -> str:
        """Of all programs, in their order."""
        told = ([program.digest for program in self.programs], self.together)
        return sha256(repr(told).encode()).hexdigest()

    @cached_property
    def moving(self) -> set[str]:
        """Nodes that depend on a free direction."""
        nodes = self.program.nodes
        roots = {name for name, node in nodes.items() if isinstance(node, Free)}
        return depends_on(nodes, roots, lambda name: operands(nodes[name]))

    @cached_property
    def given(self) -> frozenset[str]:
        """Inputs and parameters."""
        nodes = self.program.nodes.items()
        return frozenset(name for name, node in nodes if isinstance(node, Input | Parameter))

    @cached_property
    def wanted(self) -> tuple[str, ...]:
        """Nodes whose values outputs and operators need."""
        return (*[name for name in self.outputs if name is not None], *self.reads_of_operators())

    @cached_property
    def fusion(self) -> Fusion | None:
        """What computes them, where something of it can be done in bulk."""
        return fuse(self.program.nodes, self.program.types, self.wanted)

    @property
    def operations(self) -> Mapping[str, Operation]:
        """What computes them."""
        return self.program.nodes if self.fusion is None else self.fusion.nodes

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The order in which they are computed at widths where samples go in batches."""
        return schedule(self.operations, self.wanted, self.given)

    @cached_property
    def planned(self) -> Plan:
        """The stages in which they are computed at widths where samples go one by one."""
        return plan(self.operations, self.program.types, self.wanted, self.given)

    @cached_property
    def alive(self) -> Counter[Side]:
        """Vectors of each width that are held at once at most, where they are computed by `steps`."""
        types, rows = self.program.types, () if self.fusion is None else self.fusion.rows
        return most_alive(node_by_node(self.operations, types, self.steps), types, rows, pooled=False)

    @cached_property
    def alive_in_stages(self) -> Counter[Side]:
        """The same where they are computed as `planned`."""
        types, rows = self.program.types, () if self.fusion is None else self.fusion.rows
        return most_alive(in_stages(self.operations, types, self.planned), types, rows, pooled=True)

    @cached_property
    def alive_in_operators(self) -> tuple[Counter[Side], ...]:
        """The same while the operator of each program is applied to a direction."""
        program, found = self.program, []
        given = {*self.given, *self.wanted, *program.free.values()}
        for index in range(len(self.slots)):
            sides = [side for side in self.sides(index) if side in self.moving]
            events = node_by_node(program.nodes, program.types, schedule(program.nodes, sides, given))
            found.append(most_alive(events, program.types, (), pooled=False))
        return tuple(found)

    def sides(self, index: int) -> list[str]:
        """Nodes that program `index` returns in its slots."""
        terms = [term for slot in self.slots[index] for term in slot.terms]
        return list(dict.fromkeys(side for _, left, right in terms for side in (left, right) if side))

    def reads_of_operators(self) -> list[str]:
        """Nodes free of any direction that operators read."""
        nodes, moving = self.program.nodes, self.moving
        found = [side for i in range(len(self.slots)) for side in self.sides(i) if side not in moving]
        found += [x for name in moving for x in operands(nodes[name]) if x not in moving]
        return list(dict.fromkeys(x for x in found if not isinstance(nodes[x], Parameter)))

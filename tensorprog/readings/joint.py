"""Several programs over the same parameters as one, so that shared work is done once."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from tensorprog.program import Builder, Free, Input, Parameter, Program, Slot, operands
from tensorprog.readings.fuse import Fusion, fuse
from tensorprog.readings.operations import Operation
from tensorprog.readings.schedule import Step, schedule
from tensorprog.readings.spectral import depends_on
from tensorprog.readings.storage import Side, in_stages, most_alive, node_by_node
from tensorprog.readings.sweep import Plan, plan

RECENT: deque[tuple[tuple[Program, ...], Joint]] = deque(maxlen=8)


@dataclass(frozen=True)
class Joint:
    """Several programs over the same parameters as one, equal nodes computed once.

    `outputs[i]` is the node of program i's only output, or None for an operator, whose slots are `slots[i]`.
    """

    program: Program
    outputs: tuple[str | None, ...]
    slots: tuple[tuple[Slot, ...], ...]

    @staticmethod
    def of(programs: Sequence[Program]) -> Joint:
        """Of these programs; that of programs of late is handed out again."""
        for known, joint in list(RECENT):
            if len(known) == len(programs) and all(one is other for one, other in zip(known, programs, strict=True)):
                return joint
        joint = Joint._of(programs)
        RECENT.append((tuple(programs), joint))
        return joint

    @staticmethod
    def _of(programs: Sequence[Program]) -> Joint:
        builder = Builder()
        outputs: list[str | None] = []
        slots: list[tuple[Slot, ...]] = []
        for program in programs:
            names = builder.include(program)
            outputs.append(next((names[output.node] for output in program.outputs.values()), None))
            slots.append(
                tuple(
                    Slot(s.parameter, tuple((c, names[a], b if b is None else names[b]) for c, a, b in s.terms))
                    for s in program.slots
                )
            )
        ends = {f"C{i}": name for i, name in enumerate(outputs) if name is not None}
        whole = builder.build(ends, [slot for group in slots for slot in group])
        return Joint(whole, tuple(outputs), tuple(slots))

    @cached_property
    def digest(self) -> str:
        """Of all programs, in their order."""
        return sha256(repr((self.program.digest, self.outputs, self.slots)).encode()).hexdigest()

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

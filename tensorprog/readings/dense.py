"""The dense reading: draw every parameter at width n, run the program in numpy, many samples at a time.

Limit: a matrix takes n² numbers a sample, so widths end near 10⁴.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tensorprog.program import Builder, Constant, Free, Instruction, Parameter, Program, Slot, operands
from tensorprog.readings.draws import Array, draw, entry_scale, shape, slot_scale, stream
from tensorprog.readings.evaluate import Value, run
from tensorprog.readings.inputs import input_values
from tensorprog.readings.schedule import schedule
from tensorprog.readings.spectral import coordinates, depends_on, spectral_norm

BATCH_NUMBERS = 16_384  # coordinates of a vector batch: fits the cache, and is large enough to hide the interpreter
BATCH_BYTES = 400_000_000  # matrices held at once


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
        builder = Builder()
        outputs: list[str | None] = []
        slots: list[tuple[Slot, ...]] = []
        for program in programs:
            names = builder.include(program)
            outputs.append(next((names[name] for name in program.outputs.values()), None))
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
    def moving(self) -> set[str]:
        """Nodes that depend on a free direction."""
        nodes = self.program.nodes
        roots = {name for name, node in nodes.items() if isinstance(node, Free)}
        return depends_on(nodes, roots, lambda name: operands(nodes[name]))

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


def batches(program: Program, width: int, samples: range, d0: int) -> Iterator[range]:
    """Consecutive runs of samples that fit the cache and the memory."""
    entries = sum(int(np.prod(shape(program, name, width, d0))) for name in program.parameters)
    size = max(1, min(BATCH_NUMBERS // width, BATCH_BYTES // (16 * entries + 1)))
    for first in range(samples.start, samples.stop, size):
        yield range(first, min(first + size, samples.stop))


def sample_dense(
    joint: Joint, data: NDArray[np.float64], width: int, samples: range, seed: int, dtype: np.dtype[np.floating]
) -> Array:
    """Values of every program of `joint` at these sample indices, (programs, len(samples)).

    An output's value as it is; for slots the spectral norm of the operator.
    """
    program, d0 = joint.program, data.shape[-1]
    targets = [name for name in joint.outputs if name is not None] + joint.reads_of_operators()
    given = {*program.parameters, *input_values(program, data, dtype)}
    steps = schedule(program.nodes, targets, given)
    lengths = constant_lengths(program.nodes, width, d0)
    results = []
    for batch in batches(program, width, samples, d0):
        values: dict[str, Value] = dict(input_values(program, data, dtype))
        for name, entries in draw(program, width, batch, seed, d0, dtype).items():
            entries *= dtype.type(entry_scale(program.parameters[name], width, d0))
            values[name] = entries
        run(program.nodes, steps, values, width, lengths)
        rows = []
        for index, output in enumerate(joint.outputs):
            if output is not None:
                value = values[output]
                assert isinstance(value, np.ndarray)
                rows.append(np.broadcast_to(value, (len(batch),)))
            else:
                rows.append(_operator_norm(joint, index, values, width, d0, batch, seed))
        results.append(np.stack(rows))
    return np.concatenate(results, axis=1)


def constant_lengths(nodes: dict[str, Instruction] | object, width: int, d0: int) -> dict[str, int]:
    """Coordinates of vector constants."""
    assert hasattr(nodes, "items")
    return {
        name: node.width.at(width, d0)
        for name, node in nodes.items()
        if isinstance(node, Constant) and node.width is not None
    }


def _operator_norm(
    joint: Joint, index: int, values: dict[str, Value], width: int, d0: int, batch: range, seed: int
) -> Array:
    program = joint.program
    found = []
    for slot in joint.slots[index]:
        parameter = program.parameters[slot.parameter]
        size = shape(program, slot.parameter, width, d0)
        scale = slot_scale(parameter, width, d0)
        found.append(coordinates(slot, joint.moving, values, size, scale, width, len(batch)))
    bounds = np.cumsum([0, *(part.size for part in found)])
    sides = [side for side in joint.sides(index) if side in joint.moving]
    free = {part.slot.parameter: program.free.get(part.slot.parameter) for part in found}
    given = [name for name in program.nodes if name in values] + [name for name in free.values() if name]
    steps = schedule(program.nodes, sides, given)
    lengths = constant_lengths(program.nodes, width, d0)

    def operator(flat: Array) -> Array:
        local: dict[str, Value] = dict(values)
        for part, low, high in zip(found, bounds[:-1], bounds[1:], strict=True):
            name = free[part.slot.parameter]
            if name is not None:
                local[name] = part.direction(flat[:, low:high])
        run(program.nodes, steps, local, width, lengths)
        images = [part.image(local) for part in found]
        return np.concatenate([np.broadcast_to(x, (len(flat), x.shape[1])) for x in images], axis=1)

    start = np.stack([stream(seed, width, i, "Lanczos start").standard_normal(bounds[-1]) for i in batch])
    return spectral_norm(operator, operator(start))  # coordinates of an image obey Q_Lᵀ A = 0, random ones do not

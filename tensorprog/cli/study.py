"""`Study`: what a command line asks for, checked as a whole before any work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorprog.architectures._loading import Loaded, Option, load
from tensorprog.cli.texts import Order, first_given, read_orders, read_points, scaled
from tensorprog.errors import DataError, OrderError
from tensorprog.functions import Function
from tensorprog.program import Program
from tensorprog.readings import all_orders
from tensorprog.readings.derive import MAX_d
from tensorprog.readings.files import DIGITS, inputs_from
from tensorprog.version import VERSION

MAX_INPUTS = 64


@dataclass(frozen=True)
class Study:
    """An architecture with its options, traced at as many inputs as orders and proofs need, and the data if any."""

    loaded: Loaded
    options: Mapping[str, Option]
    program: Program
    abc: str | None
    orders: list[Order] | None
    points: tuple[int, ...] | None
    data: NDArray[np.float64] | None
    proofs: list[Order] | None = None

    @staticmethod
    def of(
        arch: str,
        option: Sequence[str] | None,
        orders: Sequence[str] | None,
        points: Sequence[int] | None,
        abc: str | None,
        positions: int | None,
        inputs: str | None,
        proofs: Sequence[str] | None = None,
        traced: int | None = None,
    ) -> Study:
        """`traced`: so many inputs, of which the data must have a row each, instead of what orders need."""
        loaded = load(arch)
        options = loaded.options(option or [])
        wanted, chosen = read_orders(orders), read_points(points)
        proved = read_orders(proofs, "--proofs", "none")
        most = max(d for _, d in [*([(0, MAX_d)] if wanted is None else wanted), *(proved or [])])
        needed = traced or 1 + (max(chosen) if chosen else most)
        if needed > MAX_INPUTS:
            raise OrderError(f"{needed} inputs are asked for, at most {MAX_INPUTS} are traced; use smaller d or points")
        data, length = None, first_given(positions, loaded.positions)
        if inputs is not None:
            data = inputs_from(inputs, length)
            if data.ndim == 3 and loaded.file is None and loaded.positions is None:
                shape = f"the inputs {inputs!r} have shape {data.shape}"
                raise DataError(f"{shape}, but {loaded.name} takes single vectors, (inputs, d0)")
            if positions is None and data.ndim == 3 and inputs != DIGITS:
                length = data.shape[1]
        program = scaled(loaded.trace(needed, length, options), abc)
        if data is not None:
            held = f"the inputs {inputs!r} have shape {data.shape}"
            _check_shape(held, loaded, data, program)
            if traced is None:
                _check_number(held, data, program, wanted, chosen)
                if proved is not None:
                    _check_number(held, data, program, proved, chosen, "--proofs")
            elif len(data) < traced:
                raise DataError(f"{held}, {len(data)} inputs, but {traced} are asked for; lower --train or --test")
        return Study(loaded, options, program, abc, wanted, chosen, data, proved)

    @property
    def rows(self) -> NDArray[np.float64]:
        """The data, of a command that cannot do without; DataError where there are none."""
        if self.data is None:
            raise DataError("no inputs are given; give --inputs")
        return self.data

    @property
    def texts(self) -> dict[str, str]:
        """The options as texts that `-o` reads back, and the parametrisation as "--abc"."""
        texts = {k: str(v).lower() if isinstance(v, bool) else _spec(v) for k, v in self.options.items()}
        return texts if self.abc is None else {**texts, "--abc": self.abc}

    @property
    def title(self) -> str:
        return " ".join([self.loaded.name, *(f"{k}={v}" for k, v in self.texts.items())])

    def to_object(self) -> dict[str, object]:
        return {"tensorprog": VERSION, "kind": "table", "architecture": self.loaded.name, "options": self.texts}


def _check_shape(held: str, loaded: Loaded, data: NDArray[np.float64], program: Program) -> None:
    """The data against what the program takes: dimensions, number of positions."""
    if (data.ndim == 3) != (program.positions is not None):
        wanted = "sequences, (inputs, positions, d0)" if data.ndim == 2 else "single vectors, (inputs, d0)"
        raise DataError(f"{held}, but {loaded.name} takes {wanted}")
    if program.positions is not None and data.shape[1] < program.positions:
        raise DataError(f"{held}, {data.shape[1]} positions, but {program.positions} were asked for; lower --positions")


def _check_number(
    held: str,
    data: NDArray[np.float64],
    program: Program,
    orders: Sequence[Order] | None,
    points: Sequence[int] | None,
    option: str = "--orders",
) -> None:
    """At least as many inputs as the orders need."""
    wanted_orders = all_orders(program, points) if orders is None else orders
    D, d = max(wanted_orders, key=lambda order: order[1])
    needed = 1 + (max(points[: d + 1]) if points else d)
    if len(data) < needed:
        raise DataError(
            f"{held}, {len(data)} inputs, but C^{{{D},{d}}} needs {needed}; give more inputs, choose orders with "
            f"{option} such as 0,{len(data) - 1}, or repeat inputs with --points {' '.join('0' * (d + 1))}"
        )


def _spec(value: Option) -> str:
    return value.spec if isinstance(value, Function) else str(value)

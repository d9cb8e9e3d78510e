"""`limit`: what a scalar program tends to as n → ∞, as equations, as a function, and as a number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray

from tensorprog.errors import ProgramError
from tensorprog.limits.evaluate import Evaluation, reachable
from tensorprog.limits.expectations import METHODS
from tensorprog.limits.gaussian import UndecidedLimit
from tensorprog.limits.interpreter import Interpreter
from tensorprog.limits.scalars import Symbol
from tensorprog.limits.symbols import constant_values, roundings, symbol_values
from tensorprog.limits.terms import Bound, Term, written
from tensorprog.limits.writing import equations_of, latex_of
from tensorprog.program import Program
from tensorprog.readings import check_data
from tensorprog.readings.derive import proved_sizes

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Limit:
    """S = n^power (limit + o(1)) for the scalar S of a program.

    power: of n. A limit that is exactly zero has no equations and the value 0; `bound` (p, 1) then says that S is
    O(n^p), (p, 0) that it is o(n^p), None that it is zero at every width.
    Where `is_missing`, that bound does not vanish, and is all there is.
    """

    interpreter: Interpreter
    target: int | None
    power: Fraction
    bound: Bound | None
    data: Array | None

    @property
    def is_zero(self) -> bool:
        """Whether the limit is exactly zero, or only bounded."""
        return self.target is None

    @property
    def is_missing(self) -> bool:
        """Whether there is no limit, only the bound: what is left is random, or not known."""
        return Term(self.power, self.target, self.bound).is_missing

    def check(self) -> None:
        """Raise UndecidedLimit where there is no limit."""
        if self.is_missing:
            raise UndecidedLimit(
                "the leading part is random or unknown, so that there is no limit: all that is proved is that it is "
                f"{written(self.bound)}; an average over the width, or a correlation of it, may have one"
            )

    @cached_property
    def equations(self) -> list[sympy.Eq]:
        """The recursion, one equation for each expectation, the limit last, in terms of `symbols`."""
        return equations_of(self.interpreter.equations, self.target)

    @property
    def symbols(self) -> list[str]:
        """What the limit depends on: averages over the data, as "⟨in0 in1⟩", and named constants, as "sigma_w"."""
        equations, targets = self.interpreter.equations, [] if self.target is None else [self.target]
        nodes = (equations.nodes[x] for x in reachable(equations, targets))
        return [node.name for node in nodes if isinstance(node, Symbol)]

    def latex(self) -> str:
        """The equations as an aligned environment, for the math mode of amsmath."""
        return latex_of(self.interpreter.equations, self.target)

    def compile(self) -> Callable[[Mapping[str, ArrayLike]], Array]:
        """A function from symbols to the limit; arrays broadcast, a named constant left out has its own value."""
        self.check()

        def compiled(symbols: Mapping[str, ArrayLike]) -> Array:
            known = self.interpreter.data
            unknown = [name for name in symbols if name not in known.grams and name not in known.constants]
            if unknown:
                told = ", ".join(self.symbols) or "none"
                raise ProgramError(f"{', '.join(map(repr, unknown))} is no symbol of the limit; its symbols are {told}")
            given = {**constant_values(self.interpreter), **symbols}
            missing = [name for name in self.symbols if name not in given]
            if missing:
                raise ProgramError(f"no value for {', '.join(missing)}; give an average over the data for each symbol")
            return np.asarray(Evaluation(self.interpreter.equations, given)(self.target).value)

        return compiled

    @cached_property
    def _number(self) -> tuple[float, float, str]:
        if self.data is None:
            raise ProgramError("a limit has a value only for data; pass tp.limit(program, data)")
        self.check()
        symbols = symbol_values(self.interpreter, self.data)
        errors = roundings(self.interpreter, self.data)
        found = Evaluation(self.interpreter.equations, symbols, errors=errors)(self.target)
        return float(found.value), float(found.error), METHODS[found.method]

    @property
    def value(self) -> float:
        """The limit of n^(-power) S."""
        return self._number[0]

    @property
    def error(self) -> float:
        """An estimate of the absolute error of the value."""
        return self._number[1]

    @property
    def method(self) -> str:
        """The least exact way an expectation was taken: closed form, quadrature or quasi-Monte Carlo."""
        return self._number[2]

    def __repr__(self) -> str:
        if self.is_missing:
            return f"Limit(unknown, {written(self.bound)})"
        if self.target is None:
            return f"Limit(0 at n^{self.power}, rest {self.bound})"
        shown = "" if self.data is None else f", value {self.value:.10g} ± {self.error:.1g}"
        return f"Limit(n^{self.power}{shown})"


def limit(program: Program, data: ArrayLike | None = None) -> Limit:
    """The infinite-width limit of a scalar program: S n^(-power) → limit, by the Master Theorem.

    Parameters
    ----------
    program: with one scalar output, such as `tp.correlation(program, D, d)` with D ≤ 1 (for D = 1 that is ‖C‖²).
    data: (inputs, d0) or (inputs, positions, d0), for `.value` and `.error`; the equations need none.

    Raises ProgramError for a program with other outputs, and where the limit is undecided: the node and the reason;
    with data also where the limit is random, or only a bound is known that does not vanish.
    """
    if not isinstance(program, Program):
        raise ProgramError(f"{program!r} is not a Program; pass tp.correlation(program, D, d)")
    if len(program.outputs) != 1 or program.slots:
        raise ProgramError(
            f"the program has the outputs {', '.join(program.outputs) or 'none'}; a limit "
            "is of one scalar, as tp.correlation(program, D, d) has for D ≤ 1"
        )
    interpreter = Interpreter(program, proved_sizes(program))
    target = program.end
    found = interpreter.limit(target)
    array = None if data is None else check_data(program, data)
    power = found.power
    if found.payload is None and found.rest is not None and found.rest >= (power, 1):
        power = Fraction(0)  # only a bound is known
    whole = Limit(interpreter, found.payload, power, found.rest, array)
    if array is not None:
        whole.check()
    return whole

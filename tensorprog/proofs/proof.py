"""`Proof`: numbered steps to print, to typeset, to store, and to test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray

from tensorprog.errors import DataError
from tensorprog.limits.evaluate import Evaluation
from tensorprog.limits.expectations import METHODS
from tensorprog.limits.interpreter import Interpreter
from tensorprog.limits.symbols import symbol_values
from tensorprog.program import Program
from tensorprog.proofs.equations import equations_of_steps, part_of
from tensorprog.proofs.steps import WHOLE, ProofStep
from tensorprog.proofs.typeset import as_html, as_latex
from tensorprog.readings import check_data

if TYPE_CHECKING:
    from tensorprog.proofs.checked import CheckedProof

Array = NDArray[np.float64]
WIDTHS = (256, 1024, 4096)


@dataclass(frozen=True)
class Proof:
    """The derivation of one exponent.

    steps: from the definition to the conclusion. source: the traced program. order: (D, d, points). programs: what the
    subjects of the steps are, as programs of one output. data: for which the values hold, or None.
    """

    steps: tuple[ProofStep, ...]
    source: Program = field(repr=False)
    order: tuple[int, int, tuple[int, ...]]
    programs: Mapping[str, Program] = field(repr=False)
    interpreters: Mapping[str, Interpreter] = field(repr=False)
    data: Array | None = field(default=None, repr=False)

    @property
    def conclusion(self) -> ProofStep:
        """The last step: the exponent, and whether it is definite, or that there is none."""
        return self.steps[-1]

    @cached_property
    def equations(self) -> list[sympy.Eq]:
        """The kernel recursion behind the limits: e_i = E(…) for each expectation, and L_k = … for step k."""
        return equations_of_steps(self.steps, self.interpreters)

    def at(self, data: ArrayLike) -> Proof:
        """The proof with the values of its limits at these data; a limit that vanishes there leaves a bound only."""
        array = check_data(self.programs[WHOLE], data)
        evaluations = {key: Evaluation(x.equations, symbol_values(x, array)) for key, x in self.interpreters.items()}
        steps = []
        for step in self.steps:
            if step.payload is not None:
                found = evaluations[part_of(step)](step.payload)
                value, error = float(found.value), float(found.error)
                step = replace(step, value=value, error=error, method=METHODS[found.method])
            steps.append(step)
        return replace(self, steps=_decided(steps), data=array)

    def verify(
        self,
        data: ArrayLike | None = None,
        widths: Sequence[int] = WIDTHS,
        samples: int = 400,
        seed: int = 0,
        progress: bool = False,
    ) -> CheckedProof:
        """Test every step by Monte Carlo; see `CheckedProof`.

        Parameters
        ----------
        data: as for `prove`; may be left out when the proof has values already, and must be the same then.
        widths, samples: at least two widths, and initialisations at each; steps that these leave open get four,
            then sixteen times as many. seed: of everything random.
        progress: show a bar on a terminal.
        """
        from tensorprog.proofs.checked import verify

        proof = self if data is None or self.data is not None else self.at(data)
        if proof.data is None:
            raise DataError("the proof has no data; pass them, as in proof.verify(data)")
        if data is not None and not np.array_equal(check_data(self.programs[WHOLE], data), proof.data):
            raise DataError("the values of the proof are for other data; prove it again with these")
        return verify(proof, proof.data, widths, samples, seed, progress)

    def __str__(self) -> str:
        return "\n".join([*map(str, self.steps), "", "The program:", str(self.programs[WHOLE])])

    def latex(self) -> str:
        """An enumerate environment."""
        return as_latex([(step, "") for step in self.steps])

    def html(self) -> str:
        """An ordered list; every text is escaped."""
        return as_html([(step, "") for step in self.steps])

    def _repr_html_(self) -> str:
        return self.html()

    def to_object(self) -> dict[str, Any]:
        """Everything as JSON types."""
        D, d, points = self.order
        return {
            "D": D,
            "d": d,
            "points": list(points),
            "exponent": None if self.conclusion.kind == "vanishing" else str(self.conclusion.power),
            "status": self.conclusion.status,
            "steps": [step.to_object() for step in self.steps],
            "program": str(self.programs[WHOLE]),
        }


def _decided(steps: Sequence[ProofStep]) -> tuple[ProofStep, ...]:
    """The steps; a definite conclusion needs premises whose values are larger than their errors."""
    last = steps[-1]
    decisive = [s for s in steps if s.number in last.premises and s.payload is not None and s.value is not None]
    unsure = any(abs(s.value or 0.0) <= 4 * s.error for s in decisive)
    if last.status == "definite" and unsure:
        last = replace(last, status="an upper bound", rule="the limit is not told from zero; only the bound is known")
    return (*steps[:-1], last)

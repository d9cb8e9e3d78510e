"""The equations behind all limits of a proof, numbered together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy

from tensorprog.limits.interpreter import Interpreter
from tensorprog.limits.writing import equations_of
from tensorprog.proofs.steps import GRADIENT, WHOLE, ProofStep


def part_of(step: ProofStep) -> str:
    """Which program the limit of a step is of: the correlation's, or the gradient's."""
    return GRADIENT if step.subject == GRADIENT else WHOLE


def equations_of_steps(steps: Sequence[ProofStep], interpreters: Mapping[str, Interpreter]) -> list[sympy.Eq]:
    """One equation e_i = E(…) for each expectation that some step needs, each once, and L_k = … for step k."""
    known: dict[sympy.Expr, sympy.Symbol] = {}
    found: list[sympy.Eq] = []
    for step in steps:
        if step.payload is None:
            continue
        *rows, last = equations_of(interpreters[part_of(step)].equations, step.payload)
        names: dict[sympy.Expr, sympy.Expr] = {}
        for row in rows:
            right = row.rhs.xreplace(names)
            if right not in known:
                known[right] = sympy.Symbol(f"e_{len(known)}", real=True)
                found.append(sympy.Eq(known[right], right, evaluate=False))
            names[row.lhs] = known[right]
        limit = sympy.Symbol(f"L_{step.number}", real=True)
        found.append(sympy.Eq(limit, last.rhs.xreplace(names), evaluate=False))
    return found

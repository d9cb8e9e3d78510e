"""No check is an assertion: `python -O`, which removes those, refuses what plain Python refuses."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tensorprog

SOURCES = sorted(Path(tensorprog.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_nothing_is_asserted(path):
    found = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Assert)]
    assert not [f"{path.name}:{node.lineno}: {ast.unparse(node)}" for node in found]


SCRIPT = """
from dataclasses import dataclass, replace
from fractions import Fraction
from types import MappingProxyType
import numpy as np
import tensorprog as tp
from tensorprog import architectures
from tensorprog.errors import ContradictionError, ExpressionError, ProgramError
from tensorprog.limits.definite import with_limits
from tensorprog.passes.gradient import outer_product
from tensorprog.program import Apply, Builder, Coefficient, Output, Program
from tensorprog.program.text import write
from tensorprog.readings.symmetry import odd_flip

@dataclass(frozen=True)
class Foreign:
    args: tuple

def refused(error, word, action):
    try:
        action()
    except error as found:
        if word not in str(found):
            raise SystemExit(f"{word!r} is not in {found}")
    else:
        raise SystemExit(f"not refused: {word}")

if __debug__:
    raise SystemExit("assertions are on")
p = tp.trace(architectures.mlp, inputs=2, depth=1)
X = np.eye(2, 3) + 1
table = tp.derive(p, [(0, 1)])
wrong = replace(table, entries=tuple(replace(e, exponent=Fraction(-1)) for e in table))
refused(ContradictionError, "above the bound", lambda: with_limits(p, wrong, X, 60.0))
nodes = {k: Foreign(v.args) if isinstance(v, Apply) else v for k, v in p.nodes.items()}
refused(ProgramError, "is a Foreign, which is no instruction", lambda: Program(nodes, p.outputs))
past = object.__new__(Program)
vars(past).update({**vars(p), "nodes": MappingProxyType(nodes)})
refused(AssertionError, "Foreign", lambda: write(past))
refused(AssertionError, "Foreign", lambda: odd_flip(past.nodes, [p.target(0)]))
refused((ProgramError, AssertionError), "Foreign", lambda: tp.kernel(past, X))
one = Coefficient()
for name, right, word in (("U", None, "has a term of one side"), ("in0", "x1", "where a parameter is needed")):
    refused(ProgramError, word, lambda: outer_product(Builder(p), name, (one, "x1", right), "in0", False))
refused(ProgramError, "is of input -1", lambda: Program(p.nodes, {**p.outputs, "G": Output(p.target(0), -1)}))
print("refused")
"""


def test_the_same_is_refused_without_assertions():
    run = subprocess.run([sys.executable, "-O", "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=False)
    assert (run.returncode, run.stdout) == (0, "refused\n"), run.stderr

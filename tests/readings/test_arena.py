"""Large arrays that are used again: handed out, held under names, given back."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from cases import CASES

import tensorprog as tp
from tensorprog.readings import blockwise, exact, sweep
from tensorprog.readings.arena import Arena

KIND = np.dtype(np.float64)


def place(array):
    return array.ctypes.data


def test_an_array_comes_back_with_its_last_name():
    arena = Arena()
    first = arena.empty((3, 4), KIND)
    arena.hold({"a": first[0], "b": first[1][None]})
    arena.drop("a")
    assert place(arena.empty((3, 4), KIND)) != place(first)
    arena.drop("b")
    assert place(arena.empty((3, 4), KIND)) == place(first)


def test_no_reference_is_needed_to_keep_it():
    """Who is handed an array has it until it is given back, whatever variables there are."""
    arena = Arena()
    first = place(arena.empty((3, 4), KIND))
    assert place(arena.empty((3, 4), KIND)) != first
    arena.reset()
    assert first in {place(arena.empty((3, 4), KIND)) for _ in range(2)}


def test_what_is_held_is_not_given_back_beside_its_names():
    arena = Arena()
    first, second = (arena.empty((3, 4), KIND) for _ in range(2))
    arena.hold({"a": first[1:]})
    arena.give_back([first, second[0]])
    assert place(arena.empty((3, 4), KIND)) == place(second)
    assert place(arena.empty((3, 4), KIND)) not in (place(first), place(second))


def test_a_scope_gives_back_what_it_was_handed_out():
    arena = Arena()
    first = arena.empty((3, 4), KIND)
    with arena.scope():
        inner = arena.empty((3, 4), KIND)
        arena.hold({"a": inner})
    arena.drop("a")
    assert place(arena.empty((3, 4), KIND)) == place(inner)
    assert place(arena.empty((3, 4), KIND)) not in (place(first), place(inner))


def test_arrays_of_others_are_let_be():
    arena, other = Arena(), np.zeros((3, 4))
    arena.hold({"a": other})
    arena.drop("a")
    arena.give_back([other])
    assert place(arena.empty((3, 4), KIND)) != place(other)


def test_shapes_and_types_do_not_mix():
    arena = Arena()
    wanted = [(shape, np.dtype(kind)) for shape in [(2,), (1, 2)] for kind in (np.float64, np.float32)]
    for _ in range(2):
        assert [(x.shape, x.dtype) for x in [arena.empty(*one) for one in wanted]] == wanted
        arena.reset()


@pytest.mark.parametrize("case", [CASES[0], CASES[5], CASES[9]], ids=lambda case: case.name)
@pytest.mark.parametrize("kind", ["0,2", "1,1", "2,1", "training"])
def test_nothing_is_given_back_too_soon(case, kind, monkeypatch):
    """By the code of large widths: what is given back is spoilt at once, and no sample notices."""
    if kind == "training":
        program = tp.train(case.trace(4), [1.0, -1.0, 0.25], steps=3, learning_rate=0.3).restricted(["F3"])
    else:
        program = tp.correlation(case.trace(4), *map(int, kind.split(",")))
    monkeypatch.setattr(exact, "LARGE", 4)
    monkeypatch.setattr(sweep, "BLOCK", 5)
    monkeypatch.setattr(blockwise, "BLOCK", 7)
    right = tp.sample(program, case.data(4), 12, 2, 1, "exact")
    back, spoilt = Arena._give_back, []

    def spoil(self, at):
        self._out[at].fill(np.nan)
        spoilt.append(at)
        back(self, at)

    monkeypatch.setattr(Arena, "_give_back", spoil)
    np.testing.assert_array_equal(tp.sample(program, case.data(4), 12, 2, 1, "exact"), right)
    assert spoilt


def test_no_module_keeps_what_a_caller_cannot_see():
    """No counts of references, and no module-level dictionary, list or queue that a call fills."""
    for path in Path(exact.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text())
        assert "getrefcount" not in path.read_text(), path
        for node in tree.body:
            value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
            if isinstance(value, ast.Call):
                called = ast.unparse(value.func).rsplit(".", 1)[-1]
                assert called not in ("deque", "dict", "list", "set", "defaultdict", "WeakKeyDictionary"), (
                    path,
                    called,
                )

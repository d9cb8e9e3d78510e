"""Large arrays that are used again."""

from __future__ import annotations

import numpy as np

from tensorprog.readings.arena import Arena

KIND = np.dtype(np.float64)


def test_an_array_comes_back_when_nobody_holds_it():
    arena = Arena()
    first = arena.empty((3, 4), KIND)
    place = first.ctypes.data
    assert arena.empty((3, 4), KIND).ctypes.data != place
    del first
    assert arena.empty((3, 4), KIND).ctypes.data == place


def test_a_view_keeps_an_array():
    arena = Arena()
    first = arena.empty((3, 4), KIND)
    place, row = first.ctypes.data, first[1][None]
    del first
    assert arena.empty((3, 4), KIND).ctypes.data != place
    del row
    assert arena.empty((3, 4), KIND).ctypes.data == place


def test_shapes_and_types_do_not_mix():
    arena = Arena()
    found = [arena.empty(shape, np.dtype(kind)) for shape in [(2,), (1, 2)] for kind in (np.float64, np.float32)]
    assert [(x.shape, x.dtype.name) for x in found] == [
        ((2,), "float64"),
        ((2,), "float32"),
        ((1, 2), "float64"),
        ((1, 2), "float32"),
    ]

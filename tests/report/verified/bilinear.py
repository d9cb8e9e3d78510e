"""A small run of `tp.verify`, and what tests of its report have at hand."""

from __future__ import annotations

import numpy as np

import tensorprog as tp

ORDERS = [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (2, 0)]
VANISHING = [(0, 3), (1, 2)]
WIDTHS = (4, 8, 16)
LAWS = {(0, 1): "n<sup>0</sup>", (0, 2): "n<sup>−1</sup>", (1, 1): "n<sup>−1/2</sup>", (2, 0): "n<sup>−1/2</sup>"}


def bilinear(x):
    """v·Ux: everything of third order vanishes identically, the rest does not."""
    return tp.readout("v", tp.linear("U", x))


def verified(seed=0, **options):
    data = np.random.default_rng(7).standard_normal((4, 3))
    return tp.verify(tp.trace(bilinear, inputs=4), data, ORDERS, WIDTHS, 12, seed, progress=False, **options)


def shown(m):
    return LAWS.get((m.entry.D, m.entry.d), "0")

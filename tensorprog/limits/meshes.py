"""Where a function of one argument lives: ends of panels on which a polynomial of degree 15 is as good as the function.

Averages over a Gaussian of any width end their panels there, so that a transition that is thin against the Gaussian, or
a narrow peak, is met. The mesh of a function is found once: panels between powers of 2, kinks, and points where an
inner argument of an expression vanishes or turns are halved until the interpolant agrees between its nodes.

Known limits: a peak far from 0, thinner than a hundredth of its panel and at no such point, is missed. Panels are at
most `MOST`; `range` says how far they reach, which is not far for what oscillates for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import sympy

from tensorprog.functions import Function
from tensorprog.functions.base import Array, Order
from tensorprog.functions.custom import Expression
from tensorprog.functions.piecewise import Piecewise
from tensorprog.functions.trees import evaluate_tree

NODES = 16
OCTAVES = 46
MOST = 400
THIN = 1e-10
CORE = 64
STRAIGHT = 1e-15
VANISHING = 1e-30
ACCURATE = 1e-12
SCANNED = np.linspace(-32, 32, 4097)


@dataclass(frozen=True, eq=False)
class Mesh:
    """Ends of panels, rising; how far from 0 they hold, and the kinks among them.

    Of panels near 0 also the width of the thinnest, and the largest distance from 0 in widths, by which the rounding of
    an argument grows.
    """

    ends: Array
    range: float
    kinks: Array
    thinnest: float
    condition: float


UNKNOWN = np.concatenate([-(2.0 ** np.arange(OCTAVES)[::-1]), [0], 2.0 ** np.arange(OCTAVES)])


@lru_cache(maxsize=1024)
def mesh(function: Function, order: Order) -> Mesh:
    """The mesh of a derivative; of functions of several arguments powers of 2, which may not resolve them."""
    if function.arity != 1:
        return Mesh(UNKNOWN, np.inf, np.zeros(int(function.smoothness is not None)), 1.0, 1.0)
    kinks = np.array([float(b) for b in function.kinks])
    if function.smoothness is not None and not kinks.size:
        kinks = np.zeros(1)
    inner = function.pieces if isinstance(function, Piecewise) else ()
    inner = (function.tree,) if isinstance(function, Expression) else inner
    special = [*kinks, *(x for tree in inner for x in _turns(tree))]
    ends, reach = _halved(function, order, np.unique([*UNKNOWN, *special]))
    core = ends[np.abs(ends) <= CORE]
    condition = float((np.abs(core[1:]) / np.diff(core)).max())
    return Mesh(_joined(function, order, ends, kinks), reach, kinks, float(np.diff(core).min(initial=1.0)), condition)


def _joined(function: Function, order: Order, ends: Array, kinks: Array) -> Array:
    """Without ends between panels on which the function is one straight line, as it is far out for most."""
    with np.errstate(all="ignore"):
        here = function.evaluate(order, ends[:-1, None] + np.diff(ends)[:, None] * PROBES)
        slope = (here[:, NODES - 1] - here[:, 0]) / (np.diff(ends) * (PROBES[NODES - 1] - PROBES[0]))
        height = np.abs(here).max(1)
        kept = [True]
        for i in range(len(ends) - 2):
            points = np.concatenate([ends[j] + (ends[j + 1] - ends[j]) * PROBES for j in (i, i + 1)])
            start = ends[i] + (ends[i + 1] - ends[i]) * PROBES[0]
            line = here[i, 0] + slope[i] * (points - start)
            rest = np.abs(np.concatenate([here[i], here[i + 1]]) - line)
            allowed = STRAIGHT * np.maximum(np.abs(line), VANISHING * height.max(initial=0, where=np.isfinite(height)))
            kept.append(not (rest <= allowed).all() or ends[i + 1] in kinks)
    return np.asarray(ends[np.array([*kept, True])])


def _halved(function: Function, order: Order, ends: Array) -> tuple[Array, float]:
    """Panels halved until they are resolved, those near 0 first, and how far from 0 all are."""
    left, width = ends[:-1], np.diff(ends)
    wrong, height = _unresolved(function, order, left, width, None)
    distance = np.minimum(np.abs(ends[:-1]), np.abs(ends[1:]))
    rank = np.argsort(distance, kind="stable")
    farthest = np.maximum(np.abs(ends[:-1]), np.abs(ends[1:]))
    sizes = np.array([height[farthest <= far].max() for far in farthest])
    wrong, _ = _unresolved(function, order, left, width, sizes)
    more: list[Array] = []
    count = 0
    for i in rank[wrong[rank]]:
        low, wide = left[i : i + 1], width[i : i + 1]
        while len(low) and count <= MOST:
            wide = np.repeat(wide / 2, 2)
            low = np.column_stack([low, low + wide[::2]]).ravel()
            more.append(low)
            count += len(low) // 2
            again, _ = _unresolved(function, order, low, wide, np.full(len(low), sizes[i]))
            low, wide = low[again], wide[again]
        if count > MOST:
            return np.unique(np.concatenate([ends, *more])), float(distance[i])
    return np.unique(np.concatenate([ends, *more])), np.inf


def _unresolved(
    function: Function, order: Order, left: Array, width: Array, sizes: Array | None
) -> tuple[npt.NDArray[np.bool_], Array]:
    """Which panels the interpolant fails on, against these sizes, and the largest value on each."""
    with np.errstate(all="ignore"):
        values = function.evaluate(order, left[:, None] + width[:, None] * PROBES)
        finite = np.isfinite(values).all(1)
        height = np.where(finite, np.abs(values).max(1), 0)
        rest = np.abs(values[:, NODES:] - values[:, :NODES] @ INTERPOLATION.T).max(1)
    wide = width > THIN * np.maximum(np.abs(left), np.abs(left + width))
    return finite & wide & (rest > ACCURATE * (height if sizes is None else sizes)), np.asarray(height)


def _turns(tree: sympy.Expr) -> list[float]:
    """Points where an inner argument of a tree vanishes or turns."""
    found: list[float] = []
    for node in sympy.preorder_traversal(tree):
        if node.is_Symbol or not node.args or len(node.free_symbols) != 1 or node.is_Add or node.is_Mul:
            continue
        argument, (z,) = node.args[0], tuple(node.free_symbols)
        for line in (argument, sympy.diff(argument, z)):
            if not line.free_symbols or line == z:
                continue
            if line.is_polynomial(z):
                roots = np.roots([float(c) for c in sympy.Poly(line, z).all_coeffs()])
                found += [float(x.real) for x in roots if abs(x.imag) <= 1e-6 * max(1, abs(x))]
            else:
                found += _crossings(line, z)
    return found


def _crossings(line: sympy.Expr, z: sympy.Symbol) -> list[float]:
    """Changes of sign between −32 and 32, by bisection."""
    low, high = SCANNED[:-1], SCANNED[1:]

    def value(x: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.broadcast_to(evaluate_tree(line, {z: x}), x.shape)

    change = np.flatnonzero(value(low) * value(high) <= 0)
    if len(change) > MOST:
        return []
    low, high = low[change], high[change]
    for _ in range(50):
        middle = (low + high) / 2
        before = value(low) * value(middle) <= 0
        low, high = np.where(before, low, middle), np.where(before, middle, high)
    return [float(x) for x in low]


def _probes() -> tuple[Array, Array]:
    """Nodes on [0, 1] followed by points between them and towards the ends; values there from values at the nodes."""
    nodes, _ = np.polynomial.legendre.leggauss(NODES)
    near = 2.0 ** -np.arange(1.0, 40)
    points = np.concatenate([np.linspace(0, 1, 66)[1:-1], near, 1 - near])
    nodes = (1 + nodes) / 2
    gaps = nodes[:, None] - nodes
    np.fill_diagonal(gaps, 1)
    weights = 1 / gaps.prod(1)
    distance = points[:, None] - nodes
    ratio = weights / np.where(distance == 0, 1e-300, distance)
    return np.concatenate([nodes, points]), ratio / ratio.sum(1, keepdims=True)


PROBES, INTERPOLATION = _probes()

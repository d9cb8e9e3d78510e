"""A kernel over many inputs: every pair of them by the route of its kind, so that no two routes meet in one entry."""

from __future__ import annotations

from math import inf, nan

import numpy as np
from numpy.typing import NDArray

from tensorprog.errors import DataError, PrecisionError, TensorProgramError
from tensorprog.limits.envelopes import Envelope, UnboundedError
from tensorprog.limits.estimates import EPS
from tensorprog.limits.matrix import Blocks, Entry, Found
from tensorprog.limits.pairs import INVERSE, RATIO, opposite, proportional, same
from tensorprog.program import Apply, Program

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
Taken = tuple[Rows, Rows, Found]
"""Places in a matrix, and what is there."""
TOLERANCE = 1e-8
FEW = 2**10  # pairs of inputs that are taken one by one
ULPS = 4  # by which the coordinates of a multiple may be off


class KernelMatrix:
    """A kernel over distinct inputs, every pair of them by the route of its kind.

    Equal inputs are one input; multiples of an input are told to the program; what is sampled, or next to a kink, is
    taken pair by pair, in one order; all the rest in blocks.
    """

    def __init__(self, target: Program, rows: Array, columns: Array | None, tolerance: float) -> None:
        self.target, self.tolerance, self.symmetric = target, tolerance, columns is None
        both = rows if columns is None else np.concatenate([rows, columns])
        flat = both.reshape(len(both), -1) + 0.0  # so that -0 is 0
        _, first, place = np.unique(flat, axis=0, return_index=True, return_inverse=True)
        self.inputs, self.entry = both[first], Entry(target)
        self.diagonal, self.refused = _lone(Entry(same(target)), self.inputs)
        good = np.isfinite(self.diagonal.error)
        self.given = {"X": place[: len(rows)], "X2": place[len(rows) :]}
        self.left, self.back_left = _distinct(self.given["X"], good)
        self.right, self.back_right = self.left, self.back_left
        if columns is not None:
            self.right, self.back_right = _distinct(self.given["X2"], good)
        self.work = np.zeros((len(self.left), len(self.right)))
        self.off: Array | Envelope = np.zeros(self.work.shape)
        self.special: list[tuple[Rows, Rows, Array]] = []
        if self.work.size:
            self._fill()

    # -- what is returned

    @property
    def values(self) -> Array:
        return _spread(self.work, self.back_left, self.back_right, nan)

    @property
    def errors(self) -> Array:
        return _spread(self._errors(), self.back_left, self.back_right, inf)

    def check(self) -> None:
        """Raise PrecisionError for an entry whose error is above the tolerance, or that has no value."""
        for name, back in (("X", self.back_left), ("X2", self.back_right)):
            lost = np.flatnonzero(back < 0)
            if len(lost):
                why = self.refused.get(int(self.given[name][lost[0]]), "it is not finite")
                raise PrecisionError(
                    f"row {lost[0]} of {name} has no kernel, {why}: a layer of the network is singular there, as a "
                    f"normalisation of a zero vector is, or numbers overflow ({len(lost)} such rows); remove them, or "
                    "see errors=True"
                )
        i, j, error = (np.concatenate([part[k] for part in self.special] or [np.zeros(0, int)]) for k in range(3))
        off = self._relative(i, j, error)
        above = ~(off <= self.tolerance)
        if above.any():
            k = int(off.argmax())
            a, b = int(np.flatnonzero(self.back_left == i[k])[0]), int(np.flatnonzero(self.back_right == j[k])[0])
            raise PrecisionError(
                f"the kernel entry ({a}, {b}) is {self.work[i[k], j[k]]:.8g} ± {error[k]:.1e}, {off[k]:.1e} of "
                f"(K(x, x) K(x', x'))^(1/2), above the tolerance {self.tolerance:g}, as {above.sum()} pairs of "
                "inputs are; pass a larger tolerance=, or errors=True for the errors"
            )

    def _errors(self) -> Array:
        result = self.off.left * self.off.right if isinstance(self.off, Envelope) else self.off
        result = np.array(np.broadcast_to(result, self.work.shape))
        for i, j, error in self.special:
            result[i, j] = error
            if self.symmetric:
                result[j, i] = error
        return result

    def _relative(self, i: Rows, j: Rows, error: Array) -> Array:
        scale = np.sqrt(np.abs(self.diagonal.value[self.left[i]] * self.diagonal.value[self.right[j]]))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(error == 0, 0, error / scale))

    # -- the routes

    def _fill(self) -> None:
        left, right = self.left, self.right
        mirrored = self._opposite()
        taken = self._equal() + mirrored + self._multiples(mirrored)
        if (target := self.entry.target) is not None:
            try:
                if self.work.size <= FEW:
                    raise UnboundedError
                blocks = Blocks(self.entry, target, self.inputs[left], self.inputs[right], self.symmetric)
                self.work, self.off, near = blocks()
                taken = [*self._near(self.off, near), *taken]
            except (UnboundedError, DataError):  # as of a variance that is negative by rounding
                i, j = (x.ravel() for x in np.indices(self.work.shape))
                taken = [*self._pairs(i, j, taken), *taken]
        for i, j, found in taken:
            self.work[i, j] = found.value
            if self.symmetric:
                self.work[j, i] = found.value
            self.special.append((i, j, found.error))

    def _equal(self) -> list[Taken]:
        """Entries of one input with itself."""
        _, i, j = np.intersect1d(self.left, self.right, return_indices=True)
        some = self.left[i]
        return [(i, j, Found(self.diagonal.value[some], self.diagonal.error[some]))]

    def _opposite(self) -> list[Taken]:
        """Entries of x with -x."""
        place = {row.tobytes(): k for k, row in enumerate(self.inputs)}
        mirrored = np.array([place.get((0.0 - row).tobytes(), -1) for row in self.inputs])
        column = np.full(len(self.inputs) + 1, -1)  # the last is of those without a mirror image
        column[self.right] = np.arange(len(self.right))
        i = np.flatnonzero(column[mirrored[self.left]] >= 0)
        i, j = self._once(i, column[mirrored[self.left[i]]])
        if not len(i):
            return []
        one = self.inputs[self.left[i]]
        return [(i, j, Entry(opposite(self.target)).at(one, one))]

    def _multiples(self, known: list[Taken]) -> list[Taken]:
        """Entries of an input with a multiple of it, but for those known."""
        routes = {sign: proportional(self.target, sign) for sign in (1, -1)}
        if not any(routes.values()):
            return []
        group, ratio = multiples(self.inputs.reshape(len(self.inputs), -1))
        if len(np.unique(group)) == len(group):
            return []
        i, j = np.nonzero(group[self.left][:, None] == group[self.right][None])
        i, j = self._once(i, j)
        open_ = self._open(i, j, known)
        i, j = i[open_], j[open_]
        a, b = self.left[i], self.right[j]
        ratios = ratio[b] / ratio[a]
        layers = 1 + sum(isinstance(node, Apply) for node in self.target.nodes.values())
        taken = list[Taken]()
        for sign, program in routes.items():
            some = np.flatnonzero(ratios * sign > 0)
            if program is None or not len(some):
                continue
            one, c = self.inputs[a[some]], np.abs(ratios[some])
            found = Entry(program).at(one, one, **{RATIO: c, INVERSE: 1 / c})
            size = np.sqrt(np.abs(self.diagonal.value[a[some]] * self.diagonal.value[b[some]]))
            error = found.error + layers * ULPS * EPS * size
            taken.append((i[some], j[some], Found(found.value, error)))
        return taken

    def _near(self, off: Envelope, near: Rows) -> list[Taken]:
        """Entries that blocks leave out, or whose errors by rows and columns are too large."""
        scale = [np.sqrt(np.abs(self.diagonal.value[x])) for x in (self.left, self.right)]
        with np.errstate(divide="ignore", invalid="ignore"):
            sides = [
                np.where(x == 0, 0, x / y) for x, y in zip((off.left.ravel(), off.right.ravel()), scale, strict=True)
            ]
        most, worst = min(self.tolerance, TOLERANCE), max(float(sides[0].max()) * float(sides[1].max()), 0)
        places = [near]
        if not worst <= most:
            places.append(np.argwhere(~(sides[0][:, None] * sides[1][None] <= most)))
        pairs = np.unique(np.concatenate(places), axis=0)
        return self._pairs(pairs[:, 0], pairs[:, 1], [])

    def _pairs(self, i: Rows, j: Rows, taken: list[Taken]) -> list[Taken]:
        """Entries one by one, those taken left out, the smaller input first."""
        open_ = self._open(i, j, taken)
        i, j = self._once(i[open_], j[open_])
        low, high = np.minimum(self.left[i], self.right[j]), np.maximum(self.left[i], self.right[j])
        return [(i, j, self.entry.at(self.inputs[low], self.inputs[high]))]

    def _open(self, i: Rows, j: Rows, taken: list[Taken]) -> NDArray[np.bool_]:
        """Which of these entries are not among those taken."""
        known = np.zeros(self.work.shape, dtype=bool)
        for a, b, _ in taken:
            known[a, b] = True
        return ~known[i, j]

    def _once(self, i: Rows, j: Rows) -> tuple[Rows, Rows]:
        """Pairs of different inputs, of a symmetric matrix those above the diagonal."""
        some = i < j if self.symmetric else self.left[i] != self.right[j]
        return i[some], j[some]


def multiples(inputs: Array) -> tuple[Rows, Array]:
    """For every row the first of those that it is a multiple of, to rounding, and the ratio to it.

    Rows of one direction have one projection on a random direction, up to the sign; only such are compared.
    """
    count, length = inputs.shape
    group, ratio = np.arange(count), np.ones(count)
    norms = np.sqrt((inputs**2).sum(1))
    shadow = np.abs(inputs @ np.random.default_rng(0).standard_normal(length))
    shadow = np.where(norms > 0, shadow / np.where(norms > 0, norms, 1), -1 - np.arange(count))
    order = np.argsort(shadow, kind="stable")
    firsts: list[int] = []
    for before, here in zip([order[0], *order[:-1]], order, strict=True):
        if shadow[here] - shadow[before] > 8 * EPS * length:
            firsts = []
        for first in firsts:
            k = int(np.abs(inputs[first]).argmax())
            c = inputs[here, k] / inputs[first, k]
            if np.all(np.abs(inputs[here] - c * inputs[first]) <= ULPS * EPS * np.abs(inputs[here])):
                group[here], ratio[here] = first, c
                break
        else:
            firsts.append(int(here))
    return group, ratio


def _lone(entry: Entry, inputs: Array) -> tuple[Found, dict[int, str]]:
    """K(x, x) for every input; nan and an infinite error where there is none, and why that was refused, by input."""
    try:
        return entry.at(inputs, inputs), {}
    except TensorProgramError as error:
        if len(inputs) == 1:
            return Found(np.array([nan]), np.array([inf])), {0: str(error)}
    half = len(inputs) // 2
    (one, first), (other, second) = _lone(entry, inputs[:half]), _lone(entry, inputs[half:])
    whole = Found(np.concatenate([one.value, other.value]), np.concatenate([one.error, other.error]))
    return whole, first | {half + k: why for k, why in second.items()}


def _distinct(place: Rows, good: NDArray[np.bool_]) -> tuple[Rows, Rows]:
    """Distinct good inputs, in the order given where there are no others; for every row its place among them, or -1."""
    found = np.unique(place)
    kept = place if len(found) == len(place) and good[place].all() else found[good[found]]
    where = np.full(len(good), -1)
    where[kept] = np.arange(len(kept))
    return kept, where[place]


def _spread(work: Array, left: Rows, right: Rows, missing: float) -> Array:
    """Entries of distinct inputs at the rows and columns asked for."""
    if work.shape == (len(left), len(right)) and all(np.array_equal(x, np.arange(len(x))) for x in (left, right)):
        return work
    result = np.full((len(left), len(right)), missing)
    i, j = np.flatnonzero(left >= 0), np.flatnonzero(right >= 0)
    result[np.ix_(i, j)] = work[np.ix_(left[i], right[j])]
    return result

"""The four judgments on Taylor coefficients, remembered; their rules are in `norms`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from fractions import Fraction
from functools import cached_property
from typing import Any

from tensorprog.exponents import HALF, Exponent, known_norms
from tensorprog.program import Vector
from tensorprog.readings.coefficients import Coefficients
from tensorprog.readings.judgement import Counts, Judgement
from tensorprog.readings.kinds import Functional, UnitDirection, parts
from tensorprog.readings.patience import in_time
from tensorprog.readings.sizes import ORDER_ONE

DEEP = 60
"""Judgments that wait for each other at a time, each of them a few frames of Python's stack."""


class _Deeper(Exception):
    """A judgment that is needed and lies deeper than one may recurse."""

    def __init__(self, rule: Callable[..., Judgement | None], about: tuple[Any, ...]) -> None:
        self.rule, self.about = rule, about


class Calculus(Coefficients, ABC):
    """Bounds for coefficients of the nodes of one program along kinds of directions.

    Parameters
    ----------
    nodes, types: the program, adjoints included where directions need them.
    kinds: the directions' kinds; `counts` of a coefficient has one entry for each.
    sizes: coordinate sizes of the nodes themselves, see `node_sizes`.
    parity: of the nodes under a sign flip; empty when there is none, then nothing is assumed to vanish.
    deadline: in the time of `patience.now`, after which a judgment raises OutOfPatience.
    """

    @cached_property
    def _one(self) -> Functional:
        return Functional(ORDER_ONE, 0, self.zero)

    @cached_property
    def _found(self) -> dict[tuple[Any, ...], Judgement | None]:
        return {}

    _depth = 0

    # -- the judgments

    def known(self, name: str, counts: Counts) -> Judgement | None:
        """Coordinate size of a coefficient without free directions (any coefficient for scalars); None when zero."""
        if counts == self.zero:
            return Judgement(self.sizes[name], "size", name, counts)
        return self._memo(self._known_rule, name, counts)

    def scalar(self, name: str, counts: Counts) -> Judgement | None:
        """Size of a coefficient of a scalar node."""
        if counts == self.zero:
            return Judgement(self.sizes[name], "size", name, counts)
        return self._memo(self._scalar_rule, name, counts)

    def norms(self, name: str, counts: Counts) -> Judgement | None:
        """Norm triple of a coefficient of a vector node; `bound` repeats its l2 exponent."""
        return self._memo(self._norms_rule, name, counts)

    def functional(self, k: Functional, name: str, counts: Counts) -> Judgement | None:
        """|⟨k, coefficient⟩| for any known k of this size."""
        return self._memo(self._functional_rule, k, name, counts)

    def _memo(self, rule: Callable[..., Judgement | None], *about: Any) -> Judgement | None:
        """The judgment, once for all. `DEEP` of them wait for each other; a deeper one is found first, then they."""
        key = (rule.__name__, *about)
        if key in self._found:
            return self._found[key]
        if self._depth >= DEEP:
            raise _Deeper(rule, about)
        if self._depth:
            self._judge(rule, about)
        else:
            pending = [(rule, about)]
            while pending:
                try:
                    self._judge(*pending[-1])
                    pending.pop()
                except _Deeper as deeper:
                    pending.append((deeper.rule, deeper.about))
        return self._found[key]

    def _judge(self, rule: Callable[..., Judgement | None], about: tuple[Any, ...]) -> None:
        in_time(self._deadline)
        name, counts = about[-2:]
        moved = all(name in self._moved[i] for i, k in enumerate(counts) if k)
        self._depth += 1
        try:
            self._found[rule.__name__, *about] = rule(*about) if moved else None
        finally:
            self._depth -= 1

    @abstractmethod
    def _known_rule(self, name: str, counts: Counts) -> Judgement | None: ...

    @abstractmethod
    def _scalar_rule(self, name: str, counts: Counts) -> Judgement | None: ...

    @abstractmethod
    def _norms_rule(self, name: str, counts: Counts) -> Judgement | None: ...

    @abstractmethod
    def _functional_rule(self, k: Functional, name: str, counts: Counts) -> Judgement | None: ...

    # -- coefficients, known or not

    def _coefficient(self, name: str, counts: Counts) -> Judgement | None:
        return self.known(name, counts) if isinstance(self.types[name], Vector) else self.scalar(name, counts)

    def _factor(self, name: str, counts: Counts) -> Judgement | None:
        if isinstance(self.types[name], Vector) and self._free(counts):
            return self.norms(name, counts)
        return self._coefficient(name, counts)

    def _triple(self, name: str, counts: Counts) -> Judgement | None:
        """Norms of a coefficient, known or not."""
        if self._free(counts):
            return self.norms(name, counts)
        j = self.known(name, counts)
        if j is None:
            return None
        return Judgement(j.bound, "known vector", name, counts, (j,), known_norms(j.bound, self._growing(name)))

    def _moved_parameter(self, name: str, counts: Counts) -> Judgement | None:
        """The move of a vector or scalar parameter: its l2 norm along a free direction, else its size."""
        if sum(counts) != 1:
            return None
        kind = self.kinds[counts.index(1)]
        if isinstance(kind, UnitDirection):
            bound = Exponent(kind.weights[name]) if name in kind.weights else None
            rule = "free direction"
        else:
            sizes = [left.size for left, right in kind.pairs.get(name, ()) if right is None]
            bound = max(sizes).shift(self._metric(name)) if sizes else None
            rule = "gradient direction"
        return None if bound is None else Judgement(bound, rule, name, counts)

    def _returning(
        self, k: Functional, matrix: str, transpose: bool, before: str | None = None
    ) -> Fraction | int | float:
        """Largest logarithm in M^T k, M the weight this way round: a Gaussian plus Σ_y y E[∂k/∂(My)].

        y runs over the vectors that M multiplies, coefficients included (for node `before`: those multiplied earlier);
        an expectation that the flip makes odd vanishes, unless an odd random scalar may stand in k.
        """
        log: Fraction | int | float = HALF
        for product_name, y in self._multiplied.get((matrix, transpose), {}).items():
            earlier = before is None or self._position[product_name] < self._position[before]
            for part in parts(k.content or self.zero) if earlier else (self.zero,):
                odd = k.parity ^ self.parity.get(matrix, 0) ^ self._parity(y, part)
                if not (odd and not self.random_scalars) and (j := self.known(y, part)) is not None:
                    log = max(log, j.bound.log)
        return log

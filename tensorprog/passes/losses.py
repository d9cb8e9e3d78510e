"""Losses C(F, y), as what training reads of them: the slope ∂C/∂F, written into a program."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import final

import sympy

from tensorprog.errors import TrainingError
from tensorprog.functions import Function, exp, expression, power, sigmoid
from tensorprog.functions.base import BOUNDED, LINEAR, Degree
from tensorprog.program.builder import Builder, Value
from tensorprog.program.types import ONE, Coefficient

MINUS = Coefficient(Fraction(-1))
Row = Sequence[Fraction]


class Loss(ABC):
    """A loss of the outputs F_1…F_k at one input with targets y_1…y_k."""

    @property
    @abstractmethod
    def growth(self) -> Degree:
        """p where slopes are at most of the size 1 + |F|^p, 0 where they are bounded, None where no power does."""

    @abstractmethod
    def slopes(self, builder: Builder, outputs: Sequence[Value], targets: Row) -> list[Value]:
        """∂C/∂F_j, one scalar an output."""

    def fault(self, row: Row) -> str | None:
        """Why the loss is not made for these targets, in words; None when it is."""
        return None


class Separate(Loss):
    """A loss Σ_j C(F_j, y_j) that treats its outputs alike."""

    @abstractmethod
    def slope(self, builder: Builder, output: str, target: Fraction) -> Value:
        """∂C/∂F at one output."""

    def slopes(self, builder: Builder, outputs: Sequence[Value], targets: Row) -> list[Value]:
        pairs = zip(outputs, targets, strict=True)
        return [self.slope(builder, output or builder.zero(), target) for output, target in pairs]


@final
@dataclass(frozen=True)
class Squared(Separate):
    """½ Σ_j (F_j − y_j)²."""

    growth = LINEAR

    def slope(self, builder: Builder, output: str, target: Fraction) -> Value:
        return builder.lincomb([(ONE, output), (MINUS, builder.constant(Coefficient(target)))])


@final
@dataclass(frozen=True)
class Logistic(Separate):
    """Σ_j log(1 + exp(−y_j F_j)) for labels y_j = ±1."""

    growth = BOUNDED

    def slope(self, builder: Builder, output: str, target: Fraction) -> Value:
        margin = builder.scaled(Coefficient(-target), output) or builder.zero()
        return builder.scaled(Coefficient(-target), builder.apply(sigmoid, (0,), [margin]))

    def fault(self, row: Row) -> str | None:
        if all(abs(y) == 1 for y in row):
            return None
        return f"the logistic loss takes labels −1 and 1, a target is {', '.join(map(str, row))}; use labels ±1"


@final
@dataclass(frozen=True)
class Custom(Separate):
    """Σ_j C(F_j, y_j) for a function C of z0 = F and z1 = y."""

    function: Function

    @property
    def growth(self) -> Degree:
        return self.function.degrees((1, 0)[: self.function.arity])[0]

    def slope(self, builder: Builder, output: str, target: Fraction) -> Value:
        args = [output, builder.constant(Coefficient(target)) or builder.zero()]
        arity = self.function.arity
        return builder.apply(self.function, (1, 0)[:arity], args[:arity])


@final
@dataclass(frozen=True)
class CrossEntropy(Loss):
    """−Σ_j y_j log p_j with the softmax p of the outputs; the y_j of one input sum to 1."""

    growth = BOUNDED

    def slopes(self, builder: Builder, outputs: Sequence[Value], targets: Row) -> list[Value]:
        found = []
        for f, y in zip(outputs, targets, strict=True):
            gaps = [builder.lincomb([(ONE, other), (MINUS, f)]) or builder.zero() for other in outputs]
            total = builder.add(*(builder.apply(exp, (0,), [gap]) for gap in gaps)) or builder.zero()
            share = builder.apply(power(-1), (0,), [total])
            found.append(builder.lincomb([(ONE, share), (MINUS, builder.constant(Coefficient(y)))]))
        return found

    def fault(self, row: Row) -> str | None:
        if len(row) < 2:
            return (
                "cross-entropy needs several outputs, the program has one; use tp.readout(…, outputs=k), "
                "or loss='logistic'"
            )
        if abs(sum(row, Fraction(-1))) > Fraction(1, 10**9) or any(y < 0 for y in row):
            shown = ", ".join(f"{float(y):g}" for y in row)
            return f"cross-entropy takes targets that are probabilities, a row is {shown}; use one-hot rows"
        return None


NAMED: Mapping[str, Loss] = MappingProxyType(
    {"squared": Squared(), "logistic": Logistic(), "cross_entropy": CrossEntropy()}
)


def loss_of(loss: object) -> Loss:
    """A named loss, or one from an expression (text or sympy) in F and y, such as "log(cosh(F - y))".

    Raises TrainingError for anything else, ExpressionError for a text outside the accepted grammar.
    """
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, str) and loss in NAMED:
        return NAMED[loss]
    if not isinstance(loss, str | sympy.Expr):
        raise TrainingError(f"loss={loss!r} is not one of {', '.join(NAMED)}, nor an expression in F and y")
    text = str(loss)
    if not re.search(r"\bF\b", text):
        raise TrainingError(
            f"loss={text!r} is not one of {', '.join(NAMED)}, and no expression that depends on F; write C(F, y) as "
            "a text"
        )
    return Custom(expression(re.sub(r"\by\b", "z1", re.sub(r"\bF\b", "z0", text))))

"""Gradient descent on coefficients: where the weights are after each step, as multiples of what earlier steps found.

θ ← θ − η b with b ← μ b + g + λ θ (momentum μ, weight decay λ). The update is linear in θ, b and the gradient g, so θ
and b stay linear combinations of the initial value and of gradient terms; only their coefficients, scalars of the
program, change. That holds for no optimiser that divides gradients coordinate by coordinate, such as Adam.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Generic, TypeVar

from tensorprog.program.builder import Builder, Value
from tensorprog.program.types import ONE, Coefficient

Key = TypeVar("Key", bound=Hashable)
MINUS = Coefficient(Fraction(-1))


@dataclass(frozen=True)
class Descent(Generic[Key]):
    """Coefficients of θ and of the momentum buffer b, by what they multiply."""

    momentum: Fraction
    decay: Coefficient
    theta: Mapping[Key, Value]
    buffer: Mapping[Key, Value] = field(default_factory=dict)

    def step(self, builder: Builder, gradient: Mapping[Key, Value], rate: Coefficient) -> Descent[Key]:
        """After one step with this gradient and learning rate."""
        keys = dict.fromkeys([*self.theta, *self.buffer, *gradient])
        buffer = {
            key: builder.lincomb(
                [
                    (Coefficient(self.momentum), self.buffer.get(key)),
                    (ONE, gradient.get(key)),
                    (self.decay, self.theta.get(key)),
                ]
            )
            for key in keys
        }
        theta = {key: builder.lincomb([(ONE, self.theta.get(key)), (MINUS * rate, buffer[key])]) for key in keys}
        return Descent(self.momentum, self.decay, theta, buffer if self.momentum else {})

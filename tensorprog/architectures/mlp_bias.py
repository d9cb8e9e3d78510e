"""The fully connected network with trainable biases."""

from __future__ import annotations

from fractions import Fraction

from tensorprog.architectures.mlp import mlp
from tensorprog.functions import Function, erf
from tensorprog.program import Std, Symbol

POSITIONS = None


def mlp_bias(
    x: Symbol,
    depth: int = 3,
    phi: Function = erf,
    weight_std: Std = 1,
    bias_std: Std = Fraction(1, 2),
) -> Symbol:
    """h¹ = U x + b⁰,  h^{l+1} = W^l φ(h^l) + b^l,  F = v·φ(h^depth) + b.

    Biases are N(0, bias_std²) and trained. (Jacot, Gabriel, Hongler, arXiv 1806.07572, section 2)
    """
    return mlp(x, depth, phi, weight_std, bias_std)

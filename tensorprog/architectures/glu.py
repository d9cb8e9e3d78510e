"""The gated linear network."""

from __future__ import annotations

from tensorprog.architectures._options import check_depth
from tensorprog.functions import Function, sigmoid
from tensorprog.program import Std, Symbol, linear, readout

POSITIONS = None


def glu(x: Symbol, depth: int = 3, phi: Function = sigmoid, weight_std: Std = 1, bias_std: Std = 0) -> Symbol:
    """h^l = φ(W^l h^{l-1}) ∘ (V^l h^{l-1}),  h⁰ = x,  F = v·h^depth; φ is the gate.

    (Dauphin, Fan, Auli, Grangier, arXiv 1612.08083, equation 1)
    """
    check_depth(depth)
    for layer in range(1, depth + 1):
        gate = phi(linear(f"W{layer}", x, std=weight_std, bias=bias_std))
        x = gate * linear(f"V{layer}", x, std=weight_std, bias=bias_std)
    return readout("v", x, std=weight_std, bias=bias_std)

"""The fully connected network."""

from __future__ import annotations

from tensorprog.architectures._options import check_depth
from tensorprog.functions import Function, erf
from tensorprog.program import Std, Symbol, linear, readout

POSITIONS = None


def mlp(x: Symbol, depth: int = 3, phi: Function = erf, weight_std: Std = 1, bias_std: Std = 0) -> Symbol:
    """h¹ = U x,  h^{l+1} = W^l φ(h^l),  F = v·φ(h^depth); trainable biases when `bias_std` is not 0.

    `depth` counts hidden layers. (Jacot, Gabriel, Hongler, arXiv 1806.07572, section 2)
    """
    check_depth(depth)
    h = linear("U", x, std=weight_std, bias=bias_std)
    for layer in range(1, depth):
        h = linear(f"W{layer}", phi(h), std=weight_std, bias=bias_std)
    return readout("v", phi(h), std=weight_std, bias=bias_std)

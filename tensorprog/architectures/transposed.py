"""A network that uses one weight and its transpose."""

from __future__ import annotations

from tensorprog.architectures._options import check_depth
from tensorprog.functions import Function, erf
from tensorprog.program import Std, Symbol, linear, readout

POSITIONS = None


def transposed(x: Symbol, depth: int = 3, phi: Function = erf, weight_std: Std = 1, bias_std: Std = 0) -> Symbol:
    """h¹ = U x,  h² = W φ(h¹),  h³ = Wᵀ φ(h²),  h⁴ = W φ(h³), …,  F = v·φ(h^depth).

    One W for all hidden layers, every second time transposed. (Yang, Tensor Programs III, arXiv 2009.10685, section 2)
    """
    check_depth(depth)
    h = linear("U", x, std=weight_std, bias=bias_std)
    for layer in range(1, depth):
        h = linear("W", phi(h), std=weight_std, transpose=layer % 2 == 0)
    return readout("v", phi(h), std=weight_std, bias=bias_std)

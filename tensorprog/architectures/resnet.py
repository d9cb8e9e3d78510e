"""The residual network."""

from __future__ import annotations

from tensorprog.architectures._options import check_depth
from tensorprog.functions import Function, erf
from tensorprog.program import Std, Symbol, linear, readout

POSITIONS = None


def resnet(x: Symbol, depth: int = 3, phi: Function = erf, weight_std: Std = 1, bias_std: Std = 0) -> Symbol:
    """h¹ = U x,  h^{l+1} = h^l + W^l φ(h^l),  F = v·φ(h^depth).

    `depth` counts hidden layers, so there are depth - 1 residual blocks. (Huang et al., arXiv 2002.06262, section 2)
    """
    check_depth(depth)
    h = linear("U", x, std=weight_std, bias=bias_std)
    for layer in range(1, depth):
        h = h + linear(f"W{layer}", phi(h), std=weight_std, bias=bias_std)
    return readout("v", phi(h), std=weight_std, bias=bias_std)

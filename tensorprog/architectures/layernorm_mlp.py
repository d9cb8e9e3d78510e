"""The fully connected network with layer normalisation."""

from __future__ import annotations

from fractions import Fraction

from tensorprog.architectures._options import check_depth
from tensorprog.functions import Function, erf
from tensorprog.program import Std, Symbol, linear, mean, readout

POSITIONS = None


def layernorm_mlp(x: Symbol, depth: int = 3, phi: Function = erf, weight_std: Std = 1, bias_std: Std = 0) -> Symbol:
    """h^{l+1} = W^l φ(N(h^l)) with N(h) = (h - ⟨h⟩) / √⟨(h - ⟨h⟩)²⟩, no affine part; F = v·φ(N(h^depth)).

    (Ba, Kiros, Hinton, arXiv 1607.06450, equation 3)
    """
    check_depth(depth)
    h = linear("U", x, std=weight_std, bias=bias_std)
    for layer in range(1, depth + 1):
        centred = h - mean(h)
        active = phi(centred * mean(centred**2) ** Fraction(-1, 2))
        h = linear(f"W{layer}", active, std=weight_std, bias=bias_std) if layer < depth else h
    return readout("v", active, std=weight_std, bias=bias_std)

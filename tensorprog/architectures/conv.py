"""The convolutional network in one dimension."""

from __future__ import annotations

from tensorprog.architectures._options import check_depth
from tensorprog.functions import Function, erf
from tensorprog.program import Sequence, Std, Symbol, linear, readout

POSITIONS = 4


def conv(x: Sequence, depth: int = 2, phi: Function = erf, weight_std: Std = 1, bias_std: Std = 0) -> Symbol:
    """h^l_p = 3^{-1/2} (A^l y_{p-1} + B^l y_p + C^l y_{p+1}),  y = φ(h^{l-1}),  F = v·(average of φ(h^depth_p) over p).

    Kernel size 3, circular, the kernel's matrices W<l>_m1, W<l>_0, W<l>_p1. (Novak et al., arXiv 1810.05148, section 2)
    """
    check_depth(depth)
    tap = weight_std * 3**-0.5  # the fan-in has three positions; √3 is no rational
    signals = list(x)
    for layer in range(1, depth + 1):
        h: list[Symbol] = []
        for p, centre in enumerate(signals):
            left, right = signals[p - 1], signals[(p + 1) % len(signals)]
            here = linear(f"W{layer}_0", centre, std=tap, bias=bias_std)
            h.append(linear(f"W{layer}_m1", left, std=tap) + here + linear(f"W{layer}_p1", right, std=tap))
        signals = [phi(state) for state in h]
    return readout("v", sum(signals[1:], signals[0]) / len(signals), std=weight_std, bias=bias_std)

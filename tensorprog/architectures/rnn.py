"""The recurrent network: one weight tied over time."""

from __future__ import annotations

from tensorprog.architectures._options import check_depth
from tensorprog.functions import Function, erf
from tensorprog.program import Sequence, Std, Symbol, linear, readout

POSITIONS = 3


def rnn(x: Sequence, depth: int = 1, phi: Function = erf, weight_std: Std = 1, bias_std: Std = 0) -> Symbol:
    """h_t = W φ(h_{t-1}) + U x_t,  F = v·φ(h_T), the same W at every position; `depth` stacks such layers.

    (Yang, Tensor Programs II, arXiv 2006.14548, section 3)
    """
    check_depth(depth)
    signals = list(x)
    for layer in range(1, depth + 1):
        states: list[Symbol] = []
        for signal in signals:
            h = linear(f"U{layer}", signal, std=weight_std, bias=bias_std)
            states.append(phi(h + linear(f"W{layer}", states[-1], std=weight_std) if states else h))
        signals = states
    return readout("v", signals[-1], std=weight_std, bias=bias_std)

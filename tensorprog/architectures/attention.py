"""Single-head self-attention over a few tokens."""

from __future__ import annotations

from fractions import Fraction

from tensorprog.architectures._options import check_depth
from tensorprog.errors import ArchitectureError
from tensorprog.functions import Function, exp, identity
from tensorprog.program import Sequence, Std, Symbol, linear, mean, n, readout

POSITIONS = 3
SCALINGS = {"n": n**0, "sqrt": n ** Fraction(1, 2)}


def attention(
    x: Sequence,
    depth: int = 1,
    phi: Function = identity,
    weight_std: Std = 1,
    bias_std: Std = 0,
    scaling: str = "n",
    tied: bool = False,
) -> Symbol:
    """y_i = φ(W_O Σ_j a_ij W_V x_j),  a_ij = softmax_j(⟨q_i, k_j⟩),  q = W_Q x,  k = W_K x,  F = v·(average of y_i).

    `scaling` is "n" (scores q·k/n) or "sqrt" (q·k/√n); `tied` sets W_K = W_Q. (Hron et al., arXiv 2006.10540)
    """
    check_depth(depth)
    if scaling not in SCALINGS:
        raise ArchitectureError(f"scaling={scaling!r} is not one of {', '.join(SCALINGS)}")
    tokens = list(x)
    for layer in range(1, depth + 1):
        q, k, v = (
            [linear(f"W_{name}{layer}", token, std=weight_std, bias=bias_std) for token in tokens]
            for name in ("Q", "Q" if tied else "K", "V")
        )
        mixed: list[Symbol] = []
        for query in q:
            weights = [exp(SCALINGS[scaling] * mean(query * key)) for key in k]
            shares = [weight / sum(weights[1:], weights[0]) for weight in weights]
            terms = [share * value for share, value in zip(shares, v, strict=True)]
            mixed.append(sum(terms[1:], terms[0]))
        tokens = [phi(linear(f"W_O{layer}", y, std=weight_std, bias=bias_std)) for y in mixed]
    return readout("v", sum(tokens[1:], tokens[0]) / len(tokens), std=weight_std, bias=bias_std)

"""tensorprog: derivative correlations of wide networks, derived from a tensor program and verified by simulation.

>>> import tensorprog as tp
>>> def net(x):
...     return tp.readout("v", tp.erf(tp.linear("U", x)))
>>> program = tp.trace(net, inputs=3)
>>> str(tp.derive(program, orders=[(0, 2)])[0, 2])
'n^-1'
"""

import tensorprog.interrupts  # noqa: F401  # before all others, which take a second
from tensorprog.functions import (
    cos,
    erf,
    exp,
    expression,
    gelu,
    identity,
    leaky_relu,
    polynomial,
    power,
    relu,
    sigmoid,
    sin,
    softplus,
    tanh,
)
from tensorprog.limits.definite import derive
from tensorprog.limits.fluctuations import Fluctuation, fluctuation
from tensorprog.limits.kernels import kernel
from tensorprog.limits.limit import Limit, limit
from tensorprog.passes import correlation, deviation, linearised, moved, train
from tensorprog.program import (
    MEAN_FIELD,
    MUP,
    NTK,
    Program,
    abc,
    linear,
    mean,
    n,
    readout,
    symbol,
    trace,
)
from tensorprog.proofs import Proof, prove
from tensorprog.readings import sample
from tensorprog.report import linearity, verify
from tensorprog.version import VERSION as __version__

__all__ = [
    "MEAN_FIELD",
    "MUP",
    "NTK",
    "Fluctuation",
    "Limit",
    "Program",
    "Proof",
    "__version__",
    "abc",
    "correlation",
    "cos",
    "derive",
    "deviation",
    "erf",
    "exp",
    "expression",
    "fluctuation",
    "gelu",
    "identity",
    "kernel",
    "leaky_relu",
    "limit",
    "linear",
    "linearised",
    "linearity",
    "mean",
    "moved",
    "n",
    "polynomial",
    "power",
    "prove",
    "readout",
    "relu",
    "sample",
    "sigmoid",
    "sin",
    "softplus",
    "symbol",
    "tanh",
    "trace",
    "train",
    "verify",
]

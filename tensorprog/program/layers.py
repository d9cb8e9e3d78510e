"""Weights and averages of the tracing front end: `linear`, `readout`, `mean`."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any, overload

from tensorprog.errors import ProgramError
from tensorprog.exponents import exact
from tensorprog.program.builder import Value
from tensorprog.program.constants import NamedConstant
from tensorprog.program.instructions import GAUSSIAN, Parameter
from tensorprog.program.scales import NTK, exponents
from tensorprog.program.tracing import Recorder, Sequence, Symbol
from tensorprog.program.types import ONE, Vector, Width

Std = float | Fraction | NamedConstant
"""A standard deviation: a positive number, or `tp.symbol`."""


def linear(
    name: str,
    x: Symbol,
    *,
    bias: Std = 0,
    std: Std = 1,
    scale: object = NTK,
    trainable: bool = True,
    width: float | Fraction | None = None,
    transpose: bool = False,
    law: str = GAUSSIAN,
) -> Symbol:
    """W x, or Wᵀ x, plus a bias vector of standard deviation `bias` (a parameter named `<name>.bias`) when not 0.

    Parameters
    ----------
    name: of the weight; the same name is the same weight.
    x: a vector. Input data (dimension d0) give the weight the fixed fan-in d0.
    std: standard deviation σ; entries of W are n^{-a} σ r^{-1/2} N(0, 1), r the fan-in over n, or d0. With a
        `tp.symbol`, W has the standard deviation 1 and its products are multiplied by σ: the same law and gradients.
    scale: `tp.NTK` (a = 1/2 for a fan-in that grows, 0 for a fixed one), `tp.MEAN_FIELD`, `tp.MUP`, `tp.abc(a, b, c)`.
    width: of the result, as a multiple of n (default 1, or what the weight already has).
    transpose: multiply by the transpose; the variance stays that of W.
    law: of the entries of W: "gaussian", or "rademacher" (random signs), "uniform", "constant" (not random, all equal
        to the standard deviation), which can be sampled only, by the dense reading; a bias is Gaussian.

    Returns a vector; raises ProgramError when widths do not fit, naming the weight.
    """
    builder, source = _vector(name, x, "tp.linear")
    known = builder.nodes.get(name)
    if isinstance(known, Parameter):
        out = known.cols if transpose else known.rows
        if width is not None and out is not None and exact(width) != out.ratio:
            raise ProgramError(f"{name!r} has width {out}, width={width} was asked; drop width= or use another name")
        rows, cols = known.rows, known.cols
    else:
        ratio = exact(1 if width is None else width)
        if ratio <= 0:
            raise ProgramError(f"width={width} of {name!r} must be a positive multiple of n")
        rows, cols = (source, Width(ratio)) if transpose else (Width(ratio), source)
    a, c = exponents(scale, name, rows, cols)
    number, sigma = _std(name, std)
    weight = builder.weight(name, Parameter(rows, cols, number, a, c, bool(trainable), law), sigma)
    product = builder.matmul(weight, x.name, transpose)
    result = _times(builder, sigma, product)
    if bias:
        shift = _bias(builder, name, builder.width(str(product)), bias, scale, trainable)
        result = builder.add(result, shift)
    return x._wrap(result)


@overload
def readout(
    name: str,
    x: Symbol,
    *,
    bias: Std = ...,
    std: Std = ...,
    scale: object = ...,
    trainable: bool = ...,
    law: str = ...,
    outputs: None = ...,
) -> Symbol: ...


@overload
def readout(
    name: str,
    x: Symbol,
    *,
    bias: Std = ...,
    std: Std = ...,
    scale: object = ...,
    trainable: bool = ...,
    law: str = ...,
    outputs: int,
) -> tuple[Symbol, ...]: ...


def readout(
    name: str,
    x: Symbol,
    *,
    bias: Std = 0,
    std: Std = 1,
    scale: object = NTK,
    trainable: bool = True,
    law: str = GAUSSIAN,
    outputs: int | None = None,
) -> Symbol | tuple[Symbol, ...]:
    """The scalar Σ_α v_α x_α with a Gaussian readout v, plus a bias scalar `<name>.bias`; options as in `linear`.

    outputs: k gives a tuple of k scalars, by readouts named `<name>_0`, `<name>_1`, …
    """
    if outputs is not None:
        if isinstance(outputs, bool) or not isinstance(outputs, int) or outputs < 1:
            raise ProgramError(f"outputs={outputs!r} of {name!r} must be a positive integer")
        options: dict[str, Any] = {"bias": bias, "std": std, "scale": scale, "trainable": trainable, "law": law}
        return tuple(readout(f"{name}_{j}", x, **options) for j in range(outputs))
    builder, source = _vector(name, x, "tp.readout")
    if not source.growing:
        raise ProgramError(f"readout {name!r} reads the data directly; put tp.linear in between")
    a, c = exponents(scale, name, None, source)
    number, sigma = _std(name, std)
    weight = builder.weight(name, Parameter(None, source, number, a, c, bool(trainable), law), sigma)
    result = _times(builder, sigma, builder.dot(weight, x.name))
    if bias:
        result = builder.add(result, _bias(builder, name, None, bias, scale, trainable))
    return x._wrap(result)


def mean(x: Symbol) -> Symbol:
    """The Moment (1/N) Σ_α x_α, a scalar: `tp.mean(x * y)` is ⟨x, y⟩."""
    _vector("mean", x, "tp.mean")
    return x._wrap(x.builder.moment(x.name))


def _vector(name: str, x: object, where: str) -> tuple[Recorder, Width]:
    if not isinstance(name, str) or not all(part.isidentifier() for part in name.split(".")):
        raise ProgramError(f"{name!r} is no name for a weight; use letters, digits, _ and dots, as in 'block1.W'")
    if isinstance(x, Sequence):
        raise ProgramError(f"{where} of {name!r} got a whole sequence of {len(x)} positions; pass one of them, x[i]")
    if not isinstance(x, Symbol):
        raise ProgramError(f"{where} of {name!r} got {x!r}, not a traced vector; call the function through tp.trace")
    if not isinstance(x.type, Vector):
        raise ProgramError(f"{where} of {name!r} got {x.name!r}, a {x.type} where a vector is needed")
    return x.builder, x.type.width


def _bias(builder: Recorder, weight: str, width: Width | None, std: object, scale: object, trainable: bool) -> Value:
    name = f"{weight}.bias"
    a, c = (Fraction(0), Fraction(0)) if not hasattr(scale, "roles") else exponents(scale, name, width, None)
    number, sigma = _std(name, std)
    return _times(builder, sigma, builder.weight(name, Parameter(width, None, number, a, c, bool(trainable)), sigma))


def _std(name: str, std: object) -> tuple[Fraction, NamedConstant | None]:
    """A standard deviation as a number times named constants."""
    if isinstance(std, NamedConstant):
        number, sigma = std.factor.value, replace(std, factor=ONE)
        if std.factor.power or std.value.power:
            raise ProgramError(f"the standard deviation of {name!r} is {std} with a power of n; give that to scale=")
    else:
        number, sigma = exact(std), None
    if number <= 0 or (sigma is not None and sigma.value.value <= 0):
        raise ProgramError(f"the standard deviation of {name!r} is {std}; it must be positive")
    return number, sigma


def _times(builder: Recorder, sigma: NamedConstant | None, value: Value) -> Value:
    return value if sigma is None else builder.multiply(builder.named(sigma), value)

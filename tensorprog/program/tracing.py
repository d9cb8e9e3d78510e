"""The tracing front end: architectures written as one writes them on paper.

A function of one input is called with a `Symbol` (or a `Sequence` of symbols, one a position) and everything it does
is recorded. The same weight name means the same weight, within one input and across inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any, assert_never

from tensorprog.errors import ArchitectureError, ExpressionError, ProgramError, TensorProgramError, message_of
from tensorprog.exponents import exact
from tensorprog.functions import Function, power
from tensorprog.program.builder import Builder
from tensorprog.program.constants import NamedConstant
from tensorprog.program.instructions import (
    Apply,
    Constant,
    Free,
    Input,
    Instruction,
    LinComb,
    MatMul,
    Moment,
    Multiply,
    Parameter,
    ancestors,
    operands,
    renamed,
)
from tensorprog.program.outputs import Output
from tensorprog.program.program import Program
from tensorprog.program.types import ONE, Coefficient, Matrix, Scalar, Type, Vector

MINUS = Coefficient(Fraction(-1))
MOST_NODES, MOST_OPERANDS = 30_000, 100_000
"""Of a traced program: every reading takes a time at least in proportion."""


class Recorder(Builder):
    """A builder that knows which named constant stands before each weight."""

    def __init__(self) -> None:
        super().__init__()
        self._symbols: dict[str, NamedConstant | None] = {}
        self._operands = 0

    def _insert(self, name: str, instruction: Instruction, kind: Type | None = None) -> str:
        self._operands += len(operands(instruction))
        if len(self.nodes) >= MOST_NODES or self._operands > MOST_OPERANDS:
            raise ProgramError(
                f"the program has more than {MOST_NODES} nodes, or {MOST_OPERANDS} operands of them, the last one "
                f"{name!r}; use fewer layers, positions or inputs"
            )
        return super()._insert(name, instruction, kind)

    def weight(self, name: str, parameter: Parameter, std: NamedConstant | None) -> str:
        """The parameter, whose standard deviation has `std` as a factor at every use."""
        known = self._symbols.setdefault(name, std)
        if known != std:
            raise ProgramError(
                f"{name!r} is defined twice, with std {known or 'a number'} and {std or 'a number'}; use one name for "
                "one weight with equal width, std, scale and trainable, or give the second another name"
            )
        return self.parameter(name, parameter)


class Symbol:
    """A traced vector or scalar; arithmetic is coordinatewise, scalars, numbers and named constants broadcast."""

    __array_ufunc__ = None  # numpy scalars defer to the operators below
    __slots__ = ("builder", "name")

    def __init__(self, builder: Recorder, name: str) -> None:
        self.builder, self.name = builder, name

    @property
    def type(self) -> Scalar | Vector | Matrix:
        return self.builder.types[self.name]

    def apply_function(self, function: Function, args: tuple[object, ...]) -> Symbol:
        """A nonlinearity called on traced values; numbers among its arguments become constants."""
        names = [self._operand(arg, function.spec) for arg in args]
        return self._wrap(self.builder.apply(function, (0,) * function.arity, names))

    def __add__(self, other: object) -> Symbol:
        return self._combine(ONE, other, ONE)

    __radd__ = __add__

    def __sub__(self, other: object) -> Symbol:
        return self._combine(ONE, other, MINUS)

    def __rsub__(self, other: object) -> Symbol:
        return self._combine(MINUS, other, ONE)

    def __neg__(self) -> Symbol:
        return self._wrap(self.builder.scaled(MINUS, self.name))

    def __pos__(self) -> Symbol:
        return self

    def __mul__(self, other: object) -> Symbol:
        if isinstance(other, Symbol | NamedConstant):
            return self._wrap(self.builder.multiply(self.name, self._operand(other, "*")))
        return self._wrap(self.builder.scaled(_coefficient(other), self.name))

    __rmul__ = __mul__

    def __truediv__(self, other: object) -> Symbol:
        if isinstance(other, NamedConstant):
            other = self._wrap(self._operand(other, "/"))
        if isinstance(other, Symbol):
            return self * other**-1
        coefficient = _coefficient(other)
        if not coefficient.value:
            raise ExpressionError(f"{self.name!r} is divided by zero; give a divisor other than 0")
        return self._wrap(self.builder.scaled(ONE / coefficient, self.name))

    def __rtruediv__(self, other: object) -> Symbol:
        return self**-1 * other

    def __pow__(self, exponent: int | float | Fraction) -> Symbol:
        p = exact(exponent)
        if p == 1:
            return self
        if p == 2:
            return self * self
        return self.apply_function(power(p), (self,))

    def __getitem__(self, index: object) -> Symbol:
        raise ProgramError(
            f"{self.name!r} has no positions to index with [{index!r}]; trace sequences with tp.trace(f, positions=…)"
        )

    def __bool__(self) -> bool:
        raise ProgramError(
            f"the value of {self.name!r} is random, it cannot decide a branch; decide on options instead"
        )

    def __repr__(self) -> str:
        return f"<{self.name}: {self.type}>"

    def _combine(self, mine: Coefficient, other: object, theirs: Coefficient) -> Symbol:
        return self._wrap(self.builder.lincomb([(mine, self.name), (theirs, self._operand(other, "+"))]))

    def _operand(self, value: object, where: str) -> str:
        if isinstance(value, Symbol):
            if value.builder is not self.builder:
                raise ProgramError(f"{where} mixes values of two traces; call tp.trace once on the whole function")
            return value.name
        builder = self.builder
        found = builder.named(value) if isinstance(value, NamedConstant) else builder.constant(_coefficient(value))
        return builder.zero() if found is None else found

    def _wrap(self, name: str | None) -> Symbol:
        return Symbol(self.builder, self.builder.zero() if name is None else name)


class Sequence:
    """One input of several positions: `x[i]` is the vector at position i, `len(x)` their number."""

    def __init__(self, positions: list[Symbol]) -> None:
        self._positions = positions

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, index: int) -> Symbol:
        try:
            return self._positions[index]
        except IndexError:
            raise ProgramError(
                f"position {index} of a sequence of {len(self)}; trace with tp.trace(f, positions={index + 1}) or more"
            ) from None

    def __iter__(self) -> Iterator[Symbol]:
        return iter(self._positions)


def trace(
    architecture: Callable[..., Symbol], inputs: int = 1, positions: int | None = None, **options: Any
) -> Program:
    """The program of `architecture(x, **options)` at each of `inputs` data rows; outputs are labelled F0, F1, …

    Parameters
    ----------
    architecture: a function of one input (a vector, or a sequence of `positions` vectors) that returns a scalar.
    inputs: how many inputs to trace; C^{D,d} with distinct inputs needs d + 1.
    positions: length of each input sequence, for architectures that index `x[i]`.

    Raises ProgramError when the result is not a scalar or a program is not well formed, ArchitectureError where calls
    at different inputs do different things.
    """
    if not callable(architecture):
        raise ArchitectureError(f"{architecture!r} is not a function; pass a function of one input")
    for what, value in (("inputs", inputs), ("positions", positions)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ProgramError(f"{what}={value!r} must be a positive integer")
    builder = Recorder()
    outputs: dict[str, Output] = {}
    forms, first = _Forms(builder), list[int]()
    label = getattr(architecture, "__name__", "the architecture")
    for index in range(inputs):
        if positions is None:
            x: Symbol | Sequence = Symbol(builder, builder.input(index))
        else:
            x = Sequence([Symbol(builder, builder.input(index, p)) for p in range(positions)])
        result = _call(architecture, label, x, positions, options)
        if isinstance(result, tuple):
            outputs |= {f"F{index}.{j}": Output(_output(part, label), index, j) for j, part in enumerate(result)}
        else:
            outputs[f"F{index}"] = Output(_output(result, label), index)
        form = forms(outputs, index) if inputs > 1 else []
        first = first if index else form
        if form != first:
            raise ArchitectureError(
                f"{label} is no function of its input: at input {index} it computes something else than at input 0, or "
                "reads a value of another input; let it depend on its arguments only"
            )
        if len(builder.nodes) * inputs > (index + 1) * MOST_NODES:
            raise ProgramError(
                f"{label} at {inputs} inputs would have about {len(builder.nodes) * inputs // (index + 1)} nodes, at "
                f"most {MOST_NODES} are traced; use fewer layers, positions or inputs"
            )
    program = builder.build(outputs)
    for name, node in builder.nodes.items():
        if isinstance(node, Parameter) and name not in program.nodes:
            raise ProgramError(f"unused parameter {name!r}: no output of {label} depends on it; use it or remove it")
    return program


class _Forms:
    """Numbers of what outputs compute from the input they are at: equal for equal computations."""

    def __init__(self, builder: Recorder) -> None:
        self.builder = builder
        self.known: dict[object, int] = {}

    def __call__(self, outputs: Mapping[str, Output], index: int) -> list[int]:
        """One number an output at this input."""
        nodes, ends = self.builder.nodes, [x.node for x in outputs.values() if x.input == index]
        live, found = ancestors(nodes, ends), dict[str, int]()
        for name in nodes:  # operands first
            if name in live:
                found[name] = self.known.setdefault(self._form(name, nodes[name], index, found), len(self.known))
        return [found[end] for end in ends]

    def _form(self, name: str, node: Instruction, index: int, found: Mapping[str, int]) -> object:
        match renamed(node, lambda operand: str(found[operand])):
            case Input(i, position):
                return Input, i == index, position
            case Parameter() as parameter:
                return name, parameter
            case Multiply(args) | Moment(args):
                return type(node), tuple(sorted(args))
            case LinComb(terms):
                return LinComb, tuple(sorted((x, c.value, c.power) for c, x in terms))
            case Apply() | Constant() | Free() | MatMul() as form:
                return form
            case never:
                assert_never(never)


def _output(result: object, label: str) -> str:
    if not isinstance(result, Symbol):
        raise ProgramError(f"{label} returned {result!r}, not a traced scalar; end with tp.readout('v', x)")
    if not isinstance(result.type, Scalar):
        raise ProgramError(
            f"{label} returned {result.name!r}, a {result.type}, not a scalar; end with tp.readout('v', x)"
        )
    return result.name


def _call(
    architecture: Callable[..., Symbol],
    label: str,
    x: Symbol | Sequence,
    positions: int | None,
    options: dict[str, Any],
) -> object:
    try:
        return architecture(x, **options)
    except TensorProgramError:
        raise
    except TypeError as error:
        given = ", ".join(f"{k}={v!r}" for k, v in options.items()) or "none"
        raise ArchitectureError(
            f"{label} failed with options {given}: {message_of(error)}{_remedy(error, positions)}"
        ) from error


def _remedy(error: TypeError, positions: int | None) -> str:
    """What a TypeError inside an architecture probably means."""
    text = message_of(error)
    if "keyword argument" in text:
        return "; options are the architecture's own arguments after x"
    if "ufunc" in text or "not supported between" in text or "bad operand type" in text:
        return "; traced values take tp.tanh, tp.exp and the like, + - * / and **, and have no order"
    single = positions is None and ("len()" in text or "iterable" in text or "subscriptable" in text)
    return "; inputs are single vectors, did you mean tp.trace(f, positions=…)?" if single else ""


def _coefficient(value: object) -> Coefficient:
    return value if isinstance(value, Coefficient) else Coefficient(exact(value))

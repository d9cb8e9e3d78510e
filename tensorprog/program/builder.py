"""`Builder`: how passes and the tracer write programs. Equal instructions become one node.

Constructors simplify exactly what is always true (a product with a constant, a sum of one term, the mean of a
multiple), so passes can be written as formulas. An exact zero is `None`: it is a legal operand everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import TypeGuard, assert_never

from tensorprog.errors import ProgramError
from tensorprog.functions import Function
from tensorprog.program.checks import check_leaf, infer
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
    renamed,
)
from tensorprog.program.outputs import Output
from tensorprog.program.program import Program, Slot
from tensorprog.program.types import ONE, Coefficient, Scalar, Type, Vector, Width

Value = str | None  # the name of a node, or None for an exact zero
ZERO = Constant(Coefficient(Fraction(0)))
Terms = Iterable[tuple[Coefficient, Value]]


class Builder:
    """Grows a program node by node; start from an existing one to extend it under the same names."""

    def __init__(self, base: Program | None = None) -> None:
        self.nodes: dict[str, Instruction] = dict(base.nodes) if base else {}
        self.types: dict[str, Type] = dict(base.types) if base else {}
        self._index = {instruction: name for name, instruction in self.nodes.items()}
        self._count = len(self.nodes)

    # -- leaves

    def input(self, index: int, position: int | None = None) -> str:
        name = f"in{index}" if position is None else f"in{index}_{position}"
        return self._emit(Input(index, position), name)

    def parameter(self, name: str, parameter: Parameter) -> str:
        """Declare a parameter, or find it again; one name has one definition."""
        known = self.nodes.get(name)
        if known is None:
            return self._insert(name, parameter)
        if known != parameter:
            raise ProgramError(
                f"{name!r} is defined twice, {_differences(known, parameter)}; use one name for one weight with equal "
                "width, std, scale, trainable and law, or give the second another name"
            )
        return name

    def free(self, parameter: str) -> str:
        name, direction = f"d{parameter}", Free(parameter)
        infer(name, direction, self.types)
        check_leaf(name, direction, self.nodes)
        return self._emit(direction, name)

    def constant(self, coefficient: Coefficient) -> Value:
        return self._emit(Constant(coefficient)) if coefficient.value else None

    def leaf(self, instruction: Instruction) -> str:
        """An input, a free direction or a constant, as another program has it."""
        match instruction:
            case Input(index, position):
                return self.input(index, position)
            case Free(parameter):
                return self.free(parameter)
            case Constant():
                return self._emit(instruction)
            case Parameter() | MatMul() | Apply() | Multiply() | LinComb() | Moment():
                raise ProgramError(f"{instruction} is no input, free direction or constant; build it by its own method")
            case never:
                assert_never(never)

    def named(self, constant: NamedConstant) -> Value:
        """A product of named constants; one name has one value."""
        names = list[Value]()
        for node in constant.symbols:
            check_leaf(str(node.name), node, self.nodes)
            names.append(self._emit(node, node.name))
        return self.scaled(constant.factor, self.multiply(*names))

    def zero(self) -> str:
        """The scalar 0 as a node, where a value cannot be left out."""
        return self._emit(ZERO)

    # -- instructions

    def matmul(self, matrix: str, vector: Value, transpose: bool = False) -> Value:
        return None if vector is None else self._emit(MatMul(matrix, vector, transpose))

    def apply(self, function: Function, order: tuple[int, ...], args: Sequence[str]) -> Value:
        if function.is_zero(order):
            return None
        constant = function.constant(order)
        if constant is not None:
            return self.constant(Coefficient(constant))
        if function.spec == "identity":
            return args[0]
        return self._emit(Apply(function, order, tuple(args)))

    def multiply(self, *args: Value) -> Value:
        """Product of the operands, coefficients pulled out."""
        coefficient, factors = self._factors(args)
        if factors is None:
            return None
        if not factors:
            return self.constant(coefficient)
        factors = self._without_ones(factors)
        core = factors[0] if len(factors) == 1 else self._emit(Multiply(tuple(sorted(factors))))
        return self.scaled(coefficient, core)

    def scaled(self, coefficient: Coefficient, value: Value) -> Value:
        return value if coefficient is ONE or coefficient == ONE else self.lincomb([(coefficient, value)])

    def add(self, *args: Value) -> Value:
        return self.lincomb((ONE, arg) for arg in args)

    def lincomb(self, terms: Terms) -> Value:
        """Σ coefficient · operand, with equal operands collected and multiples of multiples flattened."""
        collected: dict[tuple[str, int, int], Coefficient] = {}
        for coefficient, value in terms:
            if value is None or not coefficient.value or self._is_zero(value):
                continue
            inner, core = self._split(value)
            product = coefficient * inner
            key = (core, product.power.numerator, product.power.denominator)
            known = collected.get(key)
            collected[key] = Coefficient(known.value + product.value, product.power) if known else product
        found = [(c, core) for (core, _, _), c in collected.items() if c.value]
        result = tuple(sorted(found, key=lambda term: (term[1], term[0].power))) if len(found) > 1 else tuple(found)
        if not result:
            return None
        if len(result) == 1:
            (coefficient, core), node = result[0], self.nodes[result[0][1]]
            if coefficient == ONE:
                return core
            if is_number(node):
                return self.constant(coefficient * node.coefficient)
        return self._emit(LinComb(result))

    def moment(self, *args: Value) -> Value:
        """(1/N) Σ_α of the product of the operands; coefficients and scalar factors are pulled out."""
        coefficient, factors = self._factors(args)
        if factors is None:
            return None
        scalars: list[str] = []
        vectors: list[str] = []
        for factor in factors:
            node = self.nodes[factor]
            parts = node.args if isinstance(node, Multiply) and self._has_scalar(node.args) else (factor,)
            for part in parts:
                (scalars if isinstance(self.types[part], Scalar) else vectors).append(part)
        if vectors and len(vectors) == 1:
            node = self.nodes[vectors[0]]
            vectors = list(node.args) if isinstance(node, Multiply) else vectors
        vectors = self._without_ones(vectors)
        if [self.nodes[x] for x in vectors] == [Constant(ONE, self.width(*vectors))]:
            vectors = []
        mean = self._emit(Moment(tuple(sorted(vectors)))) if vectors else None
        inner = self.multiply(*scalars, mean) if mean else self.multiply(*scalars) if scalars else self.constant(ONE)
        return self.scaled(coefficient, inner)

    def like(self, value: Value, name: str) -> Value:
        """`value` broadcast to a vector where `name` is one."""
        kind = self.types[name]
        if value is None or not isinstance(kind, Vector) or isinstance(self.types[value], Vector):
            return value
        return self.multiply(value, self._emit(Constant(ONE, kind.width)))

    def dot(self, left: Value, right: Value) -> Value:
        """Σ_α left_α right_α, as N times the mean."""
        if left is None or right is None:
            return None
        return self.scaled(self.length(left, right), self.moment(left, right))

    def length(self, *args: str) -> Coefficient:
        """The number of coordinates, for a width that grows; scalars have one."""
        width = self.width(*args)
        if width is None:
            return ONE
        if not width.growing:
            raise ProgramError("a sum over the data dimension is a mean times d0, which is not a power of n")
        return Coefficient(width.ratio, Fraction(1))

    def width(self, *args: str) -> Width | None:
        """The width of the first vector among the operands, None when all are scalars."""
        for arg in args:
            kind = self.types[arg]
            if isinstance(kind, Vector):
                return kind.width
        return None

    # -- the program

    def include(self, program: Program) -> dict[str, str]:
        """Copy another program's nodes in; returns its names -> names here. Parameters keep their names."""
        names: dict[str, str] = {}
        for name, instruction in program.nodes.items():
            if isinstance(instruction, Parameter):
                names[name] = self.parameter(name, instruction)
            else:
                names[name] = self._emit(renamed(instruction, names.__getitem__), name)
        return names

    def build(self, outputs: Mapping[str, Output | str], slots: Sequence[Slot] = ()) -> Program:
        """The program of these outputs and slots; what they do not need is left out."""
        sides = [side for slot in slots for _, left, right in slot.terms for side in (left, right) if side]
        ends = [x if isinstance(x, str) else x.node for x in outputs.values()]
        live = ancestors(self.nodes, [*ends, *sides]) | {slot.parameter for slot in slots}
        return Program({k: v for k, v in self.nodes.items() if k in live}, outputs, slots)

    # -- inside

    def _split(self, value: str) -> tuple[Coefficient, str]:
        """A node as coefficient · core, where it is a multiple of another node."""
        node = self.nodes[value]
        if isinstance(node, LinComb) and len(node.terms) == 1:
            return node.terms[0]
        return ONE, value

    def _is_zero(self, value: str) -> bool:
        node = self.nodes[value]
        return isinstance(node, Constant) and node == ZERO

    def _factors(self, args: Iterable[Value]) -> tuple[Coefficient, list[str] | None]:
        coefficient, factors = ONE, []
        for arg in args:
            if arg is None:
                return ONE, None
            inner, core = self._split(arg)
            coefficient = coefficient * inner
            node = self.nodes[core]
            if is_number(node):
                if not node.coefficient.value:
                    return ONE, None
                coefficient = coefficient * node.coefficient
            else:
                factors.append(core)
        return coefficient, factors

    def _without_ones(self, factors: list[str]) -> list[str]:
        """The factors less vectors of ones, as long as another vector stays to carry the width."""
        ones = [x for x in factors if isinstance(self.types[x], Vector) and isinstance(self.nodes[x], Constant)]
        if not ones:
            return factors
        others = [x for x in factors if x not in ones]
        return others if any(isinstance(self.types[x], Vector) for x in others) else [*others, ones[0]]

    def _has_scalar(self, args: tuple[str, ...]) -> bool:
        return any(isinstance(self.types[arg], Scalar) for arg in args)

    def _emit(self, instruction: Instruction, name: str | None = None) -> str:
        known = self._index.get(instruction)
        if known is not None:
            return known
        kind = infer(name or "new", instruction, self.types)
        if name is None or name in self.nodes:
            name = self._fresh("s" if isinstance(kind, Scalar) else "x")
        return self._insert(name, instruction, kind)

    def _fresh(self, letter: str) -> str:
        self._count += 1
        while f"{letter}{self._count}" in self.nodes:
            self._count += 1
        return f"{letter}{self._count}"

    def _insert(self, name: str, instruction: Instruction, kind: Type | None = None) -> str:
        self.types[name] = kind or infer(name, instruction, self.types)
        self.nodes[name] = instruction
        if not isinstance(instruction, Parameter):
            self._index[instruction] = name
        return name


def is_number(instruction: Instruction) -> TypeGuard[Constant]:
    """Whether it is a scalar constant without a name, which may be folded into coefficients."""
    return isinstance(instruction, Constant) and instruction.width is None and instruction.name is None


def _differences(one: Instruction, other: Parameter) -> str:
    """What differs between two definitions of one name."""
    if not isinstance(one, Parameter):
        return f"once as the node {type(one).__name__} and once as a weight"
    words = [
        f"with {key} {getattr(one, key)} and {getattr(other, key)}"
        for key in ("rows", "cols", "std", "a", "c", "trainable", "law")
        if getattr(one, key) != getattr(other, key)
    ]
    return ", ".join(words)

"""What of a program is not random: constants, and vectors of the data's dimension, whose averages are symbols."""

from __future__ import annotations

from fractions import Fraction

from tensorprog.limits.gaussian import UndecidedLimit
from tensorprog.limits.scalars import Equations, Value
from tensorprog.program import Constant, Instruction, LinComb, Multiply, Parameter, Program, operands


class Known:
    """The data vectors of a program, and what the symbols of its equations stand for.

    grams: symbol ⟨x y⟩ -> the data vectors that are averaged. constants: name -> value, powers of n left out.
    """

    def __init__(self, program: Program, equations: Equations) -> None:
        self.program, self.equations = program, equations
        self.grams: dict[str, tuple[str, ...]] = {}
        self.constants: dict[str, Fraction] = {}
        self._vectors: set[str] = set()

    def __contains__(self, name: str) -> bool:
        """Whether a node is a data vector."""
        return name in self._vectors

    def add(self, name: str, node: Instruction) -> None:
        """Take in a vector of the data's dimension; raises UndecidedLimit when it is random or carries a power of n."""
        constants = {x: read for x in operands(node) if isinstance(read := self.program.nodes[x], Constant)}
        random = [x for x in operands(node) if x not in self and x not in constants]
        if random or isinstance(node, Parameter):
            what = f"depends on {random[0]!r}, which is random" if random else "is random"
            raise UndecidedLimit(f"the vector {name!r} of the data's dimension {what}; its limit is no constant")
        scales = [c for c, _ in node.terms] if isinstance(node, LinComb) else []
        if any(c.power for c in (*scales, *(x.coefficient for x in constants.values()))):
            raise UndecidedLimit(f"the vector {name!r} of the data's dimension carries a power of n; scale later")
        self._vectors.add(name)

    def constant(self, node: Constant) -> Value:
        """A constant without its power of n; a symbol where it has a name."""
        value = node.coefficient.value
        if node.name is None:
            return self.equations.number(value)
        self.constants[node.name] = value
        return self.equations.symbol(node.name, positive=value > 0)

    def gram(self, names: tuple[str, ...]) -> Value:
        """The average of a product of data vectors; named constants that multiply them stand before it."""
        scales, cores = zip(*map(self._split, names), strict=True)
        symbol = f"⟨{' '.join(sorted(cores))}⟩"
        self.grams[symbol] = cores
        return self.equations.multiply(*scales, self.equations.symbol(symbol))

    def _split(self, name: str) -> tuple[Value, str]:
        """A data vector as scalar · data vector, for a multiple by named constants."""
        scales, multiple, left = list[Value](), Fraction(1), name
        core, kept = name, (list[Value](), Fraction(1))
        while True:
            node = self.program.nodes[left]
            constants = list[Constant]()
            if isinstance(node, Multiply):
                vectors = [x for x in node.args if x in self]
                constants = [x for x in map(self.program.nodes.__getitem__, node.args) if isinstance(x, Constant)]
                if len(vectors) != 1 or not any(x.name for x in constants):
                    break
                left = vectors[0]
                scales += map(self.constant, constants)
                core, kept = left, (list(scales), multiple)
            elif isinstance(node, LinComb) and len(node.terms) == 1:
                ((coefficient, left),) = node.terms
                multiple *= coefficient.value
            else:
                break
        return self.equations.scaled(kept[1], self.equations.multiply(*kept[0])), core

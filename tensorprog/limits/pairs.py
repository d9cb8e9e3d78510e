"""Programs of kernels: F at two inputs, at one input taken twice, and at an input and a multiple of it.

Equal and proportional inputs are told to the program, not left to rounding: K(x, x) is the limit of a program that
reads x only, and of K(x, ±c x) the positive c is taken out of every product and every positively homogeneous
function, so that what is proportional stays one vector.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod
from typing import assert_never

from tensorprog.errors import ProgramError
from tensorprog.passes.gradient import adjoints, contract, gradient
from tensorprog.program import (
    Apply,
    Builder,
    Coefficient,
    Constant,
    Free,
    Input,
    LinComb,
    MatMul,
    Moment,
    Multiply,
    Output,
    Parameter,
    Program,
    ancestors,
)
from tensorprog.program.instructions import Instruction, renamed

RATIO, INVERSE = "ratio_of_inputs", "inverse_ratio_of_inputs"
"""The symbols c and 1/c of `proportional`."""


def paired(program: Program) -> Program:
    """The program at two inputs, x_0 and x_1, whatever number was traced; of several outputs, the first one's.

    Raises ProgramError for outputs that are not alike.
    """
    labels = [label for label, output in program.outputs.items() if output.input == 0]
    if not labels:
        raise ProgramError(
            f"the program has no output at input 0; its outputs are {', '.join(program.outputs) or 'none'}"
        )
    one = program.restricted(labels[:1])
    for label in labels[1:]:
        if _shape(program.restricted([label])) != _shape(one):
            raise ProgramError(
                f"the outputs {labels[0]!r} and {label!r} are not computed alike, so that the network has no one "
                f"kernel; choose one, as in program.restricted([{label!r}])"
            )
    nodes: dict[str, Instruction] = {
        name: replace(node, index=1) if isinstance(node, Input) else node for name, node in one.nodes.items()
    }
    builder = Builder(one)
    names = builder.include(Program(nodes, one.outputs))
    (output,) = one.outputs.values()
    return builder.build({"F0": Output(output.node, 0), "F1": Output(names[output.node], 1)})


def _shape(program: Program) -> list[Instruction]:
    """The instructions with the names of nodes, parameters among them, left out."""
    place = {name: str(k) for k, name in enumerate(program.nodes)}
    return [renamed(node, place.__getitem__) for node in program.nodes.values()]


def covariance(pair: Program) -> Program:
    """Σ over the parameters in which F is linear, and which enter nothing else, of ∂F(x_0)·∂F(x_1): E[F F']."""
    targets = [pair.target(0), pair.target(1)]
    builder = Builder(every_parameter(pair))
    one, other = (gradient(builder, target, adjoints(builder, target)) for target in targets)
    last = sorted(_last(pair.nodes, targets[0]))
    parts = [contract(builder, name, a, b) for name in last for a in one.terms[name] for b in other.terms[name]]
    return builder.build({"K": builder.add(*parts) or builder.zero()})


def every_parameter(program: Program) -> Program:
    """The program with all parameters trainable at equal rates: gradients then are those by the Gaussians."""
    nodes: dict[str, Instruction] = {
        name: replace(node, trainable=True, c=Fraction(0)) if isinstance(node, Parameter) else node
        for name, node in program.nodes.items()
    }
    return Program(nodes, program.outputs)


def _last(nodes: Mapping[str, Instruction], target: str) -> frozenset[str]:
    """The parameters P of F = Σ_P ⟨P, y_P⟩ where no y reads any of them, followed from the leaves to the output."""
    linear: dict[str, tuple[frozenset[str], frozenset[str]]] = {}  # parameters that are last, and those read by y
    wanted = ancestors(nodes, [target])
    for name, node in nodes.items():
        if name not in wanted:
            continue
        match node:
            case Parameter():
                linear[name] = frozenset([name]), frozenset()
            case LinComb(terms):
                parts = [linear.get(x) for _, x in terms]
                known = [part for part in parts if part is not None]
                if len(known) == len(parts):
                    linear[name] = frozenset().union(*(a for a, _ in known)), frozenset().union(*(b for _, b in known))
            case Multiply(args) | Moment(args):
                carrying = [x for x in args if x in linear]
                if len(carrying) == 1:
                    last, read = linear[carrying[0]]
                    others = ancestors(nodes, [x for x in args if x != carrying[0]])
                    linear[name] = last, read | {x for x in others if isinstance(nodes[x], Parameter)}
            case Apply() | MatMul() | Input() | Constant() | Free():
                pass
            case _:
                assert_never(node)
    last, read = linear.get(target, (frozenset(), frozenset()))
    if last & read:
        raise ProgramError(
            f"the output {target!r} is linear in {', '.join(sorted(last))}, which its layers read too, so that its "
            "covariance is no limit kernel; end the network with a tp.readout of weights of its own"
        )
    if not last:
        raise ProgramError(
            f"the output {target!r} is not linear in fresh Gaussian parameters, so its covariance is no limit kernel; "
            "end the network with tp.readout"
        )
    return last


def same(pair: Program) -> Program:
    """The program at x_1 = x_0."""
    nodes: dict[str, Instruction] = {
        name: replace(node, index=0) if isinstance(node, Input) else node for name, node in pair.nodes.items()
    }
    builder = Builder()
    names = builder.include(Program(nodes, pair.outputs))
    return builder.build({label: names[x.node] for label, x in pair.outputs.items()})


def opposite(pair: Program) -> Program:
    """The program at x_1 = -x_0, the sign taken through all that is linear, odd or even."""
    return _Scaled(-1, 0).program(pair)


def proportional(pair: Program, sign: int) -> Program | None:
    """The program at x_1 = sign · c x_0 for a symbol c > 0; None where no kinked function would see proportional ones.

    Every node is written as ± c^k · node, the power taken through products, averages and homogeneous functions.
    """
    found = [node.function for node in pair.nodes.values() if isinstance(node, Apply)]
    if not any(f.smoothness is not None and f.homogeneity is not None for f in found):
        return None
    whole = _Scaled(sign, 1).program(pair)
    kinked = [x for x, node in whole.nodes.items() if isinstance(node, Apply) and node.function.smoothness is not None]
    read = (whole.nodes[x] for x in ancestors(whole.nodes, kinked))
    return None if any(isinstance(node, Constant) and node.name in (RATIO, INVERSE) for node in read) else whole


@dataclass(frozen=True, slots=True)
class _Multiple:
    """sign · c^power · node; the node is None for an exact zero."""

    sign: int
    power: int
    node: str | None


class _Scaled:
    """Rewrites a program node by node, at x_1 = sign · c^power x_0."""

    def __init__(self, sign: int, power: int) -> None:
        self.builder = Builder()
        self.sign, self.power = sign, power
        self.found: dict[str, _Multiple] = {}

    def program(self, pair: Program) -> Program:
        for name, node in pair.nodes.items():
            self.found[name] = self._read(name, node)
        return self.builder.build({label: self._whole(self.found[x.node]) for label, x in pair.outputs.items()})

    def _read(self, name: str, node: Instruction) -> _Multiple:
        builder, found = self.builder, self.found
        match node:
            case Input(index, position):
                one, other = (self.sign, self.power) if index else (1, 0)
                return _Multiple(one, other, builder.input(0, position))
            case Parameter():
                return _Multiple(1, 0, builder.parameter(name, node))
            case Constant() | Free():
                return _Multiple(1, 0, builder.leaf(node))
            case MatMul(matrix, vector, transpose):
                x = found[vector]
                return replace(x, node=builder.matmul(matrix, x.node, transpose))
            case Multiply(args):
                return self._product(args, builder.multiply(*(found[x].node for x in args)))
            case Moment(args):
                return self._product(args, builder.moment(*(found[x].node for x in args)))
            case LinComb(terms):
                parts = [(c, found[x]) for c, x in terms]
                powers = {x.power for _, x in parts if x.node is not None}
                if len(powers) == 1:
                    sums = builder.lincomb((c * Coefficient(Fraction(x.sign)), x.node) for c, x in parts)
                    return _Multiple(1, powers.pop(), sums)
                return _Multiple(1, 0, builder.lincomb((c, self._whole(x)) for c, x in parts))
            case Apply():
                return self._applied(node)
            case _:
                assert_never(node)

    def _product(self, args: tuple[str, ...], node: str | None) -> _Multiple:
        parts = [self.found[x] for x in args]
        return _Multiple(prod(x.sign for x in parts), sum(x.power for x in parts), node)

    def _applied(self, node: Apply) -> _Multiple:
        function, order = node.function, node.order
        x, *others = [self.found[name] for name in node.args]
        degree = None if function.homogeneity is None else function.homogeneity - sum(order)
        power = Fraction(0) if x.power == 0 else None if degree is None else x.power * degree
        if not others and x.node is not None and power is not None and power.denominator == 1:
            parity = function.parity(order, 0)
            inner = replace(x, power=0, sign=x.sign if parity is None else 1)
            applied = self.builder.apply(function, order, [self._whole(inner)])
            return _Multiple(x.sign if parity == -1 else 1, int(power), applied)
        return _Multiple(1, 0, self.builder.apply(function, order, [self._whole(y) for y in (x, *others)]))

    def _whole(self, x: _Multiple) -> str:
        builder = self.builder
        if x.node is None:
            return builder.zero()
        symbol = Constant(Coefficient(Fraction(1)), name=RATIO if x.power > 0 else INVERSE)
        scales = [builder.leaf(symbol)] * abs(x.power)
        return builder.scaled(Coefficient(Fraction(x.sign)), builder.multiply(x.node, *scales)) or builder.zero()

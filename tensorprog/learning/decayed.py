"""Sizes of what weight decay adds to the trees of a trained network: terms with a slot contracted with θ (`course`)."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal, assert_never

from tensorprog.exponents import Exponent
from tensorprog.learning.course import Decay
from tensorprog.learning.trees import trees
from tensorprog.readings import Table

Quantity = Literal["deviation", "moved F", "moved gradient", "moved Hessian"]
QUANTITIES: dict[Quantity, int] = {"deviation": 0, "moved F": 0, "moved gradient": 1, "moved Hessian": 2}


def law_of(table: Table, D: int, d: int) -> Exponent | None:
    """The size class of one entry; None where it vanishes, has no bound or is not there."""
    return next((e.law for e in table if (e.D, e.d) == (D, d)), None)


def decayed(quantity: Quantity, table: Table, rho: Fraction, q: Fraction, decay: Decay) -> Exponent | None:
    """A bound of the largest term with a slot in θ; None where every derivative of the second order vanishes."""
    share = decay.at(rho, table.kappa)
    output = law_of(table, 0, 0) or Exponent(-table.kappa)
    kernel = law_of(table, 0, 1) or Exponent()
    second = next((e for e in table if (e.D, e.d) == (2, 0)), None)
    if second is not None and second.has_bound and second.law is None and quantity != "moved F":
        return None
    match quantity:
        case "deviation":
            return max(output.shift(2 * share), kernel.shift(q + share))
        case "moved F":
            return output.shift(share)
        case "moved gradient":
            return Exponent(Fraction(kernel.power) / 2 + share, kernel.log / 2)
        case "moved Hessian":
            return None if second is None or second.law is None else second.law.shift(share)
        case _:
            assert_never(quantity)


def decays(decay: Decay, quantity: Quantity, table: Table, rho: Fraction, law: Exponent | None) -> bool:
    """Whether weight decay alone keeps a quantity at this size: S has a limit that is not zero.

    The gradient at x_i moves, along itself, by −η λ m S/‖∇F(x_i)‖ and what correlations bring, of lower order.
    """
    kernel = law_of(table, 0, 1)
    match quantity:
        case "deviation":
            return law is not None and law.log == 0 and law.power == decay.mixed(rho, table.kappa)
        case "moved gradient":
            if decay.stretched is None or kernel is None or law is None or law.log != 0 or kernel.log != 0:
                return False
            along = decay.stretched - Fraction(kernel.power) / 2
            return law.power == along + rho + 2 * table.kappa and all(
                tree.at(rho) < law for tree in trees(table, QUANTITIES[quantity])
            )
        case "moved F" | "moved Hessian":
            return False
        case _:
            assert_never(quantity)

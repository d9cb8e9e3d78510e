"""Infinite width: limit variables, kernel recursions, and the constants of exponents."""

from tensorprog.limits.expectations import Expectation, expectation
from tensorprog.limits.factors import vanishes

__all__ = ["Expectation", "expectation", "vanishes"]

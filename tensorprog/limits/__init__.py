"""Infinite width: averages over Gaussian limits."""

from tensorprog.limits.expectations import Expectation, expectation
from tensorprog.limits.factors import vanishes

__all__ = ["Expectation", "expectation", "vanishes"]

"""Passes: programs in, programs out."""

from tensorprog.passes.correlation import Order, correlation, order_of
from tensorprog.passes.learning import deviation, linearised, moved, train

__all__ = ["Order", "correlation", "deviation", "linearised", "moved", "order_of", "train"]

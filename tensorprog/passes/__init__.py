"""Passes: programs in, programs out."""

from tensorprog.passes.correlation import Order, correlation, order_of

__all__ = ["Order", "correlation", "order_of"]

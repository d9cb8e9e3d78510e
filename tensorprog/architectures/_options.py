"""Checks of the options that architectures share."""

from __future__ import annotations

from tensorprog.errors import ArchitectureError


def check_depth(depth: object) -> None:
    """Raise ArchitectureError unless `depth` is a positive integer."""
    if isinstance(depth, bool) or not isinstance(depth, int) or depth < 1:
        raise ArchitectureError(f"depth={depth!r} must be a positive integer, the number of hidden layers")

"""Checks of the options that architectures share."""

from __future__ import annotations

from tensorprog.errors import ArchitectureError

MOST_LAYERS = 10_000


def check_depth(depth: object) -> None:
    """Raise ArchitectureError unless `depth` is a positive integer, and not too large."""
    if isinstance(depth, bool) or not isinstance(depth, int) or depth < 1:
        raise ArchitectureError(f"depth={depth!r} must be a positive integer, the number of hidden layers")
    if depth > MOST_LAYERS:
        raise ArchitectureError(f"depth={depth} is more than {MOST_LAYERS} hidden layers; use fewer")

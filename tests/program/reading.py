"""What the tests of readers share: a guard against execution."""

from __future__ import annotations

import builtins
import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType

import pytest


@contextmanager
def nothing_runs() -> Iterator[None]:
    """Executing a text fails, and is noticed even when that error is caught; late imports may run their files."""
    calls: list[object] = []
    plain = builtins.exec

    def executed(*arguments: object) -> None:
        if isinstance(arguments[0], CodeType) and arguments[0].co_filename.endswith(".py"):
            plain(*arguments)
            return
        calls.append(arguments)
        raise AssertionError("a text was executed")

    with pytest.MonkeyPatch.context() as patch:
        forbidden = [(builtins, "eval"), (builtins, "exec"), (builtins, "open"), (os, "system"), (pickle, "loads")]
        for owner, name in forbidden:
            patch.setattr(owner, name, executed)
        yield
    assert not calls

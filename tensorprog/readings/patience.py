"""How long a proof may take: seconds of this thread's processor, so that answers do not depend on what else runs."""

from __future__ import annotations

import time
from math import inf

from tensorprog.errors import ProgramError


class OutOfPatience(ProgramError):
    """A proof takes longer than was allowed."""


def now() -> float:
    """Processor seconds of this thread; deadlines are in this time."""
    return time.thread_time()


def in_time(deadline: float) -> None:
    """Raise OutOfPatience when the deadline is past."""
    if deadline < inf and now() > deadline:
        raise OutOfPatience("it takes longer than the patience allowed")

"""A Ctrl-C while the command line is still importing libraries, which takes a second, before anything can catch it.

Python would tell it by a traceback through those libraries. Only a process that was started as the command does
otherwise, and only until `started`; nothing is lost by ending it at once, since nothing has begun.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

INTERRUPTED = 130


def started() -> None:
    """From here on, a Ctrl-C is a KeyboardInterrupt."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _is_command() -> bool:
    """Whether this is `python -m tensorprog` or the script of that name, and no process that one of them starts."""
    given, first = sys.orig_argv, sys.argv[0] if sys.argv else ""
    if first == "-m":
        return "tensorprog" in given[given.index("-m") + 1 :][:1] if "-m" in given else "-mtensorprog" in given
    return first in given and os.path.basename(first) in ("tensorprog", "tensorprog.exe")


def _end(_: int, __: FrameType | None) -> None:
    os.write(2, b"interrupted\n")
    os._exit(INTERRUPTED)


if _is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, _end)

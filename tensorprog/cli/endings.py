"""How a command ends that cannot do what it was asked: one line on standard error, an exit code, never a traceback."""

from __future__ import annotations

import os
import sys
import traceback
from concurrent.futures import BrokenExecutor
from contextlib import suppress
from pathlib import Path

from cyclopts import CycloptsError

from tensorprog.errors import TensorProgramError, described
from tensorprog.interrupts import INTERRUPTED

WRONG, BROKEN_PIPE = 2, 141
PACKAGE = Path(__file__).parents[1]


def told(message: Warning | str, *_: object, **__: object) -> None:
    """A warning in one line on standard error, without the place in this library that it comes from."""
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            print(f"warning: {message}", file=sys.stderr, flush=True)


def ended(error: BaseException) -> int:
    """Tell what ended a command; returns the exit code."""
    code, message = _words(error)
    if message and sys.stderr is not None:
        with suppress(OSError, ValueError):
            print(" ".join(message.split()), file=sys.stderr, flush=True)
    _let_output_go()
    return code


def _words(error: BaseException) -> tuple[int, str]:
    """The exit code and the message of whatever ended a command."""
    match error:
        case CycloptsError():
            return WRONG, f"error: {str(error).rstrip('. ')}; see tensorprog --help"
        case TensorProgramError():
            return WRONG, f"error: {error}"
        case BrokenExecutor():
            return WRONG, (
                "error: a worker process died, probably for lack of memory; use smaller widths or fewer workers"
            )
        case MemoryError():
            return WRONG, "error: out of memory; use smaller widths, fewer workers, or lower orders"
        case OverflowError():
            return WRONG, f"error: numbers overflow ({error}); use smaller inputs, weights or coefficients"
        case KeyboardInterrupt():
            return INTERRUPTED, "interrupted"
        case BrokenPipeError():
            return BROKEN_PIPE, ""
        case OSError():
            return WRONG, f"error: {error.filename or 'the file system'}: {error.strerror or error}"
        case _:
            return (
                WRONG,
                f"error: {described(error)}{_raised_at(error)}; this is a fault of tensorprog, please report it",
            )


def _raised_at(error: BaseException) -> str:
    """The last line of this library that an exception passed."""
    found = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).is_relative_to(PACKAGE)]
    return f" ({Path(found[-1].filename).relative_to(PACKAGE)}, line {found[-1].lineno})" if found else ""


def _let_output_go() -> None:
    """Where what waits in standard output cannot be written, drop it: the end of the interpreter would try again."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

"""Values of options, read from texts; every error names the option, what was given, and a form that works."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from tensorprog.errors import ExpressionError, OrderError, SamplingError
from tensorprog.functions import parse_number
from tensorprog.program import PRESETS, Program
from tensorprog.readings import reparametrised

Order = tuple[int, int]


def read_orders(texts: Sequence[str] | None, option: str = "--orders", without: str = "all") -> list[Order] | None:
    """Pairs D,d, as the option of this name takes them; `without` says what leaving it out means."""
    if texts is None:
        return None
    if not texts:
        raise OrderError(
            f"{option} has no values; give pairs D,d such as {option} 0,2 1,1, or leave it out for {without}"
        )
    found = []
    for text in texts:
        pair = re.fullmatch(r"\(?(\d{1,4}),(\d{1,4})\)?", text, re.ASCII)
        if pair is None:
            raise OrderError(f"{option} {text!r} is no pair D,d of nonnegative integers; write it as 0,2")
        found.append((int(pair[1]), int(pair[2])))
    return found


def read_points(points: Sequence[int] | None) -> tuple[int, ...] | None:
    if points is None:
        return None
    if not points or min(points) < 0:
        shown = " ".join(map(str, points))
        raise OrderError(
            f"--points {shown or 'has no values'}; give the numbers of inputs, counted from 0, as in 0 0 1"
        )
    return tuple(points)


def read_kappa(text: str) -> Fraction:
    try:
        return parse_number(text)
    except ExpressionError as error:
        raise ExpressionError(f"--kappa: {error}") from None


def read_bytes(text: str) -> int:
    """An amount of memory: 4GiB, 500MB, or a number of bytes."""
    found = re.fullmatch(r"(\d{1,15})\s*([kMGT]?)(i?)B?", text, re.ASCII)
    if found is None or not int(found[1]):
        raise SamplingError(f"--memory {text!r} is no amount of memory; write it as 4GiB or 500MB")
    base = 1024 if found[3] else 1000
    return int(found[1]) * int(base ** " kMGT".index(found[2] or " "))


def read_widths(text: str) -> tuple[int, ...]:
    span = re.fullmatch(r"(\d{1,9})\.\.(\d{1,9})", text, re.ASCII)
    if span:
        low, high = int(span[1]), int(span[2])
        found = tuple(1 << k for k in range(30) if low <= 1 << k <= high)
        if len(found) < 2:
            raise SamplingError(f"--widths {text} holds {len(found)} powers of two; a slope needs two, as in 64..512")
        return found
    if not re.fullmatch(r"\d{1,9}(,\d{1,9})*", text, re.ASCII):
        raise SamplingError(f"--widths {text!r} is no list of widths; write 64,128,256 or 64..4096")
    return tuple(map(int, text.split(",")))


def scaled(program: Program, preset: str | None) -> Program:
    if preset is None:
        return program
    if preset not in PRESETS:
        raise ExpressionError(f"--abc {preset!r} is no parametrisation; known are {', '.join(PRESETS)}")
    return reparametrised(program, PRESETS[preset])


def first_given(given: int | None, default: int | None) -> int | None:
    return default if given is None else given

"""Values of options, read from texts; every error names the option, what was given, and a form that works."""

from __future__ import annotations

import json as interchange
import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

from tensorprog.errors import ExpressionError, OrderError, SamplingError, WritingError
from tensorprog.functions import parse_number
from tensorprog.program import PRESETS, Program
from tensorprog.readings import reparametrised
from tensorprog.report import Linearity, Report
from tensorprog.report.wording import MINUS
from tensorprog.writing import check_folder, encoded

Order = tuple[int, int]
MOST = 64  # numbers in a range


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
    return _exact("--kappa", text.replace(MINUS, "-"))


def read_numbers(option: str, texts: Sequence[str] | None) -> list[Fraction] | None:
    """Exact numbers: a list, or START..END/STEP such as -1..1/2/1/4, the step 1/4 when left out; none for no number."""
    if texts is None:
        return None
    if list(texts) in ([], ["none"]):
        return []
    return [number for text in texts for number in _span(option, text.replace(MINUS, "-"))]


def _span(option: str, text: str) -> list[Fraction]:
    start, dots, rest = text.partition("..")
    if not dots:
        return [_exact(option, text)]
    parts = rest.split("/")
    decimal = len(parts) == 2 and "." in rest
    cut = {1: 1, 2: 1 if decimal else 2, 3: 1, 4: 2}.get(len(parts), len(parts))
    end, step = "/".join(parts[:cut]), "/".join(parts[cut:]) or "1/4"
    low, high, gap = (_exact(option, part) for part in (start, end, step))
    count = 1 + (high - low) / gap if gap > 0 else Fraction(0)
    if not 1 <= count <= MOST:
        held = f"{option} {text!r} holds {max(0, int(count))} numbers, from 1 to {MOST} are taken"
        raise ExpressionError(f"{held}; write START..END/STEP as in -1..1/2/1/4")
    return [low + i * gap for i in range(int(count))]


def _exact(option: str, text: str) -> Fraction:
    try:
        return parse_number(text)
    except ExpressionError as error:
        raise ExpressionError(f"{option}: {error}") from None


def negatives(tokens: Sequence[str]) -> list[str]:
    """Negative fractions and ranges, such as -1/2, with a minus sign that is not taken for that of an option."""
    return [MINUS + t[1:] if re.fullmatch(r"-\d[\d.]*(/|\.\.)\S*", t) else t for t in tokens]


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


def legible(text: str) -> str:
    """A text whose bytes are UTF-8: those of a path in another encoding are written as escapes."""
    return encoded(text).decode("utf-8")


def check_out(out: Path | None, names: Iterable[str] = ()) -> None:
    """Whether files of these names can be written to a folder there, before any work."""
    if out is None:
        return
    try:
        check_folder(out, names)
    except WritingError as error:
        raise WritingError(f"--out {error}") from None


def saved(report: Report | Linearity, out: Path, store: str) -> None:
    """Write a report beside its store; a WritingError says that the samples are safe, where they are."""
    try:
        report.save(out)
    except WritingError as error:
        if not (out / store).is_file():
            raise
        safe = f"the samples are safe in {str(out / store)!r}: the same command goes on from there"
        raise WritingError(f"{error}; {safe}") from None


def finished(report: Report | Linearity, page: Path | None, seconds: float, json: bool) -> str:
    """What a study prints at its end: its numbers as JSON in ASCII, or the report, where its page is, and the time."""
    if json:
        return interchange.dumps(interchange.loads(report.to_json()), indent=1)
    place = [] if page is None else [f"report: {page}"]
    return "\n".join([str(report), "", *place, f"{seconds:.1f} seconds"])

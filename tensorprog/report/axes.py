"""Ticks of the figures: the sampled widths, and powers of ten with typographic minus signs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from tensorprog.report.wording import MINUS

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
CROWDED = 8


def label_widths(axis: Any, widths: Sequence[int]) -> None:
    """A tick at every sampled width, every second one labelled when there are many; powers of two from 2¹⁴ up."""
    step = -(-len(widths) // CROWDED)
    shown = {width for i, width in enumerate(reversed(widths)) if i % step == 0}
    axis.set_major_locator(FixedLocator(list(widths)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda n, _: width_label(round(n)) if round(n) in shown else ""))


def width_label(width: int) -> str:
    """`512`, and `2¹⁶` for a large power of two."""
    power = width.bit_length() - 1
    return f"2{superscript(power)}" if width == 1 << power and power >= 14 else str(width)


def superscript(value: int) -> str:
    """An integer in raised digits."""
    return str(value).translate(SUPERSCRIPTS)


def decades(axis: Any) -> None:
    """Powers of ten; with 2 and 5 between them, or 1 to 9, where less than two, or one, decades are in view."""
    low, high = axis.get_view_interval()
    span = math.log10(high / low)
    digits = (1.0,) if span > 2.2 else (1.0, 2.0, 5.0) if span > 0.8 else tuple(map(float, range(1, 10)))
    axis.set_major_locator(LogLocator(10, subs=digits, numticks=12))
    axis.set_minor_locator(LogLocator(10, subs=tuple(map(float, range(1, 10))), numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: power_label(value)))
    axis.set_minor_formatter(NullFormatter())


def power_label(value: float) -> str:
    """`0.02`, `5`, or `2·10⁻⁴` where a decimal would be long."""
    power = math.floor(math.log10(value) + 1e-9)
    digit = round(value / 10**power)
    if -2 <= power <= 2:
        return f"{value:g}".replace("-", MINUS)
    return f"10{superscript(power)}" if digit == 1 else f"{digit}·10{superscript(power)}"

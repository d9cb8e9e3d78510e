"""Figures of a report as SVG text: one log–log plot a correlation, and exponents against the external scale κ.

Matplotlib through its object interface, no global figure state. Equal reports give equal text: ids are numbered,
metadata carry no date. Colours are those of Okabe and Ito, told apart by all common kinds of colour vision.

Known limit: at most `DOTS` samples a width are drawn, evenly spaced by rank, and the smallest may fall below the frame;
quantiles and fits use all of them.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from numpy.typing import NDArray

from tensorprog.notation import MATHTEXT, law, raised
from tensorprog.report.axes import decades, label_widths
from tensorprog.report.wording import badge, interval, minus, number

if TYPE_CHECKING:
    from tensorprog.readings import Table
    from tensorprog.report.report import Measurement

INK, LINE, DOT = "#1b2733", "#d5dbe1", "#8a97a5"
MEDIAN, HIGH, LAW, FIT = "#0072b2", "#d55e00", "#1b2733", "#009e73"
ORDERS = ("#7d6bb0", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")
DOTS = 120
TICKS = 40  # on the axis of exponents
LOWEST = 0.03  # of the samples at each width may fall below the frame: a size that changes sign comes close to 0
GOLDEN = 0.6180339887498949
STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "mathtext.fontset": "dejavusans",
    "mathtext.default": "regular",
    "path.simplify": False,
}
Array = NDArray[np.float64]


def scaling(m: Measurement) -> str:
    """‖C‖ against n on log–log axes, as SVG.

    Dots are samples; circles the medians and triangles the 0.9 quantiles, with standard errors; the solid line is the
    straight one through the medians, the dashed one the derived law through the median at the largest width.
    """
    with mpl.rc_context(STYLE):
        figure, axes = canvas(5.6, 3.9)
        axes.set_xscale("log")
        axes.set_yscale("log")
        widths = np.array(m.widths, dtype=np.float64)
        _dots(axes, widths, m.samples)
        rows = _quantiles(m)
        drawn = [_points(axes, widths, *row, form) for row, form in zip(rows, _FORMS, strict=True)]
        if any(drawn):
            _lines(axes, m, widths, rows[0][0])
            axes.legend(loc="best")
            decades(axes.yaxis)
        else:
            axes.set_yticks([])
            axes.text(0.5, 0.5, "all samples are exactly 0", ha="center", va="center", transform=axes.transAxes)
        label_widths(axes.xaxis, m.widths)
        axes.set_xlabel("width n")
        axes.set_ylabel(f"size of {_math(m)}")
        axes.grid(True, which="major", color=LINE, linewidth=0.6)
        axes.set_title(_title(m), loc="left")
        return as_svg(figure, f"s{m.entry.D}-{m.entry.d}-")


def kappa(table: Table) -> str:
    """Exponent e + κ(D+d-1) of every correlation against the external scale κ, as SVG; logarithms left out."""
    with mpl.rc_context(STYLE):
        figure, axes = canvas(6.4, 4.6)
        lines: dict[tuple[Fraction, int], list[str]] = {}
        for entry in table:
            if entry.exponent is not None:
                slope = entry.D + entry.d - 1
                lines.setdefault((entry.exponent - table.kappa * slope, slope), []).append(
                    order_label(entry.D, entry.d)
                )
        half = Fraction(1, 2)
        ends = (min(Fraction(0), table.kappa), max(half, table.kappa))
        axes.axhspan(0, 10, color=LINE, alpha=0.45, linewidth=0)
        for start, slope in lines:
            values = [float(start + slope * k) for k in ends]
            axes.plot([float(k) for k in ends], values, color=ORDERS[(slope + 1) % len(ORDERS)], linewidth=2)
        _left_labels(axes, lines, ends[0])
        heights = [start + slope * k for start, slope in lines for k in ends] or [Fraction(0)]
        low, high = float(min(heights)) - 0.25, max(float(max(heights)), 0.0) + 0.35
        axes.set_ylim(low, high)
        span = float(ends[1] - ends[0])
        axes.set_xlim(float(ends[0]) - 0.42 * span, float(ends[1]) + 0.03 * span)
        for place, text in ((Fraction(0), "NTK"), (half, "mean field, μP")):
            axes.axvline(float(place), color=INK, linewidth=0.8)
            axes.annotate(text, (float(place), 1), (0, 4), xycoords=("data", "axes fraction"), ha="center",
                          textcoords="offset points", fontweight="bold")  # fmt: skip
        if table.kappa not in (0, half):
            axes.axvline(float(table.kappa), color=HIGH, linewidth=1.2, linestyle=":")
        axes.text(float(ends[1]) - 0.02 * span, high - 0.05, "not weak", ha="right", va="top", style="italic")
        marks = sorted({Fraction(k, 8) for k in range(5)} | {table.kappa})
        axes.set_xticks([float(k) for k in marks], [minus(k) for k in marks])
        steps = exponent_ticks(low, high)
        axes.set_yticks([float(e) for e in steps], [minus(e) for e in steps])
        axes.set_xlabel("external scale κ")
        axes.set_ylabel("exponent of n")
        axes.grid(True, axis="y", color=LINE, linewidth=0.6)
        return as_svg(figure, "k-")


def exponent_ticks(low: float, high: float) -> list[Fraction]:
    """Multiples of 1/2 in an interval; of 1, 2, 5, 10, … where that would be more than `TICKS`."""
    steps = [Fraction(1, 2), *(Fraction(digit * 10**k) for k in range(300) for digit in (1, 2, 5))]
    step = next(step for step in steps if (high - low) / float(step) <= TICKS)
    return [step * k for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


_FORMS = (("median", "o", MEDIAN), ("0.9 quantile", "^", HIGH))


def canvas(width: float, height: float) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasSVG(figure)
    return figure, figure.add_subplot()


def _math(m: Measurement) -> str:
    return order_label(m.entry.D, m.entry.d)


def order_label(D: int, d: int) -> str:
    """C^{D,d} in mathtext, where a bare comma would make room after it."""
    return f"$C^{{{D}{{,}}{d}}}$"


def _title(m: Measurement) -> str:
    shown = badge(m.verdict.verdict)
    ends = interval(m.verdict.interval)
    return f"{_math(m)}: slope {number(m.verdict.slope)} {ends}  {shown.symbol} {shown.word}".replace("  ", " ")


def _quantiles(m: Measurement) -> list[tuple[Array, Array]]:
    """Values and standard errors of the median and the 0.9 quantile at every width."""
    found = m.quantiles
    return list(zip(found.values.T, found.errors.T, strict=True))


def _points(axes: Any, widths: Array, values: Array, errors: Array, form: tuple[str, str, str]) -> bool:
    text, marker, color = form
    good = np.isfinite(values) & (values > 0)
    if good.any():
        low = np.minimum(errors, 0.99 * values)  # a bar that reaches 0 has no end on a logarithmic axis
        bars = np.nan_to_num(np.array([low, errors]))[:, good]
        axes.errorbar(widths[good], values[good], bars, color=color, marker=marker, markersize=5.5, linestyle="none",
                      capsize=3, label=text, zorder=4)  # fmt: skip
    return bool(good.any())


def _lines(axes: Any, m: Measurement, widths: Array, medians: Array) -> None:
    good = np.isfinite(medians) & (medians > 0)
    if not good.any():
        return
    places = np.geomspace(widths[0], widths[-1], 60)
    size = m.entry.law
    log = 0.0 if size is None or not np.isfinite(float(size.log)) or widths[0] <= 1 else float(size.log)
    power = log * np.log(np.log(places)) if log else np.zeros_like(places)
    at_widths = log * np.log(np.log(widths[good])) if log else np.zeros(int(good.sum()))
    logs = np.log(medians[good]) - at_widths
    if np.isfinite(m.verdict.raw_slope):
        raw = np.log(medians[good])
        centre = np.mean(raw - m.verdict.raw_slope * np.log(widths[good]))
        axes.plot(places, np.exp(centre + m.verdict.raw_slope * np.log(places)), color=FIT, linewidth=1.6, zorder=3,
                  label=f"straight line: {raised('n', number(m.verdict.raw_slope), MATHTEXT)}")  # fmt: skip
    if size is not None:
        exponent = float(size.power)
        anchor = logs[-1] - exponent * np.log(widths[good][-1])
        axes.plot(places, np.exp(anchor + exponent * np.log(places) + power), color=LAW, linewidth=1.3, linestyle="--",
                  zorder=3, label=f"derived ({m.entry.status}): {mathlaw(m)}")  # fmt: skip


def mathlaw(m: Measurement) -> str:
    """The derived law in mathtext."""
    return law(m.entry.law, MATHTEXT)


def _dots(axes: Any, widths: Array, samples: Sequence[Array]) -> None:
    """Samples as one path of zero-length strokes with round ends: a few bytes a dot."""
    spread = 0.16 * float(np.diff(np.log(widths)).min(initial=1.0))
    places = []
    for width, values in zip(widths, samples, strict=True):
        kept = np.sort(values[np.isfinite(values) & (values > 0)])
        if kept.size > DOTS:
            kept = kept[np.linspace(0, kept.size - 1, DOTS).round().astype(int)]
        jitter = (np.arange(kept.size) * GOLDEN) % 1 * 2 - 1
        places.append(np.stack([width * np.exp(spread * jitter), kept], axis=1))
    dots = np.concatenate(places)
    if dots.size:
        codes = np.tile(np.array([Path.MOVETO, Path.LINETO], dtype=np.uint8), len(dots))
        path = Path(np.repeat(dots, 2, axis=0), codes)
        axes.add_patch(PathPatch(path, edgecolor=DOT, facecolor="none", linewidth=2.6, capstyle="round", alpha=0.45))
        low = min(float(np.quantile(v[v > 0], LOWEST)) for v in samples if (v > 0).any())
        axes.set_ylim(low / 1.3, dots[:, 1].max() * 1.3)
    margin = float(np.exp(2 * spread))
    axes.set_xlim(widths[0] / margin, widths[-1] * margin)


def _left_labels(axes: Any, lines: dict[tuple[Fraction, int], list[str]], left: Fraction) -> None:
    """Names of the lines at their left ends, those that start together stacked, steepest on top."""
    starts: dict[Fraction, list[tuple[int, list[str]]]] = {}
    for (start, slope), orders in lines.items():
        starts.setdefault(start + slope * left, []).append((slope, orders))
    for height, group in starts.items():
        group.sort(reverse=True)
        for rank, (slope, orders) in enumerate(group):
            offset = ((len(group) - 1) / 2 - rank) * 13
            text = "  ".join(orders)
            axes.annotate(text, (float(left), float(height)), (-6, offset), textcoords="offset points", ha="right",
                          va="center", color=ORDERS[(slope + 1) % len(ORDERS)], fontweight="bold")  # fmt: skip


def as_svg(figure: Figure, prefix: str) -> str:
    """The figure as an <svg> element: transparent, short numbers, ids that are unique on a page.

    Matplotlib's own ids are hashes of coordinates in full precision, which depend on rounding; these are numbered.
    """
    out = io.StringIO()
    figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    used = dict.fromkeys(re.findall(r'(?:href="#|url\(#)([\w.-]+)', text))
    names = {name: f"{prefix}{number}" for number, name in enumerate(used)}
    text = re.sub(r' id="([\w.-]+)"', lambda m: f' id="{names[m[1]]}"' if m[1] in used else "", text)
    text = re.sub(r'(href="#|url\(#)([\w.-]+)', lambda m: m[1] + names[m[2]], text)
    return re.sub(r'( (?:d|x|y|transform|points)=")([^"]*)', lambda m: m[1] + re.sub(r"(\.\d\d)\d+", r"\1", m[2]), text)

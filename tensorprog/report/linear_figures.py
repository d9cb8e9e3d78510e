"""Figures of `tp.linearity` as SVG text: slopes of the deviation over ρ and κ, deviations over width, and over steps.

Style and colours are those of `figures`. Ordered values, such as ρ or the width, go from blue to orange.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tensorprog.learning.features import SCALES
from tensorprog.readings import Status
from tensorprog.report.axes import decades, label_widths, width_label
from tensorprog.report.figures import HIGH, INK, LINE, MEDIAN, STYLE, Array, as_svg, canvas
from tensorprog.report.linear_words import slope, steps_of
from tensorprog.report.wording import minus
from tensorprog.scaling.verdict import log_factor

if TYPE_CHECKING:
    from tensorprog.learning.predictions import Prediction
    from tensorprog.learning.study import Outcome
    from tensorprog.report.linear_report import Growth, Linearity

RAMP = LinearSegmentedColormap.from_list("ordered", ["#0072b2", "#7d6bb0", "#cc79a7", "#d55e00"])
MARKERS = "osD^vP*X<>"
GRID = 96  # points of a predicted line; divisible by what exponents have as denominators
FARTHEST = 2.5  # how much of an interval is drawn on either side of a slope
FEWEST = Fraction(1, 2)  # how far an axis of ρ or κ reaches at least
LOOKS = ((MEDIAN, "o", -1, 1.7), (HIGH, "^", 1, 3.6))  # after one step, and after all: the wider line lies below
SCALE_COLORS = (MEDIAN, HIGH)  # κ = 0 and 1/2
QUIET = {"color": INK, "linewidth": 0.8}


def over_rho(report: Linearity) -> str:
    """The slope of the deviation over ρ at κ = 0, and over κ at ρ = 0, predicted and measured, as SVG.

    Solid lines are definite predictions, dashed ones upper bounds; a line ends where there is no prediction.
    """
    with mpl.rc_context(STYLE):
        panels = panels_of(report)
        figure = Figure(figsize=(2.0 + 4.2 * len(panels), 4.7), layout="constrained")
        FigureCanvasSVG(figure)
        row = list(figure.subplots(1, len(panels), sharey=True, squeeze=False)[0])
        spans = [_panel(axes, report, panel) for axes, panel in zip(row, panels, strict=True)]
        low, high = min(0.0, *(a for a, _ in spans)) - 0.35, max(0.0, *(b for _, b in spans)) + 0.5
        left = row[0]
        left.set_ylim(low, high)
        for axes, panel in zip(row, panels, strict=True):
            axes.axhspan(0, high, color=LINE, alpha=0.45, linewidth=0, zorder=0)
            axes.grid(True, axis="y", color=LINE, linewidth=0.6)
            axes.set_xlabel(panel.label)
        left.set_ylabel("exponent of n of |F − $F_{lin}$|")
        left.text(0.02, 0.98, "does not vanish with the width", ha="left", va="top", style="italic",
                  transform=left.transAxes)  # fmt: skip
        star = report.largest_rho
        if panels[0].letter == "rho" and star is not None and left.get_xlim()[0] < star < left.get_xlim()[1]:
            left.axvline(float(star), linestyle=":", **QUIET)
            left.annotate(f"ρ* = {minus(star)}", (float(star), 0), (5, 4), xycoords=("data", "axes fraction"),
                          textcoords="offset points", fontweight="bold")  # fmt: skip
        lines, labels = left.get_legend_handles_labels()
        figure.legend(lines[::-1], labels[::-1], loc="outside upper center", ncols=2, columnspacing=3)
        return as_svg(figure, "r-")


@dataclass(frozen=True)
class Panel:
    """What varies in a panel, "rho" or "kappa", and the deviations where the other is 0."""

    letter: str
    label: str
    outcomes: list[Outcome]


def panels_of(report: Linearity) -> list[Panel]:
    """Over ρ and over κ, without one of which a single value was looked at; over ρ when that holds of both."""
    found = [o for o in report.outcomes if o.prediction.quantity == "deviation"]
    over = [
        Panel("rho", "learning rate η n$^ρ$:  ρ, at κ = 0", [o for o in found if not o.prediction.kappa]),
        Panel("kappa", "external scale n$^{−κ}$F:  κ, at ρ = 0", [o for o in found if not o.prediction.rho]),
    ]
    kept = [panel for panel in over if any(getattr(o.prediction, panel.letter) for o in panel.outcomes)]
    return kept or over[:1]


def _panel(axes: Any, report: Linearity, panel: Panel) -> tuple[float, float]:
    """Predicted lines and measured slopes of one panel; returns the heights that are in view."""
    heights: list[float] = []
    outcomes, letter = panel.outcomes, panel.letter

    def place(prediction: Prediction) -> Fraction:
        return Fraction(getattr(prediction, letter))

    def at(x: Fraction) -> dict[str, Any]:
        return {letter: x}

    places = [place(o.prediction) for o in outcomes]
    first, last = min(places), max(*places, min(places) + FEWEST)
    ticks = [first + (last - first) * Fraction(i, GRID) for i in range(GRID + 1)]
    grid = sorted({*ticks, *places})
    stops = sorted({o.prediction.steps for o in outcomes})
    shift = 0.012 * float(last - first)
    for steps, (color, marker, side, width) in reversed(list(zip(stops, LOOKS, strict=False))):
        line = [report.predict(steps=steps, **at(x)) for x in grid]
        heights += _line(axes, grid, line, color, width, f"predicted, {steps_of(steps)}")
        seen = [o for o in outcomes if o.prediction.steps == steps and o.verdict is not None]
        kept = [(place(o.prediction), o.verdict) for o in seen if o.verdict and np.isfinite(o.verdict.slope)]
        if kept:
            x = np.array([float(p) for p, _ in kept]) + side * shift * (len(stops) > 1)
            y = np.array([v.slope for _, v in kept])
            ends = np.array([v.interval for _, v in kept]).T
            bars = np.nan_to_num(np.abs(ends - y), posinf=1e3)
            _longer(axes, x, y, bars, color)
            axes.errorbar(x, y, bars, color=color, marker=marker, markersize=6, linestyle="none", capsize=3, zorder=4,
                          label=f"measured, {steps_of(steps)}")  # fmt: skip
            heights += [*(y - bars[0]), *(y + bars[1])]
    margin = 0.05 * float(last - first)
    axes.set_xlim(float(first) - margin, float(last) + margin)
    marks = sorted(set(places))
    axes.set_xticks([float(p) for p in marks], [minus(p) for p in marks])
    return min(heights, default=0.0), max(heights, default=0.0)


def _longer(axes: Any, x: Array, y: Array, bars: Array, color: str) -> None:
    """Arrowheads on intervals that are drawn only in part."""
    for side, form, sign in ((0, "v", -1), (1, "^", 1)):
        beyond = bars[side] > FARTHEST
        axes.plot(x[beyond], y[beyond] + sign * FARTHEST, form, color=color, markersize=5, zorder=5)
        bars[side, beyond] = FARTHEST


def _line(
    axes: Any, grid: Sequence[Fraction], line: Sequence[Prediction], color: str, width: float, label: str
) -> list[float]:
    """Runs of equal status, each up to where the next begins; a gap where there is no prediction."""
    heights = []
    places = [float(x) for x in grid]
    values = [float("nan") if p.law is None else float(p.law.power) for p in line]
    kinds = [None if p.law is None else p.status for p in line]
    start = 0
    for kind, run in itertools.groupby(kinds):
        end = start + len(list(run))
        if kind is not None:
            dashes: Any = "-" if kind is Status.DEFINITE else (0, (2.2, 1.2))
            axes.plot(places[start : end + 1], values[start : end + 1], color=color, linewidth=width, linestyle=dashes,
                      zorder=2)  # fmt: skip
            heights += values[start:end]
        start = end
    axes.plot([], [], color=color, linewidth=width, label=label)
    return heights


def over_width(report: Linearity) -> str:
    """Medians of the deviation after all steps against n, a curve for each ρ, with predicted slopes, as SVG."""
    steps = report.run["steps"]
    rows = [o for o in report.outcomes if o.prediction.quantity == "deviation" and not o.prediction.kappa]
    rows = sorted((o for o in rows if o.prediction.steps == steps), key=lambda o: -o.prediction.rho)
    with mpl.rc_context(STYLE):
        figure, axes = canvas(8.4, 5.0)
        axes.set_xscale("log")
        axes.set_yscale("log")
        shown = [o for o in rows if o.used]
        for i, outcome in enumerate(shown):
            _curve(axes, outcome, _color(len(shown) - 1 - i, len(shown)), MARKERS[i % len(MARKERS)])
        if shown:
            decades(axes.yaxis)
            figure.legend(loc="outside right center", labelspacing=0.9, handlelength=1.2)
        label_widths(axes.xaxis, report.run["widths"])
        axes.set_xlabel("width n")
        axes.set_ylabel(f"median of |F − $F_{{lin}}$| after {steps_of(steps)}")
        axes.grid(True, which="major", color=LINE, linewidth=0.6)
        return as_svg(figure, "w-")


def _curve(axes: Any, outcome: Outcome, color: str, marker: str) -> None:
    p, kept = outcome.prediction, outcome.kept
    widths = np.array(outcome.used, dtype=np.float64)
    values, errors = np.array(outcome.medians)[kept], np.nan_to_num(np.array(outcome.median_errors)[kept])
    text = f"ρ = {minus(p.rho)}:  {slope(outcome) or 'no slope'}"
    if p.law is None:
        text += "\nno prediction"
    else:
        text += f"\n{p.status} {minus(p.law.power)}"
        places = np.geomspace(widths[0], widths[-1], 60)
        law = places ** float(p.law.power) * np.exp(log_factor(p.law, places))
        axes.plot(places, values[-1] / law[-1] * law, color=color, linewidth=1.2, linestyle="--", zorder=2)
    bars = [np.minimum(errors, 0.99 * values), errors]
    look = {"color": color, "marker": marker, "markersize": 5.5, "markeredgecolor": INK, "markeredgewidth": 0.4}
    axes.errorbar(widths, values, bars, linestyle="none", capsize=3, label=text, zorder=4, **look)


def growth(found: Growth) -> str:
    """Medians of the deviation over the steps of the long run, a curve for each width, as SVG."""
    with mpl.rc_context(STYLE):
        figure, axes = canvas(7.0, 4.2)
        axes.set_yscale("log")
        widths = found.outcome.widths
        for i, (width, curve) in enumerate(zip(widths, found.curves, strict=True)):
            values: Array = np.array(curve)
            steps = np.arange(1, len(values) + 1)
            good = values > 0
            axes.plot(steps[good], values[good], color=_color(i, len(widths)), linewidth=2,
                      label=f"n = {width_label(width)}")  # fmt: skip
        decades(axes.yaxis)
        axes.set_xlim(0, found.steps + 1)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("steps s")
        axes.set_ylabel("median of |F − $F_{lin}$|")
        axes.grid(True, which="major", color=LINE, linewidth=0.6)
        figure.legend(loc="outside right center")
        return as_svg(figure, "g-")


def foretold(report: Linearity) -> str:
    """The gap after training against the gap foreseen at θ_0, log-log, a marker for each task, κ and width, as SVG."""
    with mpl.rc_context(STYLE):
        figure, axes = canvas(8.4, 5.0)
        axes.set_xscale("log")
        axes.set_yscale("log")
        found = [c for c in report.learned if min(c.medians) > 0]
        forms = dict(zip(dict.fromkeys(c.task for c in report.learned), itertools.cycle(MARKERS)))
        widths = sorted({c.width for c in report.learned})
        for cell in found:
            color = SCALE_COLORS[SCALES.index(cell.kappa)]
            foreseen, _, last = cell.medians
            axes.plot(cell.foreseen, cell.last, ".", color=color, alpha=0.3, markersize=5, markeredgewidth=0, zorder=2)
            size = 6 + 5 * widths.index(cell.width) / max(1, len(widths) - 1)
            axes.plot(foreseen, last, forms[cell.task], color=color, markersize=size, markeredgecolor=INK,
                      markeredgewidth=0.7, zorder=4)  # fmt: skip
        for kappa, color in zip(SCALES, SCALE_COLORS, strict=True):
            for task in forms:
                path = np.array([c.medians for c in found if (c.task, c.kappa) == (task, kappa)]).reshape(-1, 3)
                axes.plot(path[:, 0], path[:, 2], color=color, linewidth=1, zorder=3)
            axes.plot([], [], "s", color=color, label=f"κ = {minus(kappa)}")
        for task, form in forms.items():
            axes.plot([], [], form, color="none", markeredgecolor=INK, label=task)
        for width in (widths[0], widths[-1]):
            size = 6 if width == widths[0] else 11
            axes.plot([], [], "o", color=LINE, markeredgecolor=INK, markersize=size, label=f"n = {width_label(width)}")
        if found:
            ends = [f(f(values) for c in found for values in (c.foreseen, c.last)) for f in (min, max)]
            axes.plot(ends, ends, label="equal", zorder=1, **QUIET)
            for axis in (axes.xaxis, axes.yaxis):
                decades(axis)
        axes.set_xlabel("gap foreseen at $θ_0$, for one step")
        axes.set_ylabel(f"|F − $F_{{lin}}$| after {steps_of(report.run['steps'])}")
        axes.grid(True, which="major", color=LINE, linewidth=0.6)
        figure.legend(loc="outside right center", labelspacing=0.7)
        return as_svg(figure, "f-")


def _color(place: int, count: int) -> str:
    return to_hex(RAMP(place / max(1, count - 1)))

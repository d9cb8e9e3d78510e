"""All correlations of a report in one figure: medians against width, each with its derived law and measured slope."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np

from tensorprog.report.axes import decades, label_widths
from tensorprog.report.figures import INK, LINE, ORDERS, STYLE, Array, as_svg, canvas, mathlaw, order_label
from tensorprog.report.wording import interval, number

if TYPE_CHECKING:
    from tensorprog.report.report import Measurement, Report

MARKERS = "osD^vP*X"


def overview(report: Report) -> str:
    """Medians of ‖C‖ with standard errors against n on log–log axes, as SVG.

    Dashed: the derived law through the medians of the larger half of the widths. The label tells the measured exponent
    with its 95 % interval, finite-width drift included, and the slope of the straight line.
    """
    with mpl.rc_context(STYLE):
        figure, axes = canvas(8.4, 4.8)
        axes.set_xscale("log")
        axes.set_yscale("log")
        shown = [m for m in report.measurements if (m.quantiles.values[:, 0] > 0).all()]
        for place, m in enumerate(shown):
            _curve(axes, m, ORDERS[place % len(ORDERS)], MARKERS[place % len(MARKERS)])
        if shown:
            decades(axes.yaxis)
            figure.legend(loc="outside right center", labelspacing=1.2, handlelength=1.2)
        label_widths(axes.xaxis, report.run.widths)
        axes.set_xlabel("width n")
        axes.set_ylabel("median size of the correlation")
        axes.grid(True, which="major", color=LINE, linewidth=0.6)
        axes.set_title(report.run.architecture, loc="left")
        return as_svg(figure, "o-")


def _curve(axes: Any, m: Measurement, color: str, marker: str) -> None:
    widths = np.array(m.widths, dtype=np.float64)
    values, errors = m.quantiles.values[:, 0], m.quantiles.errors[:, 0]
    v = m.verdict
    text = f"{order_label(m.entry.D, m.entry.d)}:  {number(v.slope)} {interval(v.interval)}\nline {number(v.raw_slope)}"
    law = m.entry.law
    if law is not None:
        text += f", {m.entry.status} {mathlaw(m)}"
        places = np.geomspace(widths[0], widths[-1], 60)
        log = float(law.log) if np.isfinite(float(law.log)) and widths[0] > 1 else 0.0

        def law_at(n: Array) -> Array:
            power: Array = n ** float(law.power) * np.log(np.maximum(n, 2.0)) ** log
            return power

        upper = slice(len(widths) // 2, None)
        weights = (values[upper] / np.maximum(errors[upper], 1e-8 * values[upper])) ** 2
        height = np.exp(np.average(np.log(values / law_at(widths))[upper], weights=weights))
        axes.plot(places, height * law_at(places), color=color, linewidth=1.2, linestyle="--", zorder=2)
    bars = [np.minimum(errors, 0.99 * values), errors]
    look = {"color": color, "marker": marker, "markersize": 5, "markeredgecolor": INK, "markeredgewidth": 0.4}
    axes.errorbar(widths, values, bars, linestyle="none", capsize=3, label=text, zorder=4, **look)

"""Figures as text: the same picture is the same text."""

from __future__ import annotations

import re

from tensorprog.report.figures import as_svg, canvas


def picture(shift: float) -> str:
    figure, axes = canvas(4.0, 3.0)
    figure.set_layout_engine("none")
    axes.set_position((0.1 + shift, 0.1, 0.8, 0.8))
    axes.plot([0, 1], [0, 1], "o-")
    return as_svg(figure, "f-")


def test_rounding_does_not_change_the_text():
    assert picture(0.0) == picture(1e-13)


def test_ids_are_numbered_and_every_reference_has_one():
    text = picture(0.0)
    ids = re.findall(r' id="([^"]*)"', text)
    assert sorted(ids) == sorted({f"f-{number}" for number in range(len(ids))})
    assert set(re.findall(r'(?:href="#|url\(#)([^")]*)', text)) == set(ids) != set()

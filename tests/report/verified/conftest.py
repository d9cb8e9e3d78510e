"""One report for all tests of what `tp.verify` reports."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report.pages import fixtures
from report.verified.bilinear import verified

from tensorprog.report import figures

report, folder, page = fixtures(lambda: verified(name="bilinear net"), "report.html")


@pytest.fixture(scope="session")
def refuted(report):
    """The same report, had every verdict on a nonvanishing correlation been a refutation."""
    changed = tuple(
        m if m.entry.exponent is None else replace(m, verdict=replace(m.verdict, verdict="refuted"))
        for m in report.measurements
    )
    return replace(report, measurements=changed)


@pytest.fixture
def plain_figures(monkeypatch):
    """Pages without drawings, for tests of their words."""
    monkeypatch.setattr(figures, "scaling", lambda _: "<svg></svg>")
    monkeypatch.setattr(figures, "kappa", lambda _: "<svg></svg>")

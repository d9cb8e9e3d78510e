"""One report for all tests of linear learning."""

from __future__ import annotations

import pytest
from report.linear.learned import learned
from report.pages import Page


@pytest.fixture(scope="session")
def report():
    return learned()


@pytest.fixture(scope="session")
def folder(report, tmp_path_factory):
    return report.save(tmp_path_factory.mktemp("reports") / "new" / "folder")


@pytest.fixture(scope="session")
def page(folder):
    return Page((folder / "linearity.html").read_text(encoding="utf-8"))

"""One report for all tests of linear learning."""

from __future__ import annotations

from report.linear.learned import learned
from report.pages import fixtures

report, folder, page = fixtures(learned, "linearity.html")

"""Reports: tables, figures and one self-contained page."""

from tensorprog.report.linear_report import Linearity
from tensorprog.report.linear_run import linearity
from tensorprog.report.report import Measurement, Report
from tensorprog.report.run import Provenance, Run
from tensorprog.report.verification import verify

__all__ = ["Linearity", "Measurement", "Provenance", "Report", "Run", "linearity", "verify"]

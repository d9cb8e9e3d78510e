"""Reports: tables, figures and one self-contained page."""

from tensorprog.report.report import Measurement, Report
from tensorprog.report.run import Run
from tensorprog.report.verification import verify

__all__ = ["Measurement", "Report", "Run", "verify"]

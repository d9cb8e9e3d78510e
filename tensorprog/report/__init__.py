"""Reports: tables, figures and one self-contained page."""

from tensorprog.report.report import Measurement, Report, Run, verify

__all__ = ["Measurement", "Report", "Run", "verify"]

"""Statistics of scaling laws: quantiles, fits, intervals, verdicts."""

from tensorprog.scaling.measure import measure
from tensorprog.scaling.verdict import Verdict, judge

__all__ = ["Verdict", "judge", "measure"]

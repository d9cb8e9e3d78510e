"""Readings: programs in, answers out."""

from tensorprog.readings.auto import READINGS, reading_of
from tensorprog.readings.derive import BAR, all_orders, check_gaussian, derive, reparametrised
from tensorprog.readings.draws import check_width, draw
from tensorprog.readings.entry import BOUNDLESS, Derivation, Entry, Status, Step
from tensorprog.readings.inputs import check_data
from tensorprog.readings.joint import Joint
from tensorprog.readings.sample import as_norms, check_memory, check_request, check_results, sample
from tensorprog.readings.symmetry import odd_flip
from tensorprog.readings.table import Table, WeakCorrelation

__all__ = [
    "BAR",
    "BOUNDLESS",
    "READINGS",
    "Derivation",
    "Entry",
    "Joint",
    "Status",
    "Step",
    "Table",
    "WeakCorrelation",
    "all_orders",
    "as_norms",
    "check_data",
    "check_gaussian",
    "check_memory",
    "check_request",
    "check_results",
    "check_width",
    "derive",
    "draw",
    "odd_flip",
    "reading_of",
    "reparametrised",
    "sample",
]

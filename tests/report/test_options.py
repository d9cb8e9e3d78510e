"""Options of `tp.verify` that cannot be: each is named, with its value, before any work."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tensorprog as tp
from tensorprog.architectures import mlp
from tensorprog.errors import ProgramError, SamplingError


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"margin": "0.1"}, "margin='0.1' must be a positive number, such as 0.1"),
        ({"margin": True}, "margin=True"),
        ({"margin": float("inf")}, "margin=inf"),
        ({"minutes": "1", "samples": None}, "minutes='1'"),
        ({"store": 3}, "store=3 is no path"),
    ],
)
def test_wrong_options_are_named(options, words):
    program = tp.trace(mlp, inputs=2, depth=1)
    given = {"widths": [8, 16], "samples": 4, "progress": False, **options}
    with pytest.raises(SamplingError, match=re.escape(words)):
        tp.verify(program, np.ones((2, 3)), [(0, 1)], **given)


def test_only_programs_have_correlations():
    with pytest.raises(ProgramError, match="3 is not a Program"):
        tp.correlation(3, 0, 2)

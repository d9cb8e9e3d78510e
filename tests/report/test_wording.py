"""How sizes are written."""

from __future__ import annotations

from dataclasses import replace

import pytest

import tensorprog as tp
from tensorprog.architectures import mlp
from tensorprog.report.wording import html_size


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ("upper bound", "O(n<sup>−1</sup>)"),
        ("definite", "n<sup>−1</sup>"),
        ("definite power", "O(n<sup>−1</sup>)"),
        ("measured", "n<sup>−1</sup>"),
    ],
)
def test_what_may_be_smaller_is_within_a_bound(status, text):
    (entry,) = tp.derive(tp.trace(mlp, inputs=3, depth=2), [(0, 2)])
    assert html_size(replace(entry, status=status)) == text

"""What several commands take, with the help that they show."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter, Token

from tensorprog.program import PRESETS


def _whole(_: object, tokens: Sequence[Token]) -> int:
    """An integer written as one; by default 2.7 would become 2."""
    if not re.fullmatch(r"[+-]?\d{1,18}", tokens[0].value, re.ASCII):
        raise ValueError(f"{tokens[0].value!r} is no integer")
    return int(tokens[0].value)


STORE = "samples.sqlite"
Whole = Annotated[int, Parameter(converter=_whole)]
Architecture = Annotated[
    str, Parameter(name="ARCH", help="A name from `tensorprog list`, or path/to/file.py:function.")
]
Options = Annotated[
    list[str] | None,
    Parameter(name=["--option", "-o"], negative="", help="Option of the architecture, name=value; repeat for more."),
]
Positions = Annotated[Whole | None, Parameter(help="Positions of a sequence architecture, instead of its default.")]
Preset = Annotated[str | None, Parameter(name="--abc", help=f"Parametrisation of all weights: {', '.join(PRESETS)}.")]
Orders = Annotated[
    list[str] | None, Parameter(consume_multiple=True, negative="", help="Pairs D,d such as 0,2 1,1; all by default.")
]
Proofs = Annotated[
    list[str] | None,
    Parameter(
        consume_multiple=True, negative="", help="Orders D,d to prove as well, D ≤ 1, step by step; none by default."
    ),
]
Points = Annotated[
    list[int] | None,
    Parameter(consume_multiple=True, negative="", help="Which inputs x_0 x_1 … are, repeats allowed: 0 0 0."),
]
Patience = Annotated[float, Parameter(help="Seconds for the limit of one order; what takes longer stays a bound.")]
Folder = Annotated[Path | None, Parameter(help="Folder for the results, made when missing.")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object and nothing else.")]
Format = Literal["text", "json", "mermaid", "graphviz", "svg"]

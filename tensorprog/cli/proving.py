"""`tensorprog prove`: the derivation of one definite exponent as numbered steps, tested one by one on demand."""

from __future__ import annotations

import json as interchange
from typing import Annotated, Literal

from cyclopts import Parameter

from tensorprog.cli.arguments import Architecture, Json, Options, Patience, Points, Positions, Preset, Whole
from tensorprog.cli.study import Study
from tensorprog.cli.texts import read_widths
from tensorprog.limits.definite import PATIENCE
from tensorprog.proofs import prove
from tensorprog.scaling.measure import check_widths


def prove_(
    arch: Architecture,
    /,
    *,
    D: Annotated[Whole, Parameter(name="-D", help="Free slots, 0 or 1.")] = 0,
    d: Annotated[Whole, Parameter(name="-d", help="Contracted slots.")] = 2,
    inputs: Annotated[str, Parameter(help="A .npy or .csv file of inputs, or digits (scikit-learn's images).")],
    points: Points = None,
    option: Options = None,
    abc: Preset = None,
    positions: Positions = None,
    patience: Patience = PATIENCE,
    verify: Annotated[bool, Parameter(negative="", help="Test every step by simulation.")] = False,
    widths: Annotated[str, Parameter(help="Widths of the tests: 256,1024 or 256..4096.")] = "256,1024,4096",
    samples: Annotated[Whole, Parameter(help="Initialisations a width.")] = 400,
    seed: Annotated[Whole, Parameter(help="Seed of all random numbers.")] = 0,
    format: Annotated[Literal["text", "latex", "html"], Parameter(help="How to write it.")] = "text",
    json: Json = False,
) -> int:
    """A proof of the exponent of C^{D,d}, step by step. Exit code 1 when a tested step is refuted."""
    sizes = check_widths(read_widths(widths), [])
    study = Study.of(arch, option, [f"{D},{d}"], points, abc, positions, inputs)
    proof = prove(study.program, D, d, None if points is None else points[: d + 1], data=study.data, patience=patience)
    checked = proof.verify(None, sizes, samples, seed, True) if verify else None
    shown = proof if checked is None else checked
    if json:
        print(interchange.dumps(shown.to_object(), indent=1))
    else:
        print({"text": str(shown), "latex": shown.latex(), "html": shown.html()}[format])
    return int(bool(checked and checked.refuted))

"""`tensorprog linearity`: does a network learn linearly? Predicted, and trained to see."""

from __future__ import annotations

import time
from typing import Annotated

import numpy as np
from cyclopts import Parameter
from numpy.typing import NDArray

from tensorprog.cli.arguments import STORE, Architecture, Folder, Json, Options, Positions, Preset, Whole
from tensorprog.cli.study import MAX_INPUTS, Study
from tensorprog.cli.texts import check_out, finished, read_numbers, read_widths, saved
from tensorprog.errors import DataError, TrainingError
from tensorprog.learning.study import KAPPAS, PATIENCE, RHOS
from tensorprog.readings.files import DIGITS, targets_from
from tensorprog.readings.team import cores
from tensorprog.report.linear_report import FILES as LINEARITY_FILES
from tensorprog.report.linear_run import linearity
from tensorprog.report.run import Provenance

LABELS = "labels"
SAMPLES = 40
Numbers = Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")]


def linearity_(
    arch: Architecture,
    /,
    *,
    inputs: Annotated[str, Parameter(help="A .npy or .csv file of inputs, or digits (scikit-learn's images).")],
    targets: Annotated[
        str | None,
        Parameter(help="A .npy or .csv file, one row an input; labels of digits: +1 for even, -1 for odd (default)."),
    ] = None,
    train: Annotated[Whole, Parameter(help="How many inputs to train on, the first ones.")] = 4,
    test: Annotated[Whole, Parameter(help="How many of the next ones to look at too.")] = 2,
    steps: Annotated[Whole, Parameter(help="Gradient steps.")] = 3,
    widths: Annotated[str, Parameter(help="Widths: 64,128,256, or 64..4096 for the powers of two.")] = "256..4096",
    samples: Annotated[Whole | None, Parameter(help="Initialisations a width; 40 by default.")] = None,
    minutes: Annotated[float | None, Parameter(help="Instead of samples: a time for each ρ and each κ.")] = None,
    learning_rate: Annotated[float | None, Parameter(help="η; by default half of 2/λ_max.")] = None,
    loss: Annotated[str, Parameter(help="squared, logistic, cross_entropy, or C(F, y) as a text.")] = "squared",
    rho: Annotated[Numbers, Parameter(help="Learning rates η n^ρ: -1 -1/2 0, or -1..1/2/1/4 by steps; none.")] = None,
    kappa: Annotated[Numbers, Parameter(help="External scales n^(-κ) F: 0 1/4 1/2, or 0..1/2/1/8; none.")] = None,
    growth: Annotated[Whole, Parameter(help="Steps of a long run at the smaller widths; 0 leaves it out.")] = 0,
    tasks: Annotated[
        list[str] | None,
        Parameter(
            consume_multiple=True,
            negative="",
            help="Tasks on which features are learned: parity:2:10 (two of ten bits), two-index:10 (ten dimensions).",
        ),
    ] = None,
    momentum: Annotated[float, Parameter(help="μ of b ← μ b + ∇L.")] = 0.0,
    weight_decay: Annotated[float, Parameter(help="λ of ∇L + λ θ.")] = 0.0,
    seed: Annotated[Whole, Parameter(help="Seed of all random numbers.")] = 0,
    option: Options = None,
    abc: Preset = None,
    positions: Positions = None,
    margin: Annotated[float, Parameter(help="Margin of the test on the exponent.")] = 0.1,
    patience: Annotated[float, Parameter(help="Seconds for the limit of one order; 0: upper bounds only.")] = PATIENCE,
    workers: Annotated[Whole | None, Parameter(help="Processes; all cores by default.")] = None,
    json: Json = False,
    out: Folder = None,
    typed: Annotated[str | None, Parameter(parse=False)] = None,
) -> int:
    """How far from its linear model a network learns: predicted, and trained. Exit code 1 when one is refuted."""
    start = time.perf_counter()
    check_out(out, LINEARITY_FILES)
    _check_inputs(train, test)
    if minutes is not None and samples is not None:
        raise TrainingError(f"--minutes {minutes:g} decides how many samples each width gets; leave --samples out")
    rhos, kappas = read_numbers("--rho", rho), read_numbers("--kappa", kappa)
    sizes = read_widths(widths)
    wanted = _targets(inputs, targets, train)
    study = Study.of(arch, option, None, None, abc, positions, inputs, traced=train + test)
    report = linearity(
        study.program,
        study.rows[: train + test],
        wanted,
        widths=sizes,
        samples=SAMPLES if samples is None else samples,
        minutes=minutes,
        steps=steps,
        learning_rate=learning_rate,
        rhos=RHOS if rhos is None else rhos,
        kappas=KAPPAS if kappas is None else kappas,
        growth=growth,
        tasks=tasks or (),
        seed=seed,
        margin=margin,
        patience=patience,
        workers=cores() if workers is None else workers,
        store=None if out is None else out / STORE,
        progress=True,
        name=study.title,
        provenance=Provenance(typed, study.texts, inputs),
        loss=loss,
        momentum=momentum,
        weight_decay=weight_decay,
    )
    if out is not None:
        saved(report, out, STORE)
    page = None if out is None else out / "linearity.html"
    print(finished(report, page, time.perf_counter() - start, json))
    return int(bool(report.refuted))


def _check_inputs(train: int, test: int) -> None:
    if train < 1 or test < 0 or train + test > MAX_INPUTS:
        raise TrainingError(
            f"--train {train} --test {test}: train on at least one input, and look at no more than {MAX_INPUTS} in all"
        )


def _targets(inputs: str, targets: str | None, train: int) -> NDArray[np.float64]:
    """One target, or one row of them, for each trained input."""
    if targets is None and inputs != DIGITS:
        raise DataError(f"the inputs {inputs!r} have no labels; give --targets, a .npy or .csv file, one row an input")
    if targets is None or targets == LABELS:
        if inputs != DIGITS:
            raise DataError(
                f"--targets {LABELS} are those of digits; for the inputs {inputs!r} give a .npy or .csv file"
            )
        return np.array([1.0 - 2.0 * (label % 2) for label in range(train)])
    found = targets_from(targets)
    if len(found) < train:
        raise DataError(
            f"the targets {targets!r} have {len(found)} rows, but --train {train} asks for as many; lower it"
        )
    return found[:train]

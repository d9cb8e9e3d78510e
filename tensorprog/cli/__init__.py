"""The command line: list, show, derive, prove, verify, linearity.

Exit codes: 0 when nothing is refuted, 1 when an exponent or a step of a proof is, 2 for whatever cannot be run, 130
after Ctrl-C. With --json, standard output holds one JSON object and nothing else; messages and progress go to standard
error.
"""

from __future__ import annotations

import errno
import io
import json as interchange
import math
import shlex
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

from cyclopts import App, Parameter

from tensorprog.architectures import ARCHITECTURES
from tensorprog.architectures._loading import load
from tensorprog.cli.arguments import (
    STORE,
    Architecture,
    Folder,
    Format,
    Json,
    Options,
    Orders,
    Patience,
    Points,
    Positions,
    Preset,
    Proofs,
    Whole,
)
from tensorprog.cli.endings import ended, told
from tensorprog.cli.learning import linearity_
from tensorprog.cli.proving import prove_
from tensorprog.cli.study import MAX_INPUTS, Study
from tensorprog.cli.texts import (
    check_out,
    finished,
    first_given,
    legible,
    negatives,
    read_bytes,
    read_kappa,
    read_orders,
    read_widths,
    saved,
    scaled,
)
from tensorprog.errors import OrderError, SamplingError
from tensorprog.interrupts import started
from tensorprog.limits.definite import PATIENCE, derive
from tensorprog.program import Program
from tensorprog.readings.table import FILES as TABLE_FILES
from tensorprog.readings.team import cores
from tensorprog.report import Provenance, verify
from tensorprog.report.report import FILES as REPORT_FILES
from tensorprog.report.report import proof_file
from tensorprog.version import VERSION

GOOD, REFUTED = 0, 1
OUTPUT = "standard output"


EXAMPLES = {
    "list": ("tensorprog list",),
    "show": (
        "tensorprog show mlp -o depth=2 -o phi=tanh",
        "tensorprog show attention --format mermaid",
        "tensorprog show my_file.py:my_network --positions 3 --format svg > program.svg",
    ),
    "derive": (
        "tensorprog derive mlp",
        "tensorprog derive mlp -o depth=2 -o phi=tanh --orders 0,2 1,1 --derivations",
        "tensorprog derive mlp --abc mup --kappa 0 --points 0 0 0",
        "tensorprog derive my_file.py:my_network -o layers=3 --json --out results",
    ),
    "prove": (
        "tensorprog prove mlp -o depth=2 -D 0 -d 2 --inputs digits --verify",
        "tensorprog prove my_file.py:my_network -D 1 -d 1 --inputs table.csv --points 0 0 --format latex",
    ),
    "verify": (
        "tensorprog verify mlp --inputs digits --widths 64,128,256 --samples 100 --out results",
        "tensorprog verify mlp -o depth=2 --inputs digits --orders 0,1 0,2 --proofs 0,2 --out results",
        "tensorprog verify rnn -o phi=tanh --inputs sequences.npy --orders 0,2 1,1",
        "tensorprog verify my_file.py:my_network --inputs table.csv --widths 64..1024 --json",
    ),
    "linearity": (
        "tensorprog linearity mlp --inputs digits --growth 40 --out results",
        "tensorprog linearity mlp --inputs digits --rho -1..1/2/1/4 --kappa none",
        "tensorprog linearity my_file.py:net --inputs x.csv --targets y.csv",
    ),
}

app = App(
    name="tensorprog",
    help="Derivative correlations of wide networks: exponents derived from a tensor program, verified by simulation.",
    version=VERSION,
    help_format="plaintext",
    suppress_keyboard_interrupt=False,
)


def _examples(command: str) -> str:
    """What a command's help ends with."""
    return "\n".join(["Examples:", *(f"    {line}" for line in EXAMPLES[command])])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line on `arguments`, those of the process by default; returns the exit code.

    Whatever is raised ends here, in one line on standard error.
    """
    try:
        started()
        with warnings.catch_warnings():
            warnings.showwarning = told
            return _run(list(sys.argv[1:] if arguments is None else arguments))
    except BaseException as error:
        return ended(error)


def _run(tokens: list[str]) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if sys.stdout is None:
        raise OSError(errno.EBADF, "closed, so nothing can be printed; redirect it to a file or to /dev/null", OUTPUT)
    command, bound, ignored = app.parse_args(negatives(tokens), exit_on_error=False, print_error=False)
    typed = {"typed": legible(shlex.join(["tensorprog", *tokens]))} if "typed" in ignored else {}
    code = command(*bound.args, **bound.kwargs, **typed)
    sys.stdout.flush()
    return code if isinstance(code, int) else GOOD


@app.command(name="list", help_epilogue=_examples("list"))
def list_() -> int:
    """The architectures of this package, with their options."""
    for name in ARCHITECTURES:
        found = load(name)
        options = " ".join(f"{k}={str(p.default).lower()}" for k, p in found.parameters.items())
        length = "" if found.positions is None else f"; inputs of {found.positions} positions"
        print(f"{name}\n    {found.summary}\n    options {options}{length}")
    return GOOD


@app.command(name="show", help_epilogue=_examples("show"))
def show(
    arch: Architecture,
    /,
    *,
    option: Options = None,
    positions: Positions = None,
    inputs_count: Annotated[Whole, Parameter(help="How many inputs to trace.")] = 1,
    abc: Preset = None,
    format: Annotated[Format, Parameter(help="How to write it.")] = "text",
) -> int:
    """The tensor program of an architecture."""
    if not 1 <= inputs_count <= MAX_INPUTS:
        raise OrderError(f"--inputs-count {inputs_count} must be between 1 and {MAX_INPUTS}")
    loaded = load(arch)
    program = scaled(
        loaded.trace(inputs_count, first_given(positions, loaded.positions), loaded.options(option or [])), abc
    )
    print(_writers()[format](program).rstrip("\n"))
    return GOOD


@app.command(name="derive", help_epilogue=_examples("derive"))
def derive_(
    arch: Architecture,
    /,
    *,
    option: Options = None,
    orders: Orders = None,
    points: Points = None,
    kappa: Annotated[str, Parameter(allow_leading_hyphen=True, help="External scale n^(-κ) F, as in 1/2.")] = "0",
    abc: Preset = None,
    positions: Positions = None,
    inputs: Annotated[str | None, Parameter(help="As for verify; makes exponents definite, with constants.")] = None,
    patience: Patience = PATIENCE,
    derivations: Annotated[bool, Parameter(negative="", help="Print the derivation of every exponent.")] = False,
    json: Json = False,
    out: Folder = None,
) -> int:
    """The power of n of every derivative correlation, exactly."""
    check_out(out, TABLE_FILES)
    study = Study.of(arch, option, orders, points, abc, positions, inputs)
    scale = read_kappa(kappa)
    table = derive(study.program, study.orders, study.points, scale, data=study.data, patience=patience, progress=True)
    if out is not None:
        table.save(out)
    if json:
        print(interchange.dumps({**study.to_object(), **table.to_object()}, indent=1))
        return GOOD
    print(f"{study.title}\n\n{table}")
    if derivations:
        for entry in (*table, *table.boundless):
            print(f"\nC^{{{entry.D},{entry.d}}} = {entry} ({entry.status})\n{entry.derivation}")
    if out is not None:
        print(f"\nwritten to {out}")
    return GOOD


@app.command(name="verify", help_epilogue=_examples("verify"))
def verify_(
    arch: Architecture,
    /,
    *,
    inputs: Annotated[str, Parameter(help="A .npy or .csv file of inputs, or digits (scikit-learn's images).")],
    widths: Annotated[str, Parameter(help="Widths: 64,128,256, or 64..4096 for the powers of two.")] = "64..512",
    samples: Annotated[Whole | None, Parameter(help="Initialisations a width; 200 by default.")] = None,
    operator_samples: Annotated[Whole | None, Parameter(help="The same for D = 2; a fifth by default.")] = None,
    minutes: Annotated[float | None, Parameter(help="Instead of samples: a time, spent where it tells most.")] = None,
    seed: Annotated[Whole, Parameter(help="Seed of all random numbers.")] = 0,
    orders: Orders = None,
    proofs: Proofs = None,
    points: Points = None,
    option: Options = None,
    abc: Preset = None,
    positions: Positions = None,
    margin: Annotated[float, Parameter(help="Margin of the test on the exponent.")] = 0.1,
    patience: Patience = PATIENCE,
    workers: Annotated[Whole | None, Parameter(help="Processes; all cores by default.")] = None,
    method: Annotated[Literal["auto", "dense", "exact"], Parameter(help="How weights are sampled.")] = "auto",
    memory: Annotated[str | None, Parameter(help="Memory to use, as in 4GiB; half of the free one by default.")] = None,
    json: Json = False,
    out: Folder = None,
    typed: Annotated[str | None, Parameter(parse=False)] = None,
) -> int:
    """Derive the exponents and test each by Monte Carlo at finite widths.

    Exit code 1 when one is refuted, or a step of a proof is.
    """
    start = time.perf_counter()
    proved = read_orders(proofs, "--proofs", "none") or []
    check_out(out, (*REPORT_FILES, *(proof_file(*order) for order in proved)))
    sizes = read_widths(widths)
    if not 0 < margin < math.inf:
        raise SamplingError(f"--margin {margin} must be a positive number, such as 0.1")
    study = Study.of(arch, option, orders, points, abc, positions, inputs, proofs)
    report = verify(
        study.program,
        study.rows,
        study.orders,
        sizes,
        samples,
        seed,
        points=study.points,
        operator_samples=operator_samples,
        minutes=minutes,
        proofs=study.proofs,
        margin=margin,
        patience=patience,
        workers=cores() if workers is None else workers,
        method=method,
        memory=None if memory is None else read_bytes(memory),
        store=None if out is None else out / STORE,
        progress=True,
        name=study.title,
        provenance=Provenance(typed, study.texts, inputs),
    )
    if out is not None:
        saved(report, out, STORE)
    page = None if out is None else out / "report.html"
    print(finished(report, page, time.perf_counter() - start, json))
    return REFUTED if report.refuted or report.refuted_steps else GOOD


app.command(prove_, name="prove", help_epilogue=_examples("prove"))
app.command(linearity_, name="linearity", help_epilogue=_examples("linearity"))


def _writers() -> dict[Format, Callable[[Program], str]]:
    from tensorprog.program.drawing import graphviz, mermaid, svg

    return {"text": str, "json": Program.to_json, "mermaid": mermaid, "graphviz": graphviz, "svg": svg}

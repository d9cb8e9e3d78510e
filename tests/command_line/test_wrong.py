"""Whatever cannot be run: one line on standard error, exit code 2, nothing half-written."""

from __future__ import annotations

import errno
import importlib
import os
import re

import numpy as np
import pytest
from command_line.place import (
    QUICK,
    SHORT,
    snapshot,
)

from tensorprog import cli

DATA = "verify mlp -o depth=1 --widths 8,16 --samples 4 --workers 1 --orders 0,1"
SIZES = "verify mlp -o depth=1 --inputs x.npy --workers 1"
LEARN = "linearity mlp -o depth=1 --inputs x.npy"
TASK = f"{LEARN} --targets y.csv --train 2 --test 1"
HOSTILE = "__import__('os').system('touch intruder')"
WRONG = [
    ("nothing", "Unknown command"),
    ("list all", "all"),
    ("derive", "ARCH requires an argument"),
    ("verify mlp", "--inputs requires an argument"),
    ("derive mlp mlp", "mlp"),
    # architectures
    ("derive perceptron", "'perceptron' is no architecture; known are attention, conv"),
    ("show perceptron", "'perceptron' is no architecture"),
    ("derive missing.py:net", "the file 'missing.py' .*does not exist"),
    ("derive net.py", "written net.py:function"),
    ("derive net.py:nat", "no function 'nat'; its functions are net"),
    ("derive syntax.py:net", "'syntax.py' has a syntax error in line 1"),
    ("derive raises.py:net", "ZeroDivisionError: division by zero .line 2 of 'raises.py'"),
    ("derive exits.py:net", "'exits.py' cannot be executed: SystemExit"),
    ("derive no_argument.py:net", "takes no argument"),
    ("derive needs.py:net", "needs the option 'layers'"),
    ("derive fails.py:net", "RuntimeError: one two three .line 2 of 'fails.py'"),
    ("derive leaves.py:net", "SystemExit"),
    ("derive number.py:net", "returned 3, not a traced scalar"),
    ("derive positions.py:net", "POSITIONS='many'"),
    # options of the architecture
    ("derive mlp -o", "option"),
    ("derive mlp -o depth", "'depth' has no value"),
    ("derive mlp -o width=3", "mlp has no option 'width'; its options are depth"),
    ("derive mlp -o depth=1 -o depth=2", "given twice"),
    ("derive mlp -o depth=0", "depth=0 must be a positive integer"),
    ("derive mlp -o depth=3/2", "depth='3/2' must be an integer"),
    ("derive mlp -o weight_std=-1", "'U' is -1; it must be positive"),
    ("derive mlp -o phi=unknown", "'unknown' is no nonlinearity"),
    (f'derive mlp -o "phi={HOSTILE}"', "is no function known here"),
    (f'derive mlp -o "depth={HOSTILE}"', "is no rational number"),
    (f'derive mlp --kappa "{HOSTILE}"', "is no rational number"),
    (f'derive mlp --orders "{HOSTILE}"', "no pair D,d"),
    ("derive attention -o scaling=width", "'width' is not one of n, sqrt"),
    ("derive attention -o tied=perhaps", "must be true or false"),
    # options of the command
    ("derive mlp --order 0,2", "Unknown option"),
    ("show mlp --format pdf", 'Invalid value "pdf"'),
    ("show mlp --inputs-count 0", "--inputs-count 0 must be between 1"),
    ("show mlp --inputs-count 1.5", "--inputs-count"),
    ("derive mlp --json=perhaps", "--json"),
    ("derive mlp --orders", "--orders has no values"),
    ("derive mlp --orders 2", "'2' is no pair D,d"),
    ("derive mlp --orders 0,-1", "'0,-1' is no pair D,d"),
    ("derive mlp --orders 3,0", "D=3 is not supported; at most 2"),
    ("derive mlp --orders 0,9999", "10000 inputs are asked for, at most 64"),
    ("derive mlp --orders 0,2 --points 0", r"takes 3 points, .* has 1"),
    ("derive mlp --points", "--points has no values"),
    ("derive mlp --points -1", "--points -1"),
    ("derive mlp --points a", "--points"),
    ("derive mlp --kappa half", "--kappa: 'half' is no rational number"),
    ("derive mlp --kappa nan", "--kappa: 'nan' is no rational number"),
    ("derive mlp --kappa 1/0", "--kappa: '1/0' is no rational number"),
    ("derive mlp --abc standard", "'standard' is no parametrisation; known are ntk"),
    ("derive rnn --positions 0", "positions=0 of rnn"),
    ("derive mlp --positions 2", "sequence|positions"),
    ("derive mlp -o phi=relu --orders 1,2", r"D\+d = 3 needs 3 derivatives, but relu .* has 2"),
    # data
    (f"{DATA} --inputs missing.npy", "'missing.npy' do not exist"),
    (f"{DATA} --inputs inputs.txt", "'inputs.txt' are neither .npy nor .csv"),
    (f"{DATA} --inputs folder.npy", "'folder.npy' are a folder"),
    (f"{DATA} --inputs junk.npy", "'junk.npy' is no .npy array"),
    (f"{DATA} --inputs objects.npy", "'objects.npy' .*pickled objects"),
    (f"{DATA} --inputs complex.npy", "type complex128"),
    (f"{DATA} --inputs vector.npy", r"shape \(4,\)"),
    (f"{DATA} --inputs infinite.npy", r"1 NaN or infinite values, the first at index \(0, 1\)"),
    (f"{DATA} --inputs nan.csv", "line 2 of 'nan.csv' has 'nan' in column 2"),
    (f"{DATA} --inputs ragged.csv", "line 2 of 'ragged.csv' has 1 numbers, the lines before have 2"),
    (f"{DATA} --inputs empty.csv", "'empty.csv' are empty"),
    (f"{DATA} --inputs words.csv", "line 2 of 'words.csv' has 'three' in column 1"),
    (f"{DATA} --inputs sequences.npy", r"'sequences.npy' have shape \(3, 2, 4\), but mlp takes single vectors"),
    ("verify rnn --inputs x.npy", r"'x.npy' have shape \(3, 4\), but rnn takes sequences"),
    ("verify rnn --inputs sequences.npy --positions 5 --orders 0,1", "2 positions, but 5 were asked for"),
    ("verify rnn --inputs digits --positions 9", "digits have no 9 positions"),
    ("verify mlp --inputs x.npy --orders 0,1 0,4", r"3 inputs, but C\^\{0,4\} needs 5"),
    ("verify mlp --inputs x.npy", r"3 inputs, but C\^\{0,4\} needs 5"),
    ("derive mlp --inputs x.npy --orders 0,3", r"3 inputs, but C\^\{0,3\} needs 4"),
    # sizes of the run
    (f"{SIZES} {SHORT} --widths 8", r"widths \[8\] must be at least two increasing"),
    (f"{SIZES} {SHORT} --widths 16,8", r"widths \[16, 8\] must be at least two increasing"),
    (f"{SIZES} {SHORT} --widths 8,8", r"widths \[8, 8\] must be at least two increasing"),
    (f"{SIZES} {SHORT} --widths 8.5,16", "'8.5,16' is no list of widths"),
    (f"{SIZES} {SHORT} --widths 8,many", "'8,many' is no list of widths"),
    (f"{SIZES} {SHORT} --widths 0,8", "width=0 must be a positive integer"),
    (f"{SIZES} {SHORT} --widths 9..15", "holds 0 powers of two"),
    (f"{SIZES} {SHORT} --widths 64..8", "holds 0 powers of two"),
    (f"{SIZES} {SHORT} --widths 8,16 --samples 1", "samples=1 must be at least 2"),
    (f"{SIZES} {SHORT} --widths 8,16 --samples 0", "samples=0"),
    (f"{SIZES} {SHORT} --widths 8,16 --samples 2.7", "--samples"),
    (f"{SIZES} --orders 2,0 --widths 8,16 --samples 1", "samples=1 must be at least 2"),
    (f"{SIZES} --orders 2,0 --widths 8,16 --samples -5", "samples=-5"),
    (f"{SIZES} --orders 2,0 --widths 8,16 --operator-samples 1", "samples=1 must be at least 2"),
    (f"{SIZES} {SHORT} --widths 8,16 --seed -1", "seed=-1 must be a nonnegative integer"),
    (f"{SIZES} {SHORT} --widths 8,16 --seed 1.5", "--seed"),
    (f"{SIZES} {SHORT} --widths 8,16 --seed one", "--seed"),
    (f"{SIZES} {SHORT} --widths 8,16 --margin nan", "--margin nan must be a positive number"),
    (f"{SIZES} {SHORT} --widths 8,16 --margin -1", "--margin -1"),
    (f"verify mlp --inputs x.npy {SHORT} --widths 8,16 --workers 0", "workers=0 must be an integer from 1 to"),
    # linear learning
    ("linearity mlp", "--inputs requires an argument"),
    ("linearity mlp --inputs x.npy", "'x.npy' have no labels; give --targets"),
    ("linearity mlp --inputs x.npy --targets labels", "labels are those of digits; for the inputs 'x.npy'"),
    (f"{LEARN} --targets y.csv --train 0", "--train 0 --test 2: train on at least one input"),
    (f"{LEARN} --targets y.csv --test -1", "--test -1"),
    (f"{LEARN} --targets y.csv --train 60 --test 5", "no more than 64 in all"),
    (f"{LEARN} --targets y.csv --train 2", r"shape \(3, 4\), 3 inputs, but 4 are asked for; lower --train or --test"),
    (f"{LEARN} --targets missing.csv --train 2 --test 1", "the targets 'missing.csv' do not exist"),
    (f"{LEARN} --targets inputs.txt --train 2 --test 1", "the targets 'inputs.txt' are neither .npy nor .csv"),
    (f"{LEARN} --targets words.csv --train 2 --test 1", "line 2 of 'words.csv' has 'three' in column 1"),
    (f"{LEARN} --targets sequences.npy --train 2 --test 1", r"targets 'sequences.npy' have shape \(3, 2, 4\)"),
    (f"{LEARN} --targets infinite.npy --train 2 --test 1", "the targets 'infinite.npy' hold 1 NaN or infinite"),
    (f"{LEARN} --targets short.csv --train 3 --test 0", "'short.csv' have 2 rows, but --train 3"),
    (f"{LEARN} --targets z.csv --train 2 --test 1", r"targets have shape \(2, 2\)"),
    (f"{TASK} --steps 0", "steps=0 must be a positive integer"),
    (f"{TASK} --steps 1.5", "--steps"),
    (f"{TASK} --samples 1", "samples=1 must be at least 2"),
    (f"{TASK} --widths 8,16 --samples 4 --minutes 1", "leave --samples out"),
    (f"{TASK} --minutes 0", "minutes=0.0 must be a positive number"),
    (f"{TASK} --widths 16", r"widths \[16\] must be at least two increasing"),
    (f"{TASK} --learning-rate 0", "learning_rate=.* must be positive"),
    (f"{TASK} --learning-rate nan", "learning_rate=nan is not a finite real number"),
    (f"{TASK} --loss hinge", "'hinge' is not one of squared"),
    (f"{TASK} --loss logistic", "no learning rate is given, and none can be chosen"),
    (f"{TASK} --loss cross_entropy", "cross-entropy needs several outputs"),
    (f'{TASK} --loss "F*{HOSTILE}"', "is no function known here"),
    (f"{TASK} --rho half", "--rho: 'half' is no rational number"),
    (f"{TASK} --rho 0..1/0", "--rho: '1/0' is no rational number"),
    (f"{TASK} --rho 1..0", "--rho '1..0' holds 0 numbers"),
    (f"{TASK} --rho 0..99/1/4", "--rho '0..99/1/4' holds 397 numbers, from 1 to 64"),
    (f"{TASK} --kappa 0..1/2/0", "--kappa"),
    (f'{TASK} --kappa "{HOSTILE}"', "is no rational number"),
    (f"{TASK} --growth -1", "growth=-1 must be a nonnegative number of steps"),
    (f"{TASK} --tasks xor:2", "'xor:2' is no task; write parity:2:10"),
    (f"{TASK} --tasks two-index:9 parity:5:4", "a parity of 5 of 4 bits has no 3 different inputs"),
    (f"{TASK} -o phi=relu --tasks two-index:9", "tasks need the terms of a step up to order 4; .*relu"),
    (f"{TASK} --momentum 1", "momentum=1.0 must be at least 0 and less than 1"),
    (f"{TASK} --weight-decay -1", "weight_decay=-1.0 must not be negative"),
    (f"{TASK} --seed -1", "seed=-1 must be a nonnegative integer"),
    (f"{TASK} --margin nan", "margin=nan must be a positive number"),
    (f"{TASK} --patience -1", "patience=-1.0 must be a nonnegative number"),
    (f"{TASK} --workers 0", "workers=0 must be an integer from 1 to"),
    (f"{TASK} --out net.py", "'net.py' is a file; give a folder"),
    # where the results go
    ("derive mlp --out net.py", "'net.py' is a file; give a folder"),
    ("derive mlp --out net.py/results", "is a file; give a folder"),
    (f"{SIZES} {SHORT} --widths 8,16 --out net.py", "'net.py' is a file; give a folder"),
]


@pytest.mark.parametrize(("command", "message"), WRONG, ids=[command for command, _ in WRONG])
def test_whatever_cannot_be_run_is_one_line_and_exit_code_2(run, place, command, message):
    results = command.startswith(("derive", "verify", "linearity")) and "--out" not in command
    before = snapshot(place)
    code, out, err = run(command + (" --out results --json" if results else ""))
    assert (code, out) == (2, "")
    assert re.fullmatch(r"error: [^\n]+\n", err), err
    assert re.search(message, err), err
    assert "Traceback" not in err
    assert snapshot(place) == before


def test_an_unwritable_folder_is_refused_before_any_work(run, place, monkeypatch):
    """Permissions are played, for a user who may write everywhere; a name too long for a folder is not."""
    (place / "locked").mkdir()

    def guarded(original):
        def call(path, *arguments, **options):
            if "locked" in str(path):
                raise PermissionError(errno.EACCES, "Permission denied")
            return original(path, *arguments, **options)

        return call

    monkeypatch.setattr(os, "mkdir", guarded(os.mkdir))
    monkeypatch.setattr(os, "open", guarded(os.open))
    for module, name in (
        (cli, "derive"),
        (cli, "verify"),
        (importlib.import_module("tensorprog.cli.learning"), "linearity"),
    ):
        monkeypatch.setattr(module, name, lambda *_, **__: pytest.fail("work has started"))
    for command in ("derive mlp", f"verify mlp --inputs five.npy {QUICK}", TASK):
        for target, why in (
            ("locked", "Perm"),
            ("locked/new/results", "Perm"),
            (f"new/{'long' * 99}", "File name too"),
        ):
            code, out, err = run(f"{command} --out {target}")
            assert (code, out) == (2, "")
            assert re.fullmatch(rf"error: --out '{target}' cannot be written to: {why}[^\n]*; choose another\n", err)
    assert not list((place / "locked").iterdir()) and not (place / "new").exists()


def test_a_page_that_cannot_be_made_leaves_the_samples_only(run, place, monkeypatch):
    def broken(_):
        raise MemoryError

    monkeypatch.setattr(importlib.import_module("tensorprog.report.html"), "page", broken)
    code, out, err = run(f"verify mlp -o depth=1 --inputs x.npy {QUICK} {SHORT} --out results")
    assert (code, out) == (2, "")
    assert err.startswith("error: out of memory")
    assert [path.name for path in (place / "results").iterdir()] == ["samples.sqlite"]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    "what",
    ["-o phi=exp --inputs five.npy --orders 0,1", "-o depth=1 --inputs large.npy --orders 0,1 2,0"],
    ids=["a tower of exponentials", "inputs near the largest number"],
)
def test_sizes_that_overflow_are_an_error_not_a_verdict(run, place, what):
    np.save("large.npy", np.full((3, 4), 1e308))
    before = snapshot(place)
    code, out, err = run(f"verify mlp {what} -o weight_std=9 {QUICK} --json --out results")
    assert (code, out) == (2, "")
    assert re.fullmatch(r"error: [^\n]*(finite|overflow)[^\n]*\n", err), err
    assert snapshot(place) == before

"""Whatever ends a command ends it in one line, exit code 2 or 130: errors nobody foresaw, streams that are closed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line.place import NET, QUICK, SHORT, process

from tensorprog import cli, interrupts
from tensorprog.cli import endings
from tensorprog.errors import WritingError, described
from tensorprog.report.folder import write

REPORTED = "this is a fault of tensorprog, please report it\n"
BAD = """
class Odd(BaseException):
    pass

class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no words")

class UnprintableType(TypeError):
    def __str__(self):
        raise SystemExit(0)

class NoText(Exception):
    def __str__(self):
        return 3

class Huge(Exception):
    def __str__(self):
        return "line\\n" * 3

def odd(x):
    raise Odd("strange")

def unprintable(x):
    raise Unprintable

def unprintable_type(x):
    raise UnprintableType

def no_text(x):
    raise NoText

def huge(x):
    raise Huge

def generator_exit(x):
    raise GeneratorExit

def stop(x):
    raise KeyboardInterrupt
"""


class Odd(BaseException):
    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize("error", [ZeroDivisionError("x\ny"), Odd(), GeneratorExit(), SystemExit(0), RecursionError()])
def test_an_error_that_nobody_foresaw_is_one_line(run, monkeypatch, error):
    def broken(*_, **__):
        raise error

    monkeypatch.setattr(cli, "verify", broken)
    code, out, err = run(f"verify mlp --inputs five.npy {QUICK}")
    assert (code, out) == (2, "")
    assert re.fullmatch(rf"error: {type(error).__name__}[^\n]* \(cli/__init__.py, line \d+\); {REPORTED}", err), err


def test_words_for_exceptions_without():
    assert described(ValueError("a")) == "ValueError: a"
    assert described(ValueError()) == "ValueError"
    assert described(Odd()) == "Odd: its message cannot be printed"


ARCHITECTURES = {
    "odd": "Odd: strange .line",
    "unprintable": "Unprintable: its message cannot be printed .line",
    "unprintable_type": "its message cannot be printed",
    "no_text": "NoText: its message cannot be printed .line",
    "huge": "Huge: line line line .line",
    "generator_exit": "GeneratorExit .line",
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_architecture_that_raises_anything(run, place, name):
    Path("bad.py").write_text(BAD, encoding="utf-8")
    code, out, err = run(f"derive bad.py:{name}")
    assert (code, out) == (2, "")
    assert re.fullmatch(rf"error: {name} failed with options none: {ARCHITECTURES[name]}?[^\n]*\n", err), err
    assert REPORTED not in err
    Path("bad_file.py").write_text(f"from bad import *\n{name}(1)\n", encoding="utf-8")
    code, out, err = run("derive bad_file.py:net")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "'bad_file.py' cannot be executed: " in err and REPORTED not in err


def test_an_interrupt_in_an_architecture_is_one(run, place):
    Path("bad.py").write_text(BAD, encoding="utf-8")
    assert run("derive bad.py:stop") == (130, "", "interrupted\n")


# streams


@pytest.mark.parametrize(
    ("redirection", "expected"),
    [
        (
            ">&-",
            (2, b"error: standard output: closed, so nothing can be printed; redirect it to a file or to /dev/null\n"),
        ),
        ("> /dev/full", (2, b"error: the file system: No space left on device\n")),
        ("2>&- > /dev/null", (0, b"")),
    ],
)
def test_closed_and_full_streams(place, redirection, expected):
    command = f"{sys.executable} -m tensorprog list {redirection}"
    found = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, timeout=120)
    assert (found.returncode, found.stderr) == expected


def test_errors_without_a_standard_error(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    assert cli.main(["derive", "perceptron"]) == 2
    assert capsys.readouterr().out == ""


def test_an_interrupt_while_libraries_are_imported(place):
    """It comes at once when the first of them is looked for; a parent that ignores interrupts would hand that on."""
    Path("numpy.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n", encoding="utf-8")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        found = process("list", cwd=place)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (found.returncode, found.stdout, found.stderr) == (130, b"", b"interrupted\n")


@pytest.mark.parametrize(
    ("given", "first", "command"),
    [
        (["python", "-m", "tensorprog", "list"], "-m", True),
        (["python", "-X", "dev", "-m", "tensorprog"], "-m", True),
        (["python", "/usr/bin/tensorprog", "list"], "/usr/bin/tensorprog", True),
        (["python", "-m", "pytest", "-m", "tensorprog"], "-m", False),
        (["python", "script.py", "-m", "tensorprog"], "script.py", False),
        (["python", "-c", "from multiprocessing…"], "/usr/bin/tensorprog", False),
        (["python"], "", False),
    ],
)
def test_only_the_command_itself_ends_so(monkeypatch, given, first, command):
    monkeypatch.setattr(sys, "orig_argv", given)
    monkeypatch.setattr(sys, "argv", [first] if first else [])
    assert interrupts._is_command() is command


def test_once_started_an_interrupt_is_an_exception(monkeypatch):
    before = signal.getsignal(signal.SIGINT)
    try:
        signal.signal(signal.SIGINT, interrupts._end)
        interrupts.started()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        interrupts.started()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


# files


def test_a_report_that_cannot_be_written_leaves_samples_and_says_so(run, place, monkeypatch):
    """A disk that is full at the end of a run; then the same command goes on from the samples."""
    import tensorprog.writing as writing

    beside = writing._beside

    def full(folder, name, content):
        if name == "report.json":
            raise OSError(28, "No space left on device")
        return beside(folder, name, content)

    command = f"verify mlp -o depth=1 --inputs x.npy {QUICK} {SHORT} --out results"
    with monkeypatch.context() as patched:
        patched.setattr(writing, "_beside", full)
        code, out, err = run(command)
    assert (code, out) == (2, "")
    assert err == (
        "error: 'results/report.json' cannot be written: No space left on device; the samples are safe in "
        "'results/samples.sqlite': the same command goes on from there\n"
    )
    assert [path.name for path in (place / "results").iterdir()] == ["samples.sqlite"]
    assert run(command)[0] == 0


@pytest.mark.parametrize("name", ["report.html", "samples.npz", "proof_C_0_2.tex"])
def test_a_folder_in_the_place_of_a_file_is_seen_before_any_work(run, place, monkeypatch, name):
    monkeypatch.setattr(cli, "verify", lambda *_, **__: pytest.fail("work has started"))
    (place / "results" / name).mkdir(parents=True)
    code, out, err = run(f"verify mlp --inputs five.npy {QUICK} --proofs 0,2 --out results")
    assert (code, out) == (2, "")
    assert err == f"error: --out 'results/{name}' is a folder; remove it, or choose another folder\n"


def test_everything_that_is_written_was_looked_at_before(run, place):
    assert run(f"verify mlp -o depth=1 --inputs x.npy {QUICK} {SHORT} --out results")[0] == 0
    found = {path.name for path in (place / "results").iterdir()}
    assert found == {*cli.REPORT_FILES, cli.STORE}
    assert run("derive mlp --out derived")[0] == 0
    assert {path.name for path in (place / "derived").iterdir()} == set(cli.TABLE_FILES)


def test_paths_that_are_no_utf_8(place, capsys):
    """Their bytes reach the files they name; in texts an escape stands for them."""
    strange = os.fsdecode(b"caf\xe9")
    Path(strange + ".py").write_text(NET, encoding="utf-8")
    np.save(strange + ".npy", np.load("x.npy"))
    command = ["verify", f"{strange}.py:net", "--inputs", f"{strange}.npy", *QUICK.split(), *SHORT.split()]
    assert cli.main([*command, "--out", strange]) == 0
    folder = place / strange
    assert {path.name for path in folder.iterdir()} == {*cli.REPORT_FILES, cli.STORE}
    assert rb"caf\\udce9.npy" in (folder / "report.json").read_bytes()
    assert capsys.readouterr().err == ""


def test_a_folder_that_is_removed_during_a_run_is_an_error(run, place, monkeypatch):
    """Everything it computed is lost: it does not say that all is well."""
    from tensorprog.scaling.store import Store

    add = Store.add

    def removing(self, *arguments):
        add(self, *arguments)
        (place / "results" / "samples.sqlite").unlink()

    monkeypatch.setattr(Store, "add", removing)
    code, out, err = run(f"verify mlp -o depth=1 --inputs x.npy {QUICK} {SHORT} --out results")
    assert (code, out) == (2, "")
    assert "it was removed during the run, samples are lost" in err


def test_an_error_of_writing_without_samples_says_nothing_of_them(place, monkeypatch):
    with pytest.raises(WritingError) as raised:
        write("net.py", {"table.md": ""}, {}, {})
    assert str(raised.value) == "'net.py' cannot be written: File exists"
    assert endings.ended(raised.value) == 2

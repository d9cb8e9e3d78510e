"""Commands among other processes: terminals, pipes, encodings, interruptions."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line.place import (
    NET,
    QUICK,
    SHORT,
    VALID,
    correlations,
    process,
    strict,
)
from tqdm import tqdm as bar_of_tqdm

from tensorprog import cli
from tensorprog.cli import main
from tensorprog.cli.endings import BROKEN_PIPE


def test_a_user_s_prints_do_not_spoil_the_json(run):
    noisy = NET.replace("    h = tp", "    print('tracing')\n    h = tp", 1) + "print('loading')\n"
    Path("noisy.py").write_text(noisy, encoding="utf-8")
    for command in ("derive noisy.py:net --json", f"verify noisy.py:net --inputs x.npy {QUICK} {SHORT} --json"):
        code, out, _ = run(command)
        assert code == 0
        VALID.validate(strict(out))


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_the_progress_bar_is_for_terminals_only(place, monkeypatch, stream):
    def at_once(*arguments, **options):
        return bar_of_tqdm(*arguments, **{**options, "delay": 0, "mininterval": 0})

    for module in ("tensorprog.scaling.jobs", "tensorprog.readings.derive"):
        monkeypatch.setattr(sys.modules[module], "tqdm", at_once)
    errors = stream()
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(errors):
        assert main(shlex.split(f"verify mlp -o depth=1 --inputs x.npy {QUICK} {SHORT} --json")) == 0
    strict(out.getvalue())
    assert ("sampling" in errors.getvalue()) == (stream is Terminal)
    assert ("deriving" in errors.getvalue()) == (stream is Terminal)
    assert errors.getvalue() == "" or stream is Terminal


ENDINGS = {
    "KeyboardInterrupt": (KeyboardInterrupt, 130, "interrupted\n"),
    "MemoryError": (MemoryError, 2, "error: out of memory; use smaller widths, fewer workers, or lower orders\n"),
    "full": (OSError(28, "No space left on device", "results"), 2, "error: results: No space left on device\n"),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_interruptions_and_exhaustion(run, monkeypatch, ending):
    raised, expected, message = ENDINGS[ending]

    def stop(*_, **__):
        raise raised

    monkeypatch.setattr(cli, "verify", stop)
    assert run(f"verify mlp --inputs five.npy {QUICK}") == (expected, "", message)


def test_a_process_of_its_own_gives_the_same_numbers_and_is_silent(run, place):
    """As users run it: another process, its own workers, streams that are no terminals."""
    command = f"verify mlp -o depth=2 --inputs digits --widths 8,16,32 --samples 5 {SHORT} --json"
    found = process(f"{command} --workers 2", cwd=place)
    assert (found.returncode, found.stderr) == (0, b"")
    theirs = strict(found.stdout.decode())
    VALID.validate(theirs)
    ours, _ = correlations(run, f"{command} --workers 1".replace(" --json", ""))
    for entry in theirs["correlations"]:
        for field in ("medians", "quantiles_90"):
            assert np.allclose(entry[field], ours[entry["D"], entry["d"]][field], rtol=1e-9)


def test_json_survives_a_terminal_without_unicode(place):
    """Signs such as ‖·‖ then have to be escaped the way JSON escapes them."""
    found = process(
        "derive mlp -o depth=1 --orders 2,0 0,2 --json", cwd=place, env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )
    assert (found.returncode, found.stderr) == (0, b"")
    VALID.validate(strict(found.stdout.decode("ascii")))


def test_a_closed_pipe_ends_quietly(place):
    """As in `tensorprog show … | head`: no traceback when nobody reads on."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        found = subprocess.run(
            [sys.executable, "-m", "tensorprog", "show", "mlp"], stdout=writer, stderr=subprocess.PIPE, timeout=60
        )
    finally:
        os.close(writer)
    assert (found.returncode, found.stderr) == (BROKEN_PIPE, b"")

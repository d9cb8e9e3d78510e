"""The folder that commands run in, and running them."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line.place import (
    ARRAYS,
    FILES,
)

from tensorprog.cli import main


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The current folder, with inputs and architectures good and bad; what these import is undone afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name, text in FILES.items():
        Path(name).write_text(text, encoding="utf-8")
    for name, array in ARRAYS.items():
        np.save(name, array)
    Path("folder.npy").mkdir()
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def run(place, capsys):
    """`run("derive mlp")` gives exit code, standard output and standard error."""

    def typed(command):
        capsys.readouterr()
        code = main(shlex.split(command))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return typed

"""Files of a report are whole or not there: after kills, on a full disk, in folders that cannot be written to."""

from __future__ import annotations

import errno
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import tensorprog as tp
from tensorprog import writing
from tensorprog.architectures import mlp
from tensorprog.errors import WritingError
from tensorprog.report.folder import write
from tensorprog.writing import check_folder, encoded, write_files

OLD, NEW = b"old" * 1000, b"new" * 1000
NAMES = ("a.html", "b.json", "c.npz")
ALONE = f"""
import sys, types
package = types.ModuleType("tensorprog")  # without what it imports, which takes a second
package.__path__ = [{str(Path(writing.__file__).parent)!r}]
sys.modules["tensorprog"] = package
from tensorprog.writing import write_files
"""
WRITER = """
print("ready", flush=True)
for turn in range(10**9):
    text = str(turn % 10).encode() * 200_000
    write_files(sys.argv[1], {name: text for name in ("a.html", "b.json", "c.npz")})
"""
FILLER = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
write_files(sys.argv[1], {"a.html": b"new", "b.json": b"x" * 6000, "c.npz": b"new"})
"""


def alone(code, folder):
    """A process that writes, and imports nothing else."""
    pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen([sys.executable, "-c", ALONE + code, str(folder)], text=True, **pipes)


def held(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files_are_written_and_replaced_whole(tmp_path):
    folder = write_files(tmp_path / "new" / "folder", dict.fromkeys(NAMES, OLD))
    assert held(folder) == dict.fromkeys(NAMES, OLD)
    (folder / "b.json").chmod(0o600)
    write_files(folder, {**dict.fromkeys(NAMES, NEW), "d": lambda file: file.write(b"streamed")})
    assert held(folder) == {**dict.fromkeys(NAMES, NEW), "d": b"streamed"}
    assert (folder / "b.json").stat().st_mode & 0o777 == 0o600
    assert (folder / "d").stat().st_mode == _made_plainly(tmp_path).stat().st_mode


def _made_plainly(folder):
    path = folder / "plain"
    path.write_bytes(b"")
    return path


def test_kills_while_writing_leave_every_file_whole(tmp_path):
    chance = random.Random(0)
    write_files(tmp_path, dict.fromkeys(NAMES, OLD))
    for _ in range(12):
        writer = alone(WRITER, tmp_path)
        try:
            assert writer.stdout.readline() == "ready\n"
            time.sleep(chance.uniform(0, 0.05))
        finally:
            writer.send_signal(signal.SIGKILL)
            writer.communicate()
        for name in NAMES:
            text = (tmp_path / name).read_bytes()
            assert text == OLD or (len(text) == 200_000 and len(set(text)) == 1)


@pytest.mark.parametrize("failing", range(6))
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_whatever_stops_the_writing_leaves_every_file_whole(tmp_path, monkeypatch, failing, error):
    """Stopped at the first, second, … file that is made sure of, then at each that is replaced."""
    write_files(tmp_path, dict.fromkeys(NAMES, OLD))
    calls = []

    def guarded(original):
        def call(*arguments):
            calls.append(original)
            if len(calls) == failing + 1:
                raise error
            return original(*arguments)

        return call

    monkeypatch.setattr(writing.os, "fsync", guarded(os.fsync))
    monkeypatch.setattr(writing.os, "replace", guarded(os.replace))
    with pytest.raises((WritingError, KeyboardInterrupt)) as raised:
        write_files(tmp_path, dict.fromkeys(NAMES, NEW))
    monkeypatch.undo()
    done = max(0, failing - 3)
    assert held(tmp_path) == {name: NEW if i < done else OLD for i, name in enumerate(NAMES)}
    if isinstance(error, OSError):
        assert f"{NAMES[failing % 3]}' cannot be written: No space left on device" in str(raised.value)


def test_a_full_disk_names_the_file_and_keeps_the_old_ones(tmp_path):
    """Played by a limit on the size of files, in a process of its own."""
    pytest.importorskip("resource")
    write_files(tmp_path, dict.fromkeys(NAMES, OLD))
    writer = alone(FILLER, tmp_path)
    _, told = writer.communicate(timeout=60)
    assert writer.returncode == 1
    assert f"WritingError: '{tmp_path / 'b.json'}' cannot be written: File too large" in told
    assert held(tmp_path) == dict.fromkeys(NAMES, OLD)


def test_what_killed_processes_left_is_removed_when_it_is_old(tmp_path):
    old, young = tmp_path / ".a.html.1.part", tmp_path / ".a.html.2.part"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    write_files(tmp_path, {"a.html": NEW})
    assert not old.exists() and young.exists()


def test_two_writers_of_one_file_do_not_mix(tmp_path):
    def slowly(file):
        file.write(OLD)
        write_files(tmp_path, {"a.html": NEW})
        file.write(OLD)

    write_files(tmp_path, {"a.html": slowly})
    assert held(tmp_path) == {"a.html": OLD + OLD}


def test_samples_and_arrays_are_read_back(tmp_path):
    samples, array = {"C_0_1_n8": np.arange(5.0)}, np.ones((2, 3))
    folder = write(tmp_path / "r", {"table.md": "n² − 1\udcff"}, {"data": array}, samples)
    assert (folder / "table.md").read_text(encoding="utf-8") == "n² − 1\\udcff"
    np.testing.assert_array_equal(np.load(folder / "data.npy"), array)
    with np.load(folder / "samples.npz") as found:
        np.testing.assert_array_equal(found["C_0_1_n8"], samples["C_0_1_n8"])
    assert sorted(held(folder)) == ["data.npy", "samples.npz", "table.md"]


def test_every_report_says_which_file_it_cannot_write(tmp_path):
    table = tp.derive(tp.trace(mlp, depth=1), [(0, 0)])
    (tmp_path / "table.md").mkdir()
    with pytest.raises(WritingError, match=r"table\.md' cannot be written: Is a directory"):
        table.save(tmp_path)
    assert json.loads((tmp_path / "table.json").read_text())["kappa"] == "0"  # before it in the list, whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table.json", "table.md"]


# before a run


def test_a_folder_that_can_be_written_to_is_left_as_it_is(tmp_path):
    check_folder(tmp_path / "a" / "b", NAMES)
    assert not list(tmp_path.iterdir())
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "a.html").write_bytes(OLD)
    check_folder(tmp_path / "a", NAMES)
    assert held(tmp_path / "a") == {"a.html": OLD}


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("file", "'.*file' is a file; give a folder"),
        ("file/in/it", "'.*file' is a file; give a folder"),
        ("folder", r"'.*b\.json' is a folder; remove it"),
        ("new/" + "long" * 99, "cannot be written to: File name too long; choose another"),
        ("dangling/more", "'.*dangling' is a file"),
    ],
)
def test_places_where_no_report_can_be_are_refused(tmp_path, place, message):
    (tmp_path / "file").write_bytes(OLD)
    (tmp_path / "folder" / "b.json").mkdir(parents=True)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(WritingError, match=message):
        check_folder(tmp_path / place, NAMES)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_disk_that_is_full_already_is_refused(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writing.os, "fsync", full)
    for place in (tmp_path, tmp_path / "new"):
        with pytest.raises(WritingError, match="cannot be written to: No space left on device"):
            check_folder(place)
    assert not list(tmp_path.iterdir())


def test_a_check_never_removes_the_folder_that_another_run_has_just_made(tmp_path, monkeypatch):
    """It is made while the check is under way, in the middle of which its place is looked at by nobody."""
    place = tmp_path / "new" / "folder"
    probe = writing._probe

    def meanwhile(folder):
        probe(folder)
        place.mkdir(parents=True)

    monkeypatch.setattr(writing, "_probe", meanwhile)
    check_folder(place, NAMES)
    assert place.is_dir() and [path.name for path in tmp_path.iterdir()] == ["new"]


def test_escapes_stand_for_what_is_no_character():
    assert encoded("n^−1") == "n^−1".encode()
    assert encoded(os.fsdecode(b"caf\xe9")) == b"caf\\udce9"
    assert io.BytesIO(encoded("\ud800")).read().decode() == "\\ud800"

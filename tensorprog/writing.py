"""Writing files so that none is ever half there: each is written beside its place, and takes it when it is whole.

Known limit: files are replaced one after another; a process that is killed between two of them leaves some new and
some old, every one whole.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from tensorprog.errors import WritingError

Content = bytes | Callable[[BinaryIO], object]
"""What a file holds, or what writes it to a stream."""
LEFT_OVER = 3600.0  # seconds after which what a killed process left beside its files is removed
PART = ".part"
PROBE = 2**16  # bytes that a check writes


def encoded(text: str) -> bytes:
    """UTF-8; what is no character, as in the name of a file of another encoding, is written as an escape."""
    return text.encode("utf-8", "backslashreplace")


def write_files(folder: str | Path, contents: Mapping[str, Content]) -> Path:
    """Write files by name into a folder, made when missing; returns the folder.

    All are on the disk, beside their places, before the first is replaced. Raises WritingError, naming the file; unless
    it was the replacing that failed, the files that were there are as they were.
    """
    target = Path(folder)
    waiting: dict[str, Path] = {}
    place = str(target)
    try:
        target.mkdir(parents=True, exist_ok=True)
        _remove_left_over(target, contents)
        for name, content in contents.items():
            place = str(target / name)
            waiting[name] = _beside(target, name, content)
        for name in contents:
            place = str(target / name)
            os.replace(waiting[name], target / name)
            del waiting[name]
        place = str(target)
        _settle(target)
    except OSError as error:
        raise WritingError(f"{place!r} cannot be written: {error.strerror or error}") from None
    finally:
        for path in waiting.values():
            with suppress(OSError):
                path.unlink()
    return target


def check_folder(folder: str | Path, names: Iterable[str] = ()) -> None:
    """Whether files of these names can be written to a folder, made when missing; nothing that is there is touched.

    A missing folder is tried out under another name, beside its place, where no other run looks.
    Raises WritingError, naming the place and the reason.
    """
    target = Path(folder)
    places = (target, *target.absolute().parents)
    try:
        missing = [place for place in places if not os.path.lexists(place)]
        here = places[len(missing)]
        if not here.is_dir():
            raise WritingError(f"{str(here)!r} is a file; give a folder")
        for name in names:
            if (target / name).is_dir():
                raise WritingError(f"{str(target / name)!r} is a folder; remove it, or choose another folder")
        if not missing:
            _probe(here)
            return
        with tempfile.TemporaryDirectory(dir=here, prefix=".") as trial:
            inner = Path(trial, *(place.name for place in reversed(missing)))
            inner.mkdir(parents=True)
            _probe(inner)
    except OSError as error:
        raise WritingError(f"{str(target)!r} cannot be written to: {error.strerror or error}; choose another") from None


def _probe(folder: Path) -> None:
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(PROBE))
        file.flush()
        os.fsync(file.fileno())


def _beside(folder: Path, name: str, content: Content) -> Path:
    """A new file beside the place of `name`, on the disk when this returns; OSError leaves none."""
    path = folder / f"{_prefix(name)}{uuid4().hex}{PART}"
    try:
        with path.open("xb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with suppress(OSError):
            path.chmod((folder / name).stat().st_mode & 0o777)  # as the file that is replaced
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise
    return path


def _prefix(name: str) -> str:
    return f".{name}."


def _settle(folder: Path) -> None:
    """Make the new names last, where folders can be opened."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _remove_left_over(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        for path in folder.glob(f"{_prefix(name)}*{PART}"):
            with suppress(OSError):
                if path.stat().st_mtime < time.time() - LEFT_OVER:
                    path.unlink()

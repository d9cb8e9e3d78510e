"""The run store: finished samples in one SQLite file, so that a run that was stopped goes on where it was.

A sample is keyed by what determines its value: the programs evaluated together, the data, the seed, the dtype, the
reading, the library's version, the width; then the correlation and its index. A transaction for each finished job is on
the disk when it ends (write-ahead log, synchronous FULL): whatever kills the process, what was committed stays, and no
sample is there twice. Several runs of one architecture may share a store, also at the same time.

The file's header names this library and the format, and every sample and every plan carries a checksum of its key and
value, so that no number of another program, of another run or of a damaged file is taken for one.
"""

from __future__ import annotations

import errno
import hashlib
import math
import os
import re
import sqlite3
import struct
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tensorprog.errors import SamplingError
from tensorprog.readings import Joint
from tensorprog.version import VERSION

Array = NDArray[np.float64]
Key = tuple[str, str, str, str, str, str, int]
COLUMNS = ("programs", "data", "seed", "dtype", "reading", "version", "width")
APPLICATION, FORMAT = int.from_bytes(b"tprg", "big"), 2  # in the header of every store
COUNT = re.compile("[2-9]|[1-9][0-9]{1,8}")  # of samples in a plan
PATIENCE = 60.0  # seconds to wait for a transaction of another run
SCHEMA = (
    f"PRAGMA application_id = {APPLICATION}",
    f"PRAGMA user_version = {FORMAT}",
    "CREATE TABLE plans (request TEXT PRIMARY KEY, counts TEXT NOT NULL, checksum INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE runs (
    run INTEGER PRIMARY KEY, programs TEXT, data TEXT, seed TEXT, dtype TEXT, reading TEXT, version TEXT, width INTEGER,
    UNIQUE (programs, data, seed, dtype, reading, version, width))""",
    """CREATE TABLE samples (
    run INTEGER, correlation INTEGER, sample INTEGER, value REAL NOT NULL, checksum INTEGER NOT NULL,
    PRIMARY KEY (run, correlation, sample)) WITHOUT ROWID""",
)
ELSEWHERE = "use another folder"
OTHER = "it is a database of another program, no run store", ELSEWHERE
DAMAGED = "it is damaged or no run store; use another folder, or remove the file"
REMEDIES = {
    sqlite3.SQLITE_BUSY: "another run writes to it all the time; wait for it, or use another folder",
    sqlite3.SQLITE_FULL: "what is in it is safe: free some space, and the same command goes on from there",
    sqlite3.SQLITE_IOERR: "free some space or see to the disk, and the same command goes on from what is in it",
} | dict.fromkeys((sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY), ELSEWHERE)


def key_of(joint: Joint, data: Array, seed: int, dtype: np.dtype[np.floating], reading: str, width: int) -> Key:
    """What samples of these programs at this width are kept under."""
    digest = hashlib.sha256(repr(data.shape).encode() + np.ascontiguousarray(data).tobytes()).hexdigest()
    return joint.digest, digest, str(seed), dtype.name, reading, VERSION, width


class Store:
    """A run store of one architecture, whose digest `identity` is; None checks nothing. Use it as a context.

    The file and its folder are made with the first sample: a run that fails before leaves nothing behind.

    Raises SamplingError when the file cannot be used, is of another program or architecture, is damaged, or is full;
    what was stored before is kept.
    """

    def __init__(self, path: str | Path, identity: str | None = None) -> None:
        if not isinstance(path, str | os.PathLike):
            raise SamplingError(f"store={path!r} is no path; give the name of a file")
        self.path, self._identity = Path(path), identity
        self._db: sqlite3.Connection | None = None
        self._file = 0, 0
        with self._errors():
            if self._is_there():
                self._db = self._open()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None = None, *_: object) -> None:
        self.close()
        if kind is None:
            with self._errors():
                self._check_place()

    def close(self) -> None:
        """Let go of the file."""
        if self._db is not None:
            self._db.close()

    def known(self, key: Key, programs: int) -> dict[int, Array]:
        """Sample index -> values of all programs, for every sample that is complete."""
        found: dict[int, Array] = {}
        count: dict[int, int] = {}
        start = _checksum(key)
        with self._errors():
            for correlation, sample, value, checksum in self._rows(key):
                if checksum != _checked(correlation, sample, value, start) or correlation >= programs:
                    raise self._refusal("a sample in it is not the one that was stored", DAMAGED)
                found.setdefault(sample, np.empty(programs))[correlation] = value
                count[sample] = count.get(sample, 0) + 1
        return {sample: values for sample, values in found.items() if count[sample] == programs}

    def add(self, key: Key, samples: Sequence[int], values: Array) -> None:
        """Keep values (programs, samples); they are on the disk when this returns."""
        start = _checksum(key)
        pairs = [(i, s, float(v)) for i, row in enumerate(values) for s, v in zip(samples, row, strict=True)]
        with self._errors():
            self._check_place()
            if self._db is None:
                self._db = self._open()
            with _writing(self._db) as db:
                db.execute(f"INSERT OR IGNORE INTO runs ({', '.join(COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?)", key)
                (run,) = db.execute(f"SELECT run FROM runs WHERE {_where()}", key).fetchone()
                rows = [(run, *pair, _checked(*pair, start)) for pair in pairs]
                db.executemany("INSERT OR IGNORE INTO samples VALUES (?, ?, ?, ?, ?)", rows)

    def others(self) -> dict[str, int]:
        """Version of the library -> samples in the store that were drawn by it, for versions other than this one."""
        wanted = "SELECT version, COUNT(*) FROM samples JOIN runs USING (run) WHERE version <> ? GROUP BY version"
        with self._errors():
            return dict(self._db.execute(wanted, (VERSION,)).fetchall()) if self._db is not None else {}

    def plan(self, request: str, length: int) -> list[int] | None:
        """The `length` sample counts kept for a request, or None."""
        wanted = "SELECT counts, checksum FROM plans WHERE request = ?"
        with self._errors():
            row = self._db and self._db.execute(wanted, (request,)).fetchone()
            if not row:
                return None
            kept, checksum = row
            counts = [int(count) for count in str(kept).split() if COUNT.fullmatch(count)]
            if kept != _written(counts) or checksum != _checksum((request, kept)) or len(counts) != length:
                raise self._refusal("a plan in it is not the one that was stored", DAMAGED)
            return counts

    def keep_plan(self, request: str, counts: Sequence[int]) -> None:
        """Keep the sample counts of a request; those that are kept already stay."""
        with self._errors():
            if self._db is None:
                self._db = self._open()
            with _writing(self._db) as db:
                row = request, _written(counts)
                db.execute("INSERT OR IGNORE INTO plans VALUES (?, ?, ?)", (*row, _checksum(row)))

    def _rows(self, key: Key) -> Iterator[tuple[int, int, float, int]]:
        if self._db is None:
            return iter(())
        wanted = f"SELECT correlation, sample, value, checksum FROM samples JOIN runs USING (run) WHERE {_where()}"
        return self._db.execute(wanted, key)

    def _check_place(self) -> None:
        """SamplingError when the file that was opened is gone from its place: what is written to it would be lost."""
        if self._db is None:
            return
        found = self.path.stat() if self.path.exists() else None
        if found is None or (found.st_dev, found.st_ino) != self._file:
            what = "it was removed" if found is None else "another file took its place"
            raise self._refusal(f"{what} during the run, samples are lost", "leave it until the run has ended")

    def _is_there(self) -> bool:
        """Whether there is a file that is not empty; OSError when it cannot be written, or cannot be made."""
        here = next(place for place in (self.path, *self.path.absolute().parents) if place.exists())
        if (here == self.path) == here.is_dir():
            raise OSError(errno.EINVAL, "a folder" if here.is_dir() else "no folder", str(here))
        if not os.access(here, os.W_OK):
            raise PermissionError(errno.EACCES, "no permission to write", str(here))
        return here == self.path and here.stat().st_size > 0

    def _open(self) -> sqlite3.Connection:
        if self._is_there():
            self._refuse_others()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)
        try:
            db.execute("PRAGMA synchronous = FULL")
            ((state,),) = db.execute("PRAGMA integrity_check(1)")
            if state != "ok":
                raise self._refusal(state.splitlines()[-1], DAMAGED)
            with _writing(db):
                if self._is_new(db):
                    for statement in SCHEMA:
                        db.execute(statement)
                self._check_identity(db)
            _use_log(db)
            found = self.path.stat()
            self._file = found.st_dev, found.st_ino
        except BaseException:
            db.close()
            raise
        return db

    def _refuse_others(self) -> None:
        """Look at the header alone: opening a file for good may already write to it, when its program left a log."""
        with closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?immutable=1", uri=True)) as db:
            try:
                if self._is_new(db):
                    raise self._refusal(*OTHER)
            except sqlite3.DatabaseError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:  # as a file looks while another run writes
                    raise

    def _is_new(self, db: sqlite3.Connection) -> bool:
        """Whether the file holds nothing yet; SamplingError when it is of another program or format."""
        (application,), (version,) = (db.execute(f"PRAGMA {x}").fetchone() for x in ("application_id", "user_version"))
        if (application, version) == (APPLICATION, FORMAT):
            return False
        if application == APPLICATION:
            raise self._refusal(f"its format is {version}, this version of the library writes {FORMAT}", ELSEWHERE)
        if application or db.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise self._refusal(*OTHER)
        return True

    def _check_identity(self, db: sqlite3.Connection) -> None:
        if self._identity is None:
            return
        db.execute("INSERT OR IGNORE INTO meta VALUES ('architecture', ?)", (self._identity,))
        (kept,) = db.execute("SELECT value FROM meta WHERE name = 'architecture'").fetchone()
        if kept != self._identity:
            what = f"it keeps samples of the architecture {str(kept)[:12]}…, this run is of {self._identity[:12]}…"
            raise self._refusal(what, ELSEWHERE)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._refusal(str(error), ELSEWHERE) from None
        except (sqlite3.Error, UnicodeDecodeError) as error:
            code = getattr(error, "sqlite_errorcode", -1)
            raise self._refusal(str(error), REMEDIES.get(code & 0xFF, DAMAGED)) from None

    def _refusal(self, what: str, remedy: str) -> SamplingError:
        return SamplingError(f"the run store {str(self.path)!r} cannot be used ({what}); {remedy}")


@contextmanager
def _writing(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """One transaction; what it wrote is undone when anything fails."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise


def _use_log(db: sqlite3.Connection) -> None:
    """Switch to the write-ahead log; SQLite itself does not wait for other runs here."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _where() -> str:
    return " AND ".join(f"{column} = ?" for column in COLUMNS)


def _checksum(key: tuple[object, ...]) -> int:
    return zlib.crc32(repr(key).encode())


def _written(counts: Sequence[int]) -> str:
    return " ".join(map(str, counts))


def _checked(correlation: int, sample: int, value: float, start: int) -> int:
    """The checksum of a sample whose key has the checksum `start`; -1 for what can be no sample."""
    try:
        packed = struct.pack("<QQd", correlation, sample, value)
    except struct.error:
        return -1
    return zlib.crc32(packed, start) if math.isfinite(value) else -1

"""The run store: finished samples in one SQLite file, so that a run that was stopped goes on where it was.

A sample is keyed by what determines its value: the programs evaluated together, the data, the seed, the dtype, the
reading, the library's version, the width; then the correlation and its index. One process writes, a transaction for
each finished job, which is on the disk when it ends (write-ahead log, synchronous FULL): whatever kills the process,
what was committed stays, and no sample is there twice.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tensorprog.errors import SamplingError
from tensorprog.readings import Joint
from tensorprog.version import VERSION

Array = NDArray[np.float64]
KEY = ("programs", "data", "seed", "dtype", "reading", "version", "width")
SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    run INTEGER PRIMARY KEY, programs TEXT, data TEXT, seed TEXT, dtype TEXT, reading TEXT, version TEXT, width INTEGER,
    UNIQUE (programs, data, seed, dtype, reading, version, width));
CREATE TABLE IF NOT EXISTS samples (
    run INTEGER, correlation INTEGER, sample INTEGER, value REAL NOT NULL,
    PRIMARY KEY (run, correlation, sample)) WITHOUT ROWID;
"""


class Store:
    """A run store, open for one writer; use it as a context.

    Raises SamplingError when the file cannot be used, is in use, or is full; what was stored before is kept.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._made = [place for place in (self.path, *self.path.absolute().parents) if not place.exists()]
        self._runs: dict[tuple[object, ...], int] = {}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=2.0, isolation_level=None)
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise self._unusable(error) from None

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        empty = bool(self._made) and self._db.execute("SELECT 1 FROM samples LIMIT 1").fetchone() is None
        self._db.close()
        if empty:  # a run that failed before its first sample leaves nothing behind
            self.path.unlink()
            for folder in self._made[1:]:
                folder.rmdir()

    def run(self, joint: Joint, data: Array, seed: int, dtype: np.dtype[np.floating], reading: str, width: int) -> int:
        """The number under which samples of these programs at this width are kept."""
        digest = hashlib.sha256(repr(data.shape).encode() + np.ascontiguousarray(data).tobytes()).hexdigest()
        key = (joint.digest, digest, str(seed), dtype.name, reading, VERSION, width)
        if key not in self._runs:
            try:
                columns = "programs, data, seed, dtype, reading, version, width"
                self._db.execute(f"INSERT OR IGNORE INTO runs ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", key)
                where = (
                    "programs = ? AND data = ? AND seed = ? AND dtype = ? AND reading = ? AND version = ? AND width = ?"
                )
                (self._runs[key],) = self._db.execute(f"SELECT run FROM runs WHERE {where}", key).fetchone()
            except sqlite3.Error as error:
                raise self._unusable(error) from None
        return self._runs[key]

    def known(self, run: int, programs: int) -> dict[int, Array]:
        """Sample index -> values of all programs, for every sample that is complete."""
        found: dict[int, Array] = {}
        count: dict[int, int] = {}
        for correlation, sample, value in self._db.execute(
            "SELECT correlation, sample, value FROM samples WHERE run = ?", (run,)
        ):
            found.setdefault(sample, np.empty(programs))[correlation] = value
            count[sample] = count.get(sample, 0) + 1
        return {sample: values for sample, values in found.items() if count[sample] == programs}

    def add(self, run: int, samples: Sequence[int], values: Array) -> None:
        """Keep values (programs, samples); they are on the disk when this returns."""
        rows = [(run, i, s, float(v)) for i, row in enumerate(values) for s, v in zip(samples, row, strict=True)]
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT OR IGNORE INTO samples VALUES (?, ?, ?, ?)", rows)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise self._unusable(error) from None

    def _unusable(self, error: Exception) -> SamplingError:
        what = str(error)
        if "locked" in what:
            remedy = "another run writes to it; wait for it, or use another folder"
        elif "full" in what:
            remedy = "what is in it is safe: free some space, and the same command goes on from there"
        else:
            remedy = "use another folder, or remove the file if it is no run store"
        return SamplingError(f"the run store {str(self.path)!r} cannot be used ({what}); {remedy}")

"""Files of other programs, of other architectures and damaged ones are refused, and never taken for samples."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from cases import CASES
from scaling.runs import rows, run

import tensorprog as tp
from tensorprog.errors import SamplingError
from tensorprog.scaling import store as store_module
from tensorprog.scaling.store import APPLICATION, Store

KEYS = [("programs", "data", seed, "float64", "exact", "0.1.0", width) for seed in "01" for width in (64, 128)]
VALUES = {key: np.random.default_rng(i).standard_normal((3, 400)) for i, key in enumerate(KEYS)}
IDENTITY = "1234567890abcdef"
REQUESTS = [f"{i:064x}" for i in range(40)]
PLAN = [305, 286, 1204, 77]
DAMAGED = r"cannot be used \(.*\); it is damaged or no run store; use another folder, or remove the file"


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """The bytes of a good store."""
    path = tmp_path_factory.mktemp("good") / "s.sqlite"
    with Store(path, IDENTITY) as store:
        for key, values in VALUES.items():
            for first in range(0, 400, 50):
                store.add(key, range(first, first + 50), values[:, first : first + 50])
        for request in REQUESTS:
            store.keep_plan(request, PLAN)
    return path.read_bytes()


def read(path):
    """Everything that a store knows, or SamplingError; what it knows is what was stored."""
    with Store(path, IDENTITY) as store:
        found = {key: store.known(key, 3) for key in KEYS}
        plans = [store.plan(request, len(PLAN)) for request in REQUESTS]
    assert all(plan in (None, PLAN) for plan in plans)
    for key, samples in found.items():
        for index, values in samples.items():
            np.testing.assert_array_equal(values, VALUES[key][:, index])
    return sum(map(len, found.values()))


def test_a_good_store_is_read(tmp_path, content):
    (tmp_path / "s.sqlite").write_bytes(content)
    assert read(tmp_path / "s.sqlite") == 4 * 400


# files of other programs


def database(path, *statements):
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        (["CREATE TABLE notes (text)"], "a database of another program"),
        (["CREATE TABLE samples (run, value)"], "a database of another program"),
        (["PRAGMA application_id = 7", "CREATE TABLE notes (text)"], "a database of another program"),
        (["PRAGMA journal_mode = WAL", "CREATE TABLE notes (text)"], "a database of another program"),
        ([f"PRAGMA application_id = {APPLICATION}", "PRAGMA user_version = 1"], "its format is 1, .* writes 2"),
    ],
)
def test_a_database_of_another_program_is_refused_and_kept(tmp_path, statements, message):
    path = tmp_path / "s.sqlite"
    database(path, *statements)
    before = path.read_bytes()
    with pytest.raises(SamplingError, match=rf"{message}.*; use another folder"):
        run(store=path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_database_that_another_program_left_in_the_middle_is_not_touched(tmp_path):
    """Its write-ahead log is not carried over into it, which opening it in the ordinary way does."""
    with closing(sqlite3.connect(tmp_path / "s.sqlite", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE notes (text)")
        left = shutil.copytree(tmp_path, tmp_path / "left")
    before = {file.name: file.read_bytes() for file in left.iterdir()}
    assert len(before) == 3
    with pytest.raises(SamplingError, match="a database of another program"):
        Store(left / "s.sqlite")
    assert {file.name: file.read_bytes() for file in left.iterdir()} == before


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path):
    (tmp_path / "notes").write_text("not a database, but long enough to be looked at as one" * 100)
    with pytest.raises(SamplingError, match="no run store"):
        Store(tmp_path / "notes")
    assert (tmp_path / "notes").read_text().startswith("not a database")


def test_a_folder_and_a_place_below_a_file_are_refused(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "s.sqlite"):
        with pytest.raises(SamplingError, match=r"folder.*; use another folder"):
            Store(path)


def test_a_place_that_cannot_be_written_is_refused_before_any_work(tmp_path, monkeypatch):
    """Permissions are played, for a user who may write everywhere."""
    monkeypatch.setattr(store_module.os, "access", lambda path, mode: False)
    with pytest.raises(SamplingError, match=r"no permission to write.*; use another folder"):
        Store(tmp_path / "new" / "s.sqlite")


# stores of other architectures


def verify(program, path, orders=((0, 1),), **options):
    wanted = {"widths": (8, 16), "samples": 4, "progress": False} | options
    return tp.verify(program, CASES[0].data(5), orders, store=path, **wanted)


def test_runs_of_one_architecture_share_a_store_and_others_are_refused(tmp_path):
    path = tmp_path / "s.sqlite"
    verify(CASES[0].trace(3), path)
    verify(CASES[0].trace(5), path, orders=((0, 2), (1, 1)), seed=1, widths=(8, 32))
    kept = rows(path)
    ours, theirs = (case.trace(1).digest[:12] for case in (CASES[0], CASES[1]))
    with pytest.raises(
        SamplingError, match=rf"{path.name}.*the architecture {ours}…, this run is of {theirs}…\); use another folder"
    ):
        verify(CASES[1].trace(3), path)
    assert rows(path) == kept
    verify(CASES[0].trace(3), path)
    assert rows(path) == kept


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_identity_is_that_of_one_input_however_many_were_traced(case, monkeypatch):
    identities = []

    def measure(*_, identity, **__):
        identities.append(identity)
        raise KeyboardInterrupt

    monkeypatch.setattr("tensorprog.scaling.sampling.measure", measure)
    for inputs, orders in ((1, ((1, 0),)), (3, ((0, 1), (1, 1))), (5, ((0, 2),))):
        with pytest.raises(KeyboardInterrupt):
            tp.verify(case.trace(inputs), case.data(5), orders, (8, 16), 4, patience=0.01, progress=False)
    assert set(identities) == {case.trace(1).digest}


def test_a_store_without_identity_takes_the_first(tmp_path):
    path = tmp_path / "s.sqlite"
    run(store=path)
    Store(path, "one").__exit__()
    Store(path).__exit__()
    with pytest.raises(SamplingError, match="the architecture one"):
        Store(path, "two")


# damaged stores


def damaged(content, rng):
    """The store with something wrong somewhere."""
    data = bytearray(content)
    kind = rng.choice(["truncated", "bit", "bytes", "header", "page", "swapped"])
    place, page, other = rng.randrange(len(data) - 64), *(4096 * rng.randrange(len(data) // 4096) for _ in range(2))
    if kind == "truncated":
        del data[1 + place :]
    elif kind == "bit":
        data[place] ^= 1 << rng.randrange(8)
    elif kind == "bytes":
        length = rng.choice([1, 4, 16, 64])
        data[place : place + length] = rng.randbytes(length)
    elif kind == "header":
        data[place % 96 : place % 96 + 4] = rng.randbytes(4)
    elif kind == "page":
        data[page : page + 4096] = bytes(4096)
    else:
        data[page : page + 4096], data[other : other + 4096] = data[other : other + 4096], data[page : page + 4096]
    return bytes(data)


@pytest.mark.parametrize("seed", range(4))
def test_damage_at_random_is_refused_or_harmless(tmp_path, content, seed):
    rng, refused = random.Random(seed), 0
    for i in range(100):
        path = tmp_path / f"{i}.sqlite"
        path.write_bytes(damaged(content, rng))
        try:
            known = read(path)
            with Store(path, IDENTITY) as store:
                for key, values in VALUES.items():
                    store.add(key, range(400, 450), values[:, :50])
        except SamplingError:
            refused += 1
        else:
            assert known == 4 * 400
    assert refused > 50


@pytest.mark.parametrize("cut", [0.0, 0.5, 0.99])
def test_a_truncated_store_is_refused(tmp_path, content, cut):
    path = tmp_path / "s.sqlite"
    path.write_bytes(content[: 100 + int(cut * (len(content) - 100))])
    with pytest.raises(SamplingError, match=DAMAGED):
        Store(path)


def test_garbage_in_the_header_is_refused(tmp_path, content):
    path = tmp_path / "s.sqlite"
    path.write_bytes(b"\xff" * 40 + content[40:])
    with pytest.raises(SamplingError, match=DAMAGED):
        Store(path)


def test_damage_that_shows_while_reading_or_writing_is_refused(tmp_path, content):
    """The file is damaged after it was opened."""
    path = tmp_path / "s.sqlite"
    path.write_bytes(content)
    with Store(path, IDENTITY) as store:
        store._db.execute("PRAGMA shrink_memory")
        path.write_bytes(content[:4096] + b"\xaa" * (len(content) - 4096))
        with pytest.raises(SamplingError, match=DAMAGED):
            store.known(KEYS[0], 3)
        with pytest.raises(SamplingError, match=DAMAGED):
            store.add(KEYS[0], range(400, 450), VALUES[KEYS[0]][:, :50])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE samples SET value = value + 1",
        "UPDATE samples SET value = 9e999",
        "UPDATE samples SET value = 'many'",
        "UPDATE samples SET value = x'00ff'",
        "UPDATE samples SET correlation = correlation + 100",
        "UPDATE samples SET correlation = -1 - correlation",
        "UPDATE samples SET correlation = 'first' WHERE correlation = 0",
        "UPDATE samples SET sample = -1 - sample",
        "UPDATE samples SET run = -run; UPDATE samples SET run = 3 + run WHERE run > -3",
        "UPDATE samples SET checksum = 'none'",
        "UPDATE runs SET width = -width; UPDATE runs SET width = 72 + width",
        "DROP TABLE samples",
        "DROP TABLE runs",
        "ALTER TABLE samples RENAME COLUMN value TO number",
    ],
)
def test_a_store_that_was_tampered_with_is_refused(tmp_path, statement):
    path = tmp_path / "s.sqlite"
    run(store=path)
    with closing(sqlite3.connect(path)) as db:
        db.executescript(statement)
    with pytest.raises(SamplingError, match=DAMAGED):
        run(store=path)


def test_a_correlation_that_the_run_does_not_have_is_refused(tmp_path):
    """Its checksum is right."""
    path = tmp_path / "s.sqlite"
    with Store(path) as store:
        store.add(KEYS[0], [0], np.ones((5, 1)))
        with pytest.raises(SamplingError, match=DAMAGED):
            store.known(KEYS[0], 3)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE plans SET counts = '305 286 1204 78'",
        "UPDATE plans SET counts = '305 286 1204'",
        "UPDATE plans SET counts = 305286",
        "UPDATE plans SET counts = CAST(counts AS BLOB)",
        "UPDATE plans SET counts = counts || ' '",
        "UPDATE plans SET checksum = checksum + 1",
        "UPDATE plans SET checksum = 'none'",
        f"UPDATE plans SET request = '{REQUESTS[-1]}x'; UPDATE plans SET request = '{REQUESTS[0]}'",
        "DROP TABLE plans",
    ],
)
def test_a_plan_that_was_tampered_with_is_refused(tmp_path, statement):
    path = tmp_path / "s.sqlite"
    with Store(path) as store:
        store.keep_plan(REQUESTS[0] if "request" not in statement else REQUESTS[1], PLAN)
    with closing(sqlite3.connect(path)) as db:
        db.executescript(statement)
    with Store(path) as store, pytest.raises(SamplingError, match=DAMAGED):
        store.plan(REQUESTS[0], len(PLAN))


@pytest.mark.parametrize(
    "counts", [[], [24], [24, 24, 24], [24, 1], [0, 24], [24, -3], [24, 10**9], [24, "²"], ["٣", 24]]
)
def test_a_plan_that_can_be_none_is_refused(tmp_path, counts):
    """Its checksum is right."""
    with Store(tmp_path / "s.sqlite") as store:
        store.keep_plan(REQUESTS[0], counts)
        with pytest.raises(SamplingError, match=DAMAGED):
            store.plan(REQUESTS[0], 2)

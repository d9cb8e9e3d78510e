"""Input data from files: what is read, what is refused, and that pickles never run."""

from __future__ import annotations

import contextlib
import os
import pickle
import sys

import numpy as np
import pytest

import tensorprog as tp
from tensorprog.errors import DataError
from tensorprog.readings.files import digits, inputs_from


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Every test runs in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def saved(array, name="inputs.npy"):
    np.save(name, array)
    return name


def table(text, name="inputs.csv"):
    with open(name, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    return name


@pytest.mark.parametrize("kind", ["f8", "f4", "f2", ">f8", "i8", "u1", "?"])
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4)])
def test_arrays_of_numbers_are_read_as_float64(kind, shape):
    array = (np.arange(np.prod(shape)).reshape(shape) % 3).astype(kind)
    found = inputs_from(saved(array))
    assert found.dtype == np.float64
    assert np.array_equal(found, array.astype(float))


def test_array_layouts_and_names(folder):
    array = np.asfortranarray(np.random.default_rng(0).standard_normal((3, 4)))
    saved(array)
    (folder / "inputs.npy").rename("other name.NPY")
    assert np.array_equal(inputs_from("other name.NPY"), array)
    assert np.array_equal(inputs_from(str(folder / "other name.NPY")), array)


@pytest.mark.parametrize(
    "text",
    [
        "1,2,3\n4,5,6\n",
        "1,2,3\n4,5,6",
        "1,2,3\r\n4,5,6\r\n",
        "\ufeff1,2,3\n4,5,6\n",
        "a,b,c\n1,2,3\n4,5,6\n",
        "\ufeffa,b,c\n1,2,3\n4,5,6\n",
        " 1, 2 ,3\n\n4,5,6\n\n",
        "1e0,+2.0,3.\n4,.5e1,6\n",
        '"1","2","3"\n4,5,6\n',
    ],
)
def test_tables_with_and_without_header_and_blank_lines(text):
    assert np.array_equal(inputs_from(table(text)), [[1, 2, 3], [4, 5, 6]])


def test_one_column_and_one_row_are_two_dimensional():
    assert inputs_from(table("1\n2\n3\n")).shape == (3, 1)
    assert inputs_from(table("1,2,3\n")).shape == (1, 3)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones(4), r"shape \(4,\); give \(inputs, d0\) or \(inputs, positions, d0\)"),
        (np.float64(3), r"shape \(\)"),
        (np.ones((1, 1, 1, 1)), r"shape \(1, 1, 1, 1\)"),
        (np.empty((0, 3)), r"empty, of shape \(0, 3\)"),
        (np.empty((3, 0)), r"empty, of shape \(3, 0\)"),
        (np.ones((2, 2)) * 1j, "type complex128; give real numbers"),
        (np.array([["a", "b"]]), "type <U1"),
        (np.zeros(2, dtype=[("a", "f8")]), r"type \[\('a'"),
        (np.array([["2024-01-01"]], dtype="M8[D]"), "type datetime64"),
        (np.array([[1, np.nan], [np.inf, 1]]), r"2 NaN or infinite values, the first at index \(0, 1\)"),
        (np.array([[[1.0], [-np.inf]]]), r"1 NaN or infinite values, the first at index \(0, 1, 0\)"),
    ],
)
def test_arrays_that_are_no_inputs(array, message):
    with pytest.raises(DataError, match=f"'inputs.npy' .*{message}"):
        inputs_from(saved(array))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'inputs.csv' are empty"),
        ("\n \n", "'inputs.csv' are empty"),
        ("a,b\n", "'inputs.csv' are empty"),
        ("1,2\n3\n", "line 2 of 'inputs.csv' has 1 numbers, the lines before have 2"),
        ("1,2\n\n3,4,5\n", "line 3 of 'inputs.csv' has 3 numbers"),
        ("1,2\n3,nan\n", "line 2 of 'inputs.csv' has 'nan' in column 2; give finite numbers"),
        ("1,2\n-inf,4\n", "line 2 of 'inputs.csv' has '-inf' in column 1"),
        ("1,2\n3,1e999\n", "line 2 of 'inputs.csv' has '1e999' in column 2"),
        ("1,2\n3,four\n", "line 2 of 'inputs.csv' has 'four' in column 2, not a number"),
        ("a,1\n2,3\n", "line 1 of 'inputs.csv' has 'a' in column 1, not a number"),
        ("a,b\nc,d\n", "line 2 of 'inputs.csv' has 'c' in column 1"),
        ("1,2,\n3,4,\n", "line 1 of 'inputs.csv' has '' in column 3"),
        ("1;2\n3;4\n", "has '3;4' in column 1, not a number"),
        ("1_0,2\n3,4\n", "'1_0' in column 1, not a number"),
        ("1,2\n3," + "9" * 60 + "x\n", "has '9{40}' in column 2"),
    ],
)
def test_tables_that_are_no_inputs(text, message):
    with pytest.raises(DataError, match=message):
        inputs_from(table(text))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.npy", None, "'missing.npy' do not exist"),
        ("digit", None, "'digit' do not exist; give a .npy or .csv file, or digits"),
        ("inputs.txt", b"1,2\n", "'inputs.txt' are neither .npy nor .csv"),
        ("inputs", b"1,2\n", "'inputs' are neither .npy nor .csv"),
        ("inputs.npy", b"", "'inputs.npy' is no .npy array"),
        ("inputs.npy", b"1,2\n", "'inputs.npy' is no .npy array"),
        ("inputs.npy", b"\x93NUMPY\x01\x00", "'inputs.npy' is no .npy array"),
        ("inputs.npy", b"\x93NUMPY\x09\x00\x04\x00abcd", "'inputs.npy' is no .npy array"),
        ("inputs.csv", "1,2\n".encode("utf-16"), "'inputs.csv' is no table of comma-separated numbers"),
        ("inputs.csv", b"\xff\xfe\x00", "'inputs.csv' is no table of comma-separated numbers"),
        ("inputs.csv", b"1,2\x00\n", "'inputs.csv'"),
    ],
)
def test_files_that_are_no_inputs(folder, name, content, message):
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        inputs_from(name)


def test_truncated_arrays_archives_and_folders(folder):
    whole = (folder / saved(np.ones((3, 4)))).read_bytes()
    for length in (len(whole) - 8, 100, 20):
        (folder / "inputs.npy").write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"'inputs.npy' is no .npy array"):
            inputs_from("inputs.npy")
    np.savez("archive.npz", a=np.ones((3, 4)))
    (folder / "archive.npz").rename("archive.npy")
    with pytest.raises(DataError, match=r"'archive.npy' holds several arrays"):
        inputs_from("archive.npy")
    (folder / "folder.npy").mkdir()
    with pytest.raises(DataError, match=r"'folder.npy' are a folder"):
        inputs_from("folder.npy")


class Intruder:
    """Leaves a file behind when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("intruder",)


@pytest.mark.parametrize("how", ["object array", "bare pickle", "archive"])
def test_pickles_are_never_loaded(folder, how):
    array = np.array([[Intruder()]], dtype=object)
    if how == "object array":
        np.save("inputs.npy", array, allow_pickle=True)
    elif how == "bare pickle":
        (folder / "inputs.npy").write_bytes(pickle.dumps(Intruder()))
    else:
        np.savez("inputs.npz", a=array)
        (folder / "inputs.npz").rename("inputs.npy")
    with pytest.raises(DataError, match=r"'inputs.npy'"):
        inputs_from("inputs.npy")
    assert not (folder / "intruder").exists()
    with contextlib.suppress(Exception):  # the same file does run when it is loaded carelessly
        careless = np.load("inputs.npy", allow_pickle=True)
        if how == "archive":
            with careless:
                careless["a"]
    assert (folder / "intruder").exists()


def test_the_digits_are_one_of_each_label_and_normalised():
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    found = inputs_from("digits")
    assert found.shape == (10, 64)
    assert np.allclose((found**2).sum(axis=1), 64, rtol=1e-12)
    for label, row in enumerate(found):
        image = images[np.flatnonzero(labels == label)[0]]
        assert np.allclose(row, image * 8 / np.linalg.norm(image), rtol=1e-12)


@pytest.mark.parametrize(
    ("positions", "shape"), [(1, (10, 1, 64)), (2, (10, 2, 32)), (4, (10, 4, 16)), (8, (10, 8, 8)), (3, (10, 3, 8))]
)
def test_digits_of_a_sequence_are_cut_into_normalised_pieces(positions, shape):
    found = digits(positions)
    assert found.shape == shape
    assert np.allclose((found**2).sum(axis=-1), shape[-1], rtol=1e-12)
    whole = digits()
    first = whole[0].reshape(8, 8)[0] if positions == 3 else whole[0][: shape[-1]]
    assert np.allclose(found[0, 0] / np.linalg.norm(found[0, 0]), first / np.linalg.norm(first), rtol=1e-12)


@pytest.mark.parametrize("positions", [9, 10, 63, 65, 1000])
def test_digits_have_no_such_positions(positions):
    with pytest.raises(DataError, match=f"no {positions} positions; give a divisor of 64"):
        digits(positions)


def test_digits_with_a_blank_piece_are_refused():
    with pytest.raises(DataError, match="cut into 64 positions has a blank one"):
        digits(64)


def test_without_scikit_learn_the_digits_name_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DataError, match=r"not installed; run: pip install 'tensorprog\[digits\]'"):
        inputs_from("digits")


def test_what_is_read_is_what_verify_takes():
    def net(x):
        return tp.readout("v", tp.erf(tp.linear("U", x)))

    array = np.random.default_rng(0).standard_normal((2, 3))
    report = tp.verify(tp.trace(net, inputs=2), inputs_from(saved(array)), [(0, 1)], (4, 8), 3, progress=False)
    assert np.array_equal(report.data, array)

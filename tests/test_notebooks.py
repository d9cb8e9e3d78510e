"""The notebooks: each runs without an error or a warning, and prints what its committed outputs show."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import tensorprog

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
KERNEL_FOLDERS = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
LARGEST = 300_000  # bytes
ABSOLUTE = re.compile(r"(?<![\w.:/])/(?:[\w.-]+/)+[\w.-]+|[A-Z]:\\\\")
ROUNDING = re.compile(r"(±|\\pm\$?) \de-\d\d\b")  # error estimates near rounding depend on the processor


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def streamed(cell: nbformat.NotebookNode, name: str) -> str:
    return "".join(out.text for out in cell.outputs if out.output_type == "stream" and out.name == name)


def shown(cell: nbformat.NotebookNode) -> list[str]:
    """What must be the same in every run: printed text and formulas."""
    formulas = [out.data["text/latex"] for out in cell.outputs if "text/latex" in out.get("data", {})]
    return [ROUNDING.sub(r"\1 …", text) for text in (streamed(cell, "stdout"), *formulas)]


@pytest.fixture
def kernel_place(tmp_path, monkeypatch):
    """A folder for a kernel of this interpreter that imports this package and leaves the home directory alone."""
    for name in KERNEL_FOLDERS:
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.delenv("JUPYTER_PATH", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(Path(tensorprog.__file__).parents[1]))
    return tmp_path


def executed(notebook: nbformat.NotebookNode, place: Path) -> nbformat.NotebookNode:
    folder = {"metadata": {"path": str(place)}}
    return NotebookClient(notebook, timeout=600, kernel_name="python3", resources=folder).execute()


def test_there_are_notebooks():
    assert [path.stem for path in NOTEBOOKS] == ["checked_proof", "exponents", "linear_learning", "tied_weight_limit"]


@pytest.mark.long
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_what_is_committed(path, kernel_place):
    """A cell that fails raises; asserts in the notebooks test their numbers."""
    committed = code_cells(read(path))
    again = code_cells(executed(read(path), kernel_place))
    for before, after in zip(committed, again, strict=True):
        assert shown(after) == shown(before), after.source
        assert "Warning" not in streamed(after, "stderr")
        assert [out.output_type for out in after.outputs if out.output_type != "stream"] == [
            out.output_type for out in before.outputs if out.output_type != "stream"
        ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_outputs_are_of_one_clean_run(path):
    cells = code_cells(read(path))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [out for cell in cells for out in cell.outputs]
    assert {out.output_type for out in outputs} <= {"stream", "execute_result"}
    assert not any(streamed(cell, "stderr") for cell in cells)
    assert any("image/svg+xml" in out.get("data", {}) for out in outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_small_and_names_no_machine(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.encode()) < LARGEST
    notebook = json.loads(text)
    assert notebook["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert all(not cell["metadata"] for cell in notebook["cells"])
    assert not ABSOLUTE.findall(text)


def test_a_changed_number_a_failing_assert_and_a_warning_are_seen(kernel_place):
    sources = ["print(0.5, '± 2e-16')", "import warnings\nwarnings.warn('old')", "print(1 + 1)"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    first, second, third = executed(notebook, kernel_place).cells
    assert shown(first) == ["0.5 ± …\n"]
    assert "UserWarning: old" in streamed(second, "stderr")
    assert shown(third) == ["2\n"] and shown(third) != ["3\n"]
    failing = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("assert 1 + 1 == 3")])
    with pytest.raises(Exception, match="AssertionError"):
        executed(failing, kernel_place)


@pytest.mark.parametrize("text", ["in {}", 'File "{}"', "'{}'"])
def test_paths_are_seen(text):
    path = "/".join(["", "some", "folder", "net.py"])
    assert ABSOLUTE.search(text.format(path))
    assert not ABSOLUTE.search("https://arxiv.org/abs/2009.10685 n^(-1/2) and measured / claimed, 0.05/√n")

"""Commands that README and docs show: each runs, and prints what the page says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tensorprog.cli import main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands():
    """(page, command, output shown) of every console block."""
    for page in PAGES:
        for block in re.findall(r"```console\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                command, _, shown = part.partition("\n")
                yield pytest.param(
                    command,
                    shown.strip(),
                    id=f"{page.name}: {command}",
                    marks=[pytest.mark.long] if re.search(" verify | linearity ", command) else [],
                )


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with the file that README writes."""
    readme = PAGES[0].read_text(encoding="utf-8")
    (net,) = [b for b in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "def two_blocks" in b]
    (tmp_path / "my_net.py").write_text(net, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("command", "shown"), list(commands()))
def test_commands_run_and_print_what_the_page_shows(command, shown, place, capsys):
    program, *arguments = shlex.split(command)
    assert program == "tensorprog"
    assert main(arguments) == 0
    if shown:
        assert capsys.readouterr().out.strip() == shown
    if "--out" in arguments:
        page = "linearity.html" if arguments[0] == "linearity" else "report.html"
        assert (place / arguments[arguments.index("--out") + 1] / page).is_file()


def test_pages_link_to_files_that_exist():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).is_file(), f"{page.name} links to {target}"

"""The plan of the package: imports point upwards only, and nothing outside `architectures` knows an architecture."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import tensorprog

ROOT = Path(tensorprog.__file__).parent
LAYERS = (
    "errors",
    "interrupts",
    "writing",
    "arrays",
    "notation",
    "exponents",
    "functions",
    "program",
    "passes",
    "readings",
    "limits",
    "architectures",
    "scaling",
    "proofs",
    "learning",
    "report",
    "cli",
)
EXEMPT = {"__init__", "__main__", "version"}
MODULES = {path.relative_to(ROOT).with_suffix("").as_posix(): path for path in sorted(ROOT.rglob("*.py"))}
ARCHITECTURES = {path.stem for path in (ROOT / "architectures").glob("[!_]*.py")}


def imported(tree: ast.AST, module: str) -> Iterator[tuple[int, str]]:
    """(line, dotted name below the package, "" for the package itself) of everything a module imports from it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = ["tensorprog", *module.split("/")][: -node.level] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            found = [f"{base}.{alias.name}" for alias in node.names] if base == "tensorprog" else [base]
        else:
            continue
        for name in found:
            top, _, rest = name.partition(".")
            if top == "tensorprog":
                yield node.lineno, rest


def faults(source: str, module: str) -> list[str]:
    """What a module may not import: a layer below its own, or the package as a whole, which holds all of them."""
    own = LAYERS.index(module.split("/")[0])
    wrong = []
    for line, name in imported(ast.parse(source), module):
        layer = name.partition(".")[0]
        if layer in LAYERS[: own + 1] or layer == "version":
            continue
        wrong.append(f"{module}, line {line}: imports {f'tensorprog.{name}'.rstrip('.')}")
    return wrong


def words(tree: ast.AST) -> set[str]:
    """Every identifier and every string of a module."""
    found: set[str] = set()
    for node in ast.walk(tree):
        for _, value in ast.iter_fields(node):
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, str):
                    found |= {item.strip(), *(part for part in item.split(".") if part.isidentifier())}
    return found


def test_every_module_has_a_layer():
    assert len(MODULES) > 50
    tops = {name.split("/")[0] for name in MODULES} - EXEMPT
    assert tops == set(LAYERS)


@pytest.mark.parametrize("module", [name for name in MODULES if name not in EXEMPT])
def test_imports_point_upwards(module):
    assert faults(MODULES[module].read_text("utf-8"), module) == []


@pytest.mark.parametrize("module", [name for name in MODULES if not name.startswith("architectures/")])
def test_no_module_knows_an_architecture_by_name(module):
    assert not words(ast.parse(MODULES[module].read_text("utf-8"))) & ARCHITECTURES


@pytest.mark.parametrize(
    ("module", "source", "expected"),
    [
        ("passes/gradient", "from tensorprog.readings import derive", ["readings"]),
        ("passes/gradient", "import tensorprog.readings.derive as d", ["readings.derive"]),
        ("passes/gradient", "def f():\n    from ..report import verify", ["report"]),
        ("passes/__init__", "from ..cli import main", ["cli"]),
        ("errors", "from . import functions", ["functions"]),
        ("errors", "import os, tensorprog", [""]),
        ("program/text", "from tensorprog import correlation", ["correlation"]),
        ("readings/derive", "if TYPE_CHECKING:\n    from tensorprog.scaling.fit import Fit", ["scaling.fit"]),
        ("readings/derive", "from tensorprog.passes import correlation; import numpy; from .sizes import x", []),
        ("scaling/fit", "from tensorprog import errors, version; from ..readings import table", []),
        ("report/html", "from tensorprog.version import VERSION; import tensorprogress", []),
    ],
)
def test_the_walk_sees_every_form_of_import(module, source, expected):
    names = [fault.partition(": imports tensorprog")[2].removeprefix(".") for fault in faults(source, module)]
    assert names == expected


@pytest.mark.parametrize(
    "source",
    [
        "known = {'mlp': 1}",
        "def mlp(): pass",
        "x = nets.mlp",
        "f(mlp=1)",
        "import a.mlp.b",
        "from a import b as mlp",
        "def f(mlp): pass",
        "match x:\n    case {'a': mlp}: pass",
        "x = f'{y} mlp'",
    ],
)
def test_the_walk_sees_every_place_of_a_name(source):
    assert "mlp" in words(ast.parse(source))
    assert "mlp" not in words(ast.parse(source.replace("mlp", "perceptron")))


def test_architectures_are_found():
    assert {"mlp", "attention"} <= ARCHITECTURES
    assert not {"architectures", "_loading"} & ARCHITECTURES

"""Architectures by name or from a user's file, and options from texts: what is read, refused, and never executed."""

from __future__ import annotations

import importlib
import re
import sys
from fractions import Fraction

import pytest

import tensorprog as tp
from tensorprog.architectures import ARCHITECTURES
from tensorprog.architectures._loading import MAX_POSITIONS, load, parse_value
from tensorprog.errors import ArchitectureError, TensorProgramError

NET = """
import tensorprog as tp

def net(x, layers=2, phi=tp.tanh, std: float = 1, biased=False, note="none"):
    '''A network of this file.

    More words.'''
    h = tp.linear("U", x, std=std)
    for layer in range(1, layers):
        h = tp.linear(f"W{layer}", phi(h))
    return tp.readout("v", phi(h), bias=int(biased))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty current folder; imports of the user's files are undone afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = dict(sys.modules)
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]
            if name in before:
                sys.modules[name] = before[name]


def written(folder, text=NET, name="mine.py"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_of_the_package_loads_by_name(name):
    found = load(name)
    assert (found.name, found.function, found.file) == (name, ARCHITECTURES[name], None)
    assert found.summary == ARCHITECTURES[name].__doc__.splitlines()[0]
    assert found.options([]) == {}
    program = found.trace(1, found.positions, {})
    assert program.positions == found.positions
    assert list(program.outputs) == ["F0"]


def test_a_function_of_a_file_is_the_function_that_runs(folder):
    written(folder)
    found = load("mine.py:net")
    assert (found.name, found.summary, found.positions) == ("net", "A network of this file.", None)
    assert list(found.parameters) == ["layers", "phi", "std", "biased", "note"]
    program = found.trace(2, None, found.options(["layers=3", "phi=erf"]))

    def same(x):
        h = tp.linear("U", x)
        for layer in (1, 2):
            h = tp.linear(f"W{layer}", tp.erf(h))
        return tp.readout("v", tp.erf(h), bias=0)

    assert program == tp.trace(same, inputs=2)


@pytest.mark.parametrize("name", ["sub folder/mine.py", "a:b/mine.py", "./mine.py", "deep/er/mine.py"])
def test_paths_may_hold_spaces_colons_and_folders(folder, name):
    written(folder, name=name)
    assert load(f"{name}:net").trace(1, None, {}).inputs == 1
    assert load(f"{folder / name}:net").name == "net"


def test_a_file_finds_its_neighbours_and_leaves_no_trace_on_disk(folder):
    written(folder, "WIDTHS = 2\n", "sub/its_neighbour.py")
    written(folder, "from its_neighbour import WIDTHS\n" + NET.replace("layers=2", "layers=WIDTHS"), "sub/mine.py")
    assert load("sub/mine.py:net").trace(1, None, {}).counts()["MatMul"] == 2
    assert not list((folder / "sub").glob("mine*.pyc"))
    assert sorted(p.name for p in (folder / "sub").iterdir() if p.is_file()) == ["its_neighbour.py", "mine.py"]


@pytest.mark.parametrize("name", ["json", "numpy", "tensorprog"])
def test_a_file_named_like_a_loaded_library_does_not_replace_it(folder, name):
    written(folder, name=f"{name}.py")
    before = sys.modules[name]
    assert load(f"{name}.py:net").trace(1, None, {}).inputs == 1
    assert sys.modules[name] is before
    assert importlib.import_module(name) is before


def test_a_file_named_like_a_library_that_is_imported_later_does_not_replace_it(folder):
    written(folder, "VALUE = 7\n", "installed/later_library.py")
    sys.path.insert(0, str(folder / "installed"))
    written(folder, name="later_library.py")
    assert load("later_library.py:net").trace(1, None, {}).inputs == 1
    assert importlib.import_module("later_library").VALUE == 7


def test_positions_of_a_file(folder):
    text = "import tensorprog as tp\nPOSITIONS = 3\ndef net(x):\n    return tp.readout('v', tp.linear('U', x[2]))\n"
    written(folder, text)
    found = load("mine.py:net")
    assert found.positions == 3
    assert found.trace(1, found.positions, {}).positions == 3
    for value in ("'three'", "True", "3.0"):
        written(folder, text.replace("= 3", f"= {value}"))
        with pytest.raises(ArchitectureError, match=f"POSITIONS={value} .*must be an integer or None"):
            load("mine.py:net")
    for bad in (0, -1, MAX_POSITIONS + 1):
        with pytest.raises(ArchitectureError, match=f"positions={bad} of net must be between 1 and {MAX_POSITIONS}"):
            found.trace(1, bad, {})


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (None, "perceptron", "'perceptron' is no architecture; known are attention, .*or path/to/file.py:function"),
        (None, "mine.py", "written mine.py:function"),
        (None, "mine.txt:net", "no architecture"),
        (None, ":net", "no architecture"),
        (None, "", "no architecture"),
        (None, "mine.py:net", "the file 'mine.py' .* does not exist"),
        (NET, "mine.py:nat", "no function 'nat'; its functions are net"),
        (NET, "mine.py:", "no function ''"),
        (NET + "number = 3\n", "mine.py:number", "no function 'number'"),
        (NET, "mine.py:tp", "no function 'tp'"),
        ("number = 3\n", "mine.py:net", "it defines no function"),
        ("def net():\n    return 1\n", "mine.py:net", "takes no argument"),
        ("def net(x:\n    return x\n", "mine.py:net", "syntax error in line 1"),
        ("\n\nnot python at all\n", "mine.py:net", "syntax error in line 3"),
        ("x = '\0'\n", "mine.py:net", r"syntax error(?!.*None)"),
        ("value = 1\nvalue / 0\n", "mine.py:net", "ZeroDivisionError: division by zero .line 2 of 'mine.py'"),
        ("raise SystemExit(0)\n", "mine.py:net", "cannot be executed: SystemExit: 0"),
        ("import no_such_library\n", "mine.py:net", "ModuleNotFoundError.*no_such_library"),
        ("raise ValueError('one\\ntwo')\n", "mine.py:net", "ValueError: one"),
    ],
)
def test_what_cannot_be_loaded(folder, text, name, message):
    if text is not None:
        written(folder, text)
    with pytest.raises(ArchitectureError, match=message):
        load(name)


def test_a_folder_is_no_file(folder):
    (folder / "mine.py").mkdir()
    with pytest.raises(ArchitectureError, match=r"'mine.py' .*does not exist"):
        load("mine.py:net")


def test_a_file_that_fails_can_be_mended(folder):
    written(folder, "1 / 0\n")
    with pytest.raises(ArchitectureError, match="ZeroDivisionError"):
        load("mine.py:net")
    assert "mine" not in sys.modules
    written(folder)
    assert load("mine.py:net").name == "net"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return {}['key']", "bad failed with options size=3: KeyError: 'key' .line 3 of 'mine.py'"),
        ("raise RuntimeError('one\\ntwo')", "RuntimeError"),
        ("raise SystemExit(0)", "SystemExit"),
        ("return bad(x)", "recurses too deeply"),
        ("return 3", "returned 3, not a traced scalar"),
        ("return tp.linear('U', x)", "not a scalar"),
    ],
)
def test_what_a_function_raises_becomes_an_error_that_says_where(folder, body, message):
    written(folder, f"import tensorprog as tp\ndef bad(x, size=3):\n    {body}\n")
    found = load("mine.py:bad")
    with pytest.raises(TensorProgramError, match=message):
        found.trace(1, None, found.options(["size=3"]))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("layers=3", 3),
        ("layers = 3", 3),
        ("phi=erf", tp.erf),
        ("phi=leaky_relu(1/10)", tp.leaky_relu(Fraction(1, 10))),
        ("phi=z*tanh(z)", tp.expression("z*tanh(z)")),
        ("std=3/2", Fraction(3, 2)),
        ("std=0.1", Fraction(1, 10)),
        ("std=-2", -2),
        ("std=1e-3", Fraction(1, 1000)),
        ("biased=true", True),
        ("biased=False", False),
        ("note=true", "true"),
        ("note=erf", "erf"),
        ("note=a=b", "a=b"),
        ("note=", ""),
    ],
)
def test_the_signature_decides_how_an_option_is_read(folder, text, value):
    written(folder)
    name = text.partition("=")[0].strip()
    found = load("mine.py:net").options([text])
    assert found == {name: value}
    assert type(found[name]) is type(value)


@pytest.mark.parametrize(
    ("text", "value"), [("3", 3), ("3/2", Fraction(3, 2)), ("true", True), ("erf", tp.erf), ("a word", "a word")]
)
def test_without_a_signature_the_first_reading_that_succeeds_counts(text, value):
    assert parse_value("anything", text) == value


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["depth"], "'depth' has no value; write -o name=value"),
        (["=3"], "has no value"),
        (["width=3"], "mlp has no option 'width'; its options are depth, phi, weight_std, bias_std"),
        (["depth=2", "depth=3"], "'depth' of mlp is given twice"),
        (["depth=1.5"], "depth='1.5' must be an integer"),
        (["depth="], "option depth: '' is no rational number"),
        (["depth=deep"], "option depth: 'deep' is no rational number"),
        (["depth=true"], "option depth: 'true' is no rational number"),
        (["depth=1_0"], "option depth"),
        (["weight_std=nan"], "option weight_std: 'nan'"),
        (["weight_std=inf"], "option weight_std: 'inf'"),
        (["weight_std=1/0"], "option weight_std: '1/0'"),
        (["phi=unknown"], "option phi: 'unknown' is no nonlinearity"),
        (["phi="], "option phi"),
        (["phi=z**z"], "option phi.*exponent"),
        (["phi=relu(z)"], "option phi.*relu"),
    ],
)
def test_bad_options_are_refused_by_name(texts, message):
    with pytest.raises(ArchitectureError, match=message):
        load("mlp").options(texts)


def test_bad_truth_values_and_missing_options(folder):
    with pytest.raises(ArchitectureError, match="tied='perhaps' must be true or false"):
        load("attention").options(["tied=perhaps"])
    written(folder, "def net(x, width):\n    return x\n\ndef plain(x):\n    return x\n")
    with pytest.raises(ArchitectureError, match="net needs the option 'width'; add -o width=value"):
        load("mine.py:net").options([])
    with pytest.raises(ArchitectureError, match="plain has no option 'depth'; it has no options"):
        load("mine.py:plain").options(["depth=3"])


HOSTILE = [
    "__import__('os').system('touch intruder')",
    "__import__('pathlib').Path('intruder').touch()",
    "open('intruder','w')",
    "(lambda: open('intruder','w'))()",
    "exec(\"open('intruder','w')\")",
    "z.__class__.__mro__",
    "[open('intruder','w') for z in [1]]",
    "f\"{open('intruder','w')}\"",
    "expression(\"open('intruder','w')\")",
    "polynomial(open('intruder','w'))",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_no_option_value_is_ever_executed(folder, value):
    with pytest.raises(ArchitectureError, match=re.escape("option phi: ")):
        load("mlp").options([f"phi={value}"])
    written(folder, "def net(x, **anything):\n    return x\n")
    assert load("mine.py:net").options([f"a={value}"]) == {"a": value}
    assert [p.name for p in folder.iterdir()] == ["mine.py"]

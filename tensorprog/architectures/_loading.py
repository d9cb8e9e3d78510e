"""An architecture from its name on a command line, and its options from texts.

A name is one of this package, or `path/to/file.py:function`. A file given that way is executed, as `python file.py`
would; nothing else ever is: option values are read by `parse_value`, which knows numbers, truth values,
nonlinearities and words.
"""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from fractions import Fraction
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

from tensorprog.architectures import ARCHITECTURES, Architecture, positions_of
from tensorprog.errors import ArchitectureError, ExpressionError, TensorProgramError, described
from tensorprog.functions import Function, parse_function, parse_number
from tensorprog.program import Program, trace

MAX_POSITIONS = 1000
TRUTH = {"true": True, "false": False}
Option = bool | int | Fraction | Function | str


@dataclass(frozen=True)
class Loaded:
    """An architecture, the name it was asked for by, its default number of positions, and the file it came from."""

    name: str
    function: Architecture
    positions: int | None
    file: Path | None = None

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """The options of its signature: everything after the input."""
        return dict(list(inspect.signature(self.function).parameters.items())[1:])

    def options(self, texts: Sequence[str]) -> dict[str, Option]:
        """Options from texts such as "depth=3"; an ArchitectureError lists the options there are."""
        parameters = self.parameters
        free = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        named = {k: p for k, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        known = f"its options are {', '.join(named)}" if named else "it has no options"
        found: dict[str, Option] = {}
        for text in texts:
            name, equals, value = text.partition("=")
            name = name.strip()
            if not equals or not name:
                raise ArchitectureError(f"option {text!r} has no value; write -o name=value, as in -o depth=3")
            if name not in named and not (free and name.isidentifier()):
                raise ArchitectureError(f"{self.name} has no option {name!r}; {known}")
            if name in found:
                raise ArchitectureError(f"option {name!r} of {self.name} is given twice; give it once")
            found[name] = parse_value(name, value.strip(), named.get(name))
        missing = [k for k, p in named.items() if p.default is p.empty and k not in found]
        if missing:
            raise ArchitectureError(f"{self.name} needs the option {missing[0]!r}; add -o {missing[0]}=value")
        return found

    def trace(self, inputs: int, positions: int | None, options: Mapping[str, Option]) -> Program:
        """`tp.trace`; whatever else the function raises becomes an ArchitectureError that says where."""
        if positions is not None and not 1 <= positions <= MAX_POSITIONS:
            raise ArchitectureError(f"positions={positions} of {self.name} must be between 1 and {MAX_POSITIONS}")
        try:
            with redirect_stdout(sys.stderr):
                return trace(self.function, inputs=inputs, positions=positions, **options)
        except TensorProgramError:
            raise
        except RecursionError:
            raise ArchitectureError(f"{self.name} recurses too deeply; write loops over layers instead") from None
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            given = ", ".join(f"{k}={v}" for k, v in options.items()) or "none"
            raise ArchitectureError(f"{self.name} failed with options {given}: {_told(error, self.file)}") from error


def load(name: str) -> Loaded:
    """The architecture of this package called `name`, or the function of "path/to/file.py:function".

    Raises ArchitectureError when there is none, naming those there are.
    """
    if name in ARCHITECTURES:
        return Loaded(name, ARCHITECTURES[name], positions_of(ARCHITECTURES[name]))
    place, colon, label = name.rpartition(":")
    if not colon or not place.endswith(".py"):
        hint = f"; a function of a file is written {name}:function" if name.endswith(".py") else ""
        raise ArchitectureError(
            f"{name!r} is no architecture; known are {', '.join(ARCHITECTURES)}, or path/to/file.py:function{hint}"
        )
    file = Path(place)
    if not file.is_file():
        raise ArchitectureError(f"the file {place!r} of {name!r} does not exist; check the path")
    module = _module(file)
    found = vars(module).get(label)
    if not inspect.isfunction(found):
        own = [k for k, v in vars(module).items() if inspect.isfunction(v) and v.__module__ == module.__name__]
        listed = f"its functions are {', '.join(own)}" if own else "it defines no function"
        raise ArchitectureError(f"{place!r} has no function {label!r}; {listed}")
    if not inspect.signature(found).parameters:
        raise ArchitectureError(f"{label!r} of {place!r} takes no argument; its first one is the input x")
    positions = getattr(module, "POSITIONS", None)
    if positions is not None and (isinstance(positions, bool) or not isinstance(positions, int)):
        raise ArchitectureError(f"POSITIONS={positions!r} of {place!r} must be an integer or None")
    return Loaded(label, found, positions, file)


def parse_value(name: str, text: str, parameter: inspect.Parameter | None = None) -> Option:
    """An option value: 3, 3/2, 0.1, true, false, a nonlinearity, or else the text itself. Nothing is executed.

    What the signature says about the option (its annotation, else its default) decides; without it the first reading
    that succeeds does. Decimals are exact rationals.
    """
    wanted = _wanted(parameter)
    if wanted == "str":
        return text
    if text.lower() in TRUTH and wanted in ("bool", ""):
        return TRUTH[text.lower()]
    if wanted == "bool":
        raise ArchitectureError(f"option {name}={text!r} must be true or false")
    if wanted == "function":
        try:
            return parse_function(text)
        except ExpressionError as error:
            raise ArchitectureError(f"option {name}: {error}") from None
    try:
        number = parse_number(text)
    except ExpressionError as error:
        if wanted:
            raise ArchitectureError(f"option {name}: {error}") from None
    else:
        whole = number.denominator == 1
        if wanted == "int" and not whole:
            raise ArchitectureError(f"option {name}={text!r} must be an integer")
        return int(number) if whole else number
    try:
        return parse_function(text)
    except ExpressionError:
        return text


def _wanted(parameter: inspect.Parameter | None) -> str:
    """Which kind of value a parameter takes: "bool", "int", "number", "function", "str", or "" when it does not say."""
    if parameter is None:
        return ""
    note = parameter.annotation
    words = note if isinstance(note, str) else getattr(note, "__name__", str(note))
    if note is not parameter.empty:
        for word, kind in (("Function", "function"), ("Fraction", "number"), ("float", "number"), ("Std", "number")):
            if word in words:
                return kind
        return words if words in ("bool", "int", "str") else ""
    default = parameter.default
    if isinstance(default, Function):
        return "function"
    return {bool: "bool", int: "number", float: "number", Fraction: "number", str: "str"}.get(type(default), "")


def _module(file: Path) -> ModuleType:
    """Execute a user's file. Its folder joins the import path, last, for the file's own imports and for workers."""
    folder = str(file.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    name = f"_architecture_{file.stem}" if _names_another_module(file) else file.stem
    module = ModuleType(name)
    module.__file__ = str(file.resolve())
    sys.modules[name] = module
    try:
        with redirect_stdout(sys.stderr):
            exec(
                compile(file.read_bytes(), module.__file__, "exec"), vars(module)
            )  # an import would leave a __pycache__
    except SyntaxError as error:
        sys.modules.pop(name, None)
        where = "" if error.lineno is None else f" in line {error.lineno}"
        raise ArchitectureError(f"{str(file)!r} has a syntax error{where}: {error.msg}") from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        sys.modules.pop(name, None)
        raise ArchitectureError(f"{str(file)!r} cannot be executed: {_told(error, file)}") from error
    return module


def _names_another_module(file: Path) -> bool:
    """Whether importing the file's name means, now or later, another module."""
    own, name = str(file.resolve()), file.stem
    loaded = sys.modules.get(name)
    found = PathFinder.find_spec(name)
    return (
        name in sys.builtin_module_names
        or (loaded is not None and getattr(loaded, "__file__", None) != own)
        or (found is not None and found.origin != own)
    )


def _told(error: BaseException, file: Path | None) -> str:
    """An exception in one line, with the last line of the user's file that it passed."""
    text = described(error)
    if file is None:
        return text
    own = str(file.resolve())
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == own]
    return f"{text} (line {lines[-1]} of {str(file)!r})" if lines else text

"""Fields of JSON objects, taken one by one and checked: a missing, misspelt or superfluous one is an error."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, NoReturn, TypeVar

from tensorprog.errors import ExpressionError, TensorProgramError
from tensorprog.program.numerals import read_fraction, read_side
from tensorprog.program.types import Coefficient, Width

LARGEST = 10**9

T = TypeVar("T")


def load(text: str | bytes) -> object:
    """What a JSON text contains; ExpressionError when it is none, or defines a field of an object twice."""
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise ExpressionError(
            f"line {error.lineno}, column {error.colno}: no JSON ({error.msg}); pass what Program.to_json wrote"
        ) from None
    except TensorProgramError:
        raise
    except (RecursionError, UnicodeDecodeError, ValueError, TypeError) as error:
        raise ExpressionError(f"no JSON of a program ({error}); pass what Program.to_json wrote") from None


class Fields:
    """A JSON object whose fields are taken one by one, checked; `where` says what it is in messages."""

    def __init__(self, content: object, where: str) -> None:
        self.where = where
        if not isinstance(content, Mapping) or not all(isinstance(key, str) for key in content):
            raise ExpressionError(f"{where} is {shown(content)}, not an object; pass what Program.to_json wrote")
        self.fields: Mapping[str, object] = content
        self.taken: set[str] = set()

    def has(self, field: str) -> bool:
        return field in self.fields

    def raw(self, field: str) -> object:
        if field not in self.fields:
            present = ", ".join(map(shown, list(self.fields)[:12])) or "none"
            raise ExpressionError(f"{self.where} has no field {field!r}, only {present}; add it")
        self.taken.add(field)
        return self.fields[field]

    def text(self, field: str) -> str:
        value = self.raw(field)
        return value if isinstance(value, str) else self.wrong(field, value, "a string")

    def truth(self, field: str) -> bool:
        value = self.raw(field)
        return value if isinstance(value, bool) else self.wrong(field, value, "true or false")

    def count(self, field: str) -> int:
        return self._count(field, self.raw(field))

    def counts(self, field: str) -> tuple[int, ...]:
        return tuple(self._count(field, value) for value in self.listed(field))

    def listed(self, field: str) -> list[object]:
        value = self.raw(field)
        return value if isinstance(value, list) else self.wrong(field, value, "a list")

    def texts(self, field: str) -> tuple[str, ...]:
        return tuple(x if isinstance(x, str) else self.wrong(field, x, "a list of strings") for x in self.listed(field))

    def number(self, field: str) -> Fraction:
        return self.read(field, read_fraction)

    def coefficient(self) -> Coefficient:
        inner = Fields(self.raw("coefficient"), f"the coefficient of {self.where}")
        value, power = inner.number("value"), inner.number("power")
        inner.finish()
        return Coefficient(value, power)

    def side(self, field: str) -> Width | None:
        """A width, or None for null."""
        if self.raw(field) is None:
            return None
        width = self.read(field, read_side)
        return width if width is not None else self.wrong(field, "1", "a width or null")

    def finish(self) -> None:
        """Refuse what was not asked for."""
        for field in self.fields:
            if field not in self.taken:
                asked = ", ".join(sorted(self.taken))
                raise ExpressionError(f"{self.where} has an unknown field {shown(field)}; its fields are {asked}")

    def wrong(self, field: str, value: object, wanted: str) -> NoReturn:
        raise ExpressionError(f"{self.where}: {field!r} contains {shown(value)}; give {wanted}")

    def _count(self, field: str, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < LARGEST:
            self.wrong(field, value, "nonnegative integers of at most nine digits")
        return value

    def read(self, field: str, reader: Callable[[str], T]) -> T:
        text = self.text(field)
        try:
            return reader(text)
        except ExpressionError as error:
            raise ExpressionError(f"{self.where}, field {field!r}: {error}") from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ExpressionError(f"the JSON object defines {shown(key)} twice; keep one")
        found[key] = value
    return found


def _no_constant(text: str) -> NoReturn:
    raise ExpressionError(f"the JSON contains {text}, which is no number of a program; use exact numbers as strings")


def shown(value: object) -> str:
    """A value for a message, shortened."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # nested too deeply, an integer of too many digits
        return f"a {type(value).__name__} too large to show"
    return text if len(text) <= 80 else f"{text[:77]}..."

"""Finding a nonlinearity by its text among the modules of this package."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable
from functools import cache
from importlib import import_module

import tensorprog.functions as package
from tensorprog.errors import ExpressionError
from tensorprog.functions.base import Function
from tensorprog.functions.custom import expression
from tensorprog.functions.grammar import parse_number

CALL = re.compile(r"([A-Za-z_]\w*)\s*\((.*)\)\Z", re.ASCII | re.DOTALL)
WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)
SYMBOL = re.compile(r"z\d*|pi|E", re.ASCII)


@cache
def catalogue() -> dict[str, Function | Callable[..., Function]]:
    """Instances by spec and makers by name, from the tuple `NONLINEARITIES` of every module of the package."""
    found: dict[str, Function | Callable[..., Function]] = {}
    for module in sorted(m.name for m in pkgutil.iter_modules(package.__path__)):
        for item in getattr(import_module(f"{package.__name__}.{module}"), "NONLINEARITIES", ()):
            found[item.spec if isinstance(item, Function) else item.__name__] = item
    return found


def parse_function(text: str) -> Function:
    """The function of a canonical text, of an option such as "phi=tanh", or of an expression such as "z*tanh(z)".

    Raises ExpressionError for anything else.

    >>> parse_function("leaky_relu(1/10)"), parse_function("phi=tanh"), parse_function("sin(z)")
    (leaky_relu(1/10), tanh, sin)
    """
    if not isinstance(text, str):
        raise ExpressionError(f"{text!r} is not a text; pass a name such as 'tanh' or an expression")
    body = re.sub(r"\A\s*phi\s*=", "", text).strip()
    known = catalogue()
    item = known.get(body)
    if isinstance(item, Function):
        return item
    if item is not None or (WORD.fullmatch(body) and not SYMBOL.fullmatch(body)):
        names = ", ".join(name if isinstance(f, Function) else f"{name}(…)" for name, f in sorted(known.items()))
        raise ExpressionError(f"{body[:72]!r} is no nonlinearity; known are {names}, and texts such as 'z*tanh(z)'")
    call = CALL.match(body)
    if call is None:
        return expression(body)
    maker = known.get(call[1])
    if maker is expression:
        return expression(call[2])
    if maker is None or isinstance(maker, Function):
        return expression(body)
    try:
        return maker(*map(parse_number, call[2].split(",")))
    except TypeError:
        raise ExpressionError(f"{body[:72]!r} has a wrong number of options for {call[1]}") from None

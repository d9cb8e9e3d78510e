"""What `help()` shows: every parameter by its name, none hidden in **options."""

from __future__ import annotations

import inspect
import pydoc

import pytest

import tensorprog as tp

THEIRS = {"trace"}  # its further keywords are those of the architecture, which only that knows
PUBLIC = [name for name in tp.__all__ if inspect.isroutine(getattr(tp, name))]
RULE = {"loss", "batches", "momentum", "weight_decay", "optimizer"}


@pytest.mark.parametrize("name", PUBLIC)
def test_parameters_are_named(name):
    kinds = {p.kind for p in inspect.signature(getattr(tp, name)).parameters.values()}
    assert (inspect.Parameter.VAR_KEYWORD in kinds) is (name in THEIRS)


@pytest.mark.parametrize("name", ["train", "linearised", "deviation", "moved", "linearity"])
def test_how_a_network_is_trained_is_seen_in_help(name):
    shown = pydoc.render_doc(getattr(tp, name), renderer=pydoc.plaintext)
    assert set(inspect.signature(getattr(tp, name)).parameters) >= RULE
    assert all(f"{word}:" in shown for word in RULE)


def test_misspelt_options_are_refused():
    program = tp.trace(lambda x: tp.readout("v", tp.erf(tp.linear("U", x))), inputs=2)
    with pytest.raises(TypeError, match="wieght_decay"):
        tp.train(program, [1.0], steps=1, learning_rate=0.1, wieght_decay=0.5)

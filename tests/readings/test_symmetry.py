"""Sign flips: found where they exist, refused where they do not, and true of samples."""

from __future__ import annotations

import numpy as np
import pytest

import tensorprog as tp
from tensorprog.readings import odd_flip

DATA = np.array([[1.0, -0.5], [0.3, 1.2], [-0.7, 0.4]])


def net(x, phi=tp.erf, bias=0, square=False):
    h = phi(tp.linear("W", phi(tp.linear("U", x, bias=bias)), bias=bias))
    return tp.mean(h * h) if square else tp.readout("v", h, bias=bias)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"v"}),
        ({"phi": tp.sigmoid}, {"v"}),
        ({"bias": 1}, {"v", "v.bias"}),
        ({"square": True}, None),
    ],
)
def test_flips(options, expected):
    program = tp.trace(net, inputs=2, **options)
    found = odd_flip(program.nodes, [x.node for x in program.outputs.values()])
    if expected is None:
        assert found is None
        return
    assert found is not None
    flipped = _flip_changes_sign(program, found)
    assert flipped


def test_odd_activations_allow_no_even_scalar_to_flip():
    def even(x):
        h = tp.linear("U", x)
        return tp.mean(h * tp.tanh(h))

    program = tp.trace(even, inputs=1)
    assert odd_flip(program.nodes, [x.node for x in program.outputs.values()]) is None


def test_an_attention_score_of_two_weights_is_odd():
    def score(x):
        return tp.mean(tp.linear("Q", x) * tp.linear("K", x))

    def tied(x):
        return tp.mean(tp.linear("Q", x) * tp.linear("Q", x))

    assert odd_flip(tp.trace(score).nodes, [tp.trace(score).end]) is not None
    assert odd_flip(tp.trace(tied).nodes, [tp.trace(tied).end]) is None


def _flip_changes_sign(program, flip) -> bool:
    """Evaluate F at weights and at flipped weights."""
    from tensorprog.readings.draws import draw, entry_scale, shape
    from tensorprog.readings.evaluate import run
    from tensorprog.readings.inputs import check_data, input_values
    from tensorprog.readings.schedule import schedule

    dtype = np.dtype(np.float64)
    data = check_data(program, DATA)
    results = []
    for sign in (1.0, -1.0):
        values = dict(input_values(program, data, dtype))
        for name in program.parameters:
            entries = draw(name, shape(program, name, 8, 2), 8, range(3), 5, dtype)
            scale = entry_scale(program.parameters[name], 8, 2)
            values[name] = entries * scale * (sign if name in flip else 1.0)
        steps = schedule(program.nodes, [x.node for x in program.outputs.values()], values)
        run(program.nodes, steps, values, 8, {})
        results.append(values[program.outputs["F0"].node])
    return bool(np.allclose(results[0], -results[1], rtol=1e-12))

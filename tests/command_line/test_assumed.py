"""What the command line says of bounds that assume something, and of orders without a bound."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np

SCHEMA = Path(__file__).parents[2] / "docs" / "report.schema.json"


def found(run, command):
    code, out, err = run(f"{command} --json")
    assert (code, err) == (0, "")
    table = json.loads(out)
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(table)
    return table


def test_a_layer_norm_names_its_variance(run):
    """In the status, in words below the table, and as an object."""
    code, out, _ = run("derive layernorm_mlp -o depth=1 --orders 0,1")
    assert code == 0
    assert "status: assumed bound" in out
    assert "C^{0,1} assumed, and not shown: " in out and "stays away from 0, where power(-1/2) at" in out
    (entry,) = found(run, "derive layernorm_mlp -o depth=1 --orders 0,1")["correlations"]
    assert entry["status"] == "assumed bound"
    assert [a["function"] for a in entry["assumptions"]] == ["power(-1/2)"] * 2


def test_inputs_show_what_is_assumed_or_withdraw_the_bound(run, tmp_path):
    inputs = tmp_path / "inputs.npy"
    np.save(inputs, np.array([[1.0, 2.0, 0.5], [0.3, -1.0, 1.0]]))
    (entry,) = found(run, f"derive layernorm_mlp -o depth=1 --orders 0,1 --inputs {inputs}")["correlations"]
    assert (entry["status"], entry["assumptions"]) == ("definite", [])
    np.save(inputs, np.zeros((2, 3)))
    table = found(run, f"derive layernorm_mlp -o depth=1 --orders 0,1 --inputs {inputs}")
    assert table["correlations"] == []
    (entry,) = table["boundless"]
    assert (entry["status"], entry["exponent"], len(entry["assumptions"])) == ("withdrawn", None, 2)


def test_one_order_out_of_range_is_refused_with_its_reason(run):
    code, out, _ = run("derive mlp --orders 0,1 3,0 --derivations")
    assert code == 0
    assert "C^{3,0} refused: D=3 is not supported" in out
    table = found(run, "derive mlp --orders 0,1 3,0")
    assert [(e["D"], e["d"]) for e in table["correlations"]] == [(0, 1)]
    assert [(e["D"], e["d"], e["status"]) for e in table["boundless"]] == [(3, 0, "refused")]

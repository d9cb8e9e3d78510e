"""What every test of the command line has at hand: inputs and architectures good and bad, the schema, helpers."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import jsonschema
import numpy as np

HALF = Fraction(1, 2)
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "report.schema.json").read_text(encoding="utf-8"))
VALID = jsonschema.Draft202012Validator(SCHEMA)
QUICK = "--widths 8,16,32 --samples 5 --workers 1"
SHORT = "--orders 0,1 1,1"
NET = """
import tensorprog as tp

def net(x, layers=1, phi=tp.erf):
    h = tp.linear("U", x)
    for layer in range(1, layers):
        h = tp.linear(f"W{layer}", phi(h))
    return tp.readout("v", phi(h))
"""
FILES = {
    "net.py": NET,
    "syntax.py": "def net(x:\n    return x\n",
    "raises.py": "value = 1\nvalue / 0\n",
    "exits.py": "import sys\nsys.exit(0)\n",
    "no_argument.py": "def net():\n    return 1\n",
    "needs.py": NET.replace("layers=1", "layers"),
    "fails.py": "def net(x):\n    raise RuntimeError('one\\ntwo\\nthree')\n",
    "leaves.py": "def net(x):\n    raise SystemExit(0)\n",
    "number.py": "def net(x):\n    return 3\n",
    "positions.py": "POSITIONS = 'many'\ndef net(x):\n    return x\n",
    "nan.csv": "1,2\n3,nan\n",
    "ragged.csv": "1,2\n3\n",
    "empty.csv": "",
    "words.csv": "1,2\nthree,4\n",
    "inputs.txt": "1,2\n3,4\n",
    "junk.npy": "junk",
}
FILES |= {"y.csv": "target\n1\n-1\n1\n", "z.csv": "1,2\n1,2\n1,2\n", "short.csv": "1\n-1\n"}
ARRAYS = {
    "x.npy": np.random.default_rng(0).standard_normal((3, 4)),
    "five.npy": np.random.default_rng(0).standard_normal((5, 4)),
    "sequences.npy": np.random.default_rng(0).standard_normal((3, 2, 4)),
    "vector.npy": np.ones(4),
    "infinite.npy": np.array([[1, np.inf], [1, 2]]),
    "complex.npy": np.ones((3, 4)) * 1j,
    "objects.npy": np.array([{"a": 1}], dtype=object),
}


def strict(text):
    """The one JSON value that a text is; NaN and Infinity are none."""

    def refuse(word):
        raise ValueError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def process(command, **options):
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "tensorprog", *shlex.split(command)], capture_output=True, timeout=120, **options
    )


def snapshot(folder):
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def correlations(run, command):
    code, out, err = run(f"{command} --json")
    assert (code, err) == (0, "")
    found = strict(out)
    VALID.validate(found)
    return {(c["D"], c["d"]): c for c in found["correlations"]}, found

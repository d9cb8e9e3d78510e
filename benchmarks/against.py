"""This version against another: `python -m benchmarks.against FOLDER`, FOLDER being a checkout of the other one.

The same tasks in processes of their own, in turn, several times; processor seconds, the least of all, and their ratio.
Only what both versions have is used. The processes have one thread in numpy's products.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

import tensorprog as tp
from tensorprog import architectures

ROUNDS, REPEATS = 4, 5
NETS = ("mlp", "resnet", "rnn", "transposed", "layernorm_mlp", "glu")
Task = Callable[[], object]


def tasks() -> dict[str, Task]:
    """Derivations of five inputs, samples, training, and kernels of 1000 rows."""
    found: dict[str, Task] = {}
    for name in NETS:
        positions = 3 if name == "rnn" else None
        program = tp.trace(getattr(architectures, name), inputs=5, positions=positions)
        found[f"derive {name}"] = partial(tp.derive, program)
    program, data = tp.trace(architectures.mlp, inputs=5, depth=3), np.random.default_rng(0).standard_normal((5, 10))
    for (D, d), width, samples, reading in (
        ((0, 4), 128, 400, "dense"),
        ((0, 4), 256, 200, "exact"),
        ((0, 4), 4096, 16, "exact"),
        ((1, 1), 1024, 60, "exact"),
        ((2, 1), 256, 40, "exact"),
    ):
        correlation = tp.correlation(program, D, d)
        label = f"sample C^{{{D},{d}}}, {reading}, n = {width}"
        found[label] = partial(tp.sample, correlation, data, width, samples, 0, reading)
    trained = tp.train(tp.trace(architectures.mlp, inputs=4), [1.0, -1.0, 1.0], steps=5, learning_rate=0.3)
    found["sample 5 steps, n = 1024"] = partial(tp.sample, trained.restricted(["F3"]), data[:4], 1024, 4, 0, "exact")
    rows, columns = np.random.default_rng(0).standard_normal((2, 1000, 64))
    deep = tp.trace(architectures.mlp, inputs=1, depth=5)
    for which in ("ntk", "nngp"):
        found[f"{which} of 1000 × 1000"] = partial(tp.kernel, deep, rows, columns, which)
    return found


def least(task: Task) -> float:
    """Processor seconds."""
    best = np.inf
    for _ in range(REPEATS):
        start = time.process_time()
        task()
        best = min(best, time.process_time() - start)
    return best


def measured(folder: Path) -> dict[str, float]:
    """The tasks with the package of a folder."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    code = Path(__file__).read_text(encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", code, "tasks"],
        cwd=folder,
        env={**os.environ, **one, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Print the table."""
    if len(sys.argv) != 2 or not (Path(sys.argv[1]) / "tensorprog").is_dir():
        sys.exit("give the folder of a checkout of the other version")
    folders = Path(sys.argv[1]).resolve(), Path(__file__).resolve().parents[1]
    rounds = [[measured(folder) for folder in folders] for _ in range(ROUNDS)]
    print(f"{'milliseconds of processor time':<36}{'other':>10}{'this':>10}{'this / other':>14}")
    for name in rounds[0][0]:
        other, this = (1e3 * min(found[k][name] for found in rounds) for k in range(2))
        print(f"{name:<36}{other:10.1f}{this:10.1f}{this / other:14.2f}")


if __name__ == "__main__":
    if sys.argv[1:] == ["tasks"]:
        print(json.dumps({name: least(task) for name, task in tasks().items()}))
    else:
        main()

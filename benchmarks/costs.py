"""Which reading is faster, and whether `auto` takes it: many programs, widths around the crossing."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

import tensorprog as tp
from tensorprog import architectures
from tensorprog.program import Program, Vector
from tensorprog.readings import Joint
from tensorprog.readings.costs import NORMS, PROJECT, seconds, uses
from tensorprog.readings.exact import batch_size

WIDTHS = (48, 64, 96, 128, 160, 192, 256, 384)
NEAR = 1.5  # ratio of the two times up to which a pair tells about the crossing
ROUNDS = 3
Task = tuple[str, list[Program], NDArray[np.float64]]


def tasks() -> Iterator[Task]:
    """Correlations of several architectures, one at a time and together, also of a spectral norm."""
    rng = np.random.default_rng(0)
    vectors, sequences = rng.standard_normal((5, 10)), rng.standard_normal((3, 3, 10))
    net = tp.trace(architectures.mlp, inputs=5)
    for D, d in ((0, 2), (0, 4), (1, 2)):
        yield f"mlp C^{D},{d}", [tp.correlation(net, D, d)], vectors
    yield "mlp D = 0", [tp.correlation(net, 0, d) for d in range(5)], vectors
    yield "mlp depth 8 C^0,2", [tp.correlation(tp.trace(architectures.mlp, inputs=3, depth=8), 0, 2)], vectors
    for name in ("resnet", "transposed", "layernorm_mlp"):
        yield f"{name} C^1,1", [tp.correlation(tp.trace(getattr(architectures, name), inputs=3), 1, 1)], vectors
    for name in ("rnn", "conv"):
        program = tp.trace(getattr(architectures, name), inputs=3, positions=3)
        yield f"{name} C^0,2", [tp.correlation(program, 0, 2)], sequences
    yield "mlp C^2,1", [tp.correlation(net, 2, 1)], vectors


def timed(task: Task, width: int) -> dict[str, float]:
    """Seconds a sample by each reading, the least of rounds that take turns, with half a batch for either thread."""
    _, programs, data = task
    iterated = any(program.slots for program in programs)
    samples = 2 * NORMS if iterated else batch_size(width)
    found = {"dense": np.inf, "exact": np.inf}
    for turn in range(ROUNDS):
        for method in found:
            start = time.perf_counter()
            tp.sample(programs, data, width, samples, turn, method)
            found[method] = min(found[method], (time.perf_counter() - start) / samples)
    return found


def features(program: Program, width: int, d0: int) -> dict[str, NDArray[np.float64]]:
    """What multiplies the constants of `readings.costs` in its times, in their order; then what both readings share."""
    batch = batch_size(width)
    dense, exact = np.zeros(7), np.zeros(7)
    for use in uses(program, width, d0).values():
        entries, (right, left) = use.rows * use.cols, use.spans
        dense[[0, 1, 2, 6]] += entries, entries * use.once, entries * use.iterated, 1
        exact[0] += right * use.rows + left * use.cols
        exact[3] += (use.rows + use.cols) / 2 * (right + left) ** 2 / 2
        exact[4:] += use.once / batch, use.iterated / min(batch, NORMS), right + left
    coordinates = sum(kind.width.at(width, d0) for kind in program.types.values() if isinstance(kind, Vector))
    shared = np.array([coordinates, len(program.types) / batch])
    return {"dense": np.concatenate([dense, shared]), "exact": np.concatenate([exact, shared])}


def run() -> None:
    rows, losses = [], []
    print(f"{'':20}{'n':>5} {'exact':>9} {'dense':>9}  dense/exact  by the model  lost by auto")
    for task in tasks():
        name, programs, data = task
        program = Joint.of(programs).program
        for width in WIDTHS:
            found = timed(task, width)
            ratio = found["dense"] / found["exact"]
            model = seconds(program, width, data.shape[-1], batch_size(width))
            lost = found[min(model, key=model.__getitem__)] / min(found.values()) - 1
            losses.append(lost)
            print(
                f"{name:20}{width:5} {1e3 * found['exact']:8.3f}m {1e3 * found['dense']:8.3f}m {ratio:12.2f} "
                f"{model['dense'] / model['exact']:13.2f} {lost:13.0%}"
            )
            if 1 / NEAR < ratio < NEAR:
                rows += [values / found[m] for m, values in features(program, width, data.shape[-1]).items()]
    print(f"auto loses at most {max(losses):.0%}, more than 10% in {np.mean(np.array(losses) > 0.1):.1%} of the rows")
    matrix = np.array(rows)
    constants, residual = nnls(np.delete(matrix, 3, axis=1), 1 - PROJECT * matrix[:, 3])
    names = ("DRAW", "READ", "AGAIN", "CALL", "REPEAT", "STREAM")
    fitted = ", ".join(f"{name} {value:.2g}" for name, value in zip(names, constants, strict=False))
    print(f"constants that fit the {len(rows)} times near the crossing, with PROJECT {PROJECT:.2g}: {fitted}")
    print(f"relative residual {residual / np.sqrt(len(rows)):.0%}\n")

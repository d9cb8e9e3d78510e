"""`sample`: values of correlations at finite width."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import assert_never, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from tensorprog.errors import SamplingError
from tensorprog.program import Measure, Program
from tensorprog.readings.auto import READINGS, at_once, needed, reading_of
from tensorprog.readings.costs import free_memory
from tensorprog.readings.draws import check_width
from tensorprog.readings.exact import Request
from tensorprog.readings.inputs import check_data
from tensorprog.readings.joint import Joint
from tensorprog.readings.team import MANY

METHODS = ("auto", "dense", "exact")
NUMBER = 40  # bytes of a result: a value, what it is gathered in and taken from, and sorted for its quantiles


@overload
def sample(
    c: Program,
    data: ArrayLike,
    width: int,
    samples: int,
    seed: int = 0,
    method: str = "auto",
    dtype: DTypeLike = ...,
    together: bool = False,
) -> NDArray[np.float64]: ...


@overload
def sample(
    c: Sequence[Program],
    data: ArrayLike,
    width: int,
    samples: int,
    seed: int = 0,
    method: str = "auto",
    dtype: DTypeLike = ...,
    together: bool = False,
) -> list[NDArray[np.float64]]: ...


def sample(
    c: Program | Sequence[Program],
    data: ArrayLike,
    width: int,
    samples: int,
    seed: int = 0,
    method: str = "auto",
    dtype: DTypeLike = np.float64,
    together: bool = False,
) -> NDArray[np.float64] | list[NDArray[np.float64]]:
    """Independent samples of a correlation (or any scalar program) over the initialisation, at one finite width.

    Parameters
    ----------
    c: a program from `tp.correlation` or `tp.trace` with one output, or a list of them: then a list of arrays is
        returned. A sample is one number for each (seed, width, index, program), whatever else is in the list.
    data: (inputs, d0), or (inputs, positions, d0) for sequences.
    width: n. samples: how many initialisations. seed: of all random streams; sample i has streams of its own, so its
        value depends neither on `samples` nor on how the work is batched.
    method: "dense" draws the matrices, "exact" reveals them product by product, with the same law; "auto" takes the
        faster one (`costs`), or the one that there is: matrices that are not Gaussian need the dense one. The random
        numbers of the two differ.
    dtype: float64 or float32.
    together: reveal the same matrices for all programs of a list, so that the exact reading has their joint law too,
        and does work that they share once; a sample then depends on which programs they are, not on their order.
        Otherwise it reveals matrices for each program by itself, and only the law of each is right. Weights that are
        drawn (in the dense reading all of them) are always the same for all.

    Returns (samples,) float64: signed values for D = 0, Euclidean norms for D = 1, spectral norms (relative error
    1e-6) for D = 2.

    Raises DataError, SamplingError for bad data, widths, counts, seeds or methods, and when half of the free memory is
    not enough for one sample; it then names the largest width that fits.
    """
    programs = [c] if isinstance(c, Program) else list(c)
    if not programs:
        raise SamplingError("the list of correlations is empty; pass at least one program")
    kind = check_request(samples, seed, method, dtype)
    joint = Joint.of([_single(program) for program in programs], together)
    array, *_ = [check_data(program, data) for program in programs]
    n, *_ = [check_width(program, width) for program in programs]
    reading = reading_of(joint, n, array.shape[-1], method)
    most = _held_at_once(joint, n, array.shape[-1], method, samples, kind)
    with np.errstate(over="ignore", invalid="ignore"):
        values = READINGS[reading](joint, array, n, range(samples), Request(seed, kind, most=most))
    if not np.isfinite(values).all():
        raise SamplingError(f"samples at width {n} are not finite: numbers overflow; use smaller inputs or weights")
    found = [as_norms(program, row) for program, row in zip(programs, values, strict=True)]
    return found[0] if isinstance(c, Program) else found


def check_budget(memory: object = None) -> int:
    """Bytes that may be used, half of what is free for None; SamplingError for what is no number of them."""
    if memory is None:
        return free_memory() // 2
    if isinstance(memory, bool) or not isinstance(memory, int | np.integer) or memory < 1:
        raise SamplingError(f"memory={memory!r} must be a positive number of bytes, such as 4 * 2**30")
    return int(memory)


def check_results(counts: Sequence[int], memory: object = None) -> int:
    """Bytes that remain for the work beside so many results; SamplingError when there is no room for the results."""
    limit = check_budget(memory)
    results = NUMBER * sum(map(int, counts))
    if results >= limit:
        raise SamplingError(
            f"the results of {sum(map(int, counts))} samples alone are {results} bytes, {limit} may be used; take "
            "fewer samples, or give more memory"
        )
    return limit - results


def check_memory(
    joint: Joint,
    widths: Sequence[int],
    d0: int,
    method: str,
    budget: int | None = None,
    workers: int = 1,
    samples: Mapping[int, int] = MappingProxyType({}),
    threads: int | None = None,
) -> dict[int, int]:
    """Samples that each of the workers may hold at once, by width, so that all fit the budget together.

    budget: bytes, by default half of what is free. samples: how many there are at a width, where that is known.
    threads: of a worker. Raises SamplingError unless a sample for each worker fits.
    """
    limit = check_budget(budget)
    readings = {n: reading_of(joint, n, d0, method) for n in widths}
    found = {
        n: at_once(joint, n, d0, reading, limit // workers, samples.get(n, MANY), threads)
        for n, reading in readings.items()
    }
    if all(found.values()):
        return found
    needs = {n: workers * needed(joint, n, d0, readings[n], threads) for n in widths if not found[n]}
    worst = max(needs, key=needs.__getitem__)
    fit = ", ".join(str(n) for n in widths if found[n])
    sharing, remedy = (f" in {workers} processes", ", or use fewer workers") if workers > 1 else ("", "")
    raise SamplingError(
        f"width {worst} needs about {needs[worst]} bytes by the {readings[worst]} reading{sharing}, {limit} may be "
        f"used; widths that fit: {fit or 'none of those given'}; use {'them' if fit else 'smaller ones'}, or give more "
        f"memory{remedy}"
    )


def _held_at_once(joint: Joint, width: int, d0: int, method: str, samples: int, dtype: np.dtype[np.floating]) -> int:
    """Samples that one call may hold at once in half of the free memory, or SamplingError when none fits."""
    limit = check_budget()
    room = check_results([samples] * len(joint.programs)) if limit else 0

    def held(n: int) -> int:
        return at_once(joint, n, d0, reading_of(joint, n, d0, method), room, samples, dtype=dtype)

    if found := held(width):
        return found
    sides = [side for program in joint.programs for side in program.widths]
    step = math.lcm(*(side.ratio.denominator for side in sides if side.growing))
    low, high = 0, width // step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if held(middle * step) else (low, middle)
    reading = reading_of(joint, width, d0, method)
    least = needed(joint, width, d0, reading, dtype=dtype)
    advice = f"the largest width that fits is {low * step}; use it, or free memory" if low else "no width fits"
    raise SamplingError(
        f"width {width} needs about {least} bytes by the {reading} reading, {limit} may be used, half of what is "
        f"free; {advice}"
    )


def check_request(samples: object, seed: object, method: str, dtype: DTypeLike) -> np.dtype[np.floating]:
    """Check the arguments every sampling run shares; returns the dtype."""
    if isinstance(samples, bool) or not isinstance(samples, int | np.integer) or samples < 1:
        raise SamplingError(f"samples={samples!r} must be a positive integer")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise SamplingError(f"seed={seed!r} must be a nonnegative integer")
    if method not in METHODS:
        raise SamplingError(f"method={method!r} is not one of {', '.join(METHODS)}")
    for kind in (np.dtype(np.float64), np.dtype(np.float32)):
        if np.dtype(dtype) == kind:
            return kind
    raise SamplingError(f"dtype={dtype!r} is not float64 or float32")


def _single(program: object) -> Program:
    if not isinstance(program, Program):
        raise SamplingError(f"{program!r} is not a Program; pass tp.correlation(program, D, d)")
    if len(program.outputs) > 1:
        labels = ", ".join(program.outputs)
        raise SamplingError(
            f"the program has {len(program.outputs)} outputs ({labels}); pass tp.correlation(program, D, d), or "
            f"program.restricted(['{next(iter(program.outputs))}'])"
        )
    return program


def as_norms(program: Program, values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Values of a program as `sample` returns them: a squared norm is undone."""
    double = np.asarray(values, dtype=np.float64)
    match program.measure:
        case Measure.SQUARED_NORM:
            return np.sqrt(np.maximum(double, 0.0))
        case Measure.VALUE | Measure.OPERATOR:
            return double
        case never:
            assert_never(never)

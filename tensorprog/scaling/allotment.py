"""How many samples each width gets: those that narrow the intervals most for the time they take.

A few pilot samples at every width tell how much log quantiles scatter and how long a sample takes. The slope that
matters is that of an extrapolation in 1/n, whose variance is

    V = (Σ_i N_i X_iᵀ S_i⁻¹ X_i)⁻¹_(11),    X_i = (log n_i, intercepts, corrections n_1/n_i),

with S_i the covariance of one sample and N_i samples at width n_i. Its derivative by N_i is explicit, so samples are
added where Σ V over the correlations falls fastest for a second of work, until the time is used up: an optimal design
with costs (Pukelsheim, Optimal Design of Experiments, chapter 9). Such a design leaves most widths out; a part of the
time is therefore shared evenly, so that a drift that is not of this form is seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tensorprog.scaling.quantiles import Array, points, quantiles

PILOT = 24  # samples a width
STEP = 1.1  # by which the samples at one width grow at a time
MOST = 200_000  # samples a width
RESAMPLES = 500
EVEN = 0.25  # of the time is shared evenly between the widths

Key = tuple[int, int]
"""(group of correlations that are sampled together, width)."""


def information(widths: Sequence[int], samples: Sequence[Array]) -> Array | None:
    """(widths, p, p): what one sample at each width tells about slope, intercepts, corrections; None when nothing."""
    found = quantiles(samples, RESAMPLES, np.random.default_rng(0))
    usable = found.usable()
    if not usable:
        return None
    n = np.array(widths, dtype=np.float64)
    at = points(n, found, usable)
    each = np.eye(len(usable))
    slope = np.repeat(np.log(n)[:, None, None], len(usable), axis=1)
    shapes = [np.ones_like(n)] if len(n) < 3 else [np.ones_like(n), n[0] / n]
    design = np.concatenate([slope, *(shape[:, None, None] * each for shape in shapes)], axis=2)
    one = at.covariance * at.counts[:, None, None]
    informed: Array = design.swapaxes(1, 2) @ np.linalg.solve(one, design)
    return informed


def allot(
    widths: Sequence[int],
    informed: Mapping[int, Sequence[Array]],
    seconds: Mapping[Key, float],
    pilots: Mapping[Key, int],
    budget: float,
) -> dict[Key, int]:
    """Samples for every group and width.

    Parameters
    ----------
    informed: for each group, the `information` of its correlations.
    seconds: a sample takes. pilots: samples that are there already. budget: seconds for all samples beyond those.
    """
    even = {key: min(MOST - pilots[key], int(EVEN * budget / len(pilots) / seconds[key])) for key in pilots}
    counts = {key: pilots[key] + max(0, even[key]) for key in pilots}
    place = {key: widths.index(key[1]) for key in counts}
    left = budget - sum((counts[key] - pilots[key]) * seconds[key] for key in counts)
    while True:
        rates = dict.fromkeys(counts, 0.0)
        for group, matrices in informed.items():
            numbers = np.array([counts[group, n] for n in widths], dtype=np.float64)
            for each in matrices:
                first = np.linalg.pinv(np.einsum("k,kij->ij", numbers, each), hermitian=True)[0]
                falls = np.einsum("i,kij,j->k", first, each, first)
                for n in widths:
                    rates[group, n] += float(falls[place[group, n]]) / seconds[group, n]
        for key in sorted(rates, key=rates.__getitem__, reverse=True):
            more = min(MOST, int(np.ceil(counts[key] * STEP))) - counts[key]
            if more and rates[key] and more * seconds[key] <= left:
                counts[key] += more
                left -= more * seconds[key]
                break
        else:
            return counts

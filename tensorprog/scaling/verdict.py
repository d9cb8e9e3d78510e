"""The verdict on one derived law n^e (log n)^l: an equivalence test on the exponent read off quantiles of ‖C‖.

The samples at width n are divided by (log n)^l, then the exponent of n is read, with the drift that the data show
(`fit`). An exact law is `confirmed` when the interval lies within e ± margin, an upper bound when it lies below
e + margin, and when no finite-width correction that fits the data (`corrections`) allows an exponent further off than
2.5 margins: a quarter, by default. It is `refuted` when the interval lies outside the margin, and so does every
exponent that such a correction allows. Anything else is `inconclusive`, with advice what would settle it.

Intervals are slope ± Student's t times the bootstrap standard error, 95 % for what is shown and for a confirmation,
99 % for what a refutation must survive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy import special

from tensorprog.exponents import UNBOUNDED_LOG, Exponent
from tensorprog.readings.team import single
from tensorprog.scaling.advice import Advice, Reason, advise
from tensorprog.scaling.corrections import REFUTING, Family, Form, Interval, allowed, families_of, profile, union
from tensorprog.scaling.fit import (
    Projection,
    average,
    line,
    linear_fits,
    local_slopes,
)
from tensorprog.scaling.quantiles import LEVELS, Array, Points, log_draws, points, quantiles


class Word(StrEnum):
    """What a measurement says of what was derived."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"


RESAMPLES = 2000
CONFIDENCE = 0.95
REFUTING_CONFIDENCE = 0.99
FEWEST_SAMPLES = 20  # a width that decide; with 10 a bootstrap of quantiles is too narrow
REACH = 2.5  # margins, a quarter by default, within which any correction must leave the exponent of a confirmed law
UNSEEN_FACTOR = 1.5  # with two widths, a 1/n correction up to this factor at the smaller one enters the interval
NOWHERE: Interval = (float("nan"), float("nan"))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What samples say about a derived law; every number here is measured.

    slope, interval: exponent of n after (log n)^l is divided out, finite-width drift included, and its 95 % interval.
    raw_slope, raw_interval: of a straight line through log ‖C‖ as it stands, percentiles of the bootstrap.
    local_slopes, local_errors: between consecutive widths, (log n)^l divided out.
    tight: whether the measurement also excludes exponents below e - margin (True), lies below it (False), or neither.
    method: which fits carry the slope. advice: for an inconclusive verdict, why it is open and what would settle it.
    """

    verdict: Word
    slope: float
    interval: Interval
    raw_slope: float
    raw_interval: Interval
    local_slopes: tuple[float, ...]
    local_errors: tuple[float, ...]
    tight: bool | None
    margin: float
    method: str
    advice: Advice | None = None


@single
def judge(
    widths: Sequence[int],
    samples: Sequence[Array],
    law: Exponent | None,
    *,
    bound: bool,
    margin: float = 0.1,
    reach: float = REACH,
    corrections: Sequence[Family] | None = None,
    floors: Sequence[float] | None = None,
    seed: int = 0,
) -> Verdict:
    """Judge a law by samples of ‖C‖ ≥ 0 at increasing widths.

    Parameters
    ----------
    widths, samples: one array of at least two samples a width, two widths or more.
    law: n^power (log n)^log, or None for a correlation that vanishes identically.
    bound: whether the law is an upper bound only; then exponents below it agree with it.
    margin: half-width of the equivalence test, in powers of n. seed: of the bootstrap.
    reach: how far off, in margins, an exponent may be that a finite-width correction turns into a confirmed law;
        infinite, a confirmation says that the samples agree with the law, and nothing about corrections.
    corrections: the families that a refutation must survive, those of `corrections.families_of` by default.
    floors: at each width, the size up to which a sample is 0 to rounding (`rounding`). Widths where nine samples in ten
        are give no exponent; where fewer than two others are left, there is no verdict.
    """
    if law is None:
        return _vanishing(samples, margin, floors)
    if floors is not None:
        kept = [k for k, values in enumerate(samples) if not _is_rounding(values, floors[k])]
        if len(kept) < 2:
            return _rounding(samples, margin)
        if len(kept) < len(samples):
            rest = [widths[k] for k in kept], [samples[k] for k in kept]
            found_there = judge(*rest, law, bound=bound, margin=margin, reach=reach, corrections=corrections, seed=seed)
            lost = ", ".join(str(n) for k, n in enumerate(widths) if k not in kept)
            return replace(
                found_there, method=f"without n = {lost}, where samples are 0 to rounding; {found_there.method}"
            )
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(len(widths),)))
    found = quantiles(samples, RESAMPLES, generator)
    usable = found.usable()
    if not usable:
        return _no_logarithm(samples, bound, margin)
    n = np.array(widths, dtype=np.float64)
    raw = points(n, found, usable)
    raw_slope, raw_interval = _straight(raw, log_draws(found, usable))
    divided = Points(n, raw.logs - log_factor(law, n)[:, None], raw.covariance, raw.counts)
    slope, error, method = _measured(divided)
    critical = _student(CONFIDENCE, divided)
    interval = _interval(divided, usable, slope, error, critical)
    slopes, errors = local_slopes(divided)
    low = -np.inf if bound else float(law.power) - margin
    high = float(law.power) + margin
    beyond = (reach - 1) * margin
    word: Word = Word.INCONCLUSIVE
    if _inside(interval, low, high):
        families = families_of(divided) if corrections is None else corrections
        reached = allowed(divided, usable, critical, families) if np.isfinite(beyond) else interval
        word = Word.CONFIRMED if _inside(reached, low - beyond, high + beyond) else word
    elif _outside(interval, low, high) and law.log != UNBOUNDED_LOG:
        families = families_of(divided, REFUTING) if corrections is None else corrections
        reached = allowed(divided, usable, _student(REFUTING_CONFIDENCE, divided), families)
        word = Word.REFUTED if _outside(reached, low, high) else word
    least_samples = min(map(len, samples))
    if least_samples < FEWEST_SAMPLES:
        word = Word.INCONCLUSIVE
    least = float(law.power) - margin
    tight = False if interval[1] < least else True if least <= interval[0] and interval[1] <= high else None
    advice = None
    if word == Word.INCONCLUSIVE and law.log == UNBOUNDED_LOG:
        advice = Advice(Reason.LOGARITHM)
    elif word == Word.INCONCLUSIVE and least_samples < FEWEST_SAMPLES:
        advice = Advice(Reason.FEW_SAMPLES, limit=FEWEST_SAMPLES)
    elif word == Word.INCONCLUSIVE:
        advice = advise(divided, usable, slope, interval, low, high, margin, beyond)
    return Verdict(word, slope, interval, raw_slope, raw_interval, slopes, errors, tight, margin, method, advice)


def log_factor(law: Exponent, widths: Array) -> Array:
    """The logarithm of (log n)^l at each width; none of a factor n^{o(1)}, of which only the name is known."""
    log = 0.0 if law.log == UNBOUNDED_LOG else float(law.log)
    return log * np.asarray(np.log(np.log(np.maximum(widths, 2.0))))


def _student(confidence: float, found: Points) -> float:
    return float(special.stdtrit(found.freedom, (1 + confidence) / 2))


def _straight(found: Points, draws: Array) -> tuple[float, Interval]:
    """The straight line through the logarithms, with the percentiles of its bootstrap."""
    algebra = Projection.of(found)
    low, high = np.quantile(algebra.slope(draws), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(algebra.slope(found.logs)), (float(low), float(high))


def _measured(found: Points) -> tuple[float, float, str]:
    """Slope, standard error with drift, and which fits carry it."""
    if len(found.widths) == 2:
        fit = line(found, "")
        words = f"line through two widths; an unseen correction of up to a factor {UNSEEN_FACTOR:g} enters the interval"
        return fit.slope, fit.error, words
    together = average(linear_fits(found))
    return together.slope, together.error, together.describe()


def _interval(found: Points, levels: Sequence[int], slope: float, error: float, critical: float) -> Interval:
    ends = [(slope - critical * error, slope + critical * error)]
    if len(found.widths) == 2:
        for form in (Form.SUM, Form.INVERSE):
            ends.append(profile(found, Family(form, (1.0, 1.0), UNSEEN_FACTOR), levels, critical).interval)
    return union(ends)


def _inside(interval: Interval, low: float, high: float) -> bool:
    return low <= interval[0] and interval[1] <= high


def _outside(interval: Interval, low: float, high: float) -> bool:
    return interval[1] < low or interval[0] > high


def _vanishing(samples: Sequence[Array], margin: float, floors: Sequence[float] | None) -> Verdict:
    """A correlation that vanishes identically: every sample must be 0, exactly or to rounding."""
    largest = max(float(np.abs(values).max()) for values in samples)
    beyond = any(
        np.abs(values).max() > floor for values, floor in zip(samples, floors or [0.0] * len(samples), strict=True)
    )
    word: Word = Word.REFUTED if beyond else Word.CONFIRMED
    method = f"the largest sample is {largest:.3g}, not 0" if beyond else "all samples are exactly 0"
    if largest and not beyond:
        method = f"all samples are 0 to rounding, the largest is {largest:.1g}"
    return Verdict(word, NOWHERE[0], NOWHERE, NOWHERE[0], NOWHERE, (), (), not beyond, margin, method)


def _is_rounding(values: Array, floor: float) -> bool:
    return bool(values.any()) and floor > 0 and float(np.quantile(values, LEVELS[1])) <= floor


def _rounding(samples: Sequence[Array], margin: float) -> Verdict:
    """Rounding errors of something that cancels: their power of n says nothing."""
    largest = max(float(values.max()) for values in samples)
    method = f"all samples are 0 to rounding, the largest is {largest:.1g}"
    advice = Advice(Reason.ROUNDING, limit=largest)
    return Verdict(Word.INCONCLUSIVE, NOWHERE[0], NOWHERE, NOWHERE[0], NOWHERE, (), (), None, margin, method, advice)


def _no_logarithm(samples: Sequence[Array], bound: bool, margin: float) -> Verdict:
    """Quantiles that vanish: below every power of n where all samples do, undecided otherwise."""
    if not any(values.any() for values in samples):
        word: Word = Word.CONFIRMED if bound else Word.REFUTED
        return Verdict(
            word, NOWHERE[0], NOWHERE, NOWHERE[0], NOWHERE, (), (), False, margin, "all samples are exactly 0"
        )
    method = "the median and the 0.9 quantile are 0 at some width; an exponent needs positive ones"
    return Verdict(
        Word.INCONCLUSIVE,
        NOWHERE[0],
        NOWHERE,
        NOWHERE[0],
        NOWHERE,
        (),
        (),
        None,
        margin,
        method,
        Advice(Reason.MOSTLY_ZERO),
    )

"""One test for each kind of step. A true step is refuted only with the small chance that `Runs.critical` sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tensorprog.exponents import Exponent
from tensorprog.program import Program
from tensorprog.proofs.steps import GRADIENT, WHOLE, ProofStep, Summand
from tensorprog.proofs.weights import Differences, drawn, flipped, smallest_width, squared_gradient, values
from tensorprog.scaling.corrections import MODERATE
from tensorprog.scaling.verdict import Word, judge

Array = NDArray[np.float64]
Outcome = tuple[Word, str]
MARGIN = 0.15
CLOSE = 0.05  # a value is confirmed when its tolerance is at most this share of it
PAIRS, WIDTH = 24, 16  # weights and width of sign flips
NETS, NARROW, DIFFERENT = 5, 6, 1e-2  # weights and width of finite differences, and what they must agree to
ROUNDING = 1e-7
NOTHING = 1e-10  # times n^power: rounding errors, whose power of n says nothing
INTERVAL = 1.96  # standard errors in an interval of `judge`


@dataclass(frozen=True)
class Runs:
    """What the tests look at: samples of every subject at every width, all on the same weights.

    critical: standard errors that a deviation must exceed. source, order, programs, data: those of the proof.
    """

    widths: tuple[int, ...]
    samples: Mapping[str, Sequence[Array]]
    critical: float
    seed: int
    source: Program
    order: tuple[int, int, tuple[int, ...]]
    programs: Mapping[str, Program]
    data: Array

    @property
    def n(self) -> Array:
        return np.array(self.widths, dtype=np.float64)

    def scaled(self, subject: str, power: Fraction) -> list[Array]:
        """Samples of n^(-power) subject."""
        return [x * n ** -float(power) for x, n in zip(self.samples[subject], self.n, strict=True)]


def _error(x: Array) -> float:
    return float(np.std(x, ddof=1) / np.sqrt(len(x)))


def definition(step: ProofStep, runs: Runs) -> Outcome:
    """The program against derivatives by finite differences of F, at the same weights of a small net."""
    D, _, points = runs.order
    width = smallest_width(runs.source, NARROW)
    program = runs.programs[WHOLE]
    triples = []
    for sample in range(NETS):
        oracle = Differences(runs.source, runs.data, width, sample, runs.seed)
        weights = {k: v for k, v in oracle.weights(oracle.origin[None]).items() if k in program.parameters}
        by_program = float(values(program, runs.data, width, weights)[0])
        lengths, derivative = oracle.derivative(D, points)
        size = (float(step.factor) * lengths) ** (1 + D)
        triples.append((by_program, size * derivative, size))
    found, expected, sizes = np.array(triples).T
    if not found.any():
        left = float(np.min(np.abs(expected) / sizes))  # not all nets cross a kink
        told = f"finite differences along unit gradients at width {width}: {left:.1g} in the least of {NETS} nets"
        return (Word.CONFIRMED if left < ROUNDING else Word.REFUTED), told
    scale = float(np.median(np.abs(expected))) or float(np.median(np.abs(found))) or 1.0
    apart = float(np.median(np.abs(found - expected))) / scale
    told = f"median difference from finite differences at width {width}, {NETS} nets: {apart:.1g} of the value"
    return (Word.CONFIRMED if apart < DIFFERENT else Word.REFUTED), told


def vanishing(step: ProofStep, runs: Runs) -> Outcome:
    """Samples are zero to rounding."""
    largest = max(float(np.abs(x).max()) for x in runs.samples[step.subject])
    return (Word.REFUTED if largest > NOTHING else Word.CONFIRMED), f"the largest of all samples is {largest:.1g}"


def limit(step: ProofStep, runs: Runs) -> Outcome:
    """The mean against the value, the drift in 1/n extrapolated; and the spread must fall."""
    if step.value is None:
        return Word.INCONCLUSIVE, "the limit has no value"
    scaled = runs.scaled(step.subject, step.power)
    means, errors = np.array([x.mean() for x in scaled]), np.array([_error(x) for x in scaled])
    a, b = runs.n[-2:]
    weights = np.array([-a, b]) / (b - a)
    extrapolated, error = float(weights @ means[-2:]), float(np.hypot(*(weights * errors[-2:])))
    drift = abs(extrapolated - float(means[-1]))
    tolerance = runs.critical * error + drift + step.error + 1e-12 * abs(step.value)
    apart = abs(extrapolated - step.value)
    told = (
        f"mean {means[-1]:.6g} at n = {b:.0f}, extrapolated {extrapolated:.6g} ± {error:.1g}, claimed {step.value:.6g}"
    )
    if apart > tolerance:
        return Word.REFUTED, f"{told}: {apart:.2g} apart, {tolerance:.2g} allowed"
    spread, why = _spread(scaled, step.value, runs.critical)
    if spread != Word.CONFIRMED:
        return spread, f"{told}; {why}"
    if tolerance > CLOSE * abs(step.value):
        return Word.INCONCLUSIVE, f"{told}; the tolerance {tolerance:.2g} is wide, use more samples or larger widths"
    return Word.CONFIRMED, f"{told}; {why}"


def _spread(scaled: Sequence[Array], value: float, critical: float) -> Outcome:
    """Whether what should be constant concentrates as n grows."""
    first, last = scaled[0], scaled[-1]
    before, after = float(np.std(first)), float(np.std(last))
    if after <= 1e-10 * abs(value):
        return Word.CONFIRMED, "the same for all weights"
    noise = np.sqrt(sum(max(float(stats.kurtosis(x)) + 2, 0.5) / (4 * len(x)) for x in (first, last)))
    change = np.log(after / before) if before else 0.0
    told = f"spread {before:.2g} → {after:.2g}"
    if change - critical * noise > -0.1:
        return Word.REFUTED, f"{told} does not fall: no constant"
    return (Word.CONFIRMED if change + critical * noise < 0 else Word.INCONCLUSIVE), told


def zero(step: ProofStep, runs: Runs) -> Outcome:
    """Weights and flipped weights in pairs, to rounding; and the mean of ordinary samples."""
    program = runs.programs[step.subject]
    width = smallest_width(program, WIDTH)
    weights = drawn(program, width, runs.data.shape[-1], PAIRS, runs.seed)
    one, other = (values(program, runs.data, width, w) for w in (weights, flipped(weights, step.flips)))
    scale = float(np.abs(one).max()) or 1.0
    apart = float(np.abs(one + other).max()) / scale
    told = f"{PAIRS} pairs of flipped weights cancel to {apart:.1g} of the largest"
    if apart > ROUNDING and apart * scale > NOTHING * ROUNDING:
        return Word.REFUTED, told.replace("cancel to", "do not cancel, they leave")
    for n, x in zip(runs.widths, runs.samples[step.subject], strict=True):
        if abs(x.mean()) > runs.critical * _error(x):
            return Word.REFUTED, f"{told}, yet the mean at n = {n} is {x.mean():.3g} ± {_error(x):.1g}"
    return Word.CONFIRMED, f"{told}; mean {x.mean():.2g} ± {_error(x):.1g} at n = {n}"


def bound(step: ProofStep, runs: Runs) -> Outcome:
    """Quantiles of the size over the widths; a sum must be that of its terms."""
    if step.dropped and (apart := max(_left(step.dropped, step, runs))) > ROUNDING:
        return Word.REFUTED, f"its terms leave {apart:.1g} of the whole: they are not its sum"
    return _law([np.abs(x) for x in runs.samples[step.subject]], step.power, runs, bound=True)


def _law(sizes: Sequence[Array], power: Fraction, runs: Runs, *, bound: bool) -> Outcome:
    """Quantiles of a size against n^power. Refuting takes the interval of `judge` and the critical value as well.

    A step has a proof: confirmed says that samples agree, not that no correction could imitate its power.
    """
    largest = max(float(np.max(x) * n ** -float(power)) for x, n in zip(sizes, runs.n, strict=True))
    if bound and largest < NOTHING:
        return Word.CONFIRMED, f"0 but for rounding: at most {largest:.1g}·n^{power}"
    power_law = Exponent(power)
    found = judge(
        runs.widths, sizes, power_law, bound=bound, margin=MARGIN, reach=np.inf, corrections=MODERATE, seed=runs.seed
    )
    low, high = found.interval
    told = f"exponent {found.slope:.3f} in [{low:.3f}, {high:.3f}], claimed {'at most ' if bound else ''}{power}"
    if found.tight is not None and bound:
        told += ", tight" if found.tight else ", not tight"
    if found.verdict != Word.REFUTED or not np.isfinite(found.slope):
        return found.verdict, told if np.isfinite(found.slope) else found.method
    far = max(found.slope - float(power), 0 if bound else float(power) - found.slope) - MARGIN
    sure = far > (high - low) / 2 / INTERVAL * runs.critical
    return (Word.REFUTED if sure else Word.INCONCLUSIVE), told


def algebra(step: ProofStep, runs: Runs) -> Outcome:
    """The limit, what the kept terms leave, and the sizes of the dropped ones."""
    word, told = limit(step, runs)
    if word == Word.REFUTED:
        return word, told
    whole = runs.samples[step.subject]
    left, missing = _left(step.kept, step, runs), _left((*step.kept, *step.dropped), step, runs)
    told = f"{told}; the kept terms leave {left[0]:.1g} → {left[-1]:.1g} of the whole"
    if max(missing) > ROUNDING:
        return Word.REFUTED, f"{told}, all terms together {max(missing):.1g}: they are not its sum"
    sizes = [t.size for t in step.dropped if t.size is not None]
    if not sizes:
        return word, told
    if max(sizes) > step.power or any(t.size == step.power and not t.little for t in step.dropped):
        return Word.REFUTED, f"{told}; a dropped term of order n^{max(sizes)} is not smaller"
    for term in step.dropped:
        values = [np.abs(_term(term, runs, i)) for i in range(len(whole))]
        size = step.power if term.size is None else term.size
        law, why = _law(
            [np.broadcast_to(x, w.shape) for x, w in zip(values, whole, strict=True)], size, runs, bound=True
        )
        if law != Word.CONFIRMED:
            return law, f"{told}; dropped {term}: {why}"
    return word, told


def _left(terms: Sequence[Summand], step: ProofStep, runs: Runs) -> list[float]:
    """What the subject less these terms is, as a share of the larger of the two, in the median over the samples."""
    shares = []
    for i, whole in enumerate(runs.samples[step.subject]):
        parts = [_term(term, runs, i) for term in terms]
        size = np.abs(whole) + sum((np.abs(part) for part in parts), np.zeros(1))
        rest = np.abs(whole - sum(parts, np.zeros(1)))
        shares.append(float(np.median(np.divide(rest, size, out=np.zeros_like(rest), where=size > 0))))
    return shares


def _term(term: Summand, runs: Runs, index: int) -> Array:
    result = np.full(1, float(term.coefficient) * runs.n[index] ** float(term.power))
    for name in term.factors:
        result = result * runs.samples[name][index]
    return result


def poincare(step: ProofStep, runs: Runs) -> Outcome:
    """The gradient by finite differences; then both means on the same weights, at every width."""
    apart = _gradient_error(step, runs)
    if apart > DIFFERENT:
        return Word.REFUTED, f"G is {apart:.1g} of itself away from finite differences of S at width {NARROW} or so"
    ratios = []
    for n, s, g in zip(runs.widths, runs.samples[WHOLE], runs.samples[GRADIENT], strict=True):
        excess = s**2 - float(step.factor) * g
        ratios.append(f"{np.mean(s**2) / np.mean(g):.3f}")
        if excess.mean() > runs.critical * _error(excess):
            return Word.REFUTED, f"E S²/E G = {ratios[-1]} at n = {n}, more than {step.factor}"
    told = f"E S²/E G = {', '.join(ratios)}, at most {step.factor} within errors"
    return Word.CONFIRMED, f"{told}; G agrees with finite differences to {apart:.1g}"


def _gradient_error(step: ProofStep, runs: Runs) -> float:
    """The relative difference of G from finite differences of S, in the median over a few small nets."""
    whole, square = runs.programs[WHOLE], runs.programs[GRADIENT]
    width = smallest_width(whole, NARROW)
    weights = drawn(whole, width, runs.data.shape[-1], NETS, runs.seed)
    shares = []
    for i in range(NETS):
        one = {name: entries[i : i + 1] for name, entries in weights.items()}
        expected = squared_gradient(whole, runs.data, width, one, step.parameters)
        found = float(values(square, runs.data, width, {k: one[k] for k in square.parameters})[0])
        shares.append(abs(found - expected) / (abs(expected) or 1.0))
    return float(np.median(shares))


def lower(step: ProofStep, runs: Runs) -> Outcome:
    """The ratio of the two means stays above the constant, and does not decay."""
    if step.value is None:
        return Word.INCONCLUSIVE, "the bound from below has no value"
    least = step.value
    ratios, errors = [], []
    for s, g in zip(runs.samples[WHOLE], runs.samples[GRADIENT], strict=True):
        ratio = float(np.mean(s**2) / np.mean(g))
        ratios.append(ratio)
        errors.append(_error(s**2 - ratio * g) / float(np.mean(g)))
        if ratio + runs.critical * errors[-1] < least:
            return Word.REFUTED, f"E S²/E G = {ratio:.3g} ± {errors[-1]:.1g}, less than {least:g}"
    x = np.log(runs.n) - np.log(runs.n).mean()
    slope = float(x @ np.log(ratios) / (x @ x))
    noise = float(np.linalg.norm(x / (x @ x) * np.array(errors) / np.array(ratios)))
    told = f"E S²/E G = {', '.join(f'{r:.3f}' for r in ratios)}, changing like n^{slope:.2f}"
    if slope + runs.critical * noise < -MARGIN:
        return Word.REFUTED, f"{told}: it decays"
    clear = all(r - runs.critical * e > least for r, e in zip(ratios, errors, strict=True))
    return (Word.CONFIRMED if clear else Word.INCONCLUSIVE), told


def conclusion(step: ProofStep, runs: Runs) -> Outcome:
    """Quantiles of the correlation itself."""
    root = 2 if runs.order[0] else 1
    sizes = [np.abs(x) ** (1 / root) for x in runs.samples[WHOLE]]
    return _law(sizes, step.power, runs, bound=step.status != "definite")


def test(step: ProofStep, runs: Runs) -> Outcome:
    """The test for the kind of this step."""
    later = [i for i in step.premises if not 1 <= i < step.number]
    if later:
        return Word.REFUTED, f"it rests on step {later[0]}, which is not before it"
    return TESTS[step.kind](step, runs)


TESTS: dict[str, Callable[[ProofStep, Runs], Outcome]] = {
    "definition": definition,
    "limit": limit,
    "zero": zero,
    "symmetry": zero,
    "bound": bound,
    "algebra": algebra,
    "poincaré": poincare,
    "lower bound": lower,
    "vanishing": vanishing,
    "conclusion": conclusion,
}

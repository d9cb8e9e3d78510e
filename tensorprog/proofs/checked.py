"""`verify`: every step of a proof tested by Monte Carlo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scipy import stats
from tqdm import tqdm

from tensorprog.errors import SamplingError
from tensorprog.proofs.checks import Array, Runs, test
from tensorprog.proofs.proof import Proof
from tensorprog.proofs.steps import GRADIENT, ProofStep
from tensorprog.proofs.typeset import as_html, as_latex
from tensorprog.readings import sample
from tensorprog.scaling.verdict import Word

CHANCE = 1e-3
"""Of refuting any step of a true proof: shared among all comparisons (Bonferroni), for means that are normal."""
ROUNDS, MORE = 3, 4  # steps that stay open are tested again, twice, each time with four times the samples
COMPARISONS = 2  # at each width, for each step
MARKS: dict[Word, str] = {Word.CONFIRMED: "✓", Word.REFUTED: "✗", Word.INCONCLUSIVE: "?"}


@dataclass(frozen=True, slots=True)
class Check:
    """What Monte Carlo says about one step, with the reason in words and numbers."""

    step: ProofStep
    verdict: Word
    reason: str

    def __str__(self) -> str:
        return f"{self.step}\n     {MARKS[self.verdict]} {self.verdict}: {self.reason}"


@dataclass(frozen=True)
class CheckedProof:
    """A proof with a verdict on every step; all numbers in the reasons are measured."""

    proof: Proof
    checks: tuple[Check, ...]
    widths: tuple[int, ...]
    samples: int
    seed: int

    @property
    def confirmed(self) -> tuple[Check, ...]:
        return self._with(Word.CONFIRMED)

    @property
    def refuted(self) -> tuple[Check, ...]:
        """Steps that the samples contradict."""
        return self._with(Word.REFUTED)

    @property
    def inconclusive(self) -> tuple[Check, ...]:
        return self._with(Word.INCONCLUSIVE)

    def _with(self, verdict: Word) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.verdict == verdict)

    @property
    def summary(self) -> str:
        """The counts, how they were found, and the chance of an error."""
        counts = [f"{len(self._with(word))} {word}" for word in MARKS]
        widths = ", ".join(map(str, self.widths))
        return (
            f"{len(self.checks)} steps: {', '.join(counts)}; {self.samples} initialisations at n = {widths}, up to "
            f"{MORE ** (ROUNDS - 1)} times as many for steps that stay open, seed {self.seed}; a true proof has a step "
            f"refuted with a chance below {CHANCE:g}"
        )

    def __str__(self) -> str:
        return "\n".join([*map(str, self.checks), "", self.summary])

    def _marked(self) -> list[tuple[ProofStep, str]]:
        return [(check.step, f"{check.verdict}: {check.reason}") for check in self.checks]

    def latex(self) -> str:
        """An enumerate environment with the verdicts."""
        return as_latex(self._marked())

    def html(self) -> str:
        """An ordered list with the verdicts; every text is escaped."""
        return as_html(self._marked())

    def _repr_html_(self) -> str:
        return self.html()

    def to_object(self) -> dict[str, Any]:
        """The proof as JSON types, each step with its verdict."""
        found = self.proof.to_object()
        for step, check in zip(found["steps"], self.checks, strict=True):
            step["verdict"], step["reason"] = check.verdict, check.reason
        run = {"widths": list(self.widths), "samples": self.samples, "seed": self.seed, "chance": CHANCE}
        return {**found, "verification": run}


def verify(proof: Proof, data: Array, widths: Sequence[int], samples: int, seed: int, progress: bool) -> CheckedProof:
    """See `Proof.verify`; the data are those that the proof has its values for."""
    chosen = tuple(sorted(set(widths)))
    if len(chosen) < 2 or samples < 20:
        raise SamplingError(
            f"widths={tuple(widths)} and samples={samples}: a step takes two widths and twenty samples at least"
        )
    critical = float(stats.norm.isf(CHANCE / (2 * ROUNDS * COMPARISONS * len(proof.steps) * len(chosen))))
    found: dict[int, Check] = {}
    wanted = list(proof.steps)
    for again in range(ROUNDS):
        runs = _runs(proof, data, wanted, chosen, samples * MORE**again, seed, critical, progress)
        found.update({step.number: Check(step, *test(step, runs)) for step in wanted})
        wanted = [step for step in wanted if found[step.number].verdict == Word.INCONCLUSIVE]
        if not wanted:
            break
    return CheckedProof(proof, tuple(found[step.number] for step in proof.steps), chosen, samples, seed)


def _runs(
    proof: Proof,
    data: Array,
    steps: Sequence[ProofStep],
    widths: tuple[int, ...],
    samples: int,
    seed: int,
    critical: float,
    progress: bool,
) -> Runs:
    """Samples of what these steps speak about."""
    names = {x for step in steps for x in (step.subject, *(x for t in (*step.kept, *step.dropped) for x in t.factors))}
    if any(step.kind in ("poincaré", "lower bound") for step in steps):
        names.add(GRADIENT)
    programs = {name: program for name, program in proof.programs.items() if name in names}
    found: dict[str, list[Any]] = {name: [] for name in programs}
    for n in tqdm(widths, desc=f"{len(steps)} steps", disable=None if progress else True):
        values = sample(list(programs.values()), data, n, samples, seed, together=True)
        for name, drawn in zip(programs, values, strict=True):
            found[name].append(drawn)
    return Runs(widths, found, critical, seed, proof.source, proof.order, proof.programs, data)

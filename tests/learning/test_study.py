"""Training measured against its predictions, and what the report says when they do not agree."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import tensorprog as tp
from tensorprog.architectures import mlp
from tensorprog.errors import TrainingError
from tensorprog.exponents import Exponent
from tensorprog.learning.course import Course, Decay
from tensorprog.learning.predictions import predict
from tensorprog.learning.study import Runs, Study, check_task, claims, lost, settings, table_of
from tensorprog.passes.recipe import Rule
from tensorprog.scaling.sampling import Sampling

HALF, ZERO = Fraction(1, 2), Fraction(0)
DATA = np.random.default_rng(2).standard_normal((5, 8))
DATA *= np.sqrt(8) / np.linalg.norm(DATA, axis=1, keepdims=True)
LABELS = [1.0, -1.0, 1.0]
PROGRAM = tp.trace(mlp, inputs=5, depth=2)
TABLE = table_of(PROGRAM, DATA, 0)


def study(program=PROGRAM, steps=2, widths=(32, 64, 128), samples=60, **options):
    runs = Runs(widths, samples, sampling=Sampling(seed=1))
    return Study(program, DATA, LABELS, 0.5, Rule(**options), steps, runs)


def test_settings_share_the_origin():
    assert settings([-HALF, ZERO], [ZERO, HALF]) == [(ZERO, ZERO), (-HALF, ZERO), (ZERO, HALF)]


def test_theorems_as_quoted():
    """m(n) = n for fixed and n^(2/3) for exponential weak correlations: O(1/m), and O(n^ρ/m)."""
    at = {rho: {c.theorem: c.law.power for c in claims(TABLE, rho)} for rho in (ZERO, -HALF, Fraction(1, 4))}
    assert at[ZERO] == {"3.1": -1, "3.2": -Fraction(2, 3)}
    assert at[-HALF] == {"3.1": -2, "3.2": -Fraction(7, 6)}
    assert at[Fraction(1, 4)] == {"3.2": -Fraction(5, 12)}  # η n^ρ is above every threshold at large n
    for other in (Course(3, decay=Decay(ZERO)), Course(3, momentum=HALF)):
        assert claims(TABLE, ZERO, other) == ()  # they are about steps along the gradient of the loss


def test_outcomes_name_what_was_measured():
    found = study().outcomes(TABLE, ZERO, ZERO)
    assert [(o.prediction.quantity, o.prediction.steps) for o in found] == [
        ("deviation", 1),
        ("deviation", 2),
        ("moved gradient", 2),
    ]
    assert all(o.used == (32, 64, 128) and all(len(values) == 60 for values in o.samples) for o in found)
    objects = [o.to_object() for o in found]
    assert objects[0]["theorems"][0] == {"theorem": "3.1", "exponent": "-1", "log_power": "0", "contradicted": False}


def synthetic(power, widths, factor=1.0, count=20000):
    """Sizes with exact law n^power: half-normal samples."""
    generator = np.random.default_rng(0)
    return [factor * n**power * np.abs(generator.standard_normal(count)) for n in widths]


def test_a_theorem_that_says_too_little_is_contradicted():
    widths = (64, 128, 256, 512, 1024)
    made = study()
    outcome = made.judged(predict(TABLE, 1, HALF), claims(TABLE, HALF), widths, synthetic(0.5, widths))
    assert outcome.verdict.verdict == "confirmed"
    assert {c.theorem: outcome.contradicts(c) for c in outcome.claims} == {"3.2": True}


@pytest.mark.parametrize(("power", "word"), [(-1, "confirmed"), (-1.5, "confirmed"), (-0.5, "refuted")])
def test_a_wrong_prediction_is_refuted(power, word):
    """Predicted n^-1, a bound: smaller ones agree with it, larger ones do not."""
    widths = (64, 128, 256, 512, 1024)
    found = study().judged(predict(TABLE, 2), (), widths, synthetic(power, widths))
    assert found.verdict.verdict == word


def test_widths_below_rounding_are_left_out():
    widths = (64, 128, 256, 512, 1024)
    found = study().judged(predict(TABLE, 2), (), widths, synthetic(-3, widths, lost(300) * 300.0**3))
    assert found.used == (64, 128, 256)
    assert study().judged(predict(TABLE, 2), (), widths, [np.zeros(4)] * 5).verdict is None
    assert lost(4 * 2**20) == 2 * lost(2**20) > 1e-10 > lost(256) > 1e-13


LONG = tuple(2**k for k in range(6, 14))


def corrected(power, correction, log=0):
    """Sizes n^power (log n)^log (1 + correction/n), half-normal."""
    pairs = zip(LONG, synthetic(power, LONG, count=40000), strict=True)
    return [values * np.log(n) ** log * (1 + correction / n) for n, values in pairs]


@pytest.mark.parametrize(("correction", "log", "onset"), [(0, 0, 64), (300, 0, 2048), (300, 1, 2048)])
def test_the_slope_sets_in_where_the_correction_has_died_out(correction, log, onset):
    """n^-1 (1 + 300/n): slopes -1.17 from 1024 to 2048 and -1.095 from there, known to 0.012."""
    law = Exponent(Fraction(-1), Fraction(log))
    found = study().judged(replace(predict(TABLE, 2), law=law), (), LONG, corrected(-1, correction, log))
    assert found.onset == found.to_object()["onset"] == onset


def test_without_the_predicted_slope_there_is_no_onset():
    made, unpredicted = study(), replace(predict(TABLE, 2), law=None)
    assert made.judged(predict(TABLE, 2), (), LONG, corrected(-1.5, 0)).onset is None
    assert made.judged(predict(TABLE, 2), (), LONG, corrected(-1, 0, log=2)).onset is None  # a logarithm not foreseen
    assert made.judged(unpredicted, (), LONG, corrected(-1, 0)).onset is None
    assert made.judged(predict(TABLE, 2), (), LONG, [np.zeros(4)] * len(LONG)).onset is None


def test_growth_is_the_largest_over_steps():
    made = study(samples=20)
    outcome, curves = made.growth(TABLE, 4, (32, 64, 128))
    assert len(curves) == 3 and all(len(curve) == 4 for curve in curves)
    assert all(median >= max(curve) for median, curve in zip(outcome.medians, curves, strict=True))


def test_theorems_are_quoted_of_smooth_nets_only():
    for phi, quoted in ((tp.erf, ["3.1", "3.2"]), (tp.relu, [])):
        program = tp.trace(mlp, inputs=5, depth=2, phi=phi)
        outcome, _ = study(program, samples=2).growth(table_of(program, DATA, 0), 2, (32, 64, 128))
        assert [claim.theorem for claim in outcome.claims] == quoted


def test_the_prediction_may_be_falsified_by_hand():
    """A mutant table: C^{0,3} of the size n^-1/2 predicts a larger deviation than is measured; it is not tight then."""
    entries = tuple(replace(e, exponent=-HALF) if (e.D, e.d) == (0, 3) else e for e in TABLE)
    wrong = predict(replace(TABLE, entries=entries), 1)
    assert wrong.law == Exponent(-HALF)
    widths = (64, 128, 256, 512, 1024)
    assert study().judged(wrong, (), widths, synthetic(-1, widths)).verdict.tight is False


CASES = [("erf", -1), ("relu", -HALF)]


@pytest.mark.long
@pytest.mark.parametrize(("phi", "expected"), CASES)
def test_slopes_agree_with_predictions(phi, expected):
    """Widths 256 to 16384, 150 samples, one and three steps: the interval holds the prediction within the margin."""
    program = tp.trace(mlp, inputs=5, depth=2, phi=getattr(tp, phi))
    table = table_of(program, DATA, 0)
    made = study(program, 3, [2**k for k in range(8, 15)], 150)
    for outcome in made.outcomes(table, ZERO, ZERO)[:2]:
        assert outcome.prediction.law.power == expected
        assert outcome.verdict.verdict != "refuted"
        low, high = outcome.verdict.interval
        assert low - 0.1 < float(expected) < high + 0.1
        assert high - low < 0.6


def test_a_network_of_several_outputs_is_refused_with_the_remedy():
    def heads(x):
        return tp.readout("v", tp.erf(tp.linear("U", x)), outputs=2)

    program = tp.trace(heads, inputs=5)
    with pytest.raises(TrainingError, match="the network has 2 outputs"):
        check_task(program, DATA, np.eye(2))
    one = program.restricted([f"F{i}.0" for i in range(5)])
    assert check_task(one, DATA, LABELS).shape == DATA.shape
    found = Study(one, DATA, LABELS, 0.5, Rule(), 1, Runs((16, 32, 64), 4)).outcomes(table_of(one, DATA, 0), ZERO, ZERO)
    assert found[0].prediction.law == Exponent(Fraction(-1))

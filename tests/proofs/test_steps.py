"""What a proof says: its steps, its forms, and what it refuses."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from html.parser import HTMLParser

import numpy as np
import pytest
from cases import CASES

from tensorprog.architectures import mlp
from tensorprog.errors import DataError, OrderError, ProgramError, SamplingError
from tensorprog.functions import erf, softplus
from tensorprog.limits.definite import derive
from tensorprog.program import Program, trace
from tensorprog.proofs import prove
from tensorprog.proofs.typeset import mathematics, plain

DATA = np.random.default_rng(0).standard_normal((4, 3))


def net(inputs: int, depth: int = 2) -> Program:
    return trace(mlp, inputs=inputs, depth=depth, phi=erf)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize(("D", "d"), [(0, 0), (0, 1), (0, 2), (1, 1)])
def test_a_proof_agrees_with_the_table(case, D, d):
    data = case.data(1)
    points = (0,) * (d + 1)
    program = case.trace(1)
    (entry,) = derive(program, [(D, d)], points, data=data)
    last = prove(program, D, d, points, data=data).conclusion
    assert last.kind == "conclusion"
    assert last.status == {"definite": "definite", "upper bound": "an upper bound"}[entry.status]
    if last.status == "definite":
        assert last.power == entry.exponent


def test_premises_are_earlier_and_reach_the_conclusion():
    steps = prove(net(3), 0, 2, data=DATA).steps
    assert [step.number for step in steps] == list(range(1, len(steps) + 1))
    assert 10 < len(steps) < 40
    for step in steps[1:]:
        assert step.premises and all(i < step.number for i in step.premises)
    kinds = {step.kind for step in steps}
    assert kinds == {"definition", "limit", "zero", "bound", "symmetry", "poincaré", "lower bound", "conclusion"}
    assert all(step.source and step.rule and step.claim for step in steps)


def test_claims_follow_the_quantities():
    steps = prove(net(2), 0, 1, data=DATA).steps
    assert steps[0].claim.startswith("S = C^{0,1}(x_0, x_1), where C is 1 times")
    assert re.match(r"n\^1·s\d+ → 1\.00061\d+ ± .* \(closed form\), where s\d+ = mean", steps[1].claim)
    assert steps[-1].claim == "the exponent of C^{0,1}(x_0, x_1) is 0, definite"


def test_without_data_limits_have_names():
    proof = prove(net(2), 0, 1)
    assert "→ L_2" in proof.steps[1].claim
    assert proof.at(DATA).steps == prove(net(2), 0, 1, data=DATA).steps


def test_the_equations_are_numbered_together():
    proof = prove(net(3), 0, 2, data=DATA)
    left = [str(equation.lhs) for equation in proof.equations]
    expectations = [name for name in left if name.startswith("e_")]
    assert expectations == [f"e_{i}" for i in range(len(expectations))]
    limits = [name for name in left if name.startswith("L_")]
    assert limits == [f"L_{step.number}" for step in proof.steps if step.payload is not None]
    known: set[str] = set()
    for equation in proof.equations:
        used = {str(s) for s in equation.rhs.free_symbols if str(s).startswith("e_")}
        assert used <= known
        known.add(str(equation.lhs))


def test_what_vanishes_at_the_data_is_no_lower_bound():
    proof = prove(trace(mlp, inputs=2, depth=1, phi=erf), 0, 1, data=np.eye(2))
    assert proof.conclusion.status == "an upper bound"
    assert "not told from zero" in proof.conclusion.rule


def test_a_dropped_term_is_named_with_its_bound():
    steps = prove(net(2), 1, 1, data=DATA).steps
    (last,) = [step for step in steps if step.subject == "S" and step.kind == "algebra"]
    assert [term.size for term in last.dropped] == [Fraction(-2)]
    assert last.power == -1 and "dropped, since smaller than n^-1" in last.claim


class Reader(HTMLParser):
    """Counts tags."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)


TAGS = {"ol", "li", "strong", "em", "cite", "br", "sup", "sub", "code"}


@pytest.mark.parametrize(
    ("text", "in_html", "in_latex"),
    [
        ("n^-1/2·S", "n<sup>−1/2</sup>·S", r"$n^{-1/2}$$\cdot$S"),
        ("n^1·s12", "n·<code>s12</code>", r"n$\cdot$\texttt{s12}"),
        ("C^{0,2}(x_0)", "C<sup>0,2</sup>(x<sub>0</sub>)", "$C^{0,2}$($x_{0}$)"),
        ("‖∇_v S‖²", "‖∇<sub>v</sub> S‖²", r"$\|$$\nabla_{v}$ S$\|$$^2$"),
        ("θ_t", "θ<sub>t</sub>", r"$\theta_{t}$"),
        ("-1.5e-07 ± 0.2", "−1.5·10<sup>−7</sup> ± 0.2", r"$-1.5\cdot10^{-7}$ $\pm$ 0.2"),
        ("[-2.1, -∞], E - S, -x3", "[−2.1, −∞], E − S, −<code>x3</code>", None),
        ("quasi-Monte Carlo <b> & v", "quasi-Monte Carlo &lt;b&gt; &amp; v", r"quasi-Monte Carlo $<$b$>$ \& v"),
    ],
)
def test_mathematics_is_set(text, in_html, in_latex):
    assert mathematics(text) == in_html
    assert in_latex is None or plain(text) == in_latex
    assert plain(text).isascii() and plain(text).count("$") % 2 == 0


def test_forms():
    proof = prove(trace(mlp, inputs=2, depth=2, phi=softplus), 1, 1, data=DATA)
    count = len(proof.steps)
    text = str(proof)
    assert text.count("\n     ") == count and "output value = " in text
    tex = proof.latex()
    assert tex.count("\\item") == count and tex.isascii()
    assert tex.count("$") % 2 == 0 and not re.search(r"\^(?![{4\d])", tex.replace(r"\^{}", "").replace(r"\^", ""))
    reader = Reader()
    reader.feed(proof.html())
    assert reader.tags.count("li") == count and set(reader.tags) <= TAGS
    found = json.loads(json.dumps(proof.to_object()))
    assert found["exponent"] == "-1/2" and len(found["steps"]) == count


def test_refusals():
    with pytest.raises(OrderError, match="has bounds, no limit"):
        prove(net(2), 2, 1)
    with pytest.raises(OrderError, match="traced with 2"):
        prove(net(2), 0, 2)
    with pytest.raises(ProgramError, match="not a Program"):
        prove("net", 0, 1)
    proof = prove(net(2), 0, 1)
    with pytest.raises(DataError, match="has no data"):
        proof.verify()
    with pytest.raises(DataError, match="other data"):
        proof.at(DATA).verify(DATA + 1)
    with pytest.raises(SamplingError, match="two widths"):
        proof.verify(DATA, widths=(64,))

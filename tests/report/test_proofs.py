"""Proofs in a report: proved before sampling, every step tested, and shown in every form."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from report.pages import VALID, Page, broken, part, strict

import tensorprog as tp
from tensorprog.errors import OrderError
from tensorprog.proofs import CheckedProof
from tensorprog.report import Report, verification

ORDERS = [(0, 1), (0, 2), (1, 1)]
PROOFS = [(0, 2), (0, 1)]
DATA = np.random.default_rng(7).standard_normal((4, 3))


def bilinear(x):
    return tp.readout("v", tp.linear("U", x))


def verified(proofs=PROOFS, **options) -> Report:
    program = tp.trace(bilinear, inputs=4)
    return tp.verify(program, DATA, ORDERS, (4, 8, 16), 12, 3, proofs=proofs, progress=False, **options)


@pytest.fixture(scope="module")
def report():
    return verified(name="bilinear net")


@pytest.fixture(scope="module")
def refuted(report):
    """The same report, had the second step of the first proof been refuted."""
    proof = report.proofs[0]
    checks = list(proof.checks)
    checks[1] = replace(checks[1], verdict="refuted", reason="mean <1> & no more")
    return replace(report, proofs=(replace(proof, checks=tuple(checks)), *report.proofs[1:]))


@pytest.fixture(scope="module")
def folder(refuted, tmp_path_factory):
    return refuted.save(tmp_path_factory.mktemp("report"))


def test_a_report_holds_checked_proofs(report):
    assert [proof.proof.order for proof in report.proofs] == [(0, 2, (0, 1, 2)), (0, 1, (0, 1))]
    for proof in report.proofs:
        assert isinstance(proof, CheckedProof)
        assert len(proof.confirmed) == len(proof.proof.steps)  # at this seed; each may stay open with a small chance
        assert (proof.widths, proof.seed) == ((256, 1024, 4096), 3)
        assert np.array_equal(proof.proof.data, DATA)
    assert not report.refuted_steps
    assert verified(None).proofs == ()


def test_they_are_what_prove_and_verify_give(report):
    alone = tp.prove(tp.trace(bilinear, inputs=4), 0, 1, data=DATA).verify(seed=3)
    assert report.proofs[1].to_object() == alone.to_object()


def test_points_of_the_run_are_those_of_the_proofs():
    found = verified([(0, 1)], points=(2, 2, 1))
    assert found.proofs[0].proof.order == (0, 1, (2, 2))


def test_widths_fit_the_ratios_of_the_program():
    def third(x):
        return tp.readout("v", tp.linear("W", tp.linear("U", x, width=Fraction(1, 3))))

    program = tp.trace(third, inputs=2)
    found = tp.verify(program, DATA, [(0, 1)], (6, 12), 4, proofs=[(0, 1)], progress=False)
    assert found.proofs[0].widths == (258, 1026, 4098)


@pytest.mark.parametrize(
    ("orders", "message"),
    [([(2, 0)], r"C\^\{2,0\} has bounds"), ([(0, 3)], r"C\^\{0,3\} vanishes identically"), ([0, 2], "proofs=")],
)
def test_what_cannot_be_proved_is_an_error_before_any_limit_is_taken_or_sampled(monkeypatch, orders, message):
    for step in ("with_limits", "Sampling"):
        monkeypatch.setattr(verification, step, lambda *_, **__: pytest.fail("work has started"))
    with pytest.raises(OrderError, match=message):
        verified(orders)


def test_an_upper_bound_is_an_error_before_sampling(monkeypatch):
    monkeypatch.setattr(verification, "Sampling", lambda *_, **__: pytest.fail("sampling has started"))
    with pytest.raises(OrderError, match=r"C\^\{0,1\} cannot be proved .* leave 0,1 out of proofs"):
        tp.verify(tp.trace(bilinear, inputs=4), np.eye(4), [(0, 1)], proofs=[(0, 1)], progress=False)


def test_the_page_shows_every_step_with_its_mark(refuted, folder):
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    section = part(page.source, "<h2>Proofs</h2>", "</section>")
    assert section.count('<details class="proof"') == len(PROOFS)
    for checked in refuted.proofs:
        D, d, _ = checked.proof.order
        shown = part(section, f'id="proof-{D}-{d}"', "<details><summary>Program of the correlation")
        assert shown.count("<li ") == len(checked.checks)
        assert shown.startswith(" open>") == (d == 2)
        for check in checked.checks:
            item = part(shown, f'<li id="proof-{D}-{d}-{check.step.number}" class="', "</li>")
            assert f'<span class="number">{check.step.number}</span>' in item
            assert f"<strong>{check.step.kind}</strong>" in item and check.verdict in item
            assert all(f'href="#proof-{D}-{d}-{i}">({i})</a>' in item for i in check.step.premises)
            assert item.startswith("bad" if check.verdict == "refuted" else "good")
    assert "mean &lt;1&gt; &amp; no more" in section
    assert "1 refuted</span></summary>" in section and "all confirmed</span></summary>" in section
    assert 'C<sup>0,2</sup>: <span class="law">n<sup>−1</sup></span>, definite, in' in section
    assert "<code>s" in section and "e-1" not in section
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in page.values("href") if link.startswith("#")} <= set(ids)


def test_a_refuted_step_is_told_at_the_head_of_the_page(report, refuted, folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    head = part(text, "<header>", "</header>")
    assert '<p class="answer bad">' in head and '<p class="proved bad">' in head and '<p class="proved good">' in head
    assert "0 inconclusive, 1 refuted" in head
    status = part(text, '<table class="details">', "</table>")
    assert status.count(">proof</a>") == len(PROOFS)
    assert [check.step.number for check in refuted.refuted_steps] == [2]
    assert "1 refuted" in Page(refuted._repr_html_()).text
    assert not Page(refuted._repr_html_()).values("href", "id")
    assert "Proofs" not in Page(replace(report, proofs=())._repr_html_()).text


def test_texts_have_a_line_for_each_proof(refuted, folder):
    steps = [len(proof.checks) for proof in refuted.proofs]
    lines = [
        f"C^{{0,2}}: n^-1, a proof of {steps[0]} steps, each tested by simulation: "
        f"{steps[0] - 1} confirmed, 0 inconclusive, 1 refuted",
        f"C^{{0,1}}: n^0, a proof of {steps[1]} steps, each tested by simulation: "
        f"{steps[1]} confirmed, 0 inconclusive, 0 refuted",
    ]
    assert str(refuted).splitlines()[-2:] == lines
    assert [line.rstrip(" .") for line in (folder / "table.md").read_text("utf-8").splitlines()[-2:]] == lines


def test_the_folder_has_a_latex_file_for_each_proof(refuted, folder):
    assert {path.name for path in folder.glob("*.tex")} == {"table.tex", "proof_C_0_2.tex", "proof_C_0_1.tex"}
    for checked in refuted.proofs:
        D, d, _ = checked.proof.order
        text = (folder / f"proof_C_{D}_{d}.tex").read_text(encoding="utf-8")
        assert text.isascii() and text.count("$") % 2 == 0 and text.count(r"\item") == len(checked.checks)
        assert text.count(r"\textbf{confirmed: ") == len(checked.confirmed)


def test_the_json_holds_the_proofs_and_obeys_the_schema(refuted, folder):
    found = strict((folder / "report.json").read_text(encoding="utf-8"))
    VALID.validate(found)
    assert [(p["D"], p["d"], p["exponent"]) for p in found["proofs"]] == [(0, 2, "-1"), (0, 1, "0")]
    for proof, checked in zip(found["proofs"], refuted.proofs, strict=True):
        assert [step["verdict"] for step in proof["steps"]] == [check.verdict for check in checked.checks]
        assert proof["verification"]["widths"] == [256, 1024, 4096]
    assert found["proofs"][0]["steps"][1]["verdict"] == "refuted"


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ((), {"proofs": ...}),
        ((0,), {"surplus": 1}),
        ((0,), {"D": 2}),
        ((0,), {"status": "an upper bound"}),
        ((0,), {"exponent": None}),
        ((0,), {"verification": ...}),
        ((0,), {"steps": []}),
        ((0, "verification"), {"seed": ...}),
        ((0, "verification"), {"surplus": 1}),
        ((0, "steps", 1), {"surplus": 1}),
        ((0, "steps", 1), {"verdict": ...}),
        ((0, "steps", 1), {"verdict": "proved"}),
        ((0, "steps", 1), {"kind": "guess"}),
        ((0, "steps", 1), {"power": -1}),
        ((0, "steps", 1), {"premises": [0]}),
        ((0, "steps", 1), {"value": "1"}),
    ],
)
def test_the_schema_notices_what_is_wrong_with_a_proof(refuted, path, changes):
    found = json.loads(refuted.to_json())
    where = ("proofs", *path) if path else ()
    assert not VALID.is_valid(broken(found, *where, **changes))


def test_the_same_seed_gives_the_same_proofs(report):
    assert [p.to_object() for p in verified().proofs] == [p.to_object() for p in report.proofs]

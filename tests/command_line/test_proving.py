"""`tensorprog prove` on the command line."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from command_line.place import QUICK, VALID, snapshot, strict

from tensorprog.report import verification
from tensorprog.scaling import sampling

VERIFY = f"verify mlp -o depth=1 --inputs x.npy {QUICK} --orders 0,1"


def test_prove_prints_and_tests_a_proof(run):
    command = "prove mlp -o depth=1 -D 0 -d 1 --inputs x.npy"
    code, out, err = run(command)
    assert (code, err) == (0, "")
    assert out.startswith("(1) definition: S = C^{0,1}(x_0, x_1)") and "definite" in out
    code, out, err = run(f"{command} --verify")
    assert code == 0
    assert "5 steps: 5 confirmed, 0 refuted, 0 inconclusive" in out
    assert run(f"{command} --format latex")[1].startswith("\\begin{enumerate}")
    assert run(f"{command} --format html")[1].lstrip().startswith("<ol")
    assert strict(run(f"{command} --json")[1])["d"] == 1


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("prove mlp -D 2 -d 1 --inputs x.npy", "has bounds, no limit"),
        ("prove mlp -D 0 -d 1", "--inputs"),
        ("prove mlp -D 0 -d 1 --inputs nope.npy", "do not exist"),
        ("prove mlp -D 0 -d 1 --inputs x.npy --widths 4,2 --verify", "increasing"),
        ("prove mlp -D -1 -d 1 --inputs x.npy", "-1"),
    ],
)
def test_proofs_of_what_is_wrong(run, command, message):
    code, out, err = run(command)
    assert (code, out) == (2, "")
    assert message in err and err.count("\n") == 1


def test_verify_proves_what_it_is_asked_to(run, place):
    code, out, err = run(f"{VERIFY} --proofs 0,1 1,1 --points 0 0 --out results")
    assert (code, err) == (0, "")
    for order in ("C^{0,1}: n^0", "C^{1,1}: n^-1/2"):
        assert f"\n{order}, a proof of 5 steps, each tested by simulation: 5 confirmed" in out
    assert {path.name for path in Path("results").glob("proof*")} == {"proof_C_0_1.tex", "proof_C_1_1.tex"}
    found = strict(Path("results/report.json").read_text(encoding="utf-8"))
    VALID.validate(found)
    assert [proof["points"] for proof in found["proofs"]] == [[0, 0], [0, 0]]
    assert "--proofs 0,1 1,1" in found["run"]["command"]


def test_proofs_may_need_more_inputs_than_the_orders(run):
    code, out, err = run(f"{VERIFY} --proofs 0,2 --json")
    assert (code, err) == (0, "")
    assert strict(out)["proofs"][0]["points"] == [0, 1, 2]


def test_exit_code_1_when_a_step_is_refuted(run, monkeypatch):
    """A proof whose first limit has the wrong value; the measured exponents are right."""
    honest = verification.definite_proofs

    def wrong(*arguments):
        (proof,) = honest(*arguments)
        steps = tuple(replace(s, value=2 * s.value) if s.kind == "limit" else s for s in proof.steps)
        return (replace(proof, steps=steps),)

    monkeypatch.setattr(verification, "definite_proofs", wrong)
    code, out, err = run(f"{VERIFY} --proofs 0,1")
    assert (code, err) == (1, "")
    assert re.search(r"^1 correlation: .*, 0 refuted$", out, re.MULTILINE)
    assert re.search(r"^C\^\{0,1\}: n\^0, a proof .* 2 refuted$", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--proofs", "--proofs has no values; give pairs D,d such as --proofs 0,2 1,1, or leave it out for none"),
        ("--proofs 2", "--proofs '2' is no pair D,d"),
        ("--proofs 2,0", "C^{2,0} has bounds, no limit to prove"),
        ("--proofs 0,4", "3 inputs, but C^{0,4} needs 5; give more inputs, choose orders with --proofs such as 0,2"),
        ("--proofs 0,3 --points 0 0 0", "C^{0,3} takes 4 points x_0…x_3, 3 were given"),
        ("--proofs 0,9999", "10000 inputs are asked for"),
        ("--proofs 0,1 --patience 1e-9", "C^{0,1} cannot be proved at these data, only the upper bound n^0"),
        ("-o phi=identity --proofs 0,3 --points 0 0 0 0", "C^{0,3} vanishes identically"),
    ],
)
def test_what_cannot_be_proved_is_said_before_sampling(run, place, monkeypatch, options, message):
    monkeypatch.setattr(sampling, "measure", lambda *_, **__: pytest.fail("sampling has started"))
    before = snapshot(place)
    code, out, err = run(f"{VERIFY} {options} --out results")
    assert (code, out) == (2, "")
    assert message in err and err.count("\n") == 1
    assert snapshot(place) == before

"""`tensorprog prove` on the command line."""

from __future__ import annotations

import pytest
from command_line.place import strict


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

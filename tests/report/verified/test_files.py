"""The folder of a report: strict JSON by the schema, exact repetition."""

from __future__ import annotations

import json
from fractions import Fraction

import jsonschema
import numpy as np
import pytest
from report.pages import DOCS, SCHEMA, VALID, broken, strict
from report.verified.bilinear import ORDERS, VANISHING, WIDTHS, verified

from tensorprog.program.text import read
from tensorprog.report import Report

FILES = {"report.html", "scaling.svg", "report.json", "table.md", "table.tex", "program.txt", "data.npy", "samples.npz"}


def test_a_report_is_these_files(report, folder):
    assert isinstance(report, Report)
    assert {path.name for path in folder.iterdir()} == FILES
    assert read((folder / "program.txt").read_text(encoding="utf-8")) == report.program
    assert np.array_equal(np.load(folder / "data.npy"), report.data)
    with np.load(folder / "samples.npz") as samples:
        assert len(samples.files) == len(ORDERS) * len(WIDTHS)
        for m in report.measurements:
            for width, values in zip(WIDTHS, m.samples, strict=True):
                assert np.array_equal(samples[f"C_{m.entry.D}_{m.entry.d}_n{width}"], values)


def test_the_json_is_strict_and_obeys_the_schema(report, folder):
    text = (folder / "report.json").read_text(encoding="utf-8")
    found = strict(text)
    assert found == strict(report.to_json())
    VALID.validate(found)
    assert [(c["D"], c["d"]) for c in found["correlations"]] == ORDERS
    for c, m in zip(found["correlations"], report.measurements, strict=True):
        assert len(c["points"]) == c["d"] + 1
        assert len(c["widths"]) == len(c["samples"]) == len(c["medians"]) == len(c["quantile_90_errors"]) == 3
        if m.entry.exponent is not None:
            assert Fraction(c["exponent"]) == m.entry.exponent
            assert c["slope"] == m.verdict.slope
            assert c["medians"] == pytest.approx([np.median(values) for values in m.samples])
    VALID.validate(strict(report.table.to_json()))


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ((), {"surplus": 1}),
        ((), {"kind": "table"}),
        ((), {"run": ...}),
        ((), {"kappa": 0}),
        ((), {"correlations": ...}),
        ((), {"weak_correlations": []}),
        (("run",), {"surplus": 1}),
        (("run",), {"seed": ...}),
        (("run",), {"widths": [8]}),
        (("run",), {"data_digest": "12"}),
        (("run", "options"), {"depth": 3}),
        (("correlations", 1), {"surplus": 1}),
        (("correlations", 1), {"exponent": -1}),
        (("correlations", 1), {"exponent": "-2/4x"}),
        (("correlations", 1), {"exponent": "-1.5"}),
        (("correlations", 1), {"exponent": None}),
        (("correlations", 1), {"status": "proved"}),
        (("correlations", 1), {"verdict": "maybe"}),
        (("correlations", 1), {"verdict": ...}),
        (("correlations", 1), {"derivation": []}),
        (("correlations", 1), {"interval": [0.0]}),
        (("correlations", 1), {"slope": "-1"}),
        (("correlations", 1), {"medians": [None, None, None]}),
        (("correlations", 1), {"D": 3}),
        (("correlations", 1, "derivation", 0), {"surplus": 1}),
        (("correlations", 1, "derivation", 0), {"rule": ...}),
        (("weak_correlations", 0), {"predicate": "exponential"}),
        (("weak_correlations", 0), {"surplus": 1}),
    ],
)
def test_the_schema_notices_what_is_wrong(report, path, changes):
    found = report.to_object()
    plain = json.loads(report.to_json())
    VALID.validate(plain)
    assert not VALID.is_valid(broken(plain, *path, **changes))
    assert set(found) == set(plain)


def test_the_schema_is_one_and_its_fields_are_documented():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    text = (DOCS / "json.md").read_text(encoding="utf-8")

    def fields(part):
        if isinstance(part, dict):
            yield from part.get("properties", {})
            for value in part.values():
                yield from fields(value)
        elif isinstance(part, list):
            for value in part:
                yield from fields(value)

    names = set(fields(SCHEMA))
    assert len(names) > 40
    assert not {name for name in names if f"`{name}`" not in text}


def timeless(report, text):
    """A page without the time that was taken."""
    shown_time = f"<dd>{report.run.seconds:g} s</dd>"
    assert text.count(shown_time) == 1
    return text.replace(shown_time, "")


def test_the_same_seed_gives_the_same_report(report, folder, tmp_path):
    again = verified(name="bilinear net")
    for m, other in zip(report.measurements, again.measurements, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(m.samples, other.samples, strict=True))
    (tmp_path / "report.html").write_text("an older report, to be replaced")
    assert again.save(str(tmp_path)) == tmp_path
    for name in ("table.md", "table.tex", "program.txt", "data.npy"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
    one, two = (strict((place / "report.json").read_text(encoding="utf-8")) for place in (folder, tmp_path))
    assert (one["run"].pop("seconds"), two["run"].pop("seconds")) == (report.run.seconds, again.run.seconds)
    assert one == two
    one, two = ((place / "report.html").read_text(encoding="utf-8") for place in (folder, tmp_path))
    assert timeless(report, one) == timeless(again, two)


def test_another_seed_gives_other_numbers(report):
    found, before = verified(1, name="bilinear net").to_object(), report.to_object()
    assert (found["run"].pop("seed"), before["run"].pop("seed")) == (1, 0)
    del found["run"]["seconds"], before["run"]["seconds"]
    assert found["run"] == before["run"]
    for new, old in zip(found["correlations"], before["correlations"], strict=True):
        vanishing = (old["D"], old["d"]) in VANISHING
        assert (new["medians"] == old["medians"]) == vanishing

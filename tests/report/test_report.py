"""Reports: every correlation in every form, one self-contained page, strict JSON, exact repetition."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import jsonschema
import numpy as np
import pytest
from report.pages import DOCS, SCHEMA, VALID, Page, broken, part, strict

import tensorprog as tp
from tensorprog.errors import OrderError
from tensorprog.program.text import read
from tensorprog.readings.layout import latex_law
from tensorprog.report import Report, figures
from tensorprog.report.html import page as written
from tensorprog.report.tables import latex

FILES = {"report.html", "scaling.svg", "report.json", "table.md", "table.tex", "program.txt", "data.npy", "samples.npz"}
ORDERS = [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (2, 0)]
VANISHING = [(0, 3), (1, 2)]
WIDTHS = (4, 8, 16)


def bilinear(x):
    """v·Ux: everything of third order vanishes identically, the rest does not."""
    return tp.readout("v", tp.linear("U", x))


def verified(seed=0, **options):
    data = np.random.default_rng(7).standard_normal((4, 3))
    return tp.verify(tp.trace(bilinear, inputs=4), data, ORDERS, WIDTHS, 12, seed, progress=False, **options)


@pytest.fixture(scope="module")
def report():
    return verified(name="bilinear net")


@pytest.fixture(scope="module")
def folder(report, tmp_path_factory):
    return report.save(tmp_path_factory.mktemp("reports") / "new" / "folder")


@pytest.fixture(scope="module")
def page(folder):
    return Page((folder / "report.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def refuted(report):
    """The same report, had every verdict on a nonvanishing correlation been a refutation."""
    changed = tuple(
        m if m.entry.exponent is None else replace(m, verdict=replace(m.verdict, verdict="refuted"))
        for m in report.measurements
    )
    return replace(report, measurements=changed)


@pytest.fixture
def plain_figures(monkeypatch):
    """Pages without drawings, for tests of their words."""
    monkeypatch.setattr(figures, "scaling", lambda _: "<svg></svg>")
    monkeypatch.setattr(figures, "kappa", lambda _: "<svg></svg>")


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


def test_the_page_loads_nothing_and_runs_nothing(page):
    assert not {"script", "iframe", "object", "embed", "img", "base", "form"} & set(page.tags)
    assert not page.values("src", "srcset", "action", "data", "poster", "ping", "background")
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    links = page.values("href", "xlink:href")
    assert all(link.startswith("#") or link == "data:," for link in links)
    assert not re.search(r"@import|url\((?!#)", page.source)
    assert not re.search(r"javascript:|<\?|http-equiv", page.source)
    without_namespaces = re.sub(r'xmlns(:\w+)?="[^"]*"', "", page.source)
    assert not re.findall(r"(?:https?:)?//\w[^\s\"'<]*", without_namespaces)


def test_every_reference_of_the_page_has_one_target(page):
    ids = Counter(page.values("id"))
    assert max(ids.values()) == 1
    links = {link[1:] for link in page.values("href", "xlink:href") if link.startswith("#")}
    assert links and links <= set(ids)
    assert set(re.findall(r"url\(#([^)]*)\)", page.source)) <= set(ids)
    assert {f"C-{D}-{d}" for D, d in ORDERS} <= links


def test_the_page_has_a_figure_a_derivation_and_a_cell_for_every_correlation(report, page):
    assert page.source.startswith("<!DOCTYPE html>")
    assert "<title>bilinear net: derivative correlations</title>" in page.source
    assert page.tags["svg"] == len(ORDERS) + 3  # the program, the exponents against κ, and all together
    grid = part(page.source, '<table class="grid"', "</table>")
    for m in report.measurements:
        anchor = f"C-{m.entry.D}-{m.entry.d}"
        figure = part(page.source, f'<figure class="plot" id="{anchor}">', "</figure>")
        assert figure.count("<svg") == 1
        assert f"derived {shown(m)} ({m.entry.status})" in figure
        cell = part(grid, f'href="#{anchor}">', "</td>")
        bounded = f"O({shown(m)})" if m.entry.status == "upper bound" else shown(m)
        assert cell.startswith(f"{bounded}</a>")
        assert m.verdict.verdict in cell
        details = part(page.source, f"<details><summary>C<sup>{m.entry.D},{m.entry.d}</sup>", "</details>")
        assert details.count("<li>") == len(m.entry.derivation.steps)
        assert all(step.node in details for step in m.entry.derivation.steps)
    assert page.tags["details"] == len(ORDERS) + 1
    assert str(report.program.restricted(["F0"])) in page.source.replace("&#39;", "'")


LAWS = {(0, 1): "n<sup>0</sup>", (0, 2): "n<sup>−1</sup>", (1, 1): "n<sup>−1/2</sup>", (2, 0): "n<sup>−1/2</sup>"}


def shown(m):
    return LAWS.get((m.entry.D, m.entry.d), "0")


def test_the_page_says_how_to_repeat_the_run(report, page):
    run = report.run
    for text in (
        *("seed 0", "widths 4, 8, 16", "samples a width 12; 2 where D = 2", "4 × 3", run.data_digest),
        *(run.program_digest, run.cpu, f"python {run.versions['python']}", f"numpy {np.__version__}"),
        f"scipy {run.versions['scipy']}",
    ):
        assert text in page.text
    assert re.search(r"\d+ (BLAS )?threads", page.text)
    assert run.blas and all(text in page.text for text in run.blas)
    assert "None" not in page.text
    assert "command" not in page.text


def test_libraries_are_listed_in_one_order_with_their_versions(monkeypatch):
    """Their order in memory depends on what was imported first, and OpenMP does not tell its version."""
    loaded = [
        {"user_api": "openmp", "internal_api": "openmp", "version": None, "num_threads": 2},
        {"user_api": "blas", "internal_api": "openblas", "version": "0.3.31", "num_threads": 2},
        {"user_api": "blas", "internal_api": "mkl", "version": "2025.1", "num_threads": 2},
    ]
    listed = []
    for order in (loaded, loaded[::-1]):
        monkeypatch.setattr(sys.modules["tensorprog.report.machine"], "threadpool_info", lambda order=order: order)
        listed.append(verified().run.blas)
    assert listed[0] == listed[1]
    assert sorted(text for text in listed[0] if "openmp" not in text) == ["mkl 2025.1", "openblas 0.3.31"]
    assert not any("None" in text for text in listed[0])


def test_names_and_commands_cannot_put_markup_on_the_page(report, plain_figures):
    name = "<script>alert(1)</script>&amp;'\"><img src=x>"
    run = replace(report.run, architecture=name, command="tensorprog verify <file>:net", inputs="a&b.csv")
    hostile = replace(report, run=run)
    for text in (written(hostile), hostile._repr_html_()):
        found = Page(text)
        assert not {"script", "img"} & set(found.tags)
        assert "<script>alert(1)</script>&amp;" in found.text
    found = Page(written(hostile))
    assert "<pre>tensorprog verify &lt;file&gt;:net</pre>" in found.source
    assert "4 × 3, a&b.csv" in found.text


def test_the_markdown_table_has_every_entry(report, folder):
    text = (folder / "table.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert lines[0] == "| D | d | derived | status | measured slope | verdict | tight |"
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert [(row[0], row[1]) for row in rows] == [(str(D), str(d)) for D, d in ORDERS]
    for row, m in zip(rows, report.measurements, strict=True):
        assert len(row) == 7
        assert row[2:4] == [str(m.entry), m.entry.status]
        assert row[5] == m.verdict.verdict
    assert text.startswith("# bilinear net\n")
    assert "6 correlations: " in text


def test_the_latex_table_has_every_entry_in_ascii(report, folder):
    text = (folder / "table.tex").read_text(encoding="utf-8")
    assert text.isascii()
    assert text.startswith(r"\begin{tabular}{rrlllll}") and text.endswith("\\end{tabular}\n")
    assert text.count("{") == text.count("}") and text.count("$") % 2 == 0
    assert "%" not in text and "_" not in text
    rows = [line.removesuffix(r" \\").split(" & ") for line in text.splitlines() if re.match(r"\d & \d & ", line)]
    assert [(row[0], row[1]) for row in rows] == [(str(D), str(d)) for D, d in ORDERS]
    for row, m in zip(rows, report.measurements, strict=True):
        assert len(row) == 7
        assert row[2:4] == [latex_law(m.entry), m.entry.status]
        assert row[5] == m.verdict.verdict
    assert "$n^{-1/2}$" in text


def test_the_text_has_every_entry_and_the_advice(report):
    text = str(report)
    for m in report.measurements:
        assert re.search(rf"^{m.entry.D}  {m.entry.d}  {re.escape(str(m.entry))} ", text, re.MULTILINE)
        assert m.verdict.advice in text
    assert any(m.verdict.advice for m in report.measurements)
    assert "0 refuted" in text


def test_the_fragment_for_notebooks_is_a_table_without_figures(report):
    fragment = Page(report._repr_html_())
    assert (fragment.tags["table"], fragment.tags["svg"], fragment.tags["script"]) == (1, 0, 0)
    assert "bilinear net" in fragment.text and "6 correlations: " in fragment.text
    assert fragment.source.count('class="badge"') == len(ORDERS)
    assert not fragment.values("href", "src", "id")


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


def test_a_correlation_that_vanishes_identically_is_shown_as_0(report, folder, page):
    for order in VANISHING:
        m = report[order]
        assert (m.entry.exponent, m.entry.status) == (None, "definite")
        assert (m.verdict.verdict, m.verdict.tight) == ("confirmed", True)
        assert all((values == 0).all() for values in m.samples)
        assert f"| {order[0]} | {order[1]} | 0 | definite | — | confirmed |" in (folder / "table.md").read_text()
        assert f"{order[0]} & {order[1]} & $0$ & definite & --- & confirmed" in (folder / "table.tex").read_text()
        (entry,) = [c for c in strict(report.to_json())["correlations"] if (c["D"], c["d"]) == order]
        for field in ("exponent", "log_power", "slope", "interval", "raw_slope", "raw_interval"):
            assert entry[field] is None
        assert entry["medians"] == [0.0] * 3
        figure = part(page.source, f'id="C-{order[0]}-{order[1]}">', "</figure>")
        assert "all samples are exactly 0" in figure
        assert "nan" not in figure.lower().replace("dominant", "")
    assert not re.search(r"\b(nan|inf)\b", page.text)


def test_an_operator_that_vanishes_identically_can_be_verified():
    data = np.random.default_rng(7).standard_normal((4, 3))
    found = tp.verify(tp.trace(bilinear, inputs=4), data, [(0, 1), (2, 1)], WIDTHS, 4, progress=False)
    assert found[2, 1].entry.exponent is None
    assert found[2, 1].verdict.verdict == "confirmed"
    assert found[0, 1].entry.exponent == 0


def test_a_refutation_is_said_in_words_everywhere(report, refuted, plain_figures, tmp_path):
    assert not report.refuted
    assert [(m.entry.D, m.entry.d) for m in refuted.refuted] == [(0, 1), (0, 2), (1, 1), (2, 0)]
    folder = refuted.save(tmp_path)
    found = Page((folder / "report.html").read_text(encoding="utf-8"))
    assert "6 correlations: 2 confirmed, 0 inconclusive, 4 refuted" in found.text
    assert '<p class="answer bad">' in found.source
    against = "but measurement contradicts"
    assert f"{against} C1,1" in found.text or f"{against} C0,2" in found.text
    grid = part(found.source, '<table class="grid"', "</table>")
    assert grid.count('<td class="bad">') == 4
    assert grid.count("✗</span> refuted") == 4
    for text in (str(refuted), (folder / "table.md").read_text(encoding="utf-8")):
        assert "4 refuted" in text and against in text
    assert (folder / "table.tex").read_text().count("& refuted &") == 4
    verdicts = [c["verdict"] for c in strict((folder / "report.json").read_text(encoding="utf-8"))["correlations"]]
    assert Counter(verdicts) == {"refuted": 4, "confirmed": 2}
    assert "4 refuted" in Page(refuted._repr_html_()).text
    assert against not in str(report)


def test_a_report_answers_by_order(report):
    assert report[1, 1].entry is report.table[1, 1]
    with pytest.raises(OrderError, match=r"\(4, 4\)"):
        report[4, 4]


def test_logarithms_and_infinite_ones_are_written_in_every_form(report, plain_figures):
    """Classes that this small net does not have, put into its table."""
    laws = {
        (0, 1): (Fraction(0), Fraction(1, 2), "(log n)<sup>1/2</sup>", r"$n^{0} (\log n)^{1/2}$"),
        (0, 2): (Fraction(-1), Fraction(1), "n<sup>−1</sup> log n", r"$n^{-1} \log n$"),
        (1, 1): (Fraction(-1, 2), None, "n<sup>−1/2+o(1)</sup>", r"$n^{-1/2+o(1)}$"),
        (2, 0): (Fraction(1), Fraction(0), "n", r"$n^{1}$"),
    }
    measurements = []
    for m in report.measurements:
        power, log, *_ = laws.get((m.entry.D, m.entry.d), (None, None))
        measurements.append(replace(m, entry=replace(m.entry, exponent=power, log_power=log)))
    table = replace(report.table, entries=tuple(m.entry for m in measurements))
    other = replace(report, table=table, measurements=tuple(measurements))
    text = written(other)
    for (D, d), (_, _, in_html, in_latex) in laws.items():
        assert f'href="#C-{D}-{d}">{in_html}</a>' in text
        assert f"{D} & {d} & {in_latex} &" in latex(other)
    VALID.validate(strict(other.to_json()))

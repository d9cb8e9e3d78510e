"""The page: self-contained, every correlation, how to repeat the run."""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
from report.pages import Page, part
from report.verified.bilinear import ORDERS, shown, verified

from tensorprog.report.html import page as written


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

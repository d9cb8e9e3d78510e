"""The page of a report in a real browser: nothing fails to load, everything is there, and it can be seen."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

import tensorprog as tp

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
BROWSERS = (*CHROMIUM, "firefox")
FOUND = next(((name, path) for name in BROWSERS if (path := shutil.which(name))), None)
WIDTH, HEIGHT = 1280, 1400
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--virtual-time-budget=5000", "--enable-logging=stderr", "--v=0", f"--window-size={WIDTH},{HEIGHT}"),
)
MEASURED = """
<script>
document.querySelectorAll("details").forEach(e => { e.open = true; });
const wide = [...document.querySelectorAll("*")].filter(e => !e.closest("svg"))
    .filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0 && getComputedStyle(e).display != "inline");
const names = wide.map(e => e.tagName.toLowerCase() + (e.className ? "." + e.className : ""));
document.body.setAttribute("data-cut", names.join(" "));
addEventListener("load", () => {
    const loaded = performance.getEntriesByType("resource").map(e => e.name);
    document.body.setAttribute("data-loaded", loaded.join(" "));
});
</script>
"""
BROKEN = """<script>throw new Error("a planted error")</script><img src="http://missing.invalid/picture.png" alt="">"""

pytestmark = pytest.mark.skipif(FOUND is None, reason=f"needs a browser: none of {', '.join(BROWSERS)} is installed")
chromium_only = pytest.mark.skipif(
    FOUND is not None and FOUND[0] not in CHROMIUM, reason="only Chromium prints the document and its console"
)


def net(x):
    h = tp.linear("W", tp.tanh(tp.linear("U", x)))
    return tp.readout("v", tp.tanh(h))


@pytest.fixture(scope="module")
def report():
    """Correlations up to d = 4 and one with a long name, so that the table is as wide as it gets."""
    data = np.random.default_rng(0).standard_normal((5, 4))
    orders = [(0, 1), (0, 2), (0, 3), (0, 4), (1, 0), (2, 2)]
    program = tp.trace(net, inputs=5)
    options = {"proofs": [(0, 1)], "patience": 5, "progress": False, "name": "a net of two layers"}
    return tp.verify(program, data, orders, (8, 16, 32), 10, **options)


@pytest.fixture(scope="module")
def folder(report, tmp_path_factory):
    return report.save(tmp_path_factory.mktemp("report"))


@dataclass(frozen=True)
class Visit:
    """What a browser made of a page: the document afterwards, what the console said, a picture."""

    document: str
    console: list[str]
    picture: Path


def visit(page, place):
    """Open a file without a network, with a fresh profile."""
    name, browser = FOUND
    picture = place / "page.png"
    if name == "firefox":
        flags = ["--headless", "--no-remote", "--profile", str(place), f"--window-size={WIDTH},{HEIGHT}"]
        subprocess.run([browser, *flags, "--screenshot", str(picture), page.as_uri()], check=True, timeout=100)
        return Visit("", [], picture)
    profile = f"--user-data-dir={place / 'profile'}"
    offline = "--host-resolver-rules=MAP * ~NOTFOUND"
    command = [browser, *FLAGS, profile, offline, f"--screenshot={picture}", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, check=True, timeout=100)
    lines = done.stderr.decode(errors="replace").splitlines()
    return Visit(done.stdout.decode(), [line for line in lines if "CONSOLE" in line], picture)


@pytest.fixture(scope="module")
def seen(folder, tmp_path_factory):
    return visit(folder / "report.html", tmp_path_factory.mktemp("visit"))


@pytest.fixture(scope="module")
def changed(folder, tmp_path_factory):
    """A visit of a changed copy of the page: something put at the end of its body."""

    def opened(end):
        place = tmp_path_factory.mktemp("changed")
        text = (folder / "report.html").read_text(encoding="utf-8")
        assert text.count("</body>") == 1
        (place / "changed.html").write_text(text.replace("</body>", f"{end}</body>"), encoding="utf-8")
        return visit(place / "changed.html", place)

    return opened


@chromium_only
def test_the_console_is_silent(seen):
    assert seen.console == []


@chromium_only
def test_the_console_is_heard(changed):
    """The test above can fail: a planted error is noticed, and so is a picture from elsewhere by the one below."""
    seen = changed(BROKEN + MEASURED)
    assert any("a planted error" in line for line in seen.console)
    assert re.search(r'data-loaded="([^"]*)"', seen.document)[1] == "http://missing.invalid/picture.png"


@chromium_only
def test_the_document_is_whole(report, seen):
    assert "<title>a net of two layers: derivative correlations</title>" in seen.document
    assert re.search(r"<h1>\s*a net of two layers\s*</h1>", seen.document)
    assert seen.document.count("<svg") == seen.document.count("</svg>") == len(report.measurements) + 3
    for m in report.measurements:
        assert f'id="C-{m.entry.D}-{m.entry.d}"' in seen.document
    assert seen.document.rstrip().endswith("</html>")


@chromium_only
def test_nothing_is_cut_off_on_a_wide_screen_and_nothing_else_is_loaded(changed):
    document = changed(MEASURED).document
    assert re.search(r'data-cut="([^"]*)"', document)[1] == ""
    assert re.search(r'data-loaded="([^"]*)"', document)[1] == ""


def test_the_picture_shows_something(seen):
    image = np.round(255 * imread(seen.picture)[..., :3]).astype(int)
    assert image.shape == (HEIGHT, WIDTH, 3)
    colors, counts = np.unique(image @ [65536, 256, 1], return_counts=True)
    assert len(colors) > 50
    assert 0.3 * counts.sum() < counts.max() < 0.97 * counts.sum()
    ink = image @ [65536, 256, 1] != colors[counts.argmax()]
    assert all(band.sum() > 500 for band in np.array_split(ink, 4))


@chromium_only
def test_the_page_of_linear_learning_is_whole_silent_and_not_cut_off(tmp_path):
    """Seven learning rates, so that its table is as wide as by default."""
    data = np.random.default_rng(0).standard_normal((3, 4))
    program = tp.trace(net, inputs=3)
    rates = {"learning_rate": 0.5, "rhos": [i / 4 for i in range(-4, 3)], "patience": 0, "growth": 4}
    sizes = {"steps": 2, "widths": (8, 16, 32), "samples": 4, "progress": False, "name": "a net of two layers"}
    page = tp.linearity(program, data, [1.0, -1.0], **rates, **sizes).save(tmp_path) / "linearity.html"
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("</body>", f"{MEASURED}</body>"), encoding="utf-8")
    seen = visit(page, tmp_path)
    assert seen.console == []
    assert "<title>a net of two layers: does it learn linearly?</title>" in seen.document
    assert seen.document.count("<svg") == seen.document.count("</svg>") == 3
    assert re.search(r'data-cut="([^"]*)"', seen.document)[1] == ""
    assert re.search(r'data-loaded="([^"]*)"', seen.document)[1] == ""

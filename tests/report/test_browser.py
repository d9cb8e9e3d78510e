"""The page of a report in a real browser: nothing fails to load, everything is there, and it can be seen."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

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
const wide = [...document.querySelectorAll("*")].filter(e => !e.closest("svg") && !e.closest("details"))
    .filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0 && getComputedStyle(e).display != "inline");
const names = wide.map(e => e.tagName.toLowerCase() + (e.className ? "." + e.className : ""));
document.body.setAttribute("data-cut", names.join(" "));
</script>
"""
BROKEN = """<script>throw new Error("a planted error")</script><img src="missing.png" alt="">"""

pytestmark = pytest.mark.skipif(FOUND is None, reason=f"needs a browser: none of {', '.join(BROWSERS)} is installed")
chromium_only = pytest.mark.skipif(
    FOUND is not None and FOUND[0] not in CHROMIUM, reason="only Chromium prints the document and its console"
)


def net(x):
    h = tp.linear("W", tp.tanh(tp.linear("U", x)))
    return tp.readout("v", tp.tanh(h))


@pytest.fixture(scope="module")
def report():
    """All fourteen correlations, so that the page is as wide and long as usual."""
    data = np.random.default_rng(0).standard_normal((5, 4))
    return tp.verify(tp.trace(net, inputs=5), data, None, (8, 16, 32), 10, progress=False, name="a net of two layers")


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


def pixels(picture):
    """Height, width and bytes (height, width, channels) of a PNG of eight bits a channel, without interlacing."""
    data = picture.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height, depth, color, *_, interlace = struct.unpack(">IIBBBBB", data[16:29])
    assert (depth, interlace) == (8, 0)
    channels = {2: 3, 6: 4}[color]
    place, packed = 8, b""
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        packed += data[place + 8 : place + 8 + length] if data[place + 4 : place + 8] == b"IDAT" else b""
        place += 12 + length
    rows = np.frombuffer(zlib.decompress(packed), dtype=np.uint8).reshape(height, 1 + width * channels)
    image = np.zeros((height + 1, width + 1, channels), dtype=np.uint8)
    for y, (kind, line) in enumerate(zip(rows[:, 0], rows[:, 1:].reshape(height, width, channels), strict=True), 1):
        above = image[y - 1, 1:]
        if kind == 1:
            image[y, 1:] = np.cumsum(line, axis=0, dtype=np.uint8)
        elif kind == 2:
            image[y, 1:] = line + above
        elif kind:
            left, corner = np.zeros(channels, dtype=int), np.zeros(channels, dtype=int)
            for x in range(width):
                up = above[x].astype(int)
                guess = (left + up) // 2 if kind == 3 else _paeth(left, up, corner)
                image[y, x + 1] = (line[x] + guess) & 255
                left, corner = image[y, x + 1].astype(int), up
        else:
            image[y, 1:] = line
    return image[1:, 1:]


def _paeth(left, up, corner):
    guess = left + up - corner
    a, b, c = abs(guess - left), abs(guess - up), abs(guess - corner)
    return np.where((a <= b) & (a <= c), left, np.where(b <= c, up, corner))


@chromium_only
def test_the_console_is_silent(seen):
    assert seen.console == []


@chromium_only
def test_the_console_is_heard(changed):
    """The test above can fail: a planted error and a missing picture are noticed."""
    lines = changed(BROKEN).console
    assert any("a planted error" in line for line in lines)
    assert any("ERR_FILE_NOT_FOUND" in line or "Not allowed" in line for line in lines)


@chromium_only
def test_the_document_is_whole(report, seen):
    assert "<title>a net of two layers: derivative correlations</title>" in seen.document
    assert re.search(r"<h1>\s*a net of two layers\s*</h1>", seen.document)
    assert seen.document.count("<svg") == seen.document.count("</svg>") == len(report.measurements) + 2
    for m in report.measurements:
        assert f'id="C-{m.entry.D}-{m.entry.d}"' in seen.document
    assert seen.document.rstrip().endswith("</html>")


@chromium_only
def test_nothing_is_cut_off_on_a_wide_screen(changed):
    document = changed(MEASURED).document
    assert re.search(r'data-cut="([^"]*)"', document)[1] == ""


def test_the_picture_shows_something(seen):
    image = pixels(seen.picture)
    assert image.shape[:2] == (HEIGHT, WIDTH)
    colors, counts = np.unique(image[..., :3].reshape(-1, 3), axis=0, return_counts=True)
    assert len(colors) > 50
    assert counts.max() < 0.97 * counts.sum()
    ink = (image[..., :3].astype(int) - colors[counts.argmax()]).any(axis=-1)
    assert ink[: HEIGHT // 2].sum() > 1000 and ink[HEIGHT // 2 :].sum() > 1000

"""What tests of reports have at hand: the schema, a reader of pages, strict JSON."""

from __future__ import annotations

import json
from collections import Counter
from copy import deepcopy
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA = json.loads((DOCS / "report.schema.json").read_text(encoding="utf-8"))
VALID = jsonschema.Draft202012Validator(SCHEMA)
VOID = {"meta", "link", "br", "img", "hr", "input", "col"}


class Page(HTMLParser):
    """Tags, attributes and text of a document; refuses tags that do not match."""

    def __init__(self, text):
        super().__init__()
        self.source, self.tags, self.attributes, self.words, self.open = text, Counter(), [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.handle_startendtag(tag, attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attributes]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.words.append(" " if tag in ("dt", "dd", "td", "th", "p", "li", "h1", "h2") else "")

    def handle_data(self, data):
        if "style" not in self.open and "svg" not in self.open:
            self.words.append(data)

    @property
    def text(self):
        return " ".join("".join(self.words).split())

    def values(self, *names):
        return [value for _, name, value in self.attributes if name in names]


def strict(text):
    """The JSON value that a text is; NaN and Infinity are none."""

    def refuse(word):
        raise ValueError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def part(text, start, end):
    """What stands between two marks, the first after the other."""
    return text.partition(start)[2].partition(end)[0]


def broken(found, *path, **changes):
    """A copy with fields of the object at `path` replaced, or left out where the change is `...`."""
    copy = deepcopy(found)
    place = copy
    for key in path:
        place = place[key]
    for name, value in changes.items():
        if value is ...:
            del place[name]
        else:
            place[name] = value
    return copy


def fixtures(make, name):
    """A report, the folder it is saved in, and the page of that name: one for all tests of a session."""

    @pytest.fixture(scope="session")
    def report():
        return make()

    @pytest.fixture(scope="session")
    def folder(report, tmp_path_factory):
        return report.save(tmp_path_factory.mktemp("reports") / "new" / "folder")

    @pytest.fixture(scope="session")
    def page(folder):
        return Page((folder / name).read_text(encoding="utf-8"))

    return report, folder, page

"""A small run of `tp.linearity`, and what tests of its report have at hand."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import jsonschema
import numpy as np
from referencing import Registry, Resource
from report.pages import DOCS, SCHEMA, part

import tensorprog as tp

REGISTRY = Registry().with_resource("report.schema.json", Resource.from_contents(SCHEMA))
VALID = jsonschema.Draft202012Validator(
    json.loads((DOCS / "linearity.schema.json").read_text(encoding="utf-8")), registry=REGISTRY
)
WIDTHS = (16, 32, 64)
HALF, QUARTER, ZERO = Fraction(1, 2), Fraction(1, 4), Fraction(0)


def net(x):
    return tp.readout("v", tp.erf(tp.linear("U", x)))


DATA = np.random.default_rng(0).standard_normal((3, 4))
PROGRAM = tp.trace(net, inputs=3)


def learned(program=PROGRAM, **options):
    given = {"steps": 2, "learning_rate": 0.5, "rhos": [-1, QUARTER], "kappas": [HALF], "growth": 5, "patience": 5}
    given |= {"widths": WIDTHS, "samples": 6, "progress": False, "name": "small net", **options}
    return tp.linearity(program, DATA, [1.0, -1.0], **given)


def section(text, name):
    return part(text, f'<section id="{name}">', "</section>")


def seen(report, rho=0, kappa=0, steps=2, contradicted=frozenset(), **verdict):
    """The report, had one measurement come out otherwise."""
    one = report.at(rho, kappa, steps=steps)
    changed = replace(one, verdict=replace(one.verdict, **verdict), contradicted=contradicted)
    return replace(report, outcomes=tuple(changed if o is one else o for o in report.outcomes))

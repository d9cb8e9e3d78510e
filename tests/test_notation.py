"""Laws, orders and prose in plain text, HTML, LaTeX and mathtext, by one renderer."""

from __future__ import annotations

from fractions import Fraction
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.mathtext import MathTextParser

from tensorprog.exponents import Exponent
from tensorprog.notation import HTML, LATEX, MATHTEXT, PLAIN, law, order, orders, prose

HALF = Fraction(1, 2)
LAWS = [
    (Exponent(-1), "n^-1", "n<sup>−1</sup>", "$n^{-1}$", "n$^{−1}$"),
    (Exponent(1), "n^1", "n", "$n$", "n"),
    (Exponent(0), "n^0", "n<sup>0</sup>", "$n^{0}$", "n$^{0}$"),
    (Exponent(-HALF), "n^-1/2", "n<sup>−1/2</sup>", "$n^{-1/2}$", "n$^{−1/2}$"),
    (Exponent(-1, 1), "n^-1 (log n)^1", "n<sup>−1</sup> log n", r"$n^{-1} \log n$", "n$^{−1}$ log n"),
    (
        Exponent(1, -2),
        "n^1 (log n)^-2",
        "n (log n)<sup>−2</sup>",
        r"$n (\log n)^{-2}$",
        "n (log n)$^{−2}$",
    ),
    (Exponent(0, HALF), "(log n)^1/2", "(log n)<sup>1/2</sup>", r"$(\log n)^{1/2}$", "(log n)$^{1/2}$"),
    (Exponent(0, 1), "(log n)^1", "log n", r"$\log n$", "log n"),
    (Exponent(-1, inf), "n^(-1+o(1))", "n<sup>−1+o(1)</sup>", "$n^{-1+o(1)}$", "n$^{−1+o(1)}$"),
    (Exponent(HALF, -inf), "n^(1/2-o(1))", "n<sup>1/2−o(1)</sup>", "$n^{1/2-o(1)}$", "n$^{1/2−o(1)}$"),
    (None, "0", "0", "$0$", "0"),
]


@pytest.mark.parametrize(("size", "plain", "html", "latex", "mathtext"), LAWS, ids=lambda x: str(x))
def test_a_law_in_four_forms(size, plain, html, latex, mathtext):
    assert [law(size, form) for form in (PLAIN, HTML, LATEX, MATHTEXT)] == [plain, html, latex, mathtext]
    assert size is None or str(size) == plain


@settings(deadline=None)
@given(st.fractions(-9, 9, max_denominator=12), st.fractions(-9, 9, max_denominator=12) | st.sampled_from([inf, -inf]))
def test_every_law_is_well_formed(power, log):
    size = Exponent(power, log)
    MathTextParser("agg").parse(law(size, MATHTEXT))
    latex, html = law(size, LATEX), law(size, HTML)
    assert latex.isascii() and latex[0] == latex[-1] == "$" and latex.count("$") == 2
    assert html.count("<sup>") == html.count("</sup>") and "^" not in html and "-" not in html
    assert prose(law(size), HTML) == html


def test_orders():
    assert order(1, 2) == "C^{1,2}" and order(1, 2, HTML) == "C<sup>1,2</sup>" and order(1, 2, LATEX) == "$C^{1,2}$"
    assert orders([(0, 2)]) == "C^{0,2}"
    assert orders([(0, 2), (1, 1), (1, 2)]) == "C^{0,2}, C^{1,1} and C^{1,2}"


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("η n^(ρ)/m < 1", "η n<sup>ρ</sup>/m &lt; 1"),
        ("|F − F_lin|, λ_max and ‖∇²F − ∇²F_0‖", "|F − F<sub>lin</sub>|, λ<sub>max</sub> and ‖∇²F − ∇²F<sub>0</sub>‖"),
        ("(1.23 ± 0.04)·10^-3", "(1.23 ± 0.04)·10<sup>−3</sup>"),
        ("n^-1 (log n)^1, n^(-1+o(1))", "n<sup>−1</sup> log n, n<sup>−1+o(1)</sup>"),
        ("lim n^1 C^{0,3} = -0.2 ± 5e-15", "lim n C<sup>0,3</sup> = −0.2 ± 5·10<sup>−15</sup>"),
        ("a well-known <b>", "a well-known &lt;b&gt;"),
    ],
)
def test_prose(text, html):
    assert prose(text, HTML) == html

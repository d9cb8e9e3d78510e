"""Products of Gaussians and functions inside functions: written in parts, kernels are those of one expression."""

from __future__ import annotations

import numpy as np
import pytest

import tensorprog as tp

X = np.array([[1.0, 0.4], [-0.3, 1.1]])

PRODUCTS = {
    "sin(z**2)": lambda u: tp.sin(u * u),
    "tanh(z*sigmoid(z))": lambda u: tp.tanh(u * tp.sigmoid(u)),
    "erf(z*erf(z))": lambda u: tp.erf(u * tp.erf(u)),
    "tanh(z**3)": lambda u: tp.tanh(u * u * u),
    "z*tanh(z**2)": lambda u: u * tp.tanh(u * u),
}


@pytest.mark.parametrize("which", ["ntk", "nngp"])
@pytest.mark.parametrize("text", list(PRODUCTS))
def test_kernels_are_those_of_one_expression(text, which):
    parts, whole = PRODUCTS[text], tp.expression(text)
    found, expected = (
        tp.kernel(tp.trace(lambda x, f=f: tp.readout("v", f(tp.linear("U", x))), inputs=2), X, which=which)
        for f in (parts, whole)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_two_layers_of_gates():
    def net(x, gate):
        return tp.readout("v", gate(tp.linear("W", gate(tp.linear("U", x)))))

    parts, whole = (lambda u: tp.tanh(u * tp.erf(u))), tp.expression("tanh(z*erf(z))")
    found, expected = (tp.kernel(tp.trace(net, inputs=2, gate=gate), X) for gate in (parts, whole))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_product_of_two_layers_inside_a_function():
    """Var F for F = v·tanh(a b), a and b independent: E tanh(ab)², by an independent rule in two dimensions."""
    program = tp.trace(lambda x: tp.readout("v", tp.tanh(tp.linear("U", x) * tp.linear("V", x))), inputs=2)
    z, weight = np.polynomial.hermite_e.hermegauss(120)
    scale = (X**2).mean(1)
    for i in range(2):
        truth = np.einsum("i,j,ij->", weight, weight, np.tanh(np.outer(z, z) * scale[i]) ** 2) / (2 * np.pi)
        assert tp.kernel(program, X, which="nngp", tolerance=1e-6)[i, i] == pytest.approx(truth, rel=1e-6)

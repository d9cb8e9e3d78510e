"""Derivative correlations by nested forward-over-reverse autodiff, at given weights: the slow, independent definition.

With G = ∇F(x_0) and frozen directions w_1…w_k, nested Jacobian-vector products of G hold all its mixed derivatives
∂_{w_S} G, S ⊆ {1…k}. Contracted with one more gradient they are the D = 0 correlations.
"""

from __future__ import annotations

from math import factorial

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree


class Autodiff:
    """C^{D,d} of forward(theta, x) at the points x_0, x_1, … of `data`, all in unit-variance coordinates.

    `c` are exponents of learning rates n^(-c) by parameter, `frozen` parameters that do not learn.
    """

    def __init__(self, forward, theta, data, n, c=None, frozen=()):
        rates = {
            name: np.full(np.shape(value), 0.0 if name in frozen else float(n) ** -(c or {}).get(name, 0))
            for name, value in theta.items()
        }
        self.flat, self.unravel = ravel_pytree({k: jnp.asarray(v) for k, v in theta.items()})
        self.rate = ravel_pytree(rates)[0]

        def F(flat, x):
            return forward(self.unravel(flat), x)

        self.gradient = jax.grad(F)
        self.value = float(F(self.flat, data[0]))
        self.data = data
        self.gradients = [self.rate * self.gradient(self.flat, x) for x in data]

    def derivatives(self, directions):
        """Entry number i is the derivative of G along the directions of the bits set in i."""

        def current(flat):
            return self.gradient(flat, self.data[0])

        for direction in directions:
            current = _along(current, direction)
        return jax.tree.leaves(current(self.flat))

    def scalars_and_norms(self, points):
        """({d: C^{0,d}}, {d: ‖C^{1,d}‖}) at these points, for d up to their number."""
        chosen = [self.gradients[p] for p in points[1:]]
        found = self.derivatives(chosen)
        scalars, norms = {0: self.value}, {}
        for d in range(len(points)):
            top = found[2**d - 1] / factorial(d)
            norms[d] = float(jnp.sqrt(jnp.sum(self.rate * top**2)))
            if d + 1 < len(points):
                scalars[d + 1] = float(top @ chosen[d]) / (d + 1)
        return scalars, norms

    def operators(self, points, u):
        """{d: C^{2,d} u} for a direction u given by parameter, as arrays by parameter."""
        root = jnp.sqrt(self.rate)
        u = root * ravel_pytree({k: jnp.asarray(v) for k, v in u.items()})[0]
        found = self.derivatives([u, *(self.gradients[p] for p in points[1:])])
        return {d: self.unravel(root * found[2 ** (d + 1) - 1] / (2 * factorial(d))) for d in range(len(points))}

    def matrix(self, points):
        """C^{2,d} as a matrix, d + 1 points, by its columns."""
        root = jnp.sqrt(self.rate)
        d = len(points) - 1

        def column(u):
            return root * self.derivatives([root * u, *(self.gradients[p] for p in points[1:])])[-1]

        return jax.vmap(column)(jnp.eye(len(root))) / (2 * factorial(d))


def _along(function, direction):
    return lambda flat: jax.jvp(function, (flat,), (direction,))

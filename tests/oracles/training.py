"""Training by JAX's own autodiff, at given weights: whole arrays, and the linear model by Jacobian products."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

LOSSES = {
    "squared": lambda f, y: 0.5 * jnp.sum((f - y) ** 2),
    "logistic": lambda f, y: jnp.sum(jnp.logaddexp(0.0, -y * f)),
    "cross_entropy": lambda f, y: -jnp.sum(y * jax.nn.log_softmax(f)),
    "log(cosh(F - y))": lambda f, y: jnp.sum(jnp.log(jnp.cosh(f - y))),
}


class Training:
    """forward(theta, x) -> (k,) trained on the first inputs; unit-variance coordinates, rates n^(-c) by parameter."""

    def __init__(self, forward, theta, data, n, targets, loss, rates, batches, momentum, decay, kappa, rho, c=None):
        flat, unravel = ravel_pytree({k: jnp.asarray(v) for k, v in theta.items()})
        self.metric = ravel_pytree(
            {k: np.full(np.shape(v), n ** -float((c or {}).get(k, 0))) for k, v in theta.items()}
        )[0]
        self.start, self.root = flat, jnp.sqrt(self.metric)
        self.rates = [rate * n ** float(2 * kappa + rho) for rate in rates]
        self.data, self.batches, self.momentum, self.decay = data, batches, momentum, decay
        targets = jnp.asarray(targets, dtype=float).reshape(len(targets), -1)

        def outputs(flat):
            return n ** -float(kappa) * jnp.stack([jnp.atleast_1d(forward(unravel(flat), x)) for x in data])

        def linear(flat):
            value, change = jax.jvp(outputs, (self.start,), (flat - self.start,))
            return value + change

        def mean_loss(model, flat, batch):
            f = model(flat)
            return sum(LOSSES[loss](f[i], targets[i]) for i in batch) / len(batch)

        self.outputs, self.linear = outputs, linear
        self.slope = {
            model: jax.jit(jax.grad(lambda flat, batch, m=model: mean_loss(m, flat, batch)), static_argnums=1)
            for model in (outputs, linear)
        }

    def run(self, model):
        """Weights after each step."""
        flat, buffer, found = self.start, jnp.zeros_like(self.start), []
        for rate, batch in zip(self.rates, self.batches, strict=True):
            buffer = self.momentum * buffer + self.metric * (self.slope[model](flat, tuple(batch)) + self.decay * flat)
            flat = flat - rate * buffer
            found.append(flat)
        return found

    def gradient(self, flat, point):
        """∇F at one input, weighted by the roots of the rates."""
        return self.root * jax.grad(lambda f: self.outputs(f)[point, 0])(flat)

    def hessian_product(self, flat, point, u):
        return self.root * jax.jvp(jax.grad(lambda f: self.outputs(f)[point, 0]), (flat,), (self.root * u,))[1]

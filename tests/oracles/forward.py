"""Forward passes written by hand in jax.numpy, one an architecture, independent of the library.

Each takes `theta`, unit-variance parameters by name, and one input x, (d0,) or (positions, d0), and applies its own
scalings: every weight is divided by the root of its fan-in.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

jax.config.update("jax_enable_x64", True)

ACTIVATIONS = {
    "erf": jax.scipy.special.erf,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "gelu": lambda z: 0.5 * z * (1 + jax.scipy.special.erf(z / 2**0.5)),
    "softplus": lambda z: jnp.logaddexp(z, 0.0),
    "sin": jnp.sin,
    "relu": lambda z: jnp.where(z > 0, z, 0.0),
    "identity": lambda z: z,
}


def dense(theta, name, h, std, bias_std=0.0):
    """h (…, fan-in) -> (…, fan-out)."""
    weight = theta[name]
    out = std / weight.shape[-1] ** 0.5 * (h @ weight.T)
    return out + bias_std * theta[f"{name}.bias"] if bias_std else out


def mlp(theta, x, depth, phi, weight_std=1.0, bias_std=0.0):
    h = x
    for name in ["U"] + [f"W{layer}" for layer in range(1, depth)]:
        h = phi(dense(theta, name, h, weight_std, bias_std))
    return dense(theta, "v", h, weight_std, bias_std)


def mlp_bias(theta, x, depth, phi, weight_std=1.0, bias_std=0.5):
    return mlp(theta, x, depth, phi, weight_std, bias_std)


def resnet(theta, x, depth, phi, weight_std=1.0, bias_std=0.0):
    h = dense(theta, "U", x, weight_std, bias_std)
    for block in range(1, depth):
        h = h + dense(theta, f"W{block}", phi(h), weight_std, bias_std)
    return dense(theta, "v", phi(h), weight_std, bias_std)


def rnn(theta, x, depth, phi, weight_std=1.0, bias_std=0.0):
    n = theta["v"].shape[0]
    signals = x
    for layer in range(1, depth + 1):
        state, outputs = jnp.zeros(n), []
        recurrent = weight_std * n**-0.5 * theta[f"W{layer}"]
        for signal in signals:
            state = phi(recurrent @ state + dense(theta, f"U{layer}", signal, weight_std, bias_std))
            outputs.append(state)
        signals = jnp.stack(outputs)
    return dense(theta, "v", signals[-1], weight_std, bias_std)


def transposed(theta, x, depth, phi, weight_std=1.0, bias_std=0.0):
    n = theta["v"].shape[0]
    W = weight_std * n**-0.5 * theta["W"]
    h = dense(theta, "U", x, weight_std, bias_std)
    for layer in range(1, depth):
        h = (W if layer % 2 else W.T) @ phi(h)
    return dense(theta, "v", phi(h), weight_std, bias_std)


def layernorm_mlp(theta, x, depth, phi, weight_std=1.0, bias_std=0.0):
    h = x
    for name in ["U"] + [f"W{layer}" for layer in range(1, depth)]:
        h = dense(theta, name, h, weight_std, bias_std)
        h = phi((h - jnp.mean(h)) / jnp.sqrt(jnp.var(h)))
    return dense(theta, "v", h, weight_std, bias_std)


def glu(theta, x, depth, phi, weight_std=1.0, bias_std=0.0):
    h = x
    for layer in range(1, depth + 1):
        gate, value = (dense(theta, f"{letter}{layer}", h, weight_std, bias_std) for letter in "WV")
        h = phi(gate) * value
    return dense(theta, "v", h, weight_std, bias_std)


def conv(theta, x, depth, phi, weight_std=1.0, bias_std=0.0):
    h = x
    for layer in range(1, depth + 1):
        kernel = jnp.stack([theta[f"W{layer}_{tap}"] for tap in ("m1", "0", "p1")])
        windows = jnp.stack([jnp.roll(h, 1, axis=0), h, jnp.roll(h, -1, axis=0)])
        h = jnp.einsum("kpi,koi->po", windows, kernel) * weight_std / (3 * h.shape[1]) ** 0.5
        h = phi(h + bias_std * theta[f"W{layer}_0.bias"] if bias_std else h)
    return dense(theta, "v", h.mean(axis=0), weight_std, bias_std)


def attention(theta, x, depth, phi, weight_std=1.0, bias_std=0.0, scaling="n", tied=False):
    n = theta["v"].shape[0]
    tokens = x
    for layer in range(1, depth + 1):
        q, k, v = (
            dense(theta, f"W_{letter}{layer}", tokens, weight_std, bias_std) for letter in ("QQV" if tied else "QKV")
        )
        scores = jax.nn.softmax(q @ k.T / (n if scaling == "n" else n**0.5), axis=1)
        tokens = phi(dense(theta, f"W_O{layer}", scores @ v, weight_std, bias_std))
    return dense(theta, "v", tokens.mean(axis=0), weight_std, bias_std)

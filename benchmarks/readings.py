"""A sample of C^{0,4}, five distinct inputs, erf MLP of depth 3, float64: exact against dense, JAX, bare drawing."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from functools import partial

import numpy as np

import tensorprog as tp
from tensorprog.architectures import mlp
from tensorprog.readings.costs import fastest
from tensorprog.readings.exact import batch_size, products

DATA = np.random.default_rng(0).standard_normal((5, 10))


def seconds(task: Callable[[], object], repeats: int = 3) -> float:
    """The least of some runs, after one that does not count."""
    task()
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        task()
        found.append(time.perf_counter() - start)
    return min(found)


def jax_sample(width: int) -> Callable[[], object]:
    """∇⁴F[g, g, g, g]/4! at one input by nested jvp, jitted, weights drawn inside; compiled by the first call."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    x = jnp.asarray(DATA[0])

    def forward(theta: dict[str, jax.Array]) -> jax.Array:
        h = jax.scipy.special.erf(theta["U"] @ x / len(x) ** 0.5)
        for name in ("W1", "W2"):
            h = jax.scipy.special.erf(theta[name] @ h / width**0.5)
        return theta["v"] @ h / width**0.5

    def along(function: Callable[..., jax.Array], direction: dict[str, jax.Array]) -> Callable[..., jax.Array]:
        return lambda theta: jax.jvp(function, (theta,), (direction,))[1]

    @jax.jit
    def value(key: jax.Array) -> jax.Array:
        keys = jax.random.split(key, 4)
        shapes = {"U": (width, len(x)), "W1": (width, width), "W2": (width, width), "v": (width,)}
        theta = {n: jax.random.normal(k, s, jnp.float64) for k, (n, s) in zip(keys, shapes.items(), strict=True)}
        gradient, function = jax.grad(forward)(theta), forward
        for _ in range(4):
            function = along(function, gradient)
        return function(theta) / 24

    keys = iter(range(10**6))
    return lambda: value(jax.random.PRNGKey(next(keys))).block_until_ready()


def drawn(width: int, count: int) -> None:
    """The fresh Gaussians that no exact sampler can do without."""
    generator = np.random.default_rng(0)
    for _ in range(count):
        generator.standard_normal(width)


def run() -> None:
    c = tp.correlation(tp.trace(mlp, inputs=5), 0, 4)
    count = sum(map(sum, products(c).values()))

    def sample(width: int, samples: int, method: str) -> float:
        return seconds(lambda: tp.sample(c, DATA, width, samples, 0, method)) / samples

    print(f"{count} products, of which each needs n fresh Gaussians")
    print(f"{'n':>8} {'exact':>9} {'dense':>9} {'JAX':>9} {'drawing':>9}  dense/exact JAX/exact exact/drawing  auto")
    for width in (64, 128, 192, 256, 512, 1024, 4096, 8192, 2**14, 2**16, 2**18, 2**20):
        samples = max(4, 2 * batch_size(width))
        exact = sample(width, samples, "exact")
        dense = sample(width, min(samples, 2**17 // width), "dense") if width <= 8192 else float("nan")
        other = seconds(jax_sample(width)) if width in (256, 4096, 8192) else float("nan")
        drawing = seconds(partial(drawn, width, count))
        taken = {"exact": exact, "dense": dense}[fastest(c, width, DATA.shape[1], batch_size(width))]
        auto = taken / np.nanmin([exact, dense])
        times = " ".join(f"{1e3 * t:8.2f}m" for t in (exact, dense, other, drawing))
        print(f"{width:8d} {times}  {dense / exact:11.1f} {other / exact:9.1f} {exact / drawing:13.1f}  {auto:.2f}")
    print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB\n")

"""Hessians of whole networks against JAX in float64: all blocks, and products with the Hessian."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import einback as eb
from tests.oracles.compare import assert_close
from tests.oracles.jax_lib import jax, jnp
from tests.oracles.networks import NETWORKS, Network

pytestmark = pytest.mark.oracle

# Of which sources all blocks of the Hessian are formed; the others take part in products with it.
BLOCKS = {"mlp": "W1 b1 W2 b2", "convolution": "K1 b1 K2 b2", "transformer": "P g s"}


def _function(network: Network, arrays: dict[str, Any]) -> Any:
    return lambda moving: network.function(**arrays | moving)


@pytest.mark.parametrize("name", NETWORKS)
def test_value_gradients_and_products(name: str):
    """The Hessian of all parameters times a direction is how their gradients change along it."""
    network = NETWORKS[name]
    p, arrays, sources = network.tensors(), network.arrays(), network.sources.split()
    directions = {x: v for x, v in network.arrays(1).items() if x in sources}
    loss, along = p["loss"], {p[x]: eb.tensor(f"v_{x}[{','.join(map(str, p[x].shape))}]") for x in sources}
    grads = eb.grad(loss, {x: p[x] for x in sources})
    found = eb.evaluate(
        {
            "loss": loss,
            "grads": grads,
            "jvp": eb.jvp(loss, along),
            "products": {x: eb.jvp(gradient, along) for x, gradient in grads.items()},
            "hvp": eb.hvp(loss, p[sources[0]], along[p[sources[0]]]),
        },
        **arrays,
        **{f"v_{x}": v for x, v in directions.items()},
    )
    f, moving = _function(network, arrays), {x: arrays[x] for x in sources}
    product = jax.jit(lambda along: jax.jvp(jax.value_and_grad(f), (moving,), (along,)))
    (value, wanted), (slope, products) = product(directions)
    assert_close(found["loss"], value, "loss")
    assert_close(found["jvp"], slope, "push forward")
    for x in sources:
        assert_close(found["grads"][x], wanted[x], f"gradient for {x}")
        assert_close(found["products"][x], products[x], f"Hessian times a direction, in {x}")
    first = {x: v if x == sources[0] else np.zeros_like(v) for x, v in directions.items()}
    assert_close(found["hvp"], product(first)[1][1][sources[0]], f"block of {sources[0]} times a direction")


@pytest.mark.parametrize("name", NETWORKS)
def test_all_blocks_of_the_hessian(name: str):
    network, names = NETWORKS[name], BLOCKS[name].split()
    p, arrays = network.tensors(), network.arrays(2)
    found = eb.evaluate(eb.hessian(p["loss"], {x: p[x] for x in names}), **arrays)
    moving = {x: arrays[x] for x in names}
    wanted = jax.jit(jax.hessian(_function(network, arrays)))(moving)
    for x in names:
        for z in names:
            assert_close(found[x][z], wanted[x][z], f"block of {x} and {z}")
            assert_close(found[x][z], _mirrored(found[z][x], np.ndim(arrays[z])), f"mirror of {x} and {z}")


def _mirrored(block: np.ndarray, rank: int) -> np.ndarray:
    return np.moveaxis(block, range(rank), range(block.ndim - rank, block.ndim))


def _likelihood(X: Any, y: Any, scale: Any, level: Any, noise: Any) -> Any:
    """The negative logarithm of a Gaussian process's likelihood, in the logarithms of its hyperparameters."""
    Z = X * jnp.exp(-scale)
    K = jnp.exp(2 * level - ((Z[:, None] - Z) ** 2).sum(-1) / 2) + jnp.exp(2 * noise) * jnp.eye(len(X))
    return (y @ jnp.linalg.solve(K, y) + jnp.linalg.slogdet(K)[1]) / 2


def test_a_gaussian_process():
    p = eb.program("""
        Z[n,d]  = X[n,d] exp(-scale[d])
        K[n,n'] = exp(2 level - 1/2 sum[d]((Z[n,d] - Z[n',d])^2)) + exp(2 noise) δ[n,n']
    """)
    y, rng = eb.tensor("y[n]"), np.random.default_rng(3)
    loss = (y @ eb.linalg.solve(p["K"], y) + eb.linalg.logdet(p["K"])) / 2
    names = ["scale", "level", "noise"]
    arrays = {
        "X": rng.normal(size=(8, 2)), "y": rng.normal(size=8), "scale": rng.normal(size=2) / 3, "level": 0.2,
        "noise": -0.7,
    }  # fmt: skip
    moving = {name: p[name] for name in names}
    found = eb.evaluate({"grads": eb.grad(loss, moving), "blocks": eb.hessian(loss, moving)}, **arrays)

    def f(hyper: dict[str, Any]) -> Any:
        return _likelihood(arrays["X"], arrays["y"], **hyper)

    hyper = {name: jnp.asarray(arrays[name]) for name in names}
    grads, blocks = jax.jit(lambda at: (jax.grad(f)(at), jax.hessian(f)(at)))(hyper)
    for x in names:
        assert_close(found["grads"][x], grads[x], f"gradient for {x}", 1e-10)
        for z in names:
            assert_close(found["blocks"][x][z], blocks[x][z], f"block of {x} and {z}", 1e-10)

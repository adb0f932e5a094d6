"""The one place of the tests that knows JAX: an independent einsum with derivatives, in float64.

Compilation outweighs the arithmetic here, so XLA is told not to optimise.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.oracles.loops import without_embedding

os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")

try:
    import jax
    import jax.numpy as jnp
except ImportError:
    jax = jnp = None
else:
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_platforms", "cpu")

__all__ = ["einsum", "einsum_derivatives", "jax", "jnp"]


def einsum(spec: str, *operands: Any) -> Any:
    """`jax.numpy.einsum`, with repeated output labels written as products with identities."""
    plain, joined = without_embedding(spec)
    if not joined:
        return jnp.einsum(spec, *operands)
    left, _, right = spec.partition("->")
    sizes = {c: n for t, x in zip(left.split(","), operands, strict=True) for c, n in zip(t, x.shape, strict=True)}
    return jnp.einsum(plain, *operands, *(jnp.eye(sizes[right[axis]]) for axis in joined))


def einsum_derivatives(spec: str, slots: tuple[int, ...]) -> Callable[..., dict[str, Any]]:
    """What is known of f(x, ..) = sum(w * tanh(einsum)) and of the same without tanh.

    `slots[k]` says which variable stands at operand k. The result maps "value" to the einsum, "linear" and
    "smooth" to the gradients for all variables, and "hessian" to the second derivatives of the smooth f, rows
    for the first two variables.
    """
    variables = tuple(range(max(slots) + 1))
    rows = variables[:2]

    def value(xs: tuple[Any, ...]) -> Any:
        return einsum(spec, *(xs[slot] for slot in slots))

    def derivatives(w: np.ndarray, xs: tuple[np.ndarray, ...]) -> dict[str, Any]:
        smooth = jax.grad(lambda xs: jnp.sum(w * jnp.tanh(value(xs))))
        return {
            "value": value(xs),
            "linear": jax.grad(lambda xs: jnp.sum(w * value(xs)))(xs),
            "smooth": smooth(xs),
            "hessian": jax.jacfwd(lambda xs: tuple(smooth(xs)[k] for k in rows))(xs),
        }

    return jax.jit(derivatives)

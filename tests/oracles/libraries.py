"""What einback and JAX call the operations of `programs` and `structured`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import einback as eb
from tests.oracles import structured
from tests.oracles.jax_lib import einsum as jax_einsum
from tests.oracles.jax_lib import jax, jnp

__all__ = ["EINBACK", "jax_library"]

Library = dict[str, Callable[..., Any]]


def _named(module: Any, names: str) -> Library:
    return {name: getattr(module, name) for name in names.split()}


def _over_axes(module: Any, names: str) -> Library:
    """Reductions take (axes, keepdims) as one detail."""
    functions = _named(module, names)
    return {name: lambda x, how, f=f: f(x, axis=how[0], keepdims=how[1]) for name, f in functions.items()}


def _over_axis(module: Any, names: str) -> Library:
    return {name: lambda x, axis, f=f: f(x, axis=axis) for name, f in _named(module, names).items()}


def _library(module: Any, nn: Any) -> Library:
    """What einback and JAX spell alike; `nn` has the activations."""
    return {
        **_named(module, "tanh sin cos arctan abs square exp expm1 maximum minimum logaddexp"),
        **_named(nn, "sigmoid softplus silu relu"),
        **_over_axes(module, "sum mean max min prod"),
        **_over_axes(nn, "logsumexp"),
        **_over_axis(nn, "softmax log_softmax"),
        "sqrt1": lambda x: module.sqrt(1 + x * x),
        "log1": lambda x: module.log(1 + x * x),
        "inverse1": lambda x: 1 / (1 + x * x),
        "negative": lambda x: -x,
        "leaky": lambda x: module.where(x > 0, x, 0.25 * x),
        "add": lambda x, y: x + y,
        "subtract": lambda x, y: x - y,
        "multiply": lambda x, y: x * y,
        "divide1": lambda x, y: x / (1 + y * y),
        "choose": lambda x, y: module.where(x > 0.3, x * y, x + 2 * y),
        "power1": lambda x, y: (1 + x * x) ** module.tanh(y),
        "hypot1": lambda x, y: module.hypot(1 + x * x, y),
        "affine": lambda x, ab: ab[0] * x + ab[1],
    }


EINBACK = {
    **_library(eb, eb),
    **structured.EINBACK,
    "gelu": eb.gelu,
    "erf": eb.erf,
    "leaky": lambda x: eb.leaky_relu(x, 0.25),
    "einsum": lambda *args: eb.einsum(args[-1], *args[:-1]),
}


def jax_library() -> Library:
    def of(function: Callable[[Any], Any], made: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
        return lambda x: function(made(jnp, x))

    def logdet(a: Any) -> Any:
        return jnp.linalg.slogdet(a)[1]

    return {
        **_library(jnp, jax.nn),
        **structured.arrays_library(jnp),
        "gelu": lambda x: jax.nn.gelu(x, approximate=False),
        "erf": jax.scipy.special.erf,
        "einsum": lambda *args: jax_einsum(args[-1], *args[:-1]),
        "inv": of(jnp.linalg.inv, structured.positive),
        "inv_any": of(jnp.linalg.inv, structured.dominant),
        "det": of(jnp.linalg.det, structured.positive),
        "det_any": of(jnp.linalg.det, structured.dominant),
        "logdet": of(logdet, structured.positive),
        "logdet_any": of(logdet, structured.dominant),
        "cholesky": of(jnp.linalg.cholesky, structured.positive),
        "eigvalsh": of(jnp.linalg.eigvalsh, structured.spread),
        "solve": lambda x, y: jnp.linalg.inv(structured.positive(jnp, x)) @ y,
    }

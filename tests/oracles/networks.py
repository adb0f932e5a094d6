"""Whole models, written twice: as index text, and as a JAX function of arrays with the same names.

Sizes are small and mostly different, so that axes which change places show. Arrays are random, and so away from the
kinks of the rectifier and of maxima.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import einback as eb
from tests.oracles.jax_lib import jax, jnp

__all__ = ["NETWORKS", "Network"]


@dataclass(frozen=True, slots=True)
class Network:
    """A loss as text and as a function. `shapes` are those of the arrays, `sources` what it is differentiated by.

    `ids` gives tensors of whole numbers and what they stay below.
    """

    text: str
    function: Callable[..., Any]
    sources: str
    shapes: Mapping[str, tuple[int, ...]]
    ids: Mapping[str, tuple[tuple[int, ...], int]] = field(default_factory=dict)
    sizes: Mapping[str, int | str] = field(default_factory=dict)

    def tensors(self) -> Any:
        """The program."""
        whole = {
            name: eb.tensor(f"{name}[{','.join(map(str, shape))}]", integer=True)
            for name, (shape, _) in self.ids.items()
        }
        return eb.program(self.text, **whole, **self.sizes)

    def arrays(self, seed: int = 0) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(seed)
        found = {name: rng.normal(size=shape) / 2 for name, shape in self.shapes.items()}
        return found | {name: rng.integers(0, below, shape) for name, (shape, below) in self.ids.items()}


def _cross_entropy(logits: Any, labels: Any) -> Any:
    logp = jax.nn.log_softmax(logits, axis=-1)
    return -jnp.take_along_axis(logp, labels[..., None], axis=-1).mean()


def _mlp(X: Any, label: Any, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
    return _cross_entropy(jnp.tanh(X @ W1 + b1) @ W2 + b2, label)


_MLP = Network(
    """
    H[n,h] = tanh(X[n,d] W1[d,h] + b1[h])
    Z[n,c] = H[n,h] W2[h,c] + b2[c]
    logp[n,c] = log_softmax[c](Z[n,c])
    loss = -logp[n,label[n]] / size(n)
    """,
    _mlp,
    "W1 b1 W2 b2",
    {"X": (5, 3), "W1": (3, 4), "b1": (4,), "W2": (4, 2), "b2": (2,)},
    {"label": ((5,), 2)},
)


def _convolve(x: Any, K: Any, stride: int, pad: int) -> Any:
    return jax.lax.conv_general_dilated(
        x, K, (stride, stride), [(pad, pad)] * 2, dimension_numbers=("NCHW", "OIHW", "NCHW")
    )


def _pool(x: Any) -> Any:
    b, c, h, w = x.shape
    return x.reshape(b, c, h // 2, 2, w // 2, 2).max((3, 5))


def _convolution(x: Any, K1: Any, b1: Any, K2: Any, W: Any, b2: Any, label: Any) -> Any:
    h = _pool(jax.nn.relu(_convolve(x, K1, 1, 1) + b1[:, None, None]))
    h = jax.nn.softplus(_convolve(h, K2, 1, 0))
    return _cross_entropy(h.reshape(len(x), -1) @ W + b2, label)


_CONVOLUTION = Network(
    """
    h1[b,o,i,j] = relu(x[b,c,i+u-1,j+v-1] K1[o,c,u,v] + b1[o])
    p[b,o,y,z]  = max[s:2,t:2](h1[b,o,2*y+s,2*z+t])
    h2[b,q,e,f] = softplus(p[b,o,e+m,f+n] K2[q,o,m,n])
    r[b,(q e f)] = h2[b,q,e,f]
    logp[b,k]   = log_softmax[k](r[b,g] W[g,k] + b2[k])
    loss        = -logp[b,label[b]] / size(b)
    """,
    _convolution,
    "K1 b1 K2 W b2",
    {"x": (2, 2, 6, 8), "K1": (3, 2, 3, 3), "b1": (3,), "K2": (2, 3, 2, 2), "W": (12, 3), "b2": (3,)},
    {"label": ((2,), 3)},
    {"u": 3, "v": 3, "m": 2, "n": 2},
)


def _layer_norm(x: Any, g: Any, s: Any) -> Any:
    x = x - x.mean(-1, keepdims=True)
    return g * x / jnp.sqrt((x * x).mean(-1, keepdims=True) + 1e-3) + s


def _transformer(token: Any, following: Any, E: Any, P: Any, Q: Any, K: Any, V: Any, O: Any, g: Any, s: Any,
                 W1: Any, W2: Any, U: Any) -> Any:  # fmt: skip
    x = E[token] + P
    q, k, v = (jnp.einsum("btd,dhe->bthe", x, W) for W in (Q, K, V))
    scores = jnp.einsum("bqhe,bkhe->bhqk", q, k) / jnp.sqrt(q.shape[-1])
    t = jnp.arange(x.shape[1])
    weights = jax.nn.softmax(jnp.where(t[:, None] >= t, scores, -jnp.inf), axis=-1)
    x = x + jnp.einsum("bhqk,bkhe,hed->bqd", weights, v, O)
    y = _layer_norm(x, g, s)
    x = x + jax.nn.gelu(y @ W1, approximate=False) @ W2
    return _cross_entropy(x @ U, following)


_TRANSFORMER = Network(
    """
    x[b,t,d]   = E[token[b,t],d] + P[t,d]
    q[b,t,h,e] = x[b,t,d] Q[d,h,e]
    k[b,t,h,e] = x[b,t,d] K[d,h,e]
    v[b,t,h,e] = x[b,t,d] V[d,h,e]
    a[b,h,t,t'] = softmax[t'](where(t >= t', q[b,t,h,e] k[b,t',h,e] / sqrt(size(e)), -inf))
    y[b,t,d]   = x[b,t,d] + a[b,h,t,t'] v[b,t',h,e] O[h,e,d]
    mu[b,t]    = y[b,t,d] / size(d)
    c[b,t,d]   = y[b,t,d] - mu[b,t]
    var[b,t]   = sum[d](c[b,t,d]^2) / size(d)
    n[b,t,d]   = g[d] c[b,t,d] / sqrt(var[b,t] + 1e-3) + s[d]
    m[b,t,f]   = gelu(n[b,t,d] W1[d,f])
    z[b,t,w]   = (y[b,t,d] + m[b,t,f] W2[f,d]) U[d,w]
    logp[b,t,w] = log_softmax[w](z[b,t,w])
    loss       = -logp[b,t,following[b,t]] / (size(b) size(t))
    """,
    _transformer,
    "E P Q K V O g s W1 W2 U",
    {
        "E": (7, 4), "P": (5, 4), "Q": (4, 2, 3), "K": (4, 2, 3), "V": (4, 2, 3), "O": (2, 3, 4), "g": (4,), "s": (4,),
        "W1": (4, 6), "W2": (6, 4), "U": (4, 8),
    },
    {"token": ((2, 5), 7), "following": ((2, 5), 8)},
)  # fmt: skip


NETWORKS = {"mlp": _MLP, "convolution": _CONVOLUTION, "transformer": _TRANSFORMER}

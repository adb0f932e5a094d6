"""A convolutional layer with a ReLU: value and gradients of a loss on it."""

from __future__ import annotations

from typing import Any

import numpy as np

import einback as eb
from suite.libraries import value_and_gradients
from suite.machine import cores
from suite.workload import Arrays, Case, Workload

__all__ = ["GRADIENTS", "WRT", "by_hand", "draw", "jax_loss", "outputs", "torch_loss"]


SIZES = {"batch": 32, "channels": 16, "out": 32, "side": 28, "window": 3}


def draw(rng: np.random.Generator, batch: int, channels: int, out: int, side: int, window: int) -> dict[str, Any]:
    left = side - window + 1
    return {
        "x": rng.normal(size=(batch, channels, side, side)),
        "K": rng.normal(size=(out, channels, window, window)) / window,
        "b": rng.normal(size=out),
        "G": rng.normal(size=(batch, out, left, left)),
    }


def by_hand(a: Arrays, xp: Any = np) -> dict[str, Any]:
    """Patches as a matrix, and their adjoint window by window."""
    x, K, G = a["x"], a["K"], a["G"]
    n, c, _, _ = x.shape
    o, _, u, v = K.shape
    _, _, h, w = G.shape
    along_n, along_c, along_i, along_j = x.strides
    strides = (along_c, along_i, along_j, along_n, along_i, along_j)
    P = xp.lib.stride_tricks.as_strided(x, (c, u, v, n, h, w), strides).reshape(c * u * v, n * h * w)
    y = (K.reshape(o, -1) @ P).reshape(o, n, h, w)
    y += a["b"][:, None, None, None]
    g = G.transpose(1, 0, 2, 3)
    value = xp.vdot(xp.maximum(y, 0), g)
    g = (g * (y > 0)).reshape(o, -1)
    dP = (K.reshape(o, -1).T @ g).reshape(c, u, v, n, h, w)
    dx = xp.zeros((c, n, *x.shape[2:]), x.dtype)
    for i in range(u):
        for j in range(v):
            dx[:, :, i : i + h, j : j + w] += dP[:, i, j]
    return {"value": value, "x": dx.transpose(1, 0, 2, 3), "K": (g @ P.T).reshape(K.shape), "b": g.sum(axis=1)}


def outputs() -> dict[str, eb.Tensor]:
    p = eb.program("""
        y[n,o,i,j] = x[n,c,i+u,j+v] K[o,c,u,v] + b[o]
        value      = relu(y[n,o,i,j]) G[n,o,i,j]
    """)
    wrt = {key: p[key] for key in ("x", "K", "b")}
    return {"value": p["value"], **eb.grad(p["value"], wrt)}


def jax_loss(lib: Any, a: Arrays) -> Any:
    from jax.lax import conv_general_dilated

    y = conv_general_dilated(a["x"], a["K"], (1, 1), "VALID") + a["b"][:, None, None]
    return lib.sum(lib.relu(y) * a["G"])


def torch_loss(lib: Any, a: Arrays) -> Any:
    from torch.nn.functional import conv2d

    return lib.sum(lib.relu(conv2d(a["x"], a["K"], a["b"])) * a["G"])


WRT = ["x", "K", "b"]
GRADIENTS = Workload(
    letter="h",
    title="value and gradients of a convolutional layer",
    cases=(Case(SIZES, 1, "32, 16 to 32, 28 by 28, 3 by 3"),),
    arrays=draw,
    peers={"einback": lambda **_: eb.compile(outputs(), threads=cores()), "NumPy": lambda **_: by_hand,
           "JAX": value_and_gradients(jax_loss, WRT)["JAX"],
           **{peer: value_and_gradients(torch_loss, WRT)[peer] for peer in ("PyTorch", "torch.compile")}},
    dtype="float32",
    tolerance=1e-3,
    left_out={"autograd": "its convolution has no gradient of this shape"},
)  # fmt: skip

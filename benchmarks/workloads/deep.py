"""The Hessian in the first layer of a ten-layer ReLU network with softmax cross-entropy."""

from __future__ import annotations

from typing import Any

import numpy as np

import einback as eb
from suite.libraries import hessians
from suite.workload import Arrays, Case, Step, Workload

__all__ = ["HESSIAN"]

LAYERS, BATCH = 10, 32


def draw(rng: np.random.Generator, n: int) -> dict[str, Any]:
    weights = {f"W{k}": rng.normal(size=(n, n)) * np.sqrt(2 / n) for k in range(LAYERS)}
    return {"X": rng.normal(size=(BATCH, n)), "Y": np.eye(n)[rng.integers(0, n, BATCH)], **weights}


def loss(lib: Any, a: Arrays) -> Any:
    h = a["X"]
    for k in range(LAYERS - 1):
        h = lib.relu(h @ a[f"W{k}"])
    z = h @ a[f"W{LAYERS - 1}"]
    return (lib.sum(lib.logsumexp(z, 1)) - lib.sum(a["Y"] * z)) / BATCH


def by_hand(a: Arrays) -> dict[str, Any]:
    """The Jacobian of the logits in the first pre-activations, by example; then the Hessian of the loss on it."""
    X, n = a["X"], a["X"].shape[1]
    h, masks = X, []
    for k in range(LAYERS - 1):
        h = h @ a[f"W{k}"]
        masks.append(h > 0)
        h = h * masks[-1]
    z = h @ a[f"W{LAYERS - 1}"]
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    J = np.broadcast_to(a[f"W{LAYERS - 1}"].T, (BATCH, n, n))  # class, unit
    for k in range(LAYERS - 2, 0, -1):
        J = (J * masks[k][:, None, :]) @ a[f"W{k}"].T
    J = J * masks[0][:, None, :]
    PJ = p[:, :, None] * J
    q = PJ.sum(axis=1)
    A = (J.transpose(0, 2, 1) @ PJ - q[:, :, None] * q[:, None, :]) / BATCH
    XX = X[:, :, None] * X[:, None, :]
    H = XX.reshape(BATCH, -1).T @ A.reshape(BATCH, -1)
    return {"hessian": H.reshape(n, n, n, n).transpose(0, 2, 1, 3)}


def hessian(n: int) -> Step:
    h = eb.tensor(f"X[{BATCH},n]")
    Y = eb.tensor(f"Y[{BATCH},n]")
    W = [eb.tensor(f"W{k}[n,n]") for k in range(LAYERS)]
    for k in range(LAYERS - 1):
        h = eb.relu(h @ W[k])
    z = h @ W[LAYERS - 1]
    f = (eb.sum(eb.logsumexp(z, 1)) - eb.sum(Y * z)) / BATCH
    return eb.compile({"hessian": eb.hessian(f, W[0])})


HESSIAN = Workload(
    letter="c",
    title="first-layer Hessian of a ten-layer ReLU network",
    cases=(Case({"n": 16}, 1), Case({"n": 32}, 5)),
    arrays=draw,
    peers={"einback": hessian, "NumPy": lambda **_: by_hand, **hessians(loss, "W0")},
)

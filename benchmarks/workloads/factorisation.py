"""Masked matrix factorisation: the dense Hessian of sum (O * (T - U V'))^2 in U, which is block diagonal."""

from __future__ import annotations

from typing import Any

import numpy as np

import einback as eb
from suite.libraries import hessians
from suite.workload import Arrays, Case, Workload

__all__ = ["HESSIAN", "by_hand", "draw", "loss", "outputs"]


def draw(rng: np.random.Generator, n: int, k: int) -> dict[str, Any]:
    observed = (rng.random((n, n)) < 0.3).astype(float)
    return {"O": observed, "T": rng.normal(size=(n, n)), "U": rng.normal(size=(n, k)), "V": rng.normal(size=(n, k))}


def loss(lib: Any, a: Arrays) -> Any:
    return lib.sum((a["O"] * (a["T"] - a["U"] @ a["V"].T)) ** 2)


def by_hand(a: Arrays, xp: Any = np) -> dict[str, Any]:
    O, V = a["O"], a["V"]
    n, k = V.shape
    blocks = (O * O) @ (2 * V[:, :, None] * V[:, None, :]).reshape(n, k * k)
    H = xp.zeros((n, k, n, k), V.dtype)
    rows = xp.arange(n)
    H[rows, :, rows, :] = blocks.reshape(n, k, k)
    return {"hessian": H}


def outputs() -> dict[str, eb.Tensor]:
    O, T, U, V = eb.tensors("O[m,n] T[m,n] U[m,k] V[n,k]")
    f = eb.sum((O * (T - U @ V.T)) ** 2)
    return {"hessian": eb.hessian(f, U)}


HESSIAN = Workload(
    letter="b",
    title="dense Hessian of masked matrix factorisation",
    cases=(Case({"n": 50, "k": 5}, 5), Case({"n": 200, "k": 5}, 100)),
    arrays=draw,
    peers={"einback": lambda **_: eb.compile(outputs()), "NumPy": lambda **_: by_hand, **hessians(loss, "U")},
)

"""Softmax attention, causal and plain: gradients in queries, keys and values."""

from __future__ import annotations

from typing import Any

import numpy as np

import einback as eb
from suite.libraries import value_and_gradients
from suite.machine import cores
from suite.workload import Arrays, Case, Step, Workload

__all__ = ["CAUSAL", "PLAIN", "by_hand", "draw", "loss", "outputs"]

SIZES = {"batch": 4, "heads": 8, "time": 128, "depth": 64}


def draw(rng: np.random.Generator, batch: int, heads: int, time: int, depth: int) -> dict[str, Any]:
    arrays = {key: rng.normal(size=(batch, heads, time, depth)) for key in "QKVG"}
    return arrays | {"mask": np.tri(time, dtype=bool)}


def loss(lib: Any, a: Arrays, causal: bool) -> Any:
    S = lib.einsum("bhqd,bhkd->bhqk", a["Q"], a["K"]) / a["Q"].shape[-1] ** 0.5
    if causal:
        S = lib.where(a["mask"], S, -np.inf)
    return lib.sum(a["G"] * (lib.softmax(S, -1) @ a["V"]))


def by_hand(causal: bool, xp: Any = np) -> Step:
    def step(a: Arrays) -> dict[str, Any]:
        Q, K, V, G = a["Q"], a["K"], a["V"], a["G"]
        scale = Q.dtype.type(Q.shape[-1] ** -0.5)
        P = Q @ K.swapaxes(-1, -2)
        P *= scale
        if causal:
            P = xp.where(a["mask"], P, P.dtype.type(-np.inf))
        P -= P.max(axis=-1, keepdims=True)
        xp.exp(P, out=P)
        P /= P.sum(axis=-1, keepdims=True)
        D = G @ V.swapaxes(-1, -2)
        value = xp.einsum("bhqk,bhqk->", P, D)
        dV = P.swapaxes(-1, -2) @ G
        D -= xp.einsum("bhqk,bhqk->bhq", P, D)[..., None]
        D *= P
        D *= scale
        return {"value": value, "Q": D @ K, "K": D.swapaxes(-1, -2) @ Q, "V": dV}

    return step


def outputs(causal: bool) -> dict[str, eb.Tensor]:
    scores = "Q[b,h,q,d] K[b,h,k,d] / sqrt(size(d))"
    scores = f"where(q >= k, {scores}, -inf)" if causal else scores
    p = eb.program(f"""
        S[b,h,q,k] = {scores}
        value      = softmax[k](S[b,h,q,k]) V[b,h,k,d] G[b,h,q,d]
    """)
    return {"value": p["value"], **eb.grad(p["value"], {key: p[key] for key in "QKV"})}


def gradients(causal: bool) -> Step:
    compiled = eb.compile(outputs(causal), threads=cores())
    names = "QKVG"
    return lambda a: compiled({key: a[key] for key in names})


def _workload(letter: str, causal: bool) -> Workload:
    return Workload(
        letter=letter,
        title=f"{'causal' if causal else 'plain'} softmax attention",
        cases=(Case(SIZES, 1, "4, 8, 128, 64"),),
        arrays=draw,
        peers={"einback": lambda **_: gradients(causal), "NumPy": lambda **_: by_hand(causal),
               **value_and_gradients(lambda lib, a: loss(lib, a, causal), ["Q", "K", "V"])},
        dtype="float32",
        tolerance=1e-3,
    )  # fmt: skip


PLAIN, CAUSAL = _workload("g", causal=False), _workload("G", causal=True)

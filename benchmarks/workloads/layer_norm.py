"""Layer normalisation: gradients in the input, the gain and the bias."""

from __future__ import annotations

from typing import Any

import numpy as np

import einback as eb
from suite.libraries import value_and_gradients
from suite.machine import cores
from suite.workload import Arrays, Case, Step, Workload

__all__ = ["GRADIENTS"]

EPS = 1e-5


def draw(rng: np.random.Generator, rows: int, width: int) -> dict[str, Any]:
    arrays = {"H": rng.normal(size=(rows, width)), "R": rng.normal(size=(rows, width))}
    return arrays | {"g": rng.normal(size=width), "b": rng.normal(size=width)}


def loss(lib: Any, a: Arrays) -> Any:
    C = a["H"] - lib.mean(a["H"], 1)[:, None]
    v = lib.mean(C * C, 1)[:, None]
    return lib.sum(a["R"] * (C / lib.sqrt(v + EPS) * a["g"] + a["b"]))


def by_hand(a: Arrays) -> dict[str, Any]:
    H, R, g = a["H"], a["R"], a["g"]
    C = H - H.mean(axis=1, keepdims=True)
    scale = 1 / np.sqrt(np.einsum("bk,bk->b", C, C)[:, None] / H.shape[1] + H.dtype.type(EPS))
    C *= scale
    dg, db = np.einsum("bk,bk->k", R, C), R.sum(axis=0)
    value = dg @ g + db @ a["b"]
    D = R * g
    D -= D.mean(axis=1, keepdims=True) + C * (np.einsum("bk,bk->b", D, C)[:, None] / H.shape[1])
    D *= scale
    return {"value": value, "H": D, "g": dg, "b": db}


def gradients(**_: int) -> Step:
    p = eb.program(f"""
        C[n,k] = H[n,k] - mean[j](H[n,j])
        v[n]   = mean[j](C[n,j]^2)
        value  = R[n,k] (C[n,k] / sqrt(v[n] + {EPS}) g[k] + b[k])
    """)
    wrt = {key: p[key] for key in ("H", "g", "b")}
    return eb.compile({"value": p["value"], **eb.grad(p["value"], wrt)}, threads=cores())


GRADIENTS = Workload(
    letter="k",
    title="layer normalisation",
    cases=(Case({"rows": 512, "width": 512}, 1), Case({"rows": 4096, "width": 1024}, 1)),
    arrays=draw,
    peers={"einback": gradients, "NumPy": lambda **_: by_hand, **value_and_gradients(loss, ["H", "g", "b"])},
    dtype="float32",
    tolerance=1e-3,
)

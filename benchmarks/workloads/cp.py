"""The residual of a CP decomposition, |T - sum_r A_r o B_r o C_r|^2: value and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

import einback as eb
from suite.libraries import value_and_gradients
from suite.workload import Arrays, Case, Step, Workload

__all__ = ["GRADIENTS"]


def draw(rng: np.random.Generator, n: int, r: int) -> dict[str, Any]:
    return {"T": rng.normal(size=(n, n, n)), **{key: rng.normal(size=(n, r)) for key in "ABC"}}


def loss(lib: Any, a: Arrays) -> Any:
    return lib.sum((a["T"] - lib.einsum("ir,jr,kr->ijk", a["A"], a["B"], a["C"])) ** 2)


def by_hand(a: Arrays) -> dict[str, Any]:
    """The residual itself, as written; its gradients by two products with it."""
    T, A, B, C = a["T"], a["A"], a["B"], a["C"]
    n, r = A.shape
    BC = (B[:, None, :] * C[None, :, :]).reshape(n * n, r)
    E = A @ BC.T
    E -= T.reshape(n, n * n)
    value = np.vdot(E, E)
    found = {"value": value, "A": 2 * (E @ BC)}
    EC = (E.reshape(n * n, n) @ C).reshape(n, n, r)  # i, j, r
    found["B"] = 2 * np.einsum("ijr,ir->jr", EC, A)
    EA = (A.T @ E).reshape(r, n, n)  # r, j, k
    found["C"] = 2 * np.einsum("rjk,jr->kr", EA, B)
    return found


def gradients(**_: int) -> Step:
    T, A, B, C = eb.tensors("T[i,j,k] A[i,r] B[j,r] C[k,r]")
    value = eb.sum((T - eb.einsum("ir,jr,kr->ijk", A, B, C)) ** 2)
    return eb.compile({"value": value, **eb.grad(value, {"A": A, "B": B, "C": C})})


GRADIENTS = Workload(
    letter="e",
    title="value and gradients of a CP residual",
    cases=(Case({"n": 100, "r": 10}, 1.5), Case({"n": 300, "r": 20}, 4)),
    arrays=draw,
    peers={"einback": gradients, "NumPy": lambda **_: by_hand, **value_and_gradients(loss, ["A", "B", "C"])},
)

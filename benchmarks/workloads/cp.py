"""The residual of a CP decomposition, |T - sum_r A_r o B_r o C_r|^2: value and gradients, as written and expanded.

Expanded, it is |T|^2 - 2 <T, X> + |X|^2, which reads T twice and forms no array of its size, at the cost of digits that
cancel (see `eb.expand`). einback does so where it is asked to; the libraries run the residual as it is written.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import einback as eb
from suite.libraries import value_and_gradients
from suite.workload import Arrays, Case, Workload

__all__ = ["EXPANDED", "GRADIENTS", "by_hand", "draw", "loss", "outputs"]


def draw(rng: np.random.Generator, n: int, r: int) -> dict[str, Any]:
    return {"T": rng.normal(size=(n, n, n)), **{key: rng.normal(size=(n, r)) for key in "ABC"}}


def loss(lib: Any, a: Arrays) -> Any:
    return lib.sum((a["T"] - lib.einsum("ir,jr,kr->ijk", a["A"], a["B"], a["C"])) ** 2)


def by_hand(a: Arrays, xp: Any = np) -> dict[str, Any]:
    """The residual itself, as written; its gradients by two products with it."""
    T, A, B, C = a["T"], a["A"], a["B"], a["C"]
    n, r = A.shape
    BC = (B[:, None, :] * C[None, :, :]).reshape(n * n, r)
    E = A @ BC.T
    E -= T.reshape(n, n * n)
    value = xp.vdot(E, E)
    found = {"value": value, "A": 2 * (E @ BC)}
    EC = (E.reshape(n * n, n) @ C).reshape(n, n, r)  # i, j, r
    found["B"] = 2 * xp.einsum("ijr,ir->jr", EC, A)
    EA = (A.T @ E).reshape(r, n, n)  # r, j, k
    found["C"] = 2 * xp.einsum("rjk,jr->kr", EA, B)
    return found


def expanded_by_hand(a: Arrays) -> dict[str, Any]:
    """The residual multiplied out, and its gradients: two products with T."""
    T, A, B, C = a["T"], a["A"], a["B"], a["C"]
    n, r = A.shape
    AA, BB, CC = A.T @ A, B.T @ B, C.T @ C
    TC = (T.reshape(n * n, n) @ C).reshape(n, n, r)  # i, j, r
    TA = (A.T @ T.reshape(n, n * n)).reshape(r, n, n)  # r, j, k
    against_A = np.einsum("ijr,jr->ir", TC, B)
    found = {"value": np.vdot(T, T) - 2 * np.vdot(against_A, A) + np.vdot(AA * BB, CC)}
    found["A"] = 2 * (A @ (BB * CC) - against_A)
    found["B"] = 2 * (B @ (AA * CC) - np.einsum("ijr,ir->jr", TC, A))
    found["C"] = 2 * (C @ (AA * BB) - np.einsum("rjk,jr->kr", TA, B))
    return found


def outputs(*, expanded: bool) -> dict[str, eb.Tensor]:
    T, A, B, C = eb.tensors("T[i,j,k] A[i,r] B[j,r] C[k,r]")
    value = eb.sum((T - eb.einsum("ir,jr,kr->ijk", A, B, C)) ** 2)
    value = eb.expand(value) if expanded else value
    return {"value": value, **eb.grad(value, {"A": A, "B": B, "C": C})}


CASES = (Case({"n": 100, "r": 10}, 1.5), Case({"n": 300, "r": 20}, 4))
LIBRARIES = value_and_gradients(loss, ["A", "B", "C"])

GRADIENTS = Workload(
    letter="e",
    title="value and gradients of a CP residual",
    cases=CASES,
    arrays=draw,
    peers={"einback": lambda **_: eb.compile(outputs(expanded=False)), "NumPy": lambda **_: by_hand, **LIBRARIES},
)

EXPANDED = Workload(
    letter="E",
    title="the same, expanded by einback and by hand",
    cases=CASES,
    arrays=draw,
    peers={
        "einback": lambda **_: eb.compile(outputs(expanded=True)),
        "NumPy": lambda **_: expanded_by_hand,
        **LIBRARIES,
    },
)

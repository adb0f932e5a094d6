"""A chain of 100 matrices between two vectors: the gradient in every one of them."""

from __future__ import annotations

from typing import Any

import numpy as np

import einback as eb
from suite.libraries import value_and_gradients
from suite.workload import Arrays, Case, Step, Workload

__all__ = ["GRADIENTS"]

LENGTH = 100
NAMES = [f"M{k}" for k in range(LENGTH)]


def draw(rng: np.random.Generator, n: int) -> dict[str, Any]:
    return {
        **{name: rng.normal(size=(n, n)) / np.sqrt(n) for name in NAMES},
        "u": rng.normal(size=n),
        "v": rng.normal(size=n),
    }


def loss(lib: Any, a: Arrays) -> Any:
    u = a["u"]
    for name in NAMES:
        u = u @ a[name]
    return lib.sum(u * a["v"])


def by_hand(a: Arrays) -> dict[str, Any]:
    rows = [a["u"]]
    for name in NAMES:
        rows.append(rows[-1] @ a[name])
    v = a["v"]
    found: dict[str, Any] = {"value": rows[-1] @ v}
    for name, u in zip(NAMES[::-1], rows[-2::-1], strict=True):
        found[name] = u[:, None] * v
        v = a[name] @ v
    return found


def gradients(**_: int) -> Step:
    cores = {name: eb.tensor(f"{name}[n,n]") for name in NAMES}
    u, v = eb.tensors("u[n] v[n]")
    terms = [f"i{k} i{k + 1}" for k in range(LENGTH)]
    value = eb.einsum(f"i0 , {', '.join(terms)}, i{LENGTH} ->", u, *cores.values(), v)
    return eb.compile({"value": value, **eb.grad(value, cores)})


GRADIENTS = Workload(
    letter="l",
    title="gradients of a chain of 100 matrices",
    cases=(Case({"n": 32}, 1), Case({"n": 256}, 1)),
    arrays=draw,
    peers={"einback": gradients, "NumPy": lambda **_: by_hand, **value_and_gradients(loss, NAMES)},
)

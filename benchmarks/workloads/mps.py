"""<psi|psi> of a matrix product state of 50 sites: gradients in every core."""

from __future__ import annotations

from typing import Any

import numpy as np

import einback as eb
from suite.libraries import value_and_gradients
from suite.workload import Arrays, Case, Workload

__all__ = ["GRADIENTS", "NAMES", "by_hand", "draw", "loss", "outputs"]

SITES, SPIN = 50, 2
NAMES = [f"A{k}" for k in range(SITES)]


def _shape(k: int, bond: int) -> tuple[int, int, int]:
    return (1 if k == 0 else bond, SPIN, 1 if k == SITES - 1 else bond)


def draw(rng: np.random.Generator, bond: int) -> dict[str, Any]:
    """Cores scaled so that the norm stays near one."""
    shapes = [_shape(k, bond) for k in range(SITES)]
    return {name: rng.normal(size=shape) / np.sqrt(shape[0] * SPIN) for name, shape in zip(NAMES, shapes, strict=True)}


def loss(lib: Any, a: Arrays) -> Any:
    L = lib.einsum("asb,asc->bc", a["A0"], a["A0"])
    for name in NAMES[1:]:
        L = lib.einsum("asb,asc->bc", lib.einsum("ca,csb->asb", L, a[name]), a[name])
    return lib.sum(L)


def by_hand(a: Arrays, xp: Any = np) -> dict[str, Any]:
    """Environments from the left and from the right, one product each way."""
    cores = [a[name] for name in NAMES]
    left, right = [xp.ones((1, 1), cores[0].dtype)], [xp.ones((1, 1), cores[0].dtype)]
    halves = []
    for A in cores:
        p, s, q = A.shape
        half = (left[-1] @ A.reshape(p, s * q)).reshape(p, s, q)
        halves.append(half)
        left.append(half.reshape(p * s, q).T @ A.reshape(p * s, q))
    found: dict[str, Any] = {"value": left[-1][0, 0]}
    for name, A, half in zip(NAMES[::-1], cores[::-1], halves[::-1], strict=True):
        p, s, q = A.shape
        found[name] = 2 * (half.reshape(p * s, q) @ right[-1]).reshape(p, s, q)
        AR = (A.reshape(p * s, q) @ right[-1]).reshape(p, s * q)
        right.append(AR @ A.reshape(p, s * q).T)
    return found


def outputs(bond: int) -> dict[str, eb.Tensor]:
    cores = {name: eb.tensor(f"{name}[{','.join(map(str, _shape(k, bond)))}]") for k, name in enumerate(NAMES)}
    L = eb.einsum("asb,asc->bc", cores["A0"], cores["A0"])
    for name in NAMES[1:]:
        L = eb.einsum("ca,csb,asd->bd", L, cores[name], cores[name])
    value = eb.sum(L)
    return {"value": value, **eb.grad(value, cores)}


GRADIENTS = Workload(
    letter="f",
    title="gradients of <psi|psi>, a matrix product state of 50 sites",
    cases=(Case({"bond": 8}, 1.2), Case({"bond": 64}, 1.5)),
    arrays=draw,
    peers={
        "einback": lambda bond: eb.compile(outputs(bond)),
        "NumPy": lambda **_: by_hand,
        **value_and_gradients(loss, NAMES),
    },
)

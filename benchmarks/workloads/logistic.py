"""Logistic regression: the dense Hessian, and a whole Newton step."""

from __future__ import annotations

from typing import Any

import numpy as np

import einback as eb
from suite.libraries import hessians
from suite.workload import Arrays, Case, Step, Workload

__all__ = ["HESSIAN", "NEWTON", "by_hand", "draw", "loss", "outputs"]

RIDGE = 1e-3


def draw(rng: np.random.Generator, n: int) -> dict[str, Any]:
    X = rng.normal(size=(2 * n, n)) / np.sqrt(n)
    return {"X": X, "y": np.sign(rng.normal(size=2 * n)), "w": rng.normal(size=n)}


def loss(lib: Any, a: Arrays) -> Any:
    return lib.sum(lib.logaddexp(0, -a["y"] * (a["X"] @ a["w"]))) + RIDGE / 2 * lib.sum(a["w"] * a["w"])


def declared() -> tuple[eb.Tensor, eb.Tensor]:
    X, y, w = eb.tensors("X[m,n] y[m] w[n]")
    return eb.sum(eb.logaddexp(0, -y * (X @ w))) + RIDGE / 2 * eb.sum(w * w), w


def _sigmoid(t: Any, xp: Any = np) -> Any:
    return 1 / (1 + xp.exp(-t))


def by_hand(a: Arrays, xp: Any = np) -> dict[str, Any]:
    X = a["X"]
    p = _sigmoid(a["y"] * (X @ a["w"]), xp)
    H = (X * (p * (1 - p))[:, None]).T @ X
    H.flat[:: H.shape[0] + 1] += RIDGE
    return {"hessian": H}


def outputs() -> dict[str, eb.Tensor]:
    f, w = declared()
    return {"hessian": eb.hessian(f, w)}


HESSIAN = Workload(
    letter="a",
    title="Hessian of logistic regression",
    cases=(Case({"n": 100}, 3), Case({"n": 1000}, 4)),
    arrays=draw,
    peers={"einback": lambda **_: eb.compile(outputs()), "NumPy": lambda **_: by_hand, **hessians(loss, "w")},
)


def newton_by_hand(a: Arrays) -> dict[str, Any]:
    X, y, w = a["X"], a["y"], a["w"]
    p = _sigmoid(y * (X @ w))
    H = (X * (p * (1 - p))[:, None]).T @ X
    H.flat[:: H.shape[0] + 1] += RIDGE
    return {"w": w - np.linalg.solve(H, RIDGE * w - X.T @ (y * (1 - p)))}


def newton(**_: int) -> Step:
    f, w = declared()
    step = w - eb.linalg.solve(eb.hessian(f, w), eb.grad(f, w))
    return eb.compile({"w": step})


def newton_jax(**_: int) -> Step:
    import jax
    import jax.numpy as jnp

    lib = jax.numpy
    f = lambda w, a: loss(lib, {**a, "w": w})  # noqa: E731
    return jax.jit(lambda a: {"w": a["w"] - jnp.linalg.solve(jax.hessian(f)(a["w"], a), jax.grad(f)(a["w"], a))})


def newton_torch(**_: int) -> Step:
    import torch
    from torch.func import grad, hessian

    from suite.libraries import functions

    lib = functions("PyTorch")

    def step(a: Arrays) -> dict[str, Any]:
        f = lambda w: loss(lib, {**a, "w": w})  # noqa: E731
        return {"w": a["w"] - torch.linalg.solve(hessian(f)(a["w"]), grad(f)(a["w"]))}

    return step


def newton_autograd(**_: int) -> Step:
    from autograd import grad, hessian

    from suite.libraries import functions

    lib = functions("autograd")

    def step(a: Arrays) -> dict[str, Any]:
        f = lambda w: loss(lib, {**a, "w": w})  # noqa: E731
        return {"w": a["w"] - np.linalg.solve(hessian(f)(a["w"]), grad(f)(a["w"]))}

    return step


NEWTON = Workload(
    letter="j",
    title="Newton step of logistic regression",
    cases=(Case({"n": 100}, 4), Case({"n": 500}, 4)),
    arrays=draw,
    peers={"einback": newton, "NumPy": lambda **_: newton_by_hand, "JAX": newton_jax, "PyTorch": newton_torch,
           "autograd": newton_autograd},
    tolerance=1e-7,
)  # fmt: skip

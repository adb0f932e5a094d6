"""A classifier of three layers: value and gradients, tiny and large, and Hessian-vector products."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

import einback as eb
from suite.libraries import products, value_and_gradients
from suite.machine import cores
from suite.workload import Arrays, Case, Step, Workload

__all__ = ["GRADIENTS", "PRODUCTS", "TINY", "by_hand", "draw", "loss", "names", "outputs"]


def _shapes(batch: int, inputs: int, hidden: int, classes: int, layers: int) -> list[tuple[int, int]]:
    widths = [inputs, *[hidden] * (layers - 1), classes]
    return list(itertools.pairwise(widths))


def draw(rng: np.random.Generator, **sizes: int) -> dict[str, Any]:
    arrays: dict[str, Any] = {"X": rng.normal(size=(sizes["batch"], sizes["inputs"]))}
    arrays["Y"] = np.eye(sizes["classes"])[rng.integers(0, sizes["classes"], sizes["batch"])]
    for k, (inner, outer) in enumerate(_shapes(**sizes)):
        arrays[f"W{k}"] = rng.normal(size=(inner, outer)) / np.sqrt(inner)
        arrays[f"b{k}"] = rng.normal(size=outer) / 8
    return arrays


def draw_with_vectors(rng: np.random.Generator, **sizes: int) -> dict[str, Any]:
    arrays = draw(rng, **sizes)
    return arrays | {f"v_{key}": rng.normal(size=a.shape) for key, a in arrays.items() if key[0] in "Wb"}


def names(layers: int) -> list[str]:
    return [f"{kind}{k}" for k in range(layers) for kind in "Wb"]


def _affine(h: Any, W: Any, b: Any) -> Any:
    return h @ W + b


def loss(lib: Any, a: Arrays, layers: int, smooth: bool = False, affine: Callable[..., Any] = _affine) -> Any:
    h = a["X"]
    activation = lib.tanh if smooth else lib.relu
    for k in range(layers):
        h = affine(h, a[f"W{k}"], a[f"b{k}"])
        h = activation(h) if k < layers - 1 else h
    return (lib.sum(lib.logsumexp(h, 1)) - lib.sum(a["Y"] * h)) / a["X"].shape[0]


def by_hand(layers: int, xp: Any = np, product: Callable[[Any, Any], Any] = operator.matmul) -> Step:
    def step(a: Arrays) -> dict[str, Any]:
        n, inner = a["X"].shape[0], [a["X"]]
        for k in range(layers - 1):
            h = product(inner[-1], a[f"W{k}"])
            h += a[f"b{k}"]
            inner.append(xp.maximum(h, 0, out=h))
        z = product(inner[-1], a[f"W{layers - 1}"])
        z += a[f"b{layers - 1}"]
        z -= z.max(axis=1, keepdims=True)
        e = xp.exp(z)
        totals = e.sum(axis=1, keepdims=True)
        found = {"value": (xp.log(totals).sum() - (a["Y"] * z).sum()) / n}
        g = e / totals
        g -= a["Y"]
        g /= n
        for k in range(layers - 1, -1, -1):
            found[f"W{k}"] = product(inner[k].T, g)
            found[f"b{k}"] = g.sum(axis=0)
            if k:
                g = product(g, a[f"W{k}"].T)
                g *= inner[k] > 0
        return found

    return step


def declared(layers: int, smooth: bool = False) -> tuple[eb.Tensor, dict[str, eb.Tensor]]:
    X, Y = eb.tensors("X[n,d0] Y[n,c]")
    sizes = [*(f"d{k}" for k in range(layers)), "c"]
    inputs = {f"W{k}": eb.tensor(f"W{k}[{sizes[k]},{sizes[k + 1]}]") for k in range(layers)}
    inputs |= {f"b{k}": eb.tensor(f"b{k}[{sizes[k + 1]}]") for k in range(layers)}
    h = X
    for k in range(layers):
        h = h @ inputs[f"W{k}"] + inputs[f"b{k}"]
        if k < layers - 1:
            h = eb.tanh(h) if smooth else eb.relu(h)
    value = (eb.sum(eb.logsumexp(h, 1)) - eb.sum(Y * h)) / X.size("n")
    return value, {key: inputs[key] for key in names(layers)}


def outputs(layers: int) -> dict[str, eb.Tensor]:
    value, wrt = declared(layers)
    return {"value": value, **eb.grad(value, wrt)}


def _peers(layers: int) -> dict[str, Any]:
    others = value_and_gradients(lambda lib, a: loss(lib, a, layers), names(layers))
    return {
        "einback": lambda **_: eb.compile(outputs(layers), threads=cores()),
        "NumPy": lambda **_: by_hand(layers),
        **others,
    }


TINY = Workload(
    letter="d",
    title="value and gradients of a tiny classifier",
    cases=(Case({"batch": 8, "inputs": 16, "hidden": 16, "classes": 4, "layers": 2}, 2, "8; 16-16-4"),),
    arrays=draw,
    peers=_peers(2),
)

GRADIENTS = Workload(
    letter="D",
    title="value and gradients of a classifier",
    cases=(Case({"batch": 256, "inputs": 784, "hidden": 512, "classes": 10, "layers": 3}, 1, "256; 784-512-512-10"),),
    arrays=draw,
    peers=_peers(3),
    dtype="float32",
    tolerance=1e-4,
)


def products_by_hand(a: Arrays) -> dict[str, Any]:
    """Forward along v, then backward twice (Pearlmutter 1994)."""
    n, W, b, V, c = a["X"].shape[0], *([a[f"{kind}{k}"] for k in range(3)] for kind in ("W", "b", "v_W", "v_b"))
    h, dh = [a["X"]], [None]
    for k in range(3):
        z = h[k] @ W[k] + b[k]
        dz = h[k] @ V[k] + c[k]
        if k:
            dz += dh[k] @ W[k]
        if k < 2:
            t = np.tanh(z)
            h.append(t)
            dh.append(dz * (1 - t * t))
    z -= z.max(axis=1, keepdims=True)
    p = np.exp(z)
    p /= p.sum(axis=1, keepdims=True)
    g = (p - a["Y"]) / n
    dg = p * (dz - (p * dz).sum(axis=1, keepdims=True)) / n
    found = {}
    for k in (2, 1, 0):
        found[f"W{k}"] = h[k].T @ dg + (dh[k].T @ g if k else 0)
        found[f"b{k}"] = dg.sum(axis=0)
        if k:
            back, slope = g @ W[k].T, 1 - h[k] * h[k]
            dg = (dg @ W[k].T + g @ V[k].T) * slope - 2 * back * h[k] * dh[k]
            g = back * slope
    return found


def hessian_product(**_: int) -> Step:
    value, wrt = declared(3, smooth=True)
    v = {key: eb.tensor(f"v_{key}[{','.join(map(str, one.shape))}]") for key, one in wrt.items()}
    slopes = eb.grad(value, wrt)
    along = {wrt[key]: v[key] for key in wrt}
    return eb.compile({key: eb.jvp(slope, along) for key, slope in slopes.items()}, threads=cores())


PRODUCTS = Workload(
    letter="i",
    title="Hessian-vector product of a classifier",
    cases=(Case({"batch": 256, "inputs": 784, "hidden": 512, "classes": 10, "layers": 3}, 1.2, "256; 784-512-512-10"),),
    arrays=draw_with_vectors,
    peers={"einback": hessian_product, "NumPy": lambda **_: products_by_hand,
           **products(lambda lib, a: loss(lib, a, 3, smooth=True), names(3))},
    dtype="float32",
    tolerance=1e-3,
)  # fmt: skip

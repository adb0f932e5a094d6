"""A small network and its gradients, written by hand as nodes: what the tests of running compile."""

from __future__ import annotations

import re

import numpy as np

from einback.ir.build import add, broadcast, const, einsum, power, reduce, scale, size_of, total
from einback.ir.nodes import Input, Map, Node
from einback.run.callable import Compiled

X, Y = Input("X", ("n", "d"), ()), Input("Y", ("n", "c"), ())
W, b = Input("W", ("d", "h"), ()), Input("b", ("h",), ())
V = Input("V", ("h", "c"), ())
INPUTS = (X, Y, W, b, V)
SIZES = {"n": 6, "d": 4, "h": 5, "c": 3}


def network() -> dict[str, Node]:
    """Cross-entropy of a network with one ReLU layer, and its gradients."""
    H = Map("relu", (add([einsum([X, W], ["nd", "dh"], "nh"), broadcast(b, ("n", "h"), [1])]),))
    Z = einsum([H, V], ["nh", "hc"], "nc")
    L = add([Z, broadcast(reduce("logsumexp", Z, [1]), ("n", "c"), [0])], [1, -1])
    part = power(size_of("n"), -1)
    loss = scale(einsum([Y, L, part], ["nc", "nc", ""], ""), -1)
    P = Map("exp", (L,))
    G = einsum([add([P, Y], [1, -1]), part], ["nc", ""], "nc")
    D = einsum([G, V, Map("greater", (H, const(0)))], ["nc", "hc", "nh"], "nh")
    return {
        "loss": loss,
        "dW": einsum([X, D], ["nd", "nh"], "dh"),
        "db": total(D, [0]),
        "dV": einsum([H, G], ["nh", "nc"], "hc"),
        "H": H,
        "Z": Z,
        "P": P,
        "G": G,
        "D": D,
    }


def step() -> Compiled:
    nodes = network()
    names = {node: name for name, node in nodes.items()}
    roots = [nodes[name] for name in ("loss", "dW", "db", "dV")]
    structure = {"loss": 0, "grads": {"W": 1, "b": 2, "V": 3}}
    return Compiled(roots, INPUTS, structure=structure, names=names, forward=roots[:1], likes=(None, W, b, V))


def batch(seed: int = 0, dtype: str = "f8") -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    arrays = {t.name: rng.normal(size=[SIZES[str(size)] for size in t.sizes]) for t in INPUTS}
    arrays["Y"] = np.eye(3)[rng.integers(0, 3, 6)]
    return {name: array.astype(dtype) for name, array in arrays.items()}


def statements(source: str) -> list[str]:
    """The lines of a generated function, less its check of shapes, its comments and what it returns."""
    body = source.rsplit("def step(", 1)[1].split('got {shapes}")\n', 1)[1]
    lines = [line.strip() for line in re.split(r"\n *return ", body)[0].splitlines()]
    return [line for line in lines if line and not line.startswith("#")]

"""Derived tensors that several notations print, and arrays to evaluate them with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import einback as eb
from einback.ir.extents import evaluate as evaluate_size
from einback.ir.nodes import Node
from einback.ir.walk import inputs_of
from tests.formula.programs import POINTS_INTO, SIZES
from tests.interpreter import evaluate

LENGTHS = dict.fromkeys("nijkltq", 3) | dict.fromkeys("dbpo", 2) | {"m": 4, "w": 4, "c": 5, "h": 6, "v": 6}


def node_arrays(roots: Sequence[Node], seed: int = 0) -> dict[str, np.ndarray]:
    """Arrays for the inputs of random programs."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for node in inputs_of(roots):
        shape = [s if isinstance(s, int) else SIZES[s] for s in node.sizes]
        below = SIZES.get(POINTS_INTO.get(node.name, ""), 1)
        integer = node.name in POINTS_INTO
        arrays[node.name] = rng.integers(0, below, shape) if integer else rng.uniform(0.2, 1.5, shape)
    return arrays


def value_of(root: Node, arrays: dict[str, np.ndarray]) -> np.ndarray:
    return evaluate([root], arrays, SIZES)[0]


def close(a: Any, b: Any) -> bool:
    """Equal where both are finite: which infinity a pole gives depends on the order of operations."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.shape != b.shape:
        return False
    finite = np.isfinite(a) & np.isfinite(b)
    return np.allclose(a[finite], b[finite], rtol=1e-6, atol=1e-9)


def arrays_for(tensor: eb.Tensor, seed: int = 0) -> dict[str, np.ndarray]:
    """Arrays for all that a tensor was made from."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for one in tensor.inputs:
        shape = [s if isinstance(s, int) else evaluate_size(s, LENGTHS) for s in one.shape]
        facts = one.node.facts
        array = rng.integers(0, 3, shape) if "integer" in facts else rng.uniform(0.2, 1.5, shape)
        if "symmetric" in facts:
            array = array @ array.T + 4 * np.eye(shape[0])
        arrays[one.name] = array
    return arrays


def _softmax_regression(of: str) -> eb.Tensor:
    X, Y, W, b = eb.tensors("X[n,d] Y[n,c] W[d,c] b[c]")
    Z = eb.einsum("nd,dc->nc", X, W) + b
    loss = -eb.sum(Y * eb.log_softmax(Z, axis="c")) / X.size("n")
    return eb.grad(loss, {"W": W, "b": b, "X": X})[of]


def _affine(of: str, how: str = "pull") -> eb.Tensor:
    p = eb.program("Y[n,m] = X[n,d] W[d,m] + b[m]")
    if how == "jacobian":
        return eb.jacobian(p["Y"], p[of])
    return eb.vjp(p["Y"], p[of], eb.tensor("G[n,m]"))


def _of_text(text: str, of: str, by: str, how: Callable[..., Any] = eb.grad, **sizes: Any) -> Callable[[], eb.Tensor]:
    def make() -> eb.Tensor:
        p = eb.program(text, **sizes)
        return how(p[of], p[by])

    return make


def _factorisation(how: Callable[..., Any]) -> eb.Tensor:
    O, T, U, V = eb.tensors("O[m,n] T[m,n] U[m,k] V[n,k]")
    return how(eb.sum((O * (T - U @ V.T)) ** 2), U)


def _likelihood() -> eb.Tensor:
    K, t = eb.tensor("K[n,n]", symmetric=True), eb.tensor("t[n]")
    return eb.grad(t @ eb.linalg.solve(K, t) / 2 + eb.linalg.logdet(K) / 2, K)


def _embedding() -> eb.Tensor:
    E, token = eb.tensor("E[v,d]"), eb.tensor("token[b,t]", integer=True)
    return eb.grad(eb.sum(E[token] ** 2), E)


def _differential(text: str, of: str, by: str) -> Callable[[], eb.Tensor]:
    def make() -> eb.Tensor:
        p = eb.program(text)
        x = p[by]
        return eb.jvp(p[of], {x: eb.tensor(f"d{by}[{','.join(map(str, x.shape))}]")})

    return make


_CONV = "y[b,o,i,j] = x[b,c,2*i+u-1,j+v] K[o,c,u,v]\n L = y[b,o,i,j]^2"
_QUADRATIC = "f = x[i] A[i,j] x[j]"
_NEURON = "loss = sum[n]((y[n] - maximum(X[n,d] w[d] + b, 0))^2) / size(n)"
_NETWORK = """
    h[k] = sigmoid(W_1[k,d] x[d] + b_1[k])
    y[m] = W_2[m,k] h[k] + b_2[m]
    loss = (y[m] - t[m])^2
"""

CASES: dict[str, Callable[[], eb.Tensor]] = {
    "softmax regression by W": lambda: _softmax_regression("W"),
    "softmax regression by b": lambda: _softmax_regression("b"),
    "softmax regression by X": lambda: _softmax_regression("X"),
    "E1 affine by W": lambda: _affine("W"),
    "E1 affine by X": lambda: _affine("X"),
    "E1 affine by b": lambda: _affine("b"),
    "E6 affine jacobian": lambda: _affine("W", "jacobian"),
    "quadratic form": _of_text(_QUADRATIC, "f", "x"),
    "quadratic form by A": _of_text(_QUADRATIC, "f", "A"),
    "quadratic form hessian": _of_text(_QUADRATIC, "f", "x", eb.hessian),
    "C1 two variables": _of_text("f = 3 x^2 y", "f", "x"),
    "C2 product": _of_text("y[i] = w[i] x[i]", "y", "w", eb.jacobian),
    "C2 quotient": _of_text("y[i] = w[i] / x[i]", "y", "x", eb.jacobian),
    "C3 scaled": _of_text("y[i] = x[i] z", "y", "z", eb.jacobian),
    "C4 sum": _of_text("y = sum[i](x[i] z)", "y", "z"),
    "C5 chain": _of_text("y = log(sin(x^3)^2)", "y", "x"),
    "C8 dot": _of_text("y = w[i] x[i] + b", "y", "w"),
    "C9 neuron": _of_text("y = maximum(w[i] x[i] + b, 0)", "y", "w"),
    "C10 neuron by w": _of_text(_NEURON, "loss", "w"),
    "C10 neuron by b": _of_text(_NEURON, "loss", "b"),
    "B8 network by W_1": _of_text(_NETWORK, "loss", "W_1"),
    "B8 network by W_2": _of_text(_NETWORK, "loss", "W_2"),
    "B6 dense jacobian": _of_text("n[i] = sigmoid(W[i,j] x[j] + b[i])", "n", "W", eb.jacobian),
    "D1 differential": _differential("y[i] = W[i,j] x[j]\n f = y[i]^2", "f", "W"),
    "D2 differential": _differential("L = G[i,j] X[i,j]", "L", "X"),
    "D3 differential": _differential("f[i,j] = A[i,j,k,l] X[k,l]", "f", "X"),
    "D4 log determinant": _likelihood,
    "D5 logsumexp hessian": _of_text("f = logsumexp[i](x[i])", "f", "x", eb.hessian),
    "E3 sigmoid layer": _of_text("L = sigmoid(X[n,d] W[d,m]) R[n,m]", "L", "X"),
    "softmax jacobian": _of_text("y[i] = softmax[i](x[i])", "y", "x", eb.jacobian),
    "norm": _of_text("y[i] = x[i] / sqrt(sum[j](x[j]^2))", "y", "x", eb.jacobian),
    "quartic": _of_text("f = sum[i](x[i]^2)^2", "f", "x", eb.hessian),
    "extremes": _of_text("f = max[i](x[i]) a - logsumexp[j](x[j]) + prod[k](x[k])", "f", "x"),
    "poles": _of_text("f = a - 2 / sum[i](x[i] / y[i])", "f", "x"),
    "factorisation": lambda: _factorisation(eb.grad),
    "factorisation hessian": lambda: _factorisation(eb.hessian),
    "convolution by K": _of_text(_CONV, "L", "K", u=3, v=2, x=eb.tensor("x[b,c,h,w]")),
    "convolution by x": _of_text(_CONV, "L", "x", u=3, v=2, x=eb.tensor("x[b,c,h,w]")),
    "embedding": _embedding,
}

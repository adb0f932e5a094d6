"""Seed results C (matrix calculus), D (differentials, trace, Ricci notation) and E (an affine layer on a batch)."""

# ruff: noqa: PLW0108 (the parameters of a closed form name the arrays it reads)

from __future__ import annotations

from typing import Any

import numpy as np
from reference.row import Row

from tests.oracles.jax_lib import jax, jnp
from tests.reference.seed import Seed

__all__ = ["SEEDS"]

I, diag, kron, outer = np.eye, np.diag, np.kron, np.outer
cos, sin, ones = np.cos, np.sin, np.ones
det, inv = np.linalg.det, np.linalg.inv
E = np.einsum


def s(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def _binary(name, declared, function, wrt_w, wrt_x):
    """The two Jacobians of an elementwise operator, C2."""
    for by, (shown, closed) in (("w", wrt_w), ("x", wrt_x)):
        yield Seed("C2", Row(name, f"y[i] = {declared}", by, shown, closed, draw="w positive, x positive"), function)


def _active(X, w, b, y):
    """The errors of the active rows, zero elsewhere."""
    z = X @ w + b
    return np.where(z > 0, z - y, 0)


def _curvature(A, x):
    p = np.exp(A @ x) / np.exp(A @ x).sum()
    return A.T @ (diag(p) - outer(p, p)) @ A


MATRIX = {"given": "X[i,j]", "draw": "X dominant", "sizes": {"i": 3, "j": 3}}
NEURON = "y = maximum(0, w[i] x[i] + b)"
MSE = "f = sum[n]((y[n] - maximum(0, X[n,d] w[d] + b))^2) / size(n)"
AFFINE = "Y[n,m] = X[n,d] W[d,m] + b[m]; L = tanh(Y[n,m]) R[n,m]"


def _upstream(X, W, b, R):
    """dL/dY of the loss on the affine layer."""
    return (1 - np.tanh(X @ W + b) ** 2) * R


SEEDS = (
    Seed("C1", Row("3x²y", "f = 3 x^2 y", "x", "6xy", lambda x, y: 6 * x * y), lambda x, y: 3 * x**2 * y),
    Seed("C1", Row("3x²y", "f = 3 x^2 y", "y", "3x²", lambda x: 3 * x**2), lambda x, y: 3 * x**2 * y),
    Seed("C1", Row("2x + y⁸", "g = 2 x + y^8", "x", "2", lambda: 2.0), lambda x, y: 2 * x + y**8),
    Seed("C1", Row("2x + y⁸", "g = 2 x + y^8", "y", "8y⁷", lambda y: 8 * y**7), lambda x, y: 2 * x + y**8),
    *_binary("w + x", "w[i] + x[i]", lambda w, x: w + x, ("I", lambda w: I(w.size)), ("I", lambda w: I(w.size))),
    *_binary("w - x", "w[i] - x[i]", lambda w, x: w - x, ("I", lambda w: I(w.size)), ("-I", lambda w: -I(w.size))),
    *_binary("w * x", "w[i] x[i]", lambda w, x: w * x, ("diag x", lambda x: diag(x)), ("diag w", lambda w: diag(w))),
    *_binary("w / x", "w[i] / x[i]", lambda w, x: w / x,
        ("diag 1/x", lambda x: diag(1 / x)), ("-diag w/x²", lambda w, x: diag(-w / x**2))),
    Seed("C3", Row("x + z", "y[i] = x[i] + z", "x", "I", lambda x: I(x.size)), lambda x, z: x + z),
    Seed("C3", Row("x + z", "y[i] = x[i] + z", "z", "1", lambda x: ones(x.size)), lambda x, z: x + z),
    Seed("C3", Row("xz", "y[i] = x[i] z", "x", "I z", lambda x, z: I(x.size) * z), lambda x, z: x * z),
    Seed("C3", Row("xz", "y[i] = x[i] z", "z", "x", lambda x: x), lambda x, z: x * z),
    Seed("C4", Row("sum f(x)", "y = sum[i](sin(x[i])^2)", "x", "Σᵢ ∂fᵢ/∂xⱼ", lambda x: 2 * sin(x) * cos(x)),
        lambda x: jnp.sum(jnp.sin(x) ** 2)),
    Seed("C4", Row("sum x", "y = sum[i](x[i])", "x", "1ᵀ", lambda x: ones(x.size)), lambda x: jnp.sum(x)),
    Seed("C4", Row("sum xz", "y = sum[i](x[i] z)", "x", "z 1ᵀ", lambda x, z: z * ones(x.size)),
        lambda x, z: jnp.sum(x * z)),
    Seed("C4", Row("sum xz", "y = sum[i](x[i] z)", "z", "sum x", lambda x: x.sum()), lambda x, z: jnp.sum(x * z)),
    Seed("C5", Row("sin x²", "y = sin(x^2)", "x", "2x cos x²", lambda x: 2 * x * cos(x**2)), lambda x: jnp.sin(x**2)),
    Seed("C5", Row("ln sin²x³", "y = log(sin(x^3)^2)", "x", "6x² cos x³ / sin x³",
        lambda x: 6 * x**2 * cos(x**3) / sin(x**3), draw="x unit"), lambda x: jnp.log(jnp.sin(x**3) ** 2)),
    Seed("C6", Row("sin(x + x²)", "y = sin(x + x^2)", "x", "(1 + 2x) cos(x + x²)",
        lambda x: (1 + 2 * x) * cos(x + x**2)), lambda x: jnp.sin(x + x**2)),
    Seed("C6", Row("x x²", "u = x^2; y = x u", "x", "3x²", lambda x: 3 * x**2), lambda x: x * x**2),
    Seed("C7", Row("ln x²", "y = log(x^2)", "x", "2/x", lambda x: 2 / x), lambda x: jnp.log(x**2)),
    Seed("C7", Row("sin 3x", "y = sin(3 x)", "x", "3 cos 3x", lambda x: 3 * cos(3 * x)), lambda x: jnp.sin(3 * x)),
    Seed("C8", Row("w·x", "y = w[i] x[i]", "w", "xᵀ", lambda x: x), lambda w, x: w @ x),
    Seed("C8", Row("w·x", "y = w[i] x[i]", "x", "wᵀ", lambda w: w), lambda w, x: w @ x),
    Seed("C8", Row("w·x + b", "y = w[i] x[i] + b", "b", "1", lambda: 1.0), lambda w, x, b: w @ x + b),
    Seed("C9", Row("max(0, w·x + b)", NEURON, "w", "xᵀ where w·x + b > 0",
        lambda w, x, b: (w @ x + b > 0) * x, draw="w positive, x positive"), lambda w, x, b: jnp.maximum(0, w @ x + b)),
    Seed("C9", Row("max(0, w·x + b)", NEURON, "b", "1 where w·x + b > 0",
        lambda w, x, b: float(w @ x + b > 0)), lambda w, x, b: jnp.maximum(0, w @ x + b)),
    Seed("C10", Row("mean squared error", MSE, "w", "(2/N) Σ eᵢxᵢᵀ over active i",
        lambda X, w, b, y: 2 / len(X) * _active(X, w, b, y) @ X),
        lambda X, w, b, y: jnp.mean((y - jnp.maximum(0, X @ w + b)) ** 2)),
    Seed("C10", Row("mean squared error", MSE, "b", "(2/N) Σ eᵢ over active i",
        lambda X, w, b, y: 2 / len(X) * _active(X, w, b, y).sum()),
        lambda X, w, b, y: jnp.mean((y - jnp.maximum(0, X @ w + b)) ** 2)),
    Seed("D1", Row("yᵀy", "f = y[i] y[i]", "dy", "2yᵀdy", lambda y, dy: 2 * y @ dy), lambda y: y @ y),
    Seed("D1", Row("Wx", "g[i] = W[i,j] x[j]", "dW", "dW x", lambda x, dW: dW @ x), lambda W, x: W @ x),
    Seed("D1", Row("f(g)", "y[i] = W[i,j] x[j]; f = y[i] y[i]", "dW", "2yᵀdW x = tr 2xyᵀdW",
        lambda W, x, dW: np.trace(2 * outer(x, W @ x) @ dW)), lambda W, x: (W @ x) @ (W @ x)),
    Seed("D1", Row("f(g)", "y[i] = W[i,j] x[j]; f = y[i] y[i]", "W", "2yxᵀ", lambda W, x: 2 * outer(W @ x, x)),
        lambda W, x: (W @ x) @ (W @ x)),
    Seed("D2", Row("L(X)", "L = sum[i,j](sin(X[i,j]) A[i,j])", "dX", "Gᵢⱼ dXᵢⱼ = tr Gᵀ dX",
        lambda X, A, dX: np.trace((cos(X) * A).T @ dX)), lambda X, A: jnp.sum(jnp.sin(X) * A)),
    Seed("D3", Row("AX", "F[i,j] = A[i,j,k,l] X[k,l]", "dX", "Aᵢⱼₖₗ dXₖₗ",
        lambda A, dX: np.tensordot(A, dX, 2), sizes={"l": 2}), lambda A, X: jnp.tensordot(A, X, 2)),
    Seed("D3", Row("AX", "F[i,j] = A[i,j,k,l] X[k,l]", "X", "A", lambda A: A, sizes={"l": 2}),
        lambda A, X: jnp.tensordot(A, X, 2)),
    Seed("D4", Row("X⁻¹", "eb.linalg.inv(X)", "dX", "-X⁻¹dX X⁻¹", lambda X, dX: -inv(X) @ dX @ inv(X), **MATRIX),
        lambda X: jnp.linalg.inv(X)),
    Seed("D4", Row("det X", "eb.linalg.det(X)", "dX", "det(X) tr X⁻¹dX",
        lambda X, dX: det(X) * np.trace(inv(X) @ dX), **MATRIX), lambda X: jnp.linalg.det(X)),
    Seed("D4", Row("log det X", "eb.linalg.logdet(X)", "dX", "tr X⁻¹dX",
        lambda X, dX: np.trace(inv(X) @ dX), **MATRIX), lambda X: jnp.linalg.slogdet(X)[1]),
    Seed("D4", Row("det X", "eb.linalg.det(X)", "X", "det(X) X⁻ᵀ", lambda X: det(X) * inv(X).T, **MATRIX),
        lambda X: jnp.linalg.det(X)),
    Seed("D4", Row("log det X", "eb.linalg.logdet(X)", "X", "X⁻ᵀ", lambda X: inv(X).T, **MATRIX),
        lambda X: jnp.linalg.slogdet(X)[1]),
    Seed("D5", Row("‖Ax - b‖²", "f = (A[i,j] x[j] - b[i])^2", "x x", "2AᵀA", lambda A: 2 * A.T @ A),
        lambda A, x, b: jnp.sum((A @ x - b) ** 2)),
    Seed("D5", Row("log 1ᵀexp(Ax)", "f = logsumexp[i](A[i,j] x[j])", "x x", "Aᵀ(diag p - ppᵀ)A",
        _curvature), lambda A, x: jax.nn.logsumexp(A @ x)),
    Seed("D5", Row("Aᵢⱼₖxᵢxⱼxₖ", "f = A[i,j,k] x[i] x[j] x[k]", "x x x", "A summed over the orders of its axes",
        lambda A: sum(A.transpose(p) for p in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)))),
        lambda A, x: jnp.einsum("ijk,i,j,k->", A, x, x, x)),
    Seed("E1", Row("L(XW + b)", AFFINE, "W", "Xᵀ dL/dY", lambda X, W, b, R: X.T @ _upstream(X, W, b, R)),
        lambda X, W, b, R: jnp.sum(jnp.tanh(X @ W + b) * R)),
    Seed("E1", Row("L(XW + b)", AFFINE, "X", "dL/dY Wᵀ", lambda X, W, b, R: _upstream(X, W, b, R) @ W.T),
        lambda X, W, b, R: jnp.sum(jnp.tanh(X @ W + b) * R)),
    Seed("E1", Row("L(XW + b)", AFFINE, "b", "column sums of dL/dY",
        lambda X, W, b, R: _upstream(X, W, b, R).sum(axis=0)), lambda X, W, b, R: jnp.sum(jnp.tanh(X @ W + b) * R)),
    Seed("E2", Row("⟨G, XW⟩", "L = (X[i,j] W[j,k]) G[i,k]", "W", "Σᵢⱼ Gᵢⱼ ∂Yᵢⱼ/∂W",
        lambda X, G, W: E("ij,ijuv->uv", G, E("iu,jv->ijuv", X, I(W.shape[1]))), sizes={"i": 2, "j": 4, "k": 3}),
        lambda X, W, G: jnp.sum(X @ W * G)),
    Seed("E3", Row("⟨G, σ(X)⟩", "S[n,m] = sigmoid(X[n,m]); L = S[n,m] G[n,m]", "X", "G ⊙ S ⊙ (1 - S)",
        lambda X, G: G * s(X) * (1 - s(X))), lambda X, G: jnp.sum(jax.nn.sigmoid(X) * G)),
    Seed("E4", Row("Σ (XW)²", "y[n,m] = X[n,d] W[d,m]; f[n,m] = y[n,m]^2; L = sum[n,m](f[n,m])", "W", "2XᵀXW",
        lambda X, W: 2 * X.T @ X @ W), lambda X, W: jnp.sum((X @ W) ** 2)),
    Seed("E6", Row("XW + b", "Y[n,m] = X[n,d] W[d,m] + b[m]", "W", "δₘⱼXₙ_d",
        lambda X, b: E("mj,nd->nmdj", I(b.size), X)), lambda X, W, b: X @ W + b),
)  # fmt: skip

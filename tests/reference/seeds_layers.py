"""Seed results A (one layer without indices) and B (tuples of columns, dense layers, whole networks)."""

# ruff: noqa: PLW0108 (the parameters of a closed form name the arrays it reads)

from __future__ import annotations

from typing import Any

import numpy as np
from reference.row import Row

from tests.oracles.jax_lib import jax, jnp
from tests.reference.seed import Seed

__all__ = ["SEEDS"]

I, diag, kron, outer = np.eye, np.diag, np.kron, np.outer
E = np.einsum


def s(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def ds(z: Any) -> Any:
    return s(z) * (1 - s(z))


def vec(matrix: Any) -> Any:
    """The columns, one below the other."""
    return matrix.T.ravel()


def with_one(x: Any) -> Any:
    """[xᵀ 1], as a row."""
    return np.append(x, 1.0)[None]


NETWORK = "h[i] = tanh(A[i,j] x[j] + a[i]); g[k] = sigmoid(B[k,i] h[i] + b[k]); f = (c[k] g[k] - y)^2"
BATCH = (
    "H[n,i] = tanh(X[n,j] A[i,j] + a[i]); G[n,k] = sigmoid(H[n,i] B[k,i] + b[k]); f = sum[n]((G[n,k] c[k] - y[n])^2)"
)


def _backwards(x, A, a, B, b, c, y):
    """u_2 and u_1 of the network, each already times its layer's slope, and h, g."""
    h = np.tanh(A @ x + a)
    g = s(B @ h + b)
    second = g * (1 - g) * (2 * (c @ g - y) * c)
    return (1 - h * h) * (B.T @ second), second, h, g


def _network(x, A, a, B, b, c, y):
    g = jax.nn.sigmoid(B @ jnp.tanh(A @ x + a) + b)
    return (c @ g - y) ** 2


def _batch(X, A, a, B, b, c, y):
    return sum(_network(X[n], A, a, B, b, c, y[n]) for n in range(len(X)))


def _over_batch(pick):
    """The sum over samples of what `pick` makes of a sample and its backward pass."""

    def total(X, A, a, B, b, c, y):
        return sum(pick(X[n], *_backwards(X[n], A, a, B, b, c, y[n])) for n in range(len(X)))

    return total


def _composed(x, A, B):
    inner = np.sin(x)
    middle = s(B @ inner)
    return diag(1 - np.tanh(A @ middle) ** 2) @ A @ diag(middle * (1 - middle)) @ B @ diag(np.cos(x))


SEEDS = (
    # A: an axis (n m) is vec of a matrix [m,n]
    Seed("A1", Row("vec ABC", "v[(j i)] = A[i,k] B[k,l] C[l,j]", "", "(Cᵀ ⊗ A) vec B",
        lambda A, B, C: kron(C.T, A) @ vec(B)), lambda A, B, C: vec(A @ B @ C)),
    Seed("A1", Row("vec ABC", "v[(j i)] = A[i,k] b[(l k)] C[l,j]", "b", "Cᵀ ⊗ A, b = vec B",
        lambda A, C: kron(C.T, A)), lambda A, b, C: vec(A @ b.reshape(len(C), -1).T @ C)),
    Seed("A2", Row("Wx", "y[m] = w[(n m)] x[n] + b[m]", "w", "xᵀ ⊗ I, w = vec W",
        lambda x, b: kron(x[None], I(b.size))), lambda w, x, b: w.reshape(len(x), -1).T @ x + b),
    Seed("A3", Row("Wx + b", "y[m] = w[(n m)] x[n] + b[m]", "", "([xᵀ 1] ⊗ I) [vec W; b]",
        lambda x, w, b: kron(with_one(x), I(b.size)) @ np.append(w, b)),
        lambda w, x, b: w.reshape(len(x), -1).T @ x + b),
    Seed("A4", Row("σ(Wx + b)", "G[m] = sigmoid(w[(n m)] x[n] + b[m])", "w", "diag(σ')(xᵀ ⊗ I)",
        lambda x, w, b: diag(ds(w.reshape(x.size, -1).T @ x + b)) @ kron(x[None], I(b.size))),
        lambda w, x, b: jax.nn.sigmoid(w.reshape(len(x), -1).T @ x + b)),
    Seed("A4", Row("σ(Wx + b)", "G[m] = sigmoid(w[(n m)] x[n] + b[m])", "b", "diag(σ')",
        lambda x, w, b: diag(ds(w.reshape(x.size, -1).T @ x + b))),
        lambda w, x, b: jax.nn.sigmoid(w.reshape(len(x), -1).T @ x + b)),
    Seed("A5", Row("L(σ(Wx + b))", "G[m] = sigmoid(W[m,n] x[n] + b[m]); F = c[m] G[m]^2", "W",
        "(diag(σ')∇L) xᵀ, reshaped from (x ⊗ I)diag(σ')∇L",
        lambda W, x, b, c: (kron(x[:, None], I(b.size)) @ diag(ds(W @ x + b)) @ (2 * c * s(W @ x + b)))
        .reshape(W.T.shape).T), lambda W, x, b, c: c @ jax.nn.sigmoid(W @ x + b) ** 2),
    Seed("A5", Row("L(σ(Wx + b))", "G[m] = sigmoid(W[m,n] x[n] + b[m]); F = c[m] G[m]^2", "b", "diag(σ')∇L",
        lambda W, x, b, c: ds(W @ x + b) * 2 * c * s(W @ x + b)),
        lambda W, x, b, c: c @ jax.nn.sigmoid(W @ x + b) ** 2),
    Seed("A6", Row("σ(Wx + b)", "G[m] = sigmoid(W[m,n] x[n] + b[m])", "W", "δ σ' x",
        lambda W, x, b: E("mp,p,n->mpn", I(b.size), ds(W @ x + b), x)),
        lambda W, x, b: jax.nn.sigmoid(W @ x + b)),
    # B
    Seed("B1", Row("σ(z)", "y = sigmoid(z)", "z", "σ(z)(1 - σ(z))", lambda z: ds(z)), lambda z: jax.nn.sigmoid(z)),
    Seed("B1", Row("leaky relu", "y[i] = leaky_relu(z[i], a)", "z", "diag(1 where z > 0, a below)",
        lambda z, a: diag(np.where(z > 0, 1, a)), draw="z apart"), lambda z, a: jnp.where(z > 0, z, a * z)),
    Seed("B1", Row("relu", "y[i] = a relu(z[i])", "z", "diag(a where z > 0)",
        lambda z, a: diag(a * (z > 0)), draw="z apart"), lambda z, a: a * jnp.maximum(z, 0)),
    Seed("B2", Row("σ(x)", "y[i] = sigmoid(x[i])", "x", "diag(σ'(x))", lambda x: diag(ds(x))),
        lambda x: jax.nn.sigmoid(x)),
    Seed("B3", Row("tanh A σ(B sin x)", "a[i] = sin(x[i]); b[k] = sigmoid(B[k,i] a[i]); y[m] = tanh(A[m,k] b[k])", "x",
        "diag(tanh')A diag(σ')B diag(cos x)", _composed), lambda x, A, B: jnp.tanh(A @ jax.nn.sigmoid(B @ jnp.sin(x)))),
    *(Seed("B4", Row("σ(wᵀx + b)", "f = sigmoid(w[i] x[i] + b)", by, shown, closed),
        lambda w, x, b: jax.nn.sigmoid(w @ x + b))
      for by, shown, closed in (
          ("x", "σ' w", lambda w, x, b: ds(w @ x + b) * w),
          ("w", "σ' x", lambda w, x, b: ds(w @ x + b) * x),
          ("b", "σ'", lambda w, x, b: ds(w @ x + b)))),
    *(Seed("B5", Row("Wx + b", "y[m] = W[m,n] x[n] + b[m]", by, shown, closed), lambda W, x, b: W @ x + b)
      for by, shown, closed in (
          ("x", "W", lambda W: W),
          ("b", "I", lambda b: I(b.size)),
          ("W", "[x₁I, .., x_N I]", lambda x, b: np.stack([xj * I(b.size) for xj in x], axis=-1)))),
    *(Seed("B6", Row("σ(Wx + b)", "y[m] = sigmoid(W[m,n] x[n] + b[m])", by, shown, closed),
        lambda W, x, b: jax.nn.sigmoid(W @ x + b))
      for by, shown, closed in (
          ("x", "dσ W", lambda W, x, b: diag(ds(W @ x + b)) @ W),
          ("b", "dσ", lambda W, x, b: diag(ds(W @ x + b))),
          ("W", "[x₁dσ, .., x_N dσ]",
           lambda W, x, b: np.stack([xj * diag(ds(W @ x + b)) for xj in x], axis=-1)))),
    Seed("B7", Row("(f - y)²", "f = tanh(w[i] x[i]); L = (f - y)^2", "w", "2(f - y) df",
        lambda w, x, y: 2 * (np.tanh(w @ x) - y) * (1 - np.tanh(w @ x) ** 2) * x),
        lambda w, x, y: (jnp.tanh(w @ x) - y) ** 2),
    Seed("B7", Row("log(1 + exp yf)", "f = w[i] x[i]; L = log(1 + exp(y f))", "w", "y σ(yf) df",
        lambda w, x, y: y * s(y * (w @ x)) * x, draw="y sign"), lambda w, x, y: jnp.log1p(jnp.exp(y * (w @ x)))),
    *(Seed("B8", Row("network", NETWORK, by, shown, closed), _network)
      for by, shown, closed in (
          ("b", "σ'₂ ⊙ u₂", lambda x, A, a, B, b, c, y: _backwards(x, A, a, B, b, c, y)[1]),
          ("B", "(σ'₂ ⊙ u₂)hᵀ", lambda x, A, a, B, b, c, y: outer(*_backwards(x, A, a, B, b, c, y)[1:3])),
          ("a", "σ'₁ ⊙ u₁", lambda x, A, a, B, b, c, y: _backwards(x, A, a, B, b, c, y)[0]),
          ("A", "(σ'₁ ⊙ u₁)xᵀ", lambda x, A, a, B, b, c, y: outer(_backwards(x, A, a, B, b, c, y)[0], x)))),
    *(Seed("B9", Row("network on a batch", BATCH, by, shown, _over_batch(pick)), _batch)
      for by, shown, pick in (
          ("b", "Σₙ σ'₂ ⊙ u₂", lambda x, first, second, h, g: second),
          ("B", "Σₙ (σ'₂ ⊙ u₂)hᵀ", lambda x, first, second, h, g: outer(second, h)),
          ("a", "Σₙ σ'₁ ⊙ u₁", lambda x, first, second, h, g: first),
          ("A", "Σₙ (σ'₁ ⊙ u₁)xᵀ", lambda x, first, second, h, g: outer(first, x)))),
)  # fmt: skip

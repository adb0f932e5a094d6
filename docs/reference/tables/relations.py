"""Convolutions, gathers, masks and groups of indices."""

# ruff: noqa: PLW0108 (the parameters of a closed form name the arrays it reads)

from __future__ import annotations

import math

import numpy as np

from ..row import Group, Row
from .numpy_names import E, I, kron, softmax

__all__ = ["RELATIONS"]

windows = np.lib.stride_tricks.sliding_window_view

LINE = {"x_0": 6, "u": 3, "i": 4}
IMAGE = {"b": 2, "c": 2, "x_2": 5, "x_3": 4, "o": 3, "u": 3, "v": 2, "i": 3, "j": 3}
STRIDED = {"b": 2, "c": 2, "x_2": 7, "x_3": 6, "o": 3, "u": 3, "v": 2, "i": 3, "j": 3}

CONVOLUTION = "f = x[b,c,i+u,j+v] K[o,c,u,v] G[b,o,i,j]"
WITH_STRIDE = "f = x[b,c,2*i+u,2*j+v] K[o,c,u,v] G[b,o,i,j]"
CAUSAL = "S[t,u] = where(t >= u, Q[t,d] K[u,d] / sqrt(size(d)), -inf); f = softmax[u](S[t,u]) V[u,e] G[t,e]"


def _spread(x, K, G, step):
    """Every patch of x gets what its output's cotangent sends back."""
    found = np.zeros(x.shape)
    height, width = K.shape[2:]
    for i, j in np.ndindex(G.shape[2:]):
        rows, columns = slice(step * i, step * i + height), slice(step * j, step * j + width)
        found[:, :, rows, columns] += E("bo,ocuv->bcuv", G[:, :, i, j], K)
    return found


def _patches(x, G, u, v, step):
    """The sum over outputs of their cotangents times the patches that they saw."""
    seen = windows(x, (u, v), axis=(2, 3))[:, :, ::step, ::step]
    return E("boij,bcijuv->ocuv", G, seen[:, :, : G.shape[2], : G.shape[3]])


def _toeplitz(k, n):
    rows = n - k.size + 1
    return np.stack([np.concatenate([np.zeros(i), k, np.zeros(rows - 1 - i)]) for i in range(rows)])


def _scattered(E_, t, G):
    found = np.zeros(E_.shape)
    np.add.at(found, t, G)
    return found


def _causal(Q, K, V, G):
    """The weights, and the cotangent of Q Kᵀ."""
    root = math.sqrt(Q.shape[1])
    scores = np.where(np.arange(len(Q))[:, None] >= np.arange(len(K)), Q @ K.T / root, -np.inf)
    P = softmax(scores)
    back = G @ V.T
    return P, P * (back - (P * back).sum(axis=1, keepdims=True)) / root


def _largest(x, g):
    found = np.zeros(x.shape)
    best = x.reshape(-1, 2).argmax(axis=1)
    found[2 * np.arange(g.size) + best] = g
    return found


def _differences(w):
    D = np.diff(I(w.size + 1), axis=0)
    return 2 * D.T @ np.diag(w) @ D


RELATIONS = Group(
    "Convolutions, gathers, masks and groups",
    "Positions may be computed: `x[i+u]` slides, `E[t[b],d]` looks up, a comparison of indices is a mask, (h w) "
    "makes one axis of two. Compiled, they are views, gathers and sums; no array of zeros and ones is made.",
    "Dumoulin & Visin 2016 (arithmetic of convolutions); Goodfellow, Bengio & Courville 2016, chapter 9.",
    (
        Row("x ⋆ k", "y[i] = x[i+u] k[u]", "k", "the windows of x, one a row",
            lambda x, k: windows(x, k.size), sizes=LINE),
        Row("x ⋆ k", "y[i] = x[i+u] k[u]", "x", "the Toeplitz matrix of k",
            lambda x, k: _toeplitz(k, x.size), sizes=LINE),
        Row("⟨g, x ⋆ k⟩", "f = x[i+u] k[u] g[i]", "x", "g * k, the full convolution",
            lambda g, k: np.convolve(g, k), sizes=LINE),
        Row("⟨g, x ⋆ k⟩", "f = x[i+u] k[u] g[i]", "k", "x ⋆ g", lambda x, g: np.correlate(x, g, "valid"), sizes=LINE),
        Row("⟨g, x ⋆ k⟩, padded by 1", "f = x[i+u-1] k[u] g[i]", "k", "x, padded, ⋆ g",
            lambda x, g: np.correlate(np.pad(x, 1), g, "valid"), sizes={"x_0": 6, "u": 3, "i": 6}),
        Row("⟨g, x ⋆ k⟩, dilated by 2", "f = x[i+2*u] k[u] g[i]", "k", "Σᵢ gᵢ xᵢ₊₂ᵤ",
            lambda x, g: np.correlate(x, g, "valid")[::2], sizes={"x_0": 8, "u": 3, "i": 4}),
        Row("⟨G, x ⋆ K⟩, images", CONVOLUTION, "K", "Σ G patches(x)",
            lambda x, G, K: _patches(x, G, 3, 2, 1), sizes=IMAGE),
        Row("⟨G, x ⋆ K⟩, images", CONVOLUTION, "x", "Σ G K, laid over x patch by patch",
            lambda x, K, G: _spread(x, K, G, 1), sizes=IMAGE),
        Row("⟨G, x ⋆ K⟩, stride 2", WITH_STRIDE, "K", "Σ G patches(x)",
            lambda x, G, K: _patches(x, G, 3, 2, 2), sizes=STRIDED),
        Row("⟨G, x ⋆ K⟩, stride 2", WITH_STRIDE, "x", "Σ G K, laid over x patch by patch",
            lambda x, K, G: _spread(x, K, G, 2), sizes=STRIDED),
        Row("mean pooling", "f = mean[u:2](x[2*i+u]) g[i]", "x", "g/2, each entry twice",
            lambda g: np.repeat(g, 2) / 2, sizes={"x_0": 6, "i": 3}),
        Row("max pooling", "f = max[u:2](x[2*i+u]) g[i]", "x", "g where x is the larger of two",
            lambda x, g: _largest(x, g), draw="x apart", sizes={"x_0": 6, "i": 3}),
        Row("Σ wᵢ(xᵢ₊₁ - xᵢ)²", "f = w[i] (x[i+1] - x[i+0])^2", "x x", "2Dᵀdiag(w)D, D the differences",
            lambda w: _differences(w), sizes={"x_0": 5, "i": 4}),
        Row("⟨G, E[t]⟩", "f = E[t[b],d] G[b,d]", "E", "Σ G[b,·] at row t[b]; repeated rows add",
            lambda E, t, G: _scattered(E, t, G), draw="t ids", sizes={"b": 5, "E_0": 3, "d": 2}),
        Row("cross-entropy of classes t", "L[n,c] = log_softmax[c](Z[n,c]); f = -sum[n](L[n,t[n]])", "Z",
            "softmax Z - one-hot t", lambda Z, t: softmax(Z) - I(Z.shape[1])[t], draw="t ids",
            sizes={"n": 4, "c": 3}),
        Row("causal attention", CAUSAL, "V", "PᵀG", lambda Q, K, V, G: _causal(Q, K, V, G)[0].T @ G,
            sizes={"t": 4, "u": 4, "d": 3, "e": 2}),
        Row("causal attention", CAUSAL, "Q", "P ⊙ (GVᵀ - (P ⊙ GVᵀ)11ᵀ)K/√d, P masked",
            lambda Q, K, V, G: _causal(Q, K, V, G)[1] @ K, sizes={"t": 4, "u": 4, "d": 3, "e": 2}),
        Row("⟨G, flat(X)W⟩", "F[b,(c h w)] = X[b,c,h,w]; f = F[b,k] W[k,o] G[b,o]", "X", "GWᵀ, folded back",
            lambda X, W, G: (G @ W.T).reshape(X.shape), sizes={"b": 2, "c": 3, "h": 2, "w": 2, "k": 12, "o": 3}),
        Row("A ⊗ B", "K[(i k),(j l)] = A[i,j] B[k,l]", "", "kron(A, B)", lambda A, B: kron(A, B)),
        Row("vec AXB", "v[(j i)] = A[i,k] x[(l k)] B[l,j]", "x", "Bᵀ ⊗ A, x = vec X", lambda A, B: kron(B.T, A)),
    ),
)  # fmt: skip

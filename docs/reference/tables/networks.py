"""Softmax and its kin, losses, layers, attention."""

# ruff: noqa: PLW0108 (the parameters of a closed form name the arrays it reads)

from __future__ import annotations

import math

import numpy as np

from ..row import Group, Row
from .numpy_names import E, I, diag, exp, log, norm, ones, outer, s, softmax

__all__ = ["ATTENTION", "LAYERS", "LOSSES", "SOFTMAX"]


def _phi(x):
    return exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


def _normal(x):
    return np.vectorize(lambda t: (1 + math.erf(t / math.sqrt(2))) / 2)(x)


def _standardised(x):
    n, r = x.size, x - x.mean()
    deviation = np.sqrt((r * r).mean())
    z = r / deviation
    return (I(n) - 1 / n - outer(z, z) / n) / deviation


def _rms(x):
    n, r = x.size, np.sqrt((x @ x) / x.size)
    return I(n) / r - outer(x, x) / (n * r**3)


def _two_layers(g, V, W, x):
    h = np.tanh(W @ x)
    return outer(V.T @ (g * (1 - np.tanh(V @ h) ** 2)) * (1 - h * h), x)


def _ahead(P, G):
    """The cotangent of the scores, from that of the softmax's value."""
    return P * (G - (P * G).sum(axis=-1, keepdims=True))


def _attention(Q, K, V, G):
    root = math.sqrt(Q.shape[1])
    P = softmax(Q @ K.T / root)
    return P, _ahead(P, G @ V.T) / root


SOFTMAX = Group(
    "Softmax and logsumexp",
    "logsumexp is the one primitive, softmax its gradient.",
    "Boyd & Vandenberghe 2004, section 3.1; Blanchard, Higham & Higham 2021.",
    (
        Row("log 1ᵀeˣ", "f = logsumexp[i](x[i])", "x", "softmax x", lambda x: softmax(x)),
        Row("softmax x", "p[i] = softmax[i](x[i])", "x", "diag p - ppᵀ",
            lambda x: diag(softmax(x)) - outer(softmax(x), softmax(x))),
        Row("log softmax x", "y[i] = log_softmax[i](x[i])", "x", "I - 1pᵀ",
            lambda x: I(x.size) - outer(ones(x.size), softmax(x))),
        Row("log 1ᵀexp(Ax + b)", "f = logsumexp[i](A[i,j] x[j] + b[i])", "x", "Aᵀsoftmax(Ax + b)",
            lambda A, x, b: A.T @ softmax(A @ x + b)),
        Row("t log 1ᵀexp(x/t)", "f = t logsumexp[i](x[i] / t)", "t", "(f - pᵀx)/t, p = softmax(x/t)",
            lambda x, t: log(exp(x / t).sum()) - softmax(x / t) @ x / t, draw="t positive"),
        Row("aᵀsoftmax x", "f = a[i] softmax[i](x[i])", "x", "p ⊙ (a - aᵀp)",
            lambda a, x: softmax(x) * (a - a @ softmax(x))),
        Row("entropy of softmax x", "p[i] = softmax[i](x[i]); f = -p[i] log_softmax[i](x[i])", "x", "-p ⊙ (log p + f)",
            lambda x: -softmax(x) * (log(softmax(x)) - softmax(x) @ log(softmax(x)))),
        Row("logsumexp of rows", "f[n] = logsumexp[c](Z[n,c])", "Z", "δ[n,m] P[m,c]",
            lambda Z: E("nm,mc->nmc", I(len(Z)), softmax(Z))),
    ),
)  # fmt: skip

LOSSES = Group(
    "Losses",
    "y, t and Y are targets; the gradient is the one by the model's output or by its weights.",
    "Bishop 2006, chapters 4 and 5; Goodfellow, Bengio & Courville 2016, chapter 6.",
    (
        Row("mean squared error", "f = sum[n]((X[n,d] w[d] + b - y[n])^2) / size(n)", "w", "2Xᵀ(Xw + b - y)/N",
            lambda X, w, b, y: 2 * X.T @ (X @ w + b - y) / len(X)),
        Row("mean squared error", "f = sum[n]((X[n,d] w[d] + b - y[n])^2) / size(n)", "b", "2 · 1ᵀ(Xw + b - y)/N",
            lambda X, w, b, y: 2 * (X @ w + b - y).mean()),
        Row("ridge regression", "f = sum[n]((X[n,d] w[d] - y[n])^2) + r w[k]^2", "w", "2Xᵀ(Xw - y) + 2rw",
            lambda X, w, y, r: 2 * X.T @ (X @ w - y) + 2 * r * w),
        Row("log(1 + exp yu)", "f = log(1 + exp(y u))", "u", "y σ(yu)", lambda y, u: y * s(y * u)),
        Row("logistic regression", "f = sum[n](softplus(-y[n] (X[n,d] w[d])))", "w", "-Xᵀ(y ⊙ σ(-y ⊙ Xw))",
            lambda X, w, y: -X.T @ (y * s(-y * (X @ w))), draw="y sign"),
        Row("binary cross-entropy", "f = -sum[n](t[n] log(sigmoid(u[n])) + (1 - t[n]) log(1 - sigmoid(u[n])))", "u",
            "σ(u) - t", lambda t, u: s(u) - t, draw="t binary"),
        Row("softmax cross-entropy", "f = -Y[n,c] log_softmax[c](Z[n,c])", "Z", "P ⊙ Y11ᵀ - Y, P = softmax Z",
            lambda Y, Z: softmax(Z) * Y.sum(axis=1, keepdims=True) - Y, draw="Y unit"),
        Row("softmax regression", "f = -Y[n,c] log_softmax[c](X[n,d] W[d,c]) / size(n)", "W", "Xᵀ(P ⊙ Y11ᵀ - Y)/N",
            lambda X, Y, W: X.T @ (softmax(X @ W) * Y.sum(axis=1, keepdims=True) - Y) / len(X), draw="Y unit"),
        Row("KL(q ‖ softmax x)", "f = sum[i](q[i] (log(q[i]) - log_softmax[i](x[i])))", "x", "p 1ᵀq - q",
            lambda q, x: softmax(x) * q.sum() - q, draw="q unit"),
        Row("hinge max(0, 1 - yu)", "f = sum[n](relu(1 - y[n] u[n]))", "u", "-y where yu < 1",
            lambda y, u: -y * (y * u < 1), draw="y sign"),
        Row("Gaussian likelihood", "f = sum[n](1/2 (y[n] - m)^2 / exp(2 r) + r)", "r", "N - ‖y - m‖²e⁻²ʳ",
            lambda y, m, r: y.size - ((y - m) ** 2).sum() * exp(-2 * r)),
        Row("Poisson likelihood", "u[n] = X[n,d] w[d]; f = sum[n](exp(u[n]) - y[n] u[n])", "w", "Xᵀ(exp Xw - y)",
            lambda X, y, w: X.T @ (exp(X @ w) - y)),
        Row("InfoNCE", "S[i,j] = U[i,k] V[j,k]; f = sum[i](logsumexp[j](S[i,j]) - S[i,i])", "U", "(P - I)V",
            lambda U, V: (softmax(U @ V.T) - I(len(U))) @ V),
    ),
)  # fmt: skip

LAYERS = Group(
    "Layers of networks",
    "G is the gradient by the layer's output: what is shown is the gradient of Σ G ⊙ Y, or the Jacobian.",
    "Goodfellow, Bengio & Courville 2016, chapter 6; Ba, Kiros & Hinton 2016; Zhang & Sennrich 2019.",
    (
        Row("Wx + b", "y[m] = W[m,n] x[n] + b[m]", "x", "W", lambda W: W),
        Row("Wx + b", "y[m] = W[m,n] x[n] + b[m]", "b", "I", lambda b: I(b.size)),
        Row("Wx + b", "y[m] = W[m,n] x[n] + b[m]", "W", "δₘₚxₙ", lambda x, b: E("mp,n->mpn", I(b.size), x)),
        Row("σ(Wx + b)", "y[m] = sigmoid(W[m,n] x[n] + b[m])", "W", "δₘₚσ'ₘxₙ",
            lambda W, x, b: E("mp,m,n->mpn", I(b.size), s(W @ x + b) * (1 - s(W @ x + b)), x)),
        Row("XW + b", "Y[n,m] = X[n,d] W[d,m] + b[m]", "W", "δ[m,p] X[n,d]",
            lambda X, b: E("mp,nd->nmdp", I(b.size), X)),
        Row("XW + b", "f = (X[n,d] W[d,m] + b[m]) G[n,m]", "W", "XᵀG", lambda X, G: X.T @ G),
        Row("XW + b", "f = (X[n,d] W[d,m] + b[m]) G[n,m]", "X", "GWᵀ", lambda W, G: G @ W.T),
        Row("XW + b", "f = (X[n,d] W[d,m] + b[m]) G[n,m]", "b", "Gᵀ1", lambda G: G.sum(axis=0)),
        Row("σ(X)", "f = sigmoid(X[n,m]) G[n,m]", "X", "G ⊙ σ ⊙ (1 - σ)", lambda X, G: G * s(X) * (1 - s(X))),
        Row("relu(XW)", "f = relu(X[n,d] W[d,m]) G[n,m]", "W", "Xᵀ(G ⊙ [XW > 0])",
            lambda X, W, G: X.T @ (G * (X @ W > 0))),
        Row("leaky relu", "f = leaky_relu(x[i], a) g[i]", "x", "g where x > 0, ag elsewhere",
            lambda x, a, g: np.where(x > 0, g, a * g)),
        Row("gelu(x)", "y[i] = gelu(x[i])", "x", "diag(Φ(x) + x ⊙ φ(x))", lambda x: diag(_normal(x) + x * _phi(x))),
        Row("silu(x)", "y[i] = silu(x[i])", "x", "diag(σ ⊙ (1 + x ⊙ (1 - σ)))",
            lambda x: diag(s(x) * (1 + x * (1 - s(x))))),
        Row("gated unit", "a[j] = sigmoid(x[i] A[i,j]); f = a[j] (x[i] B[i,j]) g[j]", "A", "x(g ⊙ Bᵀx ⊙ σ')ᵀ",
            lambda x, A, B, g: outer(x, g * (x @ B) * s(x @ A) * (1 - s(x @ A)))),
        Row("residual x + W tanh(Vx)", "y[i] = x[i] + W[i,k] tanh(V[k,j] x[j])", "x", "I + W diag(1 - tanh²)V",
            lambda x, W, V: I(x.size) + W @ diag(1 - np.tanh(V @ x) ** 2) @ V),
        Row("two layers", "f = g[k] tanh(V[k,m] tanh(W[m,n] x[n]))", "W", "(Vᵀ(g ⊙ σ'₂) ⊙ σ'₁)xᵀ",
            _two_layers),
        Row("x - mean x", "y[i] = x[i] - mean[j](x[j])", "x", "I - 11ᵀ/n", lambda x: I(x.size) - 1 / x.size),
        Row("layer norm", "r[i] = x[i] - mean[j](x[j]); y[i] = r[i] / sqrt(mean[j](r[j]^2))", "x",
            "(I - 11ᵀ/n - yyᵀ/n)/s, s² = mean r²", _standardised),
        Row("RMS norm", "y[i] = x[i] / sqrt(mean[j](x[j]^2))", "x", "I/r - xxᵀ/(n r³), r² = mean x²", _rms),
        Row("weight norm g v/‖v‖", "w[i] = g v[i] / sqrt(sum[j](v[j]^2))", "v", "g(I - vvᵀ/‖v‖²)/‖v‖",
            lambda g, v: g * (I(v.size) - outer(v, v) / (v @ v)) / norm(v)),
        Row("batch of bilinear forms", "f = sum[n](x[n,i] W[i,j] y[n,j])", "W", "XᵀY", lambda x, y: x.T @ y),
        Row("tanh(Uh + Wx)", "y[i] = tanh(U[i,j] h[j] + W[i,k] x[k])", "h", "diag(1 - y²)U",
            lambda U, h, W, x: diag(1 - np.tanh(U @ h + W @ x) ** 2) @ U),
    ),
)  # fmt: skip

ATTENTION = Group(
    "Attention",
    "P = softmax(QKᵀ/√d) and O = PV; G is the gradient by the output.",
    "Vaswani et al. 2017; Dao et al. 2022, appendix B (the backward pass).",
    (
        Row("QKᵀ", "S[t,u] = Q[t,d] K[u,d]", "Q", "δ[t,p] K[u,d]", lambda Q, K: E("tp,ud->tupd", I(len(Q)), K)),
        Row("PV", "f = P[t,u] V[u,e] G[t,e]", "P", "GVᵀ", lambda G, V: G @ V.T),
        Row("softmax(S)", "f = softmax[u](S[t,u]) G[t,u]", "S", "P ⊙ (G - (P ⊙ G)11ᵀ)",
            lambda S, G: _ahead(softmax(S), G)),
        Row("softmax(QKᵀ/√d)V", "S[t,u] = Q[t,d] K[u,d] / sqrt(size(d)); f = softmax[u](S[t,u]) V[u,e] G[t,e]", "V",
            "PᵀG", lambda Q, K, V, G: _attention(Q, K, V, G)[0].T @ G),
        Row("softmax(QKᵀ/√d)V", "S[t,u] = Q[t,d] K[u,d] / sqrt(size(d)); f = softmax[u](S[t,u]) V[u,e] G[t,e]", "Q",
            "P ⊙ (GVᵀ - (P ⊙ GVᵀ)11ᵀ)K/√d", lambda Q, K, V, G: _attention(Q, K, V, G)[1] @ K),
        Row("softmax(QKᵀ/√d)V", "S[t,u] = Q[t,d] K[u,d] / sqrt(size(d)); f = softmax[u](S[t,u]) V[u,e] G[t,e]", "K",
            "(P ⊙ (GVᵀ - (P ⊙ GVᵀ)11ᵀ))ᵀQ/√d", lambda Q, K, V, G: _attention(Q, K, V, G)[1].T @ Q),
        Row("scores of XW, XU", "f = X[t,i] W[i,d] U[j,d] X[u,j] G[t,u]", "W", "XᵀGXU",
            lambda X, U, G: X.T @ G @ X @ U),
        Row("linear attention Q(KᵀV)", "f = Q[t,d] K[u,d] V[u,e] G[t,e]", "K", "VGᵀQ", lambda Q, V, G: V @ G.T @ Q),
        Row("heads", "f = P[h,t,u] V[h,u,e] W[h,e,o] G[t,o]", "W", "Σₜᵤ PₕₜᵤVₕᵤₑGₜₒ",
            lambda P, V, G: E("htu,hue,to->heo", P, V, G)),
    ),
)  # fmt: skip

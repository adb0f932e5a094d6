"""Hessians, and derivatives of third order."""

from __future__ import annotations

import numpy as np

from ..row import Group, Row
from .numpy_names import E, I, diag, exp, norm, outer, s, softmax

__all__ = ["HESSIANS", "THIRD"]


def _softmax_hessian(x):
    p = softmax(x)
    return diag(p) - outer(p, p)


def _tanh_network(a, W, x):
    t = np.tanh(W @ x)
    return W.T @ diag(-2 * a * t * (1 - t * t)) @ W


def _masked_factors(O, T, U, V):
    return 2 * E("ij,jk,jl,ip->ikpl", O * O, V, V, I(len(U)))


def _softmax_regression(X, W):
    p = softmax(X @ W)
    return E("nd,ncf,ne->dcef", X, E("nc,cf->ncf", p, I(p.shape[1])) - E("nc,nf->ncf", p, p), X)


def _logsumexp_third(x):
    p, one = softmax(x), I(x.size)
    pairs = E("ij,j,k->ijk", one, p, p) + E("jk,i,k->ijk", one, p, p) + E("ik,i,j->ijk", one, p, p)
    return E("ij,jk,k->ijk", one, one, p) - pairs + 2 * E("i,j,k->ijk", p, p, p)


def _cycles(X):
    one = I(len(X))
    return 3 * (E("jk,li->ijkl", one, X) + E("il,jk->ijkl", one, X))


HESSIANS = Group(
    "Second order",
    "H has the axes of the first variable, then those of the second. A constant Hessian does not read the "
    "variable.",
    "Magnus & Neudecker 2019, chapter 10; Petersen & Pedersen 2012, section 2.4; Boyd & Vandenberghe 2004, appendix A.",
    (
        Row("xᵀAx + bᵀx", "f = x[i] A[i,j] x[j] + b[i] x[i]", "x x", "A + Aᵀ", lambda A: A + A.T, see="PP 98"),
        Row("xᵀAy", "f = x[i] A[i,j] y[j]", "x y", "A", lambda A: A),
        Row("‖Ax - b‖²", "f = (A[i,j] x[j] - b[i])^2", "x x", "2AᵀA", lambda A: 2 * A.T @ A),
        Row("(aᵀx)²", "f = (a[i] x[i])^2", "x x", "2aaᵀ", lambda a: 2 * outer(a, a)),
        Row("exp aᵀx", "f = exp(a[i] x[i])", "x x", "exp(aᵀx) aaᵀ", lambda a, x: exp(a @ x) * outer(a, a)),
        Row("(xᵀx)²", "f = sum[i](x[i]^2)^2", "x x", "4(xᵀx)I + 8xxᵀ",
            lambda x: 4 * (x @ x) * I(x.size) + 8 * outer(x, x)),
        Row("‖x‖", "f = sqrt(sum[i](x[i]^2))", "x x", "I/‖x‖ - xxᵀ/‖x‖³",
            lambda x: I(x.size) / norm(x) - outer(x, x) / norm(x) ** 3),
        Row("log xᵀx", "f = log(sum[i](x[i]^2))", "x x", "2I/xᵀx - 4xxᵀ/(xᵀx)²",
            lambda x: 2 * I(x.size) / (x @ x) - 4 * outer(x, x) / (x @ x) ** 2),
        Row("Σ log x", "f = sum[i](log(x[i]))", "x x", "-diag(1/x²)", lambda x: diag(-1 / x**2), draw="x positive"),
        Row("Σ x log x", "f = sum[i](x[i] log(x[i]))", "x x", "diag(1/x)", lambda x: diag(1 / x), draw="x positive"),
        Row("log 1ᵀeˣ", "f = logsumexp[i](x[i])", "x x", "diag p - ppᵀ, p = softmax x", _softmax_hessian),
        Row("Σ log(1 + exp Xw)", "f = sum[n](softplus(X[n,d] w[d]))", "w w", "Xᵀdiag(σ(1 - σ))X, σ = σ(Xw)",
            lambda X, w: X.T @ diag(s(X @ w) * (1 - s(X @ w))) @ X),
        Row("cross-entropy of XW", "f = sum[n](logsumexp[c](X[n,d] W[d,c]))", "W W", "Σₙ xₙxₙᵀ ⊗ (diag pₙ - pₙpₙᵀ)",
            _softmax_regression, sizes={"d": 2}),
        Row("aᵀtanh(Wx)", "f = a[k] tanh(W[k,i] x[i])", "x x", "Wᵀdiag(-2a ⊙ t ⊙ (1 - t²))W, t = tanh Wx",
            _tanh_network),
        Row("tr XᵀX", "f = X[i,j]^2", "X X", "2δᵢₖδⱼₗ", lambda X: 2 * E("ik,jl->ijkl", I(len(X)), I(X.shape[1]))),
        Row("tr X²", "f = X[i,j] X[j,i]", "X X", "2δᵢₗδⱼₖ", lambda X: 2 * E("il,jk->ijkl", I(len(X)), I(len(X)))),
        Row("tr X³", "f = X[i,j] X[j,k] X[k,i]", "X X", "3(δⱼₖXₗᵢ + δᵢₗXⱼₖ)", _cycles),
        Row("tr XᵀAXB", "f = X[j,i] A[j,k] X[k,l] B[l,i]", "X X", "AᵢₖBₗⱼ + AₖᵢBⱼₗ",
            lambda A, B: E("ik,lj->ijkl", A, B) + E("ki,jl->ijkl", A, B)),
        Row("‖O ⊙ (T - UVᵀ)‖²", "f = O[i,j]^2 (T[i,j] - U[i,k] V[j,k])^2", "U U", "2δᵢₚ (Vᵀdiag(oᵢ²)V)ₖₗ",
            _masked_factors),
        Row("Σ Aᵢⱼₖxᵢxⱼxₖ", "f = A[i,j,k] x[i] x[j] x[k]", "x x", "the six permutations of A, applied to x",
            lambda A, x: sum(E(f"{p},c->ab", A, x) for p in ("abc", "acb", "bac", "bca", "cab", "cba"))),
        Row("Rosenbrock", "f = (1 - x)^2 + 100 (y - x^2)^2", "x y", "-400x", lambda x: -400 * x),
    ),
)  # fmt: skip

THIRD = Group(
    "Third order",
    "Matrix notation ends here; index notation does not.",
    "Magnus & Neudecker 2019, chapter 10; McCullagh 1987, chapter 2 (the third is a cumulant).",
    (
        Row("xᵀAx", "f = x[i] A[i,j] x[j]", "x x x", "0", lambda x: np.zeros((x.size,) * 3)),
        Row("(aᵀx)³", "f = (a[i] x[i])^3", "x x x", "6 a ∘ a ∘ a", lambda a: 6 * E("i,j,k->ijk", a, a, a)),
        Row("Σ sin x", "f = sum[i](sin(x[i]))", "x x x", "-δᵢⱼδⱼₖ cos xᵢ",
            lambda x: -E("ij,jk,k->ijk", I(x.size), I(x.size), np.cos(x))),
        Row("(xᵀx)²", "f = sum[i](x[i]^2)^2", "x x x", "8(xᵢδⱼₖ + xⱼδᵢₖ + xₖδᵢⱼ)",
            lambda x: 8 * sum(E(f"{p}->ijk", x, I(x.size)) for p in ("i,jk", "j,ik", "k,ij"))),
        Row("log 1ᵀeˣ", "f = logsumexp[i](x[i])", "x x x",
            "δᵢⱼδⱼₖpᵢ - δᵢⱼpⱼpₖ - δⱼₖpₖpᵢ - δᵢₖpᵢpⱼ + 2pᵢpⱼpₖ", _logsumexp_third),
        Row("xᵀAx yᵀb", "f = x[i] A[i,j] x[j] (y[k] b[k])", "x x y", "(A + Aᵀ) ∘ b",
            lambda A, b: E("ij,k->ijk", A + A.T, b)),
        Row("aᵀXᵀXb cᵀy", "f = a[j] X[i,j] X[i,k] b[k] (c[l] y[l])", "X X y", "δᵢₚ(aⱼbᵣ + bⱼaᵣ)cₗ",
            lambda X, a, b, c: E("ip,jq,l->ijpql", I(len(X)), outer(a, b) + outer(b, a), c)),
    ),
)  # fmt: skip

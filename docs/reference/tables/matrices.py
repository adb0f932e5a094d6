"""Linear, bilinear and quadratic forms in a matrix."""

# ruff: noqa: PLW0108 (the parameters of a closed form name the arrays it reads)

from __future__ import annotations

from ..row import Group, Row
from .numpy_names import E, I, diag, exp, ones, outer

__all__ = ["FORMS"]

FORMS = Group(
    "Matrices: linear and quadratic forms",
    "The derivative of a matrix by a matrix has four axes, those of the output first.",
    "Petersen & Pedersen 2012, section 2.4; Magnus & Neudecker 2019, chapter 9.",
    (
        Row("Σᵢⱼ Xᵢⱼ", "f = sum[i,j](X[i,j])", "X", "11ᵀ", lambda X: ones(X.shape)),
        Row("aᵀXb", "f = a[i] X[i,j] b[j]", "X", "abᵀ", lambda a, b: outer(a, b), see="PP 70"),
        Row("aᵀXᵀb", "f = a[i] X[j,i] b[j]", "X", "baᵀ", lambda a, b: outer(b, a), see="PP 71"),
        Row("aᵀXa", "f = a[i] X[i,j] a[j]", "X", "aaᵀ", lambda a: outer(a, a), see="PP 72"),
        Row("aᵀXb", "f = a[i] X[i,j] b[j]", "a", "Xb", lambda X, b: X @ b),
        Row("aᵀX²b", "f = a[i] X[i,j] X[j,k] b[k]", "X", "a(Xb)ᵀ + (Xᵀa)bᵀ",
            lambda a, X, b: outer(a, X @ b) + outer(X.T @ a, b), see="PP 91"),
        Row("bᵀXᵀXc", "f = b[j] X[i,j] X[i,k] c[k]", "X", "X(bcᵀ + cbᵀ)",
            lambda X, b, c: X @ (outer(b, c) + outer(c, b)), see="PP 77"),
        Row("bᵀXᵀDXc", "f = b[j] X[i,j] D[i,k] X[k,l] c[l]", "X", "DᵀXbcᵀ + DXcbᵀ",
            lambda X, D, b, c: D.T @ X @ outer(b, c) + D @ X @ outer(c, b), see="PP 82"),
        Row("(Xb + c)ᵀD(Xb + c)", "y[i] = X[i,j] b[j] + c[i]; f = y[i] D[i,k] y[k]", "X", "(D + Dᵀ)(Xb + c)bᵀ",
            lambda X, b, c, D: outer((D + D.T) @ (X @ b + c), b), see="PP 83"),
        Row("‖AX - B‖²", "f = (A[i,j] X[j,k] - B[i,k])^2", "X", "2Aᵀ(AX - B)",
            lambda A, X, B: 2 * A.T @ (A @ X - B)),
        Row("‖XA - B‖²", "f = (X[i,j] A[j,k] - B[i,k])^2", "X", "2(XA - B)Aᵀ",
            lambda A, X, B: 2 * (X @ A - B) @ A.T),
        Row("‖W ⊙ (X - Y)‖²", "f = W[i,j]^2 (X[i,j] - Y[i,j])^2", "X", "2W² ⊙ (X - Y)",
            lambda W, X, Y: 2 * W * W * (X - Y)),
        Row("aᵀexp(X)b, entry by entry", "f = sum[i,j](a[i] exp(X[i,j]) b[j])", "X", "exp(X) ⊙ abᵀ",
            lambda a, X, b: exp(X) * outer(a, b)),
        Row("X", "Y[i,j] = X[i,j]", "X", "δᵢₖδⱼₗ",
            lambda X: E("ik,jl->ijkl", I(X.shape[0]), I(X.shape[1])), see="PP 73"),
        Row("Xᵀ", "Y[j,i] = X[i,j]", "X", "δᵢₖδⱼₗ", lambda X: E("ik,jl->jikl", I(X.shape[0]), I(X.shape[1]))),
        Row("XA", "Y[i,j] = X[i,k] A[k,j]", "X", "δᵢₖAₗⱼ", lambda X, A: E("ik,lj->ijkl", I(len(X)), A), see="PP 74"),
        Row("XᵀA", "Y[i,j] = X[k,i] A[k,j]", "X", "δᵢₗAₖⱼ",
            lambda X, A: E("il,kj->ijkl", I(X.shape[1]), A), see="PP 75"),
        Row("AXB", "Y[i,j] = A[i,k] X[k,l] B[l,j]", "X", "AᵢₖBₗⱼ", lambda A, B: E("ik,lj->ijkl", A, B)),
        Row("AXB", "Y[i,j] = A[i,k] X[k,l] B[l,j]", "A", "δᵢₖ(XB)ₗⱼ",
            lambda A, X, B: E("ik,lj->ijkl", I(len(A)), X @ B)),
        Row("X²", "Y[i,j] = X[i,k] X[k,j]", "X", "δᵢₖXₗⱼ + Xᵢₖδₗⱼ",
            lambda X: E("ik,lj->ijkl", I(len(X)), X) + E("ik,lj->ijkl", X, I(len(X))), see="PP 90"),
        Row("XᵀX", "Y[i,j] = X[k,i] X[k,j]", "X", "δᵢₗXₖⱼ + Xₖᵢδⱼₗ",
            lambda X: E("il,kj->ijkl", I(X.shape[1]), X) + E("ki,jl->ijkl", X, I(X.shape[1]))),
        Row("XᵀBX", "Y[k,l] = X[m,k] B[m,n] X[n,l]", "X", "δₗⱼ(XᵀB)ₖᵢ + δₖⱼ(BX)ᵢₗ",
            lambda X, B: E("lj,ki->klij", I(X.shape[1]), X.T @ B) + E("kj,il->klij", I(X.shape[1]), B @ X),
            see="PP 79"),
        Row("X1", "y[i] = sum[j](X[i,j])", "X", "δᵢₖ", lambda X: E("ik,j->ikj", I(len(X)), ones(X.shape[1]))),
        Row("diag X", "y[i] = X[i,i]", "X", "δᵢⱼδᵢₖ", lambda X: E("ij,ik->ijk", I(len(X)), I(len(X)))),
        Row("diag(x)A", "Y[i,j] = x[i] A[i,j]", "x", "δᵢₖAᵢⱼ", lambda A: E("ik,ij->ijk", I(len(A)), A)),
        Row("xᵀdiag(d)x", "f = x[i] d[i] x[i]", "d", "x²", lambda x: x * x),
        Row("‖X - uvᵀ‖²", "f = (X[i,j] - u[i] v[j])^2", "u", "-2(X - uvᵀ)v",
            lambda X, u, v: -2 * (X - outer(u, v)) @ v),
        Row("Σᵢⱼ (XXᵀ)ᵢⱼ", "f = sum[i,j](X[i,k] X[j,k])", "X", "211ᵀX", lambda X: 2 * ones((len(X), len(X))) @ X),
        Row("uᵀdiag(Xv)u", "f = u[i]^2 (X[i,j] v[j])", "X", "diag(u)uvᵀ", lambda u, v: diag(u) @ outer(u, v)),
    ),
)  # fmt: skip

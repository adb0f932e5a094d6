"""Hadamard, Kronecker and Khatri-Rao products, and differentials."""

from __future__ import annotations

import numpy as np

from ..row import Group, Row
from .numpy_names import E, I, diag, kron, outer

__all__ = ["DIFFERENTIALS", "PRODUCTS"]


def _blocks(matrix, *shape):
    """A matrix over pairs of indices, as an array over four."""
    return matrix.reshape(shape)


PRODUCTS = Group(
    "Hadamard, Kronecker and Khatri-Rao products",
    "A Kronecker product is an outer product whose indices are paired; here the pairs stay apart, K[i,k,j,l] is "
    "AᵢⱼBₖₗ. The closed forms use NumPy's kron. vec stacks columns; A * B is the Khatri-Rao product of columns.",
    "Magnus & Neudecker 2019, chapters 2 and 3; Petersen & Pedersen 2012, section 10.2; Liu & Trenkler 2008.",
    (
        Row("A ⊗ B", "K[i,k,j,l] = A[i,j] B[k,l]", "", "kron(A, B)",
            lambda A, B: _blocks(kron(A, B), len(A), len(B), A.shape[1], B.shape[1])),
        Row("(A ⊗ B)(C ⊗ D)", "K[i,k,j,l] = (A[i,p] B[k,q]) (C[p,j] D[q,l])", "", "AC ⊗ BD",
            lambda A, B, C, D: _blocks(kron(A @ C, B @ D), len(A), len(B), C.shape[1], D.shape[1])),
        Row("(x ⊗ y)ᵀ(A ⊗ B)(x ⊗ y)", "f = (x[i] y[k]) (A[i,j] B[k,l]) (x[j] y[l])", "", "xᵀAx yᵀBy",
            lambda x, y, A, B: (x @ A @ x) * (y @ B @ y)),
        Row("tr A ⊗ B", "f = A[i,i] B[k,k]", "", "tr A tr B", lambda A, B: np.trace(A) * np.trace(B)),
        Row("tr AᵀB", "f = A[i,j] B[i,j]", "", "(vec A)ᵀvec B", lambda A, B: A.T.ravel() @ B.T.ravel()),
        Row("xᵀ(A ⊙ B)y", "f = x[i] A[i,j] B[i,j] y[j]", "", "tr diag(x)A diag(y)Bᵀ",
            lambda x, A, B, y: np.trace(diag(x) @ A @ diag(y) @ B.T)),
        Row("AXB", "V[j,i] = A[i,k] X[k,l] B[l,j]", "", "vec⁻¹((Bᵀ ⊗ A) vec X)",
            lambda A, X, B: (kron(B.T, A) @ X.T.ravel()).reshape(B.shape[1], len(A))),
        Row("vec AXB", "V[j,i] = A[i,k] Z[l,k] B[l,j]", "Z", "Bᵀ ⊗ A; Z is Xᵀ, in C order vec X",
            lambda A, B: _blocks(kron(B.T, A), B.shape[1], len(A), len(B), A.shape[1])),
        Row("Wx", "y[i] = Z[j,i] x[j]", "Z", "xᵀ ⊗ I; Z is Wᵀ, in C order vec W",
            lambda x, Z: _blocks(kron(x[None], I(Z.shape[1])), Z.shape[1], len(x), Z.shape[1])),
        Row("A ⊗ X", "K[i,k,j,l] = A[i,j] X[k,l]", "X", "Aᵢⱼδₖₚδₗᵣ",
            lambda A, X: E("ij,kp,lr->ikjlpr", A, I(len(X)), I(X.shape[1]))),
        Row("A ⊗ I + I ⊗ B", "K[i,k,j,l] = A[i,j] δ[k,l] + δ[i,j] B[k,l]", "", "kron(A, I) + kron(I, B)",
            lambda A, B: _blocks(kron(A, I(len(B))) + kron(I(len(A)), B), len(A), len(B), len(A), len(B))),
        Row("X ⊙ A", "Y[i,j] = X[i,j] A[i,j]", "X", "Aᵢⱼδᵢₖδⱼₗ",
            lambda A: E("ij,ik,jl->ijkl", A, I(len(A)), I(A.shape[1]))),
        Row("aᵀ(X ⊙ X)b", "f = a[i] X[i,j]^2 b[j]", "X", "2X ⊙ abᵀ", lambda a, X, b: 2 * X * outer(a, b)),
        Row("tr A(B ⊙ X)", "f = A[i,j] B[j,i] X[j,i]", "X", "Aᵀ ⊙ B", lambda A, B: A.T * B),
        Row("‖A ⊙ X - B‖²", "f = (A[i,j] X[i,j] - B[i,j])^2", "X", "2A ⊙ (A ⊙ X - B)",
            lambda A, X, B: 2 * A * (A * X - B)),
        Row("A ⊙ xyᵀ", "Y[i,j] = A[i,j] x[i] y[j]", "x", "δᵢₖAᵢⱼyⱼ", lambda A, y: E("ik,ij,j->ijk", I(len(A)), A, y)),
        Row("A * B", "K[i,j,r] = A[i,r] B[j,r]", "", "aᵣ ⊗ bᵣ, column by column",
            lambda A, B: np.stack([kron(A[:, r], B[:, r]) for r in range(A.shape[1])], 1).reshape(len(A), len(B), -1)),
        Row("(A * B)ᵀ(A * B)", "G[r,q] = (A[i,r] B[j,r]) (A[i,q] B[j,q])", "", "AᵀA ⊙ BᵀB",
            lambda A, B: (A.T @ A) * (B.T @ B)),
        Row("(A * B)ᵀ(A * B)", "G[r,q] = (A[i,r] B[j,r]) (A[i,q] B[j,q])", "A", "(BᵀB)ᵣₛ(δᵣₚAᵢₛ + Aᵢᵣδₛₚ)",
            lambda A, B: E("rq,rp,iq->rqip", B.T @ B, I(A.shape[1]), A)
            + E("rq,ir,qp->rqip", B.T @ B, A, I(A.shape[1]))),
    ),
)  # fmt: skip

DIFFERENTIALS = Group(
    "Differentials",
    "The differential along dX is linear in dX and has the shape of the function. The gradient G is read off from "
    "df = tr GᵀdX.",
    "Magnus & Neudecker 2019, chapters 5 and 8; Petersen & Pedersen 2012, section 2 (equations 33 to 44); Minka 2000.",
    (
        Row("yᵀy", "f = y[i] y[i]", "dy", "2yᵀdy", lambda y, dy: 2 * y @ dy),
        Row("Wx", "g[i] = W[i,j] x[j]", "dW", "dW x", lambda x, dW: dW @ x),
        Row("‖Wx‖²", "y[i] = W[i,j] x[j]; f = y[i] y[i]", "dW", "2yᵀdW x = tr (2yxᵀ)ᵀdW",
            lambda W, x, dW: np.trace((2 * outer(W @ x, x)).T @ dW)),
        Row("XᵀX", "Y[i,j] = X[k,i] X[k,j]", "dX", "dXᵀX + XᵀdX", lambda X, dX: dX.T @ X + X.T @ dX),
        Row("XY", "Z[i,j] = X[i,k] Y[k,j]", "dX dY", "dX Y + X dY", lambda X, Y, dX, dY: dX @ Y + X @ dY, see="PP 37"),
        Row("X ⊙ Y", "Z[i,j] = X[i,j] Y[i,j]", "dX dY", "dX ⊙ Y + X ⊙ dY",
            lambda X, Y, dX, dY: dX * Y + X * dY, see="PP 38"),
        Row("X ⊗ Y", "Z[i,k,j,l] = X[i,j] Y[k,l]", "dX dY", "dX ⊗ Y + X ⊗ dY",
            lambda X, Y, dX, dY: (kron(dX, Y) + kron(X, dY)).reshape(len(X), len(Y), X.shape[1], Y.shape[1]),
            see="PP 39"),
        Row("tr X³", "f = X[i,j] X[j,k] X[k,i]", "dX", "3 tr X²dX", lambda X, dX: 3 * np.trace(X @ X @ dX)),
        Row("AᵢⱼₖₗXₖₗ", "F[i,j] = A[i,j,k,l] X[k,l]", "dX", "AᵢⱼₖₗdXₖₗ",
            lambda A, dX: np.tensordot(A, dX, 2), sizes={"l": 2}),
        Row("σ(Wx + b)", "y[i] = tanh(W[i,j] x[j] + b[i])", "dW db", "σ' ⊙ (dW x + db), σ = tanh",
            lambda W, x, b, dW, db: (1 - np.tanh(W @ x + b) ** 2) * (dW @ x + db)),
    ),
)  # fmt: skip

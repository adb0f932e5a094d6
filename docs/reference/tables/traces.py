"""Traces of products."""

from __future__ import annotations

import numpy as np

from ..row import Group, Row
from .numpy_names import E, I

__all__ = ["TRACES"]

power = np.linalg.matrix_power

TRACES = Group(
    "Traces",
    "A trace is a closed chain of indices; its gradient is the chain cut open at the variable.",
    "Petersen & Pedersen 2012, section 2.5; Magnus & Neudecker 2019, chapter 9.",
    (
        Row("tr X", "f = X[i,i]", "X", "I", lambda X: I(len(X)), see="PP 99"),
        Row("tr XA", "f = X[i,j] A[j,i]", "X", "Aᵀ", lambda A: A.T, see="PP 100"),
        Row("tr AXB", "f = A[i,j] X[j,k] B[k,i]", "X", "AᵀBᵀ", lambda A, B: A.T @ B.T, see="PP 101"),
        Row("tr AXᵀB", "f = A[i,j] X[k,j] B[k,i]", "X", "BA", lambda A, B: B @ A, see="PP 102"),
        Row("tr XᵀA", "f = X[i,j] A[i,j]", "X", "A", lambda A: A, see="PP 103"),
        Row("tr X²", "f = X[i,j] X[j,i]", "X", "2Xᵀ", lambda X: 2 * X.T, see="PP 106"),
        Row("tr X²B", "f = X[i,j] X[j,k] B[k,i]", "X", "(XB + BX)ᵀ", lambda X, B: (X @ B + B @ X).T, see="PP 107"),
        Row("tr XᵀBX", "f = X[j,i] B[j,k] X[k,i]", "X", "BX + BᵀX", lambda X, B: B @ X + B.T @ X, see="PP 108"),
        Row("tr XBXᵀ", "f = X[i,j] B[j,k] X[i,k]", "X", "XBᵀ + XB", lambda X, B: X @ B.T + X @ B, see="PP 111"),
        Row("tr AXBX", "f = A[i,j] X[j,k] B[k,l] X[l,i]", "X", "AᵀXᵀBᵀ + BᵀXᵀAᵀ",
            lambda A, X, B: A.T @ X.T @ B.T + B.T @ X.T @ A.T, see="PP 114"),
        Row("tr XᵀX", "f = X[i,j] X[i,j]", "X", "2X", lambda X: 2 * X, see="PP 115"),
        Row("tr BᵀXᵀCXB", "f = B[j,l] X[i,j] C[i,k] X[k,m] B[m,l]", "X", "CᵀXBBᵀ + CXBBᵀ",
            lambda B, X, C: C.T @ X @ B @ B.T + C @ X @ B @ B.T, see="PP 116"),
        Row("tr XᵀBXC", "f = X[j,i] B[j,k] X[k,l] C[l,i]", "X", "BXC + BᵀXCᵀ",
            lambda X, B, C: B @ X @ C + B.T @ X @ C.T, see="PP 117"),
        Row("tr AXBXᵀC", "f = A[i,j] X[j,k] B[k,l] X[m,l] C[m,i]", "X", "AᵀCᵀXBᵀ + CAXB",
            lambda A, X, B, C: A.T @ C.T @ X @ B.T + C @ A @ X @ B, see="PP 118"),
        Row("tr (AXB + C)(AXB + C)ᵀ", "Y[i,l] = A[i,j] X[j,k] B[k,l] + C[i,l]; f = Y[i,l]^2", "X", "2Aᵀ(AXB + C)Bᵀ",
            lambda A, X, B, C: 2 * A.T @ (A @ X @ B + C) @ B.T, see="PP 119"),
        Row("tr A ⊗ X", "f = A[i,i] X[j,j]", "X", "tr(A) I", lambda A, X: np.trace(A) * I(len(X)), see="PP 105"),
        Row("tr X ⊗ X", "f = X[i,i] X[j,j]", "X", "2 tr(X) I", lambda X: 2 * np.trace(X) * I(len(X)), see="PP 120"),
        Row("tr X³", "f = X[i,j] X[j,k] X[k,i]", "X", "3(X²)ᵀ", lambda X: 3 * (X @ X).T, see="PP 121"),
        Row("tr X⁴", "f = X[i,j] X[j,k] X[k,l] X[l,i]", "X", "4(X³)ᵀ", lambda X: 4 * power(X, 3).T, see="PP 121"),
        Row("tr AX³", "f = A[i,j] X[j,k] X[k,l] X[l,i]", "X", "Σᵣ (XʳAX²⁻ʳ)ᵀ",
            lambda A, X: sum((power(X, r) @ A @ power(X, 2 - r)).T for r in range(3)), see="PP 122"),
        Row("tr BᵀXᵀCXXᵀCXB", "Y[j,l] = X[i,j] C[i,k] X[k,l]; f = B[j,m] Y[j,l] Y[l,p] B[p,m]", "X",
            "CXXᵀCXBBᵀ + CᵀXBBᵀXᵀCᵀX + CXBBᵀXᵀCX + CᵀXXᵀCᵀXBBᵀ",
            lambda X, C, B: C @ X @ X.T @ C @ X @ B @ B.T + C.T @ X @ B @ B.T @ X.T @ C.T @ X
            + C @ X @ B @ B.T @ X.T @ C @ X + C.T @ X @ X.T @ C.T @ X @ B @ B.T, see="PP 123"),
        Row("tr (XᵀX)²", "f = (X[i,j] X[i,k]) (X[l,k] X[l,j])", "X", "4XXᵀX", lambda X: 4 * X @ X.T @ X),
        Row("(tr XᵀA)²", "f = (X[i,j] A[i,j])^2", "X", "2 tr(XᵀA) A", lambda X, A: 2 * (X * A).sum() * A),
        Row("tr Xᵀdiag(d)X", "f = d[i] X[i,j]^2", "d", "diag(XXᵀ)", lambda X: E("ij,ij->i", X, X)),
    ),
)  # fmt: skip

"""Determinants, inverses, eigenvalues, factors: what `eb.linalg` computes."""

# ruff: noqa: PLW0108 (the parameters of a closed form name the arrays it reads)

from __future__ import annotations

import numpy as np

from ..row import Group, Row
from .numpy_names import E, I, diag, fro, kron, outer

__all__ = ["DETERMINANTS", "INVERSES", "SPECTRA"]

det, inv, trace, power = np.linalg.det, np.linalg.inv, np.trace, np.linalg.matrix_power

ANY = {"given": "X[i,j]", "draw": "X dominant", "sizes": {"i": 3, "j": 3}}


def sym(X):
    return (X + X.T) / 2


def _third_logdet(X):
    Y = inv(X)
    return E("li,jp,qk->ijklpq", Y, Y, Y) + E("lp,qi,jk->ijklpq", Y, Y, Y)


def _half(X):
    """The lower triangle, its diagonal halved."""
    return np.tril(X) - diag(diag(X)) / 2


def _cholesky_differential(S, dS):
    L = np.linalg.cholesky(S)
    return L @ _half(inv(L) @ sym(dS) @ inv(L).T)


def _vectors(S):
    return np.linalg.eigh(S)[1]


def _polar(X):
    U, _, V = np.linalg.svd(X, full_matrices=False)
    return U @ V


def _leading(X):
    U, _, V = np.linalg.svd(X, full_matrices=False)
    return outer(U[:, 0], V[0])


def _wishart(S, A, n):
    return n / 2 * inv(S) - A / 2


def _evidence(K, y):
    a = inv(K) @ y
    return (inv(K) - outer(a, a)) / 2


DETERMINANTS = Group(
    "Determinants",
    "X⁻ᵀ is the transposed inverse. logdet is log|det|, so that it serves matrices of either orientation.",
    "Petersen & Pedersen 2012, section 2.1; Magnus & Neudecker 2019, chapters 8 and 9; Giles 2008, section 2.2.4.",
    (
        Row("det X", "eb.linalg.det(X)", "X", "det(X) X⁻ᵀ", lambda X: det(X) * inv(X).T, **ANY, see="PP 49"),
        Row("det X", "eb.linalg.det(X)", "dX", "det(X) tr X⁻¹dX",
            lambda X, dX: det(X) * trace(inv(X) @ dX), **ANY, see="PP 42"),
        Row("det AXB", "eb.linalg.det(A @ X @ B)", "X", "det(AXB) X⁻ᵀ",
            lambda A, X, B: det(A @ X @ B) * inv(X).T,
            given="A[n,n] X[n,n] B[n,n]", draw="A dominant, X dominant, B dominant", see="PP 51"),
        Row("det XᵀAX", "eb.linalg.det(X.T @ A @ X)", "X", "f (AX(XᵀAX)⁻¹ + AᵀX(XᵀAᵀX)⁻¹)",
            lambda X, A: det(X.T @ A @ X) * (A @ X @ inv(X.T @ A @ X) + A.T @ X @ inv(X.T @ A.T @ X)),
            given="X[n,k] A[n,n]", draw="A dominant", sizes={"n": 4, "k": 2}, see="PP 54"),
        Row("det X⁻¹", "eb.linalg.det(eb.linalg.inv(X))", "X", "-det(X⁻¹) X⁻ᵀ",
            lambda X: -det(inv(X)) * inv(X).T, **ANY, see="PP 62"),
        Row("det X³", "eb.linalg.det(eb.linalg.matrix_power(X, 3))", "X", "3 det(X³) X⁻ᵀ",
            lambda X: 3 * det(X) ** 3 * inv(X).T, **ANY, see="PP 58"),
        Row("log|det X|", "eb.linalg.logdet(X)", "X", "X⁻ᵀ", lambda X: inv(X).T, **ANY, see="PP 57"),
        Row("log|det X|", "eb.linalg.logdet(X)", "dX", "tr X⁻¹dX",
            lambda X, dX: trace(inv(X) @ dX), **ANY, see="PP 43"),
        Row("log det XᵀX", "eb.linalg.logdet(X.T @ X)", "X", "2X(XᵀX)⁻¹, twice the transposed pseudoinverse",
            lambda X: 2 * np.linalg.pinv(X).T, given="X[n,k]", sizes={"n": 4, "k": 2}, see="PP 55"),
        Row("log det(A + xxᵀ)", "eb.linalg.logdet(A + eb.einsum('i,j->ij', x, x))", "x", "2A⁻¹x/(1 + xᵀA⁻¹x)",
            lambda A, x: 2 * inv(A) @ x / (1 + x @ inv(A) @ x), given="A[n,n] x[n]", draw="A definite"),
        Row("log det(A + tB)", "eb.linalg.logdet(A + t * B)", "t", "tr (A + tB)⁻¹B",
            lambda A, B, t: trace(inv(A + t * B) @ B), given="A[n,n] B[n,n] t", draw="A definite, B definite, t unit"),
        Row("log|det X|", "eb.linalg.logdet(X)", "X X", "-(X⁻¹)ₗᵢ(X⁻¹)ⱼₖ",
            lambda X: -E("li,jk->ijkl", inv(X), inv(X)), **ANY),
        Row("det X", "eb.linalg.det(X)", "X X", "det(X) ((X⁻¹)ⱼᵢ(X⁻¹)ₗₖ - (X⁻¹)ₗᵢ(X⁻¹)ⱼₖ)",
            lambda X: det(X) * (E("ji,lk->ijkl", inv(X), inv(X)) - E("li,jk->ijkl", inv(X), inv(X))), **ANY),
        Row("log|det X|", "eb.linalg.logdet(X)", "X X X", "(X⁻¹)ₗᵢ(X⁻¹)ⱼₚ(X⁻¹)ᵣₖ + (X⁻¹)ₗₚ(X⁻¹)ᵣᵢ(X⁻¹)ⱼₖ",
            _third_logdet, **ANY),
    ),
)  # fmt: skip

INVERSES = Group(
    "Inverses",
    "Where an inverse only multiplies, the compiled program solves.",
    "Petersen & Pedersen 2012, sections 2.2 and 2.5; Magnus & Neudecker 2019, chapter 8; Giles 2008, section 2.2.3.",
    (
        Row("X⁻¹", "eb.linalg.inv(X)", "dX", "-X⁻¹dX X⁻¹",
            lambda X, dX: -inv(X) @ dX @ inv(X), **ANY, see="PP 40"),
        Row("X⁻¹", "eb.linalg.inv(X)", "X", "-(X⁻¹)ᵢₖ(X⁻¹)ₗⱼ",
            lambda X: -E("ik,lj->ijkl", inv(X), inv(X)), **ANY, see="PP 60"),
        Row("aᵀX⁻¹b", "a @ eb.linalg.inv(X) @ b", "X", "-X⁻ᵀabᵀX⁻ᵀ",
            lambda X, a, b: -inv(X).T @ outer(a, b) @ inv(X).T,
            given="X[n,n] a[n] b[n]", draw="X dominant", see="PP 61"),
        Row("X⁻¹b", "eb.linalg.solve(X, b)", "b", "X⁻¹", lambda X: inv(X), given="X[n,n] b[n]", draw="X dominant"),
        Row("X⁻¹b", "eb.linalg.solve(X, b)", "dX db", "X⁻¹(db - dX X⁻¹b)",
            lambda X, b, dX, db: inv(X) @ (db - dX @ inv(X) @ b), given="X[n,n] b[n]", draw="X dominant"),
        Row("tr X⁻¹", "eb.linalg.trace(eb.linalg.inv(X))", "X", "-(X⁻²)ᵀ", lambda X: -power(inv(X), 2).T, **ANY),
        Row("tr AX⁻¹B", "eb.linalg.trace(A @ eb.linalg.inv(X) @ B)", "X", "-(X⁻¹BAX⁻¹)ᵀ",
            lambda A, X, B: -(inv(X) @ B @ A @ inv(X)).T,
            given="A[m,n] X[n,n] B[n,m]", draw="X dominant", see="PP 63, 124"),
        Row("tr (X + A)⁻¹", "eb.linalg.trace(eb.linalg.inv(X + A))", "X", "-((X + A)⁻²)ᵀ",
            lambda X, A: -power(inv(X + A), 2).T, given="X[n,n] A[n,n]", draw="X dominant, A unit", see="PP 64"),
        Row("tr (XᵀCX)⁻¹A", "eb.linalg.trace(eb.linalg.inv(X.T @ C @ X) @ A)", "X",
            "-CX M⁻¹(A + Aᵀ)M⁻¹, M = XᵀCX, C symmetric",
            lambda X, C, A: -C @ X @ inv(X.T @ C @ X) @ (A + A.T) @ inv(X.T @ C @ X),
            given="X[n,k] C[n,n] A[k,k]", draw="C definite", sizes={"n": 4, "k": 2}, see="PP 125"),
        Row("xᵀ(A + tI)⁻¹x", "x @ eb.linalg.solve(A + t * eb.eye('n'), x)", "t", "-xᵀ(A + tI)⁻²x",
            lambda A, x, t: -x @ power(inv(A + t * I(x.size)), 2) @ x, given="A[n,n] x[n] t",
            draw="A definite, t unit"),
        Row("X⁻¹X", "eb.linalg.inv(X) @ X", "", "I", lambda X: I(len(X)), **ANY),
        Row("tr X⁻¹", "eb.linalg.trace(eb.linalg.inv(X))", "X X", "(X⁻¹)ⱼₖ(X⁻²)ₗᵢ + (X⁻²)ⱼₖ(X⁻¹)ₗᵢ",
            lambda X: E("jk,li->ijkl", inv(X), power(inv(X), 2)) + E("jk,li->ijkl", power(inv(X), 2), inv(X)),
            **ANY),
        Row("-log density of N(0, K)", "(eb.linalg.logdet(K) + y @ eb.linalg.solve(K, y)) / 2", "K",
            "½(K⁻¹ - K⁻¹yyᵀK⁻¹)", _evidence, given="K[n,n] y[n]", draw="K definite"),
        Row("-log density of N(0, K)", "(eb.linalg.logdet(K) + y @ eb.linalg.solve(K, y)) / 2", "y", "K⁻¹y",
            lambda K, y: inv(K) @ y, given="K[n,n] y[n]", draw="K definite"),
        Row("log density of Wishart", "n * eb.linalg.logdet(S) / 2 - eb.linalg.trace(A @ S) / 2", "S", "½(nS⁻¹ - A)",
            _wishart, given="S[k,k] A[k,k] n", draw="S definite, A definite"),
        Row("(A ⊗ B)⁻¹", "eb.linalg.inv(eb.linalg.kron(A, B))", "", "A⁻¹ ⊗ B⁻¹",
            lambda A, B: kron(inv(A), inv(B)),
            given="A[n,n] B[m,m]", draw="A dominant, B dominant", sizes={"n": 2, "m": 3}),
    ),
)  # fmt: skip

SPECTRA = Group(
    "Eigenvalues and factors",
    "Functions of a symmetric matrix read the symmetric part of any other, and their gradients are symmetric.",
    "Magnus & Neudecker 2019, chapter 8; Giles 2008, section 3; Murray 2016; Petersen & Pedersen 2012, section 2.3.",
    (
        Row("λ(S)", "eb.linalg.eigvalsh(S)", "dS", "vᵢᵀdS vᵢ",
            lambda S, dS: E("ji,jk,ki->i", _vectors(S), dS, _vectors(S)), given="S[n,n]", draw="S symmetric",
            see="PP 67"),
        Row("Σ λ²", "eb.sum(eb.linalg.eigvalsh(S) ** 2)", "S", "2S", lambda S: 2 * S, given="S[n,n]",
            draw="S symmetric"),
        Row("Σ log λ", "eb.sum(eb.log(eb.linalg.eigvalsh(S)))", "S", "S⁻¹", lambda S: inv(S), given="S[n,n]",
            draw="S definite"),
        Row("λ max", "eb.max(eb.linalg.eigvalsh(S))", "S", "vvᵀ",
            lambda S: outer(_vectors(S)[:, -1], _vectors(S)[:, -1]), given="S[n,n]", draw="S symmetric"),
        Row("log 1ᵀexp λ", "eb.logsumexp(eb.linalg.eigvalsh(S))", "S", "e^S/tr e^S",
            lambda S: _vectors(S) @ diag(np.exp(np.linalg.eigvalsh(S))) @ _vectors(S).T
            / np.exp(np.linalg.eigvalsh(S)).sum(), given="S[n,n]", draw="S symmetric"),
        Row("cholesky S", "eb.linalg.cholesky(S)", "dS", "L Φ(L⁻¹dS L⁻ᵀ), Φ the lower triangle with half the diagonal",
            _cholesky_differential, given="S[n,n]", draw="S definite"),
        Row("2 Σ log Lᵢᵢ", "2 * eb.sum(eb.log(eb.einsum('ii->i', eb.linalg.cholesky(S))))", "S", "S⁻¹",
            lambda S: inv(S), given="S[n,n]", draw="S definite"),
        Row("‖X‖", "eb.linalg.norm(X)", "X", "X/‖X‖", lambda X: X / fro(X), given="X[n,m]"),
        Row("‖X‖⁎", 'eb.linalg.norm(X, "nuc")', "X", "UVᵀ, for X = UΣVᵀ", _polar, given="X[n,m]"),
        Row("‖X‖₂", "eb.linalg.norm(X, 2)", "X", "u₁v₁ᵀ, for X = UΣVᵀ", _leading, given="X[n,m]"),
    ),
)  # fmt: skip

"""Tensor decompositions and tensor networks."""

from __future__ import annotations

from ..row import Group, Row
from .numpy_names import E, I

__all__ = ["DECOMPOSITIONS"]


def _cp(U, V, W):
    return E("ir,jr,kr->ijk", U, V, W)


def _chain(A, B, C):
    return E("ia,ajb,bk->ijk", A, B, C)


def _rayleigh(A, B, H):
    p = A @ B
    size = (p * p).sum()
    energy = E("ij,ijkl,kl->", p, H, p) / size
    pushed = E("ijkl,kl->ij", H, p) + E("klij,kl->ij", H, p)
    return (pushed - 2 * energy * p) @ B.T / size


CP = "f = (T[i,j,k] - U[i,r] V[j,r] W[k,r])^2"
TUCKER = "f = (T[i,j,k] - G[a,b,c] U[i,a] V[j,b] W[k,c])^2"
CHAIN = "f = (T[i,j,k] - A[i,a] B[a,j,b] C[b,k])^2"
FACTORS = "f = O[i,j]^2 (T[i,j] - U[i,k] V[j,k])^2"
SMALL = {"i": 3, "j": 4, "k": 2}

DECOMPOSITIONS = Group(
    "Tensor decompositions",
    "E is the residual, model minus data.",
    "Kolda & Bader 2009; Acar, Dunlavy & Kolda 2011 (gradients of CP); Oseledets 2011 (tensor trains); Orús 2014.",
    (
        Row("‖O ⊙ (T - UVᵀ)‖²", FACTORS, "U", "2(O² ⊙ (UVᵀ - T))V",
            lambda O, T, U, V: 2 * (O * O * (U @ V.T - T)) @ V),
        Row("‖O ⊙ (T - UVᵀ)‖²", FACTORS, "V", "2(O² ⊙ (UVᵀ - T))ᵀU",
            lambda O, T, U, V: 2 * (O * O * (U @ V.T - T)).T @ U),
        Row("⟦U, V, W⟧", "T[i,j,k] = U[i,r] V[j,r] W[k,r]", "U", "δᵢₚVⱼᵣWₖᵣ",
            lambda U, V, W: E("ip,jr,kr->ijkpr", I(len(U)), V, W)),
        Row("‖T - ⟦U, V, W⟧‖²", CP, "U", "2E₍₁₎(V * W)",
            lambda T, U, V, W: 2 * E("ijk,jr,kr->ir", _cp(U, V, W) - T, V, W)),
        Row("‖T - ⟦U, V, W⟧‖²", CP, "W", "2E₍₃₎(U * V)",
            lambda T, U, V, W: 2 * E("ijk,ir,jr->kr", _cp(U, V, W) - T, U, V)),
        Row("‖T - ⟦U, V, W⟧‖²", CP, "U U", "2 I ⊗ (VᵀV ⊙ WᵀW)",
            lambda U, V, W: 2 * E("ip,rq->irpq", I(len(U)), (V.T @ V) * (W.T @ W))),
        Row("‖⟦U, V, W⟧‖²", "T[i,j,k] = U[i,r] V[j,r] W[k,r]; f = T[i,j,k]^2", "U", "2U(VᵀV ⊙ WᵀW)",
            lambda U, V, W: 2 * U @ ((V.T @ V) * (W.T @ W))),
        Row("Σ Tᵢⱼₖxᵢyⱼzₖ", "f = T[i,j,k] x[i] y[j] z[k]", "x", "T(·, y, z)", lambda T, y, z: E("ijk,j,k->i", T, y, z)),
        Row("Σ Tᵢⱼₖxᵢxⱼxₖ", "f = T[i,j,k] x[i] x[j] x[k]", "x", "T(·, x, x) + T(x, ·, x) + T(x, x, ·)",
            lambda T, x: E("ijk,j,k->i", T, x, x) + E("ijk,i,k->j", T, x, x) + E("ijk,i,j->k", T, x, x)),
        Row("T ×₂ A", "Y[i,p,k] = T[i,j,k] A[p,j]", "A", "δₚᵣTᵢⱼₖ",
            lambda T, A: E("pr,ijk->ipkrj", I(len(A)), T), sizes=SMALL),
        Row("‖T - ⟦G; U, V, W⟧‖²", TUCKER, "G", "2E ×₁ Uᵀ ×₂ Vᵀ ×₃ Wᵀ",
            lambda T, G, U, V, W: 2 * E("ijk,ia,jb,kc->abc", E("abc,ia,jb,kc->ijk", G, U, V, W) - T, U, V, W)),
        Row("‖T - ⟦G; U, V, W⟧‖²", TUCKER, "U", "2E₍₁₎(G ×₂ V ×₃ W)₍₁₎ᵀ",
            lambda T, G, U, V, W: 2 * E("ijk,abc,jb,kc->ia", E("abc,ia,jb,kc->ijk", G, U, V, W) - T, G, V, W)),
        Row("‖T - ABC‖², a train", CHAIN, "B", "2 Aᵀ E Cᵀ",
            lambda T, A, B, C: 2 * E("ia,ijk,bk->ajb", A, _chain(A, B, C) - T, C)),
        Row("⟨ψ|ψ⟩, ψ a train", "p[i,j,k] = A[i,a] B[a,j,b] C[b,k]; f = p[i,j,k]^2", "B", "2 (AᵀA) B (CCᵀ)",
            lambda A, B, C: 2 * E("ac,cjd,db->ajb", A.T @ A, B, C @ C.T)),
        Row("tr A B C, a ring", "f = A[i,a,b] B[j,b,c] C[k,c,a] T[i,j,k]", "B", "Σ CTA",
            lambda A, C, T: E("iab,kca,ijk->jbc", A, C, T)),
        Row("log ⟨ψ|ψ⟩", "p[i,j] = A[i,a] B[a,j]; f = log(sum[i,j](p[i,j]^2))", "A", "2ABBᵀ/⟨ψ|ψ⟩",
            lambda A, B: 2 * A @ B @ B.T / ((A @ B) ** 2).sum()),
        Row("Rayleigh quotient of a train", "p[i,j] = A[i,a] B[a,j]; f = p[i,j] H[i,j,k,l] p[k,l] / (p[m,n] p[m,n])",
            "A", "((H + Hᵀ)p - 2fp)Bᵀ/⟨p|p⟩", _rayleigh),
        Row("‖T - Σᵣ xᵣ∘xᵣ∘xᵣ‖²", "f = (T[i,j,k] - X[i,r] X[j,r] X[k,r])^2", "X", "2(E₍₁₎ + E₍₂₎ + E₍₃₎)(X * X)",
            lambda T, X: 2 * sum(E(f"{p},br,cr->ar", _cp(X, X, X) - T, X, X) for p in ("abc", "bac", "bca"))),
    ),
)  # fmt: skip

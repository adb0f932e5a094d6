"""Functions of scalars and of vectors."""

# ruff: noqa: PLW0108 (the parameters of a closed form name the arrays it reads)

from __future__ import annotations

import numpy as np

from ..row import Group, Row
from .numpy_names import I, cos, diag, exp, log, ones, outer, s, sin

__all__ = ["SCALARS", "VECTORS"]

SCALARS = Group(
    "Scalars",
    "The chain rule, and paths that add.",
    "Abramowitz & Stegun 1964, chapters 3, 4 and 7.",
    (
        Row("x³", "f = x^3", "x", "3x²", lambda x: 3 * x**2),
        Row("3x²y", "f = 3 x^2 y", "x", "6xy", lambda x, y: 6 * x * y),
        Row("3x²y", "f = 3 x^2 y", "y", "3x²", lambda x: 3 * x**2),
        Row("x/y", "f = x / y", "y", "-x/y²", lambda x, y: -x / y**2, draw="y positive"),
        Row("sin x²", "f = sin(x^2)", "x", "2x cos x²", lambda x: 2 * x * cos(x**2)),
        Row("sin(x + x²)", "f = sin(x + x^2)", "x", "(1 + 2x) cos(x + x²)", lambda x: (1 + 2 * x) * cos(x + x**2)),
        Row("log sin²x³", "f = log(sin(x^3)^2)", "x", "6x² cot x³",
            lambda x: 6 * x**2 * cos(x**3) / sin(x**3), draw="x unit"),
        Row("√(1 + x²)", "f = sqrt(1 + x^2)", "x", "x/√(1 + x²)", lambda x: x / np.sqrt(1 + x**2)),
        Row("xʸ", "f = x^y", "x", "y xʸ⁻¹", lambda x, y: y * x ** (y - 1), draw="x positive"),
        Row("xʸ", "f = x^y", "y", "xʸ log x", lambda x, y: x**y * log(x), draw="x positive"),
        Row("x log x", "f = x log(x)", "x", "1 + log x", lambda x: 1 + log(x), draw="x positive"),
        Row("arctan(y/x)", "f = arctan(y / x)", "x", "-y/(x² + y²)",
            lambda x, y: -y / (x**2 + y**2), draw="x positive"),
        Row("tanh x", "f = tanh(x)", "x", "1 - tanh²x", lambda x: 1 / np.cosh(x) ** 2),
        Row("σ(x)", "f = sigmoid(x)", "x", "σ(x)(1 - σ(x))", lambda x: s(x) * (1 - s(x))),
        Row("log(1 + eˣ)", "f = log(1 + exp(x))", "x", "σ(x)", lambda x: s(x)),
        Row("exp(-½(x - m)²/v)", "f = exp(-1/2 (x - m)^2 / v)", "v", "½ f (x - m)²/v²",
            lambda x, m, v: 0.5 * (x - m) ** 2 / v**2 * exp(-0.5 * (x - m) ** 2 / v), draw="v positive"),
    ),
)  # fmt: skip

VECTORS = Group(
    "Vectors",
    "Scalar functions of vectors have gradients of the vector's shape; vectors have Jacobians, rows for outputs.",
    "Petersen & Pedersen 2012, sections 2.4 and 2.6; Magnus & Neudecker 2019, chapter 9.",
    (
        Row("1ᵀx", "f = sum[i](x[i])", "x", "1", lambda x: ones(x.shape)),
        Row("mean x", "f = mean[i](x[i])", "x", "1/n", lambda x: ones(x.shape) / x.size),
        Row("aᵀx", "f = a[i] x[i]", "x", "a", lambda a: a, see="PP 69"),
        Row("xᵀx", "f = x[i] x[i]", "x", "2x", lambda x: 2 * x, see="PP 131"),
        Row("xᵀAx", "f = x[i] A[i,j] x[j]", "x", "(A + Aᵀ)x", lambda x, A: (A + A.T) @ x, see="PP 81"),
        Row("xᵀAx + bᵀx", "f = x[i] A[i,j] x[j] + b[i] x[i]", "x", "(A + Aᵀ)x + b",
            lambda x, A, b: (A + A.T) @ x + b, see="PP 97"),
        Row("(aᵀx)²", "f = (a[i] x[i])^2", "x", "2aaᵀx", lambda a, x: 2 * outer(a, a) @ x),
        Row("(aᵀx)(bᵀx)", "f = (a[i] x[i]) (b[j] x[j])", "x", "(abᵀ + baᵀ)x",
            lambda a, b, x: (outer(a, b) + outer(b, a)) @ x),
        Row("1/aᵀx", "f = 1 / (a[i] x[i])", "x", "-a/(aᵀx)²",
            lambda a, x: -a / (a @ x) ** 2, draw="a positive, x positive"),
        Row("exp aᵀx", "f = exp(a[i] x[i])", "x", "exp(aᵀx) a", lambda a, x: exp(a @ x) * a),
        Row("log aᵀx", "f = log(a[i] x[i])", "x", "a/aᵀx", lambda a, x: a / (a @ x), draw="a positive, x positive"),
        Row("xᵀAx/xᵀx", "f = x[i] A[i,j] x[j] / (x[k] x[k])", "x", "((A + Aᵀ)x - 2fx)/xᵀx",
            lambda x, A: ((A + A.T) @ x - 2 * (x @ A @ x) / (x @ x) * x) / (x @ x)),
        Row("(Bx + b)ᵀC(Dx + d)", "y[i] = B[i,j] x[j] + b[i]; z[k] = D[k,j] x[j] + d[k]; f = y[i] C[i,k] z[k]", "x",
            "BᵀC(Dx + d) + DᵀCᵀ(Bx + b)",
            lambda x, B, b, C, D, d: B.T @ C @ (D @ x + d) + D.T @ C.T @ (B @ x + b), see="PP 78"),
        Row("(x - As)ᵀW(x - As)", "r[i] = x[i] - A[i,j] s[j]; f = r[i] W[i,k] r[k]", "s", "-Aᵀ(W + Wᵀ)(x - As)",
            lambda x, A, s, W: -A.T @ (W + W.T) @ (x - A @ s), see="PP 84"),
        Row("(x - As)ᵀW(x - As)", "r[i] = x[i] - A[i,j] s[j]; f = r[i] W[i,k] r[k]", "A", "-(W + Wᵀ)(x - As)sᵀ",
            lambda x, A, s, W: outer(-(W + W.T) @ (x - A @ s), s), see="PP 88"),
        Row("‖Ax - b‖²", "f = (A[i,j] x[j] - b[i])^2", "x", "2Aᵀ(Ax - b)", lambda A, x, b: 2 * A.T @ (A @ x - b)),
        Row("Σ exp(Ax)", "f = sum[i](exp(A[i,j] x[j]))", "x", "Aᵀexp(Ax)", lambda A, x: A.T @ exp(A @ x)),
        Row("-Σ log(b - Ax)", "f = -sum[i](log(b[i] - A[i,j] x[j]))", "x", "Aᵀ(1/(b - Ax))",
            lambda A, x, b: A.T @ (1 / (b - A @ x)), draw="x unit, A unit, b positive", sizes={"j": 1}),
        Row("Ax", "y[i] = A[i,j] x[j]", "x", "A", lambda A: A),
        Row("xᵀA", "y[j] = x[i] A[i,j]", "x", "Aᵀ", lambda A: A.T),
        Row("w + x", "y[i] = w[i] + x[i]", "w", "I", lambda w: I(w.size)),
        Row("w ⊙ x", "y[i] = w[i] x[i]", "x", "diag w", lambda w: diag(w)),
        Row("w / x", "y[i] = w[i] / x[i]", "x", "-diag(w/x²)", lambda w, x: diag(-w / x**2), draw="x positive"),
        Row("x + z1", "y[i] = x[i] + z", "z", "1", lambda x: ones(x.shape)),
        Row("xz", "y[i] = x[i] z", "x", "zI", lambda x, z: z * I(x.size)),
        Row("xz", "y[i] = x[i] z", "z", "x", lambda x: x),
        Row("exp x", "y[i] = exp(x[i])", "x", "diag(exp x)", lambda x: diag(exp(x))),
        Row("σ(Ax + b)", "y[i] = sigmoid(A[i,j] x[j] + b[i])", "x", "diag(σ')A",
            lambda A, x, b: diag(s(A @ x + b) * (1 - s(A @ x + b))) @ A),
        Row("x xᵀx", "y[i] = x[i] (x[j] x[j])", "x", "(xᵀx)I + 2xxᵀ",
            lambda x: (x @ x) * I(x.size) + 2 * outer(x, x)),
        Row("xxᵀ", "Y[i,j] = x[i] x[j]", "x", "δᵢₖxⱼ + xᵢδⱼₖ",
            lambda x: np.einsum("ik,j->ijk", I(x.size), x) + np.einsum("i,jk->ijk", x, I(x.size))),
    ),
)  # fmt: skip

"""Norms and distances."""

# ruff: noqa: PLW0108 (the parameters of a closed form name the arrays it reads)

from __future__ import annotations

import numpy as np

from ..row import Group, Row
from .numpy_names import E, I, fro, norm, outer

__all__ = ["NORMS"]


def _huber(x):
    return np.clip(x, -0.5, 0.5)


NORMS = Group(
    "Norms and distances",
    "Where a norm has a kink, at zero or at a tie, einback's convention holds: |x|' = 0 at 0, ties share evenly.",
    "Petersen & Pedersen 2012, sections 2.6 and 2.7; Boyd & Vandenberghe 2004, appendix A.",
    (
        Row("‖x‖", "f = sqrt(sum[i](x[i]^2))", "x", "x/‖x‖", lambda x: x / norm(x)),
        Row("‖x - a‖", "f = sqrt(sum[i]((x[i] - a[i])^2))", "x", "(x - a)/‖x - a‖",
            lambda x, a: (x - a) / norm(x - a), see="PP 129"),
        Row("(x - a)/‖x - a‖", "r[i] = x[i] - a[i]; y[i] = r[i] / sqrt(sum[j](r[j]^2))", "x",
            "I/‖x - a‖ - (x - a)(x - a)ᵀ/‖x - a‖³",
            lambda x, a: I(x.size) / norm(x - a) - outer(x - a, x - a) / norm(x - a) ** 3, see="PP 130"),
        Row("‖Ax‖", "f = sqrt(sum[i]((A[i,j] x[j])^2))", "x", "AᵀAx/‖Ax‖", lambda A, x: A.T @ A @ x / norm(A @ x)),
        Row("log ‖x‖", "f = log(sqrt(sum[i](x[i]^2)))", "x", "x/xᵀx", lambda x: x / (x @ x)),
        Row("‖x‖₁", "f = sum[i](abs(x[i]))", "x", "sign x", lambda x: np.sign(x), draw="x apart"),
        Row("‖x‖ₚᵖ", "f = sum[i](abs(x[i])^3)", "x", "p|x|ᵖ⁻¹ ⊙ sign x, p = 3",
            lambda x: 3 * np.abs(x) ** 2 * np.sign(x), draw="x apart"),
        Row("max x", "f = max[i](x[i])", "x", "1 at the largest entry, 0 elsewhere",
            lambda x: I(x.size)[x.argmax()], draw="x apart"),
        Row("‖x‖∞", "f = max[i](abs(x[i]))", "x", "sign(xₖ)eₖ, k = argmax |x|",
            lambda x: np.sign(x) * I(x.size)[np.abs(x).argmax()], draw="x positive"),
        Row("‖x - Ay‖₁", "f = sum[i](abs(x[i] - A[i,j] y[j]))", "y", "-Aᵀsign(x - Ay)",
            lambda x, A, y: -A.T @ np.sign(x - A @ y)),
        Row("Huber(x)", "f = sum[i](where(abs(x[i]) <= 1/2, x[i]^2 / 2, abs(x[i]) / 2 - 1/8))", "x",
            "x clipped to [-½, ½]", _huber, draw="x apart"),
        Row("‖X‖²", "f = X[i,j]^2", "X", "2X", lambda X: 2 * X, see="PP 132"),
        Row("‖X‖", "f = sqrt(sum[i,j](X[i,j]^2))", "X", "X/‖X‖", lambda X: X / fro(X)),
        Row("‖xᵢ - yⱼ‖²", "D[i,j] = sum[k]((X[i,k] - Y[j,k])^2)", "X", "2δᵢₗ(Xₗₖ - Yⱼₖ)",
            lambda X, Y: 2 * E("il,ljk->ijlk", I(len(X)), X[:, None] - Y)),
        Row("xᵀy/‖x‖‖y‖", "f = x[i] y[i] / (sqrt(sum[j](x[j]^2)) sqrt(sum[k](y[k]^2)))", "x", "(y/‖y‖ - f x/‖x‖)/‖x‖",
            lambda x, y: (y / norm(y) - x @ y / (norm(x) ** 2 * norm(y)) * x) / norm(x)),
        Row("exp(-½‖x - y‖²)", "f = exp(-1/2 sum[i]((x[i] - y[i])^2))", "x", "-f (x - y)",
            lambda x, y: -np.exp(-0.5 * (x - y) @ (x - y)) * (x - y)),
    ),
)  # fmt: skip

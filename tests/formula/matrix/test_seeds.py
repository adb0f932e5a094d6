"""The seed results in matrix notation, as differentials, with vec and as columns, pinned in goldens/."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import einback as eb

W, X, x, b, c, w = eb.tensors("W[m,n] X[k,n] x[n] b[m] c[m] w[n]")
y = W @ x + b
G = eb.sigmoid(y)
A, B, C = eb.tensors("A[m,n] B[n,p] C[p,q]")
K, DK, DW, DY = eb.tensors("X[n,n] dX[n,n] dW[m,n] dy[m]")
u, v, z, t, alpha = eb.tensors("x y z t α")
q = eb.tensor("x[q]")


def named(text: str, name: str) -> Any:
    return eb.program(text)[name]


def _layers() -> Iterator[tuple[str, str, dict[str, str], Any]]:
    yield "A1", "vec", {"name": "vec(A B C)"}, A @ B @ C
    yield "A1", "vec", {}, eb.jacobian(A @ B @ C, B)
    yield "A1", "vec", {"vec": "row", "layout": "denominator"}, eb.jacobian(A @ B @ C, B)
    yield "A2", "vec", {"factor": "W", "name": "W x"}, W @ x
    yield "A2", "vec", {}, eb.jacobian(W @ x, W)
    yield "A3", "vec", {"factor": "W b", "name": "W x + b"}, W @ x + b
    yield "A4", "vec", {}, eb.jacobian(G, W)
    yield "A4", "vec", {}, eb.jacobian(G, b)
    F = eb.sum(c * G**2)
    yield "A5", "vec", {"layout": "denominator"}, eb.grad(F, W)
    yield "A5", "matrix", {}, eb.grad(F, W)
    yield "A5", "matrix", {}, eb.grad(F, b)
    yield "B1", "matrix", {}, eb.grad(eb.sigmoid(u), u)
    yield "B1", "matrix", {}, eb.grad(alpha * eb.relu(u), u)
    yield "B1", "matrix", {}, eb.jacobian(alpha * eb.relu(x), x)
    yield "B2", "matrix", {}, eb.jacobian(eb.sigmoid(x), x)
    yield "B3", "matrix", {}, eb.jacobian(eb.tanh(A @ eb.sigmoid(B @ eb.sin(C @ q))), q)
    f = eb.sigmoid(w @ x + z)
    for one in (x, w, z):
        yield "B4", "vec", {}, eb.grad(f, one)
    for one in (x, b):
        yield "B5", "matrix", {}, eb.jacobian(y, one)
    yield "B5", "columns", {}, eb.jacobian(y, W)
    yield "B6", "matrix", {}, eb.jacobian(G, x)
    yield "B6", "columns", {}, eb.jacobian(G, W)
    p = eb.program("h[i] = tanh(A[i,j] x[j] + a[i])\ng[k] = sigmoid(B[k,i] h[i] + b[k])\nf = (c[k] g[k] - y)^2")
    for name in "bBaA":
        yield "B8", "matrix", {}, eb.grad(p["f"], p[name])
    yield "B7", "matrix", {}, eb.grad((w @ x - t) ** 2, w)
    logistic = eb.program("f = w[i] x[i] + b\nL = log(1 + exp(y f))")
    yield "B7", "matrix", {}, eb.grad(logistic["L"], logistic["w"])
    yield "B7", "matrix", {}, eb.grad(logistic["L"], logistic["b"])
    p = eb.program(
        "H[n,i] = tanh(X[n,j] A[j,i] + a[i])\nG[n,k] = sigmoid(H[n,i] B[i,k] + b[k])\nL = (G[n,k] - Y[n,k])^2"
    )
    for name in "bBaA":
        yield "B9", "matrix", {}, eb.grad(p["L"], p[name])


def _calculus() -> Iterator[tuple[str, str, dict[str, str], Any]]:
    for one, other in ((x + w, x), (w - x, x), (w * x, w), (w / x, w), (w / x, x)):
        yield "C2", "matrix", {}, eb.jacobian(one, other)
    for one, other in ((x + z, x), (x + z, z), (x * z, x), (x * z, z)):
        yield "C3", "matrix", {}, eb.jacobian(one, other)
    for one in (eb.sum(x), eb.sum(x * z)):
        yield "C4", "vec", {}, eb.grad(one, x)
    yield "C5", "matrix", {}, eb.grad(eb.sin(u**2), u)
    yield "C5", "matrix", {}, eb.grad(eb.log(eb.sin(u**3) ** 2), u)
    yield "C6", "matrix", {}, eb.grad(eb.sin(u + u**2), u)
    rectified = eb.program("f = maximum(0, w[i] x[i] + b)")
    for name in "wb":
        yield "C9", "vec", {}, eb.grad(rectified["f"], rectified[name])
    yield "C8", "vec", {}, eb.grad(w @ x, w)
    yield "C8", "vec", {}, eb.grad(w @ x, x)
    loss = "z[n] = X[n,d] w[d] + b\nf = sum[n]((y[n] - maximum(0, z[n]))^2) / size(n)"
    yield "C10", "matrix", {}, eb.grad(named(loss, "f"), eb.program(loss)["w"])
    yield "C10", "matrix", {}, eb.grad(named(loss, "f"), eb.program(loss)["b"])
    squared = eb.program("f = y[m] y[m]")
    yield "D1", "differential", {}, eb.jvp(squared["f"], {squared["y"]: DY})
    yield "D1", "differential", {"name": "dg"}, eb.jvp(W @ x, {W: DW})
    g = W @ x
    yield "D1", "differential", {}, eb.grad(g @ g, W)
    yield "D1", "matrix", {}, eb.grad(g @ g, W)
    yield "D4", "differential", {"name": "d(X⁻¹)"}, eb.jvp(eb.linalg.inv(K), {K: DK})
    yield "D4", "differential", {}, eb.jacobian(eb.linalg.inv(K), K)
    for value in (eb.linalg.det(K), eb.linalg.logdet(K)):
        yield "D4", "differential", {}, eb.jvp(value, {K: DK})
        yield "D4", "matrix", {}, eb.grad(value, K)
    yield "D5", "matrix", {}, eb.hessian(eb.sum((A @ x - b) ** 2), x)
    yield "D5", "matrix", {}, eb.hessian(eb.logsumexp(A @ x), x)
    p = eb.program("Y[n,m] = X[n,d] W[d,m] + b[m]\nL = tanh(Y[n,m]) R[n,m]")
    for name in "WXb":
        yield "E1", "matrix", {}, eb.grad(p["L"], p[name])
    p = eb.program("S[n,m] = sigmoid(X[n,m])\nL = S[n,m] G[n,m]")
    yield "E3", "matrix", {}, eb.grad(p["L"], p["X"])


SEEDS = (*_layers(), *_calculus())


def page(item: str) -> str:
    shown = []
    for one, notation, options, tensor in SEEDS:
        if one == item:
            shown += [tensor.text(notation=notation, **options), tensor.latex(notation=notation, **options), ""]
    return "\n".join(shown)


@pytest.mark.parametrize("item", dict.fromkeys(seed[0] for seed in SEEDS))
def test_seed(item: str, golden: Callable[[str, str], None]) -> None:
    golden(item, page(item))


def test_a3_a4_a5_all_parameters_at_once() -> None:
    F = eb.sum(c * G**2)
    assert eb.blocks([[eb.jacobian(y, one) for one in (W, b)]], name="J").text() == "J = [xᵀ, 1] ⊗ I_m"
    assert eb.blocks([[eb.jacobian(G, one) for one in (W, b)]], name="DG").text().splitlines() == [
        "DG = diag(s ⊙ (1 − s)) ([xᵀ, 1] ⊗ I_m)",
        "  where s = sigmoid(W x + b)",
    ]
    gradient = eb.blocks([[eb.grad(F, one) for one in (W, b)]], name="∇F")
    assert gradient.text(layout="denominator").splitlines() == [
        "∇F = 2 ([x; 1] ⊗ I_m) (c ⊙ s² ⊙ (1 − s))",
        "  where s = sigmoid(W x + b)",
    ]


def test_c1_both_layouts() -> None:
    rows = [[eb.grad(one, by) for by in (u, v)] for one in (3 * u**2 * v, 2 * u + v**8)]
    assert str(eb.blocks(rows[:1], name="∇f")) == "∇f = [6 x y, 3 x²]"
    assert str(eb.blocks(rows)) == "J = [6 x y, 3 x²; 2, 8 y⁷]"
    assert eb.blocks(rows).text(layout="denominator") == "J = [6 x y, 2; 3 x², 8 y⁷]"
    assert eb.blocks(rows).latex() == r"J = \begin{bmatrix} 6 x y & 3 x^{2} \\ 2 & 8 y^{7} \end{bmatrix}"


def test_c7_a_column_of_derivatives() -> None:
    rows = [[eb.grad(one, u)] for one in (eb.log(u**2), eb.sin(3 * u))]
    assert str(eb.blocks(rows, name="y'")) == "y' = [2 / x; 3 cos(3 x)]"


def test_d2_one_differential_in_five_notations() -> None:
    X, A = eb.tensors("X[i,j] A[i,j]")
    gradient = eb.grad(eb.sum(eb.sin(X) * A), X)
    shown = {
        "index": (
            "dL = A[i,j] dX[i,j] cos(X[i,j])",
            r"\mathrm{dL} = A_{ij}\, \mathrm{dX}_{ij}\, \cos\left(X_{ij}\right)",
        ),
        "colon": ("dL = (A ⊙ cos(X)) : dX", r"\mathrm{d}L = \left(A \odot \cos\left(X\right)\right) : \mathrm{d}X"),
        "inner": (
            "dL = ⟨A ⊙ cos(X), dX⟩",
            r"\mathrm{d}L = \left\langle A \odot \cos\left(X\right), \mathrm{d}X \right\rangle",
        ),
        "trace": ("dL = tr((A ⊙ cos(X))ᵀ dX)", None),
        "trace-transposed": ("dL = tr((A ⊙ cos(X)) dXᵀ)", None),
    }
    for form, (text, latex) in shown.items():
        assert gradient.text(notation="differential", form=form) == text
        assert latex in (None, gradient.latex(notation="differential", form=form))

"""How expressions are put down: brackets, signs, numbers, transposes; and what is refused, with the reason."""

from __future__ import annotations

import doctest
from pathlib import Path
from typing import Any

import pytest

import einback as eb
from einback.errors import NotationError

A, B, S, K, x, u, y, s = eb.tensors("A[n,m] B[m,n] S[n,n] K[n,n] x[n] u[n] y[m] s")
T3 = eb.tensor("T[n,n,n]")
SYMMETRIC = eb.tensor("Q[n,n]", symmetric=True)
inv = eb.linalg.inv


def trace(one: Any) -> Any:
    return eb.einsum("ii->", one)


TEXTS = {
    "sum before a product": ((S + K) @ x, "(K + S) x"),
    "difference": (S @ x - u, "S x − u"),
    "minus a difference": (-(x - u), "u − x"),
    "minus an entrywise product": (-x * u, "−u ⊙ x"),
    "product beside ⊙": (x * (S @ u), "x ⊙ (S u)"),
    "number beside ⊙": (2 * x * u, "2 (u ⊙ x)"),
    "number beside a sum": (2 * (x + u), "2 (u + x)"),
    "fraction": (x / 3, "1/3 x"),
    "mean": (eb.mean(x), "1/n 1ᵀ x"),
    "whole number beside ones": (2 * eb.sum(x), "2 · 1ᵀ x"),
    "scalar chain in front": ((x @ S @ x) * u, "(xᵀ S x) u"),
    "divided by a scalar chain": (u / (x @ x), "u / (xᵀ x)"),
    "square of a column": (eb.sin(x) ** 2, "sin(x)²"),
    "square of a matrix, entry by entry": (S**2, "S^⊙2"),
    "square of a matrix": (S @ S, "S S"),
    "quotient of columns": (x / u, "x / u"),
    "quotient of matrices": (S / K, "S ⊘ K"),
    "quotient of a product": (x * u / (1 + x), "(u ⊙ x) / (x + 1)"),
    "quotient by a sum of one coefficient": (x / (2 * (S @ u) + 2 * u**3), "1/2 (x / (S u + u³))"),
    "transpose of a product": ((A @ B).T, "Bᵀ Aᵀ"),
    "transpose of a sum": ((S + K).T, "(K + S)ᵀ"),
    "transpose of S + Sᵀ": ((S + S.T).T, "S + Sᵀ"),
    "transpose of ⊙": ((S * K).T, "(K ⊙ S)ᵀ"),
    "transpose of symmetric": (SYMMETRIC.T @ x, "Q x"),
    "rows summed": (eb.sum(A, axis=1), "A 1"),
    "columns summed": (eb.sum(A, axis=0), "Aᵀ 1"),
    "all summed": (eb.sum(A.T), "1ᵀ A 1"),
    "squares summed": (eb.sum(A**2), "tr(Aᵀ A)"),
    "squares of a column summed": (eb.sum(x**2), "xᵀ x"),
    "trace": (trace(A @ B), "tr(A B)"),
    "trace of a transpose": (trace(A.T @ B.T), "tr(A B)"),
    "trace of an outer product": (trace(eb.einsum("i,j->ij", x, u)), "uᵀ x"),
    "diagonal": (eb.einsum("ii->i", S), "diagonal(S)"),
    "diagonal of a product": (eb.einsum("ij,ji->i", A, B), "diagonal(A B)"),
    "rows of ⊙": (eb.einsum("ij,ij->i", A, A * 2), "2 A^⊙2 1"),
    "diag in front": (eb.einsum("i,ij->ij", x, A), "diag(x) A"),
    "diag behind": (eb.einsum("ij,j->ij", A, y), "A diag(y)"),
    "diag between": (eb.einsum("ij,j,jk->ik", A, y, B), "A diag(y) B"),
    "broadcast of a row": (A + y, "A + 1 yᵀ"),
    "broadcast of a scalar": (A + s, "A + s 1 1ᵀ"),
    "number in every entry": (1 - A, "1 − A"),
    "outer": (eb.einsum("i,j->ij", x, y), "x yᵀ"),
    "inverse": (inv(S).T @ x, "S⁻ᵀ x"),
    "quadratic form": (x @ S @ x, "xᵀ S x"),
    "softmax of rows": (eb.softmax(A, axis=1), "softmax_rows(A)"),
    "softmax of columns": (eb.softmax(A, axis=0), "softmax_columns(A)"),
    "softmax of all": (eb.softmax(A, axis=(0, 1)), "softmax_all(A)"),
    "largest of rows": (eb.max(A, axis=1), "max_rows(A)"),
    "largest of all": (eb.max(A), "max(A)"),
    "comparison": (eb.where(x > u, x, 0), "where(x > u, x, 0)"),
    "comparison as a factor": ((x > u) * x, "x ⊙ (x > u)"),
    "terms with one beginning": (S @ x + S @ u, "S (u + x)"),
    "equal terms": (eb.hessian(x @ SYMMETRIC @ x, x), "2 Q"),
}  # fmt: skip


@pytest.mark.parametrize("case", TEXTS)
def test_text(case: str) -> None:
    tensor, wanted = TEXTS[case]
    shown = tensor.text(notation="matrix", name="r")
    assert shown == f"r = {wanted}"


REFUSED = {
    "three axes": (T3, "the result has 3 axes, and a matrix has two"),
    "a factor of three axes": (eb.einsum("ijk,j,k->i", T3, x, x), "T has 3 axes, and matrix notation has no name"),
    "four lines at a point": (
        eb.einsum("il,jl,kl,i,j,ij,jk,ki->", S, K, S, x, x, S, K, K),
        "an index of size n that 3 matrices share with different others, made of S, K",
    ),
    "a convolution": (
        eb.program("y[i] = x[i+u] k[u]")["y"],
        "x is read at computed positions",
    ),
    "a reduction of ones": (eb.logsumexp(x * 0), "logsumexp of ones and numbers alone does not say of how many"),
    "a name that is a function's": (eb.tensor("tr[n,n]") @ x, "a tensor named tr reads as a function"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    tensor, fact = REFUSED[case]
    with pytest.raises(NotationError, match=fact):
        tensor.text(notation="matrix")
    with pytest.raises(NotationError, match=fact):
        tensor.latex(notation="matrix")


def test_options_are_those_of_the_notation() -> None:
    J = eb.jacobian(A @ B, B)
    assert J.text(notation="vec", layout="denominator") == "∂vec(Y)ᵀ/∂vec(B) = I_n ⊗ Aᵀ"
    with pytest.raises(NotationError, match="layout='up' is no choice of the notation vec\nthe choices are: num"):
        J.text(notation="vec", layout="up")
    with pytest.raises(NotationError, match="vec has no option 'layuot'\ndid you mean layout"):
        J.latex(notation="vec", layuot="numerator")
    with pytest.raises(NotationError, match="matrix has no option 'vec'\nits options are: none"):
        A.text(notation="matrix", vec="row")


def test_names_that_are_taken() -> None:
    I, n = eb.tensors("I[m,m] n")
    assert (I @ y + y).text(notation="matrix", name="r") == "r = I y + y"
    assert eb.jacobian(y * n, y).text(notation="matrix", name="r") == "r = n I"
    assert eb.jacobian(I @ y + y, y).text(notation="matrix", name="r") == "r = I + Id"
    assert (eb.mean(x) * n).text(notation="matrix", name="r") == "r = 1/size(n) n 1ᵀ x"
    K, C = eb.tensors("K[m,n] C[m,n]")
    assert eb.jacobian(K.T, K).text(notation="vec") == "∂vec(Y)/∂vec(K)ᵀ = C_mn"
    assert eb.jacobian((K * C).T, K).text(notation="vec") == "∂vec(Y)/∂vec(K)ᵀ = diag(vec(Cᵀ)) T_mn"
    left = eb.jacobian(eb.tensor("I[m]") * 2, eb.tensor("I[m]")).text(notation="matrix")
    assert left == "∂y/∂Iᵀ = 2 Id"
    D, g = eb.tensors("D[m,n] g[m]")
    columns = eb.jacobian(eb.tanh(D @ x + g), D).text(notation="columns")
    assert columns.splitlines()[:2] == ["∂y/∂D = [x_1 E, …, x_n E]", "  where E = diag(1 − tanh(D x + g)²)"]


def test_deep_chains_are_read() -> None:
    one = x
    for _ in range(2000):
        one = eb.tanh(S @ one)
    assert len(one.text(notation="matrix").splitlines()) > 10


def test_the_page_says_what_is_printed() -> None:
    page = Path(__file__).parents[3] / "docs" / "matrices.md"
    assert doctest.testfile(str(page), module_relative=False, encoding="utf-8").failed == 0


LATEX = {
    "power of a fraction": ((s * 0 + 0.5) ** x, r"\left(\frac{1}{2}\right)^{x}"),
    "power of a power of two": (eb.exp2(x) ** 2, r"\left(2^{x}\right)^{2}"),
    "inverse transposed": (inv(S).T, r"S^{-\top}"),
    "square of a matrix": (S**2, r"S^{\odot 2}"),
    "transpose of a square": ((S**2).T @ x, r"\left(S^{\odot 2}\right)^{\top} x"),
    "broadcast": (A @ B + x, r"A B + \mathbf{1} x^{\top}"),
    "mean": (eb.mean(x), r"\frac{1}{n} \mathbf{1}^{\top} x"),
    "minus a quotient": (-x / u, r"-\frac{x}{u}"),
    "whole number beside a number of ones": (3 * eb.sum(x), r"3 \mathbf{1}^{\top} x"),
    "softmax of rows": (eb.softmax(A, axis=1), r"\operatorname{softmax}_{\mathrm{rows}}\left(A\right)"),
}


@pytest.mark.parametrize("case", LATEX)
def test_latex(case: str) -> None:
    tensor, wanted = LATEX[case]
    assert tensor.latex(notation="matrix", name="r") == f"r = {wanted}"

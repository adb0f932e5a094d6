"""Matrix functions in index text: inv(A)[i,j], det(A), and what is no such thing."""

from __future__ import annotations

import numpy as np
import pytest

import einback as eb
from einback.errors import EinbackError
from einback.rules.matrix_functions import MATRIX_FUNCTIONS
from tests.interpreter import MATRICES

A, B, v = eb.tensors("A[n,n] B[b,n,n] v[n]")
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("name", MATRIX_FUNCTIONS)
@pytest.mark.parametrize("batch", [(), (2,)], ids=["matrix", "batch"])
def test_values(name, batch):
    x = RNG.normal(size=(*batch, 3, 3))
    x = x @ x.swapaxes(-1, -2) + np.eye(3)
    want = MATRICES[MATRIX_FUNCTIONS[name]](x)
    left = ("b", "i", "j")[not batch :][: want.ndim]
    y = eb.program(f"y[{','.join(left)}] = {name}(X)[{','.join(left)}]", X=B if batch else A)["y"]
    np.testing.assert_allclose(eb.evaluate(y, **{"B" if batch else "A": x}), want, rtol=1e-12)


@pytest.mark.parametrize(
    "y",
    [
        eb.linalg.inv(A) @ v,
        eb.grad(eb.linalg.logdet(A), A),
        eb.hessian(eb.sum(eb.linalg.det(B)), B),
        eb.linalg.cholesky(A @ A.T),
        eb.linalg.cholesky(A),
        eb.linalg.slogdet(B).sign,
        eb.linalg.eigvalsh(B),
        eb.jacobian(eb.linalg.eigvalsh(A + A.T), A),
    ],
    ids=str,
)
def test_what_is_printed_is_read_back(y):
    again = eb.program(y.text(name="y"), **{x.name: x for x in y.inputs})["y"]
    arrays = {x.name: RNG.normal(size=[2 if s == "b" else 3 for s in x.shape]) for x in y.inputs}
    arrays |= {name: a @ a.swapaxes(-1, -2) + np.eye(3) for name, a in arrays.items() if a.ndim > 1}
    np.testing.assert_allclose(eb.evaluate(again, **arrays), eb.evaluate(y, **arrays), rtol=1e-12)


def test_matrices_are_defined_in_any_line_and_have_one_size():
    p = eb.program("y[i] = inv(K)[i,j] z[j]\nK[i,j] = X[i,d] X[j,d] + s δ[i,j]\nd = det(M)\ne[b] = det(N)[b]")
    assert p["M"].shape == ("M_0", "M_0")
    assert p["N"].shape == ("b", "N_1", "N_1")
    x, z = RNG.normal(size=(3, 2)), RNG.normal(size=3)
    want = np.linalg.solve(x @ x.T + 2 * np.eye(3), z)
    np.testing.assert_allclose(eb.evaluate(p["y"], X=x, s=2.0, z=z), want, rtol=1e-12)


def test_a_matrix_is_squared_by_its_function():
    p = eb.program("y[i] = inv(C)[i,j] w[j]", C=eb.tensor("C[n,m]"))
    assert p["y"].shape == p["w"].shape
    with pytest.raises(EinbackError, match="its size m equals n"):
        eb.evaluate(p["y"], C=np.ones((2, 3)), w=np.ones(3))


def test_positions_are_computed_and_sums_end_in_products():
    a = RNG.normal(size=(4, 4))
    p = eb.program("y[k] = inv(A)[2*k,j] v[j]\ns = exp(sum[i](inv(A)[i,i]))\nt = det(A) v[i]", A=A, v=v)
    inverse, w = np.linalg.inv(a), np.arange(4.0)
    np.testing.assert_allclose(eb.evaluate(p["y"], A=a, v=w), inverse[::2] @ w, rtol=1e-9)
    np.testing.assert_allclose(eb.evaluate(p["s"], A=a), np.exp(np.trace(inverse)), rtol=1e-9)
    np.testing.assert_allclose(eb.evaluate(p["t"], A=a, v=w), 6 * np.linalg.det(a), rtol=1e-9)


@pytest.mark.parametrize(
    ("text", "fact", "under"),
    [
        ("y = inv(A)", "inv is a function of square matrices, and A has 0 axes here", "inv(A)"),
        ("y[i] = inv(A)[i]", "inv is a function of square matrices, and A has 1 axis here", "inv(A)[i]"),
        ("y = det(A + A)", "det takes the name of a tensor", "A"),
        ("y = det(2)", "det takes the name of a tensor", "2"),
        ("y = logdet()", "logdet has no argument", "logdet()"),
        ("y = det(", "this bracket ( is never closed", "("),
        ("y[i] = inv[i,j] x[j]", "inv is a function", "inv[i,j]"),
        ("y = invv(A)", "there is no function invv", "invv"),
        ("y = det(A') ", "a tensor's name has no prime", "A'"),
        ("y[i] = inv(A)[i,j] A[i]", "A has 2 axes on line 1, and is read with 1 index here", "A[i]"),
        ("y[i:3] = v[i] det(B)[i:3]", "a size cannot be said here", "i"),
        ("y[i] = inv(C)[i,j] v[j]", "and C has 3 rows and 4 columns", "inv(C)[i,j]"),
        ("y = cholesky(D)[i,i]", "cholesky is not supported for complex matrices", "cholesky(D)[i,i]"),
    ],
)  # fmt: skip
def test_errors(text, fact, under):
    given = {"A": A, "B": B, "C": eb.tensor("C[3,4]"), "D": eb.tensor("D[n,n]", complex=True)}
    with pytest.raises(EinbackError) as caught:
        eb.program(text, **{name: one for name, one in given.items() if f"({name})" in text and name in "CD"})
    error = caught.value
    assert fact in error.fact
    assert error.span is not None
    assert text[slice(*error.span)] == under

"""Results as factors: what is kept, and that it is the same tensor."""

from typing import Any

import numpy as np
import pytest

import einback as eb

RNG = np.random.default_rng(0)


def check(y: Any, arrays: dict[str, Any], rows: int | None = None) -> Any:
    """The structured result of a tensor, compared with the dense one in all that it does."""
    found = eb.compile(y, structured=True)(**arrays)
    dense = eb.evaluate(y, **arrays)
    assert found.shape == dense.shape
    assert found.dtype == dense.dtype
    np.testing.assert_allclose(found.dense(), dense, rtol=1e-12, atol=1e-13)
    split = found.ndim // 2 if rows is None else rows
    matrix = dense.reshape(int(np.prod(dense.shape[:split])), -1)
    v, u = RNG.normal(size=dense.shape[split:]), RNG.normal(size=dense.shape[:split])
    np.testing.assert_allclose(np.ravel(found.matvec(v, rows)), matrix @ v.ravel(), rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(np.ravel(found.rmatvec(u, rows)), matrix.T @ u.ravel(), rtol=1e-11, atol=1e-12)
    pytest.importorskip("scipy")
    np.testing.assert_allclose(found.to_scipy(rows).toarray(), matrix, rtol=1e-12, atol=1e-13)
    return found


def factorisation() -> tuple[eb.Tensor, dict[str, np.ndarray]]:
    O, T, U, V = eb.tensors("O[m,n] T[m,n] U[m,k] V[n,k]")
    arrays = {name: RNG.normal(size=shape) for name, shape in
              {"O": (7, 6), "T": (7, 6), "U": (7, 2), "V": (6, 2)}.items()}  # fmt: skip
    return eb.hessian(eb.sum((O * (T - U @ V.T)) ** 2), U), arrays


def test_a_hessian_with_deltas_keeps_one_small_array() -> None:
    H, arrays = factorisation()
    found = check(H, arrays)
    assert found.nbytes == 8 * 7 * 2 * 2
    assert repr(found) == "<Structured float64 [7,2,7,2]: 2 δ[m,m'] C1[m,k,k'], 224 bytes>"
    assert found.to_scipy().nnz == 7 * 2 * 2
    (term,) = found.terms
    assert term.weight == 2
    assert term.axes == (0, 1, 0, 2)
    assert [core.shape for core in term.cores] == [(7, 2, 2)]


def test_a_jacobian_of_an_affine_layer_keeps_its_input() -> None:
    X, W, b = eb.tensors("X[n,d] W[d,m] b[m]")
    Y = X @ W + b
    arrays = {"X": RNG.normal(size=(4, 3)), "W": RNG.normal(size=(3, 5)), "b": RNG.normal(size=5)}
    found = check(eb.jacobian(Y, W), arrays)
    assert found.nbytes == arrays["X"].nbytes
    assert check(eb.jacobian(Y, X), arrays).nbytes == arrays["W"].nbytes
    identity = check(eb.jacobian(Y, b), arrays, rows=2)
    assert identity.nbytes == 0  # delta[m,m'], for every n
    with pytest.raises(eb.ShapeError, match="3 axes has no middle"):
        identity.to_scipy()


def test_what_is_thin_stays_factored() -> None:
    X, w = eb.tensors("X[n,d] w[d]")
    H = eb.hessian(eb.sum(eb.softplus(X @ w)), w)
    thin = {"X": RNG.normal(size=(3, 40)), "w": RNG.normal(size=40)}
    assert check(H, thin).nbytes <= 2 * 8 * 3 * 40
    tall = {"X": RNG.normal(size=(40, 3)), "w": RNG.normal(size=3)}
    assert check(H, tall).nbytes == 8 * 3 * 3


def test_sums_of_terms_and_outer_products() -> None:
    x, A = eb.tensors("x[n] A[n,n]")
    f = eb.sum(x**4) + (x @ x) ** 2 + x @ A @ x
    arrays = {"x": RNG.normal(size=6), "A": RNG.normal(size=(6, 6))}
    found = check(eb.hessian(f, x), arrays)
    assert len(found.terms) > 1
    rank_one = check(eb.hessian(eb.exp(eb.sum(x)), x), {"x": arrays["x"]})
    assert rank_one.nbytes == 8  # one number, broadcast


def test_structure_of_outputs_and_shared_work() -> None:
    X, y, w = eb.tensors("X[n,d] y[n] w[d]")
    loss = eb.sum((X @ w - y) ** 2)
    fn = eb.compile({"loss": loss, "more": [eb.grad(loss, w), eb.hessian(loss, w)]}, structured=True)
    arrays = {"X": RNG.normal(size=(9, 4)), "y": RNG.normal(size=9), "w": RNG.normal(size=4)}
    found = fn(**arrays)
    assert found["loss"].dense() == pytest.approx(eb.evaluate(loss, **arrays))
    np.testing.assert_allclose(found["more"][1].dense(), 2 * arrays["X"].T @ arrays["X"])
    assert fn.source(arrays).count("X @ w") <= 1


def test_convolutions_and_gathers() -> None:
    p = eb.program("y[i] = x[i+u] K[u]\nh[b,d] = E[token[b],d]")
    arrays = {"x": RNG.normal(size=8), "K": RNG.normal(size=3)}
    check(eb.jacobian(p["y"], p["x"]), arrays)
    check(eb.jacobian(p["y"], p["K"]), arrays)
    gathers = {"E": RNG.normal(size=(5, 2)), "token": np.array([0, 4, 4])}
    check(eb.jacobian(p["h"], p["E"]), gathers)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes(dtype: type) -> None:
    H, arrays = factorisation()
    single = {name: array.astype(dtype) for name, array in arrays.items()}
    found = eb.compile(H, structured=True)(**single)
    assert found.dtype == dtype
    assert all(core.dtype == dtype for core in found.cores)


def test_results_cannot_be_changed_or_taken_for_arrays() -> None:
    H, arrays = factorisation()
    found = eb.compile(H, structured=True)(**arrays)
    with pytest.raises(ValueError, match="read-only"):
        found.cores[0][0] = 1
    with pytest.raises(eb.ArrayError, match="not one array"):
        np.asarray(found)
    with pytest.raises(eb.ArrayError, match=r"the array has the shape \(3,\), and the column axes have \(7, 2\)"):
        found.matvec(np.ones(3))


def test_other_shapes_get_a_layout_of_their_own() -> None:
    H, arrays = factorisation()
    fn = eb.compile(H, structured=True)
    for n in (6, 3, 6):
        some = {"O": arrays["O"][:, :n], "T": arrays["T"][:, :n], "U": arrays["U"], "V": arrays["V"][:n]}
        np.testing.assert_allclose(fn(**some).dense(), eb.evaluate(H, **some), rtol=1e-12)

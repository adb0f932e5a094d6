"""Second order by writing einsums on derived tensors: right, and nothing larger formed than the answer costs."""

from typing import Any

import numpy as np
import pytest

import einback as eb

RNG = np.random.default_rng(0)


def flops(y: Any, **arrays: Any) -> int:
    return int(eb.compile(y).plan(arrays).flops)


def growth(make: Any, widths: tuple[int, ...]) -> float:
    """The exponent p of flops ~ n^p, fitted."""
    counts = [make(n) for n in widths]
    return float(np.polyfit(np.log(widths), np.log(counts), 1)[0])


def network() -> tuple[eb.Tensor, eb.Tensor]:
    a, W, x = eb.tensors("a[k] W[k,i] x[i]")
    return a @ eb.tanh(W @ x), x


def network_arrays(n: int) -> dict[str, np.ndarray]:
    return {"a": RNG.normal(size=n), "W": RNG.normal(size=(n, n)) / n, "x": RNG.normal(size=n)}


def test_the_laplacian_of_a_network_costs_its_width_squared() -> None:
    f, x = network()
    H = eb.hessian(f, x)
    laplacian = eb.einsum("ii->", H)
    arrays = network_arrays(7)
    dense, trace = eb.evaluate([H, laplacian], **arrays)
    np.testing.assert_allclose(np.trace(dense), trace, rtol=1e-12)
    exponent = growth(lambda n: flops(laplacian, **network_arrays(n)), (50, 100, 200, 400))
    assert exponent < 2.05
    assert eb.compile(laplacian).plan(network_arrays(100)).peak_bytes < 8 * 2 * 100**2


def test_the_diagonal_of_a_hessian_forms_no_matrix() -> None:
    f, x = network()
    H = eb.hessian(f, x)
    diagonal = eb.einsum("ii->i", H)
    arrays = network_arrays(6)
    dense, found = eb.evaluate([H, diagonal], **arrays)
    np.testing.assert_allclose(np.diag(dense), found, rtol=1e-12, atol=1e-14)
    assert growth(lambda n: flops(diagonal, **network_arrays(n)), (50, 100, 200)) < 2.05


def test_the_diagonal_of_a_gauss_newton_matrix() -> None:
    X, w = eb.tensors("X[n,d] w[d]")
    J = eb.jacobian(eb.tanh(X @ w), w)
    diagonal = eb.einsum("nd,nd->d", J, J)
    arrays = {"X": RNG.normal(size=(5, 4)), "w": RNG.normal(size=4)}
    slopes, found = eb.evaluate([J, diagonal], **arrays)
    np.testing.assert_allclose((slopes.T @ slopes).diagonal(), found, rtol=1e-12)
    large = {"X": np.ones((300, 200)), "w": np.ones(200)}
    assert flops(diagonal, **large) < 6 * 300 * 200


def test_gradients_of_samples_and_their_norms() -> None:
    """The gradient of a sample's loss in W is an outer product, whose norm is a product of norms (Goodfellow, 2015)."""
    X, Y, W = eb.tensors("X[n,d] Y[n,c] W[d,c]")
    losses = -eb.sum(Y * eb.log_softmax(X @ W, axis=1), axis=1)
    J = eb.jacobian(losses, W)
    norms = eb.einsum("ndc,ndc->n", J, J)
    arrays = {"X": RNG.normal(size=(4, 3)), "Y": np.eye(5)[[0, 2, 4, 1]], "W": RNG.normal(size=(3, 5))}
    each, squares = eb.evaluate([J, norms], **arrays)
    for n in range(4):
        one = {"X": arrays["X"][n : n + 1], "Y": arrays["Y"][n : n + 1], "W": arrays["W"]}
        np.testing.assert_allclose(each[n], eb.evaluate(eb.grad(eb.sum(losses), W), **one), rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(squares, (each**2).sum(axis=(1, 2)), rtol=1e-12)
    large = {"X": np.ones((64, 300)), "Y": np.ones((64, 200)), "W": np.ones((300, 200))}
    assert flops(norms, **large) < 1.2 * 2 * 64 * 300 * 200  # the logits; an n d c tensor would take three times that
    assert eb.compile(norms).plan(large).peak_bytes < 8 * 64 * 300 * 20


def test_diagonals_of_the_curvature_of_a_hidden_layer() -> None:
    """Of the first layer's Hessian, Gauss-Newton matrix and J'J: no array with the axes of samples and weights."""
    X, Y, V, b, W = eb.tensors("X[n,d] Y[n,c] V[d,h] b[h] W[h,c]")
    Z = eb.tanh(X @ V + b) @ W
    loss = -eb.sum(Y * eb.log_softmax(Z, axis=1))
    J = eb.jacobian(Z, V)
    diagonals = {
        "Hessian": (eb.hessian(loss, V), "dhdh->dh"),
        "Gauss-Newton": (eb.gauss_newton(loss, Z, V), "dhdh->dh"),
        "trace": (eb.hessian(loss, V), "dhdh->"),
    }
    small = {"X": RNG.normal(size=(4, 3)), "Y": np.eye(5)[[0, 2, 4, 1]], "V": RNG.normal(size=(3, 2)),
             "b": RNG.normal(size=2), "W": RNG.normal(size=(2, 5))}  # fmt: skip
    n, d, h, c = 64, 200, 100, 10
    large = {"X": np.ones((n, d)), "Y": np.ones((n, c)), "V": np.ones((d, h)), "b": np.ones(h), "W": np.ones((h, c))}
    forward = 2 * n * d * h
    for matrix, spec in diagonals.values():
        dense, found = eb.evaluate([matrix, eb.einsum(spec, matrix)], **small)
        np.testing.assert_allclose(found, np.einsum(spec, dense), rtol=1e-10, atol=1e-13)
        assert flops(eb.einsum(spec, matrix), **large) < 4 * forward
        assert eb.compile(eb.einsum(spec, matrix)).plan(large).peak_bytes < 8 * 4 * n * h * c
    squares = eb.einsum("ncdh,ncdh->dh", J, J)
    read = {name: small[name] for name in "XVbW"}
    slopes, found = eb.evaluate([J, squares], **read)
    np.testing.assert_allclose(found, (slopes**2).sum(axis=(0, 1)), rtol=1e-11)
    assert flops(squares, **{name: large[name] for name in "XVbW"}) < 2.5 * forward


def test_blocks_of_several_tensors() -> None:
    X, Y, W, b = eb.tensors("X[n,d] Y[n,c] W[d,c] b[c]")
    loss = -eb.sum(Y * eb.log_softmax(X @ W + b, axis=1))
    blocks = eb.hessian(loss, {"W": W, "b": b})
    arrays = {"X": RNG.normal(size=(6, 3)), "Y": np.eye(4)[[0, 1, 2, 3, 0, 1]], "W": RNG.normal(size=(3, 4)),
              "b": RNG.normal(size=4)}  # fmt: skip
    found = eb.evaluate(blocks, **arrays)
    assert {one: list(row) for one, row in found.items()} == {"W": ["W", "b"], "b": ["W", "b"]}
    for one, left in (("W", W), ("b", b)):
        for other, right in (("W", W), ("b", b)):
            alone = eb.evaluate(eb.hessian(loss, left, right), **arrays)
            np.testing.assert_allclose(found[one][other], alone, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(found["W"]["b"], np.moveaxis(found["b"]["W"], 0, 2), rtol=1e-14)
    both = flops([blocks["W"]["b"], blocks["b"]["W"]], **arrays)
    assert both <= 1.1 * flops(blocks["W"]["b"], **arrays)  # the mirror image is a view


@pytest.mark.parametrize("kind", ["squared error", "cross-entropy", "Gauss-Newton"])
def test_a_mirrored_block_of_a_network_costs_no_more_than_its_entries(kind: str) -> None:
    X, Y, V, W = eb.tensors("X[n,d] Y[n,c] V[d,h] W[h,c]")
    Z = eb.tanh(X @ V) @ W
    loss = -eb.sum(Y * eb.log_softmax(Z, axis=1)) if kind == "cross-entropy" else eb.sum((Z - Y) ** 2)
    wrt = {"V": V, "W": W}
    H = eb.gauss_newton(loss, Z, wrt) if kind == "Gauss-Newton" else eb.hessian(loss, wrt)
    shapes = {"X": (30, 8), "Y": (30, 4), "V": (8, 6), "W": (6, 4)}
    arrays = {name: RNG.normal(size=shape) for name, shape in shapes.items()}
    block = 8 * 6 * 6 * 4
    for off in (H["V"]["W"], H["W"]["V"]):
        half = flops([H["V"]["V"], off, H["W"]["W"]], **arrays)
        assert half > 20 * block
        assert flops(H, **arrays) <= half + 2 * block
    found = eb.evaluate(H, **arrays)
    assert np.array_equal(found["V"]["W"], found["W"]["V"].transpose(2, 3, 0, 1))


def test_gauss_newton_is_the_fisher_matrix_of_a_softmax() -> None:
    X, Y, W = eb.tensors("X[n,d] Y[n,c] W[d,c]")
    Z = X @ W
    loss = -eb.sum(Y * eb.log_softmax(Z, axis=1))
    G = eb.gauss_newton(loss, Z, W)
    arrays = {"X": RNG.normal(size=(5, 3)), "Y": np.eye(4)[[0, 1, 2, 3, 0]], "W": RNG.normal(size=(3, 4))}
    found = eb.evaluate(G, **arrays)
    logits = arrays["X"] @ arrays["W"]
    P = np.exp(logits - logits.max(1, keepdims=True))
    P /= P.sum(1, keepdims=True)
    fisher = np.zeros((3, 4, 3, 4))
    for x, p in zip(arrays["X"], P, strict=True):
        for label in range(4):  # the expectation over labels of the outer product of the score
            score = np.outer(x, p - np.eye(4)[label])
            fisher += p[label] * np.multiply.outer(score, score)
    np.testing.assert_allclose(found, fisher, rtol=1e-10, atol=1e-12)


def test_gauss_newton_leaves_the_curvature_of_the_model_out() -> None:
    X, t, w, lam = eb.tensors("X[n,d] t[n] w[d] lam")
    f = eb.tanh(X @ w)
    loss = eb.sum((f - t) ** 2) / 2 + lam * eb.sum(w**2)
    arrays = {"X": RNG.normal(size=(6, 3)), "t": RNG.normal(size=6), "w": RNG.normal(size=3), "lam": 0.5}
    J, G = eb.evaluate([eb.jacobian(f, w), eb.gauss_newton(loss, f, w)], **arrays)
    np.testing.assert_allclose(G, J.T @ J, rtol=1e-11)
    with pytest.raises(eb.DerivativeError, match="no part of"):
        eb.gauss_newton(loss, eb.sin(X @ w), w)


def test_gauss_newton_in_blocks() -> None:
    X, t, w, b = eb.tensors("X[n,d] t[n] w[d] b")
    f = eb.tanh(X @ w + b)
    blocks = eb.gauss_newton(eb.sum((f - t) ** 4), f, [w, b])
    arrays = {"X": RNG.normal(size=(6, 3)), "t": RNG.normal(size=6), "w": RNG.normal(size=3), "b": 0.3}
    model = {name: arrays[name] for name in "Xwb"}
    Jw, Jb, value = eb.evaluate([eb.jacobian(f, w), eb.jacobian(f, b), f], **model)
    curvature = np.diag(12 * (value - arrays["t"]) ** 2)
    found = eb.evaluate(blocks, **arrays)
    for row, left in zip(found, (Jw, Jb[:, None]), strict=True):
        for block, right in zip(row, (Jw, Jb[:, None]), strict=True):
            np.testing.assert_allclose(np.reshape(block, (left.shape[1], -1)), left.T @ curvature @ right, rtol=1e-11)

"""The classical results that the project set out to derive, items A1 to E6.

Each is declared, derived, compared with its closed form, with central differences and with JAX, and its printed
formula is pinned in goldens/. What an item says beyond one derivative stands below, by its number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from reference.verify import derive, draw, verify

import einback as eb
from tests.oracles.compare import assert_close
from tests.reference import seeds_calculus, seeds_layers
from tests.reference.seed import Seed, by_jax

SEEDS = (*seeds_layers.SEEDS, *seeds_calculus.SEEDS)
ITEMS = {letter: range(1, last + 1) for letter, last in zip("ABCDE", (6, 9, 10, 5, 6), strict=True)}
PARTICULAR = {"E5"}  # whose test stands below only

rng = np.random.default_rng(0)


def test_every_item_is_here():
    wanted = {f"{letter}{number}" for letter, numbers in ITEMS.items() for number in numbers}
    assert {seed.item for seed in SEEDS} == wanted - PARTICULAR


@pytest.mark.parametrize("seed", SEEDS, ids=str)
def test_closed_form_and_differences(seed: Seed):
    verify(derive(seed.row))


@pytest.mark.oracle
@pytest.mark.parametrize("seed", SEEDS, ids=str)
def test_jax(seed: Seed):
    derived = derive(seed.row)
    arrays = draw(derived)
    assert_close(eb.compile(derived.answer)(arrays), by_jax(seed, arrays), str(seed), 1e-10)


@pytest.mark.parametrize("item", dict.fromkeys(seed.item for seed in SEEDS))
def test_printed(item: str, golden: Callable[[str, str], None]):
    derived = [derive(seed.row) for seed in SEEDS if seed.item == item]
    golden(item, "\n\n".join(f"{one.row.identity}\n{one.text}\n{one.latex}" for one in derived) + "\n")


# What is more than one derivative


def numbers(*shape: int) -> np.ndarray[Any, Any]:
    return rng.normal(size=shape)


def test_a3_a4_the_blocks_of_a_layer():
    """D(Wx + b) = [xᵀ 1] ⊗ I, by vec W and b together; D σ(Wx + b) the same with diag(σ') in front."""
    x, b = numbers(4), numbers(3)
    arrays = {"w": numbers(12), "x": x, "b": b}
    affine = eb.program("y[m] = w[(n m)] x[n] + b[m]")
    blocks = [eb.evaluate(eb.jacobian(affine["y"], affine[by]), **arrays) for by in ("w", "b")]
    wanted = np.kron(np.append(x, 1.0)[None], np.eye(3))
    assert_close(np.hstack(blocks), wanted, "A3")
    layer = eb.program("y[m] = sigmoid(w[(n m)] x[n] + b[m])")
    blocks = [eb.evaluate(eb.jacobian(layer["y"], layer[by]), **arrays) for by in ("w", "b")]
    sigma = eb.evaluate(layer["y"], **arrays)
    assert_close(np.hstack(blocks), np.diag(sigma * (1 - sigma)) @ wanted, "A4")


def test_a5_the_gradient_of_all_parameters_at_once():
    arrays = {"W": numbers(3, 4), "x": numbers(4), "b": numbers(3), "c": numbers(3)}
    p = eb.program("G[m] = sigmoid(W[m,n] x[n] + b[m]); F = c[m] G[m]^2".replace("; ", "\n"))
    found = eb.evaluate([*eb.grad(p["F"], [p["W"], p["b"]]), p["G"]], **arrays)
    sigma = found.pop()
    slope = np.diag(sigma * (1 - sigma)) @ (2 * arrays["c"] * sigma)
    wanted = np.kron(np.append(arrays["x"], 1.0)[:, None], np.eye(3)) @ slope
    assert_close(np.concatenate([found[0].T.ravel(), found[1]]), wanted, "A5")


def test_a6_a_jacobian_is_kept_sparse():
    W, x, b = eb.tensors("W[m,n] x[n] b[m]")
    G = eb.sigmoid(W @ x + b)
    arrays = {"W": numbers(3, 4), "x": numbers(4), "b": numbers(3)}
    J = eb.compile({"W": eb.jacobian(G, W), "b": eb.jacobian(G, b)}, structured=True)(**arrays)
    sigma = eb.evaluate(G, **arrays)
    assert J["W"].nbytes == 8 * (3 + 4)
    assert J["b"].nbytes == 8 * 3
    assert_close(J["W"].dense(), eb.evaluate(eb.jacobian(G, W), **arrays), "A6")
    pytest.importorskip("scipy")
    sparse = J["W"].to_scipy(rows=1)
    assert sparse.shape == (3, 12)
    assert sparse.nnz == 12
    assert_close(sparse.toarray(), np.diag(sigma * (1 - sigma)) @ np.kron(np.eye(3), arrays["x"][None]), "A6")
    assert J["b"].to_scipy().nnz == 3


def test_b1_the_conventions_at_zero():
    """relu'(0) = 0 here, so a relu(z) has the slope 0 at 0, where the source takes a; a leaky relu has its leak."""
    z, a = eb.tensors("z a")
    at_zero = {"z": np.array(0.0), "a": np.array(0.25)}
    assert eb.evaluate(eb.grad(a * eb.relu(z), z), **at_zero) == 0
    assert eb.evaluate(eb.grad(eb.leaky_relu(z, a), z), **at_zero) == 0.25


def test_b3_a_composition_is_the_product_of_its_jacobians():
    p = eb.program("a[i] = sin(x[i])\nb[k] = sigmoid(B[k,i] a[i])\ny[m] = tanh(A[m,k] b[k])")
    by_parts = eb.jacobian(p["y"], p["b"]) @ eb.jacobian(p["b"], p["a"]) @ eb.jacobian(p["a"], p["x"])
    arrays = {"x": numbers(4), "A": numbers(3, 2), "B": numbers(2, 4)}
    whole = eb.jacobian(p["y"], p["x"])
    assert_close(*eb.evaluate([by_parts, whole], **arrays), "B3")
    shown = [one.text(name="J").replace("i'", "i").splitlines()[0] for one in (by_parts, whole)]
    assert shown == ["J[m,i] = (1 - y[m]²) A[m,k] B[k,i] cos(x[i]) b[k] (1 - b[k])"] * 2


def test_b7_a_published_derivative_of_the_logistic_loss_is_wrong():
    y, f = eb.tensors("y f")
    loss = eb.log(1 + eb.exp(y * f))
    assert str(eb.grad(loss, f)) == "df = y sigmoid(f y)"
    for sign in (-1.0, 1.0):
        arrays = {"y": np.array(sign), "f": np.array(0.7)}
        step = 1e-6
        rise = [np.log1p(np.exp(sign * (0.7 + d))) for d in (-step, step)]
        found = eb.evaluate(eb.grad(loss, f), **arrays)
        assert_close(found, (rise[1] - rise[0]) / (2 * step), "B7", 1e-8)
        assert abs(found - 1 / (1 + np.exp(sign * 0.7))) > 0.1


def test_b8_a_network_of_any_depth():
    """Backwards, layer by layer: grad_b = σ' ⊙ u, grad_W = (σ' ⊙ u)xᵀ, and u of the layer below is Wᵀ(σ' ⊙ u)."""
    sizes = [4, 5, 3, 6, 2]
    layer = eb.layer("h[i] = tanh(x[j] W[i,j] + b[i])")
    out = x = eb.tensor("x[4]")
    for k, size in enumerate(sizes[1:], 1):
        out = layer(out, name=str(k), i=size)
    loss = eb.sum((out - eb.tensor("y[2]")) ** 2)
    parameters = {one.name: one for one in loss.parameters}
    arrays = {"x": numbers(4), "y": numbers(2)}
    arrays |= {name: numbers(*one.shape) for name, one in parameters.items()}
    found = eb.evaluate(eb.grad(loss, parameters), **arrays)
    reached = [arrays[x.name]]
    for k in range(1, 5):
        reached.append(np.tanh(arrays[f"W_{k}"] @ reached[-1] + arrays[f"b_{k}"]))
    u = 2 * (reached[-1] - arrays["y"])
    for k in range(4, 0, -1):
        slope = (1 - reached[k] ** 2) * u
        assert_close(found[f"b_{k}"], slope, f"b_{k}")
        assert_close(found[f"W_{k}"], np.outer(slope, reached[k - 1]), f"W_{k}")
        u = arrays[f"W_{k}"].T @ slope


def test_c1_both_layouts():
    """The numerator layout has outputs in rows; einback's axes are that order, and .T is the other layout."""
    x = eb.tensor("x[2]")
    picks = eb.tensors("e[2] d[2]")
    first, second = (eb.einsum("i,i->", x, pick) for pick in picks)
    y = eb.einsum("i,->i", picks[0], 3 * first**2 * second) + eb.einsum("i,->i", picks[1], 2 * first + second**8)
    J = eb.jacobian(y, x)
    arrays = {"x": np.array([1.5, 0.5]), "e": np.array([1.0, 0.0]), "d": np.array([0.0, 1.0])}
    numerator, denominator = eb.evaluate([J, J.T], **arrays)
    assert_close(numerator, [[6 * 1.5 * 0.5, 3 * 1.5**2], [2.0, 8 * 0.5**7]], "C1")
    assert_close(denominator, numerator.T, "C1")


def test_c9_a_neuron_at_rest_and_at_its_kink():
    """Nothing passes below the kink; at it, ties of a maximum split evenly, and relu'(0) = 0."""
    p = eb.program("y = maximum(0, w[i] x[i] + b)\nz = relu(w[i] x[i] + b)")
    x = np.array([1.0, 2.0])
    for b, share, of_relu in ((-4.0, 0.0, 0.0), (-3.0, 0.5, 0.0), (-2.0, 1.0, 1.0)):
        arrays = {"w": np.ones(2), "x": x, "b": np.array(b)}
        assert_close(eb.evaluate(eb.grad(p["y"], p["w"]), **arrays), share * x, "maximum")
        assert_close(eb.evaluate(eb.grad(p["z"], p["w"]), **arrays), of_relu * x, "relu")


def test_d2_one_differential_in_five_notations():
    G, dX = eb.tensors("G[i,j] dX[i,j]")
    spellings = [
        eb.program("f = G[i,j] dX[i,j]")["f"],
        eb.sum(G * dX),
        eb.einsum("ij,ij->", G, dX),
        eb.einsum("ii->", G.T @ dX),
        eb.einsum("ii->", G @ dX.T),
    ]
    assert {one.text(name="df") for one in spellings} == {"df = G[i,j] dX[i,j]"}
    assert {eb.grad(one, dX).node for one in spellings} == {G.node}


def test_e2_the_entry_form():
    X, W, G = eb.tensors("X[2,2] W[2,3] G[2,3]")
    dW = eb.grad(eb.sum(G * (X @ W)), W)
    arrays = {"X": numbers(2, 2), "W": numbers(2, 3), "G": numbers(2, 3)}
    x, g = arrays["X"], arrays["G"]
    assert_close(eb.evaluate(dW, **arrays)[0, 0], g[0, 0] * x[0, 0] + g[1, 0] * x[1, 0], "dL/dw_11")
    slopes = eb.evaluate(eb.jacobian(X @ W, W), X=x, W=arrays["W"])
    assert_close(eb.evaluate(dW, **arrays), np.einsum("ij,ijuv->uv", g, slopes), "E2")


def test_e4_the_exercise():
    X, W = eb.tensors("X[n,d] W[d,m]")
    y = X @ W
    f = y**2
    L = eb.sum(f)
    found = eb.evaluate(
        {"L": L, **eb.grad(L, {"f": f, "y": y, "X": X, "W": W})},
        X=np.array([[0.0, 1.0], [2.0, 3.0]]),
        W=np.ones((2, 2)),
    )
    wanted = {
        "L": 52.0,
        "f": [[1, 1], [1, 1]],
        "y": [[2, 2], [10, 10]],
        "X": [[4, 4], [20, 20]],
        "W": [[20, 20], [32, 32]],
    }
    assert {name: value.tolist() for name, value in found.items()} == wanted


@pytest.mark.parametrize("channels", [1, 3])
def test_e5_a_batch_of_images_flattened(channels: int):
    p = eb.program("F[b,(c h w)] = X[b,c,h,w]\ny[b,o] = F[b,k] W[k,o]\nL = y[b,o] R[b,o]")
    assert str(p).splitlines()[0] == "F[b,(c h w)] = X[b,c,h,w]"
    x = np.arange(2.0 * channels * 64).reshape(2, channels, 8, 8)
    W, R = numbers(channels * 64, 5), numbers(2, 5)
    flat = eb.evaluate(p["F"], X=x)
    assert flat.shape == (2, channels * 64)
    assert np.array_equal(flat, x.reshape(2, -1))
    dX = eb.grad(p["L"], p["X"])
    assert str(dX) == "dX[b,c:c,h:h,w:w] = R[b,o] W[(c h w),o]"
    assert_close(eb.evaluate(dX, X=x, W=W, R=R), (R @ W.T).reshape(x.shape), "E5")


def test_e6_an_order_four_jacobian_is_its_factors():
    X, W, b = eb.tensors("X[n,d] W[d,m] b[m]")
    J = eb.jacobian(X @ W + b, W)
    assert str(J) == "J[n,m,d,m'] = δ[m,m'] X[n,d]"
    arrays = {"X": numbers(50, 20), "W": numbers(20, 30), "b": numbers(30)}
    found = eb.compile(J, structured=True)(**arrays)
    assert found.shape == (50, 30, 20, 30)
    assert found.nbytes == arrays["X"].nbytes
    assert_close(found.matvec(arrays["W"]), arrays["X"] @ arrays["W"], "E6")
    assert_close(found.dense(), np.einsum("mj,nd->nmdj", np.eye(30), arrays["X"]), "E6")
    pytest.importorskip("scipy")
    assert_close(found.to_scipy() @ arrays["W"].ravel(), (arrays["X"] @ arrays["W"]).ravel(), "E6")

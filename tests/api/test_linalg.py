"""`einback.linalg`: values against NumPy, shapes, names and printing, errors by their text."""

import re

import numpy as np
import pytest

import einback as eb
from einback.errors import EinbackError, ShapeError
from einback.ir.verify import verify
from tests.oracles.jax_lib import jax, jnp

la = eb.linalg

A, B, x = eb.tensors("A[n,n] B[n,m] x[n]")
T = eb.tensor("T[b,n,n]")
P, Q, R = eb.tensors("P[p,q] Q[k,l] R[b,p,q]")
RNG = np.random.default_rng(0)
a, t = RNG.normal(size=(4, 4)) + 2 * np.eye(4), RNG.normal(size=(3, 4, 4)) + 2 * np.eye(4)
spd = a @ a.T


VALUES = {
    "inv": (la.inv(A), np.linalg.inv(a)),
    "inv of a batch": (la.inv(T), np.linalg.inv(t)),
    "det": (la.det(T), np.linalg.det(t)),
    "logdet": (la.logdet(T), np.linalg.slogdet(t)[1]),
    "sign": (la.slogdet(T).sign, np.linalg.slogdet(t)[0]),
    "logabsdet": (la.slogdet(A).logabsdet, np.linalg.slogdet(a)[1]),
    "trace": (la.trace(T), np.trace(t, axis1=-2, axis2=-1)),
    "cholesky": (la.cholesky(A @ A.T), np.linalg.cholesky(spd)),
    "eigvalsh": (la.eigvalsh(A), np.linalg.eigvalsh((a + a.T) / 2)),
    "eigvalsh of a batch": (la.eigvalsh(T), np.linalg.eigvalsh((t + t.mT) / 2)),
    **{f"power {n}": (la.matrix_power(A, n), np.linalg.matrix_power(a, n)) for n in (-5, -1, 0, 1, 2, 3, 7)},
    "power of a batch": (la.matrix_power(T, 3), np.linalg.matrix_power(t, 3)),
    "power 0 of a batch": (la.matrix_power(T, 0), np.linalg.matrix_power(t, 0)),
    "norm": (la.norm(T), np.linalg.norm(t)),
    "norm of a vector": (la.norm(eb.einsum("ii->i", A)), np.linalg.norm(np.diagonal(a))),
    "Frobenius": (la.norm(T, "fro"), np.linalg.norm(t, "fro", axis=(-2, -1))),
    "nuclear": (la.norm(T, "nuc"), np.linalg.norm(t, "nuc", axis=(-2, -1))),
    "spectral": (la.norm(T, 2), np.linalg.norm(t, 2, axis=(-2, -1))),
}


@pytest.mark.parametrize("name", VALUES)
def test_values_are_those_of_numpy(name):
    y, want = VALUES[name]
    verify([y.node])
    arrays = {"A": a, "T": t}
    found = eb.evaluate(
        y, **{tensor.name: arrays[tensor.name] for tensor in y.inputs}, **({"n": 4} if not y.inputs else {})
    )
    np.testing.assert_allclose(found, want, rtol=1e-12, atol=1e-13)
    assert len(y.names) == y.ndim


@pytest.mark.parametrize("name", VALUES)
def test_gradients_are_those_of_differences(name):
    y, _ = VALUES[name]
    arrays = {"A": a, "T": t}
    report = eb.check(y, y.inputs, **{tensor.name: arrays[tensor.name] for tensor in y.inputs})
    assert report, report


@pytest.mark.parametrize(("shape", "n"), [("b", 3), ("B", 2), ("r", 4)])
def test_solve_takes_what_numpys_matmul_takes(shape, n):
    right = {"b": eb.tensor("x[n]"), "B": eb.tensor("B[n,m]"), "r": eb.tensor("r[b,n,m]")}[shape]
    array = RNG.normal(size={"b": 4, "B": (4, 2), "r": (3, 4, n)}[shape])
    for matrix, value in ((A, a), (T, t)):
        found = eb.evaluate(la.solve(matrix, right), **{matrix.name: value, right.name: array})
        np.testing.assert_allclose(found, np.linalg.inv(value) @ array, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("left", "right"), [((2, 3), (4, 2)), ((3, 1), (1, 2)), ((2, 2), (2, 2))])
def test_kron_is_numpys(left, right):
    p, q = RNG.normal(size=left), RNG.normal(size=right)
    np.testing.assert_allclose(eb.evaluate(la.kron(P, Q), P=p, Q=q), np.kron(p, q))


def test_kron_of_vectors_and_of_batches():
    u, v = eb.tensors("u[m] v[n]")
    S = eb.tensor("S[c,k,l]")
    p, q = np.arange(3.0), np.arange(2.0) + 1
    np.testing.assert_array_equal(eb.evaluate(la.kron(u, v), u=p, v=q), np.kron(p, q))
    p, q = RNG.normal(size=(2, 3, 2)), RNG.normal(size=(2, 2, 3))
    np.testing.assert_allclose(eb.evaluate(la.kron(R, S), R=p, S=q), np.kron(p, q))


def test_the_mixed_product_rule_of_kron():
    """(P o Q) (U o V) = (P U) o (Q V), and nothing of the fused size is formed on the right."""
    U, V = eb.tensors("U[q,r] V[l,s]")
    arrays = {name: RNG.normal(size=size) for name, size in zip("PQUV", [(2, 3), (4, 2), (3, 2), (2, 5)], strict=True)}
    one, other = la.kron(P, Q) @ la.kron(U, V), la.kron(P @ U, Q @ V)
    np.testing.assert_allclose(eb.evaluate(one, **arrays), eb.evaluate(other, **arrays), rtol=1e-12)


def test_gradients_of_kron():
    y = la.norm(la.kron(P, Q)) ** 2
    report = eb.check(y, [P, Q], P=RNG.normal(size=(2, 3)), Q=RNG.normal(size=(4, 2)))
    assert report, report


@pytest.mark.parametrize("shape", [(2, 5), (3, 3), (5, 2), (1, 4), (4, 1)])
def test_the_nuclear_norm_of_any_shape(shape):
    p = RNG.normal(size=shape)
    u, s, v = np.linalg.svd(p, full_matrices=False)
    y = la.norm(P, "nuc")
    np.testing.assert_allclose(eb.evaluate(y, P=p), s.sum(), rtol=1e-13)
    np.testing.assert_allclose(eb.evaluate(eb.grad(y, P), P=p), u @ v, rtol=1e-11, atol=1e-12)


def test_the_nuclear_norm_has_full_accuracy_at_small_singular_values():
    u, v = (np.linalg.qr(RNG.normal(size=(3, 3)))[0] for _ in range(2))
    p = u @ np.diag([1.0, 1e-6, 1e-12]) @ v
    assert abs(eb.evaluate(la.norm(P, "nuc"), P=p) - (1 + 1e-6 + 1e-12)) < 1e-15


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (5, 2)])
def test_hessians_of_the_nuclear_norm(shape):
    p, step = RNG.normal(size=shape), 1e-5
    slope = eb.compile(eb.grad(la.norm(P, "nuc"), P))
    found = eb.evaluate(eb.hessian(la.norm(P, "nuc"), P), P=p)
    for place in np.ndindex(shape):
        move = np.zeros(shape)
        move[place] = step
        want = (slope(P=p + move) - slope(P=p - move)) / (2 * step)
        np.testing.assert_allclose(found[(..., *place)], want, rtol=1e-6, atol=1e-7)


# Second order against JAX

SECOND = {
    "solve": (la.solve(A, x), lambda A, x: jnp.linalg.inv(A) @ x),
    "logdet": (la.logdet(A) * x, lambda A, x: jnp.linalg.slogdet(A)[1] * x),
    "cholesky": (la.cholesky(A @ A.T) @ x, lambda A, x: jnp.linalg.cholesky(A @ A.T) @ x),
    "eigvalsh": (la.eigvalsh(A) * x, lambda A, x: jnp.linalg.eigvalsh(A) * x),
    "matrix_power": (la.matrix_power(A, -2) @ x, lambda A, x: jnp.linalg.matrix_power(A, -2) @ x),
}


@pytest.mark.oracle
@pytest.mark.parametrize("name", SECOND)
def test_hessians_are_those_of_jax(name):
    y, function = SECOND[name]
    loss = eb.sum(eb.sin(y))
    b = RNG.normal(size=4)
    blocks = eb.compile([eb.hessian(loss, A), eb.hessian(loss, A, x)])(A=a, x=b)
    want = jax.hessian(lambda A, x: jnp.sum(jnp.sin(function(A, x))), argnums=(0, 1))(a, b)[0]
    for found, block in zip(blocks, want, strict=True):
        np.testing.assert_allclose(found, block, rtol=1e-8, atol=1e-9)


def test_third_order_of_logdet():
    """The third derivative of log|det A| along t is 2 tr((inv(A) t)^3)."""
    D = eb.tensor("D[n,n]")
    y = la.logdet(A)
    for _ in range(3):
        y = eb.jvp(y, {A: D})
    d = RNG.normal(size=(4, 4))
    step = np.linalg.solve(a, d)
    np.testing.assert_allclose(eb.evaluate(y, A=a, D=d), 2 * np.trace(step @ step @ step), rtol=1e-11)


# Printing


def test_formulas():
    assert str(la.solve(A, x)) == "y[n] = inv(A)[n,n'] x[n']"
    assert str(eb.grad(la.logdet(A), A)) == "dA[n,n'] = inv(A)[n',n]"
    assert str(la.inv(A + B @ B.T) @ x).splitlines() == [
        "y[n] = inv(G)[n,n'] x[n']",
        "  where G[n,n'] = B[n,m] B[n',m] + A[n,n']",
    ]
    assert str(la.det(T)) == "y[b] = det(T)[b]"
    assert la.inv(A).latex() == r"y_{nn'} = \left(A^{-1}\right)_{nn'}"
    assert la.logdet(A).latex() == r"y = \log\left|\det A\right|"
    assert la.det(A).latex() == r"y = \det\left(A\right)"


def test_cholesky_of_what_is_known_to_be_symmetric_takes_it_as_it_is():
    K = eb.tensor("K[n,n]", symmetric=True)
    assert str(la.cholesky(K)) == "y[n,n'] = cholesky(K)[n,n']"
    assert "1/2" in str(la.eigvalsh(A))


def test_programs_are_stored_and_read_back():
    import pickle

    y = la.solve(A, x) * la.logdet(A)
    again = pickle.loads(pickle.dumps(y))
    assert again.node is y.node


# Errors


@pytest.mark.parametrize("name", ["inv", "det", "logdet", "slogdet", "trace", "cholesky", "eigvalsh"])
def test_matrices_must_be_square(name):
    F = eb.tensor("F[2,3]")
    shown = "logdet|sign" if name == "slogdet" else name
    with pytest.raises(
        ShapeError, match=rf"({shown}) is a function of square matrices, and this one has 2 rows and 3 columns"
    ):
        getattr(la, name)(F)
    with pytest.raises(ShapeError, match=rf"({shown}) is a function of square matrices, and this tensor has 1 axis"):
        getattr(la, name)(x)


def test_sizes_that_are_not_known_yet_become_equal():
    y = la.det(P)
    assert eb.evaluate(y, P=np.eye(3)) == 1
    with pytest.raises(EinbackError, match=r"axis 1 of P is 3, but its size q equals p"):
        eb.evaluate(y, P=np.ones((2, 3)))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: la.norm(A, "max"), 'no norm is named \'max\'\nthe norms are None, "fro", "nuc" and 2'),
        (lambda: la.norm(x, "fro"), "norm 'fro' is one of matrices, and this tensor has 1 axis"),
        (lambda: la.matrix_power(A, 0.5), "matrix_power takes a whole number, not 0.5"),
        (lambda: la.matrix_power(A, True), "matrix_power takes a whole number, not True"),
        (lambda: la.kron(A, x), "kron takes tensors with equally many axes, and these have 2 and 1"),
        (lambda: la.inv(np.eye(2)), "inv is a function of tensors, not of ndarray"),
        (lambda: la.solve(A, 2.0), "solve is a function of tensors, not of float"),
        (lambda: la.solve(eb.tensor("F[2,2]"), eb.tensor("g[3]")), "the operands of @ do not fit"),
        (lambda: la.cholesky(eb.tensor("Z[n,n]", complex=True)), "cholesky is not supported for complex matrices"),
        (lambda: la.norm(eb.tensor("Z[n,n]", complex=True), "nuc"), "this norm is not supported for complex matrices"),
    ],
)
def test_errors(call, text):
    with pytest.raises(EinbackError, match=re.escape(text)):
        call()


@pytest.mark.parametrize("function", [np.linalg.inv, np.linalg.det, np.linalg.slogdet, np.linalg.cholesky, np.trace])
def test_numpys_functions_say_what_to_write(function):
    with pytest.raises(EinbackError, match=rf"write einback\.linalg\.{function.__name__}\("):
        function(A)

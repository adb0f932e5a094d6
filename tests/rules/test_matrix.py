"""Algebra of matrix functions: each rule gives the node that it should, and changes no value."""

import numpy as np
import pytest

import einback as eb
from einback.api.linalg import cholesky, det, eigvalsh, inv, logdet, slogdet
from einback.ir.build import einsum
from einback.ir.nodes import Einsum, Input, Matrix
from einback.ir.verify import verify
from einback.ir.walk import postorder
from einback.rules.inverses import cancel_inverses
from einback.rules.matrix import MATRIX_TABLE, matrix
from einback.rules.simplify import LOCAL, normalise, simplify
from einback.rules.symmetry import is_symmetric
from tests.interpreter import evaluate

A, B, x, d = eb.tensors("A[n,n] B[n,n] x[n] d[n]")
T, U, D = eb.tensors("T[b,n,n] U[b,n,n] D[b,n]")
X = eb.tensor("X[k,n]")
S = eb.tensor("S[n,n]", symmetric=True)
P = eb.tensor("P[n,n]", positive_definite=True)
I = eb.eye("n")
K = X.T @ X + I
diag, diags = eb.einsum("i->ii", d), eb.einsum("bi->bii", D)
N = A.size("n")


def over(matrix):
    return eb.einsum("ij,b->bij", matrix, eb.ones("[b]"))


EQUAL = {
    "inv(X) X": (inv(A) @ A, I),
    "X inv(X)": (A @ inv(A), I),
    "in a longer product": (x @ B @ inv(A) @ A @ B, x @ B @ B),
    "through transposes": (inv(A).T @ A.T @ x, x),
    "inverse of a transpose": (inv(A.T) @ A.T, I),
    "of a sum": ((A + B) @ inv(A + B) @ x, x),
    "of a sum with a diagonal": (inv(A + I) @ (A + I), I),
    "of a multiple": (inv(2 * A) @ A, I / 2),
    "trace of inv(X) X": (eb.einsum("ij,ji->", inv(A), A), N),
    "batched": (T @ inv(T) @ U, U),
    "symmetric, either way round": (eb.einsum("ij,kj->ik", inv(S), S), I),
    "of a product": ((X.T @ X) @ inv(X.T @ X), I),
    "inv(inv(X))": (inv(inv(A)), A),
    "inv(X')": (inv(A.T), inv(A).T),
    "inv(X') of a batch": (inv(eb.einsum("bij->bji", T)), eb.einsum("bij->bji", inv(T))),
    "inv of a batch that is turned": (inv(eb.einsum("bij->bij", T)), inv(T)),
    "symmetric inverse": (inv(K).T, inv(K)),
    "symmetric input": (x @ inv(S), inv(S) @ x),
    "inv(I)": (inv(I), I),
    "inv(diag d)": (inv(diag), eb.einsum("i->ii", 1 / d)),
    "inv(diag d), batched": (inv(diags), eb.einsum("bi->bii", 1 / D)),
    "inv(c X)": (inv(-3 * A), inv(A) / -3),
    "inv of a broadcast": (inv(over(A)), over(inv(A))),
    "det(X')": (det(A.T), det(A)),
    "det(inv(X))": (det(inv(A)), 1 / det(A)),
    "det(X) det(inv(X))": (det(A) * det(inv(A)), eb.sum(I) / N),
    "det(2 X)": (det(2 * eb.einsum("ij->ij", eb.tensor("M[3,3]"))), 8 * det(eb.tensor("M[3,3]"))),
    "det(I)": (det(I), eb.sum(I) / N),
    "sign(I)": (slogdet(I).sign, eb.sum(I) / N),
    "det(diag d)": (det(diag), eb.prod(d)),
    "logdet(X')": (logdet(A.T), logdet(A)),
    "logdet(inv(X))": (logdet(inv(A)), -logdet(A)),
    "logdet(diag d)": (logdet(diag), eb.sum(eb.log(abs(d)))),
    "logdet(I)": (logdet(I), N - N),
    "logdet of a factor": (2 * logdet(cholesky(P)), 2 * eb.sum(eb.log(abs(eb.einsum("ii->i", cholesky(P)))))),
    "log|det X|": (eb.log(abs(det(A))), logdet(A)),
    "log det P": (eb.log(det(P)), logdet(P)),
    "gradient of log det": (eb.grad(eb.log(det(A)), A), inv(A).T),
    "gradient of logdet": (eb.grad(logdet(A), A), inv(A).T),
    "sign of a transpose": (slogdet(A.T).sign, slogdet(A).sign),
    "sign of an inverse": (slogdet(inv(A)).sign, slogdet(A).sign),
    "sign of a multiple": (slogdet(5 * A).sign, slogdet(A).sign),
    "L L'": (cholesky(P) @ cholesky(P).T, P),
    "inv(L) L": (inv(cholesky(K)) @ cholesky(K), I),
    "cholesky(4 X)": (cholesky(4 * P), 2 * cholesky(P)),
    "eigenvalues of a multiple": (eigvalsh(3 * P), 3 * eigvalsh(P)),
}  # fmt: skip


@pytest.mark.parametrize("name", EQUAL)
def test_equal_programs_meet_in_one_node(name):
    left, right = normalise([side.node for side in EQUAL[name]])
    verify([left, right])
    assert left is right, f"{EQUAL[name][0]}   and   {EQUAL[name][1]}"


def arrays(n=3, b=2, k=5):
    rng = np.random.default_rng(1)
    found = {
        **{name: rng.normal(size=(n, n)) + 2 * np.eye(n) for name in "AB"},
        **{name: rng.normal(size=(b, n, n)) + 2 * np.eye(n) for name in "TU"},
        "x": rng.normal(size=n),
        "d": rng.normal(size=n),
        "D": rng.normal(size=(b, n)),
        "X": rng.normal(size=(k, n)),
        "M": rng.normal(size=(3, 3)),
    }
    found["S"] = found["A"] + found["A"].T
    found["P"] = found["A"] @ found["A"].T
    return found


@pytest.mark.parametrize("name", EQUAL)
def test_the_rules_keep_values(name):
    for side in EQUAL[name]:
        before, after = evaluate([side.node, *simplify([side.node])], arrays(), {"n": 3, "b": 2, "k": 5})
        np.testing.assert_allclose(after, before, rtol=1e-12, atol=1e-12)


DIFFERENT = {
    "another matrix": inv(A) @ B,
    "another axis": eb.einsum("ij,kj->ik", inv(A), A),
    "an index that is kept": eb.einsum("ij,jk->ijk", inv(A), A),
    "another batch": eb.einsum("bij,cjk->bcik", inv(T), T),
    "an index that a third factor reads": eb.einsum("ij,jk,j->ik", inv(A), A, d),
    "factors of another order": cholesky(P).T @ cholesky(P),
    "inverse of what is not symmetric": inv(A).T @ x,
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_does_not_cancel(name):
    (node,) = normalise([DIFFERENT[name].node])
    assert any(isinstance(part, Matrix) for part in postorder([node]))
    before, after = evaluate([DIFFERENT[name].node, node], arrays())
    np.testing.assert_allclose(after, before, rtol=1e-12, atol=1e-12)


def test_the_rules_are_in_the_table():
    assert cancel_inverses in LOCAL[Einsum]
    assert set(MATRIX_TABLE) == {"inv", "det", "logdet", "sign", "cholesky", "eigvalsh", "eigvecs"}


@pytest.mark.parametrize("fn", MATRIX_TABLE)
def test_rows_spell_what_the_interpreter_computes(fn):
    row, a = MATRIX_TABLE[fn], arrays()["P"]
    node = matrix(fn, Input("P", ("n", "n"), ()))
    (want,) = evaluate([node], {"P": a})
    np.testing.assert_allclose(eval(row.numpy.format("a"), {"np": np, "a": a}), want)
    assert node.rank == row.keeps == want.ndim
    assert row.cuda.startswith("cupy.linalg.")


def test_an_unknown_function_is_an_error():
    with pytest.raises(KeyError, match="no row 'adjugate' in the matrix table"):
        matrix("adjugate", Input("P", ("n", "n"), ()))


p = eb.program("""
    G[i,j] = s exp(-sum[d]((Z[i,d] - Z[j,d])^2) / l) + v δ[i,j]
    W[i,j] = minimum(t[i], t[j])
    O[i,j] = sin(t[i] - t[j])
    E[i,j] = exp(t[i] - t[j])
""")

SYMMETRIC = {
    "A + A'": A + A.T,
    "X'X": X.T @ X,
    "X' diag X": eb.einsum("ki,k,kj->ij", X, eb.tensor("h[k]"), X),
    "A S A'": A @ S @ A.T,
    "A (B + B') A'": A @ (B + B.T) @ A.T,
    "S o (A + A')": S * (A + A.T),
    "S^3": S @ S @ S,
    "kernel": p["G"],
    "minimum": p["W"],
    "square of an odd difference": p["O"] ** 2,
    "cosine of an odd difference": eb.cos(p["O"]),
    "inverse": inv(K),
    "Hessian": eb.hessian(eb.sum(eb.tanh(A @ x)), x),
    "diagonal": diag,
    "batched": T @ eb.einsum("bij->bji", T),
    "logsumexp of a symmetric sum": eb.logsumexp(eb.einsum("ki,kj->kij", X, X), axis=0),
}
ASYMMETRIC = {
    "A": A,
    "A - A'": A - A.T,
    "odd difference": p["O"],
    "exponential of a difference": p["E"],
    "S A S": S @ A @ S,
    "A' S A'": A.T @ S @ A.T,
    "S B": S @ B,
    "A + S": A + S,
    "inv(A)": inv(A),
    "cholesky": cholesky(P),
    "A o B'": A * B.T,
}


@pytest.mark.parametrize("name", SYMMETRIC)
def test_symmetry_is_proven(name):
    assert is_symmetric(normalise([SYMMETRIC[name].node])[0])


@pytest.mark.parametrize("name", ASYMMETRIC)
def test_symmetry_is_not_proven_where_there_is_none(name):
    node = ASYMMETRIC[name].node
    assert not is_symmetric(node)
    assert not is_symmetric(normalise([node])[0])


def test_a_proof_of_a_deep_program_ends():
    y = A
    for _ in range(200):
        y = eb.tanh(y @ y + y.T)
    assert not is_symmetric(normalise([y.node])[0])


def test_facts_of_matrices_are_about_the_last_two_axes():
    batch = Input("Q", ("m", "m", "m"), ("symmetric",))
    assert is_symmetric(batch)
    assert not is_symmetric(batch, 0, 1)
    assert is_symmetric(einsum([batch], ["bij"], "ijb"), 0, 1)

"""Matrix functions as they run: solves instead of inverses, one factor for many readers, values against NumPy."""

import re

import numpy as np
import pytest

import einback as eb
from einback.api.linalg import cholesky, det, eigvalsh, inv, logdet, slogdet, solve, trace
from einback.errors import ArrayError, CompileError
from einback.run.linalg import HELPERS
from tests.interpreter import evaluate

A, B, C, b, c = eb.tensors("A[n,n] B[n,m] C[n,n] b[n] c[n]")
T, R, r, M = eb.tensors("T[k,n,n] R[k,n,m] r[k,n] M[k,m,n]")
V = eb.tensor("V[p,n]")
S = A @ A.T

ARRAYS = {
    "A": np.random.default_rng(0).normal(size=(5, 5)) + 2 * np.eye(5),
    "C": np.random.default_rng(1).normal(size=(5, 5)) + 2 * np.eye(5),
    "B": np.random.default_rng(2).normal(size=(5, 3)),
    "b": np.random.default_rng(3).normal(size=5),
    "c": np.random.default_rng(4).normal(size=5),
    "T": np.random.default_rng(5).normal(size=(4, 5, 5)) + 2 * np.eye(5),
    "R": np.random.default_rng(6).normal(size=(4, 5, 3)),
    "r": np.random.default_rng(7).normal(size=(4, 5)),
    "M": np.random.default_rng(8).normal(size=(4, 3, 5)),
    "V": np.random.default_rng(9).normal(size=(6, 5)),
}


def arrays_of(y, source=ARRAYS):
    return {tensor.name: source[tensor.name] for tensor in y.inputs}


def compiled(y):
    """The callable, having run once, and its value."""
    fn = eb.compile(y)
    return fn, fn(arrays_of(y))


def calls(fn):
    """The calls of linear algebra in the function itself, the helpers above it left out."""
    body = re.split(r"\n *def step\(", fn.source(), maxsplit=1)[1]
    code = "\n".join(line for line in body.splitlines() if not line.strip().startswith("#"))
    return re.findall(rf"\bnp\.linalg\.(\w+)\(|\b({'|'.join(HELPERS)})\(", code)


def named(fn):
    return sorted("".join(pair) for pair in calls(fn))


PROGRAMS = {
    "vector": (solve(A, b), ["solve"]),
    "matrix": (solve(A, B), ["solve"]),
    "transposed": (solve(A.T, B), ["solve"]),
    "from the right": (eb.einsum("ij,jk->ik", B.T, inv(A)), ["solve"]),
    "quadratic form": (b @ inv(A) @ c, ["solve"]),
    "row sums": (eb.sum(inv(A), axis=1), ["solve"]),
    "column sums": (eb.sum(inv(A), axis=0), ["solve"]),
    "sum of all": (eb.sum(inv(A)), ["solve"]),
    "two solves in a row": (inv(A) @ inv(C) @ b, ["solve", "solve"]),
    "ratio": (inv(A) @ C @ b, ["solve"]),
    "batched vectors": (eb.einsum("kij,kj->ki", inv(T), r), ["solve"]),
    "batched matrices": (solve(T, R), ["solve"]),
    "batched, transposed": (eb.einsum("kij,kmi->kmj", inv(T), M), ["solve"]),
    "one matrix, many right-hand sides": (eb.einsum("ij,kjm->kim", inv(A), R), ["solve"]),
    "many matrices, one right-hand side": (solve(T, B), ["solve"]),
    "many matrices, one vector": (solve(T, b), ["solve"]),
    "sum over the batch": (eb.einsum("kij,kj->i", inv(T), r), ["solve"]),
    "batch last": (eb.einsum("kij,kjm->imk", inv(T), R), ["solve"]),
    "inverse": (inv(A), ["inv"]),
    "inverse, entry by entry": (inv(A) * C, ["inv"]),
    "trace of a product": (trace(inv(A) @ C), ["inv"]),
    "diagonal": (eb.einsum("ii->i", inv(A)), ["inv"]),
    "determinant": (det(A), ["det"]),
    "logdet": (logdet(T), ["slogdet"]),
    "slogdet": (slogdet(T).sign * slogdet(T).logabsdet, ["slogdet"]),
    "cholesky": (cholesky(S), ["cholesky"]),
    "eigenvalues": (eigvalsh(T), ["eigvalsh"]),
    "solves with a factor": (inv(cholesky(S)) @ b, ["cholesky", "solve_triangular"]),
    "solves with a factor, transposed": (inv(cholesky(S)).T @ b, ["cholesky", "solve_triangular"]),
    "inverse of a factor": (inv(cholesky(S)), ["cholesky", "solve_triangular"]),
    "symmetric, read twice": (b @ inv(S) @ b + logdet(S), ["factor", "logdet_of", "solve_factored"]),
    "symmetric, from both sides": (inv(S) @ b + c @ inv(S), ["factor", "solve_factored", "solve_factored"]),
    "symmetric, batched": (
        eb.sum(eb.einsum("kij,kj,kil->kl", inv(T @ eb.einsum("kij->kji", T)), r, T))
        + eb.sum(logdet(T @ eb.einsum("kij->kji", T))),
        ["factor", "logdet_of", "solve_factored"],
    ),
    "inverse and determinant": (det(A) * inv(A), ["det_of", "inverse_of", "qr"]),
    "inverse, sign and logdet": (
        inv(A) * slogdet(A).sign + slogdet(A).logabsdet,
        ["inverse_of", "logdet_of", "qr", "sign_of"],
    ),
    "many readers": (
        (b @ inv(A) @ C @ inv(A) @ b) * logdet(A) + c @ inv(A.T) @ C @ c,
        ["logdet_of", "qr", *["solve_factored"] * 3],
    ),
    "two solves of one general matrix": (solve(A, eb.tanh(solve(A, c))), ["solve", "solve"]),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_values_and_calls(name):
    y, wanted = PROGRAMS[name]
    fn, value = compiled(y)
    (want,) = evaluate([y.node], arrays_of(y))
    np.testing.assert_allclose(value, want, rtol=1e-11, atol=1e-12)
    assert named(fn) == sorted(wanted), fn.source()


@pytest.mark.parametrize("name", PROGRAMS)
def test_exported_source_stands_alone(name):
    y, _ = PROGRAMS[name]
    fn, value = compiled(y)
    space = {}
    exec(compile(fn.source(), "<exported>", "exec"), space)
    assert "einback" not in fn.source().replace("generated by einback", "")
    np.testing.assert_array_equal(space["step"](**arrays_of(y)), value)


@pytest.mark.parametrize("name", PROGRAMS)
def test_gradients_are_checked_by_differences(name):
    y, _ = PROGRAMS[name]
    report = eb.check(y, y.inputs, **arrays_of(y))
    assert report, report


# One factorisation


def gaussian_process():
    p = eb.program("""
        K[i,j] = s^2 exp(-sum[d]((x[i,d] - x[j,d])^2) / (2 l^2)) + v δ[i,j]
        L = y[i] K[i,j] y[j]
    """)
    K = p["K"]
    inputs = {tensor.name: tensor for tensor in p.inputs}
    y = inputs["y"]
    return 0.5 * (y @ solve(K, y)) + 0.5 * logdet(K), [inputs[name] for name in ("s", "l", "v", "x", "y")]


def test_a_gaussian_process_holds_one_factorisation():
    loss, parameters = gaussian_process()
    fn = eb.compile({"loss": loss, "slopes": eb.grad(loss, parameters)})
    rng = np.random.default_rng(0)
    arrays = {"x": rng.normal(size=(9, 2)), "y": rng.normal(size=9), "s": 1.3, "l": 0.8, "v": 0.1}
    found = fn(arrays)
    assert named(fn) == ["factor", "inverse_of", "logdet_of", "solve_factored"]
    assert "inv(" in str(fn.plan())
    report = eb.check(loss, parameters, **{name: np.asarray(array) for name, array in arrays.items()})
    assert report, report
    gaps = arrays["x"][:, None] - arrays["x"]
    kernel = 1.3**2 * np.exp(-np.sum(gaps**2, axis=-1) / (2 * 0.8**2)) + 0.1 * np.eye(9)
    want = 0.5 * arrays["y"] @ np.linalg.solve(kernel, arrays["y"]) + 0.5 * np.linalg.slogdet(kernel)[1]
    np.testing.assert_allclose(found["loss"], want, rtol=1e-12)
    alpha = np.linalg.solve(kernel, arrays["y"])
    slope = 0.5 * np.trace(np.linalg.inv(kernel) - np.outer(alpha, alpha))
    np.testing.assert_allclose(found["slopes"][2], slope, rtol=1e-11)


def test_a_solve_and_its_gradient_never_form_the_inverse():
    y = eb.sum(solve(A, b) ** 2)
    fn = eb.compile([y, *eb.grad(y, [A, b])])
    fn(arrays_of(y))
    assert named(fn) == ["solve", "solve"]


def test_the_factor_of_a_symmetric_matrix_that_is_not_positive_definite():
    K = C + C.T - 9 * eb.eye("n")
    y = b @ inv(K) @ b + logdet(K) + det(K) + slogdet(K).sign + eb.sum(inv(K) ** 2)
    _, value = compiled(y)
    (want,) = evaluate([y.node], arrays_of(y), {"n": 5})
    np.testing.assert_allclose(value, want, rtol=1e-12)
    assert np.linalg.eigvalsh(ARRAYS["C"] + ARRAYS["C"].T - 9 * np.eye(5)).min() < 0


def test_the_sign_of_a_determinant_that_is_negative():
    a = ARRAYS["A"] * np.array([-np.sign(np.linalg.det(ARRAYS["A"])), 1, 1, 1, 1])
    y = eb.sum(inv(A)) * slogdet(A).sign * det(A) + eb.sum(inv(A) ** 2) + logdet(A)
    np.testing.assert_allclose(eb.evaluate(y, A=a), evaluate([y.node], {"A": a})[0], rtol=1e-12)
    assert np.linalg.det(a) < 0


def test_substitution_in_blocks():
    rng = np.random.default_rng(10)
    a = rng.normal(size=(150, 150))
    y = inv(S) @ b + eb.sum(inv(S) ** 2) * c + solve(cholesky(S), b)
    arrays = {"A": a / 20 + np.eye(150), "b": rng.normal(size=150), "c": rng.normal(size=150)}
    np.testing.assert_allclose(eb.evaluate(y, **arrays), evaluate([y.node], arrays)[0], rtol=1e-9, atol=1e-11)


def test_the_plan_prices_solves_and_factors():
    fn = eb.compile(solve(A, B))
    assert "= inv(A)[n,n'] B[n',m] (solve)" in str(fn.plan(A=(30, 30), B=(30, 7)))
    assert fn.plan(A=(30, 30), B=(30, 7)).flops == 2 * 30**3 // 3 + 2 * 30 * 30 * 7
    assert eb.compile(inv(A) * C).plan(A=(30, 30), C=(30, 30)).flops == 8 * 30**3 // 3 + 900
    loss, parameters = gaussian_process()
    plan = eb.compile([loss, eb.grad(loss, parameters[:3])]).plan(x=(60, 2), y=(60,))
    assert [step.formula for step in plan.steps if "(solve)" in step.formula] == ["t2[i] = inv(G2)[i,j] y[j] (solve)"]
    (factor,) = [step for step in plan.steps if "factor(" in step.formula]
    assert factor.flops == 60**3 // 3


def test_the_inverse_is_applied_to_vectors_first():
    plan = eb.compile(inv(A) @ C @ inv(A.T) @ b).plan(A=(40, 40), C=(40, 40), b=(40,))
    assert plan.flops < 3 * 40**3


# Hard inputs


@pytest.mark.parametrize(
    ("y", "what"),
    [
        (solve(A, b), "a matrix has no inverse: "),
        (inv(A), "a matrix has no inverse: "),
        (eb.grad(det(A), A), "a matrix has no inverse: "),
        (inv(S) @ b + eb.sum(inv(S) ** 2), "a matrix has no inverse: "),
    ],
)
def test_singular_matrices_are_named(y, what):
    arrays = arrays_of(y) | {"A": np.ones((5, 5))}
    with pytest.raises(ArrayError, match=what + r".*(inv|qr|factor)\(\w+\)\[") as caught:
        eb.compile(y)(arrays)
    assert isinstance(caught.value.__cause__, np.linalg.LinAlgError)


def test_matrices_that_are_not_positive_definite_are_named():
    with pytest.raises(ArrayError, match=r"a matrix is not positive definite: .*cholesky\(\w+\)"):
        eb.evaluate(cholesky(A), A=-np.eye(3))


def test_the_log_determinant_of_a_singular_matrix():
    assert eb.evaluate(logdet(A), A=np.ones((3, 3))) == -np.inf
    assert eb.evaluate(slogdet(A).sign, A=np.ones((3, 3))) == 0


@pytest.mark.parametrize("y", [solve(A, b), inv(A), det(A), logdet(A), inv(S) @ b + logdet(S) * b, det(A) * inv(A)])
def test_not_a_number_goes_through(y):
    found = eb.compile(y)(arrays_of(y) | {"A": np.full((5, 5), np.nan)})
    assert np.isnan(found).all()


@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize(
    "y",
    [inv(A), solve(A, b), solve(A, B), det(A), logdet(A), slogdet(A).sign, cholesky(S), eigvalsh(A),
     det(A) * inv(A), b @ inv(S) @ b + logdet(S)],
)  # fmt: skip
def test_matrices_without_rows_and_of_one(y, n):
    arrays = {"A": np.full((n, n), 2.0), "b": np.ones(n), "B": np.ones((n, 3))}
    arrays = {tensor.name: arrays[tensor.name] for tensor in y.inputs}
    np.testing.assert_allclose(eb.compile(y)(arrays), evaluate([y.node], arrays, {"n": n})[0])


@pytest.mark.parametrize("y", [inv(T), solve(T, R), logdet(T), eigvalsh(T), det(T)])
def test_batches_of_none(y):
    arrays = {"T": np.ones((0, 3, 3)), "R": np.ones((0, 3, 2))}
    arrays = {tensor.name: arrays[tensor.name] for tensor in y.inputs}
    assert eb.compile(y)(arrays).shape == evaluate([y.node], arrays)[0].shape


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64, np.uint8, np.bool_])
@pytest.mark.parametrize(
    "y", [inv(A), solve(A, b), det(A), logdet(A), cholesky(S), eigvalsh(A), b @ inv(S) @ b + logdet(S)]
)
def test_dtypes(y, dtype):
    arrays = {"A": np.array([[1, 1, 0], [0, 1, 0], [0, 0, 1]], dtype), "b": np.array([1, 0, 1], dtype)}
    arrays = {tensor.name: arrays[tensor.name] for tensor in y.inputs}
    found = eb.compile(y)(arrays)
    assert found.dtype == (dtype if np.dtype(dtype).kind == "f" else np.float64)
    (want,) = evaluate([y.node], {name: array.astype(float) for name, array in arrays.items()})
    np.testing.assert_allclose(found, want, rtol=2e-3 if dtype == np.float16 else 1e-6, atol=1e-6)


def test_python_integers_are_refused():
    with pytest.raises(CompileError, match="inv is not defined for object arrays"):
        eb.evaluate(inv(A), A=np.array([[1, 0], [0, 1]], object))


@pytest.mark.parametrize("y", [inv(A), solve(A, b), det(A), logdet(A), b @ inv(S) @ b + logdet(S), slogdet(A).sign])
def test_complex_matrices(y):
    arrays = {name: array + 1j * np.roll(array, 1) for name, array in arrays_of(y).items()}
    np.testing.assert_allclose(eb.compile(y)(arrays), evaluate([y.node], arrays)[0], rtol=1e-11)


def test_cholesky_of_complex_arrays_is_refused():
    with pytest.raises(CompileError, match="cholesky is not supported for complex arrays"):
        eb.evaluate(cholesky(A), A=np.eye(2) + 0j)


def test_inputs_are_not_changed():
    arrays = {name: array.copy() for name, array in ARRAYS.items()}
    for y, _ in PROGRAMS.values():
        eb.compile(y)(arrays_of(y, arrays))
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, ARRAYS[name])


@pytest.mark.parametrize("order", ["F", "negative", "strided"])
def test_layouts(order):
    def laid_out(array):
        match order:
            case "F":
                return np.asfortranarray(array)
            case "negative":
                return array[..., ::-1].copy()[..., ::-1]
            case _:
                return np.repeat(array, 2, axis=-1)[..., ::2]

    for y, _ in PROGRAMS.values():
        arrays = {name: laid_out(array) for name, array in arrays_of(y).items()}
        np.testing.assert_allclose(eb.compile(y)(arrays), evaluate([y.node], arrays)[0], rtol=1e-11, atol=1e-12)

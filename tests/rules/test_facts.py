"""Facts about tensors: what simplification makes of them, which derivatives are meant, and what arrays must keep.

The oracle of the derivatives are differences along the independent entries: with E[k] the matrices that span the
tensors of a kind, dL/dE[k] is what the independent entry k changes, and the gradient G of that kind has
sum(G * E[k]) = dL/dE[k] for every k.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import einback as eb
from einback.ir.data import from_data, to_data
from einback.ir.facts import FACTS

Array = np.ndarray

x, y, A = eb.tensors("x[n] y[n] A[n,n]")
S = eb.tensor("S[n,n]", symmetric=True)
D = eb.tensor("D[n,n]", diagonal=True)
L = eb.tensor("L[n,n]", lower=True)
Q = eb.tensor("Q[n,n]", orthogonal=True)
p, q = eb.tensor("p[n]", positive=True), eb.tensor("q[n]", positive=True)

RNG = np.random.default_rng(0)
RAW = RNG.normal(size=(3, 3))
ARRAYS: dict[str, Array] = {
    "x": RNG.normal(size=3),
    "y": RNG.normal(size=3),
    "A": RNG.normal(size=(3, 3)),
    "S": RAW + RAW.T,
    "D": np.diag(RAW[0]),
    "L": np.tril(RAW),
    "Q": np.linalg.qr(RAW)[0],
    "p": np.exp(RAW[0]),
    "q": np.exp(RAW[1]),
}
KINDS = {"S": S, "D": D, "L": L, "Q": Q}


def held(t: eb.Tensor) -> dict[str, Array]:
    return {one.name: ARRAYS[one.name] for one in t.inputs}


SIMPLER: dict[str, tuple[Callable[[Any], eb.Tensor], str]] = {
    "transpose": (lambda t: t.S.T - t.S, "y[n',n] = 0"),
    "products": (lambda t: t.x @ t.S - t.S @ t.x, "y[n'] = 0"),
    "traces": (
        lambda t: eb.einsum("ij,jk,kl,li->", t.S, t.A, t.S, t.A) - eb.einsum("ji,jk,lk,li->", t.S, t.A, t.S, t.A),
        "y = 0",
    ),
    "functions": (
        lambda t: eb.einsum("ij,j->i", eb.exp(2 * t.S), t.x) - eb.einsum("ji,j->i", eb.exp(2 * t.S), t.x),
        "y[i:n] = 0",
    ),
    "quadratic form": (lambda t: eb.grad(eb.einsum("i,ij,j->", t.x, t.S, t.x), t.x), "dx[n] = 2 S[n,i] x[i]"),
    "diagonal": (lambda t: t.D @ t.x, "y[n] = D[n,n] x[n]"),
    "between": (lambda t: t.x @ t.D @ t.y, "z = D[n,n] x[n] y[n]"),
    "sum with a diagonal": (lambda t: (t.D + t.A) @ t.x, "y[n] = A[n,n'] x[n'] + D[n,n] x[n]"),
    "trace": (lambda t: eb.einsum("ij,ji->", t.D, t.A), "y = A[i,i] D[i,i]"),
    "rotation and back": (lambda t: t.Q.T @ (t.Q @ t.x), "y[n'] = x[n']"),
    "back and rotation": (lambda t: t.Q @ (t.Q.T @ t.A), "y[n,n'] = A[n,n']"),
    "length": (lambda t: eb.sum((t.Q @ t.x) ** 2), "y = x[n]²"),
    "no rotation": (lambda t: eb.einsum("ij,kj->ik", t.Q, t.Q), "y[i:n,k] = δ[i,k]"),
    "a square stays": (lambda t: t.Q @ t.Q @ t.x, "y[n] = Q[n,n'] Q[n',n''] x[n'']"),
    "inverse": (lambda t: eb.linalg.inv(t.Q) @ t.x, "y[n] = x[n'] Q[n',n]"),
    "modulus": (lambda t: abs(t.p) + eb.relu(t.p), "y[n] = 2 p[n]"),
    "root of a square": (lambda t: eb.sqrt(t.p**2) + eb.sqrt((t.p * t.q) ** 4), "y[n] = p[n] + (p[n] q[n])²"),
    "root of any square": (lambda t: eb.sqrt(t.x**2), "y[n] = sqrt(x[n]²)"),
    "sign": (lambda t: eb.sign(t.p + 2 * t.q) + eb.where(t.p > 0, t.q, 0), "y[n] = q[n] + 1"),
    "logarithm": (lambda t: eb.log(t.p * t.q**3 / eb.sqrt(t.q)), "y[n] = log(p[n]) + 5/2 log(q[n])"),
    "any logarithm": (lambda t: eb.log(t.x**2), "y[n] = log(x[n]²)"),
}


WITH_FACTS = SimpleNamespace(S=S, D=D, L=L, Q=Q, p=p, q=q, x=x, y=y, A=A)
WITHOUT = SimpleNamespace(
    **{name: eb.tensor(f"{name}[{','.join(map(str, t.shape))}]") for name, t in vars(WITH_FACTS).items()}
)


@pytest.mark.parametrize("name", SIMPLER)
def test_simpler(name: str) -> None:
    build, text = SIMPLER[name]
    assert str(build(WITH_FACTS)) == text


@pytest.mark.parametrize("name", SIMPLER)
def test_simpler_is_equal(name: str) -> None:
    """The same program without facts gives the same numbers."""
    build, _ = SIMPLER[name]
    found, want = (eb.evaluate(one, **held(one)) for one in (build(WITH_FACTS), build(WITHOUT)))
    np.testing.assert_allclose(found, want, rtol=1e-12, atol=1e-12)


def test_however_a_product_with_symmetric_factors_is_written_it_is_one_node() -> None:
    terms = ["ij", "jk", "kl", "lm"]
    made = set()
    for way in range(16):
        labels = [term[::-1] if way >> k & 1 else term for k, term in enumerate(terms)]
        made.add(str(eb.einsum(f"{','.join(labels)}->im", S, A, S, S)).replace("A[k,j]", "A[j,k]"))
        made.add(str(eb.einsum(f"i,{labels[0]},j->", x, S, y)))
    assert len(made) <= 3  # A is not symmetric: with and without its transpose, and the form


# Derivatives


def basis(name: str) -> list[Array]:
    """The matrices along which the independent entries of a tensor move."""
    n, eye = 3, np.eye(3)
    unit = [[np.outer(eye[i], eye[j]) for j in range(n)] for i in range(n)]
    lower = [(i, j) for i in range(n) for j in range(i + 1)]
    match name:
        case "S":
            return [unit[i][j] + unit[j][i] if i != j else unit[i][i] for i, j in lower]
        case "D":
            return [unit[i][i] for i in range(n)]
        case "L":
            return [unit[i][j] for i, j in lower]
        case _:
            return [ARRAYS["Q"] @ (unit[i][j] - unit[j][i]) for i, j in lower if i != j]


def slopes(f: Callable[[Array], Any], at: Array, directions: list[Array]) -> Array:
    h = 1e-3
    moved = [[f(at + k * h * e) for k in (1, -1, 2, -2)] for e in directions]
    return np.array([(8 * (a - b) - (c - d)) / (12 * h) for a, b, c, d in moved])


def loss_of(m: Any, T: Any, x: Any, y: Any, A: Any) -> Any:
    return m.einsum("i,ij,jk,kl,l->", x, T, m.sin(m.einsum("ij,jk->ik", T, A)), T, y)


def value(T: Array) -> Any:
    return loss_of(np, T, ARRAYS["x"], ARRAYS["y"], ARRAYS["A"])


@pytest.mark.parametrize("name", KINDS)
def test_the_gradient_is_of_the_tensors_own_kind_and_gives_every_slope(name: str) -> None:
    tensor = KINDS[name]
    loss = loss_of(eb, tensor, x, y, A)
    found = eb.evaluate(eb.grad(loss, tensor), **held(loss))
    along = basis(name)
    want = slopes(value, ARRAYS[name], along)
    np.testing.assert_allclose([np.sum(found * e) for e in along], want, rtol=1e-9, atol=1e-9)
    if name == "Q":
        np.testing.assert_allclose(ARRAYS["Q"].T @ found, -(ARRAYS["Q"].T @ found).T, atol=1e-12)
    else:
        span = np.stack([e.ravel() for e in along])
        projected = np.linalg.lstsq(span.T, found.ravel(), rcond=None)[0] @ span
        np.testing.assert_allclose(projected, found.ravel(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["S", "D", "L"])
def test_derivatives_by_independent_entries(name: str) -> None:
    tensor = KINDS[name]
    loss = loss_of(eb, tensor, x, y, A)
    found = eb.evaluate(eb.grad(loss, tensor, entries="independent"), **held(loss))
    along = basis(name)
    places = [tuple(np.argwhere(np.tril(e))[0]) for e in along]
    want = slopes(value, ARRAYS[name], along)
    np.testing.assert_allclose([found[place] for place in places], want, rtol=1e-9, atol=1e-9)
    plain = eb.evaluate(eb.grad(loss, tensor), **held(loss))
    if name == "S":
        np.testing.assert_allclose(found, 2 * plain - np.diag(np.diag(plain)), rtol=1e-12)
    else:
        np.testing.assert_array_equal(found, plain)


@pytest.mark.parametrize("name", ["S", "D", "L"])
@pytest.mark.parametrize("entries", ["projected", "independent"])
def test_all_derivatives_keep_one_convention(name: str, entries: str) -> None:
    """Jacobian, pull back, push forward, Hessian and its product with a vector fit each other."""
    tensor = KINDS[name]
    out = eb.sin(tensor @ x) * y
    g, v = eb.tensor("g[n]"), eb.tensor("v[n,n]")
    loss = loss_of(eb, tensor, x, y, A)
    along = sum(c * e for c, e in zip((0.3, -1.0, 2.0, 0.7, 0.1, 1.1), basis(name), strict=False))
    arrays = held(loss) | {"g": RNG.normal(size=3), "v": along}
    found = eb.compile(
        {
            "J": eb.jacobian(out, tensor, entries=entries),
            "pulled": eb.vjp(out, tensor, g, entries=entries),
            "pushed": eb.jvp(out, {tensor: v}),
            "H": eb.hessian(loss, tensor, entries=entries),
            "Hv": eb.hvp(loss, tensor, v, entries=entries),
        }
    )(arrays)
    np.testing.assert_allclose(np.einsum("i,ijk->jk", arrays["g"], found["J"]), found["pulled"], atol=1e-12)
    independent = np.tril(along) if entries == "independent" else along
    np.testing.assert_allclose(np.einsum("ijk,jk->i", found["J"], independent), found["pushed"], atol=1e-12)
    np.testing.assert_allclose(np.einsum("ijkl,kl->ij", found["H"], independent), found["Hv"], atol=1e-11)
    np.testing.assert_allclose(found["H"], found["H"].transpose(2, 3, 0, 1), atol=1e-11)

    def gradient(T: Array) -> Array:
        return eb.evaluate(eb.grad(loss, tensor, entries=entries), **(arrays_of(loss) | {name: T}))

    def arrays_of(loss: eb.Tensor) -> dict[str, Array]:
        return held(loss)

    want = slopes(gradient, ARRAYS[name], [along])[0]
    np.testing.assert_allclose(found["Hv"], want, rtol=1e-8, atol=1e-8)


def test_a_tangent_counts_as_far_as_it_keeps_the_facts() -> None:
    v = eb.tensor("v[n,n]")
    for name, tensor in KINDS.items():
        out = tensor @ x
        found = eb.evaluate(
            eb.jvp(out, {tensor: v}), x=ARRAYS["x"], v=RAW, **({name: ARRAYS[name]} if name == "Q" else {})
        )
        kept = {
            "S": (RAW + RAW.T) / 2,
            "D": np.diag(np.diag(RAW)),
            "L": np.tril(RAW),
            "Q": (RAW - ARRAYS["Q"] @ RAW.T @ ARRAYS["Q"]) / 2,
        }
        np.testing.assert_allclose(found, kept[name] @ ARRAYS["x"], rtol=1e-12)


def test_batches_of_matrices() -> None:
    B = eb.tensor("B[b,n,n]", symmetric=True)
    loss = eb.sum(eb.einsum("bij,j->bi", B, x) ** 2)
    stack = np.stack([ARRAYS["S"], 2 * ARRAYS["S"]])
    found = eb.evaluate(eb.grad(loss, B), B=stack, x=ARRAYS["x"])
    plain = 2 * np.einsum("bi,j->bij", stack @ ARRAYS["x"], ARRAYS["x"])
    np.testing.assert_allclose(found, (plain + plain.transpose(0, 2, 1)) / 2, rtol=1e-12)


def test_a_constant_on_the_orthogonal_matrices_has_no_slope() -> None:
    assert str(eb.grad(eb.einsum("ij,kj,ik->", Q, Q, A), Q)) == "dQ[n,n'] = 0"


def test_what_facts_rule_out() -> None:
    with pytest.raises(eb.DerivativeError, match="Q is orthogonal: einback knows no second derivatives"):
        eb.hessian(eb.sum(Q @ x), Q)
    with pytest.raises(eb.DerivativeError, match="the entries of Q, which is orthogonal, are not independent"):
        eb.grad(eb.sum(Q @ x), Q, entries="independent")
    with pytest.raises(eb.DerivativeError, match="no entries is named 'free'"):
        eb.grad(eb.sum(S @ x), S, entries="free")


# Declarations and arrays


@pytest.mark.parametrize(
    ("text", "facts", "message"),
    [
        ("S[n,m]", "symmetric", "S[n,m] cannot be symmetric: its last two axes have no one size"),
        ("S[n]", "diagonal", "S[n] cannot be diagonal"),
        ("S[n,n]", "lower symmetric", "S cannot be lower and symmetric\na matrix that is both is diagonal"),
        ("S[n,n]", "complex positive_definite", "S cannot be complex and positive_definite"),
        ("S[n,n]", "diagonal positive", "S cannot be diagonal and positive\n"),
        ("S[n,n]", "orthogonal positive_definite", "S cannot be orthogonal and symmetric"),
        ("S[n,n]", "diagonal stochastic", "S cannot be diagonal and stochastic\na matrix that is both is the identity"),
        ("S[n,n]", "positive_definite stochastic", "S cannot be stochastic and symmetric\ndeclare the one"),
        ("S", "stochastic", "S cannot be stochastic: it has no axis along which entries sum to one\ndeclare a vector"),
    ],
)
def test_declarations_that_make_no_sense(text: str, facts: str, message: str) -> None:
    with pytest.raises(eb.EinbackError) as error:
        eb.tensor(text, **dict.fromkeys(facts.split(), True))
    assert str(error.value).startswith(message)


BAD: list[tuple[str, Array, str]] = [
    ("symmetric", np.array([[1.0, 2], [3, 4]]), "T[0,1] is 2.0 and its mirror image is 3.0"),
    ("symmetric", np.array([[1.0, np.nan], [3, 4]]), "T[0,1] is nan and its mirror image is 3.0"),
    ("diagonal", np.array([[1, 0], [1e-300, 1]]), "T[1,0] is 1e-300"),
    ("lower", np.array([[1.0, 2], [3, 4]]), "T[0,1] is 2.0"),
    ("positive", np.array([[1.0, 2], [3, 0]]), "T[1,1] is 0.0"),
    ("positive", np.array([[1.0, 2], [np.nan, 1]]), "T[1,0] is nan"),
    ("positive_definite", np.array([[1.0, 2], [2, -1]]), "T[1,1] is -1.0"),
    ("positive_definite", np.array([[1.0, 2], [3, 1]]), "T[0,1] is 2.0 and its mirror image is 3.0"),
    ("orthogonal", np.array([[1.0, 0], [0, 2]]), "the column of T[0,1] has the length 2"),
    ("orthogonal", np.array([[1.0, 0.6], [0, 0.8]]), "the column of T[0,0] is not orthogonal to the others"),
    ("stochastic", np.array([[0.5, 0.5], [0.5, 0.6]]), "the entries of T[1] sum to 1.1, not to 1\ndivide by the sums"),
    ("stochastic", np.array([[1.0, 0.0], [1.25, -0.25]]), "T[1,1] is -0.25, which is negative"),
    ("stochastic", np.array([[1.0, 0.0], [1.0, np.nan]]), "the entries of T[1] sum to nan, not to 1"),
]


@pytest.mark.parametrize(("fact", "array", "message"), BAD)
def test_arrays_that_break_a_fact(fact: str, array: Array, message: str) -> None:
    tensor = eb.tensor("T[n,n]", **{fact: True})
    program = eb.compile(eb.sum(tensor))
    good = np.eye(2) + (fact == "positive")
    program(T=good)
    for _ in range(2):  # at every call, not only at the first
        with pytest.raises(eb.ArrayError) as error:
            program(T=array)
        assert message in str(error.value)
        assert "T is declared " in str(error.value)


def test_facts_hold_up_to_rounding() -> None:
    rng = np.random.default_rng(1)
    for dtype in (np.float64, np.float32):
        B = rng.normal(size=(50, 50)).astype(dtype)
        noisy = (B @ B.T) * (1 + np.finfo(dtype).eps * rng.normal(size=B.shape).astype(dtype))
        eb.evaluate(eb.sum(eb.tensor("T[n,n]", positive_definite=True)), T=noisy)
        eb.evaluate(eb.sum(eb.tensor("T[n,n]", orthogonal=True)), T=np.linalg.qr(B)[0])
    empty = np.ones((0, 0))
    for fact in ("symmetric", "diagonal", "lower", "positive", "positive_definite", "orthogonal"):
        assert eb.evaluate(eb.sum(eb.tensor("T[n,n]", **{fact: True})), T=empty) == 0
    with pytest.raises(eb.ArrayError, match="axis 1 of T is 3"):
        eb.evaluate(eb.sum(eb.tensor("T[n,n]", symmetric=True)), T=np.ones((2, 3)))


@pytest.mark.parametrize("fact", FACTS)
def test_facts_are_kept_by_all_that_stores_programs(fact: str) -> None:
    tensor = eb.tensor("T[n,n]", **{fact: True})
    assert fact in tensor.node.facts
    assert from_data(json.loads(json.dumps(to_data([tensor.node]))))[0] is tensor.node
    assert pickle.loads(pickle.dumps(tensor)).node is tensor.node
    program = eb.program("y[i] = T[i,j] x[j]", T=tensor)
    assert pickle.loads(pickle.dumps(program))["T"].node is tensor.node
    assert fact not in program["y"].text()


def test_one_name_with_two_kinds_of_facts_is_an_error() -> None:
    with pytest.raises(eb.ShapeError, match=r"one of shape \[n\] \(complex\), one of shape \[n\]"):
        str(eb.tensor("x[n]", complex=True) * x)


@pytest.mark.parametrize("name", KINDS)
def test_check_moves_what_the_facts_tie_together(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tensor = KINDS[name]
    loss = loss_of(eb, tensor, x, y, A)
    assert eb.check(loss, [tensor, A], **held(loss))
    if name == "S":
        wrong = eb.grad(loss, S, entries="independent")
        monkeypatch.setattr("einback.api.checking.grad", lambda y, wrt: [wrong])
        assert not eb.check(loss, [S], **held(loss))

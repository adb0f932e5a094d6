"""Rows that sum to one: what simplification makes of them, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import einback as eb

Array = np.ndarray

TEXTS = {
    "X": "X[n,d]",
    "W": "W[d,c]",
    "b": "b[c]",
    "A": "A[n,c]",
    "B": "B[k,n]",
    "f": "f[n]",
    "v": "v[c]",
    "M": "M[c,c]",
}
FREE = {name: eb.tensor(text) for name, text in TEXTS.items()}
IDS = eb.tensor("ids[n]", integer=True)
DECLARED = SimpleNamespace(
    **FREE,
    ids=IDS,
    Y=eb.tensor("Y[n,c]", stochastic=True),
    T=eb.tensor("T[k,n]", stochastic=True),
    R=eb.tensor("R[c,c]", stochastic=True),
    p=eb.tensor("p[c]", stochastic=True),
    U=eb.tensor("U[k,n,c]", stochastic=True),
)
PLAIN = SimpleNamespace(
    **FREE,
    ids=IDS,
    **{text[0]: eb.tensor(text) for text in ("Y[n,c]", "T[k,n]", "R[c,c]", "p[c]", "U[k,n,c]")},
)
SIZES = {"n": 4, "d": 2, "c": 3, "k": 2}


def arrays(seed: int = 0) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    found = {name: rng.normal(size=[SIZES[size] for size in one.shape]) for name, one in FREE.items()}
    for name in "YTRpU":
        raw = rng.uniform(size=[SIZES[size] for size in getattr(DECLARED, name).shape])
        found[name] = raw / raw.sum(-1, keepdims=True)
    return found | {"ids": rng.integers(0, SIZES["c"], SIZES["n"])}


def held(t: eb.Tensor, values: dict[str, Array]) -> dict[str, Array]:
    return {one.name: values[one.name] for one in t.inputs}


def logits(t: Any) -> eb.Tensor:
    return eb.einsum("nd,dc->nc", t.X, t.W) + t.b


def loss(t: Any) -> eb.Tensor:
    return -eb.sum(t.Y * eb.log_softmax(logits(t), axis="c")) / t.X.size("n")


def P(t: Any, axis: Any = "c") -> eb.Tensor:
    return eb.softmax(t.A, axis=axis)


SIMPLER: dict[str, tuple[Callable[[Any], eb.Tensor], str]] = {
    "a row": (lambda t: eb.sum(t.Y, axis="c"), "y[n] = 1"),
    "a vector": (lambda t: eb.sum(t.p) * t.f, "y[n] = f[n]"),
    "the last of three axes": (lambda t: eb.einsum("knc,n->k", t.U, t.f), "y[k] = ones[k] f[n]"),
    "a mean": (lambda t: eb.mean(t.Y) * t.Y.size("c"), "y = 1"),
    "a transpose": (lambda t: eb.einsum("cn,n->n", t.Y.T, t.f), "y[n] = f[n]"),
    "beside others": (lambda t: eb.einsum("kn,nc,nd->kd", t.B, t.Y, t.X), "y[k,d] = B[k,n] X[n,d]"),
    "a chain": (lambda t: eb.sum(t.T @ t.Y @ t.R, axis=1), "y[k] = 1"),
    "a chain with a factor": (lambda t: eb.einsum("kn,nc,n->k", t.T, t.Y, t.f), "y[k] = T[k,n] f[n]"),
    "inside a product": (lambda t: eb.sum(t.B @ t.Y, axis=1), "y[k] = B[k,n]"),
    "inside a product that is read": (lambda t: eb.sum((t.B @ t.Y) @ t.R + t.B @ t.Y, axis=1), "y[k] = 2 B[k,n]"),
    "a multiple": (lambda t: eb.exp(eb.log(eb.sum(2 * t.Y, axis="c"))), "y[n] = 2"),
    "a difference": (lambda t: eb.sum(t.Y - P(t), axis="c") + t.f, "y[n] = f[n]"),
    "a sum": (lambda t: eb.sum(t.Y + t.A, axis="c"), "y[n] = A[n,c] + 1"),
    "a sum beside others": (
        lambda t: eb.einsum("kn,nc,n->k", t.B, t.Y + t.A, t.f),
        "y[k] = A[n,c] B[k,n] f[n] + B[k,n] f[n]",
    ),
    "a sum of rows and columns": (lambda t: eb.sum(t.Y - P(t, 0)) * t.p, "y[c] = (sum[n](ones[n]) - size(c)) p[c]"),
    "smoothed": (lambda t: eb.sum(0.9 * t.Y + 0.1 / t.Y.size("c"), axis="c") * t.f, "y[n] = f[n]"),
    "a softmax": (lambda t: eb.sum(P(t), axis="c"), "y[n] = 1"),
    "a softmax beside others": (lambda t: eb.einsum("nc,n->n", P(t), t.f), "y[n] = f[n]"),
    "a softmax of columns": (lambda t: eb.einsum("nc,c->c", P(t, 0), t.v), "y[c] = v[c]"),
    "a softmax of all entries": (lambda t: eb.sum(P(t, (0, 1))) * t.f, "y[n] = f[n]"),
    "a softmax of a sum": (lambda t: eb.sum(eb.softmax(logits(t) + t.A, axis="c"), axis="c"), "y[n] = 1"),
    "a softmax has no slope": (lambda t: eb.grad(eb.sum(P(t)), t.A), "dA[n,c] = 0"),
    "one-hot": (lambda t: eb.sum(eb.one_hot(t.ids, "c") - P(t), axis=1) + t.f, "y[n] = f[n]"),
    "one-hot and others": (lambda t: eb.sum(eb.one_hot(t.ids, "c") + t.A, axis=1), "y[n] = A[n,c] + 1"),
    "the gradient by a shift": (
        lambda t: eb.grad(loss(SimpleNamespace(**vars(t) | {"b": eb.einsum("n,c->nc", t.f, eb.ones("[c]"))})), t.f),
        "df[n] = 0",
    ),
    "softmax regression": (
        lambda t: eb.grad(loss(t), t.W),
        "dW[d,c] = X[n,d] (P[n,c] - Y[n,c]) / size(n)\n  where P[n,c] = softmax[c](X[n,d] W[d,c] + b[c])",
    ),
    # what stays
    "columns": (lambda t: eb.sum(t.Y, axis="n"), "y[c] = Y[n,c]"),
    "read by another": (lambda t: eb.einsum("nc,c->n", t.Y, t.v), "y[n] = Y[n,c] v[c]"),
    "a trace": (lambda t: eb.einsum("cc->", t.R), "y = R[c,c]"),
    "a square": (lambda t: eb.sum(t.Y**2, axis="c"), "y[n] = Y[n,c]²"),
    "read twice": (lambda t: eb.einsum("nc,nc->n", t.Y, t.Y), "y[n] = Y[n,c]²"),
    "the first axis of a chain": (lambda t: eb.einsum("kn,nc->c", t.T, t.Y), "y[c] = T[k,n] Y[n,c]"),
    "one of two axes": (
        lambda t: eb.sum(P(t, (0, 1)), axis=1),
        "y[n] = P[n,c]\n  where P[n,c] = softmax[n,c](A[n,c])",
    ),
    "the other axis": (lambda t: eb.sum(P(t, 0), axis=1), "y[n] = P[n,c]\n  where P[n,c] = softmax[n](A[n,c])"),
    "a product with a row": (
        lambda t: eb.einsum("kn,nc,c->k", t.B, t.Y, t.v),
        "y[k] = B[k,n] Y[n,c] v[c]",
    ),
    "a sum that is read": (
        lambda t: eb.sum(t.Y + t.A, axis="c") * eb.sum((t.Y + t.A) ** 2, axis="c"),
        "y[n] = Z[n,c] Z[n,c']²\n  where Z[n,c] = A[n,c] + Y[n,c]",
    ),
    "the slope of an entropy": (
        lambda t: eb.grad(-eb.sum(P(t) * eb.log_softmax(t.A, axis="c")), t.A),
        "dA[n,c] = G[n,c'] P[n,c] - G[n,c]\n  where G[n,c] = P[n,c] log_softmax[c](A[n,c]) + P[n,c]\n"
        "        P[n,c] = softmax[c](A[n,c])",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SIMPLER)
def test_simpler(name: str) -> None:
    build, text = SIMPLER[name]
    assert str(build(DECLARED)) == text


@pytest.mark.parametrize("name", SIMPLER)
def test_simpler_is_equal(name: str) -> None:
    """The same program without facts gives the same numbers."""
    build, _ = SIMPLER[name]
    values = arrays()
    found, want = (eb.evaluate(one, **held(one, values)) for one in (build(DECLARED), build(PLAIN)))
    np.testing.assert_allclose(found, want, rtol=1e-12, atol=1e-12)


def test_matrix_notation() -> None:
    found = eb.grad(loss(DECLARED), FREE["W"]).text(notation="matrix")
    assert found == "∂L/∂W = 1/n Xᵀ (P − Y)\n  where P = softmax_rows(X W + 1 bᵀ)"


def test_gathered_rows_sum_to_one() -> None:
    p = eb.program("y[b] = E[t[b],d] f[b]", E=eb.tensor("E[v,d]", stochastic=True), t=eb.tensor("t[b]", integer=True))
    assert str(p["y"]) == "y[b] = f[b]"


def softmax_by_hand(x: Array, axes: tuple[int, ...]) -> Array:
    e = np.exp(x)
    return e / e.sum(axes, keepdims=True)


@pytest.mark.parametrize("seed", range(60))
def test_random_products(seed: int) -> None:
    """Nested products, sums, transposes and shared parts of rows, against NumPy on the same operands."""
    rng = np.random.default_rng(seed)
    values = arrays(seed)
    pool: list[tuple[eb.Tensor, Array]] = [
        (DECLARED.Y, values["Y"]),
        (eb.tensor("Q[n,c]", stochastic=True), values["U"][0]),
        (FREE["A"], values["A"]),
        (P(DECLARED), softmax_by_hand(values["A"], (1,))),
        (P(DECLARED, (0, 1)), softmax_by_hand(values["A"], (0, 1))),
        (P(DECLARED, 0), softmax_by_hand(values["A"], (0,))),
        (eb.one_hot(IDS, "c"), np.eye(SIZES["c"])[values["ids"]]),
    ]
    values["Q"] = values["U"][0]
    vectors = {"n": "f", "c": "v"}
    for _ in range(4):
        kind = rng.integers(3)
        (one, a), (other, b) = (pool[k] for k in rng.integers(len(pool), size=2))
        if kind == 0:
            weight = float(rng.normal())
            pool.append((one + weight * other, a + weight * b))
        elif kind == 1:
            pool.append(
                (eb.einsum("nc,mc,md->nd", one, other, pool[0][0]), np.einsum("nc,mc,md->nd", a, b, pool[0][1]))
            )
        else:
            label = ("n", "c")[rng.integers(2)]
            name, spec = vectors[label], f"nc,{label}->nc"
            pool.append((eb.einsum(spec, one, FREE[name]), np.einsum(spec, a, values[name])))
    results, want = [], []
    for spec in ("nc->", "nc,nd->n", "nc,nd,md->", "nc,mc->c", "nc,nd->d", "nc,nd->cn"):
        picked = [pool[k] for k in rng.integers(len(pool), size=spec.count(",") + 1)]
        results.append(eb.einsum(spec, *(one for one, _ in picked)))
        want.append(np.einsum(spec, *(array for _, array in picked)))
    needed = {one.name for result in results for one in result.inputs}
    found = eb.evaluate(results, **{name: values[name] for name in needed})
    for one, other in zip(found, want, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


def test_however_a_product_is_written_it_is_one_formula() -> None:
    t = DECLARED
    ways = [
        eb.einsum("kn,nc,cd->k", t.B, t.Y, t.R),
        eb.sum(t.B @ t.Y @ t.R, axis=1),
        eb.sum(t.B @ (t.Y @ t.R), axis=1),
        eb.einsum("ck->k", (t.B @ t.Y).T),
    ]  # fmt: skip
    assert {str(way).replace("y_", "y") for way in ways} == {"y[k] = B[k,n]"}

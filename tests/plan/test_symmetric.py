"""Products of a tensor with itself are made of one array, and are what they would be otherwise."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import einback as eb
from einback.ir.build import einsum, power, total
from einback.ir.nodes import Map, Node
from einback.rules.simplify import normalise
from tests.interpreter import evaluate
from tests.run.random_programs import arrays_for, programs
from tests.run.test_programs import check, run

M, N = 200, 64
RNG = np.random.default_rng(0)
X, Z, s, t, w = eb.tensors("X[m,n] Z[m,n] s[m] t[m] w[n]")
p = eb.tensor("p[m]", positive=True)
Q, U, V, q = eb.tensors("Q[b,m,n] U[m,i] V[m,j] q[b,m]")
ARRAYS = {
    "X": RNG.normal(size=(M, N)),
    "Z": RNG.normal(size=(M, N)),
    "s": RNG.normal(size=M),
    "t": RNG.normal(size=M),
    "w": RNG.normal(size=N),
    "p": RNG.uniform(size=M),
    "Q": RNG.normal(size=(3, M, N)),
    "U": RNG.normal(size=(M, 8)),
    "V": RNG.normal(size=(M, 16)),
    "q": RNG.normal(size=(3, M)),
}
SIGMOID = 1 / (1 + np.exp(-ARRAYS["s"]))


def gram(d: eb.Tensor) -> eb.Tensor:
    return eb.einsum("mi,m,mj->ij", X, d, X)


# By the weights that are never negative: the tensor, and NumPy's weights.
WEIGHTS: dict[str, tuple[eb.Tensor, np.ndarray]] = {
    "of logistic regression": (eb.sigmoid(s) * (1 - eb.sigmoid(s)), SIGMOID * (1 - SIGMOID)),
    "of Poisson regression": (eb.exp(s), np.exp(ARRAYS["s"])),
    "of a slope": (1 - eb.tanh(s) ** 2, 1 - np.tanh(ARRAYS["s"]) ** 2),
    "of robust regression": (1 / (1 + s**2), 1 / (1 + ARRAYS["s"] ** 2)),
    "declared positive": (p, ARRAYS["p"]),
    "squared": (s**2, ARRAYS["s"] ** 2),
    "a mask": (s > 0, ARRAYS["s"] > 0),
    "a product": (
        (s > 0) * t**2 * eb.exp(s) * p,
        (ARRAYS["s"] > 0) * ARRAYS["t"] ** 2 * np.exp(ARRAYS["s"]) * ARRAYS["p"],
    ),
    "summed": (eb.sum(Z**2, axis="n"), (ARRAYS["Z"] ** 2).sum(axis=1)),
}  # fmt: skip

OTHERS: dict[str, tuple[eb.Tensor, Any]] = {
    "a mean": (X.T @ X / X.size("m"), lambda a: a["X"].T @ a["X"] / M),
    "several factors": (
        eb.einsum("ma,mb,mc,md->abcd", U, V, U, V),
        lambda a: np.einsum("ma,mb,mc,md->abcd", a["U"], a["V"], a["U"], a["V"], optimize=True),
    ),
    "factors entry by entry": (
        eb.einsum("mi,mi,mj,mj->ij", X, Z, X, Z),
        lambda a: (a["X"] * a["Z"]).T @ (a["X"] * a["Z"]),
    ),
    "batches": (
        eb.einsum("bmi,bm,bmj->bij", Q, eb.exp(q), Q),
        lambda a: np.einsum("bmi,bm,bmj->bij", a["Q"], np.exp(a["q"]), a["Q"], optimize=True),
    ),
    "batches of weights": (
        eb.einsum("mi,bm,mj->bij", X, eb.exp(q), X),
        lambda a: np.einsum("mi,bm,mj->bij", a["X"], np.exp(a["q"]), a["X"], optimize=True),
    ),
    "batches on both sides": (
        eb.einsum("mi,bm,cm,mj->bicj", X, eb.exp(q), eb.exp(q), X),
        lambda a: np.einsum("mi,bm,cm,mj->bicj", a["X"], np.exp(a["q"]), np.exp(a["q"]), a["X"], optimize=True),
    ),
    "a ridge": (
        gram(eb.exp(s)) / 2 + 3 * eb.eye("n"),
        lambda a: a["X"].T @ (a["X"] * np.exp(a["s"])[:, None]) / 2 + 3 * np.eye(N),
    ),
    "weights of two axes": (
        eb.einsum("mi,mn,mj->ij", X, Z**2, X),
        lambda a: a["X"].T @ (a["X"] * (a["Z"] ** 2).sum(axis=1)[:, None]),
    ),
}


def of(y: eb.Tensor, **changed: np.ndarray) -> dict[str, np.ndarray]:
    return {x.name: changed.get(x.name, ARRAYS[x.name]) for x in y.inputs}


def products_of_one_array(y: Any, **arrays: np.ndarray) -> int:
    """How many lines of the program multiply the transpose of an array with the array."""
    step = eb.compile(y)
    step(**arrays)
    view = r"(?:_T|_\d+|\.T|\.transpose\([\d, ]*\)(?:\.reshape\([\d, ]*\))?)"
    return len(re.findall(rf"\b(\w+?){view}\.dot\(\1(?:_\d+)?\b|np\.matmul\((\w+?){view}, \2\b", step.source()))


@pytest.mark.parametrize(("d", "weights"), WEIGHTS.values(), ids=WEIGHTS)
def test_weights_that_are_never_negative(d: eb.Tensor, weights: np.ndarray) -> None:
    y = gram(d)
    assert products_of_one_array(y, **of(y)) == 1
    got, want = eb.evaluate(y, **of(y)), ARRAYS["X"].T @ (ARRAYS["X"] * weights[:, None])
    size = np.sqrt(np.outer(np.diag(want), np.diag(want)))
    assert np.abs((got - want) / size).max() < 1e-14
    assert np.array_equal(got, got.T)


@pytest.mark.parametrize(("y", "by_hand"), OTHERS.values(), ids=OTHERS)
def test_other_products(y: eb.Tensor, by_hand: Any) -> None:
    assert products_of_one_array(y, **of(y)) == 1
    np.testing.assert_allclose(eb.evaluate(y, **of(y)), by_hand(ARRAYS), rtol=1e-12, atol=1e-11)


LEFT_ALONE: dict[str, tuple[eb.Tensor, dict[str, np.ndarray]]] = {
    "weights of either sign": (gram(s), {}),
    "a difference": (gram(1 - eb.sin(s) ** 2 - eb.tanh(t) ** 2), {}),
    "two different sides": (eb.einsum("mi,m,mj->ij", X, eb.exp(s), Z), {}),
    "few rows": (gram(eb.exp(s)), {"X": RNG.normal(size=(M, 16))}),
    "more rows than terms": (gram(eb.exp(s)), {"X": RNG.normal(size=(M, 201))}),
    "a small product": (gram(eb.exp(s)), {"X": RNG.normal(size=(40, 33)), "s": RNG.normal(size=40)}),
    "weights of several batches": (eb.einsum("mi,bm,cm,mj->bcij", X, eb.exp(q), q**2, X), {}),
    "halves": (gram(eb.exp(s)), {"X": ARRAYS["X"].astype(np.float16), "s": ARRAYS["s"].astype(np.float16)}),
    "whole numbers": (gram(s**2), {"X": RNG.integers(-3, 3, (M, N)), "s": RNG.integers(-3, 3, M)}),
    "complex numbers": (gram(eb.exp(s)), {"X": ARRAYS["X"] * 1j}),
}


@pytest.mark.parametrize(("y", "arrays"), LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_what_is_left_alone(y: eb.Tensor, arrays: dict[str, np.ndarray]) -> None:
    assert products_of_one_array(y, **of(y, **arrays)) == 0


def test_an_outer_product_of_products_stays_one() -> None:
    """(X' D X) o (Z' Z), the matrix of Kronecker's factors, is contracted factor by factor."""
    y = eb.einsum("ma,mb,m,pc,pd->acbd", X, X, eb.exp(s), Z, Z)
    assert eb.compile(y).plan(of(y)).flops < 4 * M * N**2 + 2 * N**4


@given(data=st.data())
def test_random_programs_where_every_size_is_large_enough(data: st.DataObject) -> None:
    roots, inputs = data.draw(programs())
    large = [root for root in roots if 1 < root.rank < 4]
    roots = (*roots, *map(weighted, large), *(total(power(root, 2), range(root.rank)) for root in large))
    sizes, arrays = arrays_for(inputs, data.draw(st.integers(0, 99)))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_WORTH_HALVING", "_WORTH_ROWS", "_WORTH_A_DOT", "_LARGE"):
            patch.setattr(f"einback.plan.symmetric.{name}", 0)
        check(run(normalise(roots), inputs, sizes, arrays), evaluate(roots, arrays, sizes), 1e-7)


def weighted(x: Node) -> Node:
    """x' diag(w) x over the first axis, with weights w made from x."""
    rest = range(1, x.rank)
    across = [k + x.rank for k in rest]
    return einsum([x, Map("abs", (total(x, rest),)), x], [(0, *rest), (0,), (0, *across)], [*rest, *across])


SPECIAL = {
    "zeros": [0.0, 0.0, 1.0],
    "subnormal numbers": [5e-324, 1e-310, 1.0],
    "infinity": [np.inf, 1.0, 2.0],
    "NaN": [np.nan, 1.0, 2.0],
    "extremes": [1e-300, 1e300, 0.0],
}


@pytest.mark.parametrize("values", SPECIAL.values(), ids=SPECIAL)
@pytest.mark.parametrize("zero", [False, True])
def test_special_weights(values: list[float], zero: bool) -> None:
    """The same as where the sign of the weights is unknown, NaN and infinities included."""
    x = ARRAYS["X"].copy()
    x[:3, :5] = 0 if zero else 1e-5
    x[4, 7] = np.inf
    got, want = (eb.evaluate(gram(d), X=x, s=np.resize(values, M)) for d in (abs(s), s))
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14 * np.abs(want[np.isfinite(want)]).max(initial=0))


def test_single_precision() -> None:
    y = gram(eb.exp(s))
    arrays = {name: array.astype(np.float32) for name, array in of(y).items()}
    assert products_of_one_array(y, **arrays) == 1
    got = eb.evaluate(y, **arrays)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, eb.evaluate(y, **of(y)), rtol=1e-4, atol=1e-4)


def test_rows_of_length_zero_have_no_direction() -> None:
    """x / |x| counts as 0 at 0 in the product of normalised rows too."""
    y = gram(1 / eb.sum(X**2, axis="n"))
    x = ARRAYS["X"].copy()
    x[3] = 0
    unit = np.delete(x, 3, axis=0)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    assert products_of_one_array(y, X=x) == 1
    np.testing.assert_allclose(eb.evaluate(y, X=x), unit.T @ unit, rtol=1e-12, atol=1e-12)


def test_hessian_and_newton_step_of_logistic_regression() -> None:
    f = eb.sum(eb.logaddexp(0, -s * (X @ w))) + eb.sum(w * w) / 2
    H, g = eb.hessian(f, w), eb.grad(f, w)
    slope = 1 / (1 + np.exp(ARRAYS["s"] * (ARRAYS["X"] @ ARRAYS["w"])))
    d = ARRAYS["s"] ** 2 * slope * (1 - slope)
    want = ARRAYS["X"].T @ (ARRAYS["X"] * d[:, None]) + np.eye(N)
    step = eb.compile([H, w - eb.linalg.solve(H, g)])
    found, moved = step(**of(f))
    np.testing.assert_allclose(found, want, rtol=1e-12, atol=1e-12)
    down = ARRAYS["w"] - ARRAYS["X"].T @ (ARRAYS["s"] * slope)
    np.testing.assert_allclose(moved, ARRAYS["w"] - np.linalg.solve(want, down), rtol=1e-10, atol=1e-12)
    assert products_of_one_array(H, **of(f)) == 1


LARGE = {"X": RNG.normal(size=(300, 100))}


@pytest.mark.parametrize("y", [eb.sum(X**2), eb.mean(X**2), eb.sum((2 * X - 1) ** 2)], ids=["sum", "mean", "of a sum"])
def test_squares_are_not_formed_for_their_sum(y: eb.Tensor) -> None:
    step = eb.compile(y)
    got = step(LARGE)
    assert "np.vdot(" in step.source()
    assert "np.square(" not in step.source()
    squares = (LARGE["X"] if "2 X" not in str(y) else 2 * LARGE["X"] - 1) ** 2
    np.testing.assert_allclose(got, squares.mean() if "size" in str(y) else squares.sum(), rtol=1e-14)


@pytest.mark.parametrize("shape", [(300, 10), (10, 100)])
def test_small_squares_are_formed(shape: tuple[int, int]) -> None:
    step = eb.compile(eb.sum(X**2))
    step(X=np.ones(shape))
    assert "np.square(" in step.source()


def test_the_gradient_of_a_large_norm_at_zero() -> None:
    norm = eb.sqrt(eb.sum(X**2))
    value, gradient = eb.evaluate((norm, eb.grad(norm, X)), X=np.zeros((300, 100)))
    assert value == 0
    assert not gradient.any()

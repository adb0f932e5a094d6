"""A derivative by a matrix, column by column: what is printed for the columns of a matrix of a known size is them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import einback as eb
from einback.api.printing import subject
from einback.errors import NotationError
from einback.formula.matrix.statements import read_page
from tests.formula.matrix.reader import joined, read

SIZES = {"m": 4}
W, x, b, v, A = eb.tensors("W[m,3] x[3] b[m] v[m] A[5,m]")
y = W @ x + b
CASES = {
    "affine": (eb.jacobian(y, W), "∂y/∂W = [x_1 I, x_2 I, x_3 I]"),
    "dense": (eb.jacobian(eb.sigmoid(y), W), "∂y/∂W = [x_1 D, x_2 D, x_3 D]"),
    "turned": (eb.jacobian(W.T @ v, W), "∂y/∂W = [e_1 vᵀ, e_2 vᵀ, e_3 vᵀ]"),
    "through": (eb.jacobian(eb.tanh(A @ y), W), "∂y/∂W = [x_1 D, x_2 D, x_3 D]"),
    "rows": (eb.jacobian(eb.sum(W**2, axis=1), W), "∂y/∂W = [diag(2 W e_1), diag(2 W e_2), diag(2 W e_3)]"),
    "inner": (
        eb.jacobian(W @ eb.tanh(x), W),
        "∂y/∂W = [(tanh(x)ᵀ e_1) I, (tanh(x)ᵀ e_2) I, (tanh(x)ᵀ e_3) I]",
    ),
    "scalar": (eb.grad(eb.sum(eb.sin(y)), W), "∂L/∂W = [x_1 g, x_2 g, x_3 g]"),
    "entries": (eb.grad(eb.sum(W**3), W), "∂L/∂W = [3 W^⊙2 e_1, 3 W^⊙2 e_2, 3 W^⊙2 e_3]"),
}


@pytest.mark.parametrize("case", CASES)
def test_columns(case: str) -> None:
    derivative, shown = CASES[case]
    text = derivative.text(notation="columns")
    first, *where = joined(text).splitlines()
    assert first == shown
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {
        one.name: rng.normal(size=[SIZES.get(size, size) for size in one.shape]) for one in derivative.inputs
    }
    wanted = eb.evaluate(derivative, **arrays)
    env = arrays | {f"e_{k + 1}": np.eye(3)[k] for k in range(3)}
    env |= {f"x_{k + 1}": np.array(arrays["x"][k]) for k in range(3) if "x" in arrays}
    nodes = read_page(subject(derivative)).nodes
    shapes = {name: tuple(SIZES.get(size, size) for size in node.shape) for name, node in nodes.items()}
    shapes |= {"D": wanted.shape[:-1], "g": wanted.shape[:-1]}
    columns = first.partition("[")[2].removesuffix("]").split(", ")
    for k, column in enumerate(columns):
        found = read("\n".join([f"c = {column}", *where]), env, SIZES, (*wanted.shape[:-1], 1)[:2], shapes)
        assert np.allclose(found.reshape(wanted.shape[:-1]), wanted[..., k], rtol=1e-9)


def test_a_size_that_is_not_known_leaves_columns_out() -> None:
    W, x = eb.tensors("W[m,n] x[n]")
    assert eb.jacobian(W @ x, W).text(notation="columns") == "∂y/∂W = [x_1 I, …, x_n I]"
    assert eb.jacobian(W @ x, W).latex(notation="columns") == (
        r"\frac{\partial y}{\partial W} = \left[x_{1} I,\; \dots,\; x_{n} I\right]"
    )


@pytest.mark.parametrize(
    ("tensor", "fact"),
    [
        (y, "columns are those of a derivative by a matrix"),
        (eb.jacobian(y, x), "columns are those of a derivative by a matrix"),
        (eb.jacobian(W @ W.T, W), "each column of the derivative of a matrix has three axes"),
    ],
)
def test_what_has_no_columns(tensor: Any, fact: str) -> None:
    with pytest.raises(NotationError, match=fact):
        tensor.text(notation="columns")

"""Common factors leave a sum where the sum becomes smaller, and stay where it does not."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import einback as eb
from einback.ir.nodes import Add, Node
from einback.ir.walk import postorder
from einback.rules.simplify import simplify

RNG = np.random.default_rng(0)
SIZES = {"n": 3, "d": 4, "h": 2, "c": 5}
X, Z, a, b, p, W = eb.tensors("X[n,d] Z[n,d] a[n,h] b[n,h] p[n,c] W[h,c]")
HIDDEN = eb.einsum("nd,nh->ndh", X, a)  # X below another product
SPREAD = eb.einsum("nc->ncc", p) - eb.einsum("nc,nC->ncC", p, p)


def sums(node: Node) -> list[int]:
    """The ranks of the sums of a program."""
    return sorted(one.rank for one in postorder([node]) if isinstance(one, Add) and len(one.terms) > 1)


CASES: dict[str, tuple[eb.Tensor, list[int], Callable[..., Any]]] = {
    "an axis of its own": (
        HIDDEN - eb.einsum("nd,nh->ndh", X, b),
        [2],
        lambda X, a, b: np.einsum("nd,nh->ndh", X, a - b),
    ),
    "below a sum over another index": (
        eb.einsum("ndh->nd", HIDDEN) + eb.einsum("nd,nh,nh->nd", X, b, b),
        [1],
        lambda X, a, b: X * (a + b**2).sum(1, keepdims=True),
    ),
    "inside nested products": (
        eb.einsum("ndh,hc->ndhc", HIDDEN, W) + eb.einsum("ndh,nc->ndhc", HIDDEN, p),
        [3],
        lambda X, a, p, W: np.einsum("nd,nh,nhc->ndhc", X, a, W + p[:, None, :]),
    ),
    "two factors, one after the other": (
        eb.einsum("nd,nh,hc->ndhc", X, a, W) - eb.einsum("nd,nh,nc->ndhc", X, b, p),
        [3],
        lambda X, a, b, p, W: np.einsum("nd,nhc->ndhc", X, a[:, :, None] * W - b[:, :, None] * p[:, None, :]),
    ),
    "others have its axes": (
        X * eb.exp(Z) + X * eb.sin(Z),
        [2],
        lambda X, Z: X * (np.exp(Z) + np.sin(Z)),
    ),
    "in one term only": (
        HIDDEN + eb.einsum("nd,nh->ndh", Z, b),
        [3],
        lambda X, Z, a, b: np.einsum("nd,nh->ndh", X, a) + np.einsum("nd,nh->ndh", Z, b),
    ),
    "sums with diagonals stay distributed": (
        eb.einsum("nd,ncC->dncC", X, SPREAD),
        [4],
        lambda X, p: np.einsum("nd,ncC->dncC", X, p[:, :, None] * (np.eye(5) - p[:, None, :])),
    ),
}


@pytest.mark.parametrize(("y", "ranks", "by_hand"), CASES.values(), ids=CASES)
def test_sums(y: eb.Tensor, ranks: list[int], by_hand: Callable[..., Any]) -> None:
    (node,) = simplify([y.node])
    assert sums(node) == ranks
    arrays = {x.name: RNG.normal(size=[SIZES[str(size)] for size in x.shape]) for x in y.inputs}
    np.testing.assert_allclose(eb.evaluate(y, **arrays), by_hand(**arrays), rtol=1e-12, atol=1e-14)


def test_it_prints() -> None:
    y = HIDDEN - eb.einsum("nd,nh->ndh", X, b)
    assert str(y) == "y[n,d,h] = X[n,d] (a[n,h] - b[n,h])"

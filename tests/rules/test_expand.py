"""Expansion keeps the value exactly, distributes what it says, and leaves the rest alone."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import einback as eb
from einback.errors import EinbackError
from einback.ir.build import power
from einback.ir.nodes import Einsum, Input, Node
from einback.ir.verify import verify
from einback.ir.walk import postorder
from einback.rules.expand import expand
from einback.rules.simplify import simplify
from tests.interpreter import TooLargeError, evaluate
from tests.run.random_programs import Draw, arrays_for, programs


class Polynomials(Draw):
    """Sums, products and powers of them."""

    def grow(self) -> None:
        node = self.pick([self.product, self.sum, self.sum, self.whole_power])()
        if node.rank <= 4:
            self.pool.append(node)

    def whole_power(self) -> Node:
        return power(self.pick(self.pool), self.pick([2, 2, 3, 4]))


@st.composite
def polynomials(draw: Any) -> tuple[tuple[Node, ...], list[Input]]:
    grower = Polynomials(draw, exact=True)
    for _ in range(draw(st.integers(2, 6))):
        grower.grow()
    return (grower.pool[-1],), [*grower.inputs, *grower.ids]


@pytest.mark.parametrize("drawn", [programs(exact=True), polynomials()], ids=["programs", "polynomials"])
@given(data=st.data())
def test_random_programs_keep_their_value_exactly(data: st.DataObject, drawn: Any) -> None:
    roots, inputs = data.draw(drawn)
    sizes, arrays = arrays_for(inputs, data.draw(st.integers(0, 2**32)), exact=True)
    ids = {tensor.name for tensor in inputs if tensor.facts}
    floats = {name: array if name in ids else array.astype(float) for name, array in arrays.items()}
    expanded = [expand(root) for root in roots]
    verify(expanded)
    try:
        values = evaluate(list(postorder([*roots, *expanded])), floats, sizes)
    except TooLargeError:
        assume(False)
    assume(all((np.abs(value) < 2**53).all() for value in values))  # floats that are exact integers
    for got, want in zip(evaluate(expanded, floats, sizes), evaluate(roots, floats, sizes), strict=True):
        np.testing.assert_array_equal(got, want)


T, A, B, C = eb.tensors("T[i,j,k] A[i,r] B[j,r] C[k,r]")
P, Q, a, c, v = eb.tensors("P[n,d] Q[m,d] a[i] c[j] v[k]")
Z, D = eb.tensors("Z[i,j] D[i,r]", complex=True)
X = eb.einsum("ir,jr,kr->ijk", A, B, C)
RESIDUAL = eb.sum((T - X) ** 2)
EXPANDED = "y = A[i,r] A[i,r'] B[j,r'] B[j,r] C[k,r] C[k,r'] + T[i,j,k]² - 2 T[i,j,k] C[k,r''] A[i,r''] B[j,r'']"
MODULI = (
    "y = real(z)\n  where z = B[j,r] B[j,r'] D[i,r'] conj(D[i,r]) + Z[i,j] conj(Z[i,j])\n"
    "            - Z[i,j] B[j,r''] conj(D[i,r'']) - conj(Z[i,j]) B[j,k] D[i,k]"
)

DISTRIBUTED = {
    "a residual": (RESIDUAL, EXPANDED),
    "a square": ((a + 1) ** 2, "y[i] = 2 a[i] + a[i]² + 1"),
    "exact weights": ((a / 3 - 2) ** 3, "y[i] = 4 a[i] + 1/27 a[i]³ - 2/3 a[i]² - 8"),
    "products of sums, broadcast": (eb.einsum("i,j->ij", a + 1, c - 2), "y[i,j] = a[i] c[j] + c[j] - 2 a[i] - 2"),
    "inside a contraction": (
        eb.einsum("ijk,k->ij", T - X, v),
        "y[i,j] = T[i,j,k] v[k] - v[k] C[k,r] A[i,r] B[j,r]",
    ),
    "a square of a sum over an index": (eb.sum((P @ Q.T) ** 2), "y = P[n,d] P[n,d'] Q[m,d'] Q[m,d]"),
    "distances": (
        eb.program("D[n,m] = (P[n,d] - Q[m,d])^2")["D"],
        "D[n,m] = P[n,d]² + Q[m,d]² - 2 P[n,d] Q[m,d]",
    ),
    "moduli": (eb.sum(abs(Z - D @ B.T) ** 2), MODULI),
    "moduli as products": (eb.sum(eb.real((Z - D @ B.T) * eb.conj(Z - D @ B.T))), MODULI),
    "fused axes": (eb.sum((eb.flatten(T) - eb.flatten(X)) ** 2), EXPANDED),
    "parted axes": (
        eb.program("L = (T[i,j,k] - A[i,r] U[(j k),r])^2")["L"],
        "L = A[i,r] A[i,r'] U[p,r'] U[p,r] + T[i,j,k]² - 2 A[i,r''] T[i,j',k'] U[(j' k'),r'']",
    ),
    "a sum of residuals": (
        1 - RESIDUAL / 2,
        "y = T[i,j,k] C[k,r] A[i,r] B[j,r] + 1 - 1/2 A[i',r'] A[i',r''] B[j',r''] B[j',r'] C[k',r'] C[k',r'']\n"
        "    - 1/2 T[i'',j'',k'']²",
    ),
}

LEFT_ALONE = {
    "an input": T,
    "a product without sums": eb.einsum("ir,jr,ij->", A, B, Z),
    "a square of a product": eb.einsum("i,j->ij", a, c) ** 2,
    "a high power": (a + 1) ** 5,
    "a root": eb.sqrt(RESIDUAL),
    "an inverse": 1 / (a + 1) ** 2,
    "inside a function": eb.sum(eb.exp((a + 1) ** 2)),
    "a choice": eb.sum(eb.where(T > 0, T - X, 0) ** 2),
    "a maximum": eb.max((a + 1) ** 2),
    "windows": eb.program("y[i] = (x[i+u] K[u])^2")["y"],
    "more than 100 terms": (a + eb.sin(a) + eb.sin(2 * a) + eb.sin(3 * a) + eb.sin(4 * a) + eb.sin(5 * a)) ** 4,
}

SIZES = {"i": 2, "j": 3, "k": 4, "r": 2, "n": 3, "d": 2, "m": 4, "p": 12}


def drawn(y: eb.Tensor) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    found = {}
    for x in y.inputs:
        shape = [SIZES["p"] if "*" in str(size) else SIZES[str(size)] for size in x.shape]
        found[x.name] = rng.normal(size=shape) + (1j * rng.normal(size=shape) if x.node.is_complex else 0)
    return found


@pytest.mark.parametrize(("y", "text"), DISTRIBUTED.values(), ids=DISTRIBUTED)
def test_what_is_distributed(y: eb.Tensor, text: str) -> None:
    expanded = eb.expand(y)
    assert str(expanded) == text
    assert (expanded.names, expanded.shape, expanded.name) == (y.names, y.shape, y.name)
    assert eb.expand(expanded).node is expanded.node
    assert expanded.node.is_complex == y.node.is_complex
    arrays = drawn(y)
    np.testing.assert_allclose(eb.evaluate(expanded, **arrays), eb.evaluate(y, **arrays), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("y", "_text"), DISTRIBUTED.values(), ids=DISTRIBUTED)
def test_derivatives_of_the_expanded_form(y: eb.Tensor, _text: str) -> None:
    expanded, arrays = eb.sum(eb.expand(y)), drawn(y)
    gradients = eb.evaluate(eb.grad(expanded, y.inputs), **arrays)
    for got, want in zip(gradients, eb.evaluate(eb.grad(eb.sum(y), y.inputs), **arrays), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("y", LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_what_is_left_alone(y: eb.Tensor) -> None:
    assert eb.expand(y).node is simplify([y.node])[0]


def test_long_chains_stay_nested() -> None:
    """A product of very many factors is not written out, and no walk recurses."""
    W = eb.tensor("W[n,n]")
    chain = W
    for _ in range(2000):
        chain = chain @ W
    y = eb.expand(eb.sum((chain - W) ** 2))
    assert max(len(node.operands) for node in postorder([y.node]) if isinstance(node, Einsum)) <= 50


def test_a_residual_forms_no_array_of_its_size() -> None:
    """Two passes over T for the value and three gradients, where the residual as written takes three."""
    n, r = 40, 5
    rng = np.random.default_rng(0)
    arrays = {"T": rng.normal(size=(n, n, n)), **{name: rng.normal(size=(n, r)) for name in "ABC"}}
    plans, results = [], []
    for y in (RESIDUAL, eb.expand(RESIDUAL)):
        step = eb.compile([y, *eb.grad(y, [A, B, C])])
        results.append(step(arrays))
        plans.append(step.plan())
    for got, want in zip(*results, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10 * np.abs(want).max())
    plain, expanded = plans
    assert plain.flops > 6 * n**3 * r
    assert expanded.flops < 4 * n**3 * r + 2 * n**3 + 20 * n**2 * r
    assert max(math.prod(step.shape) for step in expanded.steps) == n * n * r


def test_the_error_it_costs() -> None:
    """eps (|T| / |T - X|)² of the value, and of gradients no more than they had, against exact fractions."""
    rng = np.random.default_rng(0)
    small = 1e-6
    factors = {name: rng.normal(size=(6, 2)) for name in "ABC"}
    product = np.einsum("ir,jr,kr->ijk", *factors.values())
    arrays = {"T": product * (1 + small * rng.choice([-1, 1], size=product.shape)), **factors}
    exact = {name: np.vectorize(Fraction, otypes=[object])(array) for name, array in arrays.items()}
    E = exact["T"] - np.einsum("ir,jr,kr->ijk", exact["A"], exact["B"], exact["C"])
    value = float((E**2).sum())
    slope = (-2 * np.einsum("ijk,jr,kr->ir", E, exact["B"], exact["C"])).astype(float)

    def errors(y: eb.Tensor) -> tuple[float, float]:
        found, gradient = eb.evaluate((y, eb.grad(y, A)), **arrays)
        return abs(found / value - 1), np.abs(gradient - slope).max() / np.abs(slope).max()

    eps = np.finfo(float).eps
    plain, expanded = errors(RESIDUAL), errors(eb.expand(RESIDUAL))
    assert max(plain) < 10 * eps / small
    assert 1e5 * plain[0] < expanded[0] < 10 * eps / small**2
    assert expanded[1] < 10 * eps / small


def test_only_tensors_are_expanded() -> None:
    with pytest.raises(EinbackError, match="tensors are expanded, and this is of type int"):
        eb.expand(3)

"""Confluence: however terms, factors and labels are ordered, the normal form is the same node and prints the same."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import einback as eb
from einback.rules.simplify import normalise
from tests.oracles.index_programs import programs
from tests.oracles.index_text import Program
from tests.oracles.slow import SLOW

_DECLARED = "A[n,n] B[n,m] C[m,n] u[n] v[m] w[n] s[]"
_MADE = "V[n,n] M[n,n] R[n,m] d[]"  # an inverse, a mask, rows looked up, a determinant
_LETTERS = {"n": "abc", "m": "de"}


def _tensors() -> dict[str, Any]:
    names = [declared.partition("[")[0] for declared in _DECLARED.split()]
    given_tensors = dict(zip(names, eb.tensors(_DECLARED), strict=True))
    ids, A = eb.tensor("ids[n]", integer=True), given_tensors["A"]
    p = eb.program("R[i,j] = B[ids[i],j]\n M[i,k] = ones[i] ones[k] (i >= k)", B=given_tensors["B"], ids=ids, i="n")
    return given_tensors | {"V": eb.linalg.inv(A), "M": p["M"], "R": p["R"], "d": eb.linalg.det(A)}


def _normal(y: Any) -> Any:
    (node,) = normalise((y.node,))
    return node


@st.composite
def products(draw: st.DrawFn) -> list[tuple[str, str]]:
    """The factors of a scalar product: tensors and their labels."""
    declared = f"{_DECLARED} {_MADE}".split()
    shapes = {d.partition("[")[0]: d.partition("[")[2].strip("]").replace(",", "") for d in declared}
    names = draw(st.lists(st.sampled_from(sorted(shapes)), min_size=1, max_size=4))
    return [(name, "".join(draw(st.sampled_from(_LETTERS[size])) for size in shapes[name])) for name in names]


@st.composite
def sums(draw: st.DrawFn) -> list[tuple[int, list[tuple[str, str]]]]:
    weights = st.sampled_from((-3, -1, 1, 2))
    return [(draw(weights), draw(products())) for _ in range(draw(st.integers(1, 4)))]


def _product(factors: list[tuple[str, str]], rng: random.Random) -> Any:
    """The einsum of the factors in a random order, under renamed labels."""
    tensors = _tensors()
    factors = rng.sample(factors, len(factors))
    letters = sorted(set("".join(labels for _, labels in factors)))
    renamed = str.maketrans(dict(zip(letters, rng.sample("pqrstuvw", len(letters)), strict=True)))
    spec = ",".join(labels.translate(renamed) for _, labels in factors) + "->"
    return eb.einsum(spec, *(tensors[name] for name, _ in factors))


def _sum(terms: list[tuple[int, list[tuple[str, str]]]], rng: random.Random) -> Any:
    """The weighted sum, the terms in a random order and nested at random."""
    parts = [weight * _product(factors, rng) for weight, factors in terms]
    rng.shuffle(parts)
    while len(parts) > 1:
        k = rng.randrange(len(parts) - 1)
        parts[k : k + 2] = [parts[k] + parts[k + 1]]
    return parts[0]


@given(terms=sums(), seed=st.integers(0, 10**6))
def test_shuffled_polynomials_have_one_normal_form(terms: list[Any], seed: int):
    rng = random.Random(seed)
    first, second = _sum(terms, rng), _sum(terms, rng)
    assert _normal(first) is _normal(second)


@given(terms=sums(), seed=st.integers(0, 10**6))
def test_shuffled_polynomials_have_one_gradient(terms: list[Any], seed: int):
    rng = random.Random(seed)
    first, second = eb.tanh(_sum(terms, rng)), eb.tanh(_sum(terms, rng))
    for x in first.inputs:
        if x.name != "ids":
            assert _normal(eb.grad(first, x)) is _normal(eb.grad(second, x))


def _shuffled(program: Program, rng: random.Random) -> Any:
    """The index program read with its terms and factors in a random order, from tensors whose sizes are numbers."""
    lines = []
    for line in program.lines:
        products = [
            replace(product, factors=tuple(rng.sample(product.factors, len(product.factors))))
            for product in rng.sample(line.products, len(line.products))
        ]
        lines.append(replace(line, products=tuple(products)))
    text = replace(program, lines=lines).text()
    tensors = {
        name: eb.tensor(f"{name}[{','.join(map(str, shape))}]", integer=name in program.below)
        for name, shape in program.shapes.items()
    }
    return eb.program(text, **tensors, **program.sizes)


@SLOW
@given(program=programs(), seed=st.integers(0, 10**6))
def test_shuffled_index_text_has_one_normal_form(program: Program, seed: int):
    """Convolutions, gathers, groups and masks; axes that are reduced together keep the order they are written in."""
    assume(all(len(line.inner) < 2 for line in program.lines))
    rng = random.Random(seed)
    first, second = _shuffled(program, rng), _shuffled(program, rng)
    for line in program.lines:
        one, other = eb.sum(eb.sin(first[line.name])), eb.sum(eb.sin(second[line.name]))
        assert _normal(one) is _normal(other)
        for x in one.inputs:
            if x.name not in program.below:
                assert _normal(eb.grad(one, x)) is _normal(eb.grad(other, x))


_SAME = [
    ("bilinear form", lambda t: t["u"] @ t["A"] @ t["w"], lambda t: t["w"] @ t["A"].T @ t["u"]),
    ("powers", lambda t: t["u"] * t["u"] * t["u"], lambda t: t["u"] ** 2 * t["u"]),
    ("like terms", lambda t: 2 * t["u"] - t["w"] + t["u"], lambda t: 3 * t["u"] - t["w"]),
    ("softmax", lambda t: eb.softmax(t["u"]), lambda t: eb.exp(t["u"]) / eb.sum(eb.exp(t["u"]))),
    ("softplus", lambda t: eb.softplus(t["u"]), lambda t: eb.log(1 + eb.exp(t["u"]))),
    ("log of a softmax", lambda t: eb.log_softmax(t["u"]), lambda t: eb.log(eb.softmax(t["u"]))),
    ("cancelled", lambda t: t["w"] - t["w"] + t["u"], lambda t: t["u"]),
    ("double transpose", lambda t: t["A"].T.T @ t["u"], lambda t: t["A"] @ t["u"]),
    ("identity", lambda t: eb.eye("n") @ t["u"], lambda t: t["u"]),
]


@pytest.mark.parametrize(("one", "other"), [pair[1:] for pair in _SAME], ids=[pair[0] for pair in _SAME])
def test_two_ways_to_write_it(one: Any, other: Any):
    tensors = _tensors()
    y, z = one(tensors), other(tensors)
    assert _normal(y) is _normal(z)
    assert str(eb.tanh(y)) == str(eb.tanh(z))


def test_a_derivative_is_stable_however_the_function_was_written():
    u = _tensors()["u"]
    slope = eb.grad(eb.sum(eb.log(1 + eb.exp(u))), u)
    assert str(slope) == "du[n] = sigmoid(u[n])"


def test_a_trace_of_a_product_is_one_contraction():
    t = _tensors()
    assert _normal(eb.einsum("ij,ji->", t["B"], t["C"])) is _normal(eb.einsum("ii->", t["C"] @ t["B"]))


def test_the_hessian_of_a_quadratic_form_does_not_read_x():
    tensors = _tensors()
    x, A = tensors["u"], tensors["A"]
    hessian = eb.hessian(x @ A @ x, x)
    assert _normal(hessian) is _normal(A + A.T)

"""Jacobians as one matrix, read back and compared with the derivative's entries, for both layouts and both vecs."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

import einback as eb
from einback.api.printing import subject
from einback.errors import NotationError
from einback.formula.matrix.statements import read_page
from tests.formula.matrix.programs import INPUTS, SIZES, Made, arrays, programs
from tests.formula.matrix.reader import read
from tests.formula.matrix.test_products import COUNTS, HONEST, refused, sides

ENTRIES = (*HONEST, "an index of one side meets two of the other", "indices, and a matrix has two")


def flat(array: Any, rank: int, vec: str) -> Any:
    """An array whose first axes are those of the result, as a matrix."""
    shapes = array.shape[:rank], array.shape[rank:]
    rows, columns = (int(np.prod(shape)) for shape in shapes)
    if vec == "column":
        front, back = range(rank)[::-1], range(rank, array.ndim)[::-1]
        array = array.transpose(*front, *back)
    return array.reshape(rows, columns)


def check_vec(derivative: Any, rank: int, layout: str, vec: str, seed: int = 0) -> str:
    """The text, if what it says is the derivative; the reason, where it is refused."""
    try:
        text = derivative.text(notation="vec", layout=layout, vec=vec)
    except NotationError as error:
        return refused("vec", error, ENTRIES)
    COUNTS["vec printed"] += 1
    env = arrays(seed)
    page = read_page(subject(derivative))
    needed = {one.name: env[one.name] for one in derivative.inputs}
    wanted = flat(eb.evaluate(derivative, **needed), rank, vec)
    wanted = wanted if layout == "numerator" else wanted.T
    shapes = {name: sides(node.shape) for name, node in page.nodes.items()}
    found = read(text, needed, SIZES, wanted.shape, shapes)
    assert np.allclose(found, wanted, rtol=1e-9, atol=1e-9 * max(1.0, float(np.abs(wanted).max()))), text
    return text


def derivatives(made: Made, data: st.DataObject) -> tuple[Any, int] | None:
    known = sorted((one for one in made.value.inputs if one.name in INPUTS), key=lambda one: -one.ndim)
    if not known:
        return None
    by = data.draw(st.sampled_from(known))
    if made.value.ndim or data.draw(st.booleans()):
        return eb.jacobian(made.value, by), made.value.ndim
    return eb.hessian(made.value, by), by.ndim


LAYOUTS = st.sampled_from(("numerator", "denominator"))
VECS = st.sampled_from(("column", "row"))


@given(programs(4), st.data(), LAYOUTS, VECS)
def test_random_derivatives(made: Made, data: st.DataObject, layout: str, vec: str) -> None:
    found = derivatives(made, data)
    if found is not None:
        check_vec(*found, layout, vec)


A, B, S, T, x, u, y = (INPUTS[name] for name in "ABSTxuy")
DECLARED = {
    "transpose": (A.T, A, "K_nm"),
    "itself": (A, A, "I"),
    "negative": (-A, A, "−I"),
    "between": (S @ A @ T, A, "Tᵀ ⊗ S"),
    "between, turned": ((S @ A @ T).T, A, "(S ⊗ Tᵀ) K_nm"),
    "square": (S @ S, S, "Sᵀ ⊗ I_n + I_n ⊗ S"),
    "gram": (A.T @ A, A, "(Aᵀ ⊗ I_m) K_nm + I_m ⊗ Aᵀ"),
    "inverse": (eb.linalg.inv(S), S, "−S⁻ᵀ ⊗ S⁻¹"),
    "entrywise": (eb.tanh(S @ A), A, "diag(vec(1 − tanh(S A)^⊙2)) (I_m ⊗ S)"),
    "product with a tensor": (A * B.T, A, "diag(vec(Bᵀ))"),
    "vector": (A @ y, A, "yᵀ ⊗ I_n"),
    "vector, turned": (A.T @ x, A, "I_m ⊗ xᵀ"),
    "entrywise vector": (eb.exp(A @ y), A, "diag(exp(A y)) (yᵀ ⊗ I_n)"),
    "quadratic form": (x @ A @ y, A, "xᵀ (yᵀ ⊗ I_n)"),
    "trace": (eb.einsum("ii->", A @ B), A, "vec(Bᵀ)ᵀ"),
    "by a vector": (eb.einsum("i,j->ij", x, y), x, "y ⊗ I_n"),
    "by the other vector": (eb.einsum("i,j->ij", x, y), y, "I_m ⊗ x"),
    "scalar times a matrix": ((x @ x) * A, x, "2 vec(A) xᵀ"),
    "sum of rows": (eb.sum(A, axis=1), A, "1ᵀ ⊗ I_n"),
    "rows repeated": (A + y, y, "I_m ⊗ 1"),
    "softmax of rows": (
        eb.softmax(A, axis=1),
        A,
        "diag(vec(P)) − diag(vec(P)) ((1 1ᵀ) ⊗ I_n) diag(vec(P))",
    ),
    "twice": (S @ u, S, "uᵀ ⊗ I_n"),
}


@pytest.mark.parametrize("vec", ["column", "row"])
@pytest.mark.parametrize("layout", ["numerator", "denominator"])
@pytest.mark.parametrize("case", DECLARED)
def test_declared(case: str, layout: str, vec: str) -> None:
    value, by, shown = DECLARED[case]
    text = check_vec(eb.jacobian(value, by), value.ndim, layout, vec)
    if (layout, vec) == ("numerator", "column"):
        assert text.splitlines()[0].partition(" = ")[2] == shown


def test_hessians_by_a_matrix() -> None:
    value = eb.linalg.logdet(S) + eb.sum((A @ y) ** 2)
    assert check_vec(eb.hessian(value, S), 2, "numerator", "column").endswith("= −(S⁻¹ ⊗ S⁻ᵀ) K_nn")
    assert check_vec(eb.hessian(value, A), 2, "numerator", "column").endswith("= 2 ((y yᵀ) ⊗ I_n)")
    check_vec(eb.hessian(value, A), 2, "denominator", "row")


def test_vec_of_what_is_no_derivative() -> None:
    assert (S @ A @ T).text(notation="vec") == "vec(Y) = (Tᵀ ⊗ S) vec(A)"
    assert (S @ A @ T).text(notation="vec", vec="row") == "vec_r(Y) = (S ⊗ Tᵀ) vec_r(A)"
    assert (S @ A).text(notation="vec") == "vec(Y) = (I_m ⊗ S) vec(A)"
    assert (S @ A @ T - 2 * A).text(notation="vec") == "vec(Y) = (Tᵀ ⊗ S) vec(A) − 2 vec(A)"
    assert A.text(notation="vec", name="a") == "a = vec(A)"


REASONS = (*HONEST, "elsewhere than as one factor of a product", "does not read")


@given(programs(4), st.data(), VECS)
def test_random_programs_by_their_factors(made: Made, data: st.DataObject, vec: str) -> None:
    read_by = sorted(one.name for one in made.value.inputs if one.name in INPUTS and one.ndim)
    if not read_by or made.value.ndim > 2:
        return
    factors = data.draw(st.lists(st.sampled_from(read_by), min_size=1, max_size=3, unique=True))
    check_factors(made.value, factors, vec)


def check_factors(value: Any, factors: list[str], vec: str, seed: int = 0) -> str:
    """The text with vecs of some factors drawn out, if it says what the value is; the reason, where it is refused."""
    try:
        text = value.text(notation="vec", vec=vec, factor=" ".join(factors))
    except NotationError as error:
        return refused("factors", error, REASONS)
    value.latex(notation="vec", vec=vec, factor=" ".join(factors))
    env = arrays(seed)
    page = read_page(subject(value))
    needed = {one.name: env[one.name] for one in value.inputs}
    wanted = flat(eb.evaluate(value, **needed), value.ndim, vec)
    shapes = {name: sides(node.shape) for name, node in page.nodes.items()}
    try:
        found = read(text, needed, SIZES, wanted.shape, shapes)
    except AssertionError as error:  # the reader does not see that log(2) is a scalar
        if "ones of no known size" not in str(error):
            raise
        return text
    COUNTS["factors printed"] += 1
    assert np.allclose(found, wanted, rtol=1e-9, atol=1e-9 * max(1.0, float(np.abs(wanted).max()))), text
    return text


FACTORED = {
    "a layer": (A @ y, "A", "z = (yᵀ ⊗ I_n) vec(A)"),
    "an affine layer": (A @ y + x, "A x", "z = ([yᵀ, 1] ⊗ I_n) [vec(A); x]"),
    "transposed": (S @ B.T @ T, "B", "vec(Y) = (Tᵀ ⊗ S) K_mn vec(B)"),
    "two matrices": (S @ (A + B.T) @ T, "A B", "vec(Y) = (Tᵀ ⊗ S) [I, K_mn] [vec(A); vec(B)]"),
    "entry by entry": (x * (A @ y), "A", "z = (yᵀ ⊗ diag(x)) vec(A)"),
    "nothing in common": (S @ (A + B.T + A) @ T, "A B", "vec(Y) = [2 (Tᵀ ⊗ S), (Tᵀ ⊗ S) K_mn] [vec(A); vec(B)]"),
    "twice": (A @ y + S @ A @ y, "A", "z = (yᵀ ⊗ S + yᵀ ⊗ I_n) vec(A)"),
    "what is added": (S @ A + A * A + 1, "S", "vec(Y) = (Aᵀ ⊗ I_n) vec(S) + vec(A^⊙2) + 1"),
    "an outer product": (eb.einsum("i,j->ij", x, y), "y", "vec(Z) = (I_m ⊗ x) y"),
    "a scalar product": (x @ u, "u", "y = xᵀ u"),
}


@pytest.mark.parametrize("case", FACTORED)
def test_vec_of_a_factor(case: str) -> None:
    value, factors, shown = FACTORED[case]
    check_factors(value, factors.split(), "row")
    assert check_factors(value, factors.split(), "column") == shown


def test_what_is_no_factor() -> None:
    with pytest.raises(NotationError, match="A stands elsewhere than as one factor of a product"):
        eb.tanh(A @ y).text(notation="vec", factor="A")
    with pytest.raises(NotationError, match="A and y stand elsewhere"):
        (A @ y).text(notation="vec", factor="A, y")
    with pytest.raises(NotationError, match="does not read T"):
        (A @ y).text(notation="vec", factor="T")
    with pytest.raises(NotationError, match="the matrix of a derivative has no factor"):
        eb.jacobian(A @ y, A).text(notation="vec", factor="A")
    with pytest.raises(NotationError, match="factor names no tensor"):
        (A @ y).text(notation="vec", factor=" ")
    with pytest.raises(NotationError, match="factor=1 is no choice"):
        (A @ y).text(notation="vec", factor=1)


def test_what_has_no_kronecker_form() -> None:
    with pytest.raises(NotationError, match="an index of one side meets two of the other"):
        eb.jacobian(eb.einsum("ij,ji->i", S @ A, B), A).text(notation="vec")
    V = eb.tensor("V[n,m,n]")
    with pytest.raises(NotationError, match="one side of the derivative has 3 axes"):
        eb.jacobian(V * 2, V).text(notation="vec")

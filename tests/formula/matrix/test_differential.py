"""Differentials, read back: how much a result moves when what it is differentiated by moves along a tensor."""

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
from tests.formula.matrix.reader import Reader, evaluate, joined, read, settle, value_of
from tests.formula.matrix.test_products import COUNTS, refused, sides


def check_differential(derivative: Any, order: int, by: str, seed: int = 0) -> str:
    """The text, if every side of it says how much the result moves; the reason, where it is refused."""
    try:
        text = derivative.text(notation="differential")
    except NotationError as error:
        return refused("differential", error)
    COUNTS["differential printed"] += 1
    env = arrays(seed)
    needed = {one.name: env[one.name] for one in derivative.inputs}
    wanted = eb.evaluate(derivative, **needed)
    moved = np.random.default_rng(seed + 1).normal(size=env[by].shape)
    for _ in range(order):
        wanted = np.tensordot(wanted, moved, moved.ndim)
    needed[f"d{by}"] = moved
    shapes = {name: sides(node.shape) for name, node in read_page(subject(derivative)).nodes.items()}
    first, *where = joined(text).splitlines()
    _, *shown = first.split(" = ")
    shape = (*wanted.shape, 1, 1)[:2]
    for side in shown:
        if side.startswith("⟨"):
            gradient = side[1:-1].rpartition(", ")[0]
            found = read("\n".join([f"g = {gradient}", *where]), needed, SIZES, moved.shape, shapes)
            found = np.array([[np.sum(found * moved)]])
        else:
            found = read("\n".join([f"y = {side}", *where]), needed, SIZES, shape, shapes)
        size = max(1.0, float(np.abs(wanted).max()))
        assert np.allclose(found, wanted.reshape(shape), rtol=1e-9, atol=1e-9 * size), text
    return text


@given(programs(4), st.data())
def test_random_differentials(made: Made, data: st.DataObject) -> None:
    value = made.value
    known = sorted((one for one in value.inputs if one.name in INPUTS), key=lambda one: one.name)
    if not known:
        return
    by = data.draw(st.sampled_from(known))
    if not value.ndim and data.draw(st.booleans()):
        check_differential(eb.hessian(value, by), 2, by.name)
    elif not value.ndim:
        check_differential(eb.grad(value, by), 1, by.name)
    else:
        check_differential(eb.jacobian(value, by), 1, by.name)


def test_what_is_no_differential() -> None:
    x, y, A = eb.tensors("x[n] y[m] A[m,n]")
    with pytest.raises(NotationError, match="a differential is that of a derivative"):
        (A @ x).text(notation="differential")
    with pytest.raises(NotationError, match="a pullback is no differential of one named tensor"):
        eb.vjp(A @ x, A, y).text(notation="differential")
    with pytest.raises(NotationError, match="a hessian is no differential of one named tensor"):
        eb.hessian(y @ A @ x, x, y).text(notation="differential")
    with pytest.raises(NotationError, match="the differential of a scalar by a matrix alone has several forms"):
        eb.grad(x @ x, x).text(notation="differential", form="trace")
    with pytest.raises(NotationError, match="the differential of a scalar by a matrix alone has several forms"):
        eb.grad(x @ x, x).latex(notation="differential", form="index")


def test_a_tensor_that_has_the_name_of_a_differential() -> None:
    x, dx = eb.tensors("x[n] dx[n]")
    assert eb.grad(x @ dx, x).text(notation="differential") == "dL = dxᵀ dx'"


def test_the_forms_of_d2_are_one_number() -> None:
    A, B = INPUTS["A"], INPUTS["B"]
    env = {name: arrays(3)[name] for name in "AB"}
    env["dA"] = np.random.default_rng(1).normal(size=env["A"].shape)
    gradient = eb.grad(eb.sum(eb.tanh(A) * B.T) + eb.einsum("ij,ji->", A, B), A)
    shown = {form: right(gradient.text(notation="differential", form=form)) for form in FORMS}
    wanted = np.sum(eb.evaluate(gradient, A=env["A"], B=env["B"]) * env["dA"])
    assert np.isclose(value_of(shown["trace"], env, SIZES, (1, 1)), wanted)
    assert np.isclose(value_of(shown["trace-transposed"], env, SIZES, (1, 1)), wanted)
    for form in (shown["colon"].removesuffix(" : dA"), shown["inner"][1:].removesuffix(", dA⟩")):
        root = Reader(form, env, SIZES).whole()
        settle(root)
        assert np.isclose(np.sum(evaluate(root) * env["dA"]), wanted)
    assert np.isclose(eb.evaluate(eb.program("f = " + shown["index"])["f"], **env), wanted)


FORMS = ("index", "colon", "inner", "trace", "trace-transposed")


def right(text: str) -> str:
    return text.partition(" = ")[2]

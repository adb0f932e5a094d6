"""Layers: slots, parameters, sizes, and every message."""

import numpy as np
import pytest

from einback.errors import EinbackError
from einback.ir.nodes import Input
from einback.notation.layer_text import parse_layer
from tests.interpreter import evaluate

RNG = np.random.default_rng(1)
DENSE = parse_layer("h[n,k] = relu(x[n,d] W[d,k] + b[k])")
X = Input("X", ("n", 5), ())
A = Input("A", (2, 3), ())


def test_slots_in_order_of_appearance() -> None:
    assert DENSE.slots == ("x", "W", "b")
    assert DENSE.indices == ("n", "k", "d")
    assert parse_layer("nd,dk->nk").slots == ("x", "W")
    assert parse_layer("nd,dk,km,m->n").slots == ("x", "W", "W2", "W3")
    assert parse_layer("ij->ji").slots == ("x",)


def test_parameters_take_the_name_of_the_layer() -> None:
    program = DENSE.build({"x": X}, "1", {"k": 128})
    assert program.inputs == (Input("W_1", (5, 128), ()), Input("b_1", (128,), ()))
    assert program.tensors["x"] is X
    assert program.tensors["h"].shape == ("n", 128)
    assert program.index_names["W"] == ("d", "k")


def test_unknown_sizes_take_the_name_of_the_layer() -> None:
    assert DENSE.build({"x": X}, "out").inputs[0].sizes == (5, "k_out")
    assert DENSE.build({"x": X}).inputs[0] is Input("W", (5, "k"), ())
    assert DENSE.build({"x": X}, "1", {"k": "hidden"}).inputs[1].sizes == ("hidden",)


def test_a_new_size_is_not_taken_for_one_that_is_there() -> None:
    # The size of X is called k, and stands under the layer's index n.
    program = DENSE.build({"x": Input("X", ("k", "d"), ())})
    assert program.inputs[0].sizes == ("d", "k_")


def test_shared_parameters() -> None:
    W = Input("W", (5, 7), ())
    program = DENSE.build(DENSE.bind([X], {"W": W}), "1")
    assert program.inputs == (Input("b_1", (7,), ()),)


def test_a_line_computes() -> None:
    x, W, b = RNG.standard_normal((4, 5)), RNG.standard_normal((5, 3)), RNG.standard_normal(3)
    program = DENSE.build({"x": X}, "1")
    found = evaluate([program.tensors["h"]], {"X": x, "W_1": W, "b_1": b})[0]
    np.testing.assert_allclose(found, np.maximum(x @ W + b, 0))


def test_an_einsum_string_computes() -> None:
    x, W = RNG.standard_normal((4, 5)), RNG.standard_normal((5, 3))
    program = parse_layer("nd,dk->nk").build({"x": X}, "1", {"k": 3})
    assert program.inputs == (Input("W_1", (5, 3), ()),)
    assert program.outputs == ("y",)
    assert program.index_names == {"x": ("n", "d"), "W": ("d", "k"), "y": ("n", "k")}
    assert program.size_names == {"n": ("n",), 5: ("d",), 3: ("k",)}
    np.testing.assert_allclose(evaluate([program.tensors["y"]], {"X": x, "W_1": W})[0], x @ W)


def test_an_einsum_string_with_an_ellipsis() -> None:
    program = parse_layer("...d,dk->...k").build({"x": Input("X", ("b", "t", 5), ())}, "q")
    assert program.inputs[0].sizes == (5, "k_q")
    assert program.tensors["y"].shape == ("b", "t", "k_q")
    assert program.index_names["x"] == ("", "", "d")


def test_a_size_that_meets_a_symbol() -> None:
    program = DENSE.build({"x": Input("X", ("n", "d"), ())}, "1", {"d": 5})
    assert program.equalities == {("d", 5)}
    assert program.inputs[0].sizes == (5, "k_1")


LINE = "\n  h[n,k] = relu(x[n,d] W[d,k] + b[k])\n  "


def test_messages_of_bind() -> None:
    with pytest.raises(EinbackError) as caught:
        DENSE.bind([X, X, X, X], {})
    assert str(caught.value) == f"4 arguments for the 3 tensors of the layer: x, W, b{LINE}{'^' * 35}"
    with pytest.raises(EinbackError) as caught:
        DENSE.bind([X], {"V": X})
    assert str(caught.value) == f"the layer has no tensor V: its tensors are x, W, b{LINE}{'^' * 35}"
    with pytest.raises(EinbackError) as caught:
        DENSE.bind([X], {"x": X})
    assert str(caught.value) == f"x is given by position and by name{LINE}{'^' * 35}"


def test_messages_of_build() -> None:
    with pytest.raises(EinbackError) as caught:
        DENSE.build({"x": Input("v", ("n",), ())}, "1")
    expected = f"x has 1 axis as it is given, and is read with 2 indices here{LINE}              ^^^^^^"
    assert str(caught.value) == expected
    with pytest.raises(EinbackError) as caught:
        DENSE.build({"x": X}, "1", {"q": 3})
    assert str(caught.value) == "a size is given for q, but there is no index q"
    with pytest.raises(EinbackError) as caught:
        DENSE.build({"x": X}, "1", {"d": 4})
    assert str(caught.value) == "index d has size 5 in x and size 4 as given"
    with pytest.raises(EinbackError) as caught:
        DENSE.build({"x": X, "W": A}, "1")
    assert str(caught.value) == f"index d has size 5 in x and size 2 in W{LINE}                       ^"


def test_messages_of_einsum_strings() -> None:
    with pytest.raises(EinbackError) as caught:
        parse_layer("nd,dk->nk").build({"x": X, "W": A})
    expected = "label d has size 5 in operand 1 (x) and size 2 in operand 2 (W)\n  nd,dk->nk\n     ^"
    assert str(caught.value) == expected
    with pytest.raises(EinbackError) as caught:
        parse_layer("...d,...k").build({"x": X})
    assert str(caught.value) == (
        "W is a parameter of the layer, and its term leaves its rank open\n"
        "  ...d,...k\n"
        "       ^^^^\n"
        "write all its labels in place of the ellipsis"
    )
    with pytest.raises(EinbackError) as caught:
        parse_layer("nd,dk->nk").build({"x": Input("v", ("n",), ())})
    assert caught.value.fact == "operand 1 (x) has 1 axis, but 2 labels in the string"


def test_one_line() -> None:
    with pytest.raises(EinbackError) as caught:
        parse_layer("a = x\nb = x")
    assert str(caught.value) == "a layer is one line, and this has 2\nwrite longer programs with eb.program"

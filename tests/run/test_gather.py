"""One-hot tensors run: entries gathered by indices, added up by them, and no indicator made for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from einback.derive.orders import gradient, hessian_vector, jacobian, pull, push
from einback.errors import ArrayError
from einback.ir.build import add, broadcast, einsum, fill, power, scale, size_of
from einback.ir.nodes import Input, Node, OneHot, Range, Reduce, Window
from einback.rules.simplify import normalise
from einback.run.callable import Compiled
from tests.interpreter import evaluate

RNG = np.random.default_rng(11)
E, W = Input("E", ("V", "D"), ()), Input("W", ("D", "C"), ())
token, label = Input("token", ("B", "T"), ("integer",)), Input("label", ("B", "T"), ("integer",))
read = einsum([E, OneHot(token, "V")], ["vd", "btv"], "btd")


def cross_entropy() -> Node:
    """The mean loss of a classifier on embedded tokens."""
    logits = einsum([read, W], ["btd", "dc"], "btc")
    level = broadcast(Reduce("logsumexp", logits, (2,)), logits.shape, [0, 1])
    share = einsum([power(size_of("B"), -1), power(size_of("T"), -1)], ["", ""], "")
    chosen = einsum([OneHot(label, "C"), add([logits, level], [1, -1]), share], ["btc", "btc", ""], "")
    return scale(chosen, -1)


def batch(V: int = 20, D: int = 5, B: int = 3, T: int = 4, C: int = 6) -> dict[str, np.ndarray]:
    return {
        "E": RNG.normal(size=(V, D)),
        "W": RNG.normal(size=(D, C)),
        "token": RNG.integers(0, V // 4, (B, T)),  # some come again
        "label": RNG.integers(0, C, (B, T)),
        "v": RNG.normal(size=(V, D)),
    }


def compiled(roots: list[Node], inputs: list[Input]) -> Compiled:
    return Compiled(normalise(roots), inputs, structure=list(range(len(roots))), declared=roots)


def same(roots: list[Node], inputs: list[Input], arrays: dict[str, Any]) -> str:
    """Run, compare with the dense evaluation, and give the source."""
    fn = compiled(roots, inputs)
    passed = {tensor.name: arrays[tensor.name] for tensor in inputs}
    for got, want in zip(fn(passed), evaluate(roots, passed), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)
    return fn.source()


def test_an_embedding_and_its_gradient() -> None:
    g = Input("g", read.shape, ())
    arrays = {**batch(), "g": RNG.normal(size=(3, 4, 5))}
    source = same([read, *pull(read, [E], g)], [E, token, g], arrays)
    assert "E.take(token, axis=0)" in source
    assert source.count("check_indices(token") == 1


def test_a_whole_loss_to_second_order() -> None:
    v = Input("v", E.shape, ())
    loss = cross_entropy()
    roots = [loss, *gradient(loss, [E, W]), hessian_vector(loss, E, v), push(loss, {E: v})]
    source = same(roots, [E, W, token, label, v], batch())
    assert "np.arange(4), label] -= 1" in source  # the softmax less the labels, in the softmax's own array


def test_memory_of_an_embedding_is_that_of_the_table() -> None:
    v = Input("v", E.shape, ())
    loss = cross_entropy()
    fn = compiled([loss, *gradient(loss, [E, W]), hessian_vector(loss, E, v)], [E, W, token, label, v])
    plan = fn.plan(E=(50_000, 64), W=(64, 10), token=(16, 16), label=(16, 16), v=(50_000, 64))
    table = 50_000 * 64 * 8
    assert plan.peak_bytes < 2.1 * table  # two results of that size
    assert max(step.nbytes for step in plan.steps) == table
    assert plan.peak_bytes < 50_000 * 256 * 8 / 1.9  # one indicator of words and tokens


def test_a_table_read_twice_has_one_gradient_array() -> None:
    first, second = (Input(name, ("B",), ("integer",)) for name in ("first", "second"))
    pair = add([einsum([E, OneHot(ids, "V")], ["vd", "bv"], "bd") for ids in (first, second)], [1, 3])
    loss = einsum([pair, pair], ["bd", "bd"], "")
    arrays = {"E": RNG.normal(size=(9, 4)), "first": np.array([1, 1, 8]), "second": np.array([1, 0, 1])}
    source = same([*gradient(loss, [E])], [E, first, second], arrays)
    assert source.count("np.zeros(") + source.count("[...] = 0") == 1


DTYPES = ["f8", "f4", "f2", "c16", "i4", "u1", "O"]


@pytest.mark.parametrize("ids", ["i8", "i4", "u1", "u8"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_of_tables_and_indices(dtype: str, ids: str) -> None:
    values = RNG.integers(0, 5, (6, 3)).astype(dtype)
    counted = einsum([OneHot(token, "V"), Input("y", ("B", "T"), ())], ["btv", "bt"], "v")
    tokens = RNG.integers(0, 6, (2, 4)).astype(ids)
    got = compiled([read], [E, token])(E=values, token=tokens)[0]
    np.testing.assert_array_equal(got, values[tokens])
    assert got.dtype == values.dtype
    y = RNG.integers(0, 5, (2, 4)).astype(dtype)
    fn = compiled([counted], [Input("y", ("B", "T"), ()), token])
    want = np.zeros(6, dtype="O")
    np.add.at(want, tokens, y.astype("O"))
    np.testing.assert_array_equal(fn(y=y, token=tokens, V=6)[0].astype("c16"), want.astype("c16"))


@pytest.mark.parametrize(
    ("term", "out"),
    [
        ("btv", "btv"),
        ("btv", "vbt"),
        ("btv", "bv"),
        ("btv", "vt"),
        ("btv", "v"),
        ("btv", "b"),
        ("bbv", "bv"),
        ("btb", "bt"),
    ],
)
def test_every_way_to_keep_the_indices(term: str, out: str) -> None:
    sizes = (
        {"b": "b", "t": "t", "v": "v"} | ({"t": "b"} if "bb" in term else {}) | ({"v": "b"} if term == "btb" else {})
    )
    ids = Input("ids", (sizes["b"], sizes["t"]), ("integer",))
    length = {"b": 3, "t": 3 if sizes["t"] == "b" else 2, "v": 3 if sizes["v"] == "b" else 4}
    arrays = {"ids": RNG.integers(0, length["v"], (length["b"], length["t"]))}
    data = Input("data", tuple(dict.fromkeys(sizes[k] for k in term)), ())
    arrays["data"] = RNG.normal(size=[length[k] for k in dict.fromkeys(term)])
    labels = "".join(dict.fromkeys(term))
    hot = OneHot(ids, sizes["v"])
    same([einsum([hot, data], [term, labels], out)], [ids, data], arrays)
    root = einsum([hot], [term], out)
    got = Compiled([root], [ids])(ids=arrays["ids"], **({"v": 4} if sizes["v"] == "v" else {}))
    np.testing.assert_array_equal(got, evaluate([root], {"ids": arrays["ids"]}, {"v": length["v"]})[0])


def test_two_tensors_of_one_axis_meet_where_their_indices_are_equal() -> None:
    a, b = Input("a", ("m",), ("integer",)), Input("b", ("n",), ("integer",))
    gram = einsum([OneHot(a, "V"), OneHot(b, "V")], ["mv", "nv"], "mn")
    fn = Compiled([gram], [a, b])
    ids = {"a": np.array([1, 0, 7]), "b": np.array([7, 1])}
    np.testing.assert_array_equal(fn(**ids, V=100_000), ids["a"][:, None] == ids["b"])
    assert fn.plan(a=(300,), b=(400,), V=100_000).peak_bytes <= 300 * 400 * 8


def test_the_jacobian_of_a_gather() -> None:
    arrays, root = batch(V=5, D=2), jacobian(read, E)
    fn = Compiled(normalise([root]), [token])
    (want,) = evaluate([root], {"token": arrays["token"]}, {"V": 5, "D": 2})
    np.testing.assert_array_equal(fn(token=arrays["token"], V=5, D=2), want)


def test_indices_that_are_computed_and_fixed() -> None:
    shift = add([token, broadcast(Range("T"), token.shape, [1])])
    moved = einsum([E, OneHot(shift, "V")], ["vd", "btv"], "btd")
    loss = einsum([moved, moved], ["btd", "btd"], "")
    same([moved, *gradient(loss, [E])], [E, token], {**batch(), "token": np.array([[0, 1], [4, 4]])})
    slid = einsum([E, OneHot(token, "V"), Window("D", ("k", 2), (1, 1), 0)], ["vd", "btv", "dks"], "btks")
    fn = Compiled([slid], [E, token])
    arrays = batch()
    got = fn(E=arrays["E"], token=arrays["token"], k=4)
    np.testing.assert_array_equal(got, np.stack([arrays["E"][arrays["token"], s : s + 4] for s in (0, 1)], -1))


def test_an_index_that_is_a_number() -> None:
    third, far = (einsum([E, OneHot(fill(("b",), k), "V")], ["vd", "bv"], "bd") for k in (2, 7))
    table = RNG.normal(size=(5, 3))
    np.testing.assert_array_equal(Compiled([third], [E])(E=table, b=2), table[[2, 2]])
    with pytest.raises(ArrayError, match="an index is 7, and the axis that it points into has 5 entries"):
        Compiled([far], [E])(E=table, b=2)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (np.array([[0, 20]]), "token[0, 1] is 20, and the axis that it points into has 20 entries"),
        (np.array([[0], [-1]]), "token[1, 0] is -1, and the axis that it points into has 20 entries"),
        (np.array([[0.0]]), "token holds integers, but the array is of float64"),
    ],
)
def test_indices_that_point_nowhere(tokens: np.ndarray, message: str) -> None:
    fn = Compiled([read], [E, token])
    table = np.zeros((20, 2))
    with pytest.raises(ArrayError) as error:
        fn(E=table, token=tokens)
    assert str(error.value) == message
    if tokens.dtype.kind == "i":
        fn(E=table, token=np.zeros_like(tokens))
        space: dict[str, Any] = {}
        exec(fn.source(), space)
        with pytest.raises(IndexError) as alone:
            space["step"](E=table, token=tokens)
        assert str(alone.value) == message


def test_indices_are_integer_arrays() -> None:
    ids = Input("ids", ("b",), ())
    fn = Compiled([einsum([E, OneHot(ids, "V")], ["vd", "bv"], "bd")], [E, ids])
    for wrong in (np.zeros(2), np.zeros(2, bool), np.zeros(2, object)):
        with pytest.raises(ArrayError, match=f"ids points into an axis, and holds {wrong.dtype}"):
            fn(E=np.zeros((3, 2)), ids=wrong)


def test_indices_have_no_derivative() -> None:
    where = Input("where", ("b",), ())
    y = einsum([E, OneHot(where, "V"), where], ["vd", "bv", "b"], "d")
    loss = einsum([y], ["d"], "")
    (slope,) = normalise(gradient(loss, [where]))
    ids, table = np.array([2, 0]), RNG.normal(size=(3, 4))
    np.testing.assert_allclose(evaluate([slope], {"E": table, "where": ids})[0], table[ids].sum(1))
    t = Input("t", ("b",), ())
    moved = evaluate(normalise([push(loss, {where: t})]), {"E": table, "where": ids, "t": np.ones(2)})[0]
    np.testing.assert_allclose(moved, table[ids].sum())


def test_empty_batches_and_tables() -> None:
    g = Input("g", read.shape, ())
    fn = compiled([read, *pull(read, [E], g)], [E, token, g])
    empty = {"E": np.ones((4, 2)), "token": np.zeros((0, 3), int), "g": np.zeros((0, 3, 2))}
    got = fn(empty)
    assert got[0].shape == (0, 3, 2)
    np.testing.assert_array_equal(got[1], np.zeros((4, 2)))
    with pytest.raises(ArrayError, match="indices point into axis V, which has 0 entries"):
        Compiled([read], [E, token])(E=np.ones((0, 2)), token=np.zeros((1, 1), int))

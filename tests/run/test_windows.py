"""Windows run: strides, dilation, padding, pooling, flattening and their derivatives, without a dense relation."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from einback.derive.orders import gradient, hessian, hessian_vector, jacobian, pull, push
from einback.errors import ArrayError
from einback.ir.build import add, broadcast, const, einsum, power
from einback.ir.extents import negative, plus, product, quotient
from einback.ir.nodes import Einsum, Input, Map, Node, OneHot, Ones, Range, Reduce, Window
from einback.rules.simplify import normalise
from einback.run.callable import Compiled
from tests.interpreter import evaluate
from tests.run.random_relations import arrays_for, products

RNG = np.random.default_rng(7)
x, K = Input("x", ("b", "c", "h", "w"), ()), Input("K", ("o", "c", "u", "v"), ())


def conv(size: str, kernel: str, *, step: int = 1, dilation: int = 1, pad: int = 0) -> Window:
    """The window of a convolution, its size a formula."""
    reach = product(dilation, plus(kernel, -1))
    count = plus(quotient(plus(size, negative(reach), 2 * pad - 1), step), 1)
    return Window(size, (count, kernel), (step, dilation), -pad)


def convolution(**how: int) -> Einsum:
    rows, columns = conv("h", "u", **how), conv("w", "v", **how)
    node = einsum([x, rows, columns, K], ["bcpq", "piu", "qjv", "ocuv"], "boij")
    assert isinstance(node, Einsum)
    return node


def images(h: int = 7, w: int = 9) -> dict[str, np.ndarray]:
    return {"x": RNG.normal(size=(2, 3, h, w)), "K": RNG.normal(size=(4, 3, 3, 2))}


def run(roots: list[Node], arrays: dict[str, Any], inputs: list[Input]) -> list[np.ndarray]:
    fn = Compiled(normalise(roots), inputs, structure=list(range(len(roots))), declared=roots)
    return fn(arrays)


def by_loops(a: dict[str, np.ndarray], *, step: int = 1, dilation: int = 1, pad: int = 0) -> np.ndarray:
    """A convolution as it is defined, one entry at a time."""
    (b, c, h, w), (o, _, u, v) = a["x"].shape, a["K"].shape
    rows, columns = ((n + 2 * pad - dilation * (k - 1) - 1) // step + 1 for n, k in ((h, u), (w, v)))
    y = np.zeros((b, o, rows, columns))
    for n, f, i, j, d, s, t in np.ndindex(b, o, rows, columns, c, u, v):
        p, q = step * i + dilation * s - pad, step * j + dilation * t - pad
        if 0 <= p < h and 0 <= q < w:
            y[n, f, i, j] += a["x"][n, d, p, q] * a["K"][f, d, s, t]
    return y


WAYS: list[dict[str, int]] = [{}, {"step": 2}, {"dilation": 2}, {"pad": 1}, {"step": 2, "dilation": 3, "pad": 2}]


@pytest.mark.parametrize("how", WAYS, ids=str)
def test_convolutions_are_what_loops_say(how: dict[str, int]) -> None:
    arrays = images()
    (y,) = run([convolution(**how)], arrays, [x, K])
    np.testing.assert_allclose(y, by_loops(arrays, **how), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("how", WAYS, ids=str)
def test_derivatives_of_convolutions(how: dict[str, int]) -> None:
    y, arrays = convolution(**how), images()
    g = Input("g", y.shape, ())
    arrays["g"] = RNG.normal(size=by_loops(arrays, **how).shape)
    loss = einsum([Map("tanh", (y,)), g], ["boij", "boij"], "")
    t = Input("t", K.shape, ())
    arrays["t"] = RNG.normal(size=arrays["K"].shape)
    roots = [*gradient(loss, [x, K]), *pull(y, [x, K], g), push(y, {K: t}), hessian_vector(loss, K, t)]
    for got, want in zip(run(roots, arrays, [x, K, g, t]), evaluate(roots, arrays), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-11)
    moved = evaluate([loss], {**arrays, "K": arrays["K"] + 1e-30j * arrays["t"]})[0].imag / 1e-30
    np.testing.assert_allclose(np.vdot(run(roots, arrays, [x, K, g, t])[1], arrays["t"]), moved, rtol=1e-9)


def test_jacobians_and_hessians_are_toeplitz() -> None:
    s, k = Input("s", ("n",), ()), Input("k", ("u",), ())
    y = einsum([s, Window("n", ("n-u+3", "u"), (1, 1), -1), k], ["p", "piu", "u"], "i")
    loss = einsum([Map("exp", (y,))], ["i"], "")
    arrays = {"s": RNG.normal(size=8), "k": RNG.normal(size=3)}
    roots = [jacobian(y, s), jacobian(y, k), hessian(loss, s, s), hessian(loss, k, k), hessian(loss, s, k)]
    for got, want in zip(run(roots, arrays, [s, k]), evaluate(roots, arrays), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("fn", ["max", "min"])
def test_pooling_and_its_gradient(fn: str, step: int) -> None:
    windows = [Window(size, (plus(quotient(plus(size, -2), step), 1), 2), (step, 1), 0) for size in "hw"]
    y = Reduce(fn, einsum([x, *windows], ["bcpq", "piu", "qjv"], "bcijuv"), (4, 5))
    loss = einsum([y, y], ["bcij", "bcij"], "")
    arrays = {"x": RNG.integers(0, 3, (2, 3, 8, 8)).astype(float)}  # with ties
    roots = [y, *gradient(loss, [x])]
    for got, want in zip(run(roots, arrays, [x]), evaluate(roots, arrays), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12)


def test_many_windows_are_reduced_a_slice_at_a_time() -> None:
    windows = [Window(size, (f"{size}//2", 2), (2, 1), 0) for size in "hw"]
    y = Reduce("max", einsum([x, *windows], ["bcpq", "piu", "qjv"], "bcijuv"), (4, 5))
    fn = Compiled([y], [x])
    array = RNG.normal(size=(2, 4, 32, 32))
    array[0, 0, 0, 0] = np.nan
    want = array.reshape(2, 4, 16, 2, 16, 2).max(axis=(3, 5))
    np.testing.assert_array_equal(fn(x=array), want)
    assert "fold(np.maximum, x.reshape(" in fn.source()


def test_flattening_is_a_reshape_both_ways() -> None:
    flat = Window("c*h*w", ("c", "h", "w"), ("h*w", "w", 1), 0)
    W, g = Input("W", ("c*h*w", "k"), ()), Input("g", ("b", "k"), ())
    y = einsum([x, flat, W], ["bchw", "pchw", "pk"], "bk")
    fn = Compiled(normalise([y, *pull(y, [x, W], g)]), [x, W, g], structure=[0, 1, 2])
    arrays = {"x": RNG.normal(size=(2, 3, 4, 5)), "W": RNG.normal(size=(60, 6)), "g": RNG.normal(size=(2, 6))}
    for got, want in zip(fn(arrays), evaluate([y, *pull(y, [x, W], g)], arrays), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-10)
    assert "windows(" not in fn.source()
    assert "overlap_add" not in fn.source()


def test_flattened_results_share_no_memory() -> None:
    flat = einsum([x, Window("c*h", ("c", "h"), ("h", 1), 0)], ["bchw", "pch"], "bpw")
    array = RNG.normal(size=(2, 3, 4, 5))
    both = Compiled([flat, einsum([flat], ["bpw"], "wpb")], [x], structure=[0, 1])(x=array)
    assert not any(np.shares_memory(array, made) for made in both)
    np.testing.assert_array_equal(both[0], array.reshape(2, 12, 5))
    relu = Map("relu", (flat,))
    made = Compiled([relu, einsum([relu, flat], ["bpw", "bpw"], "")], [x], structure=[0, 1])(x=array)
    np.testing.assert_array_equal(made[0], np.maximum(array, 0).reshape(2, 12, 5))


def test_masks_are_comparisons_of_ranges_computed_once_without_batch_axes() -> None:
    s = Input("s", ("b", "q", "k"), ())
    row, column = (einsum([Range(a), Ones(b)], labels, "qk") for a, b, labels in (("q", "k", "qk"), ("k", "q", "kq")))
    mask = broadcast(Map("greater_equal", (row, column)), s.shape, [1, 2])
    y = Reduce("logsumexp", Map("where", (mask, s, const(-math.inf))), (2,))
    arrays = {"s": RNG.normal(size=(3, 5, 5))}
    fn = Compiled(normalise([y, *gradient(einsum([y], ["bq"], ""), [s])]), [s], structure=[0, 1])
    got = fn(arrays)
    want = [np.log(np.exp(arrays["s"][:, k, : k + 1]).sum(-1)) for k in range(5)]
    np.testing.assert_allclose(got[0], np.stack(want, -1), rtol=1e-12)
    masked = np.where(np.tri(5, dtype=bool), np.exp(arrays["s"] - got[0][..., None]), 0)
    np.testing.assert_allclose(got[1], masked, rtol=1e-10, atol=1e-14)
    masks = re.findall(r"np\.greater_equal\(", fn.source())
    assert len(masks) == 1, fn.source()


def test_ranges_windows_and_indices_as_results() -> None:
    window, ids = Window("h", ("i", 3), (2, 1), -1), Input("ids", ("b",), ("integer",))
    roots = [Range("h"), window, OneHot(ids, "h"), Map("exp", (window,)), add([window, window], [2, 1])]
    fn = Compiled(roots, [ids], structure=list(range(len(roots))))
    arrays = {"ids": np.array([3, 0, 3])}
    sizes = {"h": 5, "i": 3}
    for got, want in zip(fn({**arrays, **sizes}), evaluate(roots, arrays, sizes), strict=True):
        np.testing.assert_allclose(got, want)


DTYPES = ["f8", "f4", "c16", "i8", "f2", "u1", "O"]


@given(st.data())
def test_random_products_run(data: st.DataObject) -> None:
    node, inputs, sizes = data.draw(products())
    dtype = data.draw(st.sampled_from(DTYPES))
    arrays = arrays_for(inputs, sizes, data.draw(st.integers(0, 2**32)), dtype)
    exact = {name: array.astype("f8") if array.dtype.kind in "fO" else array for name, array in arrays.items()}
    (want,) = evaluate(
        [node], {k: v if k[0] == "i" or v.dtype != "u1" else v.astype("i8") for k, v in exact.items()}, sizes
    )
    root = data.draw(st.sampled_from([node, *normalise([node])]))
    fn = Compiled([root], inputs, declared=[node])
    got = fn({**arrays, **{name: size for name, size in sizes.items() if name in fn._symbols}})
    tolerance = {"f2": 2e-2, "f4": 1e-4}.get(dtype, 1e-9)
    left, right = (np.asarray(value).astype("c16") for value in (got, want))
    np.testing.assert_allclose(left, right, rtol=tolerance, atol=20 * tolerance)


@given(st.data())
def test_random_derivatives_run(data: st.DataObject) -> None:
    node, inputs, sizes = data.draw(products(most=2))
    tensors = [tensor for tensor in inputs if not tensor.facts]
    if not tensors:
        return
    arrays = arrays_for(inputs, sizes, data.draw(st.integers(0, 2**32)))
    loss = einsum([power(node, 2)], [range(node.rank)], ())
    t = Input("t", tensors[0].sizes, ())
    arrays["t"] = np.random.default_rng(1).normal(size=arrays[tensors[0].name].shape)
    roots = [push(node, {tensors[0]: t}), *gradient(loss, tensors), hessian_vector(loss, tensors[0], t)]
    if tensors[0].rank + node.rank <= 4:
        roots += [jacobian(node, tensors[0]), hessian(loss, tensors[0], tensors[0])]
    fn = Compiled(normalise(roots), [*inputs, t], structure=list(range(len(roots))), declared=roots)
    passed = {tensor.name for tensor in fn.inputs} & arrays.keys()
    made = fn({name: arrays[name] for name in passed} | {k: v for k, v in sizes.items() if k in fn._symbols})
    for got, want in zip(made, evaluate(roots, arrays, sizes), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-8)
    moved = evaluate([loss], {**arrays, tensors[0].name: arrays[tensors[0].name] + 1e-30j * arrays["t"]}, sizes)
    np.testing.assert_allclose(np.vdot(made[1], arrays["t"]), moved[0].imag / 1e-30, rtol=1e-7, atol=1e-7)


def test_no_dense_window_in_any_derivative() -> None:
    how = {"pad": 1}
    y, big = convolution(**how), {"x": (8, 4, 40, 40), "K": (4, 4, 3, 3), "t": (4, 4, 3, 3)}
    loss, t = einsum([Map("tanh", (y,))], ["boij"], ""), Input("t", K.shape, ())
    roots = [loss, *gradient(loss, [x, K]), hessian_vector(loss, K, t)]
    plan = Compiled(normalise(roots), [x, K, t], structure=[0, 1, 2, 3]).plan(big)
    columns = 8 * 4 * 40 * 40 * 9 * 8  # bytes of all windows of the batch, side by side
    assert plan.peak_bytes < 3 * columns
    assert max(step.nbytes for step in plan.steps) <= columns
    assert 40 * 40 * 3 * columns / 9 > 10 * plan.peak_bytes  # what an indicator of one axis takes beside them


@pytest.mark.parametrize(
    ("h", "message"),
    [
        (2, "the size h-u+1 comes to 0, where h is 2 by axis 0 of s and u is 3 by axis 0 of k: "
            "a window is longer than its axis"),
        (9, "the size h-u+1 comes to 7, where h is 9 by axis 0 of s and u is 3 by axis 0 of k, "
            "but is 4 by axis 0 of z"),
    ],
)  # fmt: skip
def test_formulas_that_do_not_come_out(h: int, message: str) -> None:
    s, k, z = Input("s", ("h",), ()), Input("k", ("u",), ()), Input("z", ("h-u+1",), ())
    y = einsum([s, Window("h", ("h-u+1", "u"), (1, 1), 0), k, z], ["p", "piu", "u", "i"], "i")
    with pytest.raises(ArrayError) as error:
        Compiled([y], [s, k, z])(s=np.ones(h), k=np.ones(3), z=np.ones(4))
    assert str(error.value) == message


def test_a_window_that_must_stay_inside() -> None:
    s = Input("s", ("h",), ())
    y = einsum([s, Window("h", ("n", 2), (2, 1), 0)], ["p", "piu"], "iu")
    fn = Compiled([y], [s])
    np.testing.assert_array_equal(fn(s=np.arange(8.0), n=4), np.arange(8.0).reshape(4, 2))
    with pytest.raises(ArrayError, match=r"the index 2\*i\+j reaches 9, but the axis h has 8 entries"):
        fn(s=np.arange(8.0), n=5)
    padded = Compiled([einsum([s, Window("h", ("n", 2), (2, 1), -1)], ["p", "piu"], "iu")], [s])
    np.testing.assert_array_equal(padded(s=np.arange(3.0), n=3), [[0, 0], [1, 2], [0, 0]])


def test_exported_source_is_plain_numpy() -> None:
    arrays = images()
    fn = Compiled(normalise(pull(convolution(pad=1), [x], convolution(pad=1))), [x, K])
    want = fn(arrays)
    space: dict[str, Any] = {}
    exec(fn.source(), space)
    assert "einback" not in fn.source().split('"""', 2)[2]
    np.testing.assert_array_equal(space["step"](**arrays), want)

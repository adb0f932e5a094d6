"""Composite operations against NumPy."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from einback.errors import ShapeError
from einback.ir import build
from einback.ir.nodes import Const, Input, Map, Node
from einback.ir.verify import verify
from einback.rules import composite
from einback.rules.scalar import TABLE
from tests.interpreter import evaluate

RNG = np.random.default_rng(3)


def run(function: Callable[..., Node], *arrays: object, fixed: bool = True) -> np.ndarray:
    """A composite applied to inputs for arrays, and to numbers as they are."""
    nodes: list[Node] = []
    values = {}
    for k, array in enumerate(arrays):
        if isinstance(array, np.ndarray):
            sizes = tuple(n if fixed or n == 1 else f"n{n}" for n in array.shape)
            nodes.append(Input(f"x{k}", sizes, ()))
            values[f"x{k}"] = array
        else:
            nodes.append(build.const(array))
    node = function(*nodes)
    verify([node])
    return evaluate([node], values)[0]


SHAPES = [
    ((2, 3), (2, 3)),
    ((2, 3), (3,)),
    ((3,), (2, 3)),
    ((2, 1), (1, 3)),
    ((1, 1), (2, 3)),
    ((1,), (1, 1)),
    ((), (2, 3)),
    ((4, 1, 3), (2, 1)),
    ((0, 3), (1, 3)),
]


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize(("a", "b"), SHAPES)
def test_arithmetic_broadcasts_as_numpy(a: tuple[int, ...], b: tuple[int, ...], fixed: bool) -> None:
    x, y = RNG.uniform(0.5, 2, a), RNG.uniform(0.5, 2, b)
    for ours, theirs in [
        (composite.add, np.add),
        (composite.subtract, np.subtract),
        (composite.multiply, np.multiply),
        (composite.divide, np.divide),
        (composite.power, np.power),
        (lambda p, q: composite.elementwise("maximum", p, q), np.maximum),
    ]:
        found, wanted = run(ours, np.asarray(x), np.asarray(y), fixed=fixed), theirs(x, y)
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_arithmetic_with_numbers(shape: tuple[int, ...]) -> None:
    x = np.asarray(RNG.uniform(0.5, 2, shape))
    for ours, theirs in [
        (composite.add, np.add),
        (composite.subtract, np.subtract),
        (composite.multiply, np.multiply),
        (composite.divide, np.divide),
        (composite.power, np.power),
    ]:
        np.testing.assert_allclose(run(ours, x, 2.5), theirs(x, 2.5), rtol=1e-12)
        np.testing.assert_allclose(run(ours, 2.5, x), theirs(2.5, x), rtol=1e-12)
        np.testing.assert_allclose(run(ours, 2.5, 1.5), theirs(2.5, 1.5), rtol=1e-12)


def test_division_by_zero_is_infinite() -> None:
    assert run(composite.divide, np.asarray([1.0, -1.0]), 0).tolist() == [np.inf, -np.inf]
    assert composite.inverse(-0.0) == -np.inf


def test_numbers_stay_exact() -> None:
    third = composite.divide(build.const(1), build.const(3))
    assert third is Const(Fraction(1, 3))
    assert composite.subtract(third, third) is Const(Fraction(0))
    assert composite.power(Input("x", ("n",), ()), build.const(2)) is Map(
        "power", (Input("x", ("n",), ()), build.const(2))
    )


def test_shapes_that_do_not_broadcast() -> None:
    with pytest.raises(ShapeError) as caught:
        composite.broadcast_shapes(("n", 3), (4,))
    assert str(caught.value) == (
        "shapes [n,3] and [4] do not broadcast: sizes 3 and 4 meet on axis -1\n"
        "axes are aligned from the right; only a size of 1 meets another size"
    )


def test_symbols_that_meet() -> None:
    assert composite.broadcast_shapes(("n", "d"), ("m", 3), (1,)) == (("m", 3), {("n", "m"), ("d", 3)})


def test_a_size_of_one_is_summed_over() -> None:
    node = composite.broadcast_to(Input("x", (1, "d"), ()), ("n", "d"))
    assert node.shape == ("n", "d")
    assert node.labels == ((0, 1), (2,))  # type: ignore[attr-defined]
    assert node.out == (2, 1)  # type: ignore[attr-defined]


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("axes", [(0,), (1,), (2, 0), (0, 1, 2), ()])
def test_over_axes(axes: tuple[int, ...], fixed: bool) -> None:
    x = RNG.standard_normal((2, 3, 4))
    total = np.exp(x).sum(axis=axes, keepdims=True)
    wanted = {
        composite.mean: x.mean(axis=axes),
        composite.logsumexp: np.log(np.exp(x).sum(axis=axes)),
        composite.softmax: np.exp(x) / total,
        composite.log_softmax: x - np.log(total),
    }
    for function, value in wanted.items():
        found = run(lambda node, function=function: function(node, axes), x, fixed=fixed)
        np.testing.assert_allclose(found, value, rtol=1e-12, atol=1e-14)


def test_softmax_far_out() -> None:
    x = np.asarray([1e4, -1e4, 1e4])
    # Rounding the logsumexp at 1e4 costs four digits, no more.
    np.testing.assert_allclose(run(lambda node: composite.softmax(node, (0,)), x), [0.5, 0, 0.5], rtol=1e-11)
    assert run(lambda node: composite.log_softmax(node, (0,)), x)[1] == pytest.approx(-2e4 - np.log(2))


def test_the_mean_of_nothing() -> None:
    assert np.isnan(run(lambda node: composite.mean(node, (0,)), np.zeros(0)))


def test_keep() -> None:
    x = RNG.standard_normal((2, 3))
    for axes in [(0,), (1,), (0, 1), ()]:
        found = run(lambda node, axes=axes: composite.keep(composite.mean(node, axes), axes, node.shape), x)
        np.testing.assert_allclose(found, x.mean(axis=axes, keepdims=True))


NUMPY = {
    **{name: getattr(np, name) for name in ("sqrt", "square", "reciprocal", "negative", "absolute", "fabs", "clip")},
    **{name: getattr(np, name) for name in ("acos", "asin", "atan", "atan2", "asinh", "atanh", "pow", "true_divide")},
    "acosh": lambda x: np.arccosh(x + 1),
    "log_sigmoid": lambda x: -np.log1p(np.exp(-x)),
    "swish": lambda x: x / (1 + np.exp(-x)),
}


@pytest.mark.parametrize("name", sorted(NUMPY))
def test_names_as_numpy(name: str) -> None:
    function = composite.FUNCTIONS[name]
    args = [RNG.uniform(0.2, 0.8, (2, 3)) for _ in range(function.arities[0])]
    node = (lambda x: function.build(composite.add(x, build.const(1)))) if name == "acosh" else function.build
    np.testing.assert_allclose(run(node, *args), NUMPY[name](*args), rtol=1e-12)


def test_every_row_of_the_scalar_table_can_be_called() -> None:
    assert set(TABLE) <= set(composite.FUNCTIONS)
    for name, row in TABLE.items():
        assert row.arity in composite.FUNCTIONS[name].arities


def test_leaky_relu_has_a_usual_slope() -> None:
    x = np.asarray([-1.0, 2.0])
    np.testing.assert_allclose(run(composite.FUNCTIONS["leaky_relu"].build, x), [-0.01, 2])
    np.testing.assert_allclose(run(composite.FUNCTIONS["leaky_relu"].build, x, 0.5), [-0.5, 2])

"""Each row of the scalar table through the whole pipeline, and the spellings that a reader would choose."""

import math
from fractions import Fraction

import numpy as np
import pytest

from einback.errors import CompileError
from einback.ir.build import add, broadcast, const, einsum, fill, multiply, ones, power, quotient, scale
from einback.ir.nodes import Input, Map, Node, Reduce
from einback.rules.scalar import TABLE
from einback.run.callable import Compiled
from tests.run.models import statements

x, y, z = (Input(name, ("n",), ()) for name in "xyz")
X, Y, b = Input("X", ("n", "m"), ()), Input("Y", ("n", "m"), ()), Input("b", ("m",), ())


def compiled(*nodes: Node) -> Compiled:
    return Compiled(nodes, [x, y, z, X, Y, b], structure=list(range(len(nodes))))


def lines(*nodes: Node, **arrays: np.ndarray) -> list[str]:
    source = compiled(*nodes).source(arrays, **({} if arrays else {"n": 3, "m": 4}))
    return statements(source)


def reference(fn: str, args: list[np.ndarray]) -> np.ndarray:
    space: dict = {"np": np, "math": math}
    exec(TABLE[fn].helper, space)
    return np.asarray(eval(TABLE[fn].numpy.format(*(f"a{k}" for k in range(len(args)))), space | {
        f"a{k}": arg for k, arg in enumerate(args)}))  # fmt: skip


@pytest.mark.parametrize("fn", sorted(TABLE.keys() - {"complex"}))  # of real arrays it makes complex ones
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rows(fn: str, dtype: type) -> None:
    rng = np.random.default_rng(3)
    args = [rng.uniform(low, high, 5).astype(dtype) for low, high in TABLE[fn].domain]
    node = Map(fn, (x, y, z)[: len(args)])
    (result,) = compiled(node)(dict(zip("xyz", args, strict=False)))
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, reference(fn, args).astype(dtype))


@pytest.mark.parametrize("fn", sorted(name for name, row in TABLE.items() if row.analytic and row.arity == 1))
def test_analytic_rows_take_a_complex_step(fn: str) -> None:
    """f(x + ih) = f(x) + ih f'(x), so that the imaginary part is small and the real part is f."""
    (low, high), h = TABLE[fn].domain[0], 1e-30
    real = np.linspace(low, high, 7)
    (result,) = compiled(Map(fn, (x,)))(x=real + 1j * h)
    np.testing.assert_allclose(result.real, reference(fn, [real]), rtol=1e-12, atol=1e-50)
    slope = (reference(fn, [real + 1e-6]) - reference(fn, [real - 1e-6])) / 2e-6
    np.testing.assert_allclose(result.imag / h, slope, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("node", "code"),
    [
        (power(x, 2), ["t1 = np.square(x)"]),
        (power(x, 3), ["t1 = x * x", "np.multiply(t1, x, t1)"]),
        (power(x, 4), ["t1 = x ** 4"]),
        (power(x, Fraction(1, 2)), ["t1 = np.sqrt(x)"]),
        (power(x, -1), ["t1 = 1 / x"]),
        (power(x, -2), ["t1 = np.square(x)", "np.divide(1, t1, t1)"]),
        (power(x, Fraction(-1, 2)), ["t1 = np.sqrt(x)", "np.divide(1, t1, t1)"]),
        (power(x, Fraction(3, 2)), ["t1 = x ** 1.5"]),
        (Map("power", (x, y)), ["t1 = x ** y"]),
        (quotient(x, y), ["t1 = x / y"]),
        (multiply(x, power(y, Fraction(-1, 2))), ["t1 = np.sqrt(y)", "np.divide(x, t1, t1)"]),
        (scale(x, 2), ["t1 = 2 * x"]),
        (scale(x, -1), ["t1 = -x"]),
        (scale(x, Fraction(1, 2)), ["t1 = 0.5 * x"]),
        (scale(x, Fraction(1, 64)), ["t1 = x / 64"]),
        (scale(x, Fraction(-1, 3)), ["t1 = -x", "np.divide(t1, 3, t1)"]),
        (scale(x, Fraction(2, 3)), ["t1 = 2 / 3 * x"]),
        (scale(x, 0.1), ["t1 = 0.1 * x"]),
        (scale(x, float("inf")), ["t1 = np.inf * x"]),
        (add([x, y], [1, -1]), ["t1 = x - y"]),
        (add([x, y], [-1, 1]), ["t1 = y - x"]),
        (add([x, y], [-1, -1]), ["t1 = -x", "np.subtract(t1, y, t1)"]),
        (add([x, y], [2, -3]), ["t1 = c1 * x", "np.multiply(c2, y, u1)", "np.subtract(t1, u1, t1)"]),
        (add([x, y, z]), ["t1 = x + y", "np.add(t1, z, t1)"]),
        (add([x, ones(("n",))], [-1, 1]), ["t1 = 1 - x"]),
        (add([x, ones(("n",))], [1, -2]), ["t1 = x - 2"]),
        (Map("greater", (x, y)), ["np.greater(x, y, t1)"]),
        (multiply(x, Map("greater", (x, const(0)))), ["np.greater(x, c1, u1)", "t1 = x * u1"]),
        (
            Map("where", (Map("less", (x, y)), x, const(0))),
            ["t1 = np.zeros((3,), np.float64)", "np.less(x, y, u1)", "np.copyto(t1, x, where=u1)"],
        ),
        (Map("tanh", (add([x, y]),)), ["t1 = x + y", "np.tanh(t1, t1)"]),
        (Map("exp", (Map("sin", (x,)),)), ["t1 = np.sin(x)", "np.exp(t1, t1)"]),
        (Map("relu", (x,)), ["t1 = np.maximum(x, 0)"]),
        (
            Map("sigmoid", (add([x, y]),)),
            ["np.add(x, y, u1)", "t1 = -u1", "np.exp(t1, t1)", "np.add(c1, t1, t1)", "np.divide(c1, t1, t1)"],
        ),
        (add([broadcast(b, ("n", "m"), [1]), multiply(X, Y)]), ["t1 = X * Y", "np.add(t1, b, t1)"]),
        (Reduce("max", X, (1,)), ["t1 = np.empty((3,), np.float64)", "np.maximum.reduce(X, 1, None, t1)"]),
        (
            Reduce("logsumexp", X, (0, 1)),
            [
                "u1 = np.fmin(X.max(initial=-1.7976931348623157e308), 1.7976931348623157e308)",
                "np.subtract(X, u1, u3)",
                "np.exp(u3, u3)",
                "u2 = u3.sum()",
                "t1 = np.log(u2) + u1",
            ],
        ),
    ],
)
def test_spelling(node: Node, code: list[str]) -> None:
    assert lines(node) == code


def test_an_array_that_is_read_last_is_overwritten() -> None:
    product = einsum([X, Y], ["nm", "km"], "nk")
    layer = Map("tanh", (add([product, Map("exp", (product,))]),))
    assert lines(layer, X=np.ones((3, 4)), Y=np.ones((3, 4))) == [
        "t1 = X.dot(Y.T)",
        "np.exp(t1, u1)",
        "np.add(t1, u1, t1)",
        "t2 = t1",
        "np.tanh(t1, t2)",
    ]


def test_a_view_that_refuses_to_be_written_is_not_overwritten() -> None:
    S = Input("S", ("n", "n"), ())
    node = Map("tanh", (einsum([Map("exp", (S,))], ["ii"], "i"),))
    result = Compiled([node], [S])(S=np.diag([0.0, 1.0]))
    np.testing.assert_array_equal(result, np.tanh(np.exp([0.0, 1.0])))


def test_a_diagonal_that_is_read_twice_is_not_overwritten() -> None:
    S, diagonal = Input("S", ("n", "n"), ()), einsum([x], ["i"], "ii")
    program = Compiled([add([diagonal, S]), einsum([diagonal, S], ["ij", "kj"], "ik")], [x, S], structure=(0, 1))
    given = {"x": np.array([1.0, 2.0]), "S": np.ones((2, 2))}
    plus, product = program(given)
    np.testing.assert_array_equal(plus, np.diag(given["x"]) + 1)
    np.testing.assert_array_equal(product, np.diag(given["x"]) @ np.ones((2, 2)))


def test_weights_join_unless_others_read_what_they_scale() -> None:
    half = scale(x, Fraction(1, 2))
    assert lines(scale(Map("exp", (half,)), 3)) == ["t1 = 0.5 * x", "np.exp(t1, t1)", "np.multiply(3, t1, t1)"]
    assert lines(scale(add([half, y]), 4)) == ["t1 = 0.5 * x", "np.add(t1, y, t1)", "np.multiply(4, t1, t1)"]
    assert lines(add([half, y])) == ["t1 = 0.5 * x", "np.add(t1, y, t1)"]
    assert lines(Map("exp", (half,)), scale(half, 3)) == [
        "t1 = 0.5 * x",
        "t2 = np.exp(t1)",
        "t3 = t1",
        "np.multiply(3, t1, t3)",
    ]


def test_a_bias_is_added_in_place() -> None:
    W, c = Input("W", ("m", "k"), ()), Input("c", ("k",), ())
    product = einsum([X, W], ["nm", "mk"], "nk")
    layer = Map("relu", (add([product, broadcast(c, ("n", "k"), [1])]),))
    source = Compiled([layer], [X, W, c]).source(n=3, m=4, k=5)
    assert "    t1 = X.dot(W)\n    np.add(t1, c, t1)\n    np.maximum(t1, 0, out=t1)\n" in source


def test_wheres_of_two_numbers_have_the_dtype_of_the_condition() -> None:
    node = Map("where", (Map("greater", (x, const(0))), const(1), const(Fraction(1, 10))))
    (result,) = compiled(node)(x=np.array([-1, 1], np.float32))
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, np.array([0.1, 1], np.float32))
    assert lines(node, x=np.ones(2, np.float32)) == [
        "t1 = np.empty((2,), np.float32)",
        "t1[...] = 0.1",
        "np.greater(x, c1, u1)",
        "np.copyto(t1, np.float32(1), where=u1)",
    ]


def test_numbers_that_only_numpy_computes() -> None:
    root = Map("exp", (const(2),))
    assert compiled(root, multiply(x, root))(x=np.ones(2, np.float32))[1].dtype == np.float32


def test_diagonals_of_what_is_one_number_everywhere() -> None:
    everywhere = Map("exp", (fill(("n", "n"), 2),))
    (result,) = compiled(multiply(x, einsum([everywhere], ["ii"], "i")))(x=np.ones(3))
    np.testing.assert_allclose(result, np.exp([2, 2, 2]))


@pytest.mark.parametrize(
    "values", [[1e4, -1e4], [-np.inf, -np.inf], [np.inf, 1], [-np.inf, 2], [np.nan, 1], [1e308, 1e308]]
)
def test_logsumexp_is_stable(values: list[float]) -> None:
    (result,) = compiled(Reduce("logsumexp", X, (1,)))(X=np.array([values]))
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(result[0], np.logaddexp.reduce(values), rtol=1e-15)


def test_logsumexp_of_nothing_and_of_halves() -> None:
    program = compiled(Reduce("logsumexp", X, (1,)))
    np.testing.assert_array_equal(program(X=np.ones((2, 0)))[0], [-np.inf, -np.inf])
    halves = program(X=np.zeros((2, 3000), np.float16))[0]
    assert halves.dtype == np.float16
    np.testing.assert_allclose(halves, math.log(3000), rtol=1e-3)


def test_nothing_leaks_from_the_branch_that_is_not_taken() -> None:
    node = Map("where", (Map("greater", (x, const(0))), Map("log", (x,)), const(0)))
    np.testing.assert_array_equal(compiled(node)(x=np.array([-1.0, 0.0, 1.0]))[0], [0, 0, 0])


def test_functions_of_objects_are_refused() -> None:
    with pytest.raises(CompileError) as error:
        compiled(Map("exp", (x,)))(x=np.array([1, 2], object))
    assert str(error.value) == "exp is not defined for object arrays, which hold exact integers"


def test_a_step_that_is_the_identity_makes_a_copy() -> None:
    whole = Map("floor", (x,))
    program = Compiled([add([whole, y])], [x, y], names={whole: "whole"})
    given = {"x": np.arange(3), "y": np.ones(3, int)}
    np.testing.assert_array_equal(program(given), [1, 2, 3])
    np.testing.assert_array_equal(given["x"], [0, 1, 2])

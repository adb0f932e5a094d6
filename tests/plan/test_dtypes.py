"""The dtype of every node follows NumPy, with numbers weak."""

from fractions import Fraction

import numpy as np
import pytest

from einback.errors import CompileError
from einback.ir.build import add, const, einsum, multiply, power, scale, total
from einback.ir.nodes import Delta, Input, Map, Node, Reduce
from einback.ir.walk import postorder
from einback.plan.dtypes import infer_dtypes, number_dtype

x, y, m = (Input(name, ("n",), ()) for name in "xym")
A = Input("A", ("n", "n"), ())
mask = Map("greater", (m, const(0)))


def dtype(node: Node, **arrays: str) -> str:
    numbers = {each: each.value for each in postorder([node]) if isinstance(each, type(const(0)))}
    return str(infer_dtypes(postorder([node]), {k: np.dtype(v) for k, v in arrays.items()}, numbers)[node])


@pytest.mark.parametrize(
    ("node", "arrays", "expected"),
    [
        (add([x, y]), {"x": "f4", "y": "f8"}, "float64"),
        (add([x, y], [0.1, Fraction(1, 3)]), {"x": "f4", "y": "f4"}, "float32"),
        (multiply(x, y), {"x": "f4", "y": "i8"}, "float64"),
        (multiply(x, y), {"x": "f4", "y": "u1"}, "float32"),
        (multiply(x, y), {"x": "f2", "y": "?"}, "float16"),
        (multiply(x, y), {"x": "f4", "y": "c8"}, "complex64"),
        (total(x, [0]), {"x": "u1"}, "int64"),
        (total(x, [0]), {"x": "?"}, "int64"),
        (total(x, [0]), {"x": "u8"}, "uint64"),
        (scale(x, 2), {"x": "i4"}, "int64"),
        (scale(x, Fraction(1, 2)), {"x": "i4"}, "float64"),
        (scale(x, -1), {"x": "u8"}, "int64"),
        (scale(x, 2), {"x": "O"}, "object"),
        (einsum([A], ["ii"], "i"), {"A": "u1"}, "uint8"),
        (Map("exp", (x,)), {"x": "i1"}, "float64"),
        (Map("exp", (x,)), {"x": "f2"}, "float16"),
        (Map("relu", (x,)), {"x": "i4"}, "int64"),
        (Map("abs", (x,)), {"x": "c16"}, "float64"),
        (power(x, 3), {"x": "i4"}, "int64"),
        (power(x, -1), {"x": "i4"}, "float64"),
        (power(x, Fraction(1, 2)), {"x": "f4"}, "float32"),
        (mask, {"m": "f4"}, "float32"),
        (mask, {"m": "i4"}, "int64"),
        (Map("where", (mask, x, const(0.5))), {"m": "f8", "x": "f4"}, "float32"),
        (Map("where", (mask, const(1), const(0.1))), {"m": "f4"}, "float32"),
        (Reduce("max", x, (0,)), {"x": "?"}, "int64"),
        (Reduce("logsumexp", x, (0,)), {"x": "i4"}, "float64"),
        (Reduce("prod", x, (0,)), {"x": "f2"}, "float16"),
        (add([A, Delta("n")]), {"A": "f4"}, "float32"),
        (add([A, Delta("n")]), {"A": "i8"}, "int64"),
    ],
)
def test_promotion(node: Node, arrays: dict[str, str], expected: str) -> None:
    assert dtype(node, **arrays) == expected


@pytest.mark.parametrize(
    ("node", "name", "message"),
    [
        (Map("relu", (x,)), "c16", "relu is not defined for complex arrays"),
        (Reduce("max", x, (0,)), "c16", "max is not defined for complex arrays"),
        (Map("exp", (x,)), "O", "exp is not defined for object arrays, which hold exact integers"),
        (Reduce("logsumexp", x, (0,)), "O", "logsumexp is not defined for object arrays, which hold exact integers"),
    ],
)
def test_functions_that_a_dtype_lacks(node: Node, name: str, message: str) -> None:
    with pytest.raises(CompileError) as error:
        dtype(node, x=name)
    assert str(error.value) == message


def test_numbers_as_results() -> None:
    single, integer = np.dtype("f4"), np.dtype("i4")
    assert number_dtype(Fraction(1), [single, integer]) == single
    assert number_dtype(Fraction(1), [integer]) == np.int64
    assert number_dtype(Fraction(1, 2), [integer]) == np.float64
    assert number_dtype(Fraction(1), []) == np.float64

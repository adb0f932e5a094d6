"""What the door refuses, word by word."""

import numpy as np
import pytest

from einback.errors import ArrayError, CompileError
from einback.ir.build import einsum
from einback.ir.nodes import Input
from einback.run.callable import Compiled

X, W_1 = Input("X", ("n", "d"), ()), Input("W_1", ("d", "c"), ())
ids = Input("ids", ("n",), ("integer",))
GOOD = {"X": np.ones((2, 3)), "W_1": np.ones((3, 4)), "ids": np.array([1, 2])}


class Frame:
    """Stands for a data frame: it has `to_numpy`."""

    def to_numpy(self) -> None: ...


class Sparse:
    def toarray(self) -> None: ...


class Device:
    """Stands for an array of CuPy's."""

    __module__ = "cupy._core.core"


@pytest.fixture
def program() -> Compiled:
    return Compiled([einsum([X, W_1, ids], ["nd", "dc", "n"], "nc")], [X, W_1, ids])


def message(program: Compiled, **arrays: object) -> str:
    with pytest.raises(ArrayError) as error:
        program({**GOOD, **arrays})
    return str(error.value)


def test_missing_and_unknown_arrays(program: Compiled) -> None:
    with pytest.raises(ArrayError) as error:
        program(X=GOOD["X"])
    assert str(error.value) == "missing arrays W_1, ids\narrays are passed by keyword, as in W_1=..."
    assert message(program, W_l=1) == "unknown array W_l\ndid you mean W_1?"
    assert message(program, momentum=1) == "unknown array momentum\nthe arrays are X, W_1, ids"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.ones(2), "X is declared with 2 axes [n,d], but the array has 1 axis: its shape is (2,)"),
        (np.ones((2, 5)), "axis 0 of W_1 is 3, but d is 5 by axis 1 of X"),
        (np.ones((2, 3)).view(np.matrix), "X is a numpy.matrix, whose products differ\npass numpy.asarray(X)"),
        (np.ma.ones((2, 3)), "X is a masked array, whose mask would be lost\npass X.filled(0)"),
        (Frame(), "X is a Frame, not an array\npass X.to_numpy()"),
        (Sparse(), "X is a sparse Sparse\npass X.toarray()"),
        (np.full((2, 3), "a"), "X is of dtype <U1; arrays of numbers are needed"),
        (np.full((2, 3), "2020", "M8[Y]"), "X is of dtype datetime64[Y]; arrays of numbers are needed"),
        (np.full((2, 3), None), "X holds objects of type NoneType; object arrays hold Python integers"),
        (object(), "X holds objects of type object; object arrays hold Python integers"),
        (None, "X holds objects of type NoneType; object arrays hold Python integers"),
    ],
)
def test_arrays_that_are_refused(program: Compiled, value: object, expected: str) -> None:
    assert message(program, X=value) == expected


def test_ragged_lists(program: Compiled) -> None:
    assert message(program, X=[[1, 2, 3], [4]]).startswith("X is no array: setting an array element with a sequence.")


def test_integers_are_asked_for_where_they_are_declared(program: Compiled) -> None:
    assert message(program, ids=np.ones(2)) == "ids holds integers, but the array is of float64"
    program({**GOOD, "ids": [True, False]})


def test_cupy_arrays_are_not_copied_silently(program: Compiled) -> None:
    with pytest.raises(CompileError) as error:
        program({**GOOD, "X": Device()})
    assert str(error.value) == "X is a CuPy array, and this program runs on NumPy\npass cupy.asnumpy(X)"


def test_objects_are_looked_at_in_every_call() -> None:
    program = Compiled([X], [X])
    program(X=np.array([[1]], object))
    with pytest.raises(ArrayError) as error:
        program(X=np.array([[0.5]], object))
    assert str(error.value) == "X holds objects of type float; object arrays hold Python integers"


def test_foreign_byte_order_and_subclasses_that_are_plain(program: Compiled, tmp_path) -> None:
    want = program(GOOD)
    swapped = {name: array.astype(array.dtype.newbyteorder()) for name, array in GOOD.items()}
    np.testing.assert_array_equal(program(swapped), want)
    mapped = np.memmap(tmp_path / "x", dtype=float, mode="w+", shape=(2, 3))
    mapped[...] = 1
    result = program({**GOOD, "X": mapped})
    assert type(result) is np.ndarray
    np.testing.assert_array_equal(result, want)
    assert Compiled([X], [X])(X=swapped["X"]).dtype.isnative

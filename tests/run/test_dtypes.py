"""The section "Dtypes and memory" of the awkward inputs, a test a clause; docs/numerics.md lists the conventions.

`tests/plan/test_dtypes.py` pins the promotion of every kind of node, `tests/run/test_guards.py` the messages. Complex
numbers have files of their own.
"""

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import einback as eb

x, y = eb.tensors("x[n] y[n]")
X, W = eb.tensors("X[n,d] W[d,k]")
INT, DOUBLE, SINGLE, HALF = np.int64, np.float64, np.float32, np.float16


def dtype_of(f: eb.Tensor, **arrays: Any) -> Any:
    return eb.evaluate(f, **arrays).dtype


# integers and bools promoted as documented, their gradient an error

OF_INTEGERS = [
    (x + x, INT),
    (eb.sum(x), INT),
    (eb.prod(x), INT),
    (eb.max(x), INT),
    (x @ x, INT),
    (x**2, INT),
    (abs(x), INT),
    (eb.where(x > 0, x, 0), INT),
    (x > 0, INT),
    (x / 2, DOUBLE),
    (eb.mean(x), DOUBLE),
    (eb.exp(x), DOUBLE),
    (1 / x, DOUBLE),
    (eb.sqrt(x), DOUBLE),
    (x**x, DOUBLE),
]
# What simplification leaves of these takes less than floats; the result is what NumPy would give.
SIMPLIFIED = [x / x, eb.log(eb.exp(x)), eb.sqrt(x) ** 2, x**2 / x, 0.5 * x * 2, eb.exp(x) - eb.exp(x)]


@pytest.mark.parametrize(("f", "wanted"), [*OF_INTEGERS, *((f, DOUBLE) for f in SIMPLIFIED)])
@pytest.mark.parametrize("given", [np.int8, np.int32, np.int64, np.uint8])
def test_integers_are_promoted(f: eb.Tensor, wanted: type, given: type) -> None:
    assert dtype_of(f, x=np.array([1, 2], given)) == wanted


def test_bytes_and_bools_do_not_wrap_around() -> None:
    assert eb.evaluate(eb.sum(x), x=np.full(300, 255, np.uint8)) == 76500
    assert eb.evaluate(eb.sum(x), x=np.ones(300, bool)) == 300
    np.testing.assert_array_equal(eb.evaluate(x - y, x=np.zeros(1, np.uint8), y=np.ones(1, np.uint8)), [-1])
    np.testing.assert_array_equal(eb.evaluate(x + y, x=[True], y=[True]), [2])


def test_integers_beside_floats() -> None:
    assert dtype_of(x * y, x=np.ones(2, SINGLE), y=np.ones(2, np.int64)) == DOUBLE  # as NumPy
    assert dtype_of(x * y, x=np.ones(2, SINGLE), y=np.ones(2, np.uint8)) == SINGLE
    assert dtype_of(x * y, x=np.ones(2, SINGLE), y=np.ones(2, bool)) == SINGLE


@pytest.mark.parametrize("given", [bool, np.uint8, np.int64])
@pytest.mark.parametrize("derived", [eb.grad(eb.sum(x**3), x), eb.jacobian(x**3, x), eb.hessian(eb.sum(x**3), x)])
def test_integers_have_no_gradient(derived: eb.Tensor, given: type) -> None:
    with pytest.raises(eb.ArrayError, match="integers have no gradient"):
        eb.evaluate(derived, x=np.ones(2, given))


def test_declared_integers_have_no_gradient() -> None:
    ids = eb.tensor("ids[n]", integer=True)
    with pytest.raises(eb.DerivativeError, match="ids"):
        eb.grad(eb.sum(ids * x), ids)
    assert dtype_of(eb.grad(eb.sum(ids * x), x), ids=np.array([1, 2]), x=np.ones(2, SINGLE)) == SINGLE


# the float16 sum of 5000 ones is 5000

ONES, HUNDREDS = np.ones(5000, HALF), np.full(5000, 100, HALF)


@pytest.mark.parametrize(
    "f", [eb.sum(x), x @ x, eb.sum(x * x), eb.sum(x**2), eb.einsum("i,j->", x, eb.ones("[1]")) * 1]
)
def test_half_precision_sum_of_5000_ones(f: eb.Tensor) -> None:
    found = eb.evaluate(f, x=ONES)
    assert found == 5000
    assert found.dtype == HALF


@pytest.mark.parametrize(
    "f", [eb.mean(x), eb.sum(x) / x.size("n"), eb.sqrt(eb.mean(x**2)), eb.sqrt(x @ x / x.size("n"))]
)
def test_half_precision_means_do_not_overflow_on_the_way(f: eb.Tensor) -> None:
    """The sum is 500,000 and that of squares 5e7; float16 ends at 65,504."""
    found = eb.evaluate(f, x=HUNDREDS)
    assert found == 100
    assert found.dtype == HALF


def test_half_precision_mean_and_deviations() -> None:
    at = np.array([200, 400], HALF).repeat(2000)
    deviations = eb.evaluate(eb.mean((x - eb.mean(x)) ** 2), x=at)
    assert deviations == 10000
    slope = eb.evaluate(eb.grad(eb.mean(x**2), x), x=at)
    np.testing.assert_array_equal(slope, (at.astype(DOUBLE) / 2000).astype(HALF))


def test_half_precision_softmax_of_many_entries() -> None:
    found = eb.evaluate([eb.softmax(x), eb.logsumexp(x)], x=np.zeros(70_000, HALF))
    assert [each.dtype for each in found] == [HALF, HALF]
    np.testing.assert_allclose(found[0], 1 / 70_000, rtol=2e-3)
    np.testing.assert_allclose(found[1], np.log(70_000), rtol=1e-3)


def test_half_precision_products_of_matrices() -> None:
    found = eb.evaluate(X @ W / W.size("d"), X=np.full((2, 3000), 10, HALF), W=np.full((3000, 2), 10, HALF))
    np.testing.assert_array_equal(found, np.full((2, 2), 100, HALF))
    assert found.dtype == HALF


# float32 with float64: NumPy's promotion, gradients in each operand's dtype


@pytest.mark.parametrize("f", [x + y, x * y, eb.maximum(x, y), eb.where(x > y, x, y), x + (y - y), x**y, x @ y])
def test_single_with_double_is_double(f: eb.Tensor) -> None:
    assert dtype_of(f, x=np.ones(2, SINGLE), y=np.ones(2, DOUBLE)) == DOUBLE
    assert dtype_of(f, x=np.ones(2, SINGLE), y=np.ones(2, SINGLE)) == SINGLE


@pytest.mark.parametrize(
    "f", [x * 0.1, x + 1, x / 3, x**0.5, eb.mean(x), x / x.size("n"), 2.0**x, eb.where(x > 0, x, 0.5)]
)
@pytest.mark.parametrize("given", [HALF, SINGLE, DOUBLE])
def test_numbers_never_widen(f: eb.Tensor, given: type) -> None:
    assert dtype_of(f, x=np.ones(2, given)) == given


def test_gradients_have_the_dtype_of_their_operand() -> None:
    grads = eb.grad(eb.sum(eb.tanh(X @ W) ** 2), {"X": X, "W": W})
    rng = np.random.default_rng(0)
    arrays = {"X": rng.normal(size=(3, 2)).astype(SINGLE), "W": rng.normal(size=(2, 4))}
    found = eb.evaluate(grads, **arrays)
    assert {name: grad.dtype for name, grad in found.items()} == {"X": SINGLE, "W": DOUBLE}
    wide = eb.evaluate(grads, **{name: array.astype(DOUBLE) for name, array in arrays.items()})
    np.testing.assert_allclose(found["X"], wide["X"], rtol=1e-6)
    np.testing.assert_allclose(found["W"], wide["W"], rtol=1e-12)


def test_a_scalar_of_python_does_not_widen_and_an_array_does() -> None:
    scale = eb.tensor("s")
    assert dtype_of(scale * x, s=2.0, x=np.ones(2, SINGLE)) == SINGLE
    assert dtype_of(scale * x, s=np.array(2.0), x=np.ones(2, SINGLE)) == DOUBLE


# masked arrays, matrices, data frames, object arrays: errors, or documented

FRAME = SimpleNamespace(to_numpy=lambda: np.ones(2))
SPARSE = SimpleNamespace(toarray=lambda: np.ones(2))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.ma.masked_array([1.0, 2], mask=[True, False]), r"x is a masked array, whose mask would be lost"),
        (np.ma.masked_array([1.0, 2]), r"x is a masked array"),
        (np.ones((1, 2)).view(np.matrix), r"x is a numpy.matrix, whose products differ"),
        (FRAME, r"x is a SimpleNamespace, not an array\npass x.to_numpy\(\)"),
        (SPARSE, r"x is a sparse SimpleNamespace\npass x.toarray\(\)"),
        (np.array(["a", "b"]), r"x is of dtype <U1; arrays of numbers are needed"),
        (np.array([1, "a"], object), r"x holds objects of type str; object arrays hold Python integers"),
        (np.array([1.5, 2.5], object), r"x holds objects of type float"),
        (np.array([None, None]), r"x holds objects of type NoneType"),
        ([[1.0], [1.0, 2.0]], r"x is no array"),
        (np.zeros(2, "datetime64[s]"), r"x is of dtype datetime64"),
        (np.zeros(2, [("a", float)]), r"x is of dtype \[\('a', '<f8'\)\]"),
        (None, r"x"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(value: object, message: str) -> None:
    with pytest.raises(eb.ArrayError, match=message):
        eb.evaluate(eb.sum(x), x=value)


def test_object_arrays_hold_integers_of_any_length() -> None:
    long = np.array([10**30, -(10**25) + 1], object)
    assert eb.evaluate(eb.sum(x * x), x=long) == 10**60 + (10**25 - 1) ** 2
    assert eb.evaluate(eb.prod(x), x=np.array([Fraction(1, 3), 3], object)) == 1
    with pytest.raises(eb.EinbackError, match="exp is not defined for object arrays"):
        eb.evaluate(eb.exp(x), x=long)


# Fortran order, negative, zero or read-only strides: right, and inputs untouched


def layouts(array: np.ndarray) -> dict[str, np.ndarray]:
    """One and the same array of two axes, in memory laid out in many ways."""
    n, d = array.shape
    apart, odd = np.full((2 * n, 3 * d), np.nan), np.zeros(array.nbytes + 1, np.uint8)
    apart[::2, ::3] = array
    odd[1:].view(np.uint8)[:] = np.frombuffer(array.tobytes(), np.uint8)
    frozen = array.copy()
    frozen.flags.writeable = False
    return {
        "C": array,
        "Fortran": np.asfortranarray(array),
        "reversed": array[::-1, ::-1].copy()[::-1, ::-1],
        "spaced": apart[::2, ::3],
        "read-only": frozen,
        "unaligned": odd[1:].view(array.dtype).reshape(array.shape),
        "foreign byte order": array.astype(array.dtype.newbyteorder()),
    }


LAYOUTS = sorted(layouts(np.zeros((1, 1))))


@pytest.mark.parametrize("second", LAYOUTS)
@pytest.mark.parametrize("first", LAYOUTS)
def test_layouts(first: str, second: str) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(4, 3)), rng.normal(size=(3, 5))
    H = eb.relu(X @ W)
    loss = (
        eb.sum(H**2)
        + eb.sum(eb.logsumexp(X, axis=1))
        + eb.sum(eb.einsum("nd->dn", X) ** 2)
        + eb.sum(eb.prod(W, axis=0))
    )
    fn = eb.compile([loss, H, *eb.grad(loss, [X, W])])
    given = {"X": layouts(a)[first], "W": layouts(b)[second]}
    kept = {name: array.copy() for name, array in given.items()}
    found = fn(given)
    for have, want in zip(found, fn(X=a, W=b), strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-13)
    for name, array in given.items():
        np.testing.assert_array_equal(array, kept[name])
        assert not any(np.shares_memory(result, array) for result in found)


def test_zero_strides() -> None:
    """Every row is one row in memory."""
    row = np.array([1.0, 2, 3])
    rows = np.broadcast_to(row, (4, 3))
    outputs = [eb.sum(X**2), X + 1, eb.grad(eb.sum(eb.exp(X)), X), eb.einsum("nd->dn", X)]
    found = eb.evaluate(outputs, X=rows)
    np.testing.assert_allclose(found[0], 56)
    np.testing.assert_array_equal(found[1], rows + 1)
    np.testing.assert_allclose(found[2], np.exp(rows))
    np.testing.assert_array_equal(found[3], rows.T)
    np.testing.assert_array_equal(row, [1, 2, 3])
    assert all(np.asarray(each).flags.writeable for each in found[1:])


def test_results_that_are_inputs_are_copies() -> None:
    given = np.arange(6.0).reshape(2, 3)
    for found in eb.evaluate([X, X.T, eb.einsum("nd->nd", X)], X=given):
        found[...] = -1
    np.testing.assert_array_equal(given, np.arange(6.0).reshape(2, 3))


# a peak above memory_limit


def test_a_limit_of_memory_that_nothing_fits_is_refused() -> None:
    with pytest.raises(eb.CompileError, match="the smallest limit that works for these arrays is"):
        eb.compile(eb.sum(x), memory_limit=100)(x=np.ones(10))

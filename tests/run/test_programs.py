"""Random programs, compiled and run, against the interpreter: values, dtypes, layouts, and nothing shared."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from einback.errors import ArrayError
from einback.ir.nodes import Input, Node, Reduce
from einback.ir.walk import postorder
from einback.rules.simplify import normalise
from einback.run.callable import Compiled
from tests.interpreter import evaluate
from tests.run.random_programs import arrays_for, programs

SEEDS = st.integers(0, 2**32)


def run(
    roots: tuple[Node, ...], inputs: list[Input], sizes: dict[str, int], arrays: dict[str, np.ndarray]
) -> list[Any]:
    """The results, after checking that they are fresh and in order, that the arrays are untouched, and that later
    calls, which work in the same memory, change nothing."""
    before = {name: array.copy() for name, array in arrays.items()}
    program = Compiled(roots, inputs, structure=list(range(len(roots))))
    results: list[Any] = program(arrays, **sizes)
    kept = [np.copy(result) for result in results]
    program({name: array.reshape(-1)[::-1].reshape(array.shape) for name, array in arrays.items()}, **sizes)
    for result, again, was in zip(results, program(arrays, **sizes), kept, strict=True):
        np.testing.assert_array_equal(result, was)
        np.testing.assert_array_equal(again, was)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, before[name])
    for k, result in enumerate(results):
        if isinstance(result, np.ndarray):
            assert result.ndim > 0
            assert result.flags.c_contiguous
            assert result.flags.writeable
            assert not any(np.shares_memory(result, other) for other in [*arrays.values(), *results[:k]])
        else:
            assert isinstance(result, np.generic | int)
    return results


def check(results: list[Any], expected: list[np.ndarray], tolerance: float) -> None:
    for result, want in zip(results, expected, strict=True):
        assert np.shape(result) == want.shape
        usual = np.isfinite(want) & (np.abs(want) < 1e12)  # elsewhere the order of operations decides
        scale = 1 + np.abs(want[usual]).max(initial=0)
        np.testing.assert_allclose(np.where(usual, result, 0), np.where(usual, want, 0), tolerance, tolerance * scale)


@given(st.data())
def test_values(data: st.DataObject) -> None:
    roots, inputs = data.draw(programs())
    sizes, arrays = arrays_for(inputs, data.draw(SEEDS))
    check(run(roots, inputs, sizes, arrays), evaluate(roots, arrays, sizes), 1e-7)


@given(st.data())
def test_what_is_done_with_large_arrays(data: st.DataObject) -> None:
    """Small programs, with all sizes counted as large: arrays are freed early, and given out again."""
    roots, inputs = data.draw(programs())
    sizes, arrays = arrays_for(inputs, data.draw(SEEDS))
    with pytest.MonkeyPatch.context() as patch:
        for size in ("emitter._WORTH_FREEING", "elementwise._LARGE", "handed._LARGE"):
            patch.setattr(f"einback.run.{size}", 1)
        results = run(roots, inputs, sizes, arrays)
    check(results, evaluate(roots, arrays, sizes), 1e-7)


@given(st.data())
def test_values_of_normal_forms(data: st.DataObject) -> None:
    roots, inputs = data.draw(programs())
    sizes, arrays = arrays_for(inputs, data.draw(SEEDS))
    check(run(normalise(roots), inputs, sizes, arrays), evaluate(roots, arrays, sizes), 1e-7)


@given(st.data())
def test_single_precision_stays_single(data: st.DataObject) -> None:
    roots, inputs = data.draw(programs())
    sizes, arrays = arrays_for(inputs, data.draw(SEEDS))
    singles = {name: array if array.dtype.kind == "i" else array.astype(np.float32) for name, array in arrays.items()}
    results = run(roots, inputs, sizes, singles)
    assert [result.dtype for result in results] == [np.float32] * len(results)
    check(results, evaluate(roots, singles, sizes), 5e-3)


@given(st.data())
def test_empty_axes(data: st.DataObject) -> None:
    roots, inputs = data.draw(programs())
    sizes, arrays = arrays_for(inputs, data.draw(SEEDS), zero=True)
    refused = None
    try:
        results = run(roots, inputs, sizes, arrays)
    except ArrayError as error:
        refused = error
    if refused:
        assert "over an axis of length 0" in str(refused)
        assert any(_reduces_nothing(node, sizes) for node in postorder(roots))
    else:
        for result, want in zip(results, evaluate(roots, arrays, sizes), strict=True):
            assert np.shape(result) == want.shape


def _reduces_nothing(node: Node, sizes: dict[str, int]) -> bool:
    return isinstance(node, Reduce) and any(not sizes[str(node.arg.shape[axis])] for axis in node.axes)


@pytest.mark.parametrize("dtype", [np.int64, object, np.int8])
@given(data=st.data())
def test_integers_are_exact(data: st.DataObject, dtype: type) -> None:
    roots, inputs = data.draw(programs(exact=True))
    sizes, arrays = arrays_for(inputs, data.draw(SEEDS), exact=True)
    ids = {tensor.name for tensor in inputs if tensor.facts}
    floats = {name: array if name in ids else array.astype(float) for name, array in arrays.items()}
    assume(all((np.abs(value) < 2**53).all() for value in evaluate(list(postorder(roots)), floats, sizes)))
    given_arrays = {name: array if name in ids else np.asarray(array, dtype) for name, array in arrays.items()}
    results = run(roots, inputs, sizes, given_arrays)
    for result, want in zip(results, evaluate(roots, arrays, sizes), strict=True):
        np.testing.assert_array_equal(result, want)


@given(st.data())
def test_mixed_dtypes_run(data: st.DataObject) -> None:
    roots, inputs = data.draw(programs())
    sizes, arrays = arrays_for(inputs, data.draw(SEEDS))
    kinds = data.draw(st.lists(st.sampled_from(["f2", "f4", "f8", "i1", "u2", "i8", "?"]), min_size=7, max_size=7))
    kind_of = dict(zip((one.name for one in inputs if not one.facts), kinds, strict=True))
    mixed = {name: array.astype(kind_of.get(name, array.dtype)) for name, array in arrays.items()}
    results = run(roots, inputs, sizes, mixed)
    assert [np.shape(result) for result in results] == [want.shape for want in evaluate(roots, arrays, sizes)]


@given(st.data())
def test_runs_repeat_bit_for_bit(data: st.DataObject) -> None:
    roots, inputs = data.draw(programs())
    sizes, arrays = arrays_for(inputs, data.draw(SEEDS))
    first, second = (run(roots, inputs, sizes, arrays) for _ in range(2))
    for one, two in zip(first, second, strict=True):
        assert np.asarray(one).tobytes() == np.asarray(two).tobytes()

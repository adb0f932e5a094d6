"""On a CUDA device, values, gradients and Hessians are those of NumPy; elsewhere these tests skip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import einback as eb
from einback.run.callable import Compiled
from tests.interpreter import evaluate
from tests.run.functional.targets import flat
from tests.run.limited_programs import PROGRAMS
from tests.run.random_programs import arrays_for, programs
from tests.run.test_programs import check

pytestmark = pytest.mark.gpu

SEEDS = st.integers(0, 2**32)


def on_device(cupy: Any, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    return {name: cupy.asarray(array) for name, array in arrays.items()}


@given(data=st.data())
def test_random_programs(cupy: Any, data: st.DataObject) -> None:
    roots, inputs = data.draw(programs())
    sizes, arrays = arrays_for(inputs, data.draw(SEEDS))
    program = Compiled(roots, inputs, structure=list(range(len(roots))))
    found = program(on_device(cupy, arrays) | {name: sizes[name] for name in sizes if name in program.symbols})
    check([cupy.asnumpy(one) for one in found], evaluate(roots, arrays, sizes), 1e-7)


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_standard_programs(cupy: Any, name: str, dtype: type) -> None:
    outputs, given_arrays = PROGRAMS[name]()
    step = eb.compile(outputs)
    arrays = {key: one.astype(dtype) if one.dtype.kind == "f" else one for key, one in given_arrays.items()}
    wanted, found = flat(step(**arrays)), flat(step(**on_device(cupy, arrays)))
    tolerance = 1e-8 if dtype is np.float64 else 2e-3
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == np.asarray(other).dtype
        np.testing.assert_allclose(cupy.asnumpy(one), other, rtol=tolerance, atol=tolerance)


def test_hessians_and_gradients(cupy: Any) -> None:
    X, W, t = eb.tensors("X[n,d] W[d,c] t[n,c]")
    loss = eb.sum((eb.tanh(X @ W) - t) ** 2) / X.size("n")
    step = eb.compile({"grad": eb.grad(loss, W), "hessian": eb.hessian(loss, W)})
    rng = np.random.default_rng(1)
    arrays = {"X": rng.normal(size=(20, 4)), "W": rng.normal(size=(4, 3)), "t": rng.normal(size=(20, 3))}
    wanted, found = step(**arrays), step(**on_device(cupy, arrays))
    for key in wanted:
        np.testing.assert_allclose(cupy.asnumpy(found[key]), wanted[key], rtol=1e-10, atol=1e-12)


def test_results_stay_on_the_stream_and_device_of_the_arrays(cupy: Any) -> None:
    x = eb.tensor("x[n]")
    array = cupy.arange(4.0)
    with cupy.cuda.Stream(non_blocking=True) as stream:
        found = eb.evaluate(x**2, x=array)
        stream.synchronize()
    assert found.device == array.device
    np.testing.assert_array_equal(cupy.asnumpy(found), np.arange(4.0) ** 2)

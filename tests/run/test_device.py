"""Programs on CuPy arrays: which arrays go together, what runs, and what is refused; values on a stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import einback as eb
from einback.errors import ArrayError, CompileError
from einback.run.callable import Compiled
from tests.interpreter import evaluate
from tests.run.cuda_on_host import available
from tests.run.cupy_stand_in import Device, cupy_stand_in
from tests.run.random_programs import arrays_for, programs
from tests.run.test_programs import check

X, W, b = eb.tensors("X[n,d] W[d,c] b[c]")
Y = eb.tensor("Y[n,c]", stochastic=True)
LOSS = -eb.sum(Y * eb.log_softmax(X @ W + b, axis="c")) / X.size("n")
ARRAYS = {
    "X": np.random.default_rng(0).normal(size=(5, 3)),
    "W": np.random.default_rng(1).normal(size=(3, 2)),
    "b": np.zeros(2),
    "Y": np.eye(2)[[0, 1, 1, 0, 1]],
}


pytestmark = pytest.mark.skipif(not available(), reason="there is no g++ to compile kernels for the host")


@pytest.fixture
def cupy() -> Iterator[Any]:
    with cupy_stand_in() as module:
        yield module


def on_device(cupy: Any, arrays: dict[str, np.ndarray] = ARRAYS) -> dict[str, Any]:
    return {name: cupy.asarray(array) for name, array in arrays.items()}


def test_the_same_values_as_arrays_of_the_device(cupy: Any) -> None:
    step = eb.compile({"loss": LOSS, "grads": eb.grad(LOSS, [W, b]), "H": eb.hessian(LOSS, b)})
    wanted, found = step(**ARRAYS), step(**on_device(cupy))
    assert type(found["loss"]) is type(found["grads"][0]) is cupy.ndarray
    assert found["loss"].shape == ()
    for one, other in ((found["loss"], wanted["loss"]), (found["H"], wanted["H"]),
                       *zip(found["grads"], wanted["grads"], strict=True)):  # fmt: skip
        np.testing.assert_allclose(cupy.asnumpy(one), other, rtol=1e-12, atol=1e-14)
    assert step(**ARRAYS)["loss"] == wanted["loss"]  # and then NumPy arrays again


def test_what_runs_is_the_source_for_cupy(cupy: Any) -> None:
    step = eb.compile(LOSS)
    device, here = on_device(cupy), dict[str, Any]()
    exec(step.source(device, target="cupy"), here)
    assert here["step"](*(device[one.name] for one in step.inputs)) == step(**device)


def test_shapes_dtypes_and_sizes_each_have_their_function(cupy: Any) -> None:
    x = eb.tensor("x[n]")
    step = eb.compile(eb.sum(x**2) / x.size("n"))
    for array in (np.arange(3.0), np.arange(4.0), np.arange(4, dtype=np.float32)):
        found = step(x=cupy.asarray(array))
        assert found.dtype == array.dtype
        np.testing.assert_allclose(found, np.mean(array**2))
    y = eb.tensor("y[n]")
    unread = eb.compile(eb.jacobian(x * y, x))  # x is not read, and may be passed
    for n in (3, 5):
        ones = cupy.asarray(np.ones(n))
        np.testing.assert_array_equal(cupy.asnumpy(unread(x=ones, y=2 * ones)), 2 * np.eye(n))


def test_numbers_go_with_arrays(cupy: Any) -> None:
    x, s = eb.tensors("x[n] s")
    found = eb.evaluate(s * x, x=cupy.asarray(np.ones(2, np.float32)), s=0.5)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(cupy.asnumpy(found), [0.5, 0.5])


def test_arrays_of_the_host_and_other_devices(cupy: Any) -> None:
    device = on_device(cupy)
    with pytest.raises(ArrayError, match=r"Y is a CuPy array, and W is a numpy.ndarray\npass cupy.asarray\(W\), or"):
        eb.evaluate(LOSS, **{**device, "W": ARRAYS["W"]})
    device["b"].device = Device(1)
    with pytest.raises(ArrayError, match="Y is on device 0, and b on device 1\ncopy one of them"):
        eb.evaluate(LOSS, **device)


def test_declarations_are_checked(cupy: Any) -> None:
    device = on_device(cupy, {**ARRAYS, "Y": np.ones((5, 2))})
    with pytest.raises(ArrayError, match="Y is declared stochastic"):
        eb.evaluate(LOSS, **device)
    E, t = eb.tensor("E[v,d]"), eb.tensor("t[n]", integer=True)
    rows, ids = cupy.asarray(np.eye(3)), cupy.asarray(np.array([2, 0]))
    np.testing.assert_array_equal(cupy.asnumpy(eb.evaluate(E[t], E=rows, t=ids)), np.eye(3)[[2, 0]])
    with pytest.raises(ArrayError, match="t holds integers, but the array is of float64"):
        eb.evaluate(E[t], E=rows, t=cupy.asarray(np.ones(2)))
    with pytest.raises(ArrayError, match=r"t\[0\] is 3, and the axis that it points into has 3 entries"):
        eb.evaluate(E[t], E=rows, t=cupy.asarray(np.array([3])))
    with pytest.raises(ArrayError, match="missing array W"):
        eb.evaluate(LOSS, **{name: array for name, array in device.items() if name != "W"})
    with pytest.raises(ArrayError, match="axis 0 of W is 4, but d is 3 by axis 1 of X"):
        eb.evaluate(LOSS, **{**on_device(cupy), "W": cupy.asarray(np.ones((4, 2)))})


def test_limits(cupy: Any) -> None:
    with pytest.raises(CompileError, match="the arrays are CuPy's, and threads is for NumPy arrays"):
        eb.compile(LOSS, threads=2)(**on_device(cupy))
    A, v = eb.tensors("A[n,n] v[n]")
    arrays = on_device(cupy, {"A": np.ones((64, 64)), "v": np.ones(64)})
    outputs = [eb.tanh(A) @ eb.exp(A), A @ v]
    needed = eb.compile(outputs).plan(**arrays).peak_bytes
    assert needed >= 3 * 64 * 64 * 8
    for limit in (needed, needed - 1):
        found = eb.compile(outputs, memory_limit=limit)(**arrays)
        np.testing.assert_allclose(cupy.asnumpy(found[0]), np.tanh(np.ones((64, 64))) @ np.exp(np.ones((64, 64))))
    with pytest.raises(CompileError, match=r"and memory_limit is 1\nthe smallest limit that works for these arrays is"):
        eb.compile(outputs, memory_limit=1)(**arrays)
    with pytest.raises(CompileError, match="memory_limit holds for kernels"):
        eb.compile(eb.linalg.inv(A), memory_limit=10**9)(A=arrays["A"])


def test_plans_and_sources_take_device_arrays(cupy: Any) -> None:
    step = eb.compile(LOSS)
    device = on_device(cupy)
    assert step.plan(**device).flops == step.plan(**ARRAYS).flops
    assert step.sizes(**device) == {"n": 5, "d": 3, "c": 2}
    assert "cupy" in step.source(device, target="cupy")


def test_saved_programs_run_on_numpy(cupy: Any, tmp_path: Any) -> None:
    step = eb.compile(LOSS)
    step(**ARRAYS)
    step.save(tmp_path / "step.json")
    with pytest.raises(CompileError, match="Y is a CuPy array, and this program runs on NumPy"):
        eb.load(tmp_path / "step.json")(**on_device(cupy))


@settings(max_examples=60)
@given(data=st.data())
def test_random_programs(data: st.DataObject) -> None:
    roots, inputs = data.draw(programs())
    sizes, arrays = arrays_for(inputs, data.draw(st.integers(0, 2**32)))
    program = Compiled(roots, inputs, structure=list(range(len(roots))))
    with cupy_stand_in() as cupy, np.errstate(all="ignore"):
        given_arrays = {name: cupy.asarray(array) for name, array in arrays.items()}
        found = program(given_arrays | {name: sizes[name] for name in sizes if name in program.symbols})
    check([np.asarray(one) for one in found], evaluate(roots, arrays, sizes), 1e-7)

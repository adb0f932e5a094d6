"""Programs in slices on a device: cut anywhere, and under limits of memory, which the pools keep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import einback as eb
from einback.ir.nodes import Matrix
from einback.ir.walk import postorder
from einback.run.cuda.slices import DeviceParts, DeviceWriter
from einback.run.parts import Array
from einback.run.report import SlicedPlan
from einback.run.sliced import Layout
from tests.interpreter import evaluate
from tests.plan.test_slices import Cut
from tests.run.cuda_on_host import available
from tests.run.cupy_stand_in import cupy_stand_in
from tests.run.limited_programs import PROGRAMS, Built
from tests.run.random_programs import arrays_for, programs
from tests.run.test_cuda_programs import WHOLE
from tests.run.test_memory_limit import agree, leaves, smallest
from tests.run.test_programs import check

pytestmark = pytest.mark.skipif(not available(), reason="there is no g++ to compile kernels for the host")
ON_DEVICE = [name for name in PROGRAMS if name not in WHOLE]


@pytest.fixture
def cupy() -> Iterator[Any]:
    with cupy_stand_in() as module:
        yield module


class CutOnDevice(Cut):
    """A program that is cut where the test says, for arrays of a device."""

    def run(self, length: int, threads: int = 1) -> Any:
        with cupy_stand_in() as cupy:
            given = {name: cupy.asarray(array) for name, array in self.arrays.items()}
            arrays = {name: Array(one.shape, one.dtype, one.strides, one.data.ptr % 16 == 0)
                      for name, one in given.items() if name in self.target.inputs}  # fmt: skip
            target = self.target
            layout = Layout(self.phases, tuple(length for _ in self.phases))
            parts = DeviceParts.like(target.parts, "float32")
            driver = DeviceWriter(layout, parts, arrays, target.structure, target.results, "step").driver("", False)
            namespace: dict[str, Any] = {}
            exec(compile(driver.source, "<cut>", "exec"), namespace)
            return [cupy.asnumpy(one) for one in namespace["step"](*(given[name] for name in driver.reads))]


@given(st.data())
@settings(max_examples=40)
def test_random_programs_cut_anywhere(data: st.DataObject) -> None:
    roots, inputs = data.draw(programs())
    if any(isinstance(node, Matrix) for node in postorder(roots)):
        return
    sizes, arrays = arrays_for(inputs, data.draw(st.integers(0, 2**32)))
    program = CutOnDevice(roots, inputs, sizes, arrays)
    for _ in range(data.draw(st.integers(1, 2))):
        options = [(k, start) for k in range(len(program.phases)) for start in program.starts(k)]
        if options:
            k, start = data.draw(st.sampled_from(options))
            program.cut(k, start, data.draw(st.sampled_from([np.inf, 0.0, 4.0])))
    with np.errstate(all="ignore"):
        check(program.run(data.draw(st.integers(1, 3))), evaluate(roots, arrays, sizes), 1e-7)


def held(cupy: Any, built: Built, limit: int, expected: Any) -> SlicedPlan:
    """The plan of a program that keeps to a limit, by the pools of its memory and of its results."""
    outputs, arrays = built
    given = {name: cupy.asarray(array) for name, array in arrays.items()}
    fn = eb.compile(outputs, memory_limit=limit)
    results = cupy.cuda.MemoryPool()
    with cupy.cuda.using_allocator(results.malloc):
        found = fn(given)
    agree([cupy.asnumpy(one) for one in leaves(found)], list(leaves(expected)))
    (step,) = fn._device._made.values()
    plan = fn.plan(given)
    assert isinstance(plan, SlicedPlan)
    assert plan.peak_bytes <= limit
    taken = step.pool.total_bytes() + results.total_bytes()
    assert 0.9 * plan.peak_bytes <= taken <= 1.1 * plan.peak_bytes + 8 * 512  # pools give memory in pieces
    return plan


@pytest.mark.parametrize("name", ON_DEVICE)
def test_the_limit_holds(cupy: Any, name: str) -> None:
    built = PROGRAMS[name]()
    whole = eb.compile(built[0])
    needed = whole.plan({key: cupy.asarray(array) for key, array in built[1].items()}).peak_bytes
    expected = whole(built[1])
    try:
        plan = held(cupy, built, int(0.3 * needed), expected)
    except eb.CompileError as error:  # what it says would do does
        plan = held(cupy, built, smallest(error), expected)
    assert any(phase.slices > 1 for phase in plan.phases)


# How little each program gets by with on a device, as a part of what it needs without a limit.
SMALLEST = {
    "network": 0.03, "gelu_network": 0.02, "forward": 0.05, "logistic_hessian": 0.03, "attention": 0.1,
    "causal_attention": 0.06, "layer_norm": 0.01, "batch_norm": 0.04, "softmax_over_samples": 0.3,
    "masked_factorisation": 0.03, "embedding": 0.1, "sample_gradients": 0.97, "kernel": 0.02, "convolution": 0.06,
    "newton": 0.1,
}  # fmt: skip


@pytest.mark.parametrize("name", ON_DEVICE)
def test_the_smallest_limit(cupy: Any, name: str) -> None:
    outputs, arrays = PROGRAMS[name]()
    given = {key: cupy.asarray(array) for key, array in arrays.items()}
    with pytest.raises(eb.CompileError) as refused:
        eb.compile(outputs, memory_limit=1)(given)
    assert smallest(refused.value) <= SMALLEST[name] * eb.compile(outputs).plan(given).peak_bytes


@pytest.mark.parametrize("name", ["logistic_hessian", "layer_norm", "masked_factorisation", "attention"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_of_any_strides(cupy: Any, name: str, dtype: type) -> None:
    """Slices of arrays in Fortran's order, of every second entry, and of arrays that begin between 16 bytes."""
    outputs, arrays = PROGRAMS[name]()
    arrays = {key: array.astype(dtype) if array.dtype.kind == "f" else array for key, array in arrays.items()}
    whole = eb.compile(outputs)
    expected = list(leaves(whole(arrays)))
    limit = int(0.3 * whole.plan({key: cupy.asarray(array) for key, array in arrays.items()}).peak_bytes)
    fn = eb.compile(outputs, memory_limit=limit)
    for order in (
        lambda a: cupy.asarray(np.asfortranarray(a)),
        lambda a: cupy.asarray(np.repeat(a, 2, axis=-1))[..., ::2],
        lambda a: cupy.asarray(np.concatenate([a[:1], a]).ravel())[1:][-a.size :].reshape(a.shape),
    ):
        found = leaves(fn({key: order(array) for key, array in arrays.items()}))
        for one, want in zip(found, expected, strict=True):
            tolerance = 1e-9 if dtype is np.float64 else 1e-4
            np.testing.assert_allclose(cupy.asnumpy(one), want, tolerance, tolerance * np.abs(want).max(initial=1))
    assert len(fn._device._made) == 3


def test_complex_numbers(cupy: Any) -> None:
    A, B = eb.tensor("A[m,n]", complex=True), eb.tensor("B[n,k]", complex=True)
    value = eb.sum(eb.abs(eb.exp(1j * (A @ B))) ** 2)
    rng = np.random.default_rng(0)
    arrays = {name: 0.1 * (rng.normal(size=shape) + 1j * rng.normal(size=shape))
              for name, shape in (("A", (300, 20)), ("B", (20, 40)))}  # fmt: skip
    outputs = [value, *eb.grad(value, [A, B])]
    whole = eb.compile(outputs)
    needed = whole.plan({key: cupy.asarray(array) for key, array in arrays.items()}).peak_bytes
    plan = held(cupy, (outputs, arrays), needed // 2, whole(arrays))
    assert any(phase.slices > 1 for phase in plan.phases)


def test_graphs_where_they_fit(cupy: Any) -> None:
    """A graph has arrays of its own for inputs and results; with less memory a step is launched anew, or in slices."""
    A, v = eb.tensors("A[n,n] v[n]")
    outputs = [eb.tanh(A) @ eb.exp(A), A @ v]
    arrays = {"A": cupy.asarray(np.eye(64)), "v": cupy.asarray(np.ones(64))}
    graph, eager = (eb.compile(outputs, graph=graph).plan(arrays).peak_bytes for graph in (True, False))
    assert graph > eager + 2 * 64 * 64 * 8
    for limit, replays in ((graph, True), (graph - 1, False), (eager - 1, False)):
        fn = eb.compile(outputs, graph=True, memory_limit=limit)
        for _ in range(3):
            found = fn(arrays)
            np.testing.assert_allclose(cupy.asnumpy(found[0]), np.tanh(np.eye(64)) @ np.exp(np.eye(64)), 1e-12)
        (step,) = fn._device._made.values()
        assert (step._graph is not None) is replays
        assert isinstance(fn.plan(arrays), SlicedPlan) is (limit < eager)


def test_the_memory_of_a_graph(cupy: Any) -> None:
    A = eb.tensor("A[n,n]")
    fn = eb.compile([eb.tanh(A) @ eb.exp(A), eb.sum(A)], graph=True)
    given = {"A": cupy.asarray(np.eye(128))}
    results = cupy.cuda.MemoryPool()
    with cupy.cuda.using_allocator(results.malloc):
        for _ in range(4):
            found = fn(given)
            del found
    (step,) = fn._device._made.values()
    assert step._graph is not None
    assert 0.9 <= (step.pool.total_bytes() + results.total_bytes()) / fn.plan(given).peak_bytes <= 1.1


def test_the_file_runs_by_itself(cupy: Any) -> None:
    outputs, arrays = PROGRAMS["network"]()
    given = {name: cupy.asarray(array) for name, array in arrays.items()}
    fn = eb.compile(outputs, memory_limit=600_000)
    expected = fn(given)
    source = fn.source(arrays, target="cupy", readable=False)
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    found = namespace["step"](**given)
    for one, other in zip(leaves(found), leaves(expected), strict=True):
        np.testing.assert_array_equal(cupy.asnumpy(one), cupy.asnumpy(other))
    assert "np." not in source.replace("cupy.", "")
    with pytest.raises(ValueError, match=r"step was written for \[\(\(2000, 10\)"):
        namespace["step"](**{**given, "b": cupy.asarray(np.ones(3))})


def test_numbers_twice_are_two_arrays(cupy: Any) -> None:
    X, W, s = eb.tensor("X[n,d]"), eb.tensor("W[d,k]"), eb.tensor("s")
    value = eb.sum(eb.tanh(X @ W))
    arrays = {"X": np.ones((200, 8)), "W": np.ones((8, 30)), "s": np.array(2.0)}
    given = {key: cupy.asarray(array) for key, array in arrays.items()}
    outputs = [value, value, s, s, eb.max(X), eb.max(X), eb.tanh(X @ W)]
    found = eb.compile(outputs, memory_limit=49_000)(given)
    for k, one in enumerate(found):
        assert not any(np.shares_memory(one, other) for other in (*found[:k], *given.values()))


def test_what_is_copied_counts(cupy: Any) -> None:
    Z, V = eb.tensor("Z[n,d]", complex=True), eb.tensor("V[d,k]", complex=True)
    fn = eb.compile(eb.sum(eb.abs(eb.exp(0.1j * (Z @ V)))), memory_limit=60_000)
    with pytest.raises(eb.EinbackError, match="Z has to be copied, 25,984 bytes that a memory_limit of 60,000 has no"):
        fn(Z=cupy.asarray(np.ones((203, 8))), V=cupy.asarray(np.ones((8, 30)) + 0j))


def test_what_cupy_allocates_is_refused(cupy: Any) -> None:
    Z = eb.tensor("Z[n,d]", complex=True)
    given = {"Z": cupy.asarray(np.ones((4000, 8)) + 0j)}
    with pytest.raises(eb.CompileError, match="memory_limit holds for kernels"):
        eb.compile(eb.logsumexp(Z, axis=0), memory_limit=10**9)(given)
    assert not eb.compile(eb.logsumexp(Z, axis=0)).plan(given).exact
    assert eb.compile(Z**1.3, memory_limit=10**7)(given).shape == (4000, 8)


def test_graphs_of_arrays_in_other_orders(cupy: Any) -> None:
    A, v = eb.tensors("A[n,n] v[n]")
    outputs = [eb.tanh(A) @ eb.exp(A), A @ v]
    arrays = {"A": cupy.asarray(np.asfortranarray(np.arange(4096.0).reshape(64, 64) / 4096)), "v": cupy.ones(64)}
    limit = eb.compile(outputs, graph=True).plan(arrays).peak_bytes
    fn, results = eb.compile(outputs, graph=True, memory_limit=limit), cupy.cuda.MemoryPool()
    wanted = [cupy.asnumpy(one) for one in eb.compile(outputs)(arrays)]
    for _ in range(4):
        with cupy.cuda.using_allocator(results.malloc):
            found = fn(arrays)
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(cupy.asnumpy(one), other, 1e-12)
        del found, one
    (step,) = fn._device._made.values()
    assert step._graph is not None
    assert step.pool.total_bytes() + results.total_bytes() <= 1.02 * limit


@pytest.mark.parametrize("limit", [None, 6_000])
def test_files_take_arrays_as_their_kernels_read_them(cupy: Any, limit: int | None) -> None:
    X, W = eb.tensors("X[n,d] W[d,k]")
    rng = np.random.default_rng(0)
    arrays = {"X": rng.normal(size=(60, 6)), "W": rng.normal(size=(6, 20))}
    fn = eb.compile(eb.sum(eb.tanh(X @ W), axis=1), memory_limit=limit)
    namespace: dict[str, Any] = {}
    exec(fn.source(arrays, target="cupy", readable=False), namespace)
    wanted, wide = fn(arrays) if limit is None else eb.compile(eb.sum(eb.tanh(X @ W), axis=1))(arrays), cupy.empty(361)
    wide[1:] = cupy.asarray(arrays["X"]).ravel()
    for one in (np.asfortranarray(arrays["X"]), arrays["X"], None):
        given = wide[1:].reshape(60, 6) if one is None else cupy.asarray(one)
        found = namespace["step"](X=given, W=cupy.asarray(arrays["W"]))
        np.testing.assert_allclose(cupy.asnumpy(found), wanted, 1e-12)
    with pytest.raises(ValueError, match=r"step was written for \[\(\(60, 6\), 'float64'\)"):
        namespace["step"](X=cupy.asarray(arrays["X"].astype(np.float32)), W=cupy.asarray(arrays["W"]))


@pytest.mark.parametrize("limit", [None, 6_000])
def test_names_and_keys(cupy: Any, limit: int | None) -> None:
    shapes, expected = eb.tensors("shapes[n,d] expected[d,k]")
    outputs = {"np.mean": eb.sum(eb.tanh(shapes @ expected), axis=1), "a np.b": eb.sum(expected)}
    arrays = {"shapes": np.ones((60, 6)), "expected": np.ones((6, 20))}
    given = {key: cupy.asarray(array) for key, array in arrays.items()}
    fn = eb.compile(outputs, memory_limit=limit)
    wanted, found = eb.compile(outputs)(arrays), fn(given)
    assert list(found) == list(outputs)
    namespace: dict[str, Any] = {}
    exec(fn.source(arrays, target="cupy", readable=False), namespace)
    for results in (found, namespace["step"](**given)):
        for key in outputs:
            np.testing.assert_allclose(cupy.asnumpy(results[key]), wanted[key], 1e-12)
    for name in ("gemm", "multiply", "cupy", "KINDS", *(("over", "body1") if limit else ("kernel_1",))):
        with pytest.raises(eb.CompileError, match=f"function_name='{name}' is what the file calls something else"):
            fn.source(arrays, target="cupy", readable=False, function_name=name)


@pytest.mark.parametrize("shape", [(3, 0), (0, 4), (3, 4)])
def test_empty_products_twice(cupy: Any, shape: tuple[int, int]) -> None:
    A, B = eb.tensors("A[m,n] B[m,k]")
    arrays = {"A": cupy.asarray(np.ones((shape[0], 2))), "B": cupy.asarray(np.ones(shape))}
    one, other = eb.compile([A.T @ B, B.T @ A])(arrays)
    assert one.shape == other.shape[::-1] == (2, shape[1])
    np.testing.assert_array_equal(cupy.asnumpy(one), np.full((2, shape[1]), shape[0]))

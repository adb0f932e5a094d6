"""The CuPy stand-in's cuBLAS, memory, streams and graphs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

from tests.run.cuda_blas import DATA_TYPES
from tests.run.cuda_on_host import available
from tests.run.cupy_stand_in import cupy_stand_in

needs_compiler = pytest.mark.skipif(not available(), reason="there is no g++, which compiles the kernels")

RNG = np.random.default_rng(0)
R32, R64, R16, C32, C64, BF16 = (
    DATA_TYPES[f"CUDA_{one}"] for one in ("R_32F", "R_64F", "R_16F", "C_32F", "C_64F", "R_16BF")
)
COMPUTE_32F, COMPUTE_64F, FAST_16F, FAST_16BF, FAST_TF32 = 68, 70, 74, 75, 77


@pytest.fixture
def cupy() -> Iterator[Any]:
    with cupy_stand_in() as module:
        yield module


def gemm(
    cupy: Any, operations: str, a: Any, b: Any, c: Any, sizes: tuple[int, ...],
    kinds: tuple[int, int, int] = (R64, R64, COMPUTE_64F), leading: tuple[int, ...] = (),
    strides: tuple[int, ...] = (0, 0, 0), alpha: complex = 1, beta: complex = 0,
) -> None:  # fmt: skip
    """One call on arrays of the device; `kinds` are the types of A and B, of C, and the compute type."""
    blas, (m, n, k, batch) = importlib.import_module("cupy_backends.cuda.libs.cublas"), sizes
    transa, transb = ("NTC".index(one) for one in operations)
    lda, ldb, ldc = leading or (k if transa else m, n if transb else k, m)
    scale = {R64: np.float64, C32: np.complex64, C64: np.complex128}.get(kinds[1], np.float32)
    scalars: list[Any] = [np.array(one, scale) for one in (alpha, beta)]
    blas.gemmStridedBatchedEx(
        cupy.cuda.device.get_cublas_handle(), transa, transb, m, n, k, scalars[0].ctypes.data,
        a.data.ptr, kinds[0], lda, strides[0], b.data.ptr, kinds[0], ldb, strides[1], scalars[1].ctypes.data,
        c.data.ptr, kinds[1], ldc, strides[2], batch, kinds[2], blas.CUBLAS_GEMM_DEFAULT,
    )  # fmt: skip


def normal(shape: tuple[int, ...], dtype: Any) -> Any:
    entries = RNG.normal(size=shape) + (1j * RNG.normal(size=shape) if np.dtype(dtype).kind == "c" else 0)
    return entries.astype(dtype)


def applied(operation: str, stored: Any) -> Any:
    """op of matrices, of shape (batch, columns, rows) as they lie in memory."""
    return {"N": stored.swapaxes(1, 2), "T": stored, "C": stored.conj()}[operation]


@pytest.mark.parametrize("operations", [one + other for one in "NTC" for other in "NTC"])
@pytest.mark.parametrize(("dtype", "kinds"), [
    (np.float64, (R64, R64, COMPUTE_64F)), (np.float32, (R32, R32, COMPUTE_32F)),
    (np.complex64, (C32, C32, COMPUTE_32F)), (np.complex128, (C64, C64, COMPUTE_64F)),
])  # fmt: skip
def test_gemm(cupy: Any, operations: str, dtype: Any, kinds: tuple[int, int, int]) -> None:
    m, n, k, batch, lda, ldb, ldc = 3, 4, 5, 2, 7, 8, 6
    a = normal((batch, m if operations[0] != "N" else k, lda), dtype)
    b = normal((batch, k if operations[1] != "N" else n, ldb), dtype)
    c = normal((batch, n, ldc), dtype)
    alpha, beta = (0.5, 2.0) if np.dtype(dtype).kind == "f" else (0.5 - 1j, 2j)
    left = applied(operations[0], a[:, :, : m if operations[0] == "N" else k])
    right = applied(operations[1], b[:, :, : k if operations[1] == "N" else n])
    for strides in ((a[0].size, b[0].size, c[0].size), (0, b[0].size, c[0].size), (a[0].size, 0, c[0].size)):
        wanted, found = c.copy(), cupy.asarray(c)
        x, y = (left if strides[0] else left[:1]), (right if strides[1] else right[:1])
        wanted[:, :, :m] = (alpha * (x @ y) + beta * c[:, :, :m].swapaxes(1, 2)).swapaxes(1, 2)
        gemm(cupy, operations, cupy.asarray(a), cupy.asarray(b), found, (m, n, k, batch), kinds, (lda, ldb, ldc),
             strides, alpha, beta)  # fmt: skip
        tolerance = 1e-12 if np.dtype(dtype).itemsize // (1 + (np.dtype(dtype).kind == "c")) == 8 else 1e-4
        np.testing.assert_allclose(found.get(), wanted, tolerance, tolerance)


def test_c_is_not_read_where_beta_is_zero(cupy: Any) -> None:
    a, b, c = cupy.ones((2, 3)), cupy.ones((4, 2)), cupy.full((4, 3), np.nan)
    gemm(cupy, "NN", a, b, c, (3, 4, 2, 1))
    np.testing.assert_array_equal(c.get(), np.full((4, 3), 2))
    gemm(cupy, "NN", a, b, c, (3, 4, 0, 1), leading=(3, 1, 3), alpha=np.nan, beta=0.5)  # without terms
    np.testing.assert_array_equal(c.get(), np.ones((4, 3)))


def test_products_of_rows_of_one_matrix(cupy: Any) -> None:
    a, b, c = normal((1, 2, 3), float), normal((1, 4, 2), float), cupy.zeros((4, 6))
    gemm(cupy, "NN", cupy.asarray(a), cupy.asarray(b), c, (3, 4, 2, 2), leading=(3, 2, 6), strides=(0, 0, 3))
    np.testing.assert_allclose(c.get(), np.tile(b[0] @ a[0], 2))


@pytest.mark.parametrize(("compute", "bits"), [(COMPUTE_32F, 23), (FAST_TF32, 10), (FAST_16F, 10), (FAST_16BF, 7)])
def test_fast_products_round_their_operands(cupy: Any, compute: int, bits: int) -> None:
    ulp = 2.0**-bits
    a, c = cupy.asarray(np.array([1 + ulp, 1 + ulp / 4, 1 + 0.625 * ulp], np.float32)), cupy.empty(3, np.float32)
    gemm(cupy, "NN", a, cupy.ones(1, np.float32), c, (3, 1, 1, 1), (R32, R32, compute))
    np.testing.assert_array_equal(c.get(), np.array([1 + ulp, 1, 1 + ulp], np.float32))
    c = cupy.empty(3, np.complex64)
    gemm(cupy, "NN", a.astype(np.complex64) * 1j, cupy.ones(1, np.complex64), c, (3, 1, 1, 1), (C32, C32, compute))
    np.testing.assert_array_equal(c.get(), 1j * np.array([1 + ulp, 1, 1 + ulp], np.float32))


def test_halves_are_summed_as_floats(cupy: Any) -> None:
    a, b = (RNG.normal(size=(6, 6)).astype(np.float16) for _ in range(2))
    wide = b.astype(np.float32) @ a.astype(np.float32)
    for kind, dtype in ((R16, np.float16), (R32, np.float32)):
        c = cupy.empty((6, 6), dtype)
        gemm(cupy, "NN", cupy.asarray(a), cupy.asarray(b), c, (6, 6, 6, 1), (R16, kind, COMPUTE_32F))
        np.testing.assert_allclose(c.get(), wide, 1e-3 if kind == R16 else 1e-5, 1e-6)
    brains = cupy.asarray((np.array([1.5, -2, 3.0], np.float32).view(np.uint32) >> 16).astype(np.uint16))
    c = cupy.empty(1, np.uint16)
    gemm(cupy, "TN", brains, brains, c, (1, 1, 3, 1), (BF16, BF16, COMPUTE_32F))
    assert (c.get().astype(np.uint32) << 16).view(np.float32) == 15.25


def test_products_that_are_refused(cupy: Any) -> None:
    a, b, c = cupy.ones((2, 3)), cupy.ones((4, 2)), cupy.ones((4, 3))
    for wrong, message in (
        ({"leading": (2, 2, 3)}, "INVALID_VALUE: A has 3 rows, 2 apart"),
        ({"leading": (3, 2, 2)}, "INVALID_VALUE: C has 3 rows, 2 apart"),
        ({"sizes": (-1, 4, 2, 1)}, "INVALID_VALUE"),
        ({"strides": (-6, 0, 0)}, "INVALID_VALUE"),
        ({"kinds": (R32, R64, COMPUTE_64F)}, "NOT_SUPPORTED: types 0, 0 and 1 with compute type 70"),
        ({"kinds": (R64, R64, COMPUTE_32F)}, "NOT_SUPPORTED"),
        ({"kinds": (R16, R16, FAST_TF32)}, "NOT_SUPPORTED"),
        ({"kinds": (R32, R32, 99)}, "NOT_SUPPORTED"),
        ({"sizes": (3, 4, 2, 2)}, "EXECUTION_FAILED: strideC is 0, and the products overlap"),
        ({"sizes": (3, 5, 2, 1)}, "EXECUTION_FAILED: B ends beyond its allocation of 64 bytes"),
        ({"c": b}, "EXECUTION_FAILED: C ends beyond"),
        ({"c": a, "sizes": (3, 2, 2, 1)}, "EXECUTION_FAILED: C is written over A"),
    ):
        with pytest.raises(RuntimeError, match=f"CUBLAS_STATUS_{message}"):
            gemm(**({"cupy": cupy, "operations": "NN", "a": a, "b": b, "c": c, "sizes": (3, 4, 2, 1)} | wrong))


def test_gemm_without_a_batch(cupy: Any) -> None:
    blas = importlib.import_module("cupy_backends.cuda.libs.cublas")
    a, b, c, one, zero = cupy.full((2, 3), 2.0), cupy.ones((4, 2)), cupy.empty((4, 3)), np.ones(1), np.zeros(1)
    handle = cupy.cuda.device.get_cublas_handle()
    blas.gemmEx(handle, 0, 0, 3, 4, 2, one.ctypes.data, a.data.ptr, R64, 3, b.data.ptr, R64, 2, zero.ctypes.data,
                c.data.ptr, R64, 3, blas.CUBLAS_COMPUTE_64F, blas.CUBLAS_GEMM_DEFAULT)  # fmt: skip
    np.testing.assert_array_equal(c.get(), np.full((4, 3), 4))


def test_arrays_over_pointers(cupy: Any) -> None:
    memory = cupy.cuda.alloc(96)
    whole = cupy.ndarray((3, 4), np.float64, memory)
    whole.set(np.arange(12.0).reshape(3, 4))
    part = cupy.ndarray((3, 2), np.float64, memory + 8, strides=(32, 16))
    np.testing.assert_array_equal(part.get(), [[1, 3], [5, 7], [9, 11]])
    assert part.data.ptr == memory.ptr + 8 == whole[0, 1:].data.ptr
    assert part.data.mem is memory.mem
    assert memory.ptr % 512 == 0
    assert type(whole[0, 1]) is cupy.ndarray
    assert np.isnan(cupy.ndarray(3).get()).all()
    with pytest.raises(TypeError, match="too small"):
        cupy.ndarray((3, 5), np.float64, memory)
    with pytest.raises(ValueError, match="Shape mismatch"):
        whole.set(np.zeros(12))
    with pytest.raises(TypeError, match="float32 array cannot be set to float64"):
        whole.set(np.zeros((3, 4), np.float32))
    host = cupy.asnumpy(whole)
    whole[...] = 0
    assert type(host) is np.ndarray
    assert host[2, 3] == 11


def test_copies_of_the_host_are_copies(cupy: Any) -> None:
    host = np.zeros(3)
    on_device = cupy.asarray(host)
    host[0] = 1
    assert on_device.get()[0] == 0
    assert cupy.asarray(on_device) is on_device
    for found in (on_device + 1, cupy.exp(on_device), on_device.sum(), on_device[[0, 2]], on_device.astype(np.float32)):
        assert type(found) is cupy.ndarray
        assert found.data.mem is not on_device.data.mem


def test_pools_count_blocks_of_512_bytes(cupy: Any) -> None:
    pool = cupy.cuda.MemoryPool()
    with cupy.cuda.using_allocator(pool.malloc):
        a, b = cupy.empty(65), cupy.zeros(64)
        assert (pool.used_bytes(), pool.total_bytes()) == (1536, 1536)
        view = a[3:]
        del a
        assert pool.used_bytes() == 1536
        del view
        assert (pool.used_bytes(), pool.total_bytes(), pool.free_bytes()) == (512, 1536, 1024)
        c = cupy.empty(1, np.float32)  # a part of what is free
        assert (pool.used_bytes(), pool.total_bytes(), pool.n_free_blocks()) == (1024, 1536, 1)
        d = cupy.empty(128)  # for which the rest is too small
        assert (pool.used_bytes(), pool.total_bytes()) == (2048, 2560)
        pool.free_all_blocks()
        assert pool.total_bytes() == 2560
        del b, c, d
        assert pool.used_bytes() == 0
        pool.free_all_blocks()
        assert pool.total_bytes() == 0
        larger, smaller = cupy.empty(128), cupy.empty(64)
        del larger, smaller
        a, b = cupy.empty(64), cupy.empty(128)  # each in what fits best
        assert (pool.used_bytes(), pool.total_bytes()) == (1536, 1536)
        del a, b
        pool.free_all_blocks()
        assert cupy.empty(0).data.ptr == pool.total_bytes() == 0
    assert cupy.zeros(3).data.mem is not None
    assert pool.total_bytes() == 0


def test_devices(cupy: Any) -> None:
    assert cupy.cuda.runtime.getDevice() == cupy.cuda.Device().id == 0
    with cupy.cuda.Device(1):
        assert cupy.cuda.runtime.getDevice() == 1
        assert cupy.zeros(3).device == cupy.cuda.Device(1)
    assert cupy.zeros(3).device.id == 0


@needs_compiler
def test_capture_and_replay(cupy: Any) -> None:
    double = cupy.RawModule(code='extern "C" __global__ void twice(float *x) { x[threadIdx.x] *= 2; }').get_function(
        "twice"
    )
    x, c = cupy.ones(4, np.float32), cupy.zeros((4, 4), np.float32)
    with cupy.cuda.Stream(non_blocking=True) as stream:
        assert cupy.cuda.get_current_stream() is stream
        stream.begin_capture()
        assert stream.is_capturing()
        double((1,), (4,), (x,))
        gemm(cupy, "NN", x, x, c, (4, 4, 1, 1), (R32, R32, COMPUTE_32F), alpha=0.5)
        x[1:].data.memset_async(0, 4)
        graph = stream.end_capture()
        assert not stream.is_capturing()
        assert x.get().tolist() == [1, 1, 1, 1]
        graph.upload()
        graph.launch()
        graph.launch(stream)
        stream.synchronize()
    assert cupy.cuda.get_current_stream().ptr == 0 != stream.ptr
    np.testing.assert_array_equal(x.get(), [4, 0, 4, 4])
    np.testing.assert_array_equal(c.get(), np.outer([4, 0, 4, 4], [4, 0, 4, 4]) / 2)


@needs_compiler
def test_graphs_hold_no_memory(cupy: Any) -> None:
    fill = cupy.RawModule(code='extern "C" __global__ void fill(float *x) { x[threadIdx.x] = 1; }').get_function("fill")
    x = cupy.zeros(4, np.float32)
    with cupy.cuda.Stream(non_blocking=True) as stream:
        stream.begin_capture()
        fill((1,), (4,), (x,))
        graph = stream.end_capture()
    del x
    with pytest.raises(RuntimeError, match="fill was captured with memory that has been freed"):
        graph.launch()


def test_what_a_capture_refuses(cupy: Any) -> None:
    x, host = cupy.ones(4), np.ones(4)
    refused = {
        "memory is allocated": partial(cupy.cuda.alloc, 8), "empty runs": partial(cupy.empty, 3),
        "memory is|asarray": partial(cupy.asarray, host), "exp runs": partial(np.exp, x),
        "add runs": partial(np.add, x, x, out=x), "copied to": partial(cupy.asnumpy, x), "to the host": x.get,
        "from the host": partial(x.set, host), "__float__": partial(float, x[0]), "__bool__": partial(bool, x[0]),
        "copy": x.copy, "sum": x.sum, "item": x[0].item, "__setitem__": partial(x.__setitem__, 0, 1),
        "the device": cupy.cuda.Device(0).synchronize,
    }  # fmt: skip
    with cupy.cuda.Stream(non_blocking=True) as stream:
        stream.begin_capture()
        for what, call in refused.items():
            with pytest.raises(RuntimeError, match=f"cudaErrorStreamCaptureUnsupported.*({what}).* while the stream"):
                call()
        with pytest.raises(RuntimeError, match="waited for"):
            stream.synchronize()
        assert x[1:].reshape(3, 1).T.shape == (1, 3)
        with cupy.cuda.Stream():
            assert x.get()[0] == cupy.ones(1).get()[0]  # another stream is free
        stream.end_capture()
    with pytest.raises(RuntimeError, match="cannot capture on the default"):
        cupy.cuda.Stream.null.begin_capture()
    with pytest.raises(RuntimeError, match="no capture began"):
        stream.end_capture()


def test_products_in_a_capture_as_cupy_has_them() -> None:
    with cupy_stand_in(gemm_in_capture=False) as cupy, cupy.cuda.Stream(non_blocking=True) as stream:
        x = cupy.ones((1, 1))
        gemm(cupy, "NN", x, x, cupy.empty((1, 1)), (1, 1, 1, 1))
        stream.begin_capture()
        with pytest.raises(NotImplementedError, match="calling cuBLAS API during stream capture"):
            gemm(cupy, "NN", x, x, x, (1, 1, 1, 1))
        stream.end_capture()


def test_captures_of_two_streams(cupy: Any) -> None:
    x, (one, other) = cupy.ones(2), (cupy.cuda.Stream(non_blocking=True) for _ in range(2))
    before = one.record()
    for joined in (True, False):
        one.begin_capture()
        with pytest.raises(RuntimeError, match="cudaErrorStreamCaptureIsolation"):
            one.wait_event(before)
        other.wait_event(one.record())
        assert other.is_capturing()
        early = other.record()
        x.data.memset_async(0, 8, other)
        one.wait_event(early)
        if joined:
            one.wait_event(other.record())
            one.end_capture().launch()
        else:
            with pytest.raises(RuntimeError, match="cudaErrorStreamCaptureUnjoined"):
                one.end_capture()
        assert not other.is_capturing()
        assert x.get().tolist() == [0, 1]
    event = cupy.cuda.Event()
    event.record(one)
    other.wait_event(event)
    event.synchronize()
    assert event.done
    assert not other.is_capturing()
    assert cupy.cuda.get_elapsed_time(event, one.record()) >= 0


def test_the_modules_are_there_while_the_context_lasts(cupy: Any) -> None:
    names = ["cupy", "cupy.cuda", "cupy.cuda.device", "cupy.cuda.runtime", "cupy_backends.cuda.libs.cublas"]
    assert sys.modules["cupy"] is cupy
    assert all(importlib.import_module(name).__name__ == name for name in names)
    assert cupy.cuda.runtime.CUDA_R_16F == R16

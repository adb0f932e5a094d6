"""CUDA kernels executed on the host: what they compute, and that misuse is found out. Needs g++, as their use does."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from einback.run.cuda.prelude import HALF, PRELUDE
from tests.run.cuda_on_host import CompileException, available
from tests.run.cupy_stand_in import cupy_stand_in

pytestmark = pytest.mark.skipif(not available(), reason="there is no g++, which compiles the kernels")

RNG = np.random.default_rng(0)


@pytest.fixture
def cupy() -> Iterator[Any]:
    with cupy_stand_in() as module:
        yield module


def kernel(cupy: Any, parameters: str, body: str, above: str = "", bounds: int = 1024) -> Any:
    code = f'{above}\nextern "C" __global__ void __launch_bounds__({bounds}) k({parameters}) {{\n{body}\n}}'
    return cupy.RawModule(code=code, options=("-std=c++17",)).get_function("k")


@pytest.mark.parametrize("dtype", ["float", "double"])
def test_saxpy(cupy: Any, dtype: str) -> None:
    n, numpy_dtype = 1000, {"float": np.float32, "double": np.float64}[dtype]
    x, y = (RNG.normal(size=n).astype(numpy_dtype) for _ in range(2))
    saxpy = kernel(
        cupy,
        f"const {dtype} *__restrict__ x, {dtype} *__restrict__ y, {dtype} a, int n",
        "int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) y[i] += a * x[i];",
    )
    on_device = cupy.asarray(y)
    saxpy((4,), (256,), (cupy.asarray(x), on_device, numpy_dtype(2), np.int32(n)))
    np.testing.assert_array_equal(cupy.asnumpy(on_device), y + 2 * x)


def test_grids_and_blocks_of_three_dimensions(cupy: Any) -> None:
    here = kernel(cupy, "int *at", """
        int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
        int thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
        int all = block * blockDim.x * blockDim.y * blockDim.z + thread;
        at[all] += 1 + threadIdx.y + 10 * threadIdx.x + 100 * blockIdx.y;
    """)  # fmt: skip
    at = cupy.zeros((2, 3, 4, 2, 5, 3), np.int32)
    here((4, 3, 2), (3, 5, 2), (at,))
    _, by, _, _, ty, tx = np.indices(at.shape)
    np.testing.assert_array_equal(cupy.asnumpy(at), 1 + ty + 10 * tx + 100 * by)


OPERATIONS: dict[str, Any] = {"Sum": np.sum, "Prod": np.prod, "Max": np.max, "Min": np.min}


@pytest.mark.parametrize("Y", [1, 2, 16, 32, 64, 256])
@pytest.mark.parametrize("dtype", ["float", "double"])
def test_reductions_of_the_prelude(cupy: Any, dtype: str, Y: int) -> None:
    X = 256 // Y
    values = RNG.uniform(0.5, 1.5, size=(3, 256)).astype({"float": np.float32, "double": np.float64}[dtype])
    values[1, 7] = np.nan
    for name, reduce in OPERATIONS.items():
        both = kernel(
            cupy,
            f"const {dtype} *x, {dtype} *rows, {dtype} *columns",
            f"""__shared__ {dtype} shared[256];
            int i = blockIdx.x * 256 + threadIdx.x;
            rows[i] = along_row<{name}, {Y}>(x[i], shared);
            columns[i] = along_column<{name}, {X}, {Y}>(x[i], shared);""",
            PRELUDE,
            256,
        )
        rows, columns = cupy.empty_like(values), cupy.empty_like(values)
        both((3,), (256,), (cupy.asarray(values), rows, columns))
        tolerance = 1e-4 if dtype == "float" else 1e-12
        wanted = reduce(values.reshape(3, X, Y), axis=2, keepdims=True)
        np.testing.assert_allclose(rows.get().reshape(3, X, Y), np.broadcast_to(wanted, (3, X, Y)), tolerance)
        wanted = reduce(values.reshape(3, Y, X), axis=1, keepdims=True)
        np.testing.assert_allclose(columns.get().reshape(3, Y, X), np.broadcast_to(wanted, (3, Y, X)), tolerance)


def test_shuffles(cupy: Any) -> None:
    shuffles = kernel(cupy, "int *out", """
        int t = threadIdx.x, lane = t % 32;
        out[t] = __shfl_down_sync(0xffffffffu, t, 3, 16);
        out[64 + t] = __shfl_up_sync(0xffffffffu, t, 3, 8);
        out[128 + t] = __shfl_sync(0xffffffffu, t, 5);
        out[192 + t] = lane < 16 ? __shfl_xor_sync(0x0000ffffu, t, 1) : -1;  // half of a warp alone
        __syncwarp();
    """)  # fmt: skip
    out = cupy.empty((4, 64), np.int32)
    shuffles((1,), (64,), (out,))
    t = np.arange(64)
    wanted = [np.where(t % 16 < 13, t + 3, t), np.where(t % 8 >= 3, t - 3, t), t // 32 * 32 + 5,
              np.where(t % 32 < 16, t ^ 1, -1)]  # fmt: skip
    np.testing.assert_array_equal(out.get(), wanted)


def test_atomic_sums(cupy: Any) -> None:
    add = kernel(cupy, "float *f, double *d, int *i", "atomicAdd(f, 1); atomicAdd(d, 0.5); atomicAdd(i, -2);")
    found = cupy.zeros(1, np.float32), cupy.zeros(1), cupy.zeros(1, np.int32)
    add((3,), (100,), found)
    assert [float(one[0]) for one in found] == [300, 150, -600]


def test_halves(cupy: Any) -> None:
    both = kernel(
        cupy,
        "const float *x, const half *y, half *rounded, float *wide",
        "int i = blockIdx.x * 256 + threadIdx.x; rounded[i] = x[i]; wide[i] = y[i];",
        PRELUDE + HALF,
    )
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    between = RNG.integers(0, 2**32, 2**18, dtype=np.uint64).astype(np.uint32).view(np.float32)
    exact = every.astype(np.float32)
    with np.errstate(all="ignore"):
        ties = (exact[:-1] + exact[1:]) / 2  # exactly between two halves, where these are neighbours
        edges = np.array([65519.99, 65520, -65520, 1e30, np.inf, 2.0**-25, 2.0**-24, 3e-8, 1e-45], np.float32)
        beside = [np.nextafter(ties, np.float32(0)), np.nextafter(ties, np.float32(9))]
        x = np.concatenate([exact, ties, *beside, between, edges])
        x = np.resize(x, -(-len(x) // 256) * 256)
        wanted = x.astype(np.float16)
    rounded, wide = cupy.empty(len(x), np.float16), cupy.empty(len(x), np.float32)
    both((len(x) // 256,), (256,), (cupy.asarray(x), cupy.asarray(wanted), rounded, wide))
    np.testing.assert_array_equal(rounded.get(), wanted)
    np.testing.assert_array_equal(wide.get(), wanted.astype(np.float32))
    assert (np.signbit(rounded.get()) == np.signbit(wanted))[~np.isnan(wanted)].all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_functions(cupy: Any, dtype: Any) -> None:
    one: dict[str, Any] = {
        "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log2": np.log2, "log1p": np.log1p,
        "sqrt": np.sqrt, "cbrt": np.cbrt, "tanh": np.tanh, "asinh": np.arcsinh, "rint": np.rint, "floor": np.floor,
        "ceil": np.ceil, "trunc": np.trunc, "fabs": np.abs, "rsqrt": lambda x: 1 / np.sqrt(x), "sin": np.sin,
        "isnan": np.isnan, "isinf": np.isinf, "atan": np.arctan, "acosh": np.arccosh, "atanh": np.arctanh,
        "erf": np.vectorize(math.erf), "normcdf": np.vectorize(lambda x: math.erfc(-x / 2**0.5) / 2),
    }  # fmt: skip
    two = {"pow": np.power, "fmax": np.fmax, "fmin": np.fmin, "atan2": np.arctan2, "hypot": np.hypot,
           "copysign": np.copysign, "fmod": np.fmod}  # fmt: skip
    x = np.array([*RNG.normal(size=60), np.nan, np.inf, -np.inf, 0.0], dtype)
    y = np.array([*RNG.normal(size=60), 0.0, -np.inf, np.inf, np.nan], dtype)[::-1].copy()
    real = "float" if dtype is np.float32 else "double"
    lines = ["int t = threadIdx.x;", f"static_assert(sizeof(exp(x[0])) == sizeof({real}));"]
    lines += [f"out[{64 * k} + t] = {name}(x[t]);" for k, name in enumerate(one)]
    lines += [f"out[{64 * (len(one) + k)} + t] = {name}(x[t], y[t]);" for k, name in enumerate(two)]
    out = cupy.empty((len(one) + len(two), 64), dtype)
    run = kernel(cupy, f"const {real} *x, const {real} *y, {real} *out", "\n".join(lines))
    run((1,), (64,), (cupy.asarray(x), cupy.asarray(y), out))
    with np.errstate(all="ignore"):
        wanted = [function(x) for function in one.values()] + [function(x, y) for function in two.values()]
    np.testing.assert_allclose(out.get(), wanted, 2e-6 if dtype is np.float32 else 1e-14)


def test_a_barrier_that_is_missing_shows(cupy: Any) -> None:
    for barrier, right in (("__syncthreads();", True), ("", False)):
        reverse = kernel(
            cupy,
            "const float *x, float *y",
            f"__shared__ float s[64]; s[threadIdx.x] = x[threadIdx.x]; {barrier} y[threadIdx.x] = s[63 - threadIdx.x];",
        )
        x, y = np.arange(64, dtype=np.float32), cupy.empty(64, np.float32)
        reverse((1,), (64,), (cupy.asarray(x), y))
        assert np.array_equal(y.get(), x[::-1]) == right


def test_shared_memory_is_not_handed_on_to_the_next_block(cupy: Any) -> None:
    first = kernel(cupy, "float *y", "__shared__ float s; if (blockIdx.x == 0) s = 1; y[blockIdx.x] = s;")
    y = cupy.empty(2, np.float32)
    first((2,), (1,), (y,))
    np.testing.assert_array_equal(y.get(), [1, np.nan])


MISUSE = {
    "a barrier that 7 of the 64 threads of the block reach": "if (threadIdx.x < 7) __syncthreads();",
    "line 4: a barrier that 32": "if (threadIdx.x < 32)\n__syncthreads();\nelse\n__syncthreads();",
    "a shuffle of thread 0, mask ffffffff, that not all its lanes": "if (threadIdx.x != 5) __shfl_xor_sync(~0u, 1, 1);",
    "thread 0 shuffles with lane 16, which takes no part": "if (threadIdx.x < 16) __shfl_xor_sync(0xffffu, 1, 16);",
    "thread 32 is not in its own mask": "if (threadIdx.x % 32 == 0 && threadIdx.x) __shfl_sync(2u, 1, 0);",
    r"block \(1, 0, 0\), thread \(3, 0, 0\): an address": "if (blockIdx.x && threadIdx.x == 3) x[1ll << 40] = 1;",
    "an index beyond an array": "__shared__ float s[16]; s[threadIdx.x] = 1; x[0] = s[1];",
    "an address out of line": "struct alignas(16) Four { float at[4]; }; *(Four *)x = *(Four *)(x + 1);",
    "a division of integers by zero": "x[0] = 7 / int(threadIdx.x);",
    "or a stack that overflows": "volatile char much[1 << 20]; much[threadIdx.x] = 1;",
    "wrote after an allocation of 256 bytes": "x[64 + threadIdx.x] = 1;",
    "wrote before an allocation of 256 bytes": "x[-1 - int(threadIdx.x)] = 1;",
}


@pytest.mark.parametrize("message", MISUSE)
def test_misuse(cupy: Any, message: str) -> None:
    x = cupy.zeros(64, np.float32)
    wrong = kernel(cupy, "float *x", MISUSE[message])
    for argument in (x, x.data, x.data.ptr):
        with pytest.raises(RuntimeError, match=message):
            wrong((2,), (64,), (argument,))
    right = kernel(cupy, "float *x", "__syncthreads(); x[threadIdx.x] = threadIdx.x;")
    right((2,), (64,), (x,))  # which runs as if nothing had been
    np.testing.assert_array_equal(x.get(), np.arange(64))


def test_texts_that_are_not_compiled(cupy: Any) -> None:
    for body in ("int x = ;", 'printf("x");', "__shfl_xor_sync(1, 'a', 1);", "threadIdx.w = 1;"):
        with pytest.raises(CompileException, match=r"kernel.cu:3.*error|shuffles are of int"):
            kernel(cupy, "float *x", body)
    with pytest.raises(RuntimeError, match=r"CUDA_ERROR_NOT_FOUND.*: other"):
        cupy.RawModule(code='extern "C" __global__ void k() {}').get_function("other")


def test_launches_that_are_refused(cupy: Any) -> None:
    x = cupy.zeros(64, np.float32)
    run = kernel(cupy, "float *x, double a", "x[threadIdx.x] = a;", bounds=64)
    for grid, block in (((0,), (64,)), ((1,), (0,)), ((1, 65536), (64,)), ((1,), (1, 1, 65))):
        with pytest.raises(RuntimeError, match="CUDA_ERROR_INVALID_VALUE: k"):
            run(grid, block, (x, 1.0))
    with pytest.raises(RuntimeError, match="CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES: k is for 64 threads"):
        run((1,), (65,), (x, 1.0))
    for arguments, message in (((x,), "1 arguments are not"), ((x, np.float32(1)), "argument 1 is too short"),
                               ((np.zeros(64), 1.0), "Unsupported type")):  # fmt: skip
        with pytest.raises(TypeError, match=message):
            run((1,), (64,), arguments)
    run((1,), (32,), (x.data + 128, 1.0))
    np.testing.assert_array_equal(x.get(), np.repeat([0, 1], 32))

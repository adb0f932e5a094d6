"""Programs as a device runs them: fused kernels and products for cuBLAS, executed on the host by the stand-in."""

from __future__ import annotations

import gc
import os
import re
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import einback as eb
from einback.errors import ArrayError, CompileError
from einback.rules.scalar import TABLE
from einback.run.cuda.routine import _gathering
from tests.run import nvrtc
from tests.run.cuda_on_host import available
from tests.run.cupy_stand_in import cupy_stand_in
from tests.run.functional.targets import flat
from tests.run.limited_programs import PROGRAMS

host = pytest.mark.skipif(not available(), reason="there is no g++ to compile kernels for the host")
compiles = pytest.mark.skipif(
    not nvrtc.available() and os.environ.get("EINBACK_REQUIRE_ORACLE") != "1",
    reason="NVIDIA's NVRTC is not installed: pip install nvidia-cuda-nvrtc-cu12",
)
ARCHITECTURES = ("sm_80", "sm_90")
WHOLE = ("gaussian_process",)  # programs that run as CuPy calls: they have functions of matrices
RNG = np.random.default_rng(0)


@pytest.fixture
def cupy() -> Iterator[Any]:
    with cupy_stand_in() as module:
        yield module


def kernels_in(source: str) -> str:
    """The CUDA text of a file."""
    found = re.search(r'code=r"""(.*?)"""', source, re.DOTALL)
    return found.group(1) if found else ""


def text_of(outputs: Any, dtype: type = np.float64, **shapes: tuple[int, ...]) -> str:
    """What a device runs, for arrays of some shapes."""
    arrays = {name: np.zeros(shape, dtype) for name, shape in shapes.items()}
    return eb.compile(outputs).source(arrays, target="cupy", readable=False)


def of(name: str, dtype: type) -> tuple[Any, dict[str, np.ndarray]]:
    outputs, given = PROGRAMS[name]()
    return outputs, {key: one.astype(dtype) if one.dtype.kind == "f" else one for key, one in given.items()}


@host
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", PROGRAMS)
def test_standard_programs(cupy: Any, name: str, dtype: type) -> None:
    outputs, arrays = of(name, dtype)
    wanted = flat(eb.compile(outputs)(**arrays))
    step, replayed = eb.compile(outputs), eb.compile(outputs, graph=True)
    device = {key: cupy.asarray(one) for key, one in arrays.items()}
    tolerance = 1e-11 if dtype is np.float64 else 1e-4
    for run in (step, replayed, replayed, replayed):
        for one, other in zip(flat(run(**device)), wanted, strict=True):
            assert one.dtype == np.asarray(other).dtype
            assert one.shape == np.asarray(other).shape
            scale = max(1.0, float(np.abs(other).max(initial=0)))
            np.testing.assert_allclose(cupy.asnumpy(one), other, rtol=tolerance, atol=tolerance * scale)
    (graph,) = replayed._device._made.values()
    assert (graph._graph is not None) == (name not in WHOLE), graph.refused


@compiles
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in WHOLE])
def test_nvidia_compiles_the_kernels(name: str, architecture: str) -> None:
    for dtype in (np.float64, np.float32, np.float16):
        outputs, arrays = of(name, dtype)
        text = kernels_in(eb.compile(outputs).source(arrays, target="cupy", readable=False))
        assert not text or len(nvrtc.compiled(text, architecture)) > 1000


def scalar_rows() -> list[str]:
    return sorted(name for name in TABLE if name not in ("conj", "real", "imag", "complex"))


def scalar_program(name: str) -> tuple[Any, tuple[Any, ...]]:
    arity = len(TABLE[name].derivatives)
    inputs = eb.tensors("a[n] b[n] c[n]")[:arity]
    method = {"power": lambda a, b: a**b, "greater": lambda a, b: (a > b) * 1.0}
    comparisons = {"greater_equal": "__ge__", "less": "__lt__", "less_equal": "__le__", "equal": "equal"}
    if name == "above":
        a, b = inputs
        return eb.grad(eb.sum(eb.maximum(a, b)), a), inputs
    if name in method:
        return method[name](*inputs), inputs
    if name in comparisons and hasattr(inputs[0], comparisons[name]):
        return getattr(inputs[0], comparisons[name])(inputs[1]) * 1.0, inputs
    if not hasattr(eb, name):
        pytest.skip(f"{name} has no public name")
    return getattr(eb, name)(*inputs), inputs


@host
@pytest.mark.parametrize("name", scalar_rows())
def test_rows_of_the_scalar_table(cupy: Any, name: str) -> None:
    made, inputs = scalar_program(name)
    special = np.array([-np.inf, -2.0, -0.5, -0.0, 0.0, 0.5, 1.0, 3.0, np.inf, np.nan])
    grids = [*np.meshgrid(*[special] * min(2, len(inputs)), indexing="ij")]
    grids += [grids[0][::-1]] * (len(inputs) - len(grids))
    for dtype in (np.float64, np.float32):
        arrays = {one.name: grid.reshape(-1).astype(dtype) for one, grid in zip(inputs, grids, strict=True)}
        step = eb.compile(made)
        found = step(**{key: cupy.asarray(one) for key, one in arrays.items()})
        with np.errstate(all="ignore"):
            wanted = step(**arrays)
        tolerance = 1e-12 if dtype is np.float64 else 2e-6
        np.testing.assert_allclose(cupy.asnumpy(found), wanted, rtol=tolerance, atol=tolerance)


@compiles
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nvidia_compiles_every_row(architecture: str) -> None:
    for dtype in (np.float64, np.float32, np.float16):
        made, shapes = [], {}
        for name in scalar_rows():
            try:
                result, inputs = scalar_program(name)
            except pytest.skip.Exception:
                continue
            made.append(result)
            shapes |= {one.name: (64,) for one in inputs}
        nvrtc.compiled(kernels_in(text_of(made, dtype, **shapes)), architecture)


# fusion


x, g, b, s, t = eb.tensors("x[n,c] g[c] b[c] s[n,c] t[n,c]")
MEAN = eb.mean(x, axis="c", keepdims=True)
NORM = (x - MEAN) / eb.sqrt(eb.mean((x - MEAN) ** 2, axis="c", keepdims=True) + 1e-5) * g + b
SHAPES = {"x": (4096, 256), "g": (256,), "b": (256,), "s": (4096, 256), "t": (4096, 256)}


@pytest.mark.parametrize(
    ("made", "count"),
    [
        (eb.softmax(x, axis="c"), 1),
        (eb.log_softmax(x, axis="c"), 1),
        (eb.tanh(x) * s + eb.exp(t) / 3, 1),
        (NORM, 1),
        ([eb.tanh(x), 1 - eb.tanh(x) ** 2], 1),
        (eb.vjp(eb.softmax(x, axis="c"), x, s), 1),
        (eb.sum(x * s, axis="n"), 2),  # a long sum in parts, and then over these
        (eb.sum(x * s), 2),
    ],
)
def test_how_many_kernels(made: Any, count: int) -> None:
    read = {one.name for tensor in flat(made) for one in tensor.inputs}
    source = text_of(made, np.float32, **{name: shape for name, shape in SHAPES.items() if name in read})
    assert kernels_in(source).count("__global__") == count
    assert "gemm(" not in source


def test_neighbours_are_loaded_at_once() -> None:
    for dtype, pack in ((np.float32, 4), (np.float64, 2), (np.float16, 8)):
        assert f", {pack}>" in kernels_in(text_of(eb.tanh(x) * s, dtype, x=(64, 128), s=(64, 128)))
    assert "reinterpret" not in kernels_in(text_of(eb.tanh(x), np.float32, x=(63, 127)))


def test_operands_are_not_copied() -> None:
    A, B = eb.tensors("A[m,k] B[k,n]")
    G = eb.tensor("G[m,n]")
    q, k = eb.tensors("q[b,i,h,d] k[b,j,h,d]")
    for made, shapes in (
        (A @ B, {"A": (64, 32), "B": (32, 48)}),
        (eb.vjp(A @ B, A, G), {"B": (32, 48), "G": (64, 48)}),
        (eb.vjp(A @ B, B, G), {"A": (64, 32), "G": (64, 48)}),
        (eb.einsum("bihd,bjhd->bhij", q, k), {"q": (2, 8, 4, 16), "k": (2, 8, 4, 16)}),
    ):
        source = text_of(made, np.float32, **shapes)
        assert "gemm(" in source
        assert not kernels_in(source)


@host
def test_products_scale_and_add(cupy: Any) -> None:
    A, B, C = eb.tensors("A[m,k] B[k,n] C[k,n]")
    q, k = eb.tensors("q[b,i,d] k[b,j,d]")
    arrays = {"A": RNG.normal(size=(5, 4)), "B": RNG.normal(size=(4, 6)), "C": RNG.normal(size=(4, 6))}
    pairs = {"q": RNG.normal(size=(3, 5, 4)), "k": RNG.normal(size=(3, 6, 4))}
    for made, given, factors in (
        (A @ B / 3, arrays, ["0.333"]),
        (-2 * (A @ B), arrays, ["-2.0"]),
        (eb.tanh(A) @ B + A @ C, arrays, ["1.0, 0", "1.0, 1"]),
        (A @ C / 2 - eb.tanh(A) @ B, arrays, ["0.5, 0", "-1.0, 1"]),
        ((eb.tanh(A) @ B + A @ C) / 4, arrays, ["0.25, 0", "0.25, 1"]),
        (eb.einsum("bid,bjd->bij", q, k) / 2, pairs, ["0.5"]),
    ):
        step = eb.compile(made)
        read = {one.name for one in made.inputs}
        device = {key: cupy.asarray(one) for key, one in given.items() if key in read}
        host_arrays = {key: one for key, one in given.items() if key in read}
        np.testing.assert_allclose(cupy.asnumpy(step(**device)), step(**host_arrays), rtol=1e-13)
        source = step.source(host_arrays, target="cupy", readable=False)
        assert all(factor in source for factor in factors), source
        assert kernels_in(source).count("__global__") == ("tanh(" in kernels_in(source))


# arrays as they lie in memory


@host
def test_arrays_of_any_strides(cupy: Any) -> None:
    A, v = eb.tensors("A[m,n] v[n]")
    outputs = [eb.exp(A) * v, A @ v, eb.sum(A, axis="m"), A.T @ A, eb.softmax(A, axis="n")]
    step = eb.compile(outputs)
    base = RNG.normal(size=(24, 40))
    views = {
        "transposed": lambda one: one[:20, :12].T,
        "turned": lambda one: one[:12, :20][::-1, ::-1],
        "every other": lambda one: one[::2, ::2],
        "not aligned": lambda one: one[1:13, 1:21],
        "repeated": lambda one: np.broadcast_to(one[0, :20], (12, 20)),
    }
    for how, view in views.items():
        host_array = view(base)
        array = cupy.asarray(base)
        array = cupy.broadcast_to(array[0, :20], (12, 20)) if how == "repeated" else view(array)
        vector = RNG.normal(size=20)
        found = step(A=array, v=cupy.asarray(vector))
        for one, other in zip(found, step(A=host_array, v=vector), strict=True):
            np.testing.assert_allclose(cupy.asnumpy(one), other, rtol=1e-12, atol=1e-12, err_msg=how)


@host
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_long_reductions_in_parts(cupy: Any, dtype: type) -> None:
    n = 20_001
    array = (RNG.normal(size=n) / 8).astype(dtype)
    z = eb.tensor("z[n]")
    step = eb.compile([eb.sum(z), eb.max(z), eb.min(z), eb.sum(z**2) / z.size("n"), eb.logsumexp(z)])
    found = step(z=cupy.asarray(array))
    again = step(z=cupy.asarray(array))
    tolerance = {np.float64: 1e-11, np.float32: 2e-4, np.float16: 2e-2}[dtype]
    for one, same, other in zip(found, again, step(z=array), strict=True):
        np.testing.assert_allclose(cupy.asnumpy(one), other, rtol=tolerance, atol=tolerance)
        assert cupy.asnumpy(one).tobytes() == cupy.asnumpy(same).tobytes()  # in a fixed order


# options


@host
def test_precision_of_products(cupy: Any) -> None:
    A, B = eb.tensors("A[m,k] B[k,n]")
    arrays = {"A": RNG.normal(size=(16, 64)).astype(np.float32), "B": RNG.normal(size=(64, 16)).astype(np.float32)}
    wanted = arrays["A"].astype(float) @ arrays["B"].astype(float)
    errors = {}
    for precision in ("float32", "tf32", "float16", "bfloat16"):
        found = eb.compile(A @ B, precision=precision)(**{key: cupy.asarray(one) for key, one in arrays.items()})
        assert found.dtype == np.float32
        errors[precision] = float(np.abs(cupy.asnumpy(found) - wanted).max())
    assert errors["float32"] < 1e-5 < errors["tf32"] < 0.05
    assert 1e-5 < errors["float16"] < 0.05 < 4 * errors["bfloat16"] < 1
    double = {key: one.astype(float) for key, one in arrays.items()}
    found = eb.compile(A @ B, precision="bfloat16")(**{key: cupy.asarray(one) for key, one in double.items()})
    np.testing.assert_allclose(cupy.asnumpy(found), wanted, rtol=1e-12)  # only 32-bit floats
    with pytest.raises(CompileError, match="'tf23' is no precision of matrix products\ndid you mean"):
        eb.compile(A @ B, precision="tf23")
    with pytest.raises(CompileError, match="graph, precision and cutensor are not supported for structured"):
        eb.compile(A @ B, structured=True, graph=True)


@host
def test_graphs_hand_out_new_arrays(cupy: Any) -> None:
    v = eb.tensor("v[n]")
    step = eb.compile({"double": 2 * v, "sum": eb.sum(v), "same": v}, graph=True)
    kept = [step(v=cupy.asarray(np.full(4, float(k)))) for k in range(4)]
    for k, found in enumerate(kept):
        np.testing.assert_array_equal(cupy.asnumpy(found["double"]), np.full(4, 2.0 * k))
        np.testing.assert_array_equal(cupy.asnumpy(found["same"]), np.full(4, float(k)))
        assert float(cupy.asnumpy(found["sum"])) == 4 * k
    longer = step(v=cupy.asarray(np.ones(9)))
    assert float(cupy.asnumpy(longer["sum"])) == 9


@host
def test_graphs_check_indices_first(cupy: Any) -> None:
    E, ids = eb.tensor("E[v,d]"), eb.tensor("t[n]", integer=True)
    step = eb.compile(E[ids], graph=True)
    table = cupy.asarray(np.eye(3))
    for _ in range(3):
        np.testing.assert_array_equal(cupy.asnumpy(step(E=table, t=cupy.asarray(np.array([2, 0])))), np.eye(3)[[2, 0]])
        with pytest.raises(ArrayError, match=r"t\[1\] is 3, and the axis that it points into has 3 entries"):
            step(E=table, t=cupy.asarray(np.array([0, 3])))


@host
def test_what_a_library_refuses_to_record_is_launched() -> None:
    A, B = eb.tensors("A[m,k] B[k,n]")
    with cupy_stand_in(gemm_in_capture=False) as cupy:
        step = eb.compile(A @ B, graph=True)
        for _ in range(3):
            found = step(A=cupy.asarray(np.eye(3)), B=cupy.asarray(np.full((3, 2), 2.0)))
            np.testing.assert_array_equal(cupy.asnumpy(found), np.full((3, 2), 2.0))
        (made,) = step._device._made.values()
        assert "NotImplementedError" in made.refused


@host
def test_the_memory_of_a_step_is_its_own(cupy: Any) -> None:
    W1, W2 = eb.tensors("V[d,h] W[h,c]")
    X, Y = eb.tensors("X[n,d] Y[n,c]")
    loss = eb.sum((eb.tanh(X @ W1) @ W2 - Y) ** 2)
    step = eb.compile([loss, *eb.grad(loss, [W1, W2])])
    shapes = {"X": (512, 64), "V": (64, 128), "W": (128, 16), "Y": (512, 16)}
    arrays = {key: cupy.asarray(RNG.normal(size=shape)) for key, shape in shapes.items()}
    results = cupy.cuda.MemoryPool()
    with cupy.cuda.using_allocator(results.malloc):
        found = step(**arrays)
    (made,) = step._device._made.values()
    peak = made.pool.total_bytes() + results.total_bytes()
    assert 1 <= peak / step.plan(**arrays).peak_bytes < 1.1
    assert results.used_bytes() >= sum(one.nbytes for one in found)


@host
def test_each_stream_has_its_step(cupy: Any) -> None:
    v = eb.tensor("v[n]")
    step = eb.compile(eb.exp(v) + 1)
    array = cupy.asarray(np.zeros(3))
    for _ in range(2):
        with cupy.cuda.Stream(non_blocking=True) as stream:
            found = step(v=array)
            stream.synchronize()
        np.testing.assert_array_equal(cupy.asnumpy(found), np.full(3, 2.0))
        np.testing.assert_array_equal(cupy.asnumpy(step(v=array)), np.full(3, 2.0))
    assert len(step._device._made) >= 2


@host
def test_the_file_runs_by_itself(cupy: Any) -> None:
    outputs, arrays = of("network", np.float64)
    step = eb.compile(outputs)
    source = step.source(arrays, target="cupy", readable=False)
    assert "einback" not in re.sub(r'^""".*?"""', "", source, count=1, flags=re.DOTALL)
    here: dict[str, Any] = {}
    exec(compile(source, "step.py", "exec"), here)
    found = here["step"](**{key: cupy.asarray(one) for key, one in arrays.items()})
    for one, other in zip(flat(found), flat(step(**arrays)), strict=True):
        np.testing.assert_allclose(cupy.asnumpy(one), other, rtol=1e-11, atol=1e-11)
    with pytest.raises(CompileError, match="the text for PyTorch is readable in any case"):
        step.source(arrays, target="torch", readable=False)


def test_names_of_the_file_are_not_the_users() -> None:
    gemm, cupy_, kernel = eb.tensors("gemm[m,k] cupy[k,n] kernel_1[m,n]")
    source = eb.compile(eb.tanh(gemm @ cupy_) + kernel).source(
        {"gemm": np.ones((2, 3)), "cupy": np.ones((3, 2)), "kernel_1": np.ones((2, 2))}, target="cupy", readable=False
    )
    assert re.search(r"def step\(\*, (?!.*\bcupy,)", source)
    assert "def step(*, gemm," not in source


CONVOLUTIONS = """
    y[b,o,i,j] = x[b,c,i+u,j+v] K[o,c,u,v]
    h[b,o,i,j] = relu(y[b,o,i,j])
    z[b,p,r,s] = h[b,o,2*r+e,2*s+f] L[p,o,e,f]
    loss       = sum[b,p,r,s](tanh(z[b,p,r,s]))
"""


@host
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_windows_that_overlap(cupy: Any, dtype: type) -> None:
    program = eb.program(CONVOLUTIONS)
    outputs = [program["loss"], *eb.grad(program["loss"], [program[name] for name in ("x", "K", "L")])]
    shapes = {"x": (2, 3, 11, 11), "K": (4, 3, 3, 3), "L": (5, 4, 3, 3)}
    arrays = {key: RNG.normal(size=shape).astype(dtype) for key, shape in shapes.items()}
    step = eb.compile(outputs, graph=True)
    tolerance = 1e-11 if dtype is np.float64 else 2e-4
    for _ in range(3):
        found = step(**{key: cupy.asarray(one) for key, one in arrays.items()})
        for one, other in zip(found, eb.compile(outputs)(**arrays), strict=True):
            np.testing.assert_allclose(cupy.asnumpy(one), other, rtol=tolerance, atol=tolerance)
    (made,) = step._device._made.values()
    assert made._graph is not None, made.refused


@compiles
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nvidia_compiles_windows(architecture: str) -> None:
    program = eb.program(CONVOLUTIONS)
    outputs = eb.grad(program["loss"], [program[name] for name in ("x", "K", "L")])
    for dtype in (np.float64, np.float32, np.float16):
        text = text_of(outputs, dtype, x=(2, 3, 11, 11), K=(4, 3, 3, 3), L=(5, 4, 3, 3))
        nvrtc.compiled(kernels_in(text), architecture)


# what a review found


def both(cupy: Any, outputs: Any, arrays: dict[str, Any], *, graph: bool = False, tolerance: float = 1e-11) -> None:
    """A device gives what NumPy gives, call after call."""
    step, host_step = eb.compile(outputs, graph=graph), eb.compile(outputs)
    wanted = flat(host_step(**{key: np.array(cupy.asnumpy(one)) for key, one in arrays.items()}))
    for _ in range(3):
        for one, other in zip(flat(step(**arrays)), wanted, strict=True):
            assert one.dtype == np.asarray(other).dtype
            assert one.shape == np.asarray(other).shape
            np.testing.assert_allclose(cupy.asnumpy(one), other, rtol=tolerance, atol=tolerance)


@host
def test_graphs_take_arrays_of_any_strides(cupy: Any) -> None:
    A, v = eb.tensors("A[m,n] v[n]")
    base, vector = cupy.asarray(RNG.normal(size=(24, 40))), cupy.asarray(RNG.normal(size=21))
    for view in (base[:20, :12].T, base[::2, ::2], base[:12, :20][::-1], base[1:13, 1:21]):
        n = view.shape[1]
        both(cupy, [eb.tanh(A) * v, A @ v, eb.exp(A)], {"A": view, "v": vector[1 : n + 1]}, graph=True)


@host
@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.bool_])
def test_integers_and_bools(cupy: Any, dtype: type) -> None:
    m, z = eb.tensors("m[n,c] z[n]")
    largest = 1 if dtype is np.bool_ else int(np.iinfo(dtype).max)
    top = min(largest, 50_000)
    ints = cupy.asarray(RNG.integers(0, top + 1, size=(6, 40)).astype(dtype))
    floats = cupy.asarray(RNG.normal(size=6))
    outputs = [m * m, m * m * m, eb.sum(m * m), eb.sum(m, axis="c"), eb.einsum("nc->n", m), eb.exp(m / top), m + 1.5]
    both(cupy, outputs, {"m": ints}, tolerance=1e-6 if np.dtype(dtype).itemsize < 4 else 1e-11)
    if dtype is not np.bool_:
        both(cupy, [eb.max(m, axis="c"), eb.min(m, axis="c"), eb.max(m, axis="n"), eb.maximum(m * m, m)], {"m": ints})
    both(cupy, [eb.exp((z > 0) * 1.0), eb.where(z > 0, z, -z)], {"z": floats})


@host
def test_comparisons_see_signs(cupy: Any) -> None:
    p, q = eb.tensors("p[n] q[n]")
    arrays = {"p": cupy.asarray(np.array([-1, 2, 3])), "q": cupy.asarray(np.array([2, 2, 1], np.uint64))}
    both(cupy, [(p > q) * 1.0, (p < q) * 1.0, (p >= q) * 1.0], arrays)


@host
@pytest.mark.parametrize("graph", [False, True])
def test_results_without_entries(cupy: Any, graph: bool) -> None:
    A, B = eb.tensors("A[m,k] B[k,n]")
    for m, k, n in ((0, 3, 2), (2, 0, 3), (2, 3, 0), (0, 0, 0)):
        arrays = {"A": cupy.asarray(np.ones((m, k))), "B": cupy.asarray(np.ones((k, n)))}
        both(cupy, [A @ B, eb.tanh(A) * 2, eb.sum(A, axis="k"), eb.sum(B)], arrays, graph=graph)


@host
def test_batches_run_backwards(cupy: Any) -> None:
    A, B, w = eb.tensors("A[b,i,j] B[b,j,k] w[b,j]")
    base = cupy.asarray(RNG.normal(size=(4, 5, 6)))
    arrays = {
        "A": base[::-1],
        "B": cupy.asarray(RNG.normal(size=(4, 6, 3))),
        "w": cupy.asarray(RNG.normal(size=(4, 6))),
    }
    both(cupy, [A @ B, eb.einsum("bij,bj->bi", A, w)], arrays)


@host
def test_parts_of_reductions_lie_in_order(cupy: Any) -> None:
    big, z = eb.tensors("big[k,m,n] z[m,k]")
    arrays = {"big": cupy.asarray(RNG.normal(size=(3, 2, 3001))), "z": cupy.asarray(RNG.normal(size=(2, 3)))}
    both(cupy, [z - eb.einsum("kmn->mk", big), z * eb.max(big, axis="n").T, eb.sum(big**2, axis="m")], arrays)


def test_products_write_where_their_results_belong() -> None:
    a, v = eb.tensors("a[b,h,q,k] v[b,k,h,d]")
    source = text_of(eb.einsum("bhqk,bkhd->bqhd", a, v), np.float32, a=(2, 3, 50, 60), v=(2, 60, 3, 8))
    assert "gemm(" in source
    assert not kernels_in(source)


@host
def test_a_dropped_program_gives_its_memory_back(cupy: Any) -> None:
    v = eb.tensor("v[n]")
    step = eb.compile(eb.sum(eb.exp(v) @ eb.exp(v)) + eb.exp(v), graph=True)
    for _ in range(3):
        step(v=cupy.asarray(np.ones(64)))
    (made,) = step._device._made.values()
    pool = weakref.ref(made.pool)
    del step, made
    gc.collect()
    assert pool() is None


@host
@pytest.mark.parametrize("graph", [False, True])
def test_reductions_over_no_entries(cupy: Any, graph: bool) -> None:
    z = eb.tensor("z[n,c]")
    arrays = {"z": cupy.asarray(np.ones((3, 0)))}
    both(cupy, [eb.sum(z, axis="c"), eb.prod(z, axis="c"), eb.logsumexp(z, axis="c"), eb.sum(z)], arrays, graph=graph)


@host
def test_each_thread_gets_its_own_shapes(cupy: Any) -> None:
    v = eb.tensor("v[n]")
    step = eb.compile(eb.tanh(v) * 2 + eb.sum(v))
    wrong: list[int] = []

    def work(n: int) -> None:
        array = np.linspace(0, 1, n)
        for _ in range(20):
            found = cupy.asnumpy(step(v=cupy.asarray(array)))
            if found.shape != (n,) or not np.allclose(found, np.tanh(array) * 2 + array.sum()):
                wrong.append(n)

    threads = [threading.Thread(target=work, args=(n,)) for n in (3, 5, 8, 13)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not wrong
    _, known, _, last = step._device._last
    (made,) = (one for key, one in step._device._made.items() if key[0][1] == known[0][1])
    assert last is made


@pytest.mark.parametrize("shared", [(), (0,), (1,), (1, 0)])
def test_gathers_as_cupy_spells_them(shared: tuple[int, ...]) -> None:
    ids = RNG.integers(0, 7, size=(4, 5))
    lead = RNG.normal(size=(*(ids.shape[k] for k in shared), 7, 2))
    found = eval(_gathering(shared).format("lead", "ids"), {"np": np, "lead": lead, "ids": ids})
    for place in np.ndindex(ids.shape):
        np.testing.assert_array_equal(found[place], lead[(*(place[k] for k in shared), ids[place])])

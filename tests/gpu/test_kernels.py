"""On a CUDA device: kernels of every row of the scalar table, arrays of any strides, graphs, precisions, reductions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import einback as eb
from einback.errors import ArrayError
from tests.run.functional.targets import flat
from tests.run.limited_programs import PROGRAMS
from tests.run.test_cuda_programs import WHOLE, of, scalar_program, scalar_rows

pytestmark = pytest.mark.gpu

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", scalar_rows())
def test_rows_of_the_scalar_table(cupy: Any, name: str, dtype: type) -> None:
    made, inputs = scalar_program(name)
    special = np.array([-np.inf, -2.0, -0.5, -0.0, 0.0, 0.5, 1.0, 3.0, np.inf, np.nan])
    grids = [*np.meshgrid(*[special] * min(2, len(inputs)), indexing="ij")]
    grids += [grids[0][::-1]] * (len(inputs) - len(grids))
    arrays = {one.name: grid.reshape(-1).astype(dtype) for one, grid in zip(inputs, grids, strict=True)}
    step = eb.compile(made)
    found = step(**{key: cupy.asarray(one) for key, one in arrays.items()})
    tolerance = 1e-12 if dtype is np.float64 else 4e-6
    np.testing.assert_allclose(cupy.asnumpy(found), step(**arrays), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", PROGRAMS)
def test_replayed_programs(cupy: Any, name: str) -> None:
    outputs, arrays = of(name, np.float64)
    wanted = flat(eb.compile(outputs)(**arrays))
    step = eb.compile(outputs, graph=True)
    device = {key: cupy.asarray(one) for key, one in arrays.items()}
    for _ in range(4):
        for one, other in zip(flat(step(**device)), wanted, strict=True):
            np.testing.assert_allclose(cupy.asnumpy(one), other, rtol=1e-8, atol=1e-8)
    (made,) = step._device._made.values()
    assert (made._graph is not None) == (name not in WHOLE), made.refused


@pytest.mark.parametrize("name", ["network", "attention", "layer_norm", "convolution", "embedding"])
def test_replays_follow_their_arrays(cupy: Any, name: str) -> None:
    outputs, arrays = of(name, np.float32)
    step, host = eb.compile(outputs, graph=True), eb.compile(outputs)
    for k in range(5):
        moved = {key: one + np.float32(k / 8) if one.dtype.kind == "f" else one for key, one in arrays.items()}
        found = step(**{key: cupy.asarray(one) for key, one in moved.items()})
        for one, other in zip(flat(found), flat(host(**moved)), strict=True):
            np.testing.assert_allclose(cupy.asnumpy(one), other, rtol=2e-3, atol=2e-3 * float(np.abs(other).max()))


def test_arrays_of_any_strides(cupy: Any) -> None:
    A, v = eb.tensors("A[m,n] v[n]")
    step = eb.compile([eb.exp(A) * v, A @ v, eb.sum(A, axis="m"), A.T @ A, eb.softmax(A, axis="n")])
    base, vector = RNG.normal(size=(240, 400)), RNG.normal(size=200)
    for view in (
        lambda one: one[:200, :120].T,
        lambda one: one[:120, :200][::-1, ::-1],
        lambda one: one[::2, ::2],
        lambda one: one[1:121, 1:201],
    ):
        found = step(A=view(cupy.asarray(base)), v=cupy.asarray(vector))
        for one, other in zip(found, step(A=view(base), v=vector), strict=True):
            np.testing.assert_allclose(cupy.asnumpy(one), other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("n", [1, 31, 1000, 300_001, 5_000_000])
def test_long_reductions(cupy: Any, dtype: type, n: int) -> None:
    array = (RNG.normal(size=n) / 8).astype(dtype)
    z = eb.tensor("z[n]")
    step = eb.compile([eb.sum(z), eb.max(z), eb.min(z), eb.sum(z**2) / z.size("n"), eb.logsumexp(z)])
    found, again = step(z=cupy.asarray(array)), step(z=cupy.asarray(array))
    tolerance = {np.float64: 1e-10, np.float32: 1e-3, np.float16: 2e-2}[dtype]
    for one, same, other in zip(found, again, step(z=array), strict=True):
        np.testing.assert_allclose(cupy.asnumpy(one), other, rtol=tolerance, atol=tolerance)
        assert cupy.asnumpy(one).tobytes() == cupy.asnumpy(same).tobytes()


@pytest.mark.parametrize(("precision", "least", "most"),
                         [("float32", 0, 1e-4), ("tf32", 0, 0.1), ("bfloat16", 0, 1), ("float16", 0, 0.1)])  # fmt: skip
def test_precisions(cupy: Any, precision: str, least: float, most: float) -> None:
    A, B = eb.tensors("A[m,k] B[k,n]")
    arrays = {"A": RNG.normal(size=(256, 512)).astype(np.float32), "B": RNG.normal(size=(512, 128)).astype(np.float32)}
    found = eb.compile(A @ B, precision=precision)(**{key: cupy.asarray(one) for key, one in arrays.items()})
    error = np.abs(cupy.asnumpy(found) - arrays["A"].astype(float) @ arrays["B"].astype(float)).max()
    assert least <= error < most


def test_graphs_check_indices(cupy: Any) -> None:
    E, ids = eb.tensor("E[v,d]"), eb.tensor("t[n]", integer=True)
    step = eb.compile(E[ids], graph=True)
    for _ in range(3):
        found = step(E=cupy.eye(3), t=cupy.array([2, 0]))
        np.testing.assert_array_equal(cupy.asnumpy(found), np.eye(3)[[2, 0]])
        with pytest.raises(ArrayError, match=r"t\[1\] is 3"):
            step(E=cupy.eye(3), t=cupy.array([0, 3]))


def test_the_memory_of_a_step(cupy: Any) -> None:
    V, W, X, Y = eb.tensors("V[d,h] W[h,c] X[n,d] Y[n,c]")
    loss = eb.sum((eb.tanh(X @ V) @ W - Y) ** 2)
    step = eb.compile([loss, *eb.grad(loss, [V, W])])
    shapes = {"X": (4096, 256), "V": (256, 512), "W": (512, 64), "Y": (4096, 64)}
    arrays = {key: cupy.asarray(RNG.normal(size=shape)) for key, shape in shapes.items()}
    results = cupy.cuda.MemoryPool()
    with cupy.cuda.using_allocator(results.malloc):
        found = step(**arrays)
    (made,) = step._device._made.values()
    peak = made.pool.total_bytes() + results.total_bytes()
    assert 1 <= peak / step.plan(**arrays).peak_bytes < 1.1
    assert len(found) == 3


@pytest.mark.parametrize("graph", [False, True])
def test_contractions_of_cutensor(cupy: Any, graph: bool) -> None:
    pytest.importorskip("cupyx.cutensor", reason="cuTENSOR is not installed", exc_type=ImportError)
    A, B = eb.tensors("A[i,a,j,b] B[b,k,a,l]")
    whole = eb.einsum("iajb,bkal->ijkl", A, B)
    outputs = [whole, *eb.grad(eb.sum(eb.sin(whole)), [A, B])]
    arrays = {"A": RNG.normal(size=(8, 9, 10, 11)), "B": RNG.normal(size=(11, 12, 9, 13))}
    wanted, step = eb.compile(outputs)(**arrays), eb.compile(outputs, graph=graph, cutensor=True)
    assert "contracted(" in step.source(arrays, target="cupy", readable=False)
    for _ in range(3):
        for one, other in zip(step(**{key: cupy.asarray(one) for key, one in arrays.items()}), wanted, strict=True):
            np.testing.assert_allclose(cupy.asnumpy(one), other, rtol=1e-10, atol=1e-9)

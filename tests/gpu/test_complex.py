"""On a CUDA device: complex numbers, in kernels and in products that conjugate their operands."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import einback as eb
from tests.run.test_cuda_complex import FINITE, PARTS, ROWS, SPECIAL, row_arrays, row_program, scattered_and_windowed

pytestmark = pytest.mark.gpu

RNG = np.random.default_rng(0)


def drawn(*shape: int, dtype: type = np.complex128) -> np.ndarray:
    return np.asarray(RNG.normal(size=shape) + 1j * RNG.normal(size=shape), dtype)


@pytest.mark.parametrize("dtype", [np.complex128, np.complex64])
@pytest.mark.parametrize("name", ROWS)
def test_rows_of_the_scalar_table(cupy: Any, name: str, dtype: type) -> None:
    values = SPECIAL if name in PARTS else FINITE
    grid = np.array([complex(x, y) for x in values for y in values if name in PARTS or (x and y)])
    output, inputs = row_program(name)
    arrays = row_arrays(inputs, grid, dtype)
    step = eb.compile(output)
    with np.errstate(all="ignore"):
        wanted = step(**arrays)
    found = cupy.asnumpy(step(**{key: cupy.asarray(array) for key, array in arrays.items()}))
    tolerance = 1e-12 if dtype is np.complex128 else 1e-5
    np.testing.assert_allclose(found, wanted, tolerance, tolerance)


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("dtype", [np.complex128, np.complex64])
def test_products_and_gradients(cupy: Any, dtype: type, graph: bool) -> None:
    A, B, C = (eb.tensor(text, complex=True) for text in ("A[m,n]", "B[m,k]", "C[n,k]"))
    value = eb.sum(eb.abs(A @ C - B) ** 2)
    outputs = [
        eb.conj(A).T @ B, B.T @ eb.conj(A), eb.conj(A) @ C, eb.exp(0.1j * A), eb.sum(A * A, axis=0), value,
        *eb.grad(value, [A, B, C]), eb.einsum("mn,mk,ml->nkl", eb.conj(A), B, eb.conj(B)),
    ]  # fmt: skip
    arrays = {"A": drawn(65, 40, dtype=dtype), "B": drawn(65, 33, dtype=dtype), "C": drawn(40, 33, dtype=dtype)}
    wanted, step = eb.compile(outputs)(**arrays), eb.compile(outputs, graph=graph)
    tolerance = 1e-10 if dtype is np.complex128 else 1e-3
    for _ in range(3):
        for one, other in zip(step(**{k: cupy.asarray(v) for k, v in arrays.items()}), wanted, strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_allclose(cupy.asnumpy(one), other, tolerance, tolerance * np.abs(other).max())


def test_scatters_and_windows(cupy: Any) -> None:
    arrays = {"E": drawn(7, 4), "t": RNG.integers(0, 7, 30), "s": drawn(21), "k": drawn(5)}
    outputs = scattered_and_windowed()
    step = eb.compile(outputs)
    found = step(**{key: cupy.asarray(array) for key, array in arrays.items()})
    for one, other in zip(found, step(**arrays), strict=True):
        np.testing.assert_allclose(cupy.asnumpy(one), other, 1e-11, 1e-11)

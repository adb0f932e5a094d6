"""Complex numbers on a device: random programs, each function at special values, adjoints without copies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import einback as eb
from einback.rules.scalar import TABLE
from tests.run import nvrtc
from tests.run.cuda_on_host import available
from tests.run.cupy_stand_in import cupy_stand_in
from tests.run.test_cuda_dags import INPUTS, Program, laid
from tests.run.test_cuda_programs import kernels_in

host = pytest.mark.skipif(not available(), reason="there is no g++ to compile kernels for the host")
compiles = pytest.mark.skipif(
    not nvrtc.available() and os.environ.get("EINBACK_REQUIRE_ORACLE") != "1",
    reason="NVIDIA's NVRTC is not installed: pip install nvidia-cuda-nvrtc-cu12",
)
COMPLEX = ("x", "z", "u", "s")
UNARY = [
    lambda a: eb.exp(0.3j * a), lambda a: eb.sin(0.2 * a), eb.conj, eb.real, eb.imag, eb.abs, eb.sign,
    lambda a: a * a, lambda a: 1 - a / 3, lambda a: eb.tanh(0.1 * a), lambda a: a / (2 + eb.abs(a)),
]  # fmt: skip
BINARY = [
    lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, lambda a, b: a / (3 + eb.abs(b)),
    lambda a, b: eb.complex(eb.real(a), eb.imag(b)), lambda a, b: eb.where(eb.real(a) > eb.imag(b), a, b),
]  # fmt: skip


@pytest.fixture
def cupy() -> Iterator[Any]:
    with cupy_stand_in() as module:
        yield module


def tamed(tensor: Any) -> Any:
    """The tensor with entries of modulus below one."""
    return tensor / (1 + eb.abs(tensor))


class ComplexProgram(Program):
    """As its parent, of complex tensors among real ones."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.inputs = [
            (eb.tensor(f"{name}[{','.join(axes)}]" if axes else name, complex=name in COMPLEX), axes)
            for name, axes in INPUTS.items()
        ]
        self.grown = list(self.inputs)

    def grow(self) -> None:
        a, axes = self.pick()
        match self.draw(st.sampled_from(["unary", "unary", "binary", "binary", "reduced", "product", "product"])):
            case "unary":
                self.grown.append((self.draw(st.sampled_from(UNARY))(a), axes))
            case "binary":
                b, others = self.pick()
                out = "".join(self.draw(st.permutations(sorted({*axes, *others}))))
                left, right = (eb.einsum(f"{own},{out}->{out}", one, self.ones(out)) for one, own in
                               ((a, axes), (b, others)))  # fmt: skip
                self.grown.append((self.draw(st.sampled_from(BINARY))(left, right), out))
            case "reduced" if axes:
                gone = self.draw(st.sampled_from(axes))
                made = self.draw(st.sampled_from([eb.sum, eb.mean]))(a, axis=axes.index(gone))
                self.grown.append((tamed(made), axes.replace(gone, "")))
            case "product":
                b, others = self.pick()
                shared = sorted({*axes} & {*others})
                if shared:
                    a, b = (eb.conj(one) if self.draw(st.booleans()) else one for one in (a, b))
                    gone = self.draw(st.sampled_from(shared))
                    out = "".join(self.draw(st.permutations(sorted({*axes, *others} - {gone}))))
                    self.grown.append((tamed(eb.einsum(f"{axes},{others}->{out}", a, b)), out))

    def outputs(self) -> list[Any]:
        made = [tensor for tensor, _ in self.grown[len(self.inputs) :]] or [self.inputs[0][0]]
        wanted = [*self.draw(st.lists(st.sampled_from(made), max_size=4)), made[-1]]
        if self.draw(st.booleans()):
            loss = eb.sum(eb.abs(made[-1]) ** 2) if made[-1].ndim else eb.abs(made[-1]) ** 2
            read = {one.name for one in loss.inputs}
            wanted += eb.grad(loss, [tensor for tensor, _ in self.inputs if tensor.name in read])
        return wanted


@host
@settings(max_examples=60)
@given(data=st.data())
def test_random_dags(data: st.DataObject) -> None:
    program = ComplexProgram(data.draw)
    for _ in range(data.draw(st.integers(1, 16))):
        program.grow()
    outputs = program.outputs()
    lengths = {axis: data.draw(st.sampled_from([1, 2, 3, 8, 33])) for axis in "nmk"}
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    run = eb.compile(outputs)
    arrays = {}
    for one in run.inputs:
        shape = [lengths[axis] for axis in INPUTS[one.name]]
        arrays[one.name] = rng.normal(size=shape) + (1j * rng.normal(size=shape) if one.name in COMPLEX else 0)
    sizes = {axis: length for axis, length in lengths.items() if axis in run.symbols}
    wanted = run(**arrays, **sizes)
    step = eb.compile(outputs, graph=data.draw(st.booleans()))
    with cupy_stand_in() as cupy:
        device = {name: laid(cupy, np.asarray(array), data.draw(st.integers(0, 3))) for name, array in arrays.items()}
        for _ in range(2):
            found = step(**device, **sizes)
            for one, other in zip(found, wanted, strict=True):
                assert one.dtype == np.asarray(other).dtype
                assert one.shape == np.asarray(other).shape
                scale = max(1.0, float(np.abs(other).max(initial=0)))
                np.testing.assert_allclose(cupy.asnumpy(one), other, rtol=1e-8, atol=1e-8 * scale)


ROWS = sorted(name for name, row in TABLE.items() if row.complex_cuda)
PARTS = ("abs", "sign", "real", "imag", "conj", "complex", "where")  # which work at any numbers
FINITE = [0.0, -0.0, 0.3, -0.7, 1.0, -2.5]
SPECIAL = [*FINITE, np.inf, -np.inf, np.nan]


def row_program(name: str) -> tuple[Any, tuple[Any, ...]]:
    a, b = eb.tensor("a[n]", complex=True), eb.tensor("b[n]", complex=True)
    match name:
        case "complex":
            x, y = eb.tensors("x[n] y[n]")
            return eb.complex(x, y), (x, y)
        case "where":
            x = eb.tensor("x[n]")
            return eb.where(x > 0, a, b), (x, a, b)
        case _:
            return getattr(eb, name)(a), (a,)


def row_arrays(inputs: tuple[Any, ...], grid: np.ndarray, dtype: type) -> dict[str, np.ndarray]:
    """Numbers of a grid for each tensor, shifted against each other; for a real one their real parts."""
    arrays = {}
    for k, tensor in enumerate(inputs):
        given = np.roll(grid, 3 * k).astype(dtype)
        arrays[tensor.name] = given if tensor.node.is_complex else given.real.copy()
    return arrays


@host
@pytest.mark.parametrize("dtype", [np.complex128, np.complex64])
@pytest.mark.parametrize("name", ROWS)
def test_rows_of_the_scalar_table(cupy: Any, name: str, dtype: type) -> None:
    values = SPECIAL if name in PARTS else FINITE
    grid = np.array([complex(x, y) for x in values for y in values])
    output, inputs = row_program(name)
    arrays = row_arrays(inputs, grid, dtype)
    step = eb.compile(output)
    with np.errstate(all="ignore"):
        wanted = step(**arrays)
    given = {key: cupy.asarray(array) for key, array in arrays.items()}
    found = cupy.asnumpy(step(**given))
    assert found.dtype == wanted.dtype
    tolerance = 1e-13 if dtype is np.complex128 else 1e-5
    np.testing.assert_allclose(found, wanted, tolerance, tolerance)
    source = step.source(given, target="cupy", readable=False)
    assert source.count("kernel_1((") == 1
    assert f"cupy.{name}(" not in source


@compiles
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
def test_nvidia_compiles_every_row(architecture: str) -> None:
    programs = [row_program(name) for name in ROWS]
    outputs = [output for output, _ in programs] + [eb.sum(output) for output, _ in programs] + scattered_and_windowed()
    shapes = {"a": (8,), "b": (8,), "x": (8,), "y": (8,), "E": (7, 4), "s": (500_001,), "k": (5,)}
    for dtype in (np.complex64, np.complex128):
        step = eb.compile(outputs)
        arrays = {one.name: np.zeros(shapes[one.name], dtype if one.is_complex else np.empty(0, dtype).real.dtype)
                  for one in step.inputs if one.name != "t"}  # fmt: skip
        text = kernels_in(step.source(arrays | {"t": np.zeros(30, np.int64)}, target="cupy", readable=False))
        assert "atomicAdd(&" in text
        assert "along_row<Sum" in text
        assert len(nvrtc.compiled(text, architecture)) > 10_000


def scattered_and_windowed() -> list[Any]:
    """Gradients that add entries where indices point, and where windows overlap."""
    E, t = eb.tensor("E[v,d]", complex=True), eb.tensor("t[l]", integer=True)
    p = eb.program("y[i] = s[2*i + u] k[u]", s=eb.tensor("s[m]", complex=True), k=eb.tensor("k[w]", complex=True))
    return [eb.grad(eb.sum(eb.abs(E[t]) ** 2), E), p["y"], eb.grad(eb.sum(eb.abs(p["y"]) ** 2), p["s"])]


def source_of(output: Any, **shapes: tuple[int, ...]) -> str:
    arrays = {name: np.zeros(shape, np.complex128) for name, shape in shapes.items()}
    return eb.compile(output).source(arrays, target="cupy", readable=False)


A, B = eb.tensor("A[m,n]", complex=True), eb.tensor("B[m,k]", complex=True)


def test_adjoints_are_not_copied() -> None:
    """cuBLAS conjugates what it transposes; a conjugate that it reads otherwise is a copy."""
    adjoint = source_of(eb.conj(A).T @ B, A=(40, 30), B=(40, 20))
    assert '"DD", (0, 2, 20, 30, 40,' in adjoint
    assert "kernel_1" not in adjoint
    loss = eb.sum(eb.abs(A @ eb.tensor("C[n,k]", complex=True)) ** 2)
    assert "kernel_1" not in source_of(eb.grad(loss, A), A=(40, 30), C=(30, 20))
    assert source_of(eb.conj(A) @ eb.tensor("C[n,k]", complex=True), A=(40, 30), C=(30, 20)).count("kernel_1((") == 1


@host
@pytest.mark.parametrize("dtype", [np.complex128, np.complex64])
def test_adjoints_of_changing_arrays(cupy: Any, dtype: type) -> None:
    """Conjugates in products of all layouts, and beside other readers."""
    rng = np.random.default_rng(0)
    a, b = (np.asarray(rng.normal(size=(5, n)) + 1j * rng.normal(size=(5, n)), dtype) for n in (4, 3))
    outputs = [
        eb.conj(A).T @ B, B.T @ eb.conj(A), eb.conj(eb.conj(A).T @ B), eb.conj(A * 2).T @ eb.conj(B),
        eb.einsum("mn,mk->mnk", eb.conj(A), B), eb.conj(A) * 3, eb.einsum("mn,mk,ml->nkl", eb.conj(A), B, eb.conj(B)),
    ]  # fmt: skip
    for chosen in (*([one] for one in outputs), outputs):
        step = eb.compile(chosen)
        for order in (np.ascontiguousarray, np.asfortranarray):
            given = {"A": cupy.asarray(order(a)), "B": cupy.asarray(order(b))}
            arrays = {"A": a, "B": b}
            given = {key: given[key] for key in given if key in {one.name for one in step.inputs}}
            wanted = step(**{key: arrays[key] for key in given})
            for one, other in zip(step(**given), wanted, strict=True):
                np.testing.assert_allclose(cupy.asnumpy(one), other, 1e-5, 1e-5)


@host
@pytest.mark.parametrize("dtype", [np.complex128, np.complex64])
def test_reductions_scatters_and_windows(cupy: Any, dtype: type) -> None:
    z = eb.tensor("z[n]", complex=True)
    rng = np.random.default_rng(1)
    arrays = {name: np.asarray(rng.normal(size=shape) + 1j * rng.normal(size=shape), dtype)
              for name, shape in (("z", 50_000), ("E", (7, 4)), ("s", 21), ("k", 5))}  # fmt: skip
    arrays["t"] = rng.integers(0, 7, 30)
    step = eb.compile([eb.sum(z * z), eb.sum(z * eb.conj(z)), *scattered_and_windowed()])
    found = step(**{key: cupy.asarray(array) for key, array in arrays.items()})
    tolerance = 1e-10 if dtype is np.complex128 else 1e-3
    for one, other in zip(found, step(**arrays), strict=True):
        np.testing.assert_allclose(cupy.asnumpy(one), other, tolerance, tolerance)


@host
def test_precision_of_products(cupy: Any) -> None:
    rng = np.random.default_rng(3)
    arrays = {"A": np.asarray(rng.normal(size=(9, 8)) + 1j * rng.normal(size=(9, 8)), np.complex64),
              "B": np.asarray(rng.normal(size=(9, 7)) + 1j * rng.normal(size=(9, 7)), np.complex64)}  # fmt: skip
    exact = arrays["A"].T.astype(complex) @ arrays["B"]
    errors = []
    for precision in ("float32", "tf32", "bfloat16"):
        step = eb.compile(A.T @ B, precision=precision)
        found = cupy.asnumpy(step(**{key: cupy.asarray(array) for key, array in arrays.items()}))
        errors.append(np.abs(found - exact).max())
    assert errors[0] < 1e-5 < errors[1] < 1e-2 < 10 * errors[2] < 1


@host
@pytest.mark.parametrize("dtype", [np.complex128, np.complex64])
def test_divisions_at_any_numbers(cupy: Any, dtype: type) -> None:
    """CuPy's operator scales by reciprocals, and would make NaN of infinite, tiny and very large divisors."""
    tiny, huge = (1e-310, 1e308) if dtype is np.complex128 else (1e-40, 1e38)
    numbers = [*SPECIAL, tiny, -tiny, huge]
    grid = np.array([complex(x, y) for x in numbers for y in numbers], dtype)
    a, b, x = eb.tensor("a[n]", complex=True), eb.tensor("b[n]", complex=True), eb.tensor("x[n]")
    arrays = {"a": np.repeat(grid, len(grid)), "b": np.tile(grid, len(grid))}
    arrays["x"] = arrays["b"].real.copy()
    for output in (a / b, 1 / b, a / x, eb.sigmoid(b)):
        step = eb.compile(output)
        given = {one.name: arrays[one.name] for one in step.inputs}
        with np.errstate(all="ignore"):
            wanted = step(**given)
        found = cupy.asnumpy(step(**{key: cupy.asarray(array) for key, array in given.items()}))
        for part in ("real", "imag"):
            one, other = getattr(found, part), getattr(wanted, part)
            np.testing.assert_allclose(one, other, 1e-12 if dtype is np.complex128 else 1e-5, np.finfo(dtype).tiny)

"""Contractions that cuTENSOR takes, where cuBLAS would need copies: on the stand-in, which is as strict with arrays."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import einback as eb
from tests.run.cuda_on_host import available
from tests.run.cupy_stand_in import cupy_stand_in
from tests.run.test_cuda_dags import laid

host = pytest.mark.skipif(not available(), reason="there is no g++ to compile kernels for the host")


@pytest.fixture
def cupy() -> Iterator[Any]:
    with cupy_stand_in() as module:
        yield module


def source_of(output: Any, cutensor: bool, **shapes: tuple[int, ...]) -> str:
    arrays = {name: np.zeros(shape) for name, shape in shapes.items()}
    return eb.compile(output, cutensor=cutensor).source(arrays, target="cupy", readable=False)


def test_what_cublas_needs_copies_for() -> None:
    A, B = eb.tensors("A[i,a,j,b] B[b,k,a,l]")
    shapes = {"A": (8, 9, 10, 11), "B": (11, 12, 9, 13)}
    whole = eb.einsum("iajb,bkal->ijkl", A, B)
    without, within = (source_of(whole, cutensor, **shapes) for cutensor in (False, True))
    assert "kernel_1((" in without
    assert "gemm(" in without
    assert "cutensor" not in without
    assert "contracted('aebf,fced->abcd', A, B, G1)" in within
    assert "kernel_1" not in within
    assert "gemm(" not in within
    assert "from cupyx import cutensor\n" in within


def test_what_cublas_takes_as_it_lies() -> None:
    A, B, C = eb.tensors("A[m,k] B[k,n] C[b,m,k]")
    for output, shapes in (
        (A @ B, {"A": (8, 9), "B": (9, 10)}),
        (eb.einsum("bmk,kn->bmn", C, B), {"C": (4, 8, 9), "B": (9, 10)}),
        (eb.einsum("bmk,mk->b", C, A), {"C": (4, 8, 9), "A": (8, 9)}),
    ):
        assert "cutensor" not in source_of(output, True, **shapes)


@host
@settings(max_examples=60)
@given(data=st.data())
def test_random_contractions(data: st.DataObject) -> None:
    """A chain of three tensors, in all layouts, with a function behind each product, and gradients."""
    letters = "abcdef"
    axes = [data.draw(st.permutations(letters)) for _ in range(3)]
    ranks = [data.draw(st.integers(1, 4)) for _ in range(3)]
    names = ["".join(order[:rank]) for order, rank in zip(axes, ranks, strict=True)]
    lengths = {letter: data.draw(st.sampled_from([1, 2, 3, 5])) for letter in letters}
    is_complex = data.draw(st.booleans())
    tensors = [eb.tensor(f"T{k}[{','.join(name)}]", complex=is_complex) for k, name in enumerate(names)]
    first = sorted({*names[0], *names[1]} & {*names[2], *data.draw(st.permutations(letters))[:3]})
    middle = "".join(data.draw(st.permutations(first)))
    inner = eb.einsum(f"{names[0]},{names[1]}->{middle}", *tensors[:2])
    last = "".join(data.draw(st.permutations(sorted({*middle, *names[2]})))[: data.draw(st.integers(0, 3))])
    whole = eb.einsum(f"{middle},{names[2]}->{last}", eb.sin(0.1 * inner), tensors[2])
    value = eb.sum(eb.abs(whole) ** 2) if last else eb.abs(whole) ** 2
    outputs = [whole, *eb.grad(value, tensors)]
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    arrays = {}
    for tensor, name in zip(tensors, names, strict=True):
        shape = [lengths[letter] for letter in name]
        arrays[tensor.name] = rng.normal(size=shape) + (1j * rng.normal(size=shape) if is_complex else 0)
    wanted = eb.compile(outputs)(**arrays)
    step = eb.compile(outputs, cutensor=True, graph=data.draw(st.booleans()))
    with cupy_stand_in() as cupy:
        given = {name: laid(cupy, array, data.draw(st.integers(0, 3))) for name, array in arrays.items()}
        for _ in range(3):
            for one, other in zip(step(given), wanted, strict=True):
                scale = max(1.0, float(np.abs(other).max(initial=0)))
                np.testing.assert_allclose(cupy.asnumpy(one), other, 1e-9, 1e-9 * scale)


@host
def test_a_library_that_is_missing(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    A, B = eb.tensors("A[i,a,j,b] B[b,k,a,l]")
    arrays = {"A": cupy.asarray(np.ones((2, 3, 4, 5))), "B": cupy.asarray(np.ones((5, 6, 3, 7)))}
    monkeypatch.delattr(sys.modules["cupyx"], "cutensor")
    monkeypatch.delitem(sys.modules, "cupyx.cutensor")
    step = eb.compile(eb.einsum("iajb,bkal->ijkl", A, B), cutensor=True)
    with pytest.raises(
        eb.CompileError, match=r"cutensor=True, and cuTENSOR does not load: .*\npip install cutensor-cu12"
    ):
        step(arrays)


@host
def test_a_limit_of_memory(cupy: Any) -> None:
    """cuTENSOR takes memory of its own, so that a program under a limit does without it."""
    A, B = eb.tensors("A[i,a,j,b] B[b,k,a,l]")
    arrays = {"A": cupy.asarray(np.ones((2, 3, 4, 5))), "B": cupy.asarray(np.ones((5, 6, 3, 7)))}
    whole = eb.einsum("iajb,bkal->ijkl", A, B)
    assert not eb.compile(whole, cutensor=True).plan(arrays).exact
    found = eb.compile(whole, cutensor=True, memory_limit=10**6)
    np.testing.assert_array_equal(cupy.asnumpy(found(arrays)), np.full((2, 4, 6, 7), 15.0))
    assert found.plan(arrays).peak_bytes <= 10**6


def test_options() -> None:
    x = eb.tensor("x[n]")
    with pytest.raises(eb.CompileError, match="cutensor=1 is neither True nor False"):
        eb.compile(x, cutensor=1)
    with pytest.raises(eb.CompileError, match="graph, precision and cutensor are not supported for structured"):
        eb.compile(x, structured=True, cutensor=True)

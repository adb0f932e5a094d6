"""Every target, executed: standard programs, random programs over every node kind, other sizes, other dtypes."""

import re
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import einback as eb
from einback.errors import EinbackError
from einback.ir.nodes import Input, Node
from einback.run.callable import Compiled
from tests.interpreter import evaluate
from tests.run.functional.targets import TARGETS, flat, run_source
from tests.run.limited_programs import PROGRAMS
from tests.run.random_programs import arrays_for, programs
from tests.run.test_programs import check

SEEDS = st.integers(0, 2**32)
GENERAL = "takes arrays of all lengths that agree"

# Lengths of the standard programs, made small enough to be run many times.
_SHORTER = {2000: 12, 1500: 11, 3000: 13, 4000: 14, 300: 9, 400: 8, 150: 7, 120: 6, 100: 10, 60: 4}

# Programs whose text has lengths in it as numbers.
_SPECIAL = {"convolution"}

_few = settings(max_examples=15)  # each is compiled by XLA

each_target = pytest.mark.parametrize("target", TARGETS)


def read_by(source: str) -> list[str]:
    """The names of the arguments."""
    found = re.search(r"^def step\((.*?)\) ->", source, re.DOTALL | re.MULTILINE)
    assert found
    return re.findall(r"(\w+):", found[1])


def check_random(target: str, data: st.DataObject, dtypes: tuple[str, ...] = ()) -> None:
    """A random program, against the interpreter; at other sizes too, where the text says that it serves them."""
    roots, inputs = data.draw(programs())
    sizes, arrays = _arrays(inputs, data)
    if dtypes:
        arrays = {name: _typed(name, array, data.draw(st.sampled_from(dtypes))) for name, array in arrays.items()}
    program = Compiled(roots, inputs, structure=list(range(len(roots))))
    try:
        results = program(arrays, **sizes)
    except EinbackError:  # no such function of these dtypes, or no inverse
        return
    source = program.source({**arrays, **sizes}, target=target, readable=True)
    found = run_source(source, target, {name: arrays[name] for name in read_by(source)})
    assert [array.dtype for array in found] == [np.asarray(array).dtype for array in results]
    check(found, [np.asarray(array) for array in results] if dtypes else _dense(roots, arrays, sizes), 1e-7)
    if GENERAL in source and not dtypes:
        sizes, arrays = _arrays(inputs, data)
        try:
            program(arrays, **sizes)
        except EinbackError:
            return
        found = run_source(source, target, {name: arrays[name] for name in read_by(source)})
        check(found, _dense(roots, arrays, sizes), 1e-7)


def _arrays(inputs: list[Input], data: st.DataObject) -> tuple[dict[str, int], dict[str, np.ndarray]]:
    sizes, arrays = arrays_for(inputs, data.draw(SEEDS))
    return sizes, {name: np.array(array) for name, array in arrays.items()}


def _dense(roots: tuple[Node, ...], arrays: Mapping[str, np.ndarray], sizes: Mapping[str, int]) -> list[np.ndarray]:
    return evaluate(roots, dict(arrays), dict(sizes))


def _typed(name: str, array: np.ndarray, dtype: str) -> np.ndarray:
    if array.dtype.kind == "i":
        return array
    return array > 0 if dtype == "bool" else (2 * array).astype(dtype)


@each_target
@pytest.mark.parametrize("name", PROGRAMS)
def test_standard_programs(name: str, target: str):
    outputs, arrays = PROGRAMS[name]()
    short = {key: np.ascontiguousarray(array[tuple(slice(_SHORTER.get(n, n)) for n in array.shape)])
             for key, array in arrays.items()}  # fmt: skip
    if "token" in short:
        short["token"] %= len(short["E"])
    program = eb.compile(outputs)
    wanted = program(**short)
    source = program.source(target=target, readable=True)
    assert (GENERAL in source) == (name not in _SPECIAL)
    for one, other in zip(flat(run_source(source, target, short)), flat(wanted), strict=True):
        np.testing.assert_allclose(one, other, 1e-9, 1e-11 * (1 + np.abs(other).max()))


@given(st.data())
def test_random_programs_on_numpy(data: st.DataObject):
    check_random("numpy", data)


@given(st.data())
def test_random_programs_on_cupy(data: st.DataObject):
    check_random("cupy", data)


@given(st.data())
def test_random_programs_on_torch(data: st.DataObject):
    check_random("torch", data)


@pytest.mark.oracle
@_few
@given(st.data())
def test_random_programs_on_jax(data: st.DataObject):
    check_random("jax", data)


@pytest.mark.parametrize("target", ["numpy", "cupy", "torch"])
@pytest.mark.parametrize("dtypes", [("float64", "int64", "int32", "bool"), ("complex128", "float64")], ids="rc")
@settings(max_examples=40)
@given(data=st.data())
def test_random_dtypes(target: str, dtypes: tuple[str, ...], data: st.DataObject):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_random(target, data, dtypes)


@pytest.mark.oracle
@pytest.mark.parametrize("dtypes", [("float64", "int64", "int32", "bool"), ("complex128", "float64")], ids="rc")
@_few
@given(data=st.data())
def test_random_dtypes_on_jax(dtypes: tuple[str, ...], data: st.DataObject):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_random("jax", data, dtypes)


@each_target
def test_one_text_serves_both_precisions(target: str):
    X, w = eb.tensors("X[n,d] w[d]")
    f = eb.sum(eb.where(X @ w > 0, eb.softplus(X @ w), 0.25)) / X.size("n")
    program = eb.compile([f, eb.grad(f, w)])
    source = program.source(n=6, d=3, target=target, readable=True)
    rng = np.random.default_rng(0)
    double = {"X": rng.normal(size=(9, 4)), "w": rng.normal(size=4)}
    single = {name: array.astype(np.float32) for name, array in double.items()}
    for arrays, dtype, tolerance in ((double, np.float64, 1e-12), (single, np.float32, 1e-5)):
        found = run_source(source, target, arrays)
        assert [array.dtype for array in found] == [dtype, dtype]
        for one, other in zip(found, program(**double), strict=True):
            np.testing.assert_allclose(one, other, tolerance)


@pytest.mark.parametrize("target", ["numpy", "cupy", "torch"])
def test_indices_are_checked(target: str):
    E, ids = eb.tensor("E[v,d]"), eb.tensor("ids[n]", integer=True)
    source = eb.compile(E[ids]).source(v=3, d=2, n=2, target=target, readable=True)
    arrays = {"E": np.ones((3, 2)), "ids": np.array([0, -1])}
    with pytest.raises(IndexError, match="an entry of ids points outside of an axis of 3 entries"):
        run_source(source, target, arrays)


@each_target
def test_short_indices_gather(target: str):
    E, ids = eb.tensor("E[v,d]"), eb.tensor("ids[n]", integer=True)
    f = eb.sum(E[ids] ** 2)
    program = eb.compile([f, eb.grad(f, E)])
    arrays = {"E": np.arange(6.0).reshape(3, 2), "ids": np.array([2, 0, 2], np.int16)}
    source = program.source(arrays, target=target, readable=True)
    for one, other in zip(run_source(source, target, arrays), program(arrays), strict=True):
        np.testing.assert_allclose(one, other)


@each_target
def test_results_are_no_arguments(target: str):
    x = eb.tensor("x[n,m]")
    source = eb.compile([x, x.T, x * 1]).source(n=2, m=3, target=target, readable=True)
    array = np.ones((2, 3))
    for found in run_source(source, target, {"x": array}):
        assert not np.shares_memory(found, array)


def test_a_long_chain():
    x = eb.tensor("x[n]")
    y = x
    for _ in range(200):
        y = eb.tanh(y) + x
    f = eb.sum(y)
    program = eb.compile([f, eb.grad(f, x)])
    arrays = {"x": np.linspace(-1, 1, 5)}
    for one, other in zip(
        run_source(program.source(n=5, readable=True), "numpy", arrays), program(arrays), strict=True
    ):
        np.testing.assert_allclose(one, other)


def agrees(outputs: Any, target: str, arrays: dict[str, np.ndarray], **options: Any) -> str:
    """The text for a program, whose results on a target are those of the program."""
    program = eb.compile(outputs, **options)
    source = program.source(arrays, target=target, readable=True)
    for one, other in zip(flat(run_source(source, target, arrays)), flat(program(arrays)), strict=True):
        np.testing.assert_allclose(one, other, 1e-8, 1e-10)
    return source


@each_target
def test_decompositions_are_shared(target: str):
    A, B, S = eb.tensors("A[n,n] B[b,n,n] S[n,n]")
    sign, logdet = eb.linalg.slogdet(A)
    f = sign * logdet + eb.sum(eb.linalg.inv(B)) + eb.sum(eb.linalg.solve(B, A) ** 2)
    g = eb.sum(eb.tanh(eb.linalg.eigvalsh(S)))
    rng = np.random.default_rng(0)
    arrays = {"A": rng.normal(size=(3, 3)), "B": rng.normal(size=(2, 3, 3)) + 3 * np.eye(3)}
    source = agrees([f, *eb.grad(f, [A, B])], target, arrays)
    assert source.count("linalg.slogdet(") == 1
    spread = rng.normal(size=(3, 3))
    source = agrees([g, eb.grad(g, S)], target, {"S": spread + spread.T})
    assert source.count("linalg.eigh(") == 1


@each_target
def test_conventions(target: str):
    """Ties split evenly, products with zeros, kinks, rows that are masked away."""
    x = eb.tensor("x[n,m]")
    y = [eb.max(x, axis="m"), eb.prod(x, axis="m"), eb.relu(x), eb.abs(x), eb.minimum(x, 0), eb.logsumexp(x, axis="m")]
    f = sum((eb.sum(one * one) for one in y[:-1]), eb.sum(y[-1]))
    arrays = {"x": np.array([[1.0, 1.0, 0.0], [0.0, 0.0, -2.0], [3.0, 2.0, 3.0]])}
    agrees([f, eb.grad(f, x), *y], target, arrays)
    infinite = np.array([[-np.inf, 0.0], [-np.inf, -np.inf]])
    agrees([eb.logsumexp(x, axis="m"), eb.softmax(x, axis="m")], target, {"x": infinite})


@each_target
def test_a_limit_of_memory_is_for_the_program_that_runs(target: str):
    x = eb.tensor("x[n]")
    y = eb.sum(eb.exp(eb.einsum("i,j->ij", x, x)))
    agrees([y, eb.grad(y, x)], target, {"x": np.linspace(0, 1, 300)}, memory_limit=100_000)

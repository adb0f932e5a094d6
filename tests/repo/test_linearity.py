"""Compiling a program twice as long takes twice as many function calls, from its declaration to its source.

Calls are counted, not seconds, so that the result is the same on a busy machine.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import einback as eb
from tests.calls import counted

MOST = 2.3  # times the calls of half the program

Arrays = dict[str, np.ndarray]
Model = tuple[eb.Tensor, dict[str, eb.Tensor], Arrays]  # the loss, what it is derived by, what it reads


def _benchmark() -> Any:
    path = Path(__file__).parents[2] / "benchmarks" / "compile_time.py"
    spec = importlib.util.spec_from_file_location("compile_time", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BENCHMARK = _benchmark()


def transformer(blocks: int) -> Model:
    loss, parameters = BENCHMARK.transformer(blocks)
    return loss, parameters, BENCHMARK.arrays_for(parameters)


def dense_layers(layers: int) -> Model:
    H = eb.tensor("X[n,d]")
    dense = eb.layer("h[n,k] = tanh(x[n,d] W[d,k] + b[k])")
    parameters: dict[str, eb.Tensor] = {}
    for k in range(layers):
        H = dense(H, name=str(k), k=4)
        parameters.update((p.name, p) for p in H.parameters)
    arrays = {name: np.ones([4 for _ in p.shape]) for name, p in parameters.items()}
    return eb.mean(H * H), parameters, {"X": np.ones((3, 4)), **arrays}


def recurrence(steps: int) -> Model:
    """One matrix in every step, so that its gradient is a sum of as many terms."""
    x, W = eb.tensors("x[n] W[n,n]")
    y = x
    for _ in range(steps):
        y = eb.tanh(W @ y + x)
    return eb.sum(y), {"W": W}, {"x": np.ones(3), "W": np.eye(3)}


def matrix_chain(length: int) -> Model:
    matrices = {f"M{k}": eb.tensor(f"M{k}[n,n]") for k in range(length)}
    y = matrices["M0"]
    for M in list(matrices.values())[1:]:
        y = y @ M
    return eb.sum(y * y), matrices, {name: np.eye(3) for name in matrices}


def matrix_product_state(sites: int) -> Model:
    cores = {f"A{k}": eb.tensor(f"A{k}[3,2,3]") for k in range(sites)}
    L = eb.einsum("asb,asc->bc", cores["A0"], cores["A0"])
    for A in list(cores.values())[1:]:
        L = eb.einsum("ca,csb,asd->bd", L, A, A)
    return eb.sum(L), cores, {name: np.ones((3, 2, 3)) for name in cores}


def wide_sum(terms: int) -> Model:
    vectors = {f"x{k}": eb.tensor(f"x{k}[n]") for k in range(terms)}
    y = sum(eb.exp(x) * x for x in vectors.values())
    return eb.sum(y * y), vectors, {name: np.ones(3) for name in vectors}


def _calls(model: Callable[[int], Model], length: int) -> dict[str, int]:
    """Function calls of each stage."""
    counts: dict[str, int] = {}

    def stage(name: str, call: Callable[[], Any]) -> Any:
        result, counts[name] = counted(call)
        return result

    loss, sources, arrays = stage("declare", lambda: model(length))
    grads = stage("derive", lambda: eb.grad(loss, sources))
    step = stage("simplify", lambda: eb.compile({"loss": loss, "grads": grads}))
    stage("plan, lower, run", lambda: step(arrays))
    stage("describe", step.source)
    return counts


@pytest.mark.parametrize(
    ("model", "length"),
    [(transformer, 3), (dense_layers, 12), (recurrence, 16), (matrix_chain, 20), (matrix_product_state, 12),
     (wide_sum, 20)],
    ids=lambda value: getattr(value, "__name__", str(value)),
)  # fmt: skip
def test_calls_grow_with_the_length_of_a_program(model: Callable[[int], Model], length: int):
    _calls(model, 1)  # tables and parsers are ready
    once, twice = _calls(model, length), _calls(model, 2 * length)
    growth = {stage: twice[stage] / once[stage] for stage in once}
    assert max(growth.values()) <= MOST, growth

"""Dry runs count what NumPy allocates: every elementwise function, matrix functions, and programs with relations."""

import tracemalloc
from typing import Any

import numpy as np
import pytest

import einback as eb
from einback.ir.nodes import Input, Map, Matrix, Node, Reduce
from einback.rules.matrix import MATRIX_TABLE
from einback.rules.scalar import TABLE
from einback.run.callable import Compiled
from einback.run.dry import ShadowNumPy, shadowed
from einback.run.shadow import Meter
from tests.run.limited_programs import PROGRAMS

LENGTH = 60_000


def both(program: Any, arrays: dict[str, np.ndarray]) -> tuple[int, int]:
    """The bytes that a dry run counts, and those that a call allocates."""
    program(arrays)
    made, _ = program._prepared(arrays)
    meter = Meter()
    shadows = shadowed(meter, {name: (array.shape, array.dtype, ()) for name, array in arrays.items()})
    namespace: dict[str, Any] = {}
    exec(compile(made.text.source, "<dry>", "exec"), namespace)
    namespace["np"] = ShadowNumPy(meter, definite=True)
    result = namespace["step"](*(shadows[name] for name in made.reads))
    tracemalloc.start()
    try:
        program(arrays)
        counted = meter.peak, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    del result
    assert meter.alive == 0
    return counted


def agree(program: Any, arrays: dict[str, np.ndarray], *, slack: float = 0.6) -> None:
    dry, real = both(program, arrays)
    assert real <= 1.05 * dry + 4096
    assert dry <= (1 + slack) * real


def compiled(node: Node, *inputs: Input) -> Compiled:
    return Compiled([node], inputs)


@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize("fn", TABLE)
def test_every_function(fn: str, dtype: str) -> None:
    count = next(k for k in (1, 2, 3) if f"{{{k}}}" not in TABLE[fn].numpy)
    inputs = [Input(name, ("n",), ()) for name in "xyz"[:count]]
    arrays = {t.name: np.linspace(0.1, 0.9, LENGTH).astype(dtype) for t in inputs}
    agree(compiled(Map(fn, tuple(inputs)), *inputs), arrays)


@pytest.mark.parametrize("fn", ["max", "min", "prod", "logsumexp"])
def test_reductions(fn: str) -> None:
    x = Input("x", ("n", "m"), ())
    for axes in ((0,), (1,), (0, 1)):
        agree(compiled(Reduce(fn, Map("exp", (x,)), axes), x), {"x": np.ones((3000, 30))})


@pytest.mark.parametrize("fn", MATRIX_TABLE)
def test_matrix_functions(fn: str) -> None:
    A = Input("A", ("n", "n"), ())
    matrix = Matrix(fn, A, {"det": 0, "logdet": 0, "sign": 0, "eigvalsh": 1}.get(fn, 2))
    agree(compiled(matrix, A), {"A": np.eye(200) + 0.1}, slack=1e9)  # Python does not see what LAPACK works in


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name: str) -> None:
    outputs, arrays = PROGRAMS[name]()
    agree(eb.compile(outputs), arrays)

"""Dry runs count what NumPy allocates: every elementwise function, matrix functions, and programs with relations."""

import tracemalloc
from typing import Any

import numpy as np
import pytest

import einback as eb
from einback.ir.nodes import Input, Map, Matrix, Node, Reduce
from einback.rules.matrix import MATRIX_TABLE
from einback.rules.scalar import TABLE
from einback.run.callable import Compiled, einsum_describe
from einback.run.dry import ShadowNumPy, shadowed
from einback.run.lower import lower
from einback.run.shadow import Meter
from einback.run.source import Result, write
from tests.run.limited_programs import PROGRAMS

LENGTH = 60_000


def without_workspace(program: Any, arrays: dict[str, np.ndarray]) -> tuple[str, list[str]]:
    """The program as a part of one in slices is written, and the names of the arrays that it takes."""
    made, _ = program._prepared(arrays)
    known, dtypes = program._program, {name: array.dtype for name, array in arrays.items()}
    wanted = [made.plan.dtypes.get(root, np.dtype(float)) for root in made.plan.roots]
    routine = lower(made.plan, known.inputs, dtypes, wanted)
    results = [Result((), dtype) for dtype in wanted]
    text = write(routine, known.structure, results, names={}, letters={}, describe=einsum_describe, checked=False)
    return text.source, [parameter.tensor.name for parameter in routine.parameters]


def both(program: Any, arrays: dict[str, np.ndarray]) -> tuple[int, int]:
    """The bytes that a dry run counts, and those that a call allocates."""
    source, reads = without_workspace(program, arrays)
    meter = Meter()
    shadows = shadowed(meter, {name: (array.shape, array.dtype, ()) for name, array in arrays.items()})
    dry: dict[str, Any] = {}
    exec(compile(source, "<dry>", "exec"), dry)
    real = dict(dry)
    exec(compile(source, "<real>", "exec"), real)
    dry["np"] = ShadowNumPy(meter, definite=True)
    result = dry["step"](*(shadows[name] for name in reads))
    given = [arrays[name] for name in reads]
    real["step"](*given)
    tracemalloc.start()
    try:
        real["step"](*given)
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

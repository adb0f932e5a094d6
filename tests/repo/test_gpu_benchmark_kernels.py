"""The cases of the GPU benchmark as a device runs them: their kernels give NumPy's values, and all can be replayed."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import einback as eb
from tests.run.cuda_on_host import available
from tests.run.cupy_stand_in import cupy_stand_in
from tests.run.functional.targets import flat

FOLDER = str(Path(__file__).parents[2] / "benchmarks")
sys.path.insert(0, FOLDER)
CASES = {case.name: case for case in import_module("workloads.gpu").CASES}
sys.path.remove(FOLDER)

pytestmark = pytest.mark.skipif(not available(), reason="there is no g++ to compile kernels for the host")


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("graph", [False, True])
def test_kernels_of_a_case(name: str, graph: bool) -> None:
    case = CASES[name]
    outputs = case.outputs(**case.small)
    step, host = eb.compile(outputs, graph=graph), eb.compile(outputs)
    drawn = case.arrays(np.random.default_rng(0), **case.small)
    arrays = {one.name: np.asarray(drawn[one.name], float) for one in host.inputs}
    wanted = flat(host(**arrays))
    with cupy_stand_in() as cupy:
        for _ in range(3):
            found = flat(step(**{key: cupy.asarray(one) for key, one in arrays.items()}))
    for one, other in zip(found, wanted, strict=True):
        scale = float(np.abs(other).max())
        np.testing.assert_allclose(cupy.asnumpy(one), other, rtol=1e-11, atol=1e-12 * scale)
    (made,) = step._device._made.values()
    assert (made._graph is not None) == graph, made.refused

"""On a CUDA device: programs in slices keep to their limit, by the pools of CuPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import einback as eb
from tests.run.functional.targets import flat
from tests.run.limited_programs import PROGRAMS
from tests.run.test_cuda_programs import WHOLE, of
from tests.run.test_memory_limit import smallest

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in WHOLE])
def test_the_limit_holds(cupy: Any, name: str, dtype: type) -> None:
    outputs, arrays = of(name, dtype)
    device = {key: cupy.asarray(one) for key, one in arrays.items()}
    whole = eb.compile(outputs)
    limit = int(0.3 * whole.plan(device).peak_bytes)
    try:
        eb.compile(outputs, memory_limit=limit).plan(device)
    except eb.CompileError as error:
        limit = smallest(error)
    step, results = eb.compile(outputs, memory_limit=limit), cupy.cuda.MemoryPool()
    with cupy.cuda.using_allocator(results.malloc):
        found = step(device)
    (made,) = step._device._made.values()
    assert made.pool.total_bytes() + results.total_bytes() <= 1.1 * limit + 8 * 512
    tolerance = 1e-8 if dtype is np.float64 else 2e-3
    for one, other in zip(flat(found), flat(whole(**arrays)), strict=True):
        scale = max(1.0, float(np.abs(other).max(initial=0)))
        np.testing.assert_allclose(cupy.asnumpy(one), other, rtol=tolerance, atol=tolerance * scale)

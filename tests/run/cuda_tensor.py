"""cuTENSOR of the CuPy stand-in: `cupyx.cutensor.contraction`, as strict as the library is with its arrays."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from tests.run.cuda_memory import memory_of
from tests.run.cuda_streams import Work, submit

__all__ = ["cutensor_module"]


def contraction(alpha: Any, A: Any, mode_A: Any, B: Any, mode_B: Any, beta: Any, C: Any, mode_C: Any) -> Any:
    """C = alpha A B + beta C over modes, each of which stands for one axis of an array."""
    modes = [tuple(mode) for mode in (mode_A, mode_B, mode_C)]
    for array, mode in zip((A, B, C), modes, strict=True):
        if type(array).__module__ != "cupy":
            raise TypeError(f"{type(array).__name__} is no array of CuPy's")
        if array.ndim != len(mode) or len(set(mode)) < len(mode):
            raise ValueError(f"ndim mismatch: {array.ndim} != {len(mode)}")
        if array.dtype.char not in "fdFD" or array.dtype != C.dtype:
            raise ValueError(f"the combination with {array.dtype} is not supported")
        if array.size == 0 or any(step <= 0 for step in array.strides) or array.data.ptr % array.itemsize:
            raise ValueError("CUTENSOR_STATUS_INVALID_VALUE")
    pattern = f"{''.join(modes[0])},{''.join(modes[1])}->{''.join(modes[2])}"
    a, b, c = (array.view(np.ndarray) for array in (A, B, C))

    def run() -> None:
        c[...] = alpha * np.einsum(pattern, a, b) + (beta * c if beta else 0)

    submit(Work("cutensor", run, [memory for one in (A, B, C) if (memory := memory_of(one)) is not None]))
    return C


def cutensor_module() -> ModuleType:
    module: Any = ModuleType("cupyx.cutensor")
    module.contraction = contraction
    return module

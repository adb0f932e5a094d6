"""einback and the steps written by hand, over CuPy's arrays; over NumPy's where the device is "cpu", for tests."""

from __future__ import annotations

import operator
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

import numpy as np

import einback as eb
from suite.gpu.case import GpuCase, Precision, Product
from suite.gpu.library import Call, by_clock

__all__ = ["ByHand", "Einback", "multiplied_in"]

_TF32_MATH: Final = 3  # cublasMath_t: CUBLAS_TF32_TENSOR_OP_MATH


class _OverCupy:
    def __init__(self, device: str) -> None:
        self.xp: Any = np if device == "cpu" else import_module("cupy")
        self._free = 0

    @property
    def _on_host(self) -> bool:
        return self.xp is np

    def put(self, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
        return {name: self.xp.asarray(array) for name, array in arrays.items()}

    def settle(self, results: Any) -> None:
        if not self._on_host:
            self.xp.cuda.runtime.deviceSynchronize()

    def host(self, value: Any) -> np.ndarray:
        return np.asarray(value) if self._on_host else self.xp.asnumpy(value)

    def elapsed(self, call: Call, times: int) -> tuple[float, float]:
        if self._on_host:
            return by_clock(call, times, self.settle)
        first, last = self.xp.cuda.Event(), self.xp.cuda.Event()
        began = time.perf_counter()
        first.record()
        for _ in range(times):
            call()
        last.record()
        self.settle(None)
        return self.xp.cuda.get_elapsed_time(first, last) / 1e3, time.perf_counter() - began

    def forget(self) -> None:
        if not self._on_host:
            self.xp.get_default_memory_pool().free_all_blocks()
            self._free = self._available()

    def peak(self) -> int:
        """The bytes that the process took from the device, whose pools keep what they took."""
        return 0 if self._on_host else max(0, self._free - self._available())

    def _available(self) -> int:
        self.settle(None)
        return int(self.xp.cuda.runtime.memGetInfo()[0])

    def flops(self) -> float | None:
        return None

    def replay(self, call: Call) -> Call | None:
        return None


class Einback(_OverCupy):
    """The compiled program, one call after the other or as one graph."""

    def __init__(self, device: str, *, graph: bool) -> None:
        super().__init__(device)
        self._graph = graph
        self._planned: Callable[[], float] | None = None

    def step(self, case: GpuCase, arrays: Mapping[str, Any], precision: Precision) -> Call:
        compile_: Any = eb.compile
        asked: dict[str, Any] = {"graph": True} if self._graph else {}
        if precision in ("tf32", "bfloat16"):
            asked["precision"] = precision
        fn = compile_(dict(case.outputs(**case.sizes)), **asked)
        given = {one.name: arrays[one.name] for one in fn.inputs}
        self._planned = lambda: float(fn.plan(given).flops)
        return lambda: fn(given)

    def flops(self) -> float | None:
        return self._planned() if self._planned is not None else None

    def replay(self, call: Call) -> Call | None:
        """The kernels of eager calls, captured: what a step takes whose launches cost next to nothing."""
        if self._graph or self._on_host:
            return None
        stream = self.xp.cuda.Stream(non_blocking=True)
        with stream:
            kept = [call()]  # what a first call on a stream sets up is not captured
            stream.synchronize()
            stream.begin_capture()
            try:
                kept.append(call())
            finally:
                graph = stream.end_capture()
        stream.synchronize()

        def replayed() -> Any:
            graph.launch()
            return kept

        return replayed


class ByHand(_OverCupy):
    """What one would write without a compiler."""

    def step(self, case: GpuCase, arrays: Mapping[str, Any], precision: Precision) -> Call:
        product = operator.matmul if self._on_host else multiplied_in(self.xp, precision)
        made = case.by_hand(self.xp, product)
        return lambda: made(arrays)


def multiplied_in(cupy: Any, precision: Precision) -> Product:
    """CuPy's matrix product in a precision, which is set for all products of float32, those of batches too."""
    routines: Any = import_module("cupy._core._routines_linalg")
    cublas: Any = import_module("cupy_backends.cuda.libs").cublas  # which loads the library that it needs
    tf32 = precision == "tf32"
    compute = routines.COMPUTE_TYPE_TF32 if tf32 else routines.COMPUTE_TYPE_DEFAULT
    routines.set_compute_type(np.float32, compute)  # of two matrices
    handle = cupy.cuda.get_cublas_handle()
    cublas.setMathMode(handle, _TF32_MATH if tf32 else cublas.CUBLAS_DEFAULT_MATH)  # of batches
    if precision != "bfloat16":
        return operator.matmul
    half = import_module("ml_dtypes").bfloat16

    def product(a: Any, b: Any) -> Any:
        return (a.astype(half) @ b.astype(half)).astype(a.dtype)

    return product

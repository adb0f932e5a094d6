"""PyTorch, call by call and compiled; on "cpu" too, for tests.

Parameters are leaves made once, as those of a module are. In bfloat16 the loss runs under autocast, which is how
PyTorch multiplies float32 in it: its setting "medium" does not on CUDA devices.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np

from suite.gpu.case import GpuCase, Precision
from suite.gpu.library import Call, by_clock
from suite.libraries import functions, hessians

__all__ = ["Torch"]

torch: Any = import_module("torch")

_SETTINGS = {"float64": "highest", "float32": "highest", "tf32": "high", "bfloat16": "medium"}


class Torch:
    """`mode` is that of `torch.compile`; with none, operations run one by one."""

    def __init__(self, device: str, *, peer: str = "PyTorch", mode: str = "") -> None:
        if device == "cuda" and not torch.cuda.is_available():
            raise RuntimeError(f"PyTorch {torch.__version__} finds no CUDA device")
        self._device, self._peer, self._mode = device, peer, mode
        self._before = 0

    def put(self, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
        return {name: torch.from_numpy(array).to(self._device) for name, array in arrays.items()}

    def _compiled(self, function: Any) -> Any:
        return torch.compile(function, mode=self._mode, dynamic=False) if self._mode else function

    def step(self, case: GpuCase, arrays: Mapping[str, Any], precision: Precision) -> Call:
        torch.set_float32_matmul_precision(_SETTINGS[precision])
        torch.backends.cudnn.allow_tf32 = precision not in ("float32", "float64")
        torch.backends.cudnn.benchmark = True
        lib, loss = functions("PyTorch"), case.losses[self._peer]
        if case.hessian:
            second = self._compiled(hessians(loss, case.wrt[0])["PyTorch"]())
            return lambda: second(arrays)
        leaves = {key: arrays[key].detach().requires_grad_() for key in case.wrt}
        given = {**arrays, **leaves}
        graphs = self._mode == "reduce-overhead"
        if graphs:
            for one in given.values():
                torch._dynamo.mark_static_address(one)
        forward = self._compiled(lambda a: loss(lib, a))
        cast = torch.autocast(self._device, torch.bfloat16) if precision == "bfloat16" else contextlib.nullcontext()

        def call() -> dict[str, Any]:
            if graphs:
                torch.compiler.cudagraph_mark_step_begin()
            with cast:
                value = forward(given)
            slopes = torch.autograd.grad(value, list(leaves.values()))
            return {"value": value.detach(), **dict(zip(leaves, slopes, strict=True))}

        return call

    def settle(self, results: Any) -> None:
        if self._device == "cuda":
            torch.cuda.synchronize()

    def host(self, value: Any) -> np.ndarray:
        found: np.ndarray = value.detach().to("cpu", torch.float64).numpy()
        return found

    def elapsed(self, call: Call, times: int) -> tuple[float, float]:
        if self._device != "cuda":
            return by_clock(call, times, self.settle)
        first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        began = time.perf_counter()
        first.record()
        for _ in range(times):
            call()
        last.record()
        self.settle(None)
        return first.elapsed_time(last) / 1e3, time.perf_counter() - began

    def forget(self) -> None:
        torch.compiler.reset()
        if self._device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            self._before = torch.cuda.memory_allocated()

    def peak(self) -> int:
        return torch.cuda.max_memory_allocated() - self._before if self._device == "cuda" else 0

    def flops(self) -> float | None:
        return None

    def replay(self, call: Call) -> Call | None:
        return None

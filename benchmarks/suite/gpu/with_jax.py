"""JAX, jitted; on "cpu" too, for tests. It has no events: a queue of calls is timed by the host's clock."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np

from suite.gpu.case import GpuCase, Precision
from suite.gpu.library import Call, by_clock
from suite.libraries import hessians, value_and_gradients

__all__ = ["Jax"]

jax: Any = import_module("jax")

_PRECISIONS = {"float64": "highest", "float32": "highest", "tf32": "tensorfloat32", "bfloat16": "BF16_BF16_F32"}
"""For `jax_default_matmul_precision`. Its "bfloat16" is that of TPUs: on a GPU it asks for the default, TF32."""


class Jax:
    def __init__(self, device: str) -> None:
        self._device = jax.devices("cpu" if device == "cpu" else "gpu")[0]
        self._before = 0

    def put(self, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
        jax.config.update("jax_enable_x64", True)
        return {name: jax.device_put(array, self._device) for name, array in arrays.items()}

    def step(self, case: GpuCase, arrays: Mapping[str, Any], precision: Precision) -> Call:
        jax.config.update("jax_default_matmul_precision", _PRECISIONS[precision])
        loss = case.losses["JAX"]
        made = hessians(loss, case.wrt[0]) if case.hessian else value_and_gradients(loss, case.wrt)
        step = made["JAX"]()
        return lambda: step(arrays)

    def settle(self, results: Any) -> None:
        jax.block_until_ready(results)

    def host(self, value: Any) -> np.ndarray:
        return np.asarray(value)

    def elapsed(self, call: Call, times: int) -> tuple[float, float]:
        return by_clock(call, times, self.settle)

    def forget(self) -> None:
        jax.clear_caches()
        self._before = self._bytes("bytes_in_use")

    def peak(self) -> int:
        return max(0, self._bytes("peak_bytes_in_use") - self._before)

    def _bytes(self, which: str) -> int:
        return int((self._device.memory_stats() or {}).get(which, 0))

    def flops(self) -> float | None:
        return None

    def replay(self, call: Call) -> Call | None:
        return None

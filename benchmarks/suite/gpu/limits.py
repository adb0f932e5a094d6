"""What the device does at most: products of large matrices by cuBLAS, and copies."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np

from suite.gpu.case import DTYPES, Precision, Product
from suite.gpu.library import Call
from suite.gpu.session import said
from suite.gpu.with_cupy import ByHand, multiplied_in

__all__ = ["Limits"]

SIZE = 8192
COPIED = 2**30  # bytes


class Limits:
    """Measured over CuPy, in a process of its own; over NumPy at small sizes where the device is "cpu", for tests."""

    def __init__(self, device: str) -> None:
        self._over, self._small = ByHand(device), device == "cpu"

    def measure(self) -> dict[str, Any]:
        """Operations a second by precision, bytes read and written a second, and the device in words."""
        found: dict[str, Any] = {"device": "the host" if self._small else _described(self._over.xp), "notes": []}
        rates: dict[str, float] = {}
        for precision, dtype in DTYPES.items():
            try:
                rates[precision] = self._rate(precision, dtype)
            except Exception as error:
                found["notes"].append(f"no peak of {precision}: {said(error)}")
        return {**found, "rates": rates, "bytes": self._bytes()}

    def _rate(self, precision: Precision, dtype: str) -> float:
        n = 256 if self._small else SIZE
        rng = np.random.default_rng(0)
        drawn = {name: rng.standard_normal((n, n), np.float32).astype(dtype) for name in "AB"}
        given = self._over.put(drawn)
        product: Product = operator.matmul
        if not self._small:
            product = multiplied_in(self._over.xp, "tf32" if precision == "tf32" else "float32")
            if precision == "bfloat16":  # arrays that are so already, as nothing is to be converted
                half = import_module("ml_dtypes").bfloat16
                given = {name: array.astype(half) for name, array in given.items()}
        return 2.0 * n**3 / self._best(lambda: product(given["A"], given["B"]))

    def _bytes(self) -> float:
        xp, count = self._over.xp, (2**20 if self._small else COPIED) // 4
        source, copy = xp.ones(count, np.float32), xp.empty(count, np.float32)
        return 2 * 4 * count / self._best(lambda: xp.copyto(copy, source))

    def _best(self, call: Call) -> float:
        self._over.elapsed(call, 3)
        return min(self._over.elapsed(call, 5)[0] / 5 for _ in range(5))


def _described(cupy: Any) -> str:
    runtime = cupy.cuda.runtime
    properties: Mapping[str, Any] = runtime.getDeviceProperties(0)
    name = properties["name"].decode() if isinstance(properties["name"], bytes) else str(properties["name"])
    return (f"{name}, {properties['totalGlobalMem'] / 2**30:.0f} GiB, compute capability "
            f"{properties['major']}.{properties['minor']}, CUDA runtime {_version(runtime.runtimeGetVersion())}, "
            f"driver for CUDA {_version(runtime.driverGetVersion())}")  # fmt: skip


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"

"""What a peer's library does for a measurement, under one set of names."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from suite.gpu.case import GpuCase, Precision

__all__ = ["Call", "Library", "by_clock"]

Call = Callable[[], Any]


class Library(Protocol):
    """Arrays of a library on one device, steps of a case over them, and the clock that times them."""

    def put(self, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """The arrays on the device."""

    def step(self, case: GpuCase, arrays: Mapping[str, Any], precision: Precision) -> Call:
        """A call that computes the results of a case by name, of those arrays again and again."""

    def settle(self, results: Any) -> None:
        """Wait until the results are computed."""

    def host(self, value: Any) -> np.ndarray:
        """A result as an array of NumPy's."""

    def elapsed(self, call: Call, times: int) -> tuple[float, float]:
        """Seconds on the device's clock and on the host's from the first of some calls to the end of the last.

        Calls are queued: the host waits once, after the last of them.
        """

    def forget(self) -> None:
        """Give back memory and programs of what was checked, and count memory from here."""

    def peak(self) -> int:
        """The most bytes of the device that were in use since."""

    def flops(self) -> float | None:
        """The operations that the step at hand was planned with, where the peer counts them."""

    def replay(self, call: Call) -> Call | None:
        """A call that replays the kernels of another as one CUDA graph, where the peer is asked for it."""


def by_clock(call: Call, times: int, settle: Callable[[Any], None]) -> tuple[float, float]:
    """The host's clock in both places, for a device without one."""
    began = time.perf_counter()
    for _ in range(times - 1):
        call()
    settle(call())
    seconds = time.perf_counter() - began
    return seconds, seconds

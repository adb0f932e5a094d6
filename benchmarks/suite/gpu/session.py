"""What a peer's process does when it is told: check values, make the first call, time some calls."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from suite.gpu.case import TOLERANCES, GpuCase, Precision
from suite.gpu.library import Call, Library

__all__ = ["Session", "error_of", "said"]

BLOCKS = 5
WARM = 0.02  # seconds of calls before the blocks that count
MOST = 20_000  # calls of a block
SETTLING = 4  # calls after the first, in which graphs are recorded


@dataclass(slots=True)
class Session:
    """A peer and a case; with `small` it is timed at the small sizes, for tests."""

    case: GpuCase
    library: Library
    small: bool = False
    compiles: bool = False
    _call: Call | None = field(default=None, init=False)
    _replay: Call | None = field(default=None, init=False)

    def check(self) -> dict[str, Any]:
        """The error of every result at small sizes, in double precision and in that of the case.

        A peer that compiles for seconds is checked in double precision alone. Raises `ValueError` where results are
        off.
        """
        wanted = self.case.wanted()
        found = {"double": self._error(wanted, "float64")}
        if not self.compiles and self.case.precision != "float64":
            found["own"] = self._error(wanted, self.case.precision)
        return found

    def _error(self, wanted: Mapping[str, Any], precision: Precision) -> float:
        case = replace(self.case, sizes=self.case.small, precision=precision)
        call = self.library.step(case, self.library.put(case.drawn(case.dtype, small=True)), precision)
        results = call()
        self.library.settle(results)
        error = error_of({name: self.library.host(value) for name, value in results.items()}, wanted)
        if not error <= TOLERANCES[precision]:
            raise ValueError(f"results at small sizes in {precision} are off by {error:.1e}")
        return error

    def first(self) -> dict[str, Any]:
        """Seconds of the first call with all that it takes before it, bytes at the peak, and counted operations."""
        case = replace(self.case, sizes=self.case.small) if self.small else self.case
        arrays = self.library.put(case.drawn(case.dtype, small=self.small))
        self.library.settle(arrays)
        self.library.forget()
        began = time.perf_counter()
        call = self.library.step(case, arrays, case.precision)
        self.library.settle(call())
        found: dict[str, Any] = {"first": time.perf_counter() - began}
        for _ in range(SETTLING):
            self.library.settle(call())
        found["peak"] = self.library.peak()
        self._call = call
        try:
            found["flops"] = self.library.flops()
        except Exception as error:
            found["note"] = f"no count of operations: {said(error)}"
        if case.launch_bound:
            try:
                self._replay = self.library.replay(call)
            except Exception as error:
                found["note"] = f"no replay as one graph: {said(error)}"
        return found

    def time(self, seconds: float) -> dict[str, Any]:
        """Seconds of a call, by the device's clock and by the host's; those of the replay where there is one."""
        if self._call is None:
            raise RuntimeError("a first call comes before those that are timed")
        device, wall = self._medians(self._call, seconds)
        found: dict[str, Any] = {"device": device, "wall": wall}
        if self._replay is not None:
            found["replay"] = self._medians(self._replay, seconds)[1]
        return found

    def _medians(self, call: Call, seconds: float) -> tuple[float, float]:
        """Medians of blocks of queued calls."""
        once = self.library.elapsed(call, 1)[1]
        warm = _calls(WARM, once)
        once = self.library.elapsed(call, warm)[1] / warm
        calls = _calls(seconds / BLOCKS, once)
        blocks = [self.library.elapsed(call, calls) for _ in range(BLOCKS if once < seconds else 2)]
        device, wall = (statistics.median(one[k] for one in blocks) / calls for k in (0, 1))
        return device, wall


def _calls(seconds: float, once: float) -> int:
    """How many calls take about so long."""
    return min(MOST, max(1, int(seconds / max(once, 1e-7))))


def error_of(found: Mapping[str, np.ndarray], wanted: Mapping[str, Any]) -> float:
    """The largest error of an entry relative to the largest entry of its result."""
    if found.keys() != wanted.keys():
        raise ValueError(f"results {sorted(found)}, not {sorted(wanted)}")
    errors = []
    for name, value in wanted.items():
        right = np.asarray(value, np.float64)
        if found[name].shape != right.shape:
            raise ValueError(f"{name} has the shape {found[name].shape}, not {right.shape}")
        errors.append(float(np.abs(found[name] - right).max() / max(np.abs(right).max(), 1e-300)))
    return float(np.max(errors))  # NaN stays


def said(error: BaseException) -> str:
    """An exception in a line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}".rstrip(": ")[:160]

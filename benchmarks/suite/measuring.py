"""One measurement: a peer, a case, a process of its own.

`python cpu.py --worker ..` draws the arrays, makes the step, and prints as JSON what it took: the first call with all
that is done before it (declaring, deriving, compiling; importing not), a later call, and the memory beyond imports and
arrays.
"""

from __future__ import annotations

import contextlib
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from suite.libraries import ready, received
from suite.machine import environment
from suite.workload import Case, Workload

__all__ = ["Measurement", "measured", "work"]

BLOCKS = 7
TOO_SLOW = 60.0  # seconds of a call, after which it is not repeated


@dataclass(frozen=True, slots=True)
class Measurement:
    """Seconds of a call and of the first one, and bytes at the peak; or what went wrong."""

    call: float = 0.0
    first: float = 0.0
    peak: int = 0
    failure: str = ""


def work(workload: Workload, case: Case, peer: str, *, seconds: float, dtype: str = "", save: str = "") -> None:
    """What the process does: print the measurement; with `save`, keep the results for comparison instead."""
    arrays = received(peer, workload.drawn(case, dtype))
    _import(peer)
    _forget_peak()
    before = _peak()
    began = time.perf_counter()
    step = workload.peers[peer](**case.sizes)
    results = ready(peer, step(arrays))
    first = time.perf_counter() - began
    if save:
        np.savez(save, **{name: np.asarray(_plain(value)) for name, value in results.items()})
        return
    call = _seconds_a_call(lambda: ready(peer, step(arrays)), seconds)
    print(json.dumps({"call": call, "first": first, "peak": _peak() - before}))


def _import(peer: str) -> None:
    """What a program imports before it begins, so that it counts for no call."""
    if peer == "einback":
        import einback as eb

        eb.evaluate(eb.tensor("x[n]") + 1, x=np.ones(2))


def _forget_peak() -> None:
    """Drawing the arrays took memory that is free again; Linux counts the peak from here."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak() -> int:
    """The most bytes that the process has held. Linux also says it without what its parent held at the fork."""
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="ascii").splitlines() if status.exists() else []
    held = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    return 1024 * (held[0] if held else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _plain(value: Any) -> Any:
    return value.detach().numpy() if hasattr(value, "detach") else value


def _seconds_a_call(call: Any, seconds: float) -> float:
    """The median of blocks of calls that take some time together."""
    began = time.perf_counter()
    call()
    once = time.perf_counter() - began
    if once > TOO_SLOW:
        return once
    calls = max(1, int(seconds / BLOCKS / max(once, 1e-7)))
    blocks = []
    for _ in range(BLOCKS if once < seconds else 3):
        began = time.perf_counter()
        for _ in range(calls):
            call()
        blocks.append((time.perf_counter() - began) / calls)
    return statistics.median(blocks)


def measured(script: Path, options: Sequence[str], limit: float) -> Measurement:
    """Run a worker, and read what it says."""
    command = [sys.executable, str(script), "--worker", *options]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=limit, env=environment())
    except subprocess.TimeoutExpired:
        return Measurement(failure=f"longer than {limit:.0f} s")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        return Measurement(failure=last[:120])
    return Measurement(**json.loads(done.stdout.splitlines()[-1])) if done.stdout.strip() else Measurement()

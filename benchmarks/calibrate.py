"""Measures the constants of the planner's cost model, `einback.plan.cost.Machine`, on this machine, with one thread.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/calibrate.py

Each figure is the best of several rounds. The model keeps rounded values of one machine, so that plans are the same
everywhere: run this to see how far off they are elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from timeit import Timer

import numpy as np

from einback.plan.cost import MACHINE

ROUNDS = 7


def seconds(statement: Callable[[], object]) -> float:
    """The time of one call, the best of several rounds of at least 0.02 s."""
    timer = Timer(statement)
    number = 1
    while timer.timeit(number) < 0.02:
        number *= 2
    return min(timer.repeat(ROUNDS, number)) / number


def measured() -> dict[str, float]:
    rng = np.random.default_rng(0)
    tiny, large = rng.normal(size=(2, 2)), rng.normal(size=(1024, 1024))
    batch = rng.normal(size=(1024, 2, 2))
    long = rng.normal(size=1 << 24)
    out_tiny, out_large, out_batch, out_long = (np.empty_like(a) for a in (tiny, large, batch, long))
    call = seconds(lambda: np.matmul(tiny, tiny, out=out_tiny))
    return {
        "call": call,
        "entry": (seconds(lambda: np.matmul(batch, batch, out=out_batch)) - call) / (len(batch) - 1),
        "flops": 2 * 1024**3 / seconds(lambda: np.matmul(large, large, out=out_large)),
        "bandwidth": long.nbytes / seconds(lambda: np.multiply(long, 2.0, out=out_long)),
    }


if __name__ == "__main__":
    print(f"{'constant':<12}{'measured':>12}{'in the model':>14}")
    for name, value in measured().items():
        print(f"{name:<12}{value:>12.2e}{getattr(MACHINE, name):>14.2e}")

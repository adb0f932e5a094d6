"""One training step of the digits network: the compiled program against NumPy written by hand.

    python benchmarks/digits_step.py [--rounds 15] [--calls 400] [--batch 64] [--hidden 128]

Every measurement is a process of its own; rounds alternate between the peers and change who goes first. A
process warms up, then times blocks of calls and reports the fastest block, the least disturbed one. The
table shows the median over rounds, and the ratio to the hand-written step. Before anything is timed the
peers' results are compared.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import einback as eb

PIXELS, CLASSES = 64, 10
BLOCKS = 7
Step = Callable[..., dict[str, Any]]


def by_hand(*, X: Any, Y: Any, W_1: Any, b_1: Any, W_2: Any, b_2: Any) -> dict[str, Any]:
    """What a careful person writes: nothing computed twice, softmax shifted, one matmul a product."""
    n = X.shape[0]
    hidden = np.maximum(X @ W_1 + b_1, 0)
    logits = hidden @ W_2 + b_2
    logits -= logits.max(axis=1, keepdims=True)
    exponentials = np.exp(logits)
    totals = exponentials.sum(axis=1, keepdims=True)
    loss = (np.log(totals[:, 0]) - (Y * logits).sum(axis=1)).sum() / n
    d_logits = exponentials / totals
    d_logits -= Y
    d_logits /= n
    d_hidden = d_logits @ W_2.T
    d_hidden *= hidden > 0
    return {
        "loss": loss,
        "W_1": X.T @ d_hidden,
        "b_1": d_hidden.sum(axis=0),
        "W_2": hidden.T @ d_logits,
        "b_2": d_logits.sum(axis=0),
    }


def compiled(hidden: int) -> Step:
    """The step that `examples/digits.py` trains with, its results in one dictionary."""
    X, Y = eb.tensors("X[n,d] Y[n,c]")
    dense = eb.layer("h[n,k] = relu(x[n,d] W[d,k] + b[k])")
    affine = eb.layer("z[n,c] = h[n,k] W[k,c] + b[c]")
    H = dense(X, name="1", k=hidden)
    Z = affine(H, name="2", c=CLASSES)
    loss = -eb.sum(Y * eb.log_softmax(Z, axis="c")) / X.size("n")
    parameters = {p.name: p for p in loss.parameters}
    return eb.compile({"loss": loss, **eb.grad(loss, parameters)})


def exported(hidden: int, arrays: dict[str, Any]) -> Step:
    """The function of the standalone file."""
    step = compiled(hidden)
    step(**arrays)
    namespace: dict[str, Any] = {}
    exec(compile(step.source(), "digits_step.py", "exec"), namespace)
    return namespace["step"]


def arrays_for(batch: int, hidden: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "X": rng.random((batch, PIXELS)),
        "Y": np.eye(CLASSES)[rng.integers(0, CLASSES, batch)],
        "W_1": rng.normal(size=(PIXELS, hidden)) / 8,
        "b_1": rng.normal(size=hidden) / 8,
        "W_2": rng.normal(size=(hidden, CLASSES)) / 8,
        "b_2": rng.normal(size=CLASSES) / 8,
    }


def peers(batch: int, hidden: int) -> dict[str, Callable[[], Step]]:
    return {
        "NumPy by hand": lambda: by_hand,
        "einback, compiled": lambda: compiled(hidden),
        "einback, exported file": lambda: exported(hidden, arrays_for(batch, hidden)),
    }


def measure(peer: str, calls: int, batch: int, hidden: int) -> float:
    """Seconds a call, of the fastest block."""
    step, arrays = peers(batch, hidden)[peer](), arrays_for(batch, hidden)
    for _ in range(calls // 4 + 1):
        step(**arrays)
    blocks = []
    for _ in range(BLOCKS):
        began = time.perf_counter()
        for _ in range(calls):
            step(**arrays)
        blocks.append((time.perf_counter() - began) / calls)
    return min(blocks)


def assert_agreement(batch: int, hidden: int) -> float:
    """The largest difference between any peer's results and the hand-written ones, relative to the largest entry."""
    arrays = arrays_for(batch, hidden)
    wanted, worst = by_hand(**arrays), 0.0
    for peer, make in peers(batch, hidden).items():
        found = make()(**arrays)
        for name, value in wanted.items():
            error = float(np.abs(found[name] - value).max() / np.abs(value).max())
            if not error < 1e-12:
                sys.exit(f"{peer}: {name} is off by {error:.1e}")
            worst = max(worst, error)
    return worst


def in_a_process(peer: str, chosen: argparse.Namespace) -> float:
    command = [sys.executable, __file__, "--peer", peer]
    for name in ("calls", "batch", "hidden"):
        command += [f"--{name}", str(getattr(chosen, name))]
    return float(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=400, help="calls in a block")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--peer", help=argparse.SUPPRESS)  # set in the processes that this one starts
    return parser.parse_args()


def main() -> None:
    chosen = options()
    if chosen.peer:
        print(json.dumps(measure(chosen.peer, chosen.calls, chosen.batch, chosen.hidden)))
        return
    worst = assert_agreement(chosen.batch, chosen.hidden)
    seconds: dict[str, list[float]] = {peer: [] for peer in peers(chosen.batch, chosen.hidden)}
    for k in range(chosen.rounds):
        for peer in list(seconds)[:: 1 if k % 2 else -1]:
            seconds[peer].append(in_a_process(peer, chosen))
    reference = seconds["NumPy by hand"]
    print(f"digits step, batch {chosen.batch}, 64-{chosen.hidden}-10, float64; results agree to {worst:.0e}")
    print(f"{'peer':24}{'median µs':>10}{'spread µs':>16}{'ratio':>8}")
    for peer, times in seconds.items():
        ratio = statistics.median(a / b for a, b in zip(times, reference, strict=True))
        spread = f"{min(times) * 1e6:.1f}..{max(times) * 1e6:.1f}"
        print(f"{peer:24}{statistics.median(times) * 1e6:>10.1f}{spread:>16}{ratio:>8.2f}")


if __name__ == "__main__":
    main()

"""Time and memory against size for three workloads, with what the machine allows: one command, a table, a plot.

    python benchmarks/growth.py [--peers einback JAX ..] [--sizes 6] [--rounds 2] [--output FOLDER]

The limits are measured in the same run: no program multiplies faster than BLAS multiplies two large matrices, none
reads its arrays and writes its results faster than NumPy copies a large array, and none takes less memory than its
results.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from suite.machine import described, environment
from suite.measuring import Measurement, measured, work
from suite.report import OURS, Row
from suite.workload import Case, Workload
from workloads import attention, layer_norm, logistic

PEERS = {OURS: "einback", "NumPy": "numpy", "JAX": "jax", "PyTorch": "torch"}
LIMIT = 300.0  # seconds of one process


@dataclass(frozen=True, slots=True)
class Growth:
    """A workload at many sizes: `along` is what grows, `flops` counts those of matrix products, by the sizes."""

    workload: Workload
    along: str
    flops: Callable[[Mapping[str, int]], float]

    def results(self, case: Case) -> int:
        """The bytes of the results."""
        step = self.workload.peers["NumPy"](**case.sizes)
        made = step(self.workload.drawn(case)).values()
        return sum(np.asarray(one).nbytes for one in made)

    def arrays(self, case: Case) -> int:
        return sum(one.nbytes for one in self.workload.drawn(case).values())


def grown(workload: Workload, sizes: Sequence[Mapping[str, int]]) -> Workload:
    return replace(workload, cases=tuple(Case(one, 1) for one in sizes))


GROWTHS = (
    Growth(
        grown(logistic.HESSIAN, [{"n": n} for n in (62, 125, 250, 500, 1000, 2000)]),
        "n",
        lambda sizes: 2 * sizes["n"] ** 3,  # of 2 n rows, half of X'DX
    ),
    Growth(
        grown(
            attention.PLAIN, [{"batch": 4, "heads": 8, "time": t, "depth": 64} for t in (32, 64, 128, 256, 512, 1024)]
        ),
        "time",
        lambda sizes: 5 * 2 * sizes["batch"] * sizes["heads"] * sizes["time"] ** 2 * sizes["depth"],
    ),
    Growth(
        grown(layer_norm.GRADIENTS, [{"rows": rows, "width": 1024} for rows in (64, 256, 1024, 4096, 16384)]),
        "rows",
        lambda sizes: 0.0,
    ),
)


def limits(dtype: str) -> dict[str, float]:
    """What the machine does at most: flops a second in a product of matrices, bytes a second in a copy."""
    a = np.ones((2048, 2048), dtype)
    out = np.empty_like(a)
    source, copy = np.ones(1 << 25), np.empty(1 << 25)
    times: dict[str, list[float]] = {"flops": [], "bytes": []}
    for _ in range(7):
        for name, call in (("flops", lambda: a.dot(a, out)), ("bytes", lambda: np.copyto(copy, source))):
            began = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - began)
    return {"flops": 2 * 2048**3 / min(times["flops"]), "bytes": 2 * source.nbytes / min(times["bytes"])}


def measured_limits(dtype: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--limits", dtype]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment())
    found: dict[str, float] = json.loads(done.stdout)
    return found


def least(growth: Growth, case: Case, machine: Mapping[str, float]) -> tuple[float, float]:
    """Seconds that multiplying takes at least, and seconds that reading the arrays and writing the results takes."""
    moved = growth.arrays(case) + growth.results(case)
    return growth.flops(case.sizes) / machine["flops"], moved / machine["bytes"]


def run(growth: Growth, number: int, peers: Sequence[str], rounds: int, seconds: float) -> Row:
    workload, case = growth.workload, growth.workload.cases[number]
    found: dict[str, list[Measurement]] = {peer: [] for peer in peers}
    for k in range(rounds):
        for peer in [*peers[k % len(peers) :], *peers[: k % len(peers)]]:
            options = [workload.letter, str(number), peer, "--seconds", str(seconds)]
            found[peer].append(measured(Path(__file__), options, LIMIT))
    row = Row(workload, case, found, {})
    print(f"({workload.letter}) {case.title}: {row.call(OURS) * 1e3:.3g} ms", file=sys.stderr, flush=True)
    return row


def table(growth: Growth, rows: Sequence[Row], peers: Sequence[str], machine: Mapping[str, float]) -> str:
    names = [growth.along, *(f"{peer}, ms" for peer in peers), "BLAS, ms", "memory, ms", "einback over the limit",
             *(f"{peer}, MB" for peer in peers), "results, MB"]  # fmt: skip
    lines = [f"({growth.workload.letter}) {growth.workload.title}, {growth.workload.dtype}: at most "
             f"{machine['flops'] / 1e9:.0f} Gflop/s and {machine['bytes'] / 1e9:.0f} GB/s", "",
             f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}"]  # fmt: skip
    for row in rows:
        blas, memory = least(growth, row.case, machine)
        cells = [f"{row.case.sizes[growth.along]:,}", *(f"{row.call(peer) * 1e3:.3g}" for peer in peers),
                 f"{blas * 1e3:.3g}", f"{memory * 1e3:.3g}", f"{row.call(OURS) / max(blas, memory):.2f}",
                 *("" if math.isnan(row.call(peer)) else f"{row.peak(peer) / 1e6:.1f}" for peer in peers),
                 f"{growth.results(row.case) / 1e6:.1f}"]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def plot(found: Sequence[tuple[Growth, Sequence[Row], Mapping[str, float]]], peers: Sequence[str], path: Path) -> None:
    """A column a workload: seconds above, bytes below, each peer a line, the limits grey."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(found), figsize=(3.7 * len(found), 6.4), layout="constrained", squeeze=False)
    styles = dict(zip(peers, ["o-", "s-", "^-", "D-"], strict=False))
    for column, (growth, rows, machine) in enumerate(found):
        upper, lower = axes[:, column]
        sizes = [row.case.sizes[growth.along] for row in rows]
        for peer in peers:
            width = 2.0 if peer == OURS else 1.0
            upper.plot(sizes, [row.call(peer) for row in rows], styles[peer], label=peer, markersize=4, linewidth=width)
            peaks = [math.nan if math.isnan(row.call(peer)) or row.peak(peer) < 1e6 else row.peak(peer) for row in rows]
            lower.plot(sizes, peaks, styles[peer], markersize=4, linewidth=width)
        bounds = [least(growth, row.case, machine) for row in rows]
        if any(blas for blas, _ in bounds):
            upper.plot(sizes, [blas for blas, _ in bounds], "--", color="0.4", label="limit: BLAS")
        upper.plot(sizes, [memory for _, memory in bounds], ":", color="0.4", label="limit: memory")
        results = [growth.results(row.case) for row in rows]
        lower.plot(sizes, results, ":", color="0.4", label="the results alone")
        upper.set_title(f"({growth.workload.letter}) {growth.workload.title}", fontsize=9)
        lower.set_xlabel(growth.along)
        for axis in (upper, lower):
            axis.set_xscale("log", base=2)
            axis.set_yscale("log")
            axis.set_xticks(sizes, [f"{size:,}" for size in sizes], fontsize=7, rotation=45)
            axis.minorticks_off()
            axis.legend(frameon=False, fontsize=7)
    axes[0, 0].set_ylabel("seconds a call")
    axes[1, 0].set_ylabel("bytes at the peak, beyond imports and arrays")
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--sizes", type=int, default=None, help="only so many, the smallest")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=0.3, help="about how long the calls of one process take")
    parser.add_argument("--output", type=Path, help="a folder for growth.md and growth.png")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)  # letter, case, peer
    parser.add_argument("--limits", help=argparse.SUPPRESS)  # dtype
    chosen = parser.parse_args()
    if chosen.limits:
        print(json.dumps(limits(chosen.limits)))
        return
    if chosen.worker:
        letter, number, peer = chosen.worker
        workload = next(one.workload for one in GROWTHS if one.workload.letter == letter)
        work(workload, workload.cases[int(number)], peer, seconds=chosen.seconds)
        return
    peers = [peer for peer in chosen.peers if importlib.util.find_spec(PEERS[peer])]
    found, texts = [], [described()]
    for growth in GROWTHS:
        machine = measured_limits(growth.workload.dtype)
        cases = range(len(growth.workload.cases[: chosen.sizes]))
        rows = [run(growth, k, peers, chosen.rounds, chosen.seconds) for k in cases]
        found.append((growth, rows, machine))
        texts.append(table(growth, rows, peers, machine))
    print("\n\n".join(texts))
    if chosen.output:
        chosen.output.mkdir(parents=True, exist_ok=True)
        (chosen.output / "growth.md").write_text("\n\n".join(texts), encoding="utf-8")
        plot(found, peers, chosen.output / "growth.png")


if __name__ == "__main__":
    main()

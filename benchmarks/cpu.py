"""einback against NumPy written by hand, JAX, PyTorch and autograd on the CPU: one command, a table and a plot.

    python benchmarks/cpu.py [--only a b ..] [--peers einback JAX ..] [--rounds 3] [--seconds 0.7] [--output FOLDER]

Every measurement is a process of its own. In a round each peer of a case runs once, and the order turns from round to
round; the table has medians over rounds. Before a case is timed, the results of all its peers are compared with those
of the NumPy code in double precision. A peer that is not installed is left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from suite.machine import described
from suite.measuring import Measurement, measured, work
from suite.report import BY_HAND, OURS, Row, plot, relative, table
from suite.workload import Case, Workload
from workloads import WORKLOADS

PEERS = {OURS: "einback", BY_HAND: "numpy", "JAX": "jax", "PyTorch": "torch", "torch.compile": "torch",
         "autograd": "autograd"}  # fmt: skip
LIMIT = 300.0  # seconds of one process


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="LETTER", help="workloads by their letters, a case as a1")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.7, help="about how long the calls of one process take")
    parser.add_argument("--output", type=Path, help="a folder for table.md and plot.png")
    parser.add_argument("--worker", nargs=5, help=argparse.SUPPRESS)  # letter, case, peer, dtype, file
    return parser.parse_args()


def compared(workload: Workload, number: int, peers: Sequence[str], seconds: float) -> dict[str, float | str]:
    """The largest error of each peer relative to the largest entry of a result; or why there is none."""
    found: dict[str, float | str] = {}
    with tempfile.TemporaryDirectory() as folder:

        def results(peer: str, dtype: str) -> dict[str, np.ndarray] | str:
            path = Path(folder) / f"{peer}-{dtype}.npz"
            said = measured(Path(__file__), [workload.letter, str(number), peer, dtype, str(path)], LIMIT)
            return said.failure or dict(np.load(path))

        wanted = results(BY_HAND, "float64")
        if isinstance(wanted, str):
            sys.exit(f"({workload.letter}) {BY_HAND}: {wanted}")
        for peer in peers:
            got = results(peer, workload.dtype)
            if isinstance(got, str):
                found[peer] = got
                continue
            if got.keys() != wanted.keys():
                sys.exit(f"({workload.letter}) {peer} gives {sorted(got)}, not {sorted(wanted)}")
            found[peer] = max(
                float(np.abs(got[key] - w).max() / max(np.abs(w).max(), 1e-300)) for key, w in wanted.items()
            )
            if not found[peer] <= workload.tolerance:
                sys.exit(f"({workload.letter}) {peer} is off by {found[peer]:.1e}")
    return found


def run(workload: Workload, number: int, case: Case, chosen: argparse.Namespace) -> Row:
    peers = [peer for peer in chosen.peers if peer in workload.peers and importlib.util.find_spec(PEERS[peer])]
    checks = compared(workload, number, peers, chosen.seconds)
    rounds: dict[str, list[Measurement]] = {
        peer: [Measurement(failure=said)] if isinstance(said := checks[peer], str) else [] for peer in peers
    }
    running = [peer for peer in peers if not rounds[peer]]
    for k in range(chosen.rounds):
        for peer in running[k % len(running) :] + running[: k % len(running)]:
            arguments = [workload.letter, str(number), peer, workload.dtype, "-"]
            extra = ["--seconds", str(chosen.seconds)]
            rounds[peer].append(measured(Path(__file__), [*arguments, *extra], LIMIT))
    errors = {peer: error for peer, error in checks.items() if not isinstance(error, str)}
    row = Row(workload, case, rounds, errors)
    times = ", ".join(f"{peer} {row.call(peer) * 1e3:.3g}" for peer in running)
    print(f"({workload.letter}) {workload.title}, {case.title}: {times} ms", file=sys.stderr, flush=True)
    return row


def main() -> None:
    chosen = options()
    if chosen.worker:
        letter, number, peer, dtype, path = chosen.worker
        workload = next(one for one in WORKLOADS if one.letter == letter)
        save = "" if path == "-" else path
        work(workload, workload.cases[int(number)], peer, seconds=chosen.seconds, dtype=dtype, save=save)
        return
    wanted = [(workload, k, case) for workload in WORKLOADS for k, case in enumerate(workload.cases)
              if not chosen.only or {workload.letter, f"{workload.letter}{k + 1}"} & {*chosen.only}]  # fmt: skip
    rows = [run(workload, k, case, chosen) for workload, k, case in wanted]
    text = f"{described()}\n\n{table(rows, chosen.peers)}"
    print(text)
    if chosen.output:
        chosen.output.mkdir(parents=True, exist_ok=True)
        (chosen.output / "table.md").write_text(text, encoding="utf-8")
        raw = [{"letter": row.workload.letter, "case": row.case.title, "calls": {peer: [one.call for one in ones]
               for peer, ones in row.rounds.items()}} for row in rows]  # fmt: skip
        (chosen.output / "rounds.json").write_text(json.dumps(raw, indent=1), encoding="utf-8")
        plot(relative(rows, chosen.peers), chosen.peers, chosen.output / "plot.png")


if __name__ == "__main__":
    main()

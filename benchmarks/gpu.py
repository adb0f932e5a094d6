"""einback on a GPU against PyTorch, JAX and CuPy written by hand: one command, a table, data and a plot.

    python benchmarks/gpu.py [--only mlp-tf32 tiny ..] [--peers einback JAX ..] [--budget 450] [--output FOLDER]

It needs an NVIDIA GPU and CuPy; other peers that are missing or fail get a line that says why. Every peer of a case is
a process of its own. Before a case is timed, the results of all its peers at small sizes are compared with those of
NumPy in double precision; then peers take turns, and the tables have medians over rounds. Cases that the budget does
not reach are skipped and named. The rates of large products and of copies are measured in the same run.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from suite.gpu.case import GpuCase
from suite.gpu.driver import Budget, Chosen, Team, run
from suite.gpu.limits import Limits
from suite.gpu.peers import PEERS, missing, of_case
from suite.gpu.process import Worker, serve
from suite.gpu.report import Row, as_data, relative, table
from suite.gpu.session import Session, said
from suite.machine import described, environment
from suite.report import plot
from workloads.gpu import CASES

NO_DEVICE = 2  # the exit status


def made_folder(path: str) -> Path:
    """A folder, made before anything is measured."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot make the folder {path!r}: {error.strerror}") from None
    return Path(path)


def options(given: Sequence[str] | None = None) -> argparse.Namespace:
    names = [case.name for case in CASES]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="CASE", choices=names, help=f"of {', '.join(names)}")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.25, help="about how long a peer is timed in a round")
    parser.add_argument("--budget", type=float, default=450, help="seconds that the whole run may take")
    parser.add_argument("--limit", type=float, default=100, help="seconds after which a process is given up")
    parser.add_argument("--output", type=made_folder, help="a folder for gpu.md, gpu.json and gpu.png")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help=argparse.SUPPRESS)  # cpu: for tests
    parser.add_argument("--small", action="store_true", help=argparse.SUPPRESS)  # small sizes are timed: for tests
    parser.add_argument("--worker", help=argparse.SUPPRESS)  # a case, or "limits"
    parser.add_argument("--peer", choices=PEERS, help=argparse.SUPPRESS)
    return parser.parse_args(given)


def no_device() -> str:
    """Why nothing can be measured here."""
    if not importlib.util.find_spec("cupy"):
        return 'CuPy is not installed: pip install "einback[cuda13]", or cuda12'
    try:
        import_module("cupy").cuda.runtime.getDeviceCount()
    except Exception as error:  # a driver that is missing or too old, a library that does not load
        return f"CuPy finds no device: {error}"
    return ""


def worker(chosen: argparse.Namespace) -> None:
    if chosen.worker == "limits":
        serve(partial(Limits, chosen.device))
        return
    case, peer = next(one for one in CASES if one.name == chosen.worker), PEERS[chosen.peer]
    serve(lambda: Session(case, peer.make(chosen.device), small=chosen.small, compiles=peer.compiles))


def started(chosen: argparse.Namespace, caches: Path, name: str, peer: str = "") -> Worker:
    """A process for a peer of a case. What its library compiles is kept in folders of this run, one a peer."""
    folder = caches / (peer or name).replace(" ", "-")
    command = [sys.executable, __file__, "--worker", name, "--device", chosen.device]
    command += ["--peer", peer] if peer else []
    command += ["--small"] if chosen.small else []
    settings = {
        "CUPY_CACHE_DIR": folder / "cupy",
        "TORCHINDUCTOR_CACHE_DIR": folder / "inductor",
        "TRITON_CACHE_DIR": folder / "triton",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # the peers of a case share the device's memory
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    return Worker(command, environment() | {key: str(value) for key, value in settings.items()})


def team(case: GpuCase, chosen: argparse.Namespace, caches: Path) -> Team:
    peers = of_case(case, tuple(chosen.peers))
    return {peer: missing(peer, chosen.device) or started(chosen, caches, case.name, peer) for peer in peers}


def limits(chosen: argparse.Namespace, caches: Path) -> dict[str, Any]:
    """The rates of the device, or why they are not known."""
    told = started(chosen, caches, "limits")
    try:
        told.reply(chosen.limit)
        told.tell({"do": "measure"})
        found = told.reply(chosen.limit)
    finally:
        told.close()
    return {"notes": [f"the limits of the device: {found['failure']}"]} if "failure" in found else found


def driver() -> str:
    """The driver's version, as nvidia-smi says it."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return ""
    return f", driver {done.stdout.split()[0]}" if done.stdout.strip() else ""


def header(found: dict[str, Any]) -> str:
    packages = {one.metadata["Name"] for one in metadata.distributions()}
    more = sorted(name for name in packages if name and name.startswith(("cupy", "triton", "jaxlib")))
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in more)
    return f"{found.get('device', 'an unknown device')}{driver()}; {described()}{f', {versions}' if versions else ''}"


def kept(folder: Path, text: str, data: dict[str, Any], rows: Sequence[Row], peers: Sequence[str]) -> str:
    """Write the files of a run; what is said about the plot."""
    (folder / "gpu.md").write_text(text, encoding="utf-8")
    (folder / "gpu.json").write_text(json.dumps(data, indent=1, allow_nan=False), encoding="utf-8")
    times = relative(rows, peers)
    if not times:
        return "no plot: einback has no times"
    if not importlib.util.find_spec("matplotlib"):
        return "no plot: matplotlib is not installed"
    try:
        plot(times, peers, folder / "gpu.png", unit="the faster of einback's two")
    except Exception as error:
        return f"no plot: {said(error)}"
    return ""


def main(given: Sequence[str] | None = None) -> int:
    chosen = options(given)
    if chosen.worker:
        worker(chosen)
        return 0
    if chosen.device == "cuda" and (reason := no_device()):
        print(f"benchmarks/gpu.py needs an NVIDIA GPU: {reason}", file=sys.stderr)
        return NO_DEVICE
    budget = Budget(chosen.budget)

    def say(text: str) -> None:
        print(f"[{budget.spent:4.0f} s] {text}", file=sys.stderr, flush=True)

    os.environ.setdefault("MPLBACKEND", "Agg")
    cases = [case for case in CASES if not chosen.only or case.name in chosen.only]
    with tempfile.TemporaryDirectory() as folder:
        found = limits(chosen, Path(folder))
        say(
            ", ".join(f"{name} {rate / 1e12:.3g} Tflop/s" for name, rate in found.get("rates", {}).items())
            or "no rates"
        )
        how = Chosen(chosen.rounds, chosen.seconds, chosen.limit)
        rows, skipped = run(cases, lambda case: team(case, chosen, Path(folder)), how, budget, say)
    text = f"{header(found)}\n\n{table(rows, chosen.peers, found, skipped)}"
    print(text, end="")
    if chosen.output:
        data = as_data(rows, header(found), found, skipped)
        if why := kept(chosen.output, text, data, rows, chosen.peers):
            say(why)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Second derivatives as structure: what the factors of a Hessian take, and what a Laplacian costs.

    python benchmarks/second_order.py [--size 5000] [--rank 5] [--rounds 7]

The Hessian in U of sum (O * (T - U V'))^2, the loss of a factorisation with unobserved entries, is
2 delta[m,m'] O[m,n]^2 V[n,k] V[n,k']: bytes of its factors against a dense array's, and the time of a call against its
one unavoidable contraction, O^2 times the products of columns of V, done by NumPy with O^2 ready. Every measurement is
a process of its own, and rounds alternate between the peers.

The Laplacian of f(x) = sum a[k] tanh(W[k,i] x[i]) is the trace of a Hessian. Its flops, from the plan, are shown for
growing widths n together with flops / n^2.
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

WIDTHS = (50, 100, 200, 400, 800)
CALLS = 5


def factorisation() -> tuple[eb.Tensor, Any]:
    """The Hessian, and the function that gives it as factors."""
    O, T, U, V = eb.tensors("O[m,n] T[m,n] U[m,k] V[n,k]")
    H = eb.hessian(eb.sum((O * (T - U @ V.T)) ** 2), U)
    return H, eb.compile(H, structured=True)


def arrays_for(size: int, rank: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "O": (rng.random((size, size)) < 0.3).astype(float),
        "T": rng.normal(size=(size, size)),
        "U": rng.normal(size=(size, rank)),
        "V": rng.normal(size=(size, rank)),
    }


def peer_call(peer: str, size: int, rank: int) -> Callable[[], Any]:
    arrays = arrays_for(size, rank)
    if peer == "structured Hessian":
        _, compiled = factorisation()
        return lambda: compiled(**arrays)
    squares = arrays["O"] ** 2
    products = (arrays["V"][:, :, None] * arrays["V"][:, None, :]).reshape(size, rank * rank)
    return lambda: squares @ products


def measure(peer: str, size: int, rank: int) -> float:
    """Seconds of the fastest call."""
    call = peer_call(peer, size, rank)
    call()
    times = []
    for _ in range(CALLS):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return min(times)


def in_a_process(peer: str, chosen: argparse.Namespace) -> float:
    command = [sys.executable, __file__, "--peer", peer, "--size", str(chosen.size), "--rank", str(chosen.rank)]
    return float(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def laplacian_flops(width: int) -> int:
    a, W, x = eb.tensors("a[k] W[k,i] x[i]")
    f = a @ eb.tanh(W @ x)
    laplacian = eb.compile(eb.einsum("ii->", eb.hessian(f, x)))
    arrays = {"a": np.ones(width), "W": np.ones((width, width)), "x": np.ones(width)}
    return laplacian.plan(arrays).flops


def check_small() -> None:
    """The factors against the dense Hessian, and the Laplacian against its trace, on a small case."""
    H, compiled = factorisation()
    arrays = arrays_for(30, 3)
    if not np.allclose(compiled(**arrays).dense(), eb.evaluate(H, **arrays)):
        sys.exit("the factors disagree with the dense Hessian")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=5000)
    parser.add_argument("--rank", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peer", help=argparse.SUPPRESS)  # set in the processes that this one starts
    chosen = parser.parse_args()
    if chosen.peer:
        print(json.dumps(measure(chosen.peer, chosen.size, chosen.rank)))
        return
    check_small()
    H, compiled = factorisation()
    print(H)
    found = compiled(**arrays_for(chosen.size, chosen.rank))
    dense = 8 * (chosen.size * chosen.rank) ** 2
    print(f"n = {chosen.size}, k = {chosen.rank}: {found.nbytes:,} bytes of factors, a dense array takes {dense:,}")

    seconds: dict[str, list[float]] = {"structured Hessian": [], "its contraction alone": []}
    for k in range(chosen.rounds):
        for peer in list(seconds)[:: 1 if k % 2 else -1]:
            seconds[peer].append(in_a_process(peer, chosen))
    call, alone = seconds.values()
    for peer, times in seconds.items():
        print(f"{peer:24}{statistics.median(times) * 1e3:>8.1f} ms")
    print(f"ratio, median of rounds {statistics.median(a / b for a, b in zip(call, alone, strict=True)):>8.2f}\n")

    print("Laplacian of a two-layer tanh network of width n")
    for width in WIDTHS:
        flops = laplacian_flops(width)
        print(f"n = {width:4}{flops:>12,} flops{flops / width**2:>8.2f} n^2")


if __name__ == "__main__":
    main()

"""How long declaring, deriving, simplifying, compiling and printing a deep network takes.

    python benchmarks/derive.py [--layers 50 100 200]

Deriving a network twice as deep should take twice as long: the last column is seconds per layer against the
first row's.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import einback as eb

WIDTH = 16


def network(layers: int) -> tuple[eb.Tensor, dict[str, eb.Tensor]]:
    """The mean squared output of `layers` tanh layers, and all parameters."""
    H = eb.tensor("X[n,d]")
    dense = eb.layer("h[n,k] = tanh(x[n,d] W[d,k] + b[k])")
    parameters: dict[str, eb.Tensor] = {}
    for k in range(layers):
        H = dense(H, name=str(k + 1), k=WIDTH)
        parameters.update((p.name, p) for p in H.parameters)
    return eb.mean(H * H), parameters


def measure(layers: int, rounds: int) -> dict[str, float]:
    """The fastest of some rounds, each stage on its own."""
    best: dict[str, float] = {}
    for _ in range(rounds):
        clock = [time.perf_counter()]
        loss, parameters = network(layers)
        clock.append(time.perf_counter())
        grads = eb.grad(loss, parameters)
        clock.append(time.perf_counter())
        step = eb.compile({"loss": loss, "grads": grads})
        arrays = {name: np.zeros([WIDTH for _ in p.shape]) for name, p in parameters.items()}
        step(X=np.ones((4, WIDTH)), **arrays)
        clock.append(time.perf_counter())
        str(grads["W_1"])
        clock.append(time.perf_counter())
        for name, a, b in zip(("declare", "derive", "compile", "print"), clock, clock[1:], strict=False):
            best[name] = min(best.get(name, b - a), b - a)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    print(f"{'layers':>6}{'declare s':>11}{'derive s':>11}{'compile s':>11}{'print s':>11}{'derive/layer':>14}")
    first = 0.0
    for layers in chosen.layers:
        found = measure(layers, chosen.rounds)
        per_layer = found["derive"] / layers
        first = first or per_layer
        row = "".join(f"{found[stage]:>11.3f}" for stage in ("declare", "derive", "compile", "print"))
        print(f"{layers:>6}{row}{per_layer / first:>14.2f}")


if __name__ == "__main__":
    main()

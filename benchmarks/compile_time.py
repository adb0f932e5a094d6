"""How long a transformer takes from its declaration to its first result: the loss, and the gradients of all parameters.

    python benchmarks/compile_time.py [--blocks 1 2 4 8 12] [--rounds 3]

A block is layer normalisation, causal attention with several heads, layer normalisation, and an MLP with gelu; each
half is added to what it read. Before the blocks an embedding is gathered, after them stands softmax cross-entropy.
The columns share out the time between declaration and first result: simplify is what rewriting takes wherever it is
done, lower is everything from the plan to the source, first call is the rest of it: types, Python's own compiler,
and the arithmetic, which is small. A network twice as deep should take twice as long: the last column is the total
of a block.
"""

from __future__ import annotations

import argparse
import pkgutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np

import einback as eb

BATCH, LENGTH, CHARACTERS = 2, 16, 32
WIDTH, HEADS, INNER = 32, 4, 64

embed = eb.layer("h[b,t,d] = E[token[b,t],d] + P[t,d]")
centre = eb.layer("c[b,t,d] = x[b,t,d] - mean[e](x[b,t,e])")
normal = eb.layer("y[b,t,d] = c[b,t,d] g[d] / sqrt(mean[e](c[b,t,e]^2) + 1e-5) + s[d]")
project = eb.layer("p[b,h,t,e] = x[b,t,d] W[d,h,e]")
attention = eb.layer("A[b,h,q,k] = softmax[k](where(q >= k, Q[b,h,q,e] K[b,h,k,e] / sqrt(size(e)), -inf))")
join = eb.layer("z[b,q,d] = A[b,h,q,k] V[b,h,k,e] W[h,e,d]")
dense = eb.layer("h[b,t,m] = gelu(x[b,t,d] W[d,m] + c[m])")
affine = eb.layer("z[b,t,v] = x[b,t,m] W[m,v] + c[v]")
cross_entropy = eb.layer("loss = -L[b,t,next[b,t]] / (size(b) size(t))")

# Where the stages that the public calls hide begin: the module that calls a function, the function, its column.
INNER_STAGES = (
    ("einback.rules.simplify", "rewrite", "simplify"),
    ("einback.run.specialising", "make_plan", "plan"),
    ("einback.run.specialising", "lower", "lower"),
    ("einback.run.specialising", "write", "lower"),
)
COLUMNS = ("declare", "derive", "simplify", "plan", "lower", "first call")


def transformer(blocks: int) -> tuple[eb.Tensor, dict[str, eb.Tensor]]:
    """The loss of a causal transformer, and its parameters."""
    token, following = eb.tensor("token[b,t]", integer=True), eb.tensor("next[b,t]", integer=True)
    x = embed(token=token, d=WIDTH)
    for k in range(1, blocks + 1):
        y = normal(centre(x), name=f"a{k}")
        Q, K, V = (project(y, name=f"{part}{k}", h=HEADS, e=WIDTH // HEADS) for part in "qkv")
        x = x + join(attention(Q, K), V, name=f"o{k}", d=WIDTH)
        hidden = dense(normal(centre(x), name=f"m{k}"), name=f"m{k}", m=INNER)
        x = x + affine(hidden, name=f"n{k}", v=WIDTH)
    logits = affine(normal(centre(x), name="last"), name="last", v=CHARACTERS)
    loss = cross_entropy(L=eb.log_softmax(logits, axis=2), next=following)
    return loss, {p.name: p for p in loss.parameters}


def arrays_for(parameters: dict[str, eb.Tensor]) -> dict[str, np.ndarray]:
    """Small random parameters, and characters to read and to predict."""
    rng = np.random.default_rng(0)
    lengths = {"t": LENGTH}
    arrays = {
        name: rng.normal(scale=0.1, size=[lengths.get(s, CHARACTERS) if isinstance(s, str) else s for s in p.shape])
        for name, p in parameters.items()
    }
    return arrays | {name: rng.integers(CHARACTERS, size=(BATCH, LENGTH)) for name in ("token", "next")}


class Clock:
    """Seconds by column; what an inner stage takes is not counted for the call around it."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(COLUMNS, 0.0)

    def timed(self, column: str, call: Callable[[], Any]) -> Any:
        inner = sum(self.seconds.values())
        began = time.perf_counter()
        result = call()
        inside = sum(self.seconds.values()) - inner
        self.seconds[column] += time.perf_counter() - began - inside
        return result

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Count the inner stages."""
        with ExitStack() as stack:
            for module, name, column in INNER_STAGES:
                stack.enter_context(patch(f"{module}.{name}", self._watched(f"{module}.{name}", column)))
            yield

    def _watched(self, path: str, column: str) -> Callable[..., Any]:
        function = pkgutil.resolve_name(path)
        return lambda *args, **named: self.timed(column, lambda: function(*args, **named))


def measure(blocks: int) -> dict[str, float]:
    clock = Clock()
    with clock.watching():
        loss, parameters = clock.timed("declare", lambda: transformer(blocks))
        arrays = arrays_for(parameters)
        grads = clock.timed("derive", lambda: eb.grad(loss, parameters))
        step = clock.timed("derive", lambda: eb.compile({"loss": loss, "grads": grads}))
        clock.timed("first call", lambda: step(arrays))
    return clock.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, nargs="+", default=[1, 2, 4, 8, 12])
    parser.add_argument("--rounds", type=int, default=3, help="the fastest of some rounds is shown")
    chosen = parser.parse_args()
    measure(1)  # what is imported with the first program counts for none
    print("".join(f"{title:>11}" for title in ("blocks", *COLUMNS, "total s", "ms a block")))
    for blocks in chosen.blocks:
        found = min((measure(blocks) for _ in range(chosen.rounds)), key=lambda seconds: sum(seconds.values()))
        total = sum(found.values())
        row = "".join(f"{seconds:>11.3f}" for seconds in (*found.values(), total))
        print(f"{blocks:>11}{row}{1e3 * total / blocks:>11.1f}", flush=True)


if __name__ == "__main__":
    main()

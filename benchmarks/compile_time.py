"""How long a transformer takes from its declaration to its first result: the value and the gradients of all parameters.

    python benchmarks/compile_time.py [--blocks 1 2 4 8 12]

Each block is layer normalisation, causal attention with several heads, layer normalisation, and an MLP with gelu,
each half added to what it read; before the blocks an embedding is gathered, after them stands softmax cross-entropy.
Every stage of the compiler is timed on its own: declare, derive and simplify, which `eb.grad` does in one, then
simplify of the program as a whole, plan, lower (steps and source), and the first call without these. A network
twice as deep should take twice as long: the last column is the total a block against the first row's.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

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

STAGES = ("declare", "derive", "simplify", "plan", "lower", "first call")


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

"""Train a small causal transformer to write like Lewis Carroll, one character after the other.

    pip install -e ".[examples]" && python examples/char_transformer.py

The text is five poems by Lewis Carroll (1865, 1871; in the public domain), 7 kB. Embeddings are gathers, causal
attention is a comparison of two indices, layer normalisation is four lines of text. The script

 1. declares the network, its loss and the gradients of all parameters,
 2. trains with Adam on random pieces of the text,
 3. fails unless the loss falls from log(number of characters) to below half a nat a character,
 4. lets the network go on from "The Walrus", and draws the loss and what the attention heads look at.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from tqdm import tqdm

import einback as eb

SEED = 0
BATCH, LENGTH = 16, 48  # pieces a step, characters a piece
WIDTH, HEADS, INNER, BLOCKS = 64, 4, 192, 2
RATE, WARM = 4e-3, 50
GOAL = 0.5  # nats a character
Arrays = dict[str, Any]

embed = eb.layer("h[b,t,d] = E[token[b,t],d] + P[t,d]")
centre = eb.layer("c[b,t,d] = x[b,t,d] - mean[e](x[b,t,e])")
normal = eb.layer("y[b,t,d] = c[b,t,d] g[d] / sqrt(mean[e](c[b,t,e]^2) + 1e-5) + s[d]")
project = eb.layer("p[b,h,t,e] = x[b,t,d] W[d,h,e]")
attention = eb.layer("A[b,h,q,k] = softmax[k](where(q >= k, Q[b,h,q,e] K[b,h,k,e] / sqrt(size(e)), -inf))")
join = eb.layer("z[b,q,d] = A[b,h,q,k] V[b,h,k,e] W[h,e,d]")
dense = eb.layer("h[b,t,m] = gelu(x[b,t,d] W[d,m] + c[m])")
affine = eb.layer("z[b,t,v] = x[b,t,m] W[m,v] + c[v]")
cross_entropy = eb.layer("loss = -L[b,t,next[b,t]] / (size(b) size(t))")


class Network(NamedTuple):
    logits: eb.Tensor
    attention: eb.Tensor
    loss: eb.Tensor
    parameters: dict[str, eb.Tensor]


def normalise(x: eb.Tensor, name: str) -> eb.Tensor:
    """Ba, Kiros and Hinton, Layer normalization (2016)."""
    return normal(centre(x), name=name)


def attend(x: eb.Tensor, name: str) -> tuple[eb.Tensor, eb.Tensor]:
    """Vaswani et al., Attention is all you need (2017), section 3.2: what comes later is masked."""
    Q, K, V = (project(x, name=f"{part}{name}", h=HEADS, e=WIDTH // HEADS) for part in "qkv")
    A = attention(Q, K)
    return join(A, V, name=f"o{name}", d=WIDTH), A


def declare(characters: int) -> Network:
    token, following = eb.tensor("token[b,t]", integer=True), eb.tensor("next[b,t]", integer=True)
    x = embed(token=token, d=WIDTH)
    for k in range(1, BLOCKS + 1):
        update, A = attend(normalise(x, f"a{k}"), f"{k}")
        x = x + update
        x = x + affine(dense(normalise(x, f"m{k}"), name=f"m{k}", m=INNER), name=f"n{k}", v=WIDTH)
    logits = affine(normalise(x, "last"), name="last", v=characters)
    loss = cross_entropy(L=eb.log_softmax(logits, axis=2), next=following)
    return Network(logits, A, loss, {p.name: p for p in loss.parameters})

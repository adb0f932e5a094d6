"""A small causal transformer that learns to write like Lewis Carroll, one character after the other.

    pip install -e ".[examples]" && python examples/char_transformer.py

The text is five poems by Lewis Carroll (1865, 1871; in the public domain), 7 kB, which the network comes to know
nearly by heart. Embeddings and the loss are gathers, `E[token[b,t],d]`, causal attention is a comparison of two
indices, `q >= k`, and layer normalisation is two lines of text. The script

 1. declares the network and its loss, derives the gradients of all parameters, and prints two of the formulas,
 2. trains with Adam on random pieces of the text, in single precision,
 3. lets the network go on from "The Walrus", a character at a time,
 4. draws the loss, and what each head of the last block looks at in a line,
 5. fails unless the loss falls from the logarithm of the number of characters to below half a nat a character.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from digits import Adam, Arrays
from matplotlib import pyplot as plt
from threadpoolctl import threadpool_limits
from tqdm import tqdm

import einback as eb

SEED = 0
TEXT = Path(__file__).parent / "data" / "carroll.txt"
BATCH, LENGTH = 16, 64  # pieces a step, characters a piece
WIDTH, HEADS, INNER, BLOCKS = 64, 4, 256, 2
RATE, WARM = 6e-3, 50
GOAL = 0.5  # nats a character, the mean of the last twenty steps
PROMPT, LINE = "The Walrus", "The sun was shining on the sea,"

embed = eb.layer("h[b,t,d] = E[token[b,t],d] + P[t,d]")
centre = eb.layer("c[b,t,d] = x[b,t,d] - mean[e](x[b,t,e])")
normal = eb.layer("y[b,t,d] = c[b,t,d] g[d] / sqrt(mean[e](c[b,t,e]^2) + 1e-5) + s[d]")
project = eb.layer("p[b,h,t,e] = x[b,t,d] W[d,h,e]")
attention = eb.layer("A[b,h,q,k] = softmax[k](where(q >= k, Q[b,h,q,e] K[b,h,k,e] / sqrt(size(e)), -inf))")
join = eb.layer("z[b,q,d] = A[b,h,q,k] V[b,h,k,e] W[h,e,d]")
dense = eb.layer("h[b,t,m] = silu(x[b,t,d] W[d,m] + c[m])")
affine = eb.layer("z[b,t,v] = x[b,t,m] W[m,v] + c[v]")
cross_entropy = eb.layer("loss = -L[b,t,next[b,t]] / (size(b) size(t))")


class Network(NamedTuple):
    logits: eb.Tensor
    attention: eb.Tensor  # of the last block
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
    """Blocks that normalise first and add to what they read (Radford et al., GPT-2, 2019)."""
    token, following = eb.tensor("token[b,t]", integer=True), eb.tensor("next[b,t]", integer=True)
    x = embed(token=token, d=WIDTH)
    for k in range(1, BLOCKS + 1):
        update, A = attend(normalise(x, f"a{k}"), f"{k}")
        x = x + update
        x = x + affine(dense(normalise(x, f"m{k}"), name=f"m{k}", m=INNER), name=f"n{k}", v=WIDTH)
    logits = affine(normalise(x, "last"), name="last", v=characters)
    loss = cross_entropy(L=eb.log_softmax(logits, axis=2), next=following)
    return Network(logits, A, loss, {p.name: p for p in loss.parameters})


def initialise(parameters: dict[str, eb.Tensor], characters: int, rng: np.random.Generator) -> Arrays:
    """Gains one, shifts zero, weights of variance 1 / inputs; the last ones small, so that all characters are alike."""
    arrays = {}
    for name, p in parameters.items():
        shape = [{"t": LENGTH}.get(size, characters) if isinstance(size, str) else size for size in p.shape]
        inputs = shape[0] * shape[1] if name.startswith("W_o") else shape[0]
        scale = 0.1 if name in ("E", "P") else inputs**-0.5 * (0.3 if name == "W_last" else 1)
        value = np.full(shape, float(name[0] == "g")) if p.ndim == 1 else rng.normal(scale=scale, size=shape)
        arrays[name] = value.astype(np.float32)
    return arrays


def pieces(ids: np.ndarray, rng: np.random.Generator) -> Arrays:
    """Pieces from random places of the text; what comes next is the same piece one character on."""
    starts = rng.integers(len(ids) - LENGTH, size=(BATCH, 1))
    found = ids[starts + np.arange(LENGTH + 1)]
    return {"token": found[:, :-1], "next": found[:, 1:]}


def train(network: Network, parameters: Arrays, ids: np.ndarray, steps: int) -> list[float]:
    """Adam, its rate rising for a few steps and then falling to zero as a cosine. The loss of every step."""
    grads = eb.grad(network.loss, network.parameters)
    print(network.loss.text(name="loss"), grads[f"W_q{BLOCKS}"], sep="\n\n", end="\n\n")
    step = eb.compile({"loss": network.loss, "grads": grads})
    adam, rng, losses = Adam(parameters, beta2=0.99), np.random.default_rng(SEED), []
    bar = tqdm(range(steps), desc="training", unit="step", file=sys.stdout, ncols=88, mininterval=0.2)
    for k in bar:
        found = step(**pieces(ids, rng), **parameters)
        losses.append(float(found["loss"]))
        adam.update(found["grads"], RATE * min(1, (k + 1) / WARM) * 0.5 * (1 + float(np.cos(np.pi * k / steps))))
        bar.set_postfix(loss=f"{np.mean(losses[-20:]):.3f}", refresh=False)
    return losses


def write(network: Network, parameters: Arrays, characters: str, count: int, temperature: float = 0.5) -> str:
    """The prompt and what the network adds to it; it reads as many characters back as a piece has."""
    predict, rng = eb.compile(network.logits), np.random.default_rng(SEED)
    ids = [characters.index(one) for one in PROMPT]
    for _ in range(count):
        token = np.zeros((1, LENGTH), dtype=np.intp)  # zeros stand for what is still to come: no position sees it
        seen = ids[-LENGTH:]
        token[0, : len(seen)] = seen
        logits = predict(token=token, **parameters)[0, len(seen) - 1] / temperature
        chances = np.exp(logits - logits.max())
        ids.append(int(rng.choice(len(characters), p=chances / chances.sum())))
    return "".join(characters[k] for k in ids)


def draw(losses: list[float], weights: np.ndarray, path: Path) -> None:
    """The loss, and a map a head: row by row, which earlier characters a character looks at."""
    ink, accent, faint = "#1f2933", "#c2410c", "#9fb3c8"
    figure = plt.figure(figsize=(12, 6.4), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(5, 7))
    axes = left.subplots()
    smooth = np.convolve(losses, np.ones(20) / 20, "valid") if len(losses) >= 20 else np.array(losses)
    axes.plot(losses, color=faint, linewidth=0.6, label="a step")
    axes.plot(np.arange(len(losses) - len(smooth), len(losses)), smooth, color=ink, label="mean of twenty steps")
    axes.axhline(GOAL, color=accent, linewidth=0.8, linestyle="--")
    axes.set(xlabel="step", ylabel="loss, nats a character", ylim=(0, None))
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    for k, (axes, head) in enumerate(zip(right.subplots(2, HEADS // 2).flat, weights, strict=True)):
        axes.imshow(head**0.5, cmap="Greys", vmin=0, vmax=1)  # the root shows small weights too
        axes.set_title(f"head {k + 1}", fontsize=9, color=ink)
        axes.set_xticks(range(len(LINE)), LINE, fontsize=7)
        axes.set_yticks(range(len(LINE)), LINE, fontsize=7)
        axes.tick_params(length=0, pad=2)
    right.suptitle(f"what each character of the line looks at, block {BLOCKS}", fontsize=10, color=ink)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main() -> None:
    mpl.use("Agg")
    parser = argparse.ArgumentParser(description="Train a character transformer on five poems by derived gradients.")
    parser.add_argument("--steps", type=int, default=1200, help="steps of Adam (%(default)s)")
    parser.add_argument("--write", type=int, default=400, help="characters to write (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("output/char_transformer.png"), help="picture (%(default)s)")
    chosen = parser.parse_args()
    if chosen.steps < 1 or chosen.write < 0:
        parser.error("--steps is one or more, --write is not negative")
    chosen.out.parent.mkdir(parents=True, exist_ok=True)

    text = TEXT.read_text(encoding="utf-8")
    characters = "".join(sorted(set(text)))
    ids = np.array([characters.index(one) for one in text])
    network = declare(len(characters))
    parameters = initialise(network.parameters, len(characters), np.random.default_rng(SEED))
    began = time.perf_counter()
    with threadpool_limits(1):  # matrices this small gain nothing from a second core, and lose if it is busy
        losses = train(network, parameters, ids, chosen.steps)
        seconds = time.perf_counter() - began
        written = write(network, parameters, characters, chosen.write)
        line = {"token": np.array([[characters.index(one) for one in LINE]]), "P": parameters["P"][: len(LINE)]}
        _, weights = eb.evaluate((network.logits, network.attention), **parameters | line)
    draw(losses, weights[0], chosen.out)

    last = np.mean(losses[-20:])
    print(f"\n{written}\n")
    print(f"{sum(value.size for value in parameters.values()):,} parameters, {seconds:.0f} s; {chosen.out}")
    print(f"loss {losses[0]:.3f} at first, log({len(characters)}) is {np.log(len(characters)):.3f}; {last:.3f} at last")
    if not last < GOAL:
        sys.exit(f"the loss is not below {GOAL} nats a character")


if __name__ == "__main__":
    main()

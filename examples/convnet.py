"""A convolutional network on the handwritten digits, its convolutions a sum of two indices.

    pip install -e ".[examples]" && python examples/convnet.py

The data, their split and Adam are those of digits.py. Two convolutions, one pooling and one dense layer are four
lines of index text: an index `i+u-1` slides a kernel over an image, `2*i+u` visits every other pixel, `(c i j)` makes
one axis of three, and `label[b]` inside an index picks the probability of the right digit. The script

 1. declares the network and its loss, derives the gradients and prints them as formulas,
 2. checks the gradients against differences,
 3. trains with Adam on images that are moved by up to a pixel, drawn anew for every batch,
 4. draws the loss, the kernels of the first layer, and what both layers make of some digits, misread ones among them,
 5. fails if a gradient is wrong, or if fewer than 98.5 % of the test digits are read rightly.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from digits import Adam, Arrays, accuracy, load
from matplotlib import pyplot as plt
from threadpoolctl import threadpool_limits
from tqdm import tqdm

import einback as eb

SEED = 0
SIDE, CLASSES = 8, 10
BATCH, RATE = 64, 3e-3
GOAL = 0.985  # of the test digits

convolve = eb.layer("h[b,o,i,j] = relu(x[b,c,i+u-1,j+v-1] K[o,c,u,v] + a[o])")
pool = eb.layer("h[b,c,i,j] = max[u:2,v:2](x[b,c,2*i+u,2*j+v])")
dense = eb.layer("z[b,k] = x[b,c,i,j] W[(c i j),k] + a[k]")
cross_entropy = eb.layer("loss = -L[b,label[b]] / size(b)")


class Network(NamedTuple):
    first: eb.Tensor  # what the first layer makes of an image
    pooled: eb.Tensor
    logits: eb.Tensor
    loss: eb.Tensor
    parameters: dict[str, eb.Tensor]
    grads: dict[str, eb.Tensor]


def declare(channels: int) -> Network:
    """Kernels of 3 by 3 pixels; the second layer has twice the channels of the first."""
    X, label = eb.tensor(f"X[b,1,{SIDE},{SIDE}]"), eb.tensor("label[b]", integer=True)
    first = convolve(X, name="1", o=channels, u=3, v=3)
    pooled = pool(convolve(first, name="2", o=2 * channels, u=3, v=3))
    logits = dense(pooled, name="3", k=CLASSES)
    loss = cross_entropy(L=eb.log_softmax(logits, axis="k"), label=label)
    parameters = {p.name: p for p in loss.parameters}
    return Network(first, pooled, logits, loss, parameters, eb.grad(loss, parameters))


def initialise(parameters: dict[str, eb.Tensor], rng: np.random.Generator) -> Arrays:
    """Weights of variance 2 / inputs (He et al., 2015), and small biases: on an empty image no unit is at its kink."""
    inputs = {"K": lambda shape: np.prod(shape[1:]), "W": lambda shape: shape[0], "a": lambda _: 200}
    return {
        name: rng.normal(scale=np.sqrt(2 / inputs[name[0]](p.shape)), size=p.shape) for name, p in parameters.items()
    }


class Digits(NamedTuple):
    """Images [n,1,8,8] with pixels in 0..1, and what they show."""

    X: np.ndarray
    labels: np.ndarray
    X_test: np.ndarray
    labels_test: np.ndarray


def images() -> Digits:
    data = load(np)
    X, X_test = (rows.reshape(-1, 1, SIDE, SIDE) for rows in (data.X, data.X_test))
    return Digits(X, data.Y.argmax(axis=1), X_test, data.labels_test)


def moved(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Every image by -1, 0 or 1 pixels down and across, the last two rows and columns filled with zeros."""
    padded = np.pad(X, ((0, 0), (0, 0), (1, 1), (1, 1)))
    starts = rng.choice(3, p=(0.2, 0.6, 0.2), size=(len(X), 2))
    return np.stack([x[:, i : i + SIDE, j : j + SIDE] for x, (i, j) in zip(padded, starts, strict=True)])


class History(NamedTuple):
    losses: list[float]  # one a step
    accuracies: list[float]  # one an epoch, on the test images


def train(network: Network, data: Digits, parameters: Arrays, epochs: int) -> History:
    """Mini-batch Adam on the compiled step, its rate falling to zero as a cosine."""
    step = eb.compile({"loss": network.loss, "grads": network.grads})
    predict = eb.compile(network.logits)
    adam, rng, history = Adam(parameters), np.random.default_rng(SEED), History([], [])
    batches = len(data.X) // BATCH  # what is left over is another part of the shuffled images in every epoch
    bar = tqdm(range(epochs), desc="training", unit="epoch", file=sys.stdout, ncols=88, mininterval=0.2)
    for epoch in bar:
        order = rng.permutation(len(data.X))
        for k in range(batches):
            rows = order[k * BATCH : (k + 1) * BATCH]
            found = step(X=moved(data.X[rows], rng), label=data.labels[rows], **parameters)
            adam.update(found["grads"], RATE * 0.5 * (1 + np.cos(np.pi * (epoch + k / batches) / epochs)))
            history.losses.append(float(found["loss"]))
        history.accuracies.append(accuracy(predict(X=data.X_test, **parameters), data.labels_test))
        mean = np.mean(history.losses[-batches:])
        bar.set_postfix(loss=f"{mean:.4f}", test=f"{history.accuracies[-1]:.1%}", refresh=False)
    return history


# ---------------------------------------------------------------- picture

INK, ACCENT, FAINT = "#1f2933", "#c2410c", "#9fb3c8"


def mosaic(tiles: np.ndarray, columns: int) -> np.ndarray:
    """Tiles [n,i,j] side by side, each by its largest entry, with gaps of one pixel that stay empty."""
    tiles = tiles / np.abs(tiles).max(axis=(1, 2), keepdims=True).clip(1e-9)
    rows, (_, i, j) = -(-len(tiles) // columns), tiles.shape
    canvas = np.full((rows * (i + 1) - 1, columns * (j + 1) - 1), np.nan)
    for k, tile in enumerate(tiles):
        top, left = (k // columns) * (i + 1), (k % columns) * (j + 1)
        canvas[top : top + i, left : left + j] = tile
    return canvas


def show(axes: plt.Axes, picture: np.ndarray, title: str, colours: str, low: float) -> None:
    axes.imshow(picture, cmap=colours, vmin=low, vmax=1)
    axes.set_title(title, fontsize=9, color=INK)
    axes.axis("off")


def draw_history(axes: plt.Axes, history: History) -> None:
    epochs = len(history.accuracies)
    per_epoch = np.reshape(history.losses, (epochs, -1))
    axes.semilogy(np.linspace(0, epochs, per_epoch.size), history.losses, color=FAINT, linewidth=0.6, label="loss")
    axes.semilogy(np.arange(epochs) + 0.5, per_epoch.mean(axis=1), color=INK, linewidth=1.8, label="mean of an epoch")
    errors = 1 - np.array(history.accuracies)
    axes.semilogy(
        np.arange(epochs) + 1, np.where(errors, errors, np.nan), color=ACCENT, label="share of test digits misread"
    )
    axes.set_xlabel("epoch")
    axes.legend(frameon=False, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=FAINT, alpha=0.35, linewidth=0.6)


def draw(network: Network, data: Digits, parameters: Arrays, history: History, path: Path) -> None:
    """The loss, the kernels, what both layers make of three digits, misread ones if there are any."""
    found = eb.evaluate((network.first, network.pooled, network.logits), X=data.X_test, **parameters)
    first, pooled, read = *found[:2], found[2].argmax(axis=1)
    wrong = np.flatnonzero(read != data.labels_test)
    right = np.flatnonzero(read == data.labels_test)
    chosen = [*right[: 3 - len(wrong[:2])], *wrong[:2]]
    figure = plt.figure(figsize=(11, 7.5), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(3, 4))
    left, middle = above.subplots(1, 2, width_ratios=(5, 3))
    draw_history(left, history)
    show(middle, mosaic(parameters["K_1"][:, 0], 4), "kernels of the first layer", "RdBu", -1)
    grid = below.subplots(len(chosen), 3, width_ratios=(3, 8, 10), squeeze=False)
    for row, k in zip(grid, chosen, strict=True):
        show(row[0], data.X_test[k, 0], f"{data.labels_test[k]} read as {read[k]}", "gray_r", 0)
        show(row[1], mosaic(first[k], 8), "after the first layer", "gray_r", 0)
        show(row[2], mosaic(pooled[k], 8), "after the second, pooled", "gray_r", 0)
    figure.savefig(path, dpi=150)
    plt.close(figure)


# ---------------------------------------------------------------- command line


def main() -> None:
    mpl.use("Agg")
    parser = argparse.ArgumentParser(description="Train a convolutional network on digits with derived gradients.")
    parser.add_argument("--epochs", type=int, default=30, help="passes over the training images (%(default)s)")
    parser.add_argument("--channels", type=int, default=16, help="kernels of the first layer (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("output/convnet.png"), help="picture (%(default)s)")
    chosen = parser.parse_args()
    if min(chosen.epochs, chosen.channels) < 1:
        parser.error("--epochs and --channels are one or more")
    chosen.out.parent.mkdir(parents=True, exist_ok=True)

    network = declare(chosen.channels)
    print(network.loss.text(name="loss"), *network.grads.values(), sep="\n\n", end="\n\n")
    data = images()
    parameters = initialise(network.parameters, np.random.default_rng(SEED))
    checked = eb.check(network.loss, network.parameters, X=data.X[:16], label=data.labels[:16], **parameters)
    print(checked, end="\n\n")
    if not checked:
        sys.exit("the derived gradients are not those of differences")
    began = time.perf_counter()
    with threadpool_limits(1):  # matrices this small gain nothing from a second core, and lose if it is busy
        history = train(network, data, parameters, chosen.epochs)
        seconds = time.perf_counter() - began
        draw(network, data, parameters, history, chosen.out)
    print(f"test accuracy {history.accuracies[-1]:.2%} after {chosen.epochs} epochs in {seconds:.1f} s; {chosen.out}")
    if not history.accuracies[-1] >= GOAL:
        sys.exit(f"fewer than {GOAL:.1%} of the test digits are read rightly")


if __name__ == "__main__":
    main()

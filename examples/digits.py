"""Train a small network on handwritten digits, every gradient of it a formula that einback derived.

    pip install -e ".[examples]" && python examples/digits.py

The data are the 1,797 images of 8 by 8 pixels of the UCI handwritten digits (E. Alpaydin and C. Kaynak,
1998), which scikit-learn ships. The network is 64-128-10 with relu. The script

 1. declares the network and its loss, derives the gradients and prints them as formulas,
 2. compiles loss and gradients into one NumPy program and trains with Adam, written here on top of it,
 3. checks the gradients against differences, and draws the loss and the digits it gets wrong,
 4. writes the compiled step as a file of its own, runs one step through that file in a fresh
    interpreter where einback cannot be imported, and compares the numbers.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.ticker import MultipleLocator, PercentFormatter
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits
from tqdm import tqdm

import einback as eb

SEED = 0
PIXELS, CLASSES = 64, 10
BATCH, RATE = 64, 5e-3
NOISE = 0.2  # of a pixel, drawn anew for every batch: the cheapest way to show the network more digits
Arrays = dict[str, Any]


class Network(NamedTuple):
    logits: eb.Tensor
    loss: eb.Tensor
    parameters: dict[str, eb.Tensor]
    grads: dict[str, eb.Tensor]


def declare(hidden: int) -> Network:
    """Two layers, the cross-entropy of their softmax, and its gradients. No number is computed here."""
    X, Y = eb.tensors("X[n,d] Y[n,c]")
    dense = eb.layer("h[n,k] = relu(x[n,d] W[d,k] + b[k])")
    affine = eb.layer("z[n,c] = h[n,k] W[k,c] + b[c]")

    H = dense(X, name="1", k=hidden)
    Z = affine(H, name="2", c=CLASSES)
    loss = -eb.sum(Y * eb.log_softmax(Z, axis="c")) / X.size("n")

    parameters = {p.name: p for p in loss.parameters}
    return Network(Z, loss, parameters, eb.grad(loss, parameters))


def initialise(parameters: dict[str, eb.Tensor], rng: np.random.Generator) -> Arrays:
    """Weights of variance 2 / inputs (He et al., 2015), biases zero."""
    sizes = {"d": PIXELS}
    shapes = {name: [sizes.get(size, size) for size in p.shape] for name, p in parameters.items()}
    return {
        name: rng.normal(scale=np.sqrt(2 / shape[0]), size=shape) if len(shape) == 2 else np.zeros(shape)
        for name, shape in shapes.items()
    }


class Adam:
    """Kingma and Ba, Adam: a method for stochastic optimization (2015), algorithm 1."""

    def __init__(self, parameters: Arrays, beta1: float = 0.9, beta2: float = 0.999) -> None:
        self.parameters, self.beta1, self.beta2, self.steps = parameters, beta1, beta2, 0
        self.mean = {name: np.zeros_like(value) for name, value in parameters.items()}
        self.square = {name: np.zeros_like(value) for name, value in parameters.items()}

    def update(self, grads: Arrays, rate: float) -> None:
        self.steps += 1
        for name, g in grads.items():
            self.mean[name] = self.beta1 * self.mean[name] + (1 - self.beta1) * g
            self.square[name] = self.beta2 * self.square[name] + (1 - self.beta2) * g * g
            mean = self.mean[name] / (1 - self.beta1**self.steps)
            square = self.square[name] / (1 - self.beta2**self.steps)
            self.parameters[name] -= rate * mean / (np.sqrt(square) + 1e-8)


class Data(NamedTuple):
    """Pixels in 0..1, classes as one-hot rows."""

    X: Any
    Y: Any
    X_test: Any
    labels_test: np.ndarray


def load(xp: Any) -> Data:
    images, labels = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(images / 16, labels, test_size=0.25, random_state=SEED, stratify=labels)
    return Data(xp.asarray(X), xp.asarray(np.eye(CLASSES)[y]), xp.asarray(X_test), y_test)


class History(NamedTuple):
    losses: list[float]  # one a step
    accuracies: list[float]  # one an epoch, on the test images


def train(network: Network, data: Data, parameters: Arrays, epochs: int, xp: Any) -> tuple[Any, History]:
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
            noise = xp.asarray(rng.normal(scale=NOISE, size=(len(rows), PIXELS)))
            found = step(X=data.X[rows] + noise, Y=data.Y[rows], **parameters)
            adam.update(found["grads"], RATE * 0.5 * (1 + np.cos(np.pi * (epoch + k / batches) / epochs)))
            history.losses.append(float(found["loss"]))
        history.accuracies.append(accuracy(predict(X=data.X_test, **parameters), data.labels_test))
        mean = np.mean(history.losses[-batches:])
        bar.set_postfix(loss=f"{mean:.4f}", test=f"{history.accuracies[-1]:.1%}", refresh=False)
    return step, history


def accuracy(logits: Any, labels: np.ndarray) -> float:
    return float(np.mean(to_numpy(logits).argmax(axis=1) == labels))


def to_numpy(array: Any) -> np.ndarray:
    return np.asarray(array.get() if hasattr(array, "get") else array)


# ---------------------------------------------------------------- pictures

INK, ACCENT, FAINT = "#1f2933", "#c2410c", "#9fb3c8"


def draw_history(history: History, path: Path) -> None:
    """The loss of every step on a logarithmic scale, and the test accuracy of every epoch."""
    epochs = len(history.accuracies)
    per_epoch = np.reshape(history.losses, (epochs, -1))
    figure, (above, below) = plt.subplots(2, 1, figsize=(7, 5), sharex=True, height_ratios=(3, 2), layout="constrained")
    above.semilogy(np.linspace(0, epochs, per_epoch.size), history.losses, color=FAINT, linewidth=0.7, label="a step")
    above.semilogy(np.arange(epochs) + 0.5, per_epoch.mean(axis=1), color=INK, linewidth=1.8, label="mean of an epoch")
    above.set_ylabel("training loss")
    above.legend(frameon=False)
    below.plot(np.arange(epochs) + 1, history.accuracies, color=ACCENT, linewidth=1.8)
    below.annotate(
        f"{history.accuracies[-1]:.2%}",
        (epochs, history.accuracies[-1]),
        xytext=(-4, -16),
        textcoords="offset points",
        ha="right",
        color=ACCENT,
        weight="bold",
    )
    below.set(ylabel="test accuracy", xlabel="epoch", ylim=(min(0.9, *history.accuracies), 1), xlim=(0, epochs))
    below.yaxis.set_major_locator(MultipleLocator(0.02))
    below.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color=FAINT, alpha=0.35, linewidth=0.6)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def draw_mistakes(data: Data, logits: np.ndarray, path: Path, most: int = 20) -> int:
    """The test digits that the network reads wrongly, the most confident mistakes first. Returns their number."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = shifted / shifted.sum(axis=1, keepdims=True)
    read = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(read != data.labels_test)
    wrong = wrong[np.argsort(-probabilities[wrong, read[wrong]])]
    columns = min(5, max(1, len(wrong)))
    rows = max(1, -(-min(len(wrong), most) // columns))
    figure, grid = plt.subplots(
        rows, columns, figsize=(1.7 * columns, 2.05 * rows + 0.5), squeeze=False, layout="constrained"
    )
    for axes in grid.flat[len(wrong) :]:
        axes.axis("off")
    for axes, k in zip(grid.flat, wrong[:most], strict=False):
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_color(FAINT)
        axes.imshow(to_numpy(data.X_test[k]).reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        axes.set_title(
            f"{data.labels_test[k]} read as {read[k]}\n{probabilities[k, read[k]]:.0%} sure", fontsize=10, color=INK
        )
    figure.suptitle(f"{len(wrong)} of {len(read)} test digits misread", color=INK, weight="bold")
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return len(wrong)


# ---------------------------------------------------------------- the step as a file of its own

STANDALONE = """
import runpy, sys
import numpy as np

sys.modules["einback"] = None  # from here on, importing einback raises ImportError
step = runpy.run_path(sys.argv[1])["step"]
with np.load(sys.argv[2]) as arrays:
    found = step(**arrays)
np.savez(sys.argv[3], loss=found["loss"], **found["grads"])
"""


def run_alone(source: Path, arrays: Arrays, folder: Path) -> Arrays:
    """One step through the exported file, in a fresh interpreter without einback."""
    inputs, outputs = folder / "step_inputs.npz", folder / "step_outputs.npz"
    np.savez(inputs, **arrays)
    subprocess.run([sys.executable, "-c", STANDALONE, source, inputs, outputs], check=True)
    with np.load(outputs) as found:
        results = dict(found)
    inputs.unlink()
    outputs.unlink()
    return results


def compare_alone(step: Any, batch: Arrays, source: Path) -> None:
    """Show that the exported step gives what the compiled one does."""
    found = step(**batch)
    here = {"loss": found["loss"], **found["grads"]}
    there = run_alone(source, batch, source.parent)
    lines = source.read_text(encoding="utf-8").count("\n")
    print(f"\n{source.name} ({lines} lines, NumPy only), one step in a fresh interpreter:")
    for name, value in here.items():
        same = "the same bits" if np.array_equal(value, there[name]) else "DIFFERENT"
        print(f"  {name:5} norm here {np.linalg.norm(value):.15f}, there {np.linalg.norm(there[name]):.15f}: {same}")
    if not all(np.array_equal(value, there[name]) for name, value in here.items()):
        sys.exit("the exported step disagrees with the compiled one")


# ---------------------------------------------------------------- command line


def at_least_one(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is below 1")
    return value


def folder(text: str) -> Path:
    path = Path(text)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot make the folder {text!r}: {error.strerror}") from None
    return path


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a small network on handwritten digits with derived gradients.")
    parser.add_argument(
        "--epochs", type=at_least_one, default=100, help="passes over the training images (%(default)s)"
    )
    parser.add_argument("--hidden", type=at_least_one, default=128, help="units of the hidden layer (%(default)s)")
    parser.add_argument("--backend", choices=("numpy", "cupy"), default="numpy", help="where arrays live (%(default)s)")
    parser.add_argument("--output", type=folder, default="output/digits", metavar="DIR", help="for files (%(default)s)")
    return parser.parse_args()


def array_module(backend: str) -> Any:
    """NumPy, or CuPy where it is installed and finds a device."""
    if backend == "numpy":
        return np
    try:
        cupy = importlib.import_module("cupy")
    except ImportError:
        sys.exit('--backend cupy: CuPy is not installed; pip install -e ".[cuda12]" (or cuda13) installs it')
    try:
        cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        sys.exit(f"--backend cupy: CuPy is installed, but finds no CUDA device ({error})")
    return cupy


def main() -> None:
    mpl.use("Agg")
    chosen = options()
    xp = array_module(chosen.backend)

    network = declare(chosen.hidden)
    print(network.loss, *network.grads.values(), sep="\n\n", end="\n\n")

    data = load(xp)
    start = initialise(network.parameters, np.random.default_rng(SEED))
    parameters = {name: xp.asarray(value) for name, value in start.items()}
    began = time.perf_counter()
    with threadpool_limits(1):  # matrices this small gain nothing from a second core, and lose if it is busy
        step, history = train(network, data, parameters, chosen.epochs, xp)
    seconds = time.perf_counter() - began
    print(f"test accuracy {history.accuracies[-1]:.2%} after {chosen.epochs} epochs in {seconds:.1f} s\n")

    few = {"X": data.X[:16], "Y": data.Y[:16], **parameters}
    print(eb.check(network.loss, network.parameters, **few))

    logits = to_numpy(eb.evaluate(network.logits, X=data.X_test, **parameters))
    draw_history(history, chosen.output / "training.png")
    wrong = draw_mistakes(data, logits, chosen.output / "misread.png")

    batch = {"X": data.X[:BATCH], "Y": data.Y[:BATCH], **parameters}
    source = chosen.output / "digits_step.py"
    source.write_text(step.source(batch), encoding="utf-8")
    compare_alone(step, batch, source)
    print(f"\n{chosen.output}: training.png, misread.png ({wrong} digits), digits_step.py")


if __name__ == "__main__":
    try:
        main()
    except eb.EinbackError as error:
        sys.exit(f"einback: {error}")

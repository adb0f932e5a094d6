"""Draw docs/flow.svg, the picture of docs/architecture.md.

    python docs/make_flow.py [--png FILE]

A box is a value that prints, an arrow is a pure function, and the word on it is the folder that holds it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

INK, SOFT, WORD = "#1f2933", "#52606d", "#b45309"
FILLS = {"user": "#fef3c7", "ir": "#dbeafe", "out": "#dcfce7"}

# name: (x, y, heading, example, fill)
BOXES = {
    "text": (-0.1, 2.0, "declaration", "einsum strings, operators, index text:\nZ[n,c] = X[n,d] W[d,c] + b[c]", "user"),
    "ir": (3.4, 2.0, "IR", "interned nodes,\nlabels are small integers", "ir"),
    "derived": (6.35, 2.0, "IR of derivatives", "gradients, Hessians:\nprograms like any other", "ir"),
    "normal": (9.6, 2.0, "normal form", "deltas contracted away,\nlike terms collected", "ir"),
    "formula": (9.6, 3.75, "formulas", "X[n,d] (P[n,c] - Y[n,c]) / size(n)\ntext, LaTeX", "out"),
    "plan": (9.6, 0.25, "plan", "pairwise steps, order,\nflops, peak bytes", "ir"),
    "steps": (6.35, 0.25, "steps", "views, matmul, multiply,\nbuffers", "ir"),
    "source": (3.4, 0.25, "source", "dW = X.T @ G\na standalone file", "out"),
    "callable": (-0.1, 0.25, "f(arrays)", "NumPy arrays in, NumPy arrays out", "user"),
}

WIDTHS = {"text": 2.8, "ir": 1.95, "derived": 2.3, "normal": 2.5, "formula": 2.5, "plan": 2.5, "steps": 2.3}
HEIGHT = 0.95

# from, to, the folder that does it
ARROWS = [
    ("text", "ir", "notation"),
    ("ir", "derived", "derive"),
    ("derived", "normal", "rules"),
    ("normal", "formula", "formula"),
    ("normal", "plan", "plan   (sizes bind here)"),
    ("plan", "steps", "run"),
    ("steps", "source", "run"),
    ("source", "callable", "run"),
]


def draw(axes: Axes) -> None:
    for name in BOXES:
        _box(axes, name)
    for start, end, word in ARROWS:
        _arrow(axes, start, end, word)
    # A derivative is a program, so it can be differentiated again.
    x, y = BOXES["derived"][0], BOXES["derived"][1] + HEIGHT / 2
    again = FancyArrowPatch((x + 0.5, y + 0.03), (x - 0.5, y + 0.03), connectionstyle="arc3,rad=0.9", **_STROKE)
    axes.add_patch(again)
    axes.text(
        x, y + 0.62, "derive again, to any order", ha="center", va="center", fontsize=9, color=WORD, style="italic"
    )


_STROKE = {"arrowstyle": "-|>", "mutation_scale": 13, "linewidth": 1.3, "color": SOFT, "shrinkA": 0, "shrinkB": 0}


def _width(name: str) -> float:
    return WIDTHS.get(name, WIDTHS["text"] if name == "callable" else 2.0)


def _box(axes: Axes, name: str) -> None:
    x, y, heading, example, fill = BOXES[name]
    width = _width(name)
    corner = (x - width / 2, y - HEIGHT / 2)
    style = "round,pad=0,rounding_size=0.12"
    axes.add_patch(
        FancyBboxPatch(corner, width, HEIGHT, boxstyle=style, facecolor=FILLS[fill], edgecolor=INK, linewidth=1.1)
    )
    axes.text(x, y + 0.26, heading, ha="center", va="center", fontsize=11, color=INK, weight="bold")
    axes.text(x, y - 0.13, example, ha="center", va="center", fontsize=8, color=SOFT, linespacing=1.35)


def _arrow(axes: Axes, start: str, end: str, word: str) -> None:
    (x0, y0), (x1, y1) = BOXES[start][:2], BOXES[end][:2]
    if x0 == x1:  # up or down
        sign = 1 if y1 > y0 else -1
        tail, head = (x0, y0 + sign * HEIGHT / 2), (x1, y1 - sign * HEIGHT / 2)
        place, align = (x0 + 0.12, (tail[1] + head[1]) / 2), "left"
    else:
        sign = 1 if x1 > x0 else -1
        tail, head = (x0 + sign * _width(start) / 2, y0), (x1 - sign * _width(end) / 2, y1)
        place, align = ((tail[0] + head[0]) / 2, y0 + 0.17), "center"
    axes.add_patch(FancyArrowPatch(tail, head, **_STROKE))
    axes.text(*place, word, ha=align, va="center", fontsize=9, color=WORD, style="italic")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--png", type=Path, help="write a PNG too, to look at")
    chosen = parser.parse_args()
    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": "einback", "font.family": "DejaVu Sans"})
    figure, axes = plt.subplots(figsize=(12.6, 4.9))
    draw(axes)
    axes.set(xlim=(-1.6, 11.4), ylim=(-0.35, 4.35), aspect="equal")
    axes.axis("off")
    figure.savefig(Path(__file__).with_name("flow.svg"), bbox_inches="tight", metadata={"Date": None})
    if chosen.png:
        figure.savefig(chosen.png, dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    main()

r"""Scenes as TikZ: the same places as in the SVG, a pixel being 0.75 pt, and names as mathematics."""

from __future__ import annotations

from collections.abc import Mapping

from einback.formula.diagram.colours import DAY, TENSORS
from einback.formula.diagram.network import Kind
from einback.formula.diagram.scene import Box, Line, Point, Scene, Text

__all__ = ["tikz"]

_HEAD = r"""\documentclass[tikz,border=6pt]{standalone}
\usepackage{amsmath,amssymb}
\usetikzlibrary{arrows.meta}
"""
_ANCHORS = {"start": "west", "middle": "center", "end": "east"}


def tikz(scene: Scene, tensors: Mapping[str, int], text: str) -> str:
    """The scene as a LaTeX document that compiles by itself."""
    used = sorted({tensors[box.tensor] % len(TENSORS) for box in scene.boxes if box.tensor in tensors})
    colours = [f"\\definecolor{{{name}}}{{HTML}}{{{value[1:].upper()}}}" for name, value in sorted(DAY.items())]
    for k in used:
        fill, rim = TENSORS[k][0]
        colours += [
            f"\\definecolor{{fill{k}}}{{HTML}}{{{fill[1:].upper()}}}",
            f"\\definecolor{{rim{k}}}{{HTML}}{{{rim[1:].upper()}}}",
        ]
    shapes = [
        *(_box(box, tensors) for box in scene.frames()),
        *(_line(line) for line in scene.lines),
        *(_box(box, tensors) for box in scene.boxes if box.kind is not Kind.FRAME),
        *(_text(text) for text in scene.texts),
    ]
    comment = "\n".join(f"% {line}" for line in text.splitlines())
    options = "x=0.75pt, y=-0.75pt, every node/.style={inner sep=0pt, outer sep=0pt}"
    return "\n".join(
        [comment, _HEAD + "\n".join(colours), r"\begin{document}", rf"\begin{{tikzpicture}}[{options}]",
         *shapes, r"\end{tikzpicture}", r"\end{document}", ""]
    )  # fmt: skip


def _at(point: Point) -> str:
    return f"({point[0]:.1f},{point[1]:.1f})".replace("-0.0", "0.0")


def _line(line: Line) -> str:
    path = _at(line.start)
    for step in line.steps:
        if len(step) > 1:
            path += f" .. controls {_at(step[0])} and {_at(step[1])} .. {_at(step[2])}"
        else:
            path += f" -- {_at(step[0])}"
    tip = ", -{Stealth[length=6pt]}" if line.arrow else ""
    return rf"\draw[leg, line width=0.9pt{tip}] {path};"


def _box(box: Box, tensors: Mapping[str, int]) -> str:
    x, y = box.x + box.width / 2, box.y + box.height / 2
    if box.kind in (Kind.DOT, Kind.DELTA):
        return rf"\fill[ink] {_at((x, y))} circle[radius={box.width * 0.375:.2f}pt];"
    k = tensors.get(box.tensor, 0) % len(TENSORS)
    round_ = box.kind in (Kind.INPUT, Kind.SLOT, Kind.SUM, Kind.ONES)
    radius = min(box.height / 2, 19) if round_ else 8 if box.kind is Kind.FRAME else 4
    match box.kind:
        case Kind.FRAME:
            paint = "draw=rim, fill=frame"
        case Kind.SLOT:
            paint = f"draw=rim{k}, dashed, line width=0.9pt"
        case Kind.INPUT | Kind.NAMED | Kind.MATRIX:
            paint = f"draw=rim{k}, fill=fill{k}, line width=0.9pt"
        case _:
            paint = "draw=rim, fill=paper"
    corners = f"{_at((box.x, box.y))} rectangle {_at((box.x + box.width, box.y + box.height))}"
    shape = rf"\draw[{paint}, rounded corners={radius * 0.74:.2f}pt] {corners};"
    if box.kind is Kind.FRAME:
        if not box.latex:
            return shape
        return shape + "\n" + rf"\node[anchor=west, scale=0.85] at {_at((box.x + 10, box.y + 13))} {{${box.latex}$}};"
    small = box.kind in (Kind.SUM, Kind.ONES, Kind.PLACE, Kind.RANGE, Kind.BOUND)
    scale = ", scale=0.8" if small else ""
    return shape + "\n" + rf"\node[ink{scale}] at {_at((x, y))} {{${box.latex}$}};"


def _text(text: Text) -> str:
    colour = "quiet" if text.role in ("index", "axis") else "ink"
    scale = {"index": ", scale=0.85", "axis": ", scale=0.6"}.get(text.role, "")
    return rf"\node[{colour}{scale}, anchor={_ANCHORS[text.anchor]}] at {_at((text.x, text.y))} {{${text.latex}$}};"

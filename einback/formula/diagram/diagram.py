"""`Diagram`: the picture of one formula or several, as a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

from einback.errors import EinbackError
from einback.formula.diagram.blocks import beside, scene_of
from einback.formula.diagram.graphs import network_graph
from einback.formula.diagram.network import Block, Row, Words
from einback.formula.diagram.picture import Picture, pictured
from einback.formula.diagram.scene import Scene
from einback.formula.diagram.svg import svg
from einback.formula.diagram.tikz import tikz
from einback.formula.index import texts
from einback.formula.subject import Subject
from einback.ir.walk import inputs_of

__all__ = ["Diagram", "diagram"]

_WIDE = 1000.0  # pixels of a row
_APART = 48.0  # between results beside each other
_BELOW = 26.0  # between rows
_INDENT = 24.0


@dataclass(frozen=True, slots=True)
class Diagram:
    """The picture of a formula: `svg` is its text, which a notebook shows.

    `scene` is what is drawn with its places, `text` the formula that the picture shows.
    """

    text: str
    scene: Scene = field(repr=False)
    picture: Picture = field(repr=False)

    @property
    def svg(self) -> str:
        """The picture as an SVG document: it scales, has a dark side, and says the formula to who cannot see it."""
        title = "Tensor network of " + self.text.partition(" =")[0].strip()
        return svg(self.scene, self._colours(), title, self.text)

    def tikz(self) -> str:
        """The picture as a LaTeX document with one TikZ picture, which compiles by itself."""
        return tikz(self.scene, self._colours(), self.text)

    def graph(self) -> Any:
        """The networks as one `networkx.MultiGraph`: nodes are parts, edges legs.

        A node has `kind`, `label`, `line` (which line of the formula it stands in) and `inside` (the frame around it,
        or None); an edge has `index`, `size` and `axes`, the axes of both of its nodes that it joins.
        """
        return network_graph((*self.picture.results, *self.picture.where))

    def save(self, path: str | Path) -> None:
        """Write the picture to a file: `.svg`, `.tex`, or `.png` where the package cairosvg is installed.

        Raises `EinbackError` for other endings, and for `.png` without that package.
        """
        path = Path(path)
        match path.suffix:
            case ".svg":
                path.write_text(self.svg, encoding="utf-8")
            case ".tex":
                path.write_text(self.tikz(), encoding="utf-8")
            case ".png":
                if find_spec("cairosvg") is None:
                    raise EinbackError(
                        "a picture is written as PNG by the package cairosvg, which is not installed",
                        hint="pip install cairosvg, or save it as .svg",
                    )
                import_module("cairosvg").svg2png(
                    bytestring=self.svg.encode(), write_to=str(path), scale=2, background_color="white"
                )
            case other:
                raise EinbackError(
                    f"a picture cannot be saved as {other or 'a file without an ending'}",
                    hint="the endings are .svg, .tex and .png",
                )

    def _repr_svg_(self) -> str:
        return self.svg

    def _colours(self) -> dict[str, int]:
        return {name: k for k, name in enumerate(self.picture.tensors)}


def diagram(subjects: Sequence[Subject], *, slots: bool, sizes: bool) -> Diagram:
    """The picture of some tensors beside each other."""
    subjects = _apart(subjects)
    text = texts([s.node for s in subjects], [s.name for s in subjects], [s.names for s in subjects])
    picture = pictured(subjects, slots)
    return Diagram(text, _laid_out(picture, sizes), picture)


def _apart(subjects: Sequence[Subject]) -> list[Subject]:
    """The subjects, numbered where several have one name; a number that makes an input's name is left out."""
    names = [one.name for one in subjects]
    taken = {*names, *(node.name for node in inputs_of([one.node for one in subjects]))}
    found = []
    for one in subjects:
        name = one.name
        if names.count(name) > 1:
            name = next(free for k in count(1) if (free := f"{name.rstrip('_')}_{k}") not in taken)
            taken.add(name)
        found.append(replace(one, name=name))
    return found


def _laid_out(picture: Picture, sizes: bool) -> Scene:
    """Results beside each other where they fit, the lines that they need below, likewise."""
    rows = [(0.0, row) for row in _filled([_broken(block, sizes) for block in picture.results], 0.0)]
    below = [_broken(block, sizes) for block in picture.where]
    if below:
        where = scene_of(Words("where", r"\text{where}"))
        below[0] = beside([where, below[0]], 10.0)
        rows += [(_INDENT, row) for row in _filled(below, _INDENT)]
    return _stacked(rows)


def _filled(scenes: Sequence[Scene], indent: float) -> list[Scene]:
    """Scenes in rows, as many in each as fit."""
    rows: list[list[Scene]] = [[]]
    wide = indent
    for scene in scenes:
        if rows[-1] and wide + scene.width > _WIDE:
            rows.append([])
            wide = indent
        rows[-1].append(scene)
        wide += scene.width + _APART
    return [beside(row, _APART) for row in rows]


def _broken(block: Block, sizes: bool) -> Scene:
    """A line; one that is too wide goes on below, every row of it with a sign in front."""
    blocks = block.blocks if isinstance(block, Row) else (block,)
    scenes = [scene_of(one, sizes) for one in blocks]
    groups: list[list[int]] = []
    for k, one in enumerate(blocks):
        sign = isinstance(one, Words) and one.text in ("+", "−")
        if not groups or (sign and not _begins(blocks, k)):
            groups.append([])
        groups[-1].append(k)
    rows: list[list[Scene]] = [[]]
    for group in groups:
        own = [scenes[k] for k in group]
        if rows[-1] and sum(one.width + 12 for one in (*rows[-1], *own)) > _WIDE:
            rows.append([])
        rows[-1] += own
    if len(rows) == 1:
        return beside(rows[0])
    return _stacked([(_INDENT * bool(k), beside(row)) for k, row in enumerate(rows)], axis=True)


def _begins(blocks: Sequence[Block], k: int) -> bool:
    """Whether a sign stands right behind the left side."""
    before = blocks[k - 1] if k else None
    return before is None or (isinstance(before, Words) and before.left)


def _stacked(rows: Sequence[tuple[float, Scene]], axis: bool = False) -> Scene:
    placed, y = [], 0.0
    for k, (x, scene) in enumerate(rows):
        placed.append(scene.moved(x, y, (k,)))
        y += scene.height + _BELOW
    wide = max((x + scene.width for x, scene in rows), default=0.0)
    return Scene.together(placed, wide, max(y - _BELOW, 0.0), rows[0][1].axis if axis and rows else 0.0)

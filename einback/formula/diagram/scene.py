"""What is drawn, with its place: boxes, lines and texts, in pixels from the upper left corner.

Everything knows its owner, the path of part numbers from the outermost frame to the part, so that a reader of a scene
can tell what stands in what and which parts a line may touch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from einback.formula.diagram.network import Kind

__all__ = ["Box", "Line", "Owner", "Point", "Scene", "Text"]

Owner = tuple[int, ...]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A part. What is written in it stands in its middle, a frame's title in its upper left corner."""

    x: float
    y: float
    width: float
    height: float
    kind: Kind
    owner: Owner
    text: str = ""
    latex: str = ""
    tensor: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A leg: it begins at a point, and each step is a straight line to one point or a cubic curve through three."""

    start: Point
    steps: tuple[tuple[Point, ...], ...]
    ends: tuple[Owner, Owner]
    name: str
    arrow: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text whose middle is at y, and that begins, is centred or ends at x."""

    x: float
    y: float
    text: str
    latex: str
    size: float
    role: str  # "index", "axis", "words", "left" or "title"
    owner: Owner = ()
    anchor: str = "start"  # or "middle", "end"


@dataclass(frozen=True, slots=True)
class Scene:
    """Things that are drawn on a sheet; `ports` are the heights at which legs leave it on the right."""

    width: float = 0.0
    height: float = 0.0
    boxes: tuple[Box, ...] = ()
    lines: tuple[Line, ...] = ()
    texts: tuple[Text, ...] = ()
    ports: tuple[float, ...] = ()
    axis: float = 0.0  # the height of what rows are aligned at

    def frames(self) -> list[Box]:
        """The frames, outer ones first."""
        return sorted((box for box in self.boxes if box.kind is Kind.FRAME), key=lambda box: len(box.owner))

    def moved(self, dx: float, dy: float, under: Owner = ()) -> Scene:
        """The same things elsewhere, as parts of an owner."""
        return replace(
            self,
            boxes=tuple(replace(b, x=b.x + dx, y=b.y + dy, owner=under + b.owner) for b in self.boxes),
            lines=tuple(
                replace(
                    line,
                    start=_moved(line.start, dx, dy),
                    steps=tuple(tuple(_moved(point, dx, dy) for point in step) for step in line.steps),
                    ends=(under + line.ends[0], under + line.ends[1]),
                )
                for line in self.lines
            ),
            texts=tuple(replace(t, x=t.x + dx, y=t.y + dy, owner=under + t.owner) for t in self.texts),
            ports=tuple(y + dy for y in self.ports),
        )

    @staticmethod
    def together(scenes: Iterable[Scene], width: float, height: float, axis: float = 0.0) -> Scene:
        """Several scenes on one sheet."""
        scenes = list(scenes)
        return Scene(
            width,
            height,
            tuple(box for scene in scenes for box in scene.boxes),
            tuple(line for scene in scenes for line in scene.lines),
            tuple(text for scene in scenes for text in scene.texts),
            scenes[-1].ports if scenes else (),
            axis,
        )


def _moved(point: Point, dx: float, dy: float) -> Point:
    return point[0] + dx, point[1] + dy

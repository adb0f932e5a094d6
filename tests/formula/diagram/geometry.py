"""What may not happen on a drawn page, measured: things that lie on each other, legs that run through others' parts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from einback.formula.diagram.measures import width
from einback.formula.diagram.network import Kind
from einback.formula.diagram.scene import Box, Line, Owner, Point, Scene, Text

Rectangle = tuple[float, float, float, float]  # left, top, right, bottom

_SAMPLES = 24  # points of a curve


def faults(scene: Scene) -> list[str]:
    """What is wrong with a page, in words."""
    return [*_outside(scene), *_parts(scene), *_texts(scene), *_legs(scene), *_on_each_other(scene)]


def rectangle(box: Box) -> Rectangle:
    return box.x, box.y, box.x + box.width, box.y + box.height


def room(text: Text) -> Rectangle:
    """What a text takes: from the top of its small letters to its foot, as wide as it is taken to be."""
    wide = width(text.text, text.size)
    left = text.x - {"start": 0.0, "middle": wide / 2, "end": wide}[text.anchor]
    return left, text.y - 0.42 * text.size, left + wide, text.y + 0.42 * text.size


def points(line: Line) -> Iterator[Point]:
    """Points along a leg, close to each other."""
    start = line.start
    for step in line.steps:
        a, b = (step[0], step[1]) if len(step) == 3 else (start, step[-1])
        stop = step[-1]
        for k in range(_SAMPLES + 1):
            t = k / _SAMPLES
            if len(step) == 1:
                yield start[0] + t * (stop[0] - start[0]), start[1] + t * (stop[1] - start[1])
            else:
                weights = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
                yield (
                    sum(w * p[0] for w, p in zip(weights, (start, a, b, stop), strict=True)),
                    sum(w * p[1] for w, p in zip(weights, (start, a, b, stop), strict=True)),
                )
        start = stop


def _meet(one: Rectangle, other: Rectangle, slack: float = 0.6) -> bool:
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return across > slack and down > slack


def _holds(outer: Owner, inner: Owner) -> bool:
    return inner[: len(outer)] == outer and inner != outer


def _outside(scene: Scene) -> Iterator[str]:
    for box in scene.boxes:
        if box.x < -0.6 or box.y < -0.6 or box.x + box.width > scene.width + 0.6:
            yield f"{box.kind} {box.text} leaves the page"
    for text in scene.texts:
        left, top, right, bottom = room(text)
        if left < -0.6 or top < -12 or right > scene.width + 0.6 or bottom > scene.height + 12:
            yield f"the text {text.text} leaves the page"


def _parts(scene: Scene) -> Iterator[str]:
    for one, other in combinations(scene.boxes, 2):
        outer, inner = sorted((one, other), key=lambda box: len(box.owner))
        if outer.kind is Kind.FRAME and _holds(outer.owner, inner.owner):
            a, b = rectangle(outer), rectangle(inner)
            if b[0] < a[0] or b[1] < a[1] or b[2] > a[2] or b[3] > a[3]:
                yield f"{inner.kind} {inner.text} sticks out of its frame {outer.text}"
        elif _meet(rectangle(one), rectangle(other)):
            yield f"{one.kind} {one.text} lies on {other.kind} {other.text}"


def _texts(scene: Scene) -> Iterator[str]:
    for text in scene.texts:
        left, top, right, bottom = room(text)
        for line in scene.lines:
            if any(left + 1 < x < right - 1 and top + 1 < y < bottom - 1 for x, y in points(line)):
                yield f"the leg {line.name} runs through the text {text.text}"
    for one, other in combinations(scene.texts, 2):
        if _meet(room(one), room(other)):
            yield f"the texts {one.text} and {other.text} lie on each other"
    for text in scene.texts:
        for box in scene.boxes:
            if text.role != "axis" and _meet(room(text), rectangle(box), 1.5) and not _within(text, box):
                yield f"the text {text.text} lies on {box.kind} {box.text}"


def _within(text: Text, box: Box) -> bool:
    """Whether a text stands in a frame."""
    (a, b, c, d), (left, top, right, bottom) = room(text), rectangle(box)
    return box.kind is Kind.FRAME and left < a and top < b and c < right and d < bottom


def _legs(scene: Scene) -> Iterator[str]:
    solid = [box for box in scene.boxes if box.kind not in (Kind.DOT, Kind.DELTA)]
    for line in scene.lines:
        for box in solid:
            own = any(end[: len(box.owner)] == box.owner for end in line.ends)
            left, top, right, bottom = rectangle(box)
            if not own and any(left + 0.5 < x < right - 0.5 and top + 0.5 < y < bottom - 0.5 for x, y in points(line)):
                yield f"the leg {line.name} runs through {box.kind} {box.text}"


def _on_each_other(scene: Scene) -> Iterator[str]:
    """Straight pieces of different legs that cover each other."""
    pieces = [(k, *piece) for k, line in enumerate(scene.lines) for piece in _straight(line)]
    for (k, flat, level, start, stop), (m, other_flat, other_level, other_start, other_stop) in combinations(pieces, 2):
        shared = min(stop, other_stop) - max(start, other_start)
        if k != m and flat == other_flat and abs(level - other_level) < 1.5 and shared > 1.5:
            yield f"the legs {scene.lines[k].name} and {scene.lines[m].name} lie on each other"


def _straight(line: Line) -> Iterator[tuple[bool, float, float, float]]:
    """The straight pieces of a leg: whether they are level, where, and from where to where."""
    x, y = line.start
    for step in line.steps:
        a, b = step[-1]
        if len(step) == 1 and abs(b - y) < 0.1:
            yield True, y, min(x, a), max(x, a)
        elif len(step) == 1 and abs(a - x) < 0.1:
            yield False, x, min(y, b), max(y, b)
        x, y = a, b

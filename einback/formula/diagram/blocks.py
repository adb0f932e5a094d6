"""Blocks to scenes: rows beside each other, frames around what they hold, networks by columns and heights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from einback.formula.diagram import measures
from einback.formula.diagram.layers import arranged
from einback.formula.diagram.legs import drawn_legs, through
from einback.formula.diagram.network import Block, Frame, Kind, Network, Part, Row, Words
from einback.formula.diagram.scene import Box, Line, Scene, Text
from einback.formula.diagram.sheet import Sheet, Sides, sides_of

__all__ = ["beside", "scene_of"]

_GAP = 12.0  # between blocks
_PORT = 18.0  # between legs
_CLOSE = 12.0  # between legs of a dot that have no names
_PAD = 12.0  # in frames
_TITLE = 18.0
_ROUND = 38.0  # the least width and height of a tensor


def scene_of(block: Block, sizes: bool = False) -> Scene:
    """A block by itself, its open ends named."""
    return _scene(block, sizes, ())


def beside(scenes: Sequence[Scene], gap: float = _GAP) -> Scene:
    """Scenes in a row, aligned at their axes, each the owner of what is in it."""
    above = max((scene.axis for scene in scenes), default=0.0)
    below = max((scene.height - scene.axis for scene in scenes), default=0.0)
    placed, x = [], 0.0
    for k, scene in enumerate(scenes):
        placed.append(scene.moved(x, above - scene.axis, (k,)))
        x += scene.width + gap
    return Scene.together(placed, max(x - gap, 0.0), above + below, above)


def _scene(block: Block, sizes: bool, order: Sequence[int]) -> Scene:
    """A block whose open ends, if an order of them is given, leave it on the right."""
    match block:
        case Words():
            wide, high = measures.width(block.text, measures.WORDS), measures.WORDS * 1.4
            role, x, anchor = ("left", wide, "end") if block.left else ("words", wide / 2, "middle")
            text = Text(x, high / 2, block.text, block.latex, measures.WORDS, role, anchor=anchor)
            return Scene(wide, high, texts=(text,), axis=high / 2)
        case Row():
            *others, last = block.blocks
            return beside([*(_scene(one, sizes, ()) for one in others), _scene(last, sizes, order)])
        case Network():
            return _Network(block, sizes, order).scene()


@dataclass(slots=True)
class _Network:
    network: Network
    sizes: bool
    order: Sequence[int]  # positions among the open ends

    def scene(self) -> Scene:
        network = self.network
        opened = [network.open[k] for k in self.order] if self.order else list(network.open)
        bound = [k for k, part in enumerate(network.parts) if part.kind is Kind.BOUND]
        arrangement = arranged(network, [*opened, *bound])
        sides = sides_of(arrangement)
        held = {k: self.held(k, part.frame, sides) for k, part in enumerate(network.parts) if part.frame}
        sheet = Sheet(arrangement, sides, self.sizes, bool(self.order))
        for k, part in enumerate(network.parts):
            self.measure(sheet, k, part, held)
        sheet.place()
        boxes: list[Box] = []
        scenes: list[Scene] = []
        lines: list[Line] = []
        for k, part in enumerate(network.parts):
            if part.kind is Kind.OPEN:
                continue
            x, y = sheet.corner((k, -1))
            wide, high = sheet.width[k, -1], sheet.height[k, -1]
            if part.kind in (Kind.DOT, Kind.DELTA):
                wide = high = 9.0
                x, y = sheet.middle[k, -1] - wide / 2, sheet.level[k, -1] - high / 2
            boxes.append(Box(x, y, wide, high, part.kind, (k,), part.text, part.latex, part.tensor))
            if k in held:
                scenes.append(held[k].moved(x + (wide - held[k].width) / 2, y + _top(part), (k,)))
                lines += through(scenes[-1], sheet, k) if self.passes(k, sides) else ()
        legs, texts = drawn_legs(sheet)
        ports = tuple(sheet.level[k, -1] for k in opened)
        own = Scene(boxes=tuple(boxes), lines=(*legs, *lines), texts=texts, ports=ports)
        return Scene.together([*scenes, own], sheet.right, sheet.bottom, sheet.bottom / 2)

    def held(self, part: int, frame: Frame, sides: Sides) -> Scene:
        """What a frame holds, its legs drawn through the border if all of them leave on the right."""
        right = sides.axes(self.network, part, "right")
        return _scene(frame.block, self.sizes, right if self.passes(part, sides) else ())

    def passes(self, part: int, sides: Sides) -> bool:
        frame = self.network.parts[part].frame
        return frame is not None and frame.through and not sides.at(part, "left")

    def measure(self, sheet: Sheet, k: int, part: Part, held: dict[int, Scene]) -> None:
        """The size of a part, and how far from its middle legs are fixed."""
        sides, item = sheet.sides, (k, -1)
        ports = max(len(sides.at(k, "left")), len(sides.at(k, "right")))
        upright = max(len(sides.at(k, side)) * sheet.pitch(k, side) for side in ("up", "down"))
        offsets = {side: _spread(len(sides.at(k, side)), _PORT) for side in ("left", "right")}
        name = measures.width(part.text, measures.NAME)
        match part.kind:
            case Kind.FRAME:
                inner = held[k]
                wide = max(inner.width + 2 * _PAD, measures.width(part.text, measures.LABEL + 1) + 20)
                high = inner.height + _top(part) + _PAD
                least = _PORT * ports + 8
                high = max(high, least)
                if self.passes(k, sides):
                    offsets["right"] = [y + _top(part) - high / 2 for y in inner.ports]
            case Kind.DOT | Kind.DELTA:
                if not any(self.network.legs[leg].named for leg, _ in sides.at(k, "right")):
                    offsets = {side: _spread(len(found), _CLOSE) for side, found in offsets.items()}
                wide, high = (28.0 if ports > 1 else 10.0), _PORT * max(ports, 1) - 6
            case Kind.SUM | Kind.ONES:
                wide, high = 22.0, 22.0
            case Kind.PLACE | Kind.RANGE:
                wide, high = measures.width(part.text, measures.LABEL) + 16, max(26.0, _PORT * ports + 6)
            case Kind.OPEN:
                shown = measures.width(sheet.called(part.text, self.size_of(k)), measures.LABEL)
                wide, high = (0.0 if self.order else shown + 5), 16.0
            case Kind.BOUND:
                wide, high = measures.width(part.text, measures.LABEL) + 12, 20.0
            case _:
                wide = max(_ROUND, name + 22 + 18 * part.mark, upright + 8)
                high = max(_ROUND + 10 * (part.mark and upright > 0), _PORT * ports + 10)
        sheet.width[item], sheet.height[item] = wide, high
        sheet.offsets[k] = offsets

    def size_of(self, part: int) -> object:
        return next((leg.size for leg in self.network.legs if part in (leg.start.part, leg.stop.part)), "")


def _top(part: Part) -> float:
    return _TITLE + 8 if part.text else _PAD


def _spread(number: int, step: float) -> list[float]:
    return [(k - (number - 1) / 2) * step for k in range(number)]

"""Legs as lines.

A leg leaves a part on the side where its other end stands, runs straight through its own column and a strip beside it,
where its name stands above it, and bends in the gap between two columns, where nothing else is. In the next column it
is straight again. Two parts of one column are joined by a bow in the gap on their right, or by a vertical line where
they are neighbours. So no leg can touch a part that it does not end at.
"""

from __future__ import annotations

from itertools import pairwise

from einback.formula.diagram import measures
from einback.formula.diagram.layers import Item
from einback.formula.diagram.network import End, Kind
from einback.formula.diagram.scene import Line, Point, Scene, Text
from einback.formula.diagram.sheet import Sheet, Side

__all__ = ["drawn_legs", "through"]

Steps = list[tuple[Point, ...]]

_DOTS = (Kind.DOT, Kind.DELTA)


def through(held: Scene, sheet: Sheet, part: int) -> list[Line]:
    """The legs of what a frame holds, from its edge to the border of the frame."""
    border = sheet.middle[part, -1] + sheet.width[part, -1] / 2
    edge = border - (sheet.width[part, -1] - held.width) / 2
    names = [sheet.network.legs[leg].name for leg, _ in sheet.sides.at(part, "right")]
    return [
        Line((edge, y), (((border, y),),), ((part,), (part,)), name) for y, name in zip(held.ports, names, strict=True)
    ]


def drawn_legs(sheet: Sheet) -> tuple[tuple[Line, ...], tuple[Text, ...]]:
    """All legs of a network, their names, and the numbers of axes."""
    lines: list[Line] = []
    texts: list[Text] = []
    for k, leg in enumerate(sheet.network.legs):
        route = sheet.arrangement.routes[k]
        if k in sheet.sides.upright:
            points, label = _upright(sheet, k)
        elif sheet.arrangement.column_of[route[0]] == sheet.arrangement.column_of[route[-1]]:
            points, label = _bow(sheet, k)
        else:
            points, label = _across(sheet, k)
        start, steps = points
        owners = (leg.start.part,), (leg.stop.part,)
        lines.append(Line(start, tuple(steps), owners, leg.name, leg.arrow))
        if name := sheet.label(leg):
            texts.append(Text(*label, name, leg.latex + name[len(leg.name) :], measures.LABEL, "index", (-1, k)))
        for end, point in ((leg.start, start), (leg.stop, steps[-1][-1])):
            if sheet.network.parts[end.part].mark:
                texts.append(_numbered(sheet, end, point))
    for k, part in enumerate(sheet.network.parts):
        if part.kind is Kind.OPEN and not sheet.through:
            size = next(leg.size for leg in sheet.network.legs if k in (leg.start.part, leg.stop.part))
            name = sheet.called(part.text, size)
            place = sheet.corner((k, -1))[0] + 5, sheet.level[k, -1]
            texts.append(Text(*place, name, part.latex + name[len(part.text) :], measures.LABEL, "index", (k,)))
    return tuple(lines), tuple(texts)


def _numbered(sheet: Sheet, end: End, point: Point) -> Text:
    """The number of an axis, inside its tensor beside the leg."""
    item = (end.part, -1)
    x, y = point[0] - sheet.middle[item], point[1] - sheet.level[item]
    number = str(end.axis + 1)
    if abs(x) > sheet.width[item] / 2 - 1:
        return Text(point[0] - (6 if x > 0 else -6), point[1], number, number, 9, "axis", (*item, end.axis),
                    "end" if x > 0 else "start")  # fmt: skip
    return Text(point[0], point[1] - (8 if y > 0 else -8), number, number, 9, "axis", (*item, end.axis), "middle")


def _fixed(sheet: Sheet, leg: int, end: int, side: int) -> tuple[Point, Steps]:
    """Where a leg is fixed on the left (-1) or right (1) of a part, and the steps to where it is straight."""
    item = sheet.arrangement.routes[leg][-end]
    y = sheet.level[item] + sheet.offset(leg, end, item)
    part = sheet.network.parts[item[0]]
    if part.kind not in _DOTS:
        return (sheet.middle[item] + side * sheet.width[item] / 2, y), []
    x, own = sheet.middle[item], sheet.level[item]
    if abs(y - own) < 1:
        return (x, own), []
    reach = x + side * sheet.width[item] / 2
    half = (x + reach) / 2
    return (x, own), [((half, own), (half, y), (reach, y))]


def _across(sheet: Sheet, leg: int) -> tuple[tuple[Point, Steps], Point]:
    """A leg between columns, and where its name stands: above its beginning on the left."""
    route, column = sheet.arrangement.routes[leg], sheet.arrangement.column_of
    turned = column[route[0]] > column[route[-1]]
    path = route[::-1] if turned else route
    first, last = (1, 0) if turned else (0, 1)
    start, steps = _fixed(sheet, leg, first, 1)
    y = sheet.level[path[0]] + sheet.offset(leg, first, path[0])
    label = sheet.edge[column[path[0]]] + 4, y - 9
    for place, (one, other) in enumerate(pairwise(path)):
        there = sheet.level[other] + (sheet.offset(leg, last, other) if place == len(path) - 2 else 0.0)
        begin, end = sheet.bend[column[one]], sheet.left[column[other]]
        steps.append(((begin, y),))
        if abs(there - y) < 0.05:
            steps.append(((end, there),))
        else:
            half = (begin + end) / 2
            steps.append(((half, y), (half, there), (end, there)))
        y = there
    final = path[-1]
    if sheet.network.parts[final[0]].kind is Kind.OPEN:
        if sheet.through:
            steps.append(((sheet.right, y),))
    else:
        stop, back = _fixed(sheet, leg, last, -1)
        steps += _reversed(stop, back)[1] if back else [(stop,)]
        if back:
            steps.insert(len(steps) - len(back), (back[-1][-1],))
    points = (start, steps)
    return (_reversed(start, steps) if turned else points), label


def _reversed(start: Point, steps: Steps) -> tuple[Point, Steps]:
    """A line from its end to its beginning."""
    points = [start, *(step[-1] for step in steps)]
    back = [(*step[-2::-1], points[k]) for k, step in enumerate(steps)]
    return points[-1], back[::-1]


def _bow(sheet: Sheet, leg: int) -> tuple[tuple[Point, Steps], Point]:
    """A leg between two parts of a column, or two axes of a part, bending on the right."""
    route, column = sheet.arrangement.routes[leg], sheet.arrangement.column_of
    start, out = _fixed(sheet, leg, 0, 1)
    stop, back = _fixed(sheet, leg, 1, 1)
    above = sheet.level[route[0]] + sheet.offset(leg, 0, route[0])
    below = sheet.level[route[-1]] + sheet.offset(leg, 1, route[-1])
    x = sheet.bend[column[route[0]]]
    far = x + sheet.depth(leg) * 4 / 3
    steps = [*out, ((x, above),), ((far, above), (far, below), (x, below))]
    if back:
        steps += [(back[-1][-1],), *_reversed(stop, back)[1]]
    else:
        steps.append((stop,))
    return (start, steps), (sheet.edge[column[route[0]]] + 4, min(above, below) - 9)


def _upright(sheet: Sheet, leg: int) -> tuple[tuple[Point, Steps], Point]:
    """A vertical leg between neighbours of a column; several of them stand beside each other."""
    one, other = sheet.arrangement.routes[leg]
    side: Side = "down" if sheet.level[one] < sheet.level[other] else "up"
    entries = list(sheet.sides.at(one[0], side))
    x = sheet.middle[one] + (entries.index((leg, 0)) - (len(entries) - 1) / 2) * sheet.pitch(one[0], side)

    def edge(item: Item, down: bool) -> float:
        if sheet.network.parts[item[0]].kind in _DOTS:
            return sheet.level[item]
        return sheet.level[item] + (1 if down else -1) * sheet.height[item] / 2

    start, stop = (x, edge(one, side == "down")), (x, edge(other, side != "down"))
    return (start, [(stop,)]), (x + 5, (start[1] + stop[1]) / 2)

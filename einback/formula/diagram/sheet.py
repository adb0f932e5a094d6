"""The sheet on which a network is laid out: the sides of parts at which legs end, columns, and what stands where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from einback.formula.diagram import measures
from einback.formula.diagram.heights import Link, heights
from einback.formula.diagram.layers import Arrangement, Item
from einback.formula.diagram.network import Kind, Leg, Network
from einback.formula.diagram.scene import Point

__all__ = ["Sheet", "Side", "Sides", "sides_of"]

Side = Literal["left", "right", "up", "down"]

_BENDS = (26.0, 84.0)  # the least and the greatest width of a gap in which legs bend
_STRAIGHT = 14.0
_FAR = 16.0  # between parts of a column


@dataclass(slots=True)
class Sides:
    """The legs at each side of each part in order; an entry is a leg and which of its ends it is, 0 or 1."""

    found: dict[tuple[int, Side], list[tuple[int, int]]]
    upright: set[int]

    def at(self, part: int, side: Side) -> Sequence[tuple[int, int]]:
        return self.found.get((part, side), ())

    def axes(self, network: Network, part: int, side: Side) -> list[int]:
        """The axes of a part whose legs leave on a side, in order."""
        ends = [(network.legs[leg].start, network.legs[leg].stop)[end] for leg, end in self.at(part, side)]
        return [end.axis for end in ends]


def sides_of(arrangement: Arrangement) -> Sides:
    """On which side of its parts every leg ends, and in which order: the one that makes no crossings."""
    position, column = arrangement.positions(), arrangement.column_of
    upright = {k for k, route in enumerate(arrangement.routes) if arrangement.upright(k, position)}
    keyed: dict[tuple[int, Side], list[tuple[tuple[float, ...], tuple[int, int]]]] = {}
    for k, (leg, route) in enumerate(zip(arrangement.network.legs, arrangement.routes, strict=True)):
        for end, (own, other) in enumerate(((route[0], route[1]), (route[-1], route[-2]))):
            here, there = position[own], position[other]
            side: Side
            if column[own] != column[other]:
                side, key = ("right" if column[other] > column[own] else "left"), (1.0, there, k, end)
            elif k in upright:
                side, key = ("down" if there > here else "up"), (1.0, 0, k, end)
            else:
                group = 3.0 if leg.start.part == leg.stop.part else 0.0 if there < here else 2.0
                side, key = "right", (group, -there, k if there > here else -k, end)
            keyed.setdefault((own[0], side), []).append((key, (k, end)))
    return Sides({at: [entry for _, entry in sorted(entries)] for at, entries in keyed.items()}, upright)


@dataclass(slots=True)
class Sheet:
    """Where everything of a network is; sizes and offsets of parts are set before `place`."""

    arrangement: Arrangement
    sides: Sides
    sizes: bool
    through: bool
    width: dict[Item, float] = field(default_factory=dict)
    height: dict[Item, float] = field(default_factory=dict)
    offsets: dict[int, dict[str, list[float]]] = field(default_factory=dict)
    level: dict[Item, float] = field(default_factory=dict)  # the heights of the middles
    middle: dict[Item, float] = field(default_factory=dict)
    left: list[float] = field(default_factory=list)  # of the columns
    edge: list[float] = field(default_factory=list)  # where the columns end on the right
    bend: list[float] = field(default_factory=list)  # where the bends begin
    right: float = 0.0
    bottom: float = 0.0

    @property
    def network(self) -> Network:
        return self.arrangement.network

    def corner(self, item: Item) -> Point:
        return self.middle[item] - self.width[item] / 2, self.level[item] - self.height[item] / 2

    def offset(self, leg: int, end: int, item: Item) -> float:
        """How far below the middle of an item a leg is fixed at one of its ends; lanes have it in the middle."""
        if item[1] >= 0:
            return 0.0
        for side in ("left", "right"):
            entries = self.sides.at(item[0], side)
            if (leg, end) in entries:
                return self.offsets[item[0]][side][list(entries).index((leg, end))]
        return 0.0

    def called(self, name: str, size: object) -> str:
        """The name of a leg, with its size where that is wanted and not said by the name."""
        return f"{name}:{size}" if self.sizes and name and str(size) not in (name.rstrip("'"), "") else name

    def label(self, leg: Leg) -> str:
        return self.called(leg.name, leg.size) if leg.named else ""

    def place(self) -> None:
        columns = self.arrangement.columns
        for items in columns:
            for item in items:
                if item[1] >= 0:
                    self.width[item], self.height[item] = 0.0, 16.0
        self.level = heights(columns, self.apart(), list(self.links()))
        if self.level:
            top = min(self.level[item] - self.height[item] / 2 for item in self.level)
            self.level = {item: round(y - top, 2) for item, y in self.level.items()}
            self.bottom = max(self.level[item] + self.height[item] / 2 for item in self.level)
        x, gaps = 0.0, self.gaps()
        for c, items in enumerate(columns):
            wide = max([self.width[item] for item in items], default=0.0)
            wide = max([wide, *(self.uprights(part) for part, _ in items if (part, -1) in items)])
            self.left.append(x)
            self.edge.append(x + wide)
            ended = c == len(columns) - 1
            for item in items:
                self.middle[item] = x + self.width[item] / 2 if ended else x + wide / 2
            self.bend.append(x + wide + self.strip(c))
            x = self.bend[-1] + gaps[c]
        self.right = x

    def apart(self) -> dict[tuple[Item, Item], float]:
        """The least distances of neighbours: a vertical leg between them needs room for its name."""
        upright = [(self.arrangement.routes[k], self.network.legs[k]) for k in self.sides.upright]
        joined = {frozenset(route): bool(leg.named) for route, leg in upright}
        found = {}
        for items in self.arrangement.columns:
            for pair in pairwise(items):
                own = [k for k in pair if k[1] < 0 and self.network.parts[k[0]].kind is not Kind.OPEN]
                gap = 28.0 if frozenset(pair) in joined else (2.0, _FAR / 2, _FAR)[len(own)]
                found[pair] = sum(self.height[item] for item in pair) / 2 + gap
        return found

    def links(self) -> Sequence[Link]:
        found = []
        for k, route in enumerate(self.arrangement.routes):
            for place, (one, other) in enumerate(pairwise(route)):
                if self.arrangement.column_of[one] == self.arrangement.column_of[other]:
                    continue
                first = self.offset(k, 0, one) if place == 0 else 0.0
                second = self.offset(k, 1, other) if place == len(route) - 2 else 0.0
                weight = 4.0 if one[1] >= 0 and other[1] >= 0 else 1.0
                found += [
                    Link(one, other, second - first, weight),
                    Link(other, one, first - second, weight),
                ]
        return found

    def pitch(self, part: int, side: Side) -> float:
        """How far vertical legs at a side of a part are from each other: their names stand between them."""
        names = [self.label(self.network.legs[leg]) for leg, _ in self.sides.at(part, side)]
        return max(24.0, *(measures.width(name, measures.LABEL) + 11 for name in names)) if names else 0.0

    def uprights(self, part: int) -> float:
        """The width that the vertical legs of a part need, with the name of the last."""
        sides: tuple[Side, ...] = ("up", "down")
        return max((len(self.sides.at(part, side)) + 1) * self.pitch(part, side) - 8 for side in sides)

    def leaving(self, c: int) -> list[int]:
        """The legs that begin at the right of the parts of a column."""
        found = dict.fromkeys(
            leg for item in self.arrangement.columns[c] if item[1] < 0 for leg, _ in self.sides.at(item[0], "right")
        )
        return list(found)

    def strip(self, c: int) -> float:
        names = [self.label(self.network.legs[leg]) for leg in self.leaving(c)]
        return max([measures.width(name, measures.LABEL) + 8 for name in names if name], default=4.0 if names else 0.0)

    def gaps(self) -> list[float]:
        """The widths that legs need to bend in, behind every column: steep ones and deep bows need more."""
        found = [0.0 for _ in self.arrangement.columns]
        for k, route in enumerate(self.arrangement.routes):
            for place, (one, other) in enumerate(pairwise(route)):
                a, b = self.arrangement.column_of[one], self.arrangement.column_of[other]
                if a != b:
                    first = self.level[one] + (self.offset(k, 0, one) if place == 0 else 0.0)
                    second = self.level[other] + (self.offset(k, 1, other) if place == len(route) - 2 else 0.0)
                    fall = abs(first - second)
                    found[min(a, b)] = max(
                        found[min(a, b)], _STRAIGHT if fall < 1 else min(max(_BENDS[0], 0.5 * fall), _BENDS[1])
                    )
                elif k not in self.sides.upright:
                    found[a] = max(found[a], self.depth(k) + 6)
        return found

    def depth(self, leg: int) -> float:
        """How far a bow reaches into the gap."""
        (one, other) = self.arrangement.routes[leg]
        fall = abs(self.level[one] + self.offset(leg, 0, one) - self.level[other] - self.offset(leg, 1, other))
        return min(max(0.45 * fall, 12.0), 46.0)

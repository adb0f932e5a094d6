"""Columns and orders: where the parts of a network stand relative to each other.

Parts stand in columns so that a leg joins parts of neighbouring columns or of one column. Distances from a start are
such columns, and every part and every pair of neighbours is tried as the start. Where it helps, single parts move on to
other columns, and open ends all stand on the right: legs reach what is further away in lanes through the columns
between. The best arrangement has few crossings, lanes and forks, and reads from left to right. Within columns the order
is improved by barycentres (Sugiyama, Tagawa and Toda 1981) and by exchanging neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from einback.formula.diagram.network import Kind, Leg, Network

__all__ = ["Arrangement", "Item", "arranged"]

_ENDS = (Kind.OPEN, Kind.BOUND)
_ANYWHERE = (Kind.SLOT, Kind.DOT, Kind.SUM, Kind.ONES, Kind.DELTA, Kind.PLACE)
_STARTS = 40  # starts that are tried
_MANY = 60  # parts up to which an order is improved by exchanges, and more than a few starts are tried
_ROUNDS = 6
_FEW = 12  # parts up to which each is moved to other columns
_BEST = 4  # arrangements whose neighbours are exchanged

Item = tuple[int, int]  # a part (k, -1), or the lane of leg k in column c: (k, c)


@dataclass(slots=True)
class Arrangement:
    """The columns from left to right, each from top to bottom, and the items that each leg goes through."""

    network: Network
    columns: list[list[Item]]
    routes: list[list[Item]]
    cost: float = 0.0
    column_of: dict[Item, int] = field(default_factory=dict)

    def positions(self) -> dict[Item, int]:
        return {item: k for column in self.columns for k, item in enumerate(column)}

    def upright(self, leg: int, position: Mapping[Item, int]) -> bool:
        """Whether a leg is a vertical line between neighbours in one column."""
        route = self.routes[leg]
        a, b = route[0], route[-1]
        if len(route) != 2 or self.column_of[a] != self.column_of[b] or abs(position[a] - position[b]) != 1:
            return False
        return all(self.network.parts[part].frame is None for part, _ in (a, b))


def arranged(network: Network, ends: Sequence[int]) -> Arrangement:
    """The arrangement of a network whose open and bound ends stand on the right in this order."""
    inner = [k for k, part in enumerate(network.parts) if part.kind not in _ENDS]
    near: dict[int, list[int]] = {k: [] for k in inner}
    for leg in network.legs:
        a, b = leg.start.part, leg.stop.part
        if a != b and a in near and b in near:
            near[a].append(b)
            near[b].append(a)
    column: dict[int, int] = {}
    for group in _components(inner, near):
        column |= _columns(network, ends, group, near)
    depth = {one: max(column[k] for k in one) for one in map(tuple, _components(inner, near))}
    last = max(depth.values(), default=-1)
    for one, own in depth.items():
        column |= {k: column[k] + last - own for k in one}
    found = _ordered(network, ends, column)
    _exchange(found)
    return found


def _components(parts: Sequence[int], near: Mapping[int, Sequence[int]]) -> list[list[int]]:
    done: set[int] = set()
    groups = []
    for part in parts:
        if part not in done:
            groups.append(list(_distances([part], near)))
            done.update(groups[-1])
    return groups


def _distances(starts: Sequence[int], near: Mapping[int, Sequence[int]]) -> dict[int, int]:
    found = dict.fromkeys(starts, 0)
    queue = list(starts)
    for part in queue:
        for other in near[part]:
            if other not in found:
                found[other] = found[part] + 1
                queue.append(other)
    return found


def _columns(
    network: Network, ends: Sequence[int], group: Sequence[int], near: Mapping[int, Sequence[int]]
) -> dict[int, int]:
    """The best columns of one component."""
    if len(group) == 1:
        return {group[0]: 0}
    candidates: list[dict[int, int]] = []
    for starts in _starts(group, near):
        distance = _distances(starts, near)
        for found in (distance, {part: max(distance.values()) - far for part, far in distance.items()}):
            if found not in candidates:
                candidates.append(found)
    members = set(group)
    own = [k for k in ends if any(k in (e.start.part, e.stop.part) and
           not members.isdisjoint((e.start.part, e.stop.part)) for e in network.legs)]  # fmt: skip
    rated = sorted(((_ordered(network, own, one), one) for one in candidates), key=lambda pair: pair[0].cost)
    for arrangement, _ in rated[:_BEST]:
        _exchange(arrangement)
    best, column = min(rated, key=lambda pair: pair[0].cost)
    return _shifted(network, own, column, best.cost) if len(group) <= _FEW else column


def _shifted(network: Network, ends: Sequence[int], column: dict[int, int], cost: float) -> dict[int, int]:
    """The columns after moves of single parts to other columns, as long as these help."""
    for _ in range(2):
        before = cost
        for part in sorted(column):
            for there in range(max(column.values()) + 2):
                moved = {**column, part: there}
                if there != column[part] and {*range(max(moved.values()) + 1)} == {*moved.values()}:
                    found = _ordered(network, ends, moved)
                    _exchange(found)
                    if found.cost < cost - 1e-9:
                        column, cost = moved, found.cost
        if cost == before:
            break
    return column


def _starts(group: Sequence[int], near: Mapping[int, Sequence[int]]) -> list[list[int]]:
    parts = sorted(group)
    single = [[part] for part in parts]
    pairs = [[a, b] for a in parts for b in sorted(set(near[a])) if a < b]
    if len(parts) > _MANY:
        return [*single[:1], *single[-1:], *pairs[:2]]
    few = sorted(parts, key=lambda part: len(near[part]))[:_STARTS]
    return [*(one for one in single if one[0] in few), *pairs[:_STARTS]]


def _ordered(network: Network, ends: Sequence[int], column: Mapping[int, int]) -> Arrangement:
    """Items in columns, by barycentres."""
    last = max(column.values(), default=-1) + 1
    at = {**column, **dict.fromkeys(ends, last)}
    columns: list[list[Item]] = [[] for _ in range(last + 1)]
    for part in sorted(column):
        columns[column[part]].append((part, -1))
    columns[last] = [(part, -1) for part in ends]
    routes: list[list[Item]] = []
    for k, leg in enumerate(network.legs):
        a, b = leg.start.part, leg.stop.part
        if a not in at or b not in at:
            routes.append([])
            continue
        step = 1 if at[a] <= at[b] else -1
        lanes = [(k, c) for c in range(at[a] + step, at[b], step)]
        for lane in lanes:
            columns[lane[1]].append(lane)
        routes.append([(a, -1), *lanes, (b, -1)])
    found = Arrangement(network, columns, routes)
    found.column_of = {item: c for c, column_items in enumerate(columns) for item in column_items}
    near: dict[Item, list[Item]] = {item: [] for items in columns for item in items}
    for route in routes:
        for one, other in pairwise(route):
            near[one].append(other)
            near[other].append(one)
    best, found.cost = [list(items) for items in columns], _cost(found)
    for turn in range(_ROUNDS):
        rightwards = turn % 2 == 1
        order = range(1, last) if rightwards else range(last - 1, -1, -1)
        for c in order:
            _sort(found, c, near, -1 if rightwards else 1)
        if (cost := _cost(found)) < found.cost:
            best, found.cost = [list(items) for items in found.columns], cost
    found.columns = best
    return found


def _sort(found: Arrangement, c: int, near: Mapping[Item, Sequence[Item]], side: int) -> None:
    columns = found.columns[c], found.columns[c + side]
    share = {item: k / max(len(items) - 1, 1) for items in columns for k, item in enumerate(items)}

    def mean(item: Item) -> float:
        others = [other for other in near[item] if found.column_of[other] == c + side]
        return sum(share[other] for other in others) / len(others) if others else share[item]

    keys = {item: mean(item) for item in found.columns[c]}
    found.columns[c].sort(key=keys.__getitem__)


def _exchange(found: Arrangement) -> None:
    """Exchange neighbours in columns as long as that helps."""
    found.cost = _cost(found)
    better = len(found.network.parts) <= _MANY
    rounds = 0
    while better and rounds < _ROUNDS:
        better, rounds = False, rounds + 1
        for items in found.columns:
            for k in range(len(items) - 1):
                if _kinds(found, items[k : k + 2]) == [Kind.OPEN, Kind.OPEN]:
                    continue
                items[k], items[k + 1] = items[k + 1], items[k]
                if (cost := _cost(found)) < found.cost - 1e-9:
                    found.cost, better = cost, True
                else:
                    items[k], items[k + 1] = items[k + 1], items[k]


def _kinds(found: Arrangement, items: Sequence[Item]) -> list[Kind | None]:
    return [found.network.parts[k].kind if c < 0 else None for k, c in items]


def _cost(found: Arrangement) -> float:
    position = found.positions()
    total = 0.0
    gaps: dict[int, list[tuple[int, int]]] = {}
    bows: list[tuple[int, int, int]] = []
    stacked: set[int] = set()
    joined = [leg for leg, route in zip(found.network.legs, found.routes, strict=True) if route]
    tree = len({end.part for leg in joined for end in (leg.start, leg.stop)}) > len(joined)
    for k, (leg, route) in enumerate(zip(found.network.legs, found.routes, strict=True)):
        if not route:
            continue
        total += 0.4 * (len(route) - 2) + _against_reading(found, leg, route, tree)
        for one, other in pairwise(route):
            a, b = found.column_of[one], found.column_of[other]
            if a == b:
                between = abs(position[one] - position[other]) - 1
                if found.upright(k, position):
                    total += (0.2 if tree else 0.05) + 0.4 * (a in stacked)
                    stacked.add(a)
                else:
                    total += 2.5 + max(between, 0)
                    above, below = sorted((position[one], position[other]))
                    bows.append((a, above, below))
            else:
                pair = (position[one], position[other]) if a < b else (position[other], position[one])
                gaps.setdefault(min(a, b), []).append(pair)
    total += _one_sided(found) + 0.12 * len(found.columns)
    total += 4 * sum(above < start < below for c, above, below in bows for start, _ in gaps.get(c, ()))
    return total + 4 * sum(sum(_crossings(pairs)) for pairs in gaps.values())


def _one_sided(found: Arrangement) -> float:
    """What it costs that all legs of a tensor leave it on one side: a chain reads better than a fork."""
    sides: dict[int, list[int]] = {}
    for route in found.routes:
        for own, other in ((route[0], route[1]), (route[-1], route[-2])) if route else ():
            sides.setdefault(own[0], []).append(found.column_of[other] - found.column_of[own])
    return sum(0.3 for steps in sides.values() if len(steps) > 1 and (min(steps) > 0 or max(steps) < 0))


def _against_reading(found: Arrangement, leg: Leg, route: Sequence[Item], tree: bool) -> float:
    """What it costs that a leg goes from right to left, or that a frame has one on its left."""
    first, second = sorted((leg.start.part, leg.stop.part))
    parts = found.network.parts
    backward = found.column_of[first, -1] > found.column_of[second, -1]
    read = tree and not leg.arrow and not any(parts[k].kind in _ANYWHERE for k in (first, second))
    framed = 0.0
    for one, other in ((route[0], route[1]), (route[-1], route[-2])):
        if parts[one[0]].frame is not None and found.column_of[other] < found.column_of[one]:
            framed += 0.5
    if leg.arrow and found.column_of[route[0]] > found.column_of[route[-1]]:
        framed += 1
    caps = (Kind.SUM,)
    if parts[leg.stop.part].kind in caps and found.column_of[route[-1]] < found.column_of[route[0]]:
        framed += 0.5
    return framed + (0.7 if backward and read else 0.0)


def _crossings(pairs: Sequence[tuple[int, int]]) -> Iterator[int]:
    for k, (a, b) in enumerate(pairs):
        yield sum((a - c) * (b - d) < 0 for c, d in pairs[:k])

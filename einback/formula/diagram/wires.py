"""Indices to legs, and networks to connected pieces.

While factors are read, every end of an index is noted. Then an index with two ends is a leg, one with more a dot with a
leg to each, and one with a single end is summed there, or constant along an axis of the result. Indices that a delta
makes equal meet in one dot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from einback.formula.diagram.network import End, Kind, Leg, Network, Part
from einback.formula.latex import index_latex
from einback.formula.tree import Index

__all__ = ["Wires", "pieces"]


@dataclass(slots=True)
class Wires:
    """The parts of a network, and where its indices end."""

    chosen: Mapping[Index, str]
    parts: list[Part] = field(default_factory=list)
    ends: dict[Index, list[End]] = field(default_factory=dict)
    joined: list[Leg] = field(default_factory=list)  # legs that are no index
    deltas: list[tuple[Index, Index]] = field(default_factory=list)

    def add(self, part: Part) -> int:
        self.parts.append(part)
        return len(self.parts) - 1

    def meet(self, index: Index, end: End) -> None:
        self.ends.setdefault(index, []).append(end)

    def index(self, index: Index) -> tuple[str, str]:
        return self.chosen[index], index_latex(self.chosen[index])

    def tied(self, open_ends: Sequence[int]) -> Network:
        """The network, now that all ends are known."""
        legs = [leg for indices in self.wires() for leg in self.legs(indices)]
        return Network(tuple(self.parts), (*legs, *self.joined), tuple(open_ends))

    def wires(self) -> list[list[Index]]:
        """The indices, those together that deltas make equal: they are one dot, if there is more than the deltas."""
        root: dict[Index, Index] = {}

        def find(index: Index) -> Index:
            while index in root:
                index = root[index]
            return index

        for a, b in self.deltas:
            one, other = find(a), find(b)
            number = sum(len(ends) for index, ends in self.ends.items() if find(index) in (one, other))
            if number < 2 or one is other:
                part = self.add(Part(Kind.DELTA, "δ", r"\delta"))
                self.meet(a, End(part, 0))
                self.meet(b, End(part, 1))
            else:
                root[other] = one
        groups: dict[Index, list[Index]] = {}
        for index in self.ends:
            groups.setdefault(find(index), []).append(index)
        return [*groups.values()]

    def legs(self, indices: Sequence[Index]) -> list[Leg]:
        """The legs of an index whose ends are all known, or of several that are equal."""
        pairs = [(index, end) for index in indices for end in self.ends[index]]
        (index, first), *others = pairs
        if not others:
            said = self.says(first)
            cap = End(self.add(Part(Kind.ONES, "1", "1") if said else Part(Kind.SUM, "Σ", r"\Sigma")), 0)
            return [self.leg(index, *((cap, first) if said else (first, cap)), named=not said)]
        if len(pairs) == 2 and index is others[0][0]:
            return [self.leg(index, first, others[0][1], named=not any(self.says(end) for _, end in pairs))]
        dot = self.add(Part(Kind.DELTA if len(pairs) == 2 else Kind.DOT, "δ" if len(pairs) == 2 else "", r"\delta"))
        silent = {index for index, end in pairs if self.says(end)}
        legs = []
        for axis, (index, end) in enumerate(pairs):
            fixed = End(dot, axis)
            ends = (fixed, end) if self.says(end) else (end, fixed)
            legs.append(self.leg(index, *ends, named=index not in silent))
            silent.add(index)
        return legs

    def says(self, end: End) -> bool:
        """Whether an end bears the name of its index."""
        return self.parts[end.part].kind in (Kind.OPEN, Kind.BOUND)

    def leg(self, index: Index, start: End, stop: End, named: bool) -> Leg:
        return Leg(start, stop, *self.index(index), index.size, named)


def pieces(network: Network) -> list[Network]:
    """The parts that no leg joins to an open end as networks of their own, in reading order; the others last."""
    root = list(range(len(network.parts)))

    def find(part: int) -> int:
        while root[part] != part:
            part = root[part]
        return part

    for leg in network.legs:
        a, b = find(leg.start.part), find(leg.stop.part)
        root[max(a, b)] = min(a, b)
    ended = {find(k) for k, part in enumerate(network.parts) if part.kind in (Kind.OPEN, Kind.BOUND, Kind.SLOT)}
    alone = sorted({find(k) for k in range(len(network.parts))} - ended)
    groups = [[k for k in range(len(network.parts)) if find(k) == one] for one in alone]
    groups.append([k for k in range(len(network.parts)) if find(k) in ended])
    return [_selected(network, group) for group in groups if group]


def _selected(network: Network, group: Sequence[int]) -> Network:
    at = {part: k for k, part in enumerate(group)}
    legs = [
        replace(leg, start=replace(leg.start, part=at[leg.start.part]), stop=replace(leg.stop, part=at[leg.stop.part]))
        for leg in network.legs
        if leg.start.part in at
    ]
    return Network(tuple(network.parts[k] for k in group), tuple(legs), tuple(at[k] for k in network.open if k in at))

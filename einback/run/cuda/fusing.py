"""Fusing: the statements of a program in groups, each a kernel; what no kernel computes stays as it is.

From the last statement to the first, a cell joins a group of those that read its result. Where others read it too, it
is written to memory as well, unless they can compute it again at the cost of reading one array. A group never comes to
wait for itself: what others make of its results it does not read.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import prod

from einback.run.arrays import Arrays
from einback.run.cuda.cells import Cell, cell_of
from einback.run.cuda.groups import Group
from einback.run.steps import Statement
from einback.run.walking import changed, reads

__all__ = ["Part", "fused"]

_TWICE = 3  # groups that compute the same again
_NARROW, _ROWS = 1 << 15, 2048  # entries that few threads may write, and rows that keep a device busy
_SMALL = 8  # how many times fewer entries an array has than a space, to count as nothing


@dataclass(slots=True)
class Part:
    """What runs at once: the places of statements in the program; a group, or a statement as it is."""

    places: list[int]
    group: Group | None = None
    stored: set[int] = field(default_factory=set)  # roots that the group writes to memory


def fused(statements: Sequence[Statement], arrays: Arrays, kept: set[int]) -> list[Part]:
    """The program in parts, in an order in which it can run; arrays whose roots are in `kept` are wanted."""
    return _Fusing(statements, arrays, kept).parts()


class _Fusing:
    def __init__(self, statements: Sequence[Statement], arrays: Arrays, kept: set[int]) -> None:
        self._statements, self._arrays, self._kept = statements, arrays, kept
        self._cells = [cell_of(statement, arrays) for statement in statements]
        self._ins = [dict.fromkeys(map(arrays.root, reads(statement))) for statement in statements]
        self._written: defaultdict[int, list[int]] = defaultdict(list)
        self._readers: defaultdict[int, list[int]] = defaultdict(list)
        for place, statement in enumerate(statements):
            for register in dict.fromkeys(map(arrays.root, changed(statement))):
                self._written[register].append(place)
            for register in self._ins[place]:
                self._readers[register].append(place)
        self._groups: dict[int, list[int]] = {}  # the parts in which a statement runs
        self._parts: dict[int, Part] = {}
        self._after = self._order()

    def _order(self) -> list[set[int]]:
        """For each statement those that must come later."""
        after: list[set[int]] = [set() for _ in self._statements]
        for root, writers in self._written.items():
            for reader in self._readers[root]:
                for writer in writers:
                    if writer != reader:
                        after[min(writer, reader)].add(max(writer, reader))
            for first, second in pairwise(writers):
                after[first].add(second)
        return after

    def parts(self) -> list[Part]:
        for place in reversed(range(len(self._statements))):
            self._place(place, self._cells[place])
        return self._sorted()

    # groups

    def _place(self, place: int, cell: Cell | None) -> None:
        if cell is None:
            self._alone(place, None)
            return
        root = cell.out.root
        readers = [k for k in self._readers[root] if k != place]
        whole = prod(cell.out.layout.shape) == self._entries(root)
        once = len(self._written[root]) == 1 and whole and root in self._arrays.written
        known = {part for reader in readers for part in self._groups[reader]}
        groups = [part for part in known if self._parts[part].group is not None]
        if not once or not groups or cell.into is not None:
            self._alone(place, cell)
            return
        wanted = root in self._kept
        if not wanted and len(groups) == len(known) == 1:
            if not self._taken(place, cell, groups[0]):
                self._alone(place, cell)
            return
        if not wanted and len(groups) == len(known) and self._is_cheap(cell, len(groups)):
            self._again(place, cell, groups)
            return
        self._shared(place, cell, groups)

    def _taken(self, place: int, cell: Cell, part: int) -> bool:
        group = self._parts[part].group
        if group is None or self._overwrites(group, place) or not group.take(place, cell):
            return False
        self._parts[part].places.append(place)
        self._groups.setdefault(place, []).append(part)
        return True

    def _overwrites(self, group: Group, place: int) -> bool:
        """Whether an array that a statement reads is written later: it has to run where it stands, and apart from
        what writes there, for the threads of a group may be ahead of each other."""
        later = any(other > place for root in self._ins[place] for other in self._written[root])
        return later or any(cell.out.root in self._ins[place] for cell in group.cells.values())

    def _alone(self, place: int, cell: Cell | None) -> None:
        """A part of its own."""
        number = len(self._parts)
        group = None if cell is None else Group.of(place, cell)
        self._parts[number] = Part([place], group, {cell.out.root} if cell is not None else set())
        self._groups.setdefault(place, []).append(number)

    def _again(self, place: int, cell: Cell, groups: Sequence[int]) -> None:
        """The cell in all groups that read it; those that cannot take it read what another part makes."""
        left = [part for part in groups if not self._taken(place, cell, part)]
        if left:
            if len(left) < len(groups):
                self._stored_by_one(place, cell)
            else:
                self._alone(place, cell)

    def _stored_by_one(self, place: int, cell: Cell) -> None:
        """One part writes the result to memory: one that took it in and waits for none of those that read it."""
        for part in self._groups[place]:
            if not self._waits(part, place):
                self._parts[part].stored.add(cell.out.root)
                return
        self._alone(place, cell)

    def _shared(self, place: int, cell: Cell, groups: Sequence[int]) -> None:
        """The cell in one group, which writes its result to memory for others."""
        for part in sorted(groups, key=lambda part: self._parts[part].places[0]):
            if self._is_wide(part, cell) and not self._waits(part, place) and self._taken(place, cell, part):
                self._parts[part].stored.add(cell.out.root)
                return
        self._alone(place, cell)

    def _is_wide(self, part: int, cell: Cell) -> bool:
        """Whether a part whose threads reduce has enough of them to write a large array too."""
        group = self._parts[part].group
        if group is None or group.inner is None:
            return group is None or bool(cell.reduction) or cell.entries == prod(group.lengths)
        if cell.reduction or cell.entries <= _NARROW:
            return True
        rows = prod(group.lengths[k] for k in group.outer)
        return rows >= _ROWS or rows == cell.entries

    def _waits(self, part: int, place: int) -> bool:
        """Whether a part, if it made the result of a statement for others, would come after one of these."""
        seen = {part}
        waiting = self._followers(part, place)
        while waiting:
            other = waiting.pop()
            if other not in seen:
                seen.add(other)
                found = [one for k in self._parts[other].places for one in self._followers(other, k)]
                if part in found:
                    return True
                waiting += found
        return False

    def _followers(self, part: int, place: int) -> list[int]:
        """The parts that come after the one in which a statement runs, because of it: others may run it too."""
        return [other for later in self._after[place] for other in self._groups[later]
                if other != part and other not in self._groups.get(place, ())]  # fmt: skip

    def _is_cheap(self, cell: Cell, times: int) -> bool:
        """Whether computing a cell again reads no more than its result would; what reads nothing always is."""
        large = {read.root for read in cell.reads if self._entries(read.root) * _SMALL > cell.entries}
        return not cell.reduction and (not cell.reads or (len(large) <= 1 and times <= _TWICE))

    def _entries(self, root: int) -> int:
        return prod(self._arrays.kinds[root].shape)

    # order

    def _sorted(self) -> list[Part]:
        """The parts in an order in which each runs after those that it reads, near the order of the program."""
        before: dict[int, set[int]] = {number: set() for number in self._parts}
        for place, later in enumerate(self._after):
            makers = [part for part in self._groups[place] if self._makes(part, place)] or self._groups[place]
            for other in later:
                for part in self._groups[other]:
                    if part not in self._groups[place]:
                        before[part].update(makers)
        after: defaultdict[int, list[int]] = defaultdict(list)
        missing = {number: len(found) for number, found in before.items()}
        for number, found in before.items():
            for other in found:
                after[other].append(number)
        ready = [(max(self._parts[n].places), n) for n, count in missing.items() if not count]
        heapq.heapify(ready)
        made: list[Part] = []
        while ready:
            _, number = heapq.heappop(ready)
            made.append(self._parts[number])
            for other in after[number]:
                missing[other] -= 1
                if not missing[other]:
                    heapq.heappush(ready, (max(self._parts[other].places), other))
        assert len(made) == len(self._parts), "parts that wait for each other"
        return made

    def _makes(self, part: int, place: int) -> bool:
        """Whether a part leaves the result of a statement in memory."""
        cell = self._cells[place]
        return cell is None or cell.out.root in self._parts[part].stored
